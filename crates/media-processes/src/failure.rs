use std::{sync::Arc, time::Duration};

use live_vlm_media_link::OfferError;

use crate::cause::{Cause, Reason};

/// Why an offer got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferFailure {
    /// The offer cannot be used, or the pipeline cannot be started.
    #[error(transparent)]
    Offer(#[from] OfferError),
    /// Their video has ended [too many](crate::blame) media processes.
    #[error(
        "videos from you or from your address have broken off unexpectedly too often; wait {} s \
         before you start another",
        retry_after.as_secs().max(1)
    )]
    Refused {
        /// When they may try again.
        retry_after: Duration,
    },
    /// All media processes are full, and there may be no more.
    #[error("this server has no room for another video; try again later")]
    Full,
    /// The media process has ended while it had the offer. The cause is for the log.
    #[error("the video stopped unexpectedly; connect again")]
    Gone(Arc<Cause>),
    /// No media process could be started. The cause is for the log.
    #[error("this server cannot take video at present; try again later")]
    NotStarted(Arc<Cause>),
    /// Everything is being ended.
    #[error("this server is being stopped; try again in a moment")]
    Closing,
}

impl OfferFailure {
    pub(crate) fn of(cause: Arc<Cause>) -> Self {
        match cause.reason {
            Reason::NotStarted(_) => Self::NotStarted(cause),
            _ => Self::Gone(cause),
        }
    }
}
