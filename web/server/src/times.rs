//! How long the server waits for what no user configures. Tests have shorter times.

use std::time::Duration;

use live_vlm_listen::ConnectionTimes;

/// The times of a server.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// How long a session waits for its page to come back. Default: 15 s.
    pub grace: Duration,
    /// How often a page is pinged, and how long it is left without a message. Default: 5 s, which
    /// the page relies on.
    pub beat: Duration,
    /// How long nothing is heard of a page that is gone; more than two beats. Default: 12 s.
    pub silence: Duration,
    /// For the body of an offer. Default: 15 s.
    pub offer: Duration,
    /// How often the VLM servers of the pool are looked at. Default: 5 s.
    pub check_every: Duration,
    /// For clients of the main port.
    pub connections: ConnectionTimes,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(15),
            beat: Duration::from_secs(5),
            silence: Duration::from_secs(12),
            offer: Duration::from_secs(15),
            check_every: Duration::from_secs(5),
            connections: ConnectionTimes::default(),
        }
    }
}
