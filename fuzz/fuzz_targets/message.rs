//! The server's messages by themselves: with the whole server, this would take minutes to build.

#![no_main]
#![allow(dead_code, missing_docs)]

#[path = "../../web/server/src/choices.rs"]
mod choices;
#[path = "../../web/server/src/fuzzing.rs"]
mod fuzzing;
#[path = "../../web/server/src/protocol.rs"]
mod protocol;

/// As much of the server's `refusal` as its messages need.
mod refusal {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Code {
        BadField,
        BadJson,
        TooLarge,
        UnknownType,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub struct Refusal {
        pub code: Code,
        pub message: String,
    }

    impl From<vlm_client::BadKey> for Refusal {
        fn from(bad: vlm_client::BadKey) -> Self {
            Self::new(Code::BadField, bad.to_string())
        }
    }

    impl From<crate::choices::BadChoice> for Refusal {
        fn from(bad: crate::choices::BadChoice) -> Self {
            Self::field(bad.field, bad.allowed)
        }
    }

    impl Refusal {
        pub fn new(code: Code, message: impl Into<String>) -> Self {
            Self { code, message: message.into() }
        }

        pub fn field(field: &str, allowed: impl Into<String>) -> Self {
            Self::new(Code::BadField, format!("{field} must be {}", allowed.into()))
        }

        pub fn about(self, _: &str) -> Self {
            self
        }

        pub fn allowing(self, _: impl Into<String>) -> Self {
            self
        }
    }
}

/// As much of the server's `relay` as its messages need.
mod relay {
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    pub struct IceServer;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum RelayFailure {
        Silent,
        Refused { code: Option<u16> },
        NoWay,
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzing::message(data));
