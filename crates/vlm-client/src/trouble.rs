//! What keeps a server from being asked at all, in the words of those who run it.

use crate::Error;

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
        match self {
            Self::Refused { .. } | Self::Network { .. } => Some(Trouble::Unreachable),
            Self::Tls { .. } => Some(Trouble::Tls),
            Self::NoKey { .. } => Some(Trouble::NoKey),
            Self::Unauthorized { .. } => Some(Trouble::KeyRefused),
            Self::NoApi { .. } | Self::Protocol { .. } | Self::Redirect { .. } => {
                Some(Trouble::NoApi)
            }
            _ => None,
        }
    }
}

/// Where an API may be that is not at this address, as the end of a sentence.
pub(crate) fn where_else(base: &str) -> String {
    let path = base.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    match path {
        None => format!("most servers have it at {base}/v1"),
        Some((_, path)) if path.ends_with("v1") => "check host, port and path".to_owned(),
        Some(_) => "check the path: at most servers it ends in /v1".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_left_v1_out_is_told_and_whoever_wrote_it_is_not() {
        assert_eq!(where_else("http://a:1"), "most servers have it at http://a:1/v1");
        assert_eq!(where_else("http://a:1/v1"), "check host, port and path");
        assert!(where_else("http://a:1/api").contains("ends in /v1"));
    }
}
