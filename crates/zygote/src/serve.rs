//! The zygote's own side.

use std::{
    io::{self, stdin},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    panic::{AssertUnwindSafe, catch_unwind},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{
        Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, getpid, getppid, pidfd_open,
        set_parent_process_death_signal, waitpid,
    },
    stdio::{dup2_stderr, dup2_stdin, stdout},
};

use crate::{
    Ended, ServeError, fitness,
    message::{FromZygote, ToZygote},
    raw::{self, Fork},
    socket,
};

/// What Rust's own `main` ends with after a panic.
const PANICKED: u8 = 101;

/// Makes this process a zygote: initialises it, and forks for the [`Zygote`](crate::Zygote) that
/// started it until that is gone. To be called first in `main`, which must have opened no file and
/// started no thread.
///
/// `child` is what a child does with its socket. It gives the code that the child ends with, and
/// may start threads. It is called in the children only, and nothing after `serve` is reached there.
///
/// # Errors
/// When `init` fails, its error in words, or leaves the process unfit to fork.
pub fn serve(
    init: impl FnOnce() -> Result<(), String>,
    child: impl Fn(UnixStream) -> u8,
) -> Result<(), ServeError> {
    raw::close_inherited();
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from)?;
    init().map_err(ServeError::Init)?;
    fitness::check()?;
    let input = stdin();
    let mut children = Vec::new();
    say(input.as_fd(), FromZygote::Ready, &[])?;
    while let Some(event) = wait(input.as_fd(), &children)? {
        match event {
            Event::Ended(place) => {
                let ended = children.swap_remove(place);
                if let Some(how) = reap(&ended)? {
                    let pid = ended.pid.as_raw_nonzero().get().unsigned_abs();
                    say(input.as_fd(), FromZygote::Ended { pid, how }, &[])?;
                }
            }
            Event::Asked => {
                let Some((bytes, files)) = socket::receive(input.as_fd())? else { break };
                let ToZygote::Fork { request } = ToZygote::decode(&bytes)?;
                let forked = fork(files, &child);
                children.extend(answer(input.as_fd(), request, forked)?);
            }
        }
    }
    Ok(())
}

/// A child of this zygote.
struct Running {
    pid: Pid,
    pidfd: OwnedFd,
}

enum Event {
    /// The owner says something, or is gone.
    Asked,
    /// The child at this place ended.
    Ended(usize),
}

fn wait(owner: BorrowedFd<'_>, children: &[Running]) -> io::Result<Option<Event>> {
    let files = children.iter().map(|child| child.pidfd.as_fd()).chain([owner]);
    let mut files: Vec<_> = files.map(|file| PollFd::from_borrowed_fd(file, PollFlags::IN)).collect();
    match poll(&mut files, None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    // Ends first: they make room for what is asked for.
    let ready = files.iter().position(|file| !file.revents().is_empty());
    Ok(ready.map(|place| if place < children.len() { Event::Ended(place) } else { Event::Asked }))
}
