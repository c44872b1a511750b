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
    io::Errno,
    process::{
        Pid, PidfdFlags, Signal, WaitOptions, getpid, getppid, pidfd_open,
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
    loop {
        match wait(input.as_fd(), &children)? {
            Event::Ended(place) => {
                let Running { pid, .. } = children.swap_remove(place);
                let how = reap(pid)?;
                say(input.as_fd(), FromZygote::Ended { pid: number(pid), how }, &[])?;
            }
            Event::Asked => {
                let Some((bytes, files)) = socket::receive(input.as_fd())? else { return Ok(()) };
                let ToZygote::Fork { request } = ToZygote::decode(&bytes)?;
                match fork(files, &mut children, &child) {
                    Ok(forked) => {
                        let pid = number(forked.pid);
                        let pidfd = [forked.pidfd.as_fd()];
                        children
                            .push(Running { pid: forked.pid, pidfd: forked.pidfd.try_clone()? });
                        say(input.as_fd(), FromZygote::Forked { request, pid }, &pidfd)?;
                    }
                    Err(error) => {
                        let error = error.raw_os_error().unwrap_or(libc::EIO);
                        say(input.as_fd(), FromZygote::Refused { request, error }, &[])?;
                    }
                }
            }
        }
    }
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

fn wait(owner: BorrowedFd<'_>, children: &[Running]) -> io::Result<Event> {
    loop {
        let files = children.iter().map(|child| child.pidfd.as_fd()).chain([owner]);
        let mut files: Vec<_> =
            files.map(|file| PollFd::from_borrowed_fd(file, PollFlags::IN)).collect();
        match poll(&mut files, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        // Ends first: they make room for what is asked for.
        match files.iter().position(|file| !file.revents().is_empty()) {
            Some(place) if place < children.len() => return Ok(Event::Ended(place)),
            Some(_) => return Ok(Event::Asked),
            None => {}
        }
    }
}

/// Waits for a child that has ended, so that it is no zombie any more.
fn reap(pid: Pid) -> io::Result<Ended> {
    let (_, status) = waitpid(Some(pid), WaitOptions::empty())?
        .ok_or_else(|| io::Error::other("a child that has ended still runs"))?;
    let signal = status.terminating_signal().map(Ended::Signal);
    let how = signal.or_else(|| status.exit_status().map(Ended::Exit));
    how.ok_or_else(|| io::Error::other(format!("a child ended in an unknown way: {status:?}")))
}

fn say(owner: BorrowedFd<'_>, message: FromZygote, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    match socket::send(owner, &message.encode(), files) {
        // It is gone, which is read next.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Makes a child, which gets nothing of the others. Returns in this process only.
fn fork(
    files: Vec<OwnedFd>,
    others: &mut Vec<Running>,
    child: &impl Fn(UnixStream) -> u8,
) -> io::Result<Running> {
    let [socket, errors] = <[OwnedFd; 2]>::try_from(files)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a fork takes two files"))?;
    let zygote = getpid();
    match raw::fork()? {
        Fork::Child => {
            others.clear();
            raw::exit(live(zygote, socket.into(), errors, child))
        }
        Fork::Parent(pid) => {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let pid = pid.ok_or_else(|| io::Error::other("a fork without a number"))?;
            Ok(Running { pid, pidfd: pidfd_open(pid, PidfdFlags::empty())? })
        }
    }
}

/// What a child does; the code that it ends with.
fn live(zygote: Pid, socket: UnixStream, errors: OwnedFd, child: &impl Fn(UnixStream) -> u8) -> u8 {
    let begin = || -> io::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have ended before.
        if getppid() != Some(zygote) {
            return Err(io::Error::other("the zygote is gone"));
        }
        // Standard input was the zygote's socket. Output leads nowhere.
        dup2_stdin(stdout())?;
        dup2_stderr(errors)?;
        Ok(())
    };
    if begin().is_err() {
        return PANICKED;
    }
    // It must not unwind into what the zygote does.
    catch_unwind(AssertUnwindSafe(|| child(socket))).unwrap_or(PANICKED)
}

fn number(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}
