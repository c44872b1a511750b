use std::fmt;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Exit(i32),
    /// By a signal, its own or somebody's.
    Signal(i32),
    /// Together with its zygote, which kills it if nothing else has.
    WithZygote,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "ended with code {code}"),
            Self::Signal(number) => {
                write!(f, "was ended by signal {number}")?;
                signal_name(*number).map_or(Ok(()), |name| write!(f, " ({name})"))
            }
            Self::WithZygote => f.write_str("ended with its zygote"),
        }
    }
}

/// The name of a signal that ends a process, such as `SIGSEGV`; `None` for others.
pub fn signal_name(number: i32) -> Option<&'static str> {
    Some(match number {
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGILL => "SIGILL",
        libc::SIGKILL => "SIGKILL",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGSYS => "SIGSYS",
        libc::SIGTERM => "SIGTERM",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        assert_eq!(Ended::Exit(3).to_string(), "ended with code 3");
        assert_eq!(Ended::Signal(11).to_string(), "was ended by signal 11 (SIGSEGV)");
        assert_eq!(Ended::Signal(40).to_string(), "was ended by signal 40");
    }
}
