use std::{sync::Arc, time::Duration};

use live_vlm_access::limits::Limits;
use live_vlm_backends::own::OwnEndpoints;
use live_vlm_dispatch::Dispatcher;
use live_vlm_media_processes::{MediaProcesses, NetworkOptions};
use live_vlm_observe::Observer;

use super::{prepare::Decoders, settings::Defaults};
use crate::{live::Live, network::VideoOptions, refusal_log::RefusalLog, relay::Relays};

/// What all sessions use.
#[derive(Debug, Clone)]
pub(crate) struct Services {
    pub(crate) defaults: Arc<Defaults>,
    /// Shares the VLM among them.
    pub(crate) dispatcher: Dispatcher,
    /// Take video apart.
    pub(crate) media: MediaProcesses,
    /// Decides about the VLM servers that people bring themselves.
    pub(crate) own_endpoints: OwnEndpoints,
    /// How pages send video.
    pub(crate) video: VideoOptions,
    /// Decode pictures of pages.
    pub(crate) decoders: Decoders,
    /// How peers reach us.
    pub(crate) network: NetworkOptions,
    /// Relays for browsers that do not reach us.
    pub(crate) relays: Relays,
    /// How many there may be, and what each user may do.
    pub(crate) live: Live,
    /// What everybody has open.
    pub(crate) limits: Limits,
    /// How long a session waits for its page to come back.
    pub(crate) grace: Duration,
    /// Who is told of them.
    pub(crate) observer: Observer,
    /// Counts and logs what is refused.
    pub(crate) refusals: RefusalLog,
}
