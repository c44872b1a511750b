//! Why a media process ended.

use std::fmt;

use crate::{conduct::Breach, last_words::LastWords, placement::ProcessNumber};

/// How a process ended, as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// As a task of this process, whatever came of it.
    Task {
        /// It panicked.
        panicked: bool,
    },
    /// Together with what forks all media processes.
    WithZygote,
    /// Nobody knows.
    Unknown,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "ended with exit code {code}"),
            Self::Signal(signal) => match live_vlm_zygote::signal_name(*signal) {
                Some(name) => write!(f, "ended by {name}"),
                None => write!(f, "ended by signal {signal}"),
            },
            Self::WithZygote => f.write_str("ended with all others, as what forks them did"),
            Self::Task { panicked: true } => f.write_str("panicked"),
            Self::Task { panicked: false } | Self::Unknown => f.write_str("ended"),
        }
    }
}

/// What ended it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Nobody needed it any more, or live-vlm ends.
    NotNeeded,
    /// It could not be started: why.
    NotStarted(String),
    /// It ended by itself.
    Died(Exit),
    /// It used more memory than it may, and the kernel ended it.
    OutOfMemory,
    /// It was ended, for what it did.
    Breach(Breach),
}

/// Why a media process ended, in words for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Which process.
    pub process: ProcessNumber,
    /// What ended it.
    pub reason: Reason,
    /// The last element of a pipeline that it named.
    pub element: Option<String>,
    /// What it said of why it ends: the text of an assertion.
    pub said: Option<String>,
}

impl Cause {
    pub(crate) fn new(process: ProcessNumber, reason: Reason, words: &LastWords) -> Self {
        Self { process, reason, element: words.element().map(str::to_owned), said: words.reason() }
    }

    /// Which kind of end it is, in one word.
    pub fn name(&self) -> &'static str {
        match &self.reason {
            Reason::NotNeeded => "not_needed",
            Reason::NotStarted(_) => "not_started",
            Reason::Died(Exit::Signal(_)) => "signal",
            Reason::Died(Exit::WithZygote) => "with_zygote",
            Reason::Died(_) => "exit",
            Reason::OutOfMemory => "out_of_memory",
            Reason::Breach(breach) => breach.name(),
        }
    }

    /// Whether it was there at all.
    pub fn is_started(&self) -> bool {
        !matches!(self.reason, Reason::NotStarted(_))
    }

    /// Whether what its peers sent may be why.
    pub fn is_blamed(&self) -> bool {
        let is_not = matches!(
            self.reason,
            Reason::NotNeeded | Reason::NotStarted(_) | Reason::Died(Exit::WithZygote)
        );
        !is_not
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "media process {} ", self.process)?;
        match &self.reason {
            Reason::NotNeeded => f.write_str("was not needed any more")?,
            Reason::NotStarted(why) => write!(f, "could not be started: {why}")?,
            Reason::Died(exit) => exit.fmt(f)?,
            Reason::OutOfMemory => f.write_str("used more memory than it may")?,
            Reason::Breach(breach) => breach.fmt(f)?,
        }
        if let Some(element) = &self.element {
            write!(f, "; the last element that it named is {element}")?;
        }
        if let Some(said) = &self.said {
            write!(f, "; it said: {said}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_says_what_happened_where_and_what_was_said() {
        let mut words = LastWords::default();
        let number = ProcessNumber(3);
        let died = Reason::Died(Exit::Signal(libc::SIGSEGV));
        let plain = Cause::new(number, died.clone(), &words);
        assert_eq!(plain.to_string(), "media process 3 ended by SIGSEGV");
        words.hear("dec.c:1:f:<vp8dec0> odd");
        words.hear("ERROR:dec.c:2:f: assertion failed: (x)");
        assert_eq!(
            Cause::new(number, died, &words).to_string(),
            "media process 3 ended by SIGSEGV; the last element that it named is vp8dec0; it said: \
             ERROR:dec.c:2:f: assertion failed: (x)"
        );
    }

    #[test]
    fn every_reason_has_a_name_and_only_what_peers_may_cause_is_blamed_on_them() {
        for (reason, name, words, is_blamed) in [
            (Reason::NotNeeded, "not_needed", "was not needed any more", false),
            (
                Reason::NotStarted("no such file".to_owned()),
                "not_started",
                "could not be started: no such file",
                false,
            ),
            (Reason::Died(Exit::Code(1)), "exit", "ended with exit code 1", true),
            (Reason::Died(Exit::Signal(64)), "signal", "ended by signal 64", true),
            (Reason::Died(Exit::Task { panicked: true }), "exit", "panicked", true),
            (
                Reason::Died(Exit::WithZygote),
                "with_zygote",
                "ended with all others, as what forks them did",
                false,
            ),
            (Reason::OutOfMemory, "out_of_memory", "used more memory than it may", true),
            (Reason::Breach(Breach::Flood), "flood", "sent more messages than it may", true),
        ] {
            let cause = Cause::new(ProcessNumber(1), reason, &LastWords::default());
            assert_eq!((cause.name(), cause.is_blamed()), (name, is_blamed));
            assert_eq!(cause.to_string(), format!("media process 1 {words}"));
        }
    }
}
