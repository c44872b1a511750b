//! A zygote: a process that is started and initialised once, and forks others that begin where it
//! is. So they start in milliseconds and share what the initialisation has put into memory.
//!
//! Contract
//! - The process that wants others holds a [`Zygote`] and gets a [`Child`] for each fork. The
//!   program that it starts calls [`serve`] first of all, with what to initialise and what a child
//!   does.
//! - The zygote has one thread, and no memory that a fork would share: it looks before it serves.
//! - A child has the zygote's memory, a socket to the process that wanted it, the error output it
//!   was given, and no other file that does not come from the initialisation.
//! - A [`Child`] that is dropped is killed. A [`Zygote`] that is dropped is killed, and its children
//!   with it; so are they when the process that holds it dies in whatever way.
//! - The zygote waits for each child, so none stays a zombie, and tells how it ended.
//!
//! Whatever a child has of the zygote's memory, all have: initialise no key, no certificate and no
//! random numbers there.
//!
//! ```no_run
//! use std::{io::stderr, os::fd::AsFd, process::Command};
//!
//! use live_vlm_zygote::Zygote;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let zygote = Zygote::start(Command::new("some-zygote")).await?;
//! let mut child = zygote.fork(stderr().as_fd().try_clone_to_owned()?).await?;
//! child.kill();
//! assert_eq!(child.ended().await.to_string(), "was ended by signal 9 (SIGKILL)");
//! # Ok(())
//! # }
//! ```
//!
//! And the program `some-zygote`:
//!
//! ```no_run
//! use std::{io::Write, os::unix::net::UnixStream};
//!
//! let initialise = || Ok(());
//! let child = |mut socket: UnixStream| match socket.write_all(b"hello") {
//!     Ok(()) => 0,
//!     Err(_) => 1,
//! };
//! live_vlm_zygote::serve(initialise, child)?;
//! # Ok::<(), live_vlm_zygote::ServeError>(())
//! ```

mod child;
mod ended;
mod error;
mod fitness;
mod forking;
mod message;
mod raw;

mod socket;
mod zygote;

pub use child::Child;
pub use ended::{Ended, signal_name};
pub use error::{ForkError, ServeError, StartError};
pub use forking::serve;
pub use zygote::Zygote;
