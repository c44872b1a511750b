//! Starts, watches, places and ends media processes: those in which what strangers send as video is
//! taken apart by C libraries, without keys and without privileges.
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
//!     placement::{Bounds, Placement},
//! };
//!
//! // One process for all, as there is not much memory.
//! let mut placement = Placement::new(Bounds { wanted: 1, most: 4, connections: 8 });
//! let mut blame = Blame::default();
//! let (ada, eve) = (Owner::signed_in("ada"), Owner::signed_in("eve"));
//! let first = placement.place(&ada).unwrap().number();
//! assert_eq!(placement.place(&eve).unwrap().number(), first);
//!
//! // It ends, and nobody knows whose video it was. So next time they are placed apart.
//! let now = Instant::now();
//! blame.process_ended(&placement.remove(first, now), now);
//! assert_eq!(blame.standing("eve", now), Standing::Apart);
//! let second = placement.place_apart(&eve).unwrap().number();
//! assert_ne!(placement.place_apart(&ada).unwrap().number(), second);
//! ```

pub mod blame;
pub mod bucket;
pub mod conduct;
pub mod deadlines;
mod owner;
pub mod placement;

pub use owner::Owner;
