//! What a media process logs and prints, in this process's own log: so few lines that nobody fills
//! a disk by what they have a library complain of.

use std::time::{Duration, Instant};

use live_vlm_config::shown::escaped;
use live_vlm_media_link::LogLevel;

use crate::{bucket::Bucket, last_words::LastWords, lines::Lines, placement::ProcessNumber};

/// Lines of one process at once, but for those that only developers ask for.
const AT_ONCE: u64 = 200;
/// And a second, in the long run.
const A_SECOND: u64 = 1;
/// How often it is told how many were left out.
const TELL: Duration = Duration::from_secs(5);
/// Characters of a line.
const LONGEST: usize = 1000;
/// Who says what was printed.
const PRINTED: &str = "printed";

/// The log of one media process, or of what forks them.
#[derive(Debug)]
pub(crate) struct Journal {
    /// None of what forks them.
    process: Option<u64>,
    words: LastWords,
    printed: Lines,
    lines: Bucket,
    left_out: u64,
    told: Option<Instant>,
}

impl Journal {
    pub(crate) fn new(process: ProcessNumber) -> Self {
        Self::of(Some(process.0))
    }

    pub(crate) fn of_zygote() -> Self {
        Self::of(None)
    }

    fn of(process: Option<u64>) -> Self {
        Self {
            process,
            words: LastWords::default(),
            printed: Lines::default(),
            lines: Bucket::new(AT_ONCE, A_SECOND),
            left_out: 0,
            told: None,
        }
    }

    /// It has logged this, about this session.
    pub(crate) fn hear(
        &mut self,
        level: LogLevel,
        from: &str,
        session: Option<&str>,
        text: &str,
        now: Instant,
    ) {
        self.words.hear(text);
        let is_asked_for = matches!(level, LogLevel::Debug | LogLevel::Trace);
        if is_asked_for || self.has_room(now) {
            self.write(level, from, session, text);
        }
    }

    /// It has printed this.
    pub(crate) fn print(&mut self, bytes: &[u8], now: Instant) {
        for line in self.printed.take(bytes) {
            self.hear(LogLevel::Warn, PRINTED, None, &line, now);
        }
    }

    /// It prints nothing any more.
    pub(crate) fn end(&mut self, now: Instant) {
        if let Some(line) = self.printed.end() {
            self.hear(LogLevel::Warn, PRINTED, None, &line, now);
        }
        self.tell_left_out();
    }

    pub(crate) fn words(&self) -> &LastWords {
        &self.words
    }

    /// Whether there is room for one more line.
    fn has_room(&mut self, now: Instant) -> bool {
        if !self.lines.take(1, now) {
            self.left_out += 1;
            return false;
        }
        if self.told.is_none_or(|told| now - told >= TELL) {
            self.told = Some(now);
            self.tell_left_out();
        }
        true
    }

    fn write(&self, level: LogLevel, from: &str, session: Option<&str>, text: &str) {
        macro_rules! line {
            ($level:ident) => {
                // Only what is written is escaped.
                tracing::$level!(
                    target: "media",
                    process = self.process,
                    session,
                    from = escaped(from, LONGEST),
                    "{}",
                    escaped(text, LONGEST)
                )
            };
        }
        match level {
            LogLevel::Error => line!(error),
            LogLevel::Warn => line!(warn),
            LogLevel::Info => line!(info),
            LogLevel::Debug => line!(debug),
            LogLevel::Trace => line!(trace),
        }
    }

    fn tell_left_out(&mut self) {
        let lines = std::mem::take(&mut self.left_out);
        if lines > 0 {
            let process = self.process;
            tracing::warn!(target: "media", process, lines, "further lines were left out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> Journal {
        Journal::new(ProcessNumber(1))
    }

    #[test]
    fn so_many_lines_are_written_and_the_rest_is_counted() {
        let (mut journal, begin) = (journal(), Instant::now());
        let mut written = |lines: u64, now| {
            let written = (0..lines).filter(|_| journal.has_room(now)).count() as u64;
            (written, journal.left_out)
        };
        assert_eq!(written(1000, begin), (AT_ONCE, 1000 - AT_ONCE));
        assert_eq!(written(100, begin + Duration::from_secs(3)), (3 * A_SECOND, 897));
        assert_eq!(written(1, begin + Duration::from_secs(5)), (1, 0), "it was told");
    }

    #[test]
    fn a_line_that_is_not_written_still_tells_why_it_ended() {
        let (mut journal, begin) = (journal(), Instant::now());
        for _ in 0..1000 {
            journal.print(b"noise\n", begin);
        }
        journal.print(b"x.c:1: f: Assertion `y' failed.\nAborted\nno end", begin);
        journal.end(begin);
        let reason = journal.words().reason();
        assert_eq!(reason.as_deref(), Some("x.c:1: f: Assertion `y' failed."));
    }
}
