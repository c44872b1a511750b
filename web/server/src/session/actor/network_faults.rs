//! What a session tells whoever operates the server of STUN server and relays that are of no use.
//! Each kind once a minute, whichever sessions it comes from.

use std::{sync::LazyLock, time::Instant};

use live_vlm_access::log_limit::LogLimit;
use live_vlm_dispatch::Account;
use live_vlm_media_processes::Peer;

use super::Session;
use crate::relay::RelayFailure;

/// `None` is the STUN server.
static LOG: LazyLock<LogLimit<Option<RelayFailure>>> = LazyLock::new(|| LogLimit::new(1));

impl Session {
    /// A page says so, so it may be wrong, and nothing else follows from it.
    pub(super) fn note_relay_failure(&self, failure: RelayFailure) {
        let relays = &self.services.relays.urls;
        if relays.is_empty() {
            return;
        }
        if let Some(before) = LOG.due(Some(failure), Instant::now()) {
            let (session, user) = (self.handle.id().short(), self.account.user());
            let (address, code) = (self.address, failure.code());
            tracing::warn!(session, user, %address, ?relays, code, before, "{}", failure.words());
        }
    }

    /// An answer that had to do without the STUN server's word.
    pub(super) fn note_silent_stun(&self, video: &Peer) {
        let Some(stun_server) = &self.services.network.stun_server else { return };
        if video.found_all_candidates() {
            return;
        }
        if let Some(before) = LOG.due(None, Instant::now()) {
            let session = self.handle.id().short();
            tracing::warn!(
                session,
                stun_server,
                before,
                "the STUN server has not answered in time, so a page was not told this server's \
                 outer address: is it running, and does it let this server's UDP through?"
            );
        }
    }
}
