//! What is left after many connects and hang-ups.

use std::{fmt::Write as _, path::Path, time::Duration};

use tokio::time::sleep;

use crate::{
    Failure,
    process::{Look, megabytes},
    server::Server,
    viewer::{Kind, Viewer},
    vlm::Vlm,
};

/// For idle threads of pools to end: tokio keeps blocking ones for 10 s, GStreamer task pools for
/// a few.
const QUIET: Duration = Duration::from_secs(15);

pub(crate) async fn measure(server: &Path, cycles: usize) -> Result<String, Failure> {
    let vlm = Vlm::start(4, Duration::from_millis(20)).await?;
    let server = Server::start(server, &vlm.base, &[]).await?;
    let mut report = String::from("leaks: connect, one answer, hang up\n");
    let mut line = |when: &str, look: Look| -> Result<(), Failure> {
        writeln!(
            report,
            "{when:<22} {:>4} threads {:>5} files {:>8.1} MB",
            look.threads,
            look.files,
            megabytes(look.memory)
        )?;
        Ok(())
    };
    for cycle in 0..=cycles {
        if [0, 1, 10, cycles].contains(&cycle) {
            sleep(QUIET).await;
            line(&format!("after {cycle}"), server.look()?)?;
        }
        if cycle < cycles {
            let mut viewer = Viewer::connect(&server.address, &Kind::default()).await?;
            viewer.answer().await?;
            viewer.hang_up().await;
        }
    }
    Ok(report)
}
