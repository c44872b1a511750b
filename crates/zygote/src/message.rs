//! What a zygote and its owner say to each other, one message to a packet.

use std::io;

use crate::Ended;

/// The longest message.
pub(crate) const LONGEST: usize = 16;

/// What the owner says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToZygote {
    /// With two files: the child's socket and its error output.
    Fork { request: u64 },
}

/// What the zygote says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FromZygote {
    /// First of all: it is initialised.
    Ready,
    /// With one file: the pidfd.
    Forked { request: u64, pid: u32 },
    /// The number of the error.
    Refused { request: u64, error: i32 },
    /// Once for each child that was forked.
    Ended { pid: u32, how: Ended },
}

const FORK: u8 = b'f';
const READY: u8 = b'r';
const REFUSED: u8 = b'n';
const EXIT: u8 = b'e';
const SIGNAL: u8 = b's';

fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message of another version")
}

/// A kind and two numbers.
fn pack(kind: u8, first: u64, second: u32) -> Vec<u8> {
    [&[kind][..], &first.to_le_bytes(), &second.to_le_bytes()].concat()
}

fn unpack(bytes: &[u8]) -> Option<(u8, u64, u32)> {
    let (kind, rest) = bytes.split_first()?;
    let (first, second) = rest.split_first_chunk()?;
    Some((*kind, u64::from_le_bytes(*first), u32::from_le_bytes(second.try_into().ok()?)))
}

impl ToZygote {
    pub(crate) fn encode(self) -> Vec<u8> {
        let Self::Fork { request } = self;
        pack(FORK, request, 0)
    }

    pub(crate) fn decode(bytes: &[u8]) -> io::Result<Self> {
        match unpack(bytes) {
            Some((FORK, request, 0)) => Ok(Self::Fork { request }),
            _ => Err(unreadable()),
        }
    }
}

impl FromZygote {
    pub(crate) fn encode(self) -> Vec<u8> {
        match self {
            Self::Ready => pack(READY, 0, 0),
            Self::Forked { request, pid } => pack(FORK, request, pid),
            Self::Refused { request, error } => pack(REFUSED, request, error.cast_unsigned()),
            Self::Ended { pid, how: Ended::Exit(code) } => {
                pack(EXIT, pid.into(), code.cast_unsigned())
            }
            Self::Ended { pid, how: Ended::Signal(number) } => {
                pack(SIGNAL, pid.into(), number.cast_unsigned())
            }
            // Nobody is left to say it.
            Self::Ended { pid, how: Ended::WithZygote } => pack(SIGNAL, pid.into(), 0),
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> io::Result<Self> {
        let (kind, first, second) = unpack(bytes).ok_or_else(unreadable)?;
        let number = second.cast_signed();
        let pid = || u32::try_from(first).map_err(|_| unreadable());
        match kind {
            READY => Ok(Self::Ready),
            FORK => Ok(Self::Forked { request: first, pid: second }),
            REFUSED => Ok(Self::Refused { request: first, error: number }),
            EXIT => Ok(Self::Ended { pid: pid()?, how: Ended::Exit(number) }),
            SIGNAL => Ok(Self::Ended { pid: pid()?, how: Ended::Signal(number) }),
            _ => Err(unreadable()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_is_read_as_it_is_written() {
        let fork = ToZygote::Fork { request: 7 << 40 };
        assert_eq!(ToZygote::decode(&fork.encode()).unwrap(), fork);
        for message in [
            FromZygote::Ready,
            FromZygote::Forked { request: 1 << 50, pid: 4_000_000_000 },
            FromZygote::Refused { request: 2, error: 11 },
            FromZygote::Ended { pid: 3, how: Ended::Exit(-1) },
            FromZygote::Ended { pid: 4, how: Ended::Signal(9) },
        ] {
            assert!(message.encode().len() <= LONGEST);
            assert_eq!(FromZygote::decode(&message.encode()).unwrap(), message);
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bytes in [&b""[..], b"r", b"r0000", &[b'?'; 13], &[b'f'; 14]] {
            assert!(FromZygote::decode(bytes).is_err() && ToZygote::decode(bytes).is_err());
        }
    }
}
