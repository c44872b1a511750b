use std::{
    env, io,
    sync::{Arc, Mutex},
    time::Duration,
};

use live_vlm_media_processes::{Codec, Config};
use tracing::Level;

use super::support::{Started, config, picture, soon};

#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    /// Waits for a line of a media process that has all of this.
    pub(crate) async fn wait_for(&self, parts: &[&str]) -> String {
        let find = || {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            let own = |line: &&str| line.contains(" media: ");
            let mut lines = text.lines().filter(own);
            lines.find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
        };
        let come = async {
            let mut tick = tokio::time::interval(Duration::from_millis(5));
            loop {
                if let Some(line) = find() {
                    return line;
                }
                tick.tick().await;
            }
        };
        soon(come).await
    }
}

pub(crate) fn log() -> (Written, tracing::subscriber::DefaultGuard) {
    let written = Written::default();
    let writer = written.clone();
    let log = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .without_time()
        .with_ansi(false)
        .with_writer(move || writer.clone());
    (written, tracing::subscriber::set_default(log.finish()))
}

#[tokio::test]
async fn what_a_media_process_logs_comes_out_with_its_session() {
    let (written, _guard) = log();
    let started = Started::new(Config { log: "debug".to_owned(), ..config() });
    let (sender, mut answered) = started.meet("ada", Codec::Vp8).await;
    picture(&mut answered.turns).await;
    sender.hang_up().await;
    let line = ["DEBUG", "peer connection lost", "process=1", "session=\"ada\""];
    written.wait_for(&line).await;
}

#[tokio::test]
async fn processes_that_run_log_by_another_filter_when_there_is_one() {
    let (written, _guard) = log();
    let started = Started::new(Config { log: "error".to_owned(), ..config() });
    let (first, _answered) = started.meet("ada", Codec::Vp8).await;
    started.processes.set_log("debug");
    let (second, _answered) = started.meet("bob", Codec::Vp8).await;
    for (sender, session) in [(first, "session=\"ada\""), (second, "session=\"bob\"")] {
        sender.hang_up().await;
        written.wait_for(&["DEBUG", "peer connection lost", session]).await;
    }
}

#[tokio::test]
async fn what_somebody_asks_of_native_libraries_comes_out_too() {
    let (written, _guard) = log();
    let asked = env::vars_os().chain([("GST_DEBUG".into(), "webrtcbin:4".into())]);
    let started = Started::by(config(), asked);
    let _answered = started.answer("ada").await;
    written.wait_for(&["DEBUG media: webrtcbin: ", "process=1", "from=\"native\""]).await;
}
