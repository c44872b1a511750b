//! All that a configuration file may say.

use std::collections::BTreeMap;

use live_vlm_access::{limits, rules::RuleTable, sign_in::SignInTable};
use live_vlm_backends::{self as vlm, BackendTable};
use live_vlm_config::Source;
use live_vlm_listen as listen;
use live_vlm_observe::{metrics, overload, traces, usage};
use serde::Deserialize;

use crate::{log, media, network};

/// All that a file may say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileConfig {
    /// Where it listens.
    pub(crate) server: listen::Config,
    /// Whom it asks.
    pub(crate) vlm: vlm::Config,
    /// Whom it asks, if there are several.
    pub(crate) backends: Vec<BackendTable>,
    /// How video reaches it.
    pub(crate) video: network::Config,
    /// What receives it.
    pub(crate) media: media::Config,
    /// What all may do together.
    pub(crate) limits: limits::Config,
    /// What each user may do.
    pub(crate) rules: RuleTable,
    /// What the users of a group may do.
    pub(crate) groups: BTreeMap<String, RuleTable>,
    /// What one user may do.
    pub(crate) users: BTreeMap<String, RuleTable>,
    /// Who may use it.
    pub sign_in: SignInTable,
    /// Who may read its figures.
    pub(crate) metrics: metrics::Config,
    /// Where traces go.
    pub(crate) traces: traces::Config,
    /// Where usage is recorded.
    pub usage: usage::Config,
    /// When it takes no further sessions.
    pub(crate) overload: overload::Config,
    /// What it logs.
    pub(crate) log: log::Config,
}

impl FileConfig {
    /// What is to be said of the file that says this, although it can be used.
    pub(super) fn warnings(&self, source: &Source) -> Vec<String> {
        let keys = self.keys();
        if !source.is_open() || keys.is_empty() {
            return Vec::new();
        }
        let path = source.path().display();
        vec![format!(
            "{path}: every user of this host may read it, and there are keys in it ({}); run \
             chmod o-r {path}, and chgrp if the server runs as another user, or put each key into \
             a file of its own (api_key_file)",
            keys.join(", ")
        )]
    }

    /// The names of the keys that stand in it themselves.
    fn keys(&self) -> Vec<String> {
        let of = |place: &str, key: bool, headers: bool| {
            let names = [("api_key", key), ("headers", headers)].into_iter();
            names
                .filter(|(_, is)| *is)
                .map(|(name, _)| format!("{place}.{name}"))
                .collect::<Vec<_>>()
        };
        let mut keys = of("vlm", self.vlm.api_key.is_some(), self.vlm.headers.is_some());
        for (at, backend) in self.backends.iter().enumerate() {
            let place = format!("backends[{at}]");
            keys.extend(of(&place, backend.api_key.is_some(), backend.headers.is_some()));
        }
        keys
    }
}
