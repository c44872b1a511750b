//! The parts of a running server, by name. Each is cheap to clone, and a clone is the same part.

use std::sync::Arc;

use live_vlm_access::{limits::Limits, listings::Listings, sign_in::SignIn};
use live_vlm_backends::own::{Askers, OwnEndpoints};
use live_vlm_dispatch::Dispatcher;
use live_vlm_listen::forwarded::TrustedProxies;
use live_vlm_media_processes::MediaProcesses;
use live_vlm_observe::Observer;
use live_vlm_observe::metrics::MetricsToken;
use vlm_client::Client;

use crate::{
    live::Live,
    network::VideoOptions,
    refusal_log::RefusalLog,
    session::{Defaults, Sessions},
    times::Times,
};

/// What a request may need.
#[derive(Debug, Clone)]
pub struct App {
    /// All sessions.
    pub sessions: Sessions,
    /// Receive and decode the sessions' video.
    pub media: MediaProcesses,
    /// What a session begins with.
    pub(crate) defaults: Arc<Defaults>,
    /// Shares the VLM among sessions.
    pub dispatcher: Dispatcher,
    pub(crate) client: Client,
    /// Where lists of models are read.
    pub(crate) listings: Listings,
    /// Decides about the VLM servers that people bring themselves.
    pub(crate) own_endpoints: OwnEndpoints,
    /// Who can ask anything at all.
    pub(crate) askers: Askers,
    pub(crate) sign_in: SignIn,
    /// What pages may send.
    pub(crate) video: VideoOptions,
    /// What each user may do, and how many sessions there may be.
    pub(crate) live: Live,
    /// What everybody has open.
    pub limits: Limits,
    /// Counts, traces and records what happens.
    pub observer: Observer,
    /// Counts and logs what is refused.
    pub(crate) refusals: RefusalLog,
    /// What readers of `/metrics` must bring; without it there is no `/metrics` on the main port.
    pub(crate) metrics_token: Option<MetricsToken>,
    /// Proxies that are believed about whom they speak for.
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) times: Times,
}
