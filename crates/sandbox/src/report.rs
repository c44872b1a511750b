use std::fmt;

/// One part of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wall {
    /// How much memory, how many files and threads there can be.
    Limits,
    /// Another user than root.
    User,
    /// No capability, none by a program that has some, and no debugger of the same user.
    Privileges,
    /// Landlock.
    Files,
    /// seccomp.
    SystemCalls,
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Limits => "limits",
            Self::User => "user",
            Self::Privileges => "privileges",
            Self::Files => "files (Landlock)",
            Self::SystemCalls => "system calls (seccomp)",
        })
    }
}

/// A wall that is not there, or not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// Which.
    pub wall: Wall,
    /// Why, in words for the log.
    pub why: String,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.wall, self.why)
    }
}

/// What became of the sandbox. It is shown in words, for the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What stands.
    pub applied: Vec<Wall>,
    /// What does not.
    pub lacking: Vec<Lack>,
}

impl Report {
    pub(crate) fn add(&mut self, wall: Wall, outcome: Result<(), String>) {
        match outcome {
            Ok(()) => self.applied.push(wall),
            Err(why) => self.lacking.push(Lack { wall, why }),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.applied.is_empty() {
            f.write_str("no sandbox")?;
        } else {
            write!(f, "sandbox of {}", list(&self.applied, ", "))?;
        }
        if !self.lacking.is_empty() {
            write!(f, "; without {}", list(&self.lacking, "; without "))?;
        }
        Ok(())
    }
}

fn list<T: fmt::Display>(all: &[T], between: &str) -> String {
    all.iter().map(T::to_string).collect::<Vec<_>>().join(between)
}

/// Why there is no sandbox. The process must not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// Some threads would stay outside.
    #[error(
        "the sandbox must be applied while the process has one thread, but it has {0}; \
         this is a mistake in the program"
    )]
    Threads(usize),
    /// [`Mode::Strict`](crate::Mode::Strict), and not all of it can be had.
    #[error("{0}; --sandbox strict wants all of it, --sandbox on goes on with less")]
    Lacking(Report),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_stands_and_what_lacks_and_why() {
        let mut report = Report::default();
        assert_eq!(report.to_string(), "no sandbox");
        report.add(Wall::Limits, Ok(()));
        report.add(Wall::SystemCalls, Ok(()));
        assert_eq!(report.to_string(), "sandbox of limits, system calls (seccomp)");
        report.add(Wall::Files, Err("the kernel has none".into()));
        report.add(Wall::User, Err("it is root".into()));
        assert_eq!(
            report.to_string(),
            "sandbox of limits, system calls (seccomp); without files (Landlock): the kernel has \
             none; without user: it is root"
        );
    }
}
