//! What live-vlm and its media processes say to each other, and how it travels.
//!
//! A media process takes apart what strangers send, without keys and without privileges. live-vlm
//! tells it [`ToMedia`], and it tells [`FromMedia`]. Prompts, models, addresses of VLM servers, keys
//! and users' names are in neither: live-vlm itself asks the VLM.
//!
//! # On the wire
//!
//! A frame on a Unix stream socket is 4 bytes with the length of the JSON, 4 bytes with the length
//! of the attachment (both little-endian), the JSON, and the attachment. Only
//! [`FromMedia::Question`] has one: its pictures, one behind the other. More than [`MAX_JSON`] and
//! [`MAX_ATTACHMENT`] is refused before anything is allocated for it.
//!
//! The first message each way is [`ToMedia::Hello`] and [`FromMedia::Ready`], and names the
//! [`VERSION`]. Another version is refused in words that say so.
//!
//! # A question
//!
//! Media process: [`Want`](FromMedia::Want). live-vlm: [`TurnNear`](ToMedia::TurnNear) perhaps, then
//! [`Turn`](ToMedia::Turn). Media process: [`Question`](FromMedia::Question) or
//! [`NoQuestion`](FromMedia::NoQuestion). live-vlm: [`Ended`](ToMedia::Ended).
//!
//! - A connection has one want, one turn and one question at most.
//! - Each want gets exactly one `Ended`, also after [`GiveUp`](FromMedia::GiveUp) or `NoQuestion`,
//!   and also without a turn. Only after it comes the next want.
//! - Both ends speak at once, so an `Ended` crosses with a `GiveUp`, a `Question` or a `NoQuestion`.
//!   live-vlm drops what crosses. It comes before the next want, and once at most.
//! - A media process that has given up, and gets a `Turn` all the same, says nothing to it.
//!
//! Of a peer that sends [frames on demand](SamplingSettings::frames_on_demand), a
//! [`FrameWanted`](FromMedia::FrameWanted) asks for one, at any time after the answer to the offer.
//!
//! # Example
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), live_vlm_media_link::LinkError> {
//! use live_vlm_media_link::{FromMedia, Reader, ToMedia, VERSION, Writer};
//!
//! let (ours, theirs) = tokio::io::duplex(1024);
//! let hello = ToMedia::Hello { version: VERSION, log: "info".to_owned() };
//! Writer::new(ours).send(hello.clone()).await?;
//!
//! let mut from_live_vlm = Reader::<_, ToMedia>::new(theirs);
//! let received = from_live_vlm.next().await?.expect("the link is open");
//! assert_eq!(received.message, hello);
//! # Ok(())
//! # }
//! ```
//!
//! Invariants
//! - Nothing that the other end sends makes a panic, or an allocation beyond the bounds.
//! - What [`encode`] lets through, a [`Decoder`] of the same version takes. Texts that are only for
//!   people are shortened on the way, so that no stranger's text ends an honest media process.

mod bounds;
mod codec;
mod connection_id;
mod error;
mod frame;
mod frame_counts;
mod from_media;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod lost_reason;
mod message;
mod micros;
mod network;
mod offer_error;
mod sampling;
mod stream;
mod text;
mod timeouts;
mod to_media;

pub use bounds::{MAX_SDP, MAX_TEXT, VERSION};
pub use codec::Codec;
pub use connection_id::ConnectionId;
pub use error::LinkError;
pub use frame::{Decoder, MAX_ATTACHMENT, MAX_JSON, Received, encode};
pub use frame_counts::FrameCounts;
pub use from_media::{
    Answered, FromMedia, LogLevel, MAX_LABEL, MAX_LEAD, MAX_PICTURES, MAX_SANDBOX_PARTS,
    MAX_SPACING, NothingToAsk, PictureInfo, SandboxParts, pictures,
};
pub use lost_reason::LostReason;
pub use message::Message;
pub use network::NetworkOptions;
pub use offer_error::OfferError;
pub use sampling::SamplingSettings;
pub use stream::{Reader, Writer};
pub use timeouts::PeerTimeouts;
pub use to_media::{MAX_ANSWER, MAX_CANDIDATE, Outcome, ToMedia};
