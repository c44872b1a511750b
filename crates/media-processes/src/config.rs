use std::time::Duration;

use crate::{conduct::Allowance, deadlines::Patience, memory::Groups, placement::Bounds};

/// How media processes are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How many there are, and how much is in each.
    pub bounds: Bounds,
    /// How long each is waited for.
    pub patience: Patience,
    /// How much each may send.
    pub allowance: Allowance,
    /// How often each must give a sign of life: 2 s.
    pub ping_every: Duration,
    /// How long an empty one is kept for whoever was in it last: 10 s.
    pub keep_empty: Duration,
    /// How long one may take to end by itself when it is not needed any more: 2 s.
    pub end_within: Duration,
    /// Whether one more is kept ready: yes.
    pub keeps_spare: bool,
    /// Where each gets a control group that limits its memory. Default: nowhere, and each only
    /// limits itself.
    pub memory: Option<Groups>,
    /// What they log at first, as `RUST_LOG` has it: `info`. At most 1 KiB.
    pub log: String,
}

impl Config {
    /// The defaults with these bounds.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            patience: Patience::default(),
            allowance: Allowance::default(),
            ping_every: Duration::from_secs(2),
            keep_empty: Duration::from_secs(10),
            end_within: Duration::from_secs(2),
            keeps_spare: true,
            memory: None,
            log: "info".to_owned(),
        }
    }
}
