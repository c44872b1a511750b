//! Starts, watches, places and ends media processes: those in which what strangers send as video is
//! taken apart by C libraries, without keys and without privileges.
//!
//! [`MediaProcesses::offer`] has an offer answered by one of them, and gives a [`Peer`], its
//! [events](PeerEvents) and its [`Turns`]. A [launcher] starts them: a program for each, a zygote that
//! forks them, or all of it as tasks of this process.
//!
//! ```no_run
//! use live_vlm_media_processes::{
//!     Config, MediaProcesses, OfferOptions, Owner, PeerEvent,
//!     launcher::{Forking, Program},
//!     placement::Bounds,
//! };
//!
//! # async fn example() -> Result<(), live_vlm_media_processes::OfferFailure> {
//! let program =
//!     Program { path: "live-vlm-media".into(), arguments: Vec::new(), environment: Vec::new() };
//! let bounds = Bounds::for_host(None, 4, 16 << 30, 200);
//! let processes = MediaProcesses::new(Config::new(bounds), Forking::new(program));
//!
//! let ada = Owner::signed_in("ada");
//! let mut answered = processes.offer(&ada, "v=0 ...", &OfferOptions::default()).await?;
//! while let Some(event) = answered.events.next().await {
//!     if let PeerEvent::Gone(cause) = event {
//!         tracing::warn!(%cause, "the video stopped unexpectedly");
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What decides
//!
//! [`placement`] decides which process a connection goes to, and [`blame`] what follows for those
//! in whose process something went wrong. [`conduct`] judges what a process says, which is not
//! trusted, and [`deadlines`] when it should have said something. All are pure: time is an argument.
//!
//! ```
//! use std::time::Instant;
//!
//! use live_vlm_media_processes::{
//!     Owner,
//!     blame::{Blame, Standing},
//!     placement::{Bounds, Placement, ProcessNumber},
//! };
//!
//! // One process for all, as there is not much memory.
//! let mut placement = Placement::new(Bounds { wanted: 1, most: 4, connections: 8 });
//! let mut blame = Blame::default();
//! let (ada, eve) = (Owner::signed_in("ada"), Owner::signed_in("eve"));
//! let first = ProcessNumber(1);
//! assert_eq!(placement.place(&ada, first).unwrap().number(), first);
//! assert_eq!(placement.place(&eve, ProcessNumber(2)).unwrap().number(), first);
//!
//! // It ends, and nobody knows whose video it was. So next time they are placed apart.
//! let now = Instant::now();
//! blame.process_ended(&placement.remove(first, now), now);
//! assert_eq!(blame.standing(&eve, now), Standing::Apart);
//! let [second, third] = [2, 3].map(ProcessNumber);
//! assert_eq!(placement.place_apart(&eve, second).unwrap().number(), second);
//! assert_eq!(placement.place_apart(&ada, third).unwrap().number(), third);
//! ```
//!
//! # Invariants
//! - Nothing follows from what a media process says before it was judged. The first message that no
//!   honest process would send ends it, and nothing else.
//! - One task has a process, and nothing of the process is left when the task has ended. The tasks
//!   end with [`MediaProcesses`].
//! - A process that had a user's video in it is nobody else's once they have left.
//! - What waits for a process, or of it, has a bound, and so has what it may log.
//!
//! Locking order: there is none to keep, because every lock in here is a leaf, held for a decision
//! or an assignment. The asynchronous lock of [`launcher::Forking`] is held while a zygote is
//! started, so that there is one.

mod ask;
pub mod blame;
pub mod bucket;
mod cause;
mod commands;
pub mod conduct;
mod config;
pub mod deadlines;
mod event;
mod failure;
mod frames;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod journal;
mod last_words;
pub mod launcher;
mod lines;
pub mod memory;
mod owner;
mod peer;
pub mod placement;
mod process;
mod registry;
mod supervisor;
mod turns;
mod usage;

pub use ask::{Picture, Question};
pub use cause::{Cause, Exit, Reason};
pub use config::Config;
pub use event::PeerEvent;
pub use failure::OfferFailure;
pub use frames::FrameCounter;
pub use live_vlm_media_link::{
    Codec, FrameCounts, LostReason, NetworkOptions, NothingToAsk, OfferError, Outcome,
    PeerTimeouts, SamplingSettings,
};
pub use owner::Owner;
pub use peer::{OfferAnswered, Peer, PeerEvents};
pub use registry::{Figures, Ready};
pub use supervisor::{MediaProcesses, OfferOptions};
pub use turns::{NoQuestion, TurnNear, Turns, Want};
pub use usage::Usage;
