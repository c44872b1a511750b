//! Where video comes from, and one pipeline per peer connection around `vlmanalyze`.
//!
//! [`PeerConnection::accept_offer`] turns a WebRTC offer into a running pipeline and an answer;
//! what happens then comes as [`PeerEvent`]s. [`serve()`] does this for live-vlm in another process.
//!
//! ```text
//! webrtcbin -> depayloader -> parser? -> gate -> decoder -> vlmanalyze -> fakesink
//!                                      \-> appsrc -> payloader -> webrtcbin  (who wants it back)
//! ```
//!
//! Invariants
//! - No HTTP types in here, and nothing that outlives its connection.
//! - Media reaches no decoder before the peer's certificate was compared with its offer.
//! - Nor does a frame whose picture is larger than is decoded here, whatever it says of itself.
//! - Nothing is decoded that no question will show: see [`DecodeMode`].
//! - A connection reports [`PeerEvent::Lost`] at most once, and nothing after it.
//!
//! Locking order: there is none to keep, because every lock in here is a leaf. A lock is held for
//! a few assignments; no signal is emitted, event pushed, property set, state changed or event
//! handler called under one. One `Once` is held while [`PeerEvent::Connected`] is told, so that
//! no other event comes before it.

mod admission;
mod analyze;
mod candidate;
mod certificate;
mod chain;
mod codec;
mod colours;
mod event;
mod feedback;
mod fingerprint;
mod frames;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gate;
mod hearing;
mod key_frame;
mod key_frame_retry;
mod lock;
mod native_log;
mod offer;
mod options;
mod packet;
mod peer_connection;
mod picture_size;
mod pipeline_error;
mod preload;
pub mod properties;
mod requirements;
mod sdp;
mod sdp_answer;
mod serve;
mod shared;
pub mod teardown;
mod unfinished;
mod warm_up;
mod watchdog;
pub mod webrtc;

pub use codec::{decodable, payloader};
pub use event::PeerEvent;
pub use frames::FrameCounter;
pub use gate::DecodeMode;
pub use live_vlm_media_link::{
    Codec, FrameCounts, LostReason, NetworkOptions, OfferError, PeerTimeouts, SamplingSettings,
};
pub use native_log::{NativeLevel, NativeLine, native_debugging, take_native_log};
pub use offer::{CandidateSection, TRANSPORT_CC};
pub use options::PeerOptions;
pub use peer_connection::PeerConnection;
pub use pipeline_error::PipelineError;
pub use preload::preload;
pub use requirements::{Missing, init};
pub use serve::{Greeting, LogLayer, LogSender, ServeError, serve};
pub use warm_up::warm_up;
