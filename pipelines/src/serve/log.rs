//! Lines of the log, which go to live-vlm with all else. They never hold anybody up: what comes too
//! fast is counted instead.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use live_vlm_media_link::{ConnectionId, FromMedia, LogLevel};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// Lines that wait.
const QUEUE: usize = 256;
/// Lines in a second, which is far below what live-vlm takes for a flood.
const A_SECOND: u32 = 100;
const SECOND: Duration = Duration::from_secs(1);

/// Where lines of a media process's log are left. Any thread may do so at any time. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogSender {
    lines: mpsc::Sender<FromMedia>,
    dropped: Arc<AtomicU64>,
}

/// Gives them out, not too many at a time.
#[derive(Debug)]
pub(super) struct LogLines {
    lines: mpsc::Receiver<FromMedia>,
    dropped: Arc<AtomicU64>,
    /// When the second at hand began, and how many were given out in it.
    second: (Instant, u32),
}

pub(super) fn lines() -> (LogSender, LogLines) {
    let (sender, lines) = mpsc::channel(QUEUE);
    let dropped = Arc::<AtomicU64>::default();
    let second = (Instant::now(), 0);
    (
        LogSender { lines: sender, dropped: Arc::clone(&dropped) },
        LogLines { lines, dropped, second },
    )
}

impl LogSender {
    /// Leaves a line; never waits. Too many are dropped and counted.
    pub fn send(
        &self,
        level: LogLevel,
        target: &str,
        connection: Option<ConnectionId>,
        message: String,
    ) {
        let line = FromMedia::Log { level, target: target.to_owned(), connection, message };
        if self.lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl LogLines {
    /// The next line; `None` when there will be none. If the future is dropped, nothing is lost.
    pub(super) async fn next(&mut self) -> Option<FromMedia> {
        let (began, given) = self.second;
        if given >= A_SECOND {
            sleep_until(began + SECOND).await;
        }
        if self.second.0.elapsed() >= SECOND {
            self.second = (Instant::now(), 0);
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        let line = match dropped {
            0 => self.lines.recv().await?,
            _ => FromMedia::Log {
                level: LogLevel::Warn,
                target: module_path!().to_owned(),
                connection: None,
                message: format!("{dropped} lines of the log came too fast and are left out"),
            },
        };
        self.second.1 += 1;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(line: Option<FromMedia>) -> String {
        match line {
            Some(FromMedia::Log { message, .. }) => message,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lines_that_come_too_fast_wait_and_then_are_counted() {
        let (sender, mut lines) = lines();
        for number in 0..QUEUE + 5 {
            sender.send(LogLevel::Info, "a", None, number.to_string());
        }
        let began = Instant::now();
        assert_eq!(text(lines.next().await), "5 lines of the log came too fast and are left out");
        for number in 0..QUEUE {
            assert_eq!(text(lines.next().await), number.to_string());
        }
        // 257 lines at 100 a second.
        assert_eq!(began.elapsed(), 2 * SECOND);
        drop(sender);
        assert!(lines.next().await.is_none());
    }
}
