//! What a session tells whoever operates the server of a STUN server that is of no use: once a
//! minute, whichever sessions it comes from.

use std::{sync::LazyLock, time::Instant};

use live_vlm_pipelines::BrowserSession;

use super::Session;
use crate::log_limit::LogLimit;

static LOG: LazyLock<LogLimit<()>> = LazyLock::new(|| LogLimit::new(1));

impl Session {
    /// An answer that had to do without the STUN server's word.
    pub(super) fn note_silent_stun(&self, video: &BrowserSession) {
        let Some(stun_server) = &self.sessions.config().network.stun_server else { return };
        if video.found_all_candidates() {
            return;
        }
        if let Some(before) = LOG.due((), Instant::now()) {
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
