//! Asks a VLM one question after the other, for one member of the dispatcher.
//!
//! [`Asker::ask`] waits for a turn, has a [`Subject`] choose what to ask about, sends it, and tells
//! of the answer as it is written. If the server fails before it has said anything, it asks the
//! next one. After a failure, [`Asker::failed`] decides whether and when to ask again.
//!
//! Where frames come from and who reads the answers is the subject's affair: an element of
//! GStreamer, or a session whose frames are in another process.
//!
//! # Example
//!
//! ```no_run
//! use live_vlm_ask::{Asker, Changes, Outcome, Subject};
//!
//! async fn ask_on(mut asker: Asker, mut subject: impl Subject, mut changes: Changes) {
//!     loop {
//!         if let Outcome::Failed(failure, _) = asker.ask(&mut subject, &mut changes).await {
//!             let next = asker.failed(&failure, 2);
//!             asker.wait_after(next, &mut changes).await;
//!         }
//!     }
//! }
//! ```
//!
//! Invariants
//! - No picture is made before the turn is there.
//! - A question that was told as [`Told::Asked`] is told once more as `Complete`, `Cancelled`,
//!   `Missed` or `Worthless`, unless the future is dropped.
//! - An answer that has begun is not begun anew by another server.

pub mod ahead;
mod answer;
mod asker;
mod backoff;
mod changes;
mod chosen_model;
mod failure;
mod millis;
mod outcome;
mod question;
mod retries;
mod settings;
mod subject;
mod writing;

pub use answer::{Answer, CANCELLED};
pub use asker::Asker;
pub use changes::{Changes, Signals};
pub use chosen_model::ChosenModel;
pub use failure::Failure;
pub use outcome::Outcome;
pub use retries::Next;
pub use settings::QuestionSettings;
pub use subject::{Subject, Told};
