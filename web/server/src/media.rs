//! How the server's media processes are run.

use live_vlm_media_processes::{
    Config, MediaProcesses,
    launcher::{InProcess, Launcher},
    placement::Bounds,
};

/// Everything in this process. There is no protection then.
pub fn in_this_process() -> MediaProcesses {
    // Each costs a task and a pair of sockets.
    const MOST: usize = 100_000;
    let bounds = Bounds { wanted: MOST, most: MOST, connections: 8 };
    let config = Config { keeps_spare: false, ..Config::new(bounds) };
    MediaProcesses::new(config, launcher())
}

fn launcher() -> impl Launcher {
    InProcess::new(|link| async {
        if let Err(error) = live_vlm_pipelines::serve(link, |_| Default::default()).await {
            tracing::error!(%error, "video cannot be received any more");
        }
    })
}
