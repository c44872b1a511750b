//! What keeps a server from being asked at all, in the words of those who run it.

use vlm_replies::Failure;

use crate::error::{Error, ErrorKind};

/// What whoever set a server up can mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// Nothing answers there.
    Unreachable,
    /// There is no secure connection.
    Tls,
    /// It wants a key, and none was given.
    NoKey,
    /// It refuses the key.
    KeyRefused,
    /// Something answers, but not with this API.
    NoApi,
}

impl Trouble {
    /// One word for machines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::NoKey => "no_key",
            Self::KeyRefused => "key_refused",
            Self::NoApi => "no_api",
        }
    }

    /// A few words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unreachable => "it cannot be reached yet",
            Self::Tls => "there is no secure connection to it",
            Self::NoKey => "it wants a key, and none was given",
            Self::KeyRefused => "it refuses the key",
            Self::NoApi => "it has no OpenAI-compatible API at this address",
        }
    }

    /// Whether the server itself says so: it can be reached, and will say so to every question.
    pub fn is_said_by_server(self) -> bool {
        matches!(self, Self::NoKey | Self::KeyRefused | Self::NoApi)
    }
}

impl Error {
    /// What is to be mended before the server can be asked; `None` if that is something else.
    pub fn trouble(&self) -> Option<Trouble> {
        match &self.kind {
            ErrorKind::Refused | ErrorKind::Network { .. } => Some(Trouble::Unreachable),
            ErrorKind::Tls { .. } => Some(Trouble::Tls),
            ErrorKind::NoKey { .. } => Some(Trouble::NoKey),
            ErrorKind::Reply(Failure::Unauthorized { .. }) => Some(Trouble::KeyRefused),
            ErrorKind::Reply(
                Failure::NoApi { .. } | Failure::Protocol { .. } | Failure::Redirect { .. },
            ) => Some(Trouble::NoApi),
            _ => None,
        }
    }
}
