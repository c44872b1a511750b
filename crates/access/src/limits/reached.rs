use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// What there may be only so much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Sessions at once on this server.
    MaxSessions,
    /// Use of all cores, in percent, from which on there are no new sessions.
    MaxCpu,
    /// Use of memory, in MB, from which on there are no new sessions.
    MaxMemory,
    /// Memory that must be left on this host, in MB, for new sessions.
    FreeMemory,
    /// Sessions at once of one user.
    #[serde(rename = "sessions_per_user")]
    Sessions,
    /// WebSockets at once from one address.
    #[serde(rename = "connections_per_address")]
    Connections,
    /// Messages a second of one WebSocket.
    MessagesPerSecond,
    /// Failures to sign in, a minute, from one address.
    FailuresPerMinute,
    /// Offers of video, a minute, of one user, or of those at an address who have not signed in.
    OffersPerMinute,
    /// Questions a minute of one user.
    QuestionsPerMinute,
    /// Questions a day of one user.
    QuestionsPerDay,
    /// Tokens a day of one user.
    TokensPerDay,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::MaxSessions,
        Self::MaxCpu,
        Self::MaxMemory,
        Self::FreeMemory,
        Self::Sessions,
        Self::Connections,
        Self::MessagesPerSecond,
        Self::FailuresPerMinute,
        Self::OffersPerMinute,
        Self::QuestionsPerMinute,
        Self::QuestionsPerDay,
        Self::TokensPerDay,
    ];

    /// The limit of this [name](Self::name).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.name() == name)
    }

    /// Its name in messages and metrics: the flag's, with `_`.
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxSessions => "max_sessions",
            Self::MaxCpu => "max_cpu",
            Self::MaxMemory => "max_memory",
            Self::FreeMemory => "free_memory",
            Self::Sessions => "sessions_per_user",
            Self::Connections => "connections_per_address",
            Self::MessagesPerSecond => "messages_per_second",
            Self::FailuresPerMinute => "failures_per_minute",
            Self::OffersPerMinute => "offers_per_minute",
            Self::QuestionsPerMinute => "questions_per_minute",
            Self::QuestionsPerDay => "questions_per_day",
            Self::TokensPerDay => "tokens_per_day",
        }
    }
}

/// A request that a limit refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitReached {
    /// Which limit.
    pub limit: Limit,
    /// How much it allows.
    pub value: u64,
    /// When it may be worth trying again.
    pub retry_after: Duration,
}

impl std::error::Error for LimitReached {}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value;
        match self.limit {
            Limit::MaxSessions => {
                write!(f, "all {value} sessions of this server are taken; try again later")
            }
            Limit::MaxCpu | Limit::MaxMemory | Limit::FreeMemory => {
                write!(f, "this server has no room for another session; try again later")
            }
            Limit::Sessions => {
                write!(f, "you have {value} sessions, as many as you may; close one first")
            }
            Limit::Connections => write!(
                f,
                "there are {value} connections from your address, as many as there may be; close \
                 one first"
            ),
            Limit::MessagesPerSecond => {
                write!(
                    f,
                    "a page may send {value} messages a second; connect again, and send fewer"
                )
            }
            Limit::FailuresPerMinute => write!(
                f,
                "signing in failed too often from this address: it may {value} times a minute"
            ),
            Limit::OffersPerMinute => {
                write!(f, "you may start a video {value} times a minute; the next one has to wait")
            }
            Limit::QuestionsPerMinute => {
                write!(f, "you may ask {value} questions a minute; the next one has to wait")
            }
            Limit::QuestionsPerDay => {
                write!(f, "you have asked {value} questions today, as many as you may")
            }
            Limit::TokensPerDay => {
                write!(f, "you have used {value} tokens today, as many as you may")
            }
        }
    }
}
