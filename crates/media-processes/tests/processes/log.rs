use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing::Level;

use super::support::{config, fakes, gone, offer, soon};

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Written {
    /// The lines of media processes themselves.
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let own = text.lines().filter(|line| line.contains(" media: "));
        own.map(|line| line.trim().to_owned()).collect()
    }
}

fn log() -> (Written, tracing::subscriber::DefaultGuard) {
    let written = Written::default();
    let writer = written.clone();
    let log = tracing_subscriber::fmt()
        .with_max_level(Level::DEBUG)
        .without_time()
        .with_ansi(false)
        .with_writer(move || writer.clone());
    (written, tracing::subscriber::set_default(log.finish()))
}

#[tokio::test]
async fn lines_of_a_process_are_logged_with_its_number_and_the_session() {
    let (written, _guard) = log();
    let processes = fakes(config());
    let ada = offer(&processes, "ada", "one").await.unwrap();
    ada.peer.ask_now();
    soon(ada.peer.stop()).await;
    let line = "INFO media: asks now process=1 session=\"ada\" from=\"fake\"";
    assert_eq!(written.lines(), [line]);
    let mut eve = offer(&processes, "eve", "abort").await.unwrap();
    gone(&mut eve).await;
    let printed =
        "WARN media: gstvp8dec.c:12:decode:<vp8dec0> a bad frame process=2 from=\"printed\"";
    assert!(written.lines().contains(&printed.to_owned()), "{:#?}", written.lines());
}

#[tokio::test]
async fn a_line_is_one_line_and_forges_no_other() {
    let (written, _guard) = log();
    let processes = fakes(config());
    let mut eve = offer(&processes, "eve", "forges").await.unwrap();
    super::support::ask(&mut eve.turns).await;
    let lines = written.lines();
    let forged = "INFO media: a\\nERROR media: forged\\u{1b}[2Jxxx";
    assert!(lines[0].starts_with(forged) && lines.len() == 1, "{lines:#?}");
    assert!(lines[0].len() < 1100, "{}", lines[0].len());
}

#[tokio::test]
async fn noise_is_cut_down_and_what_was_left_out_is_told() {
    let (written, _guard) = log();
    let processes = fakes(config());
    let mut eve = offer(&processes, "eve", "noise").await.unwrap();
    super::support::ask(&mut eve.turns).await;
    soon(processes.shut_down()).await;
    let lines = written.lines();
    assert!(lines.len() < 500, "{}", lines.len());
    let told = "WARN media: further lines were left out process=1 lines=";
    assert!(lines.iter().any(|line| line.starts_with(told)), "{lines:#?}");
}
