//! A zygote and its children, from the side of the process that wants them.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write, pipe},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Command, Stdio},
    time::Duration,
};

use live_vlm_zygote::{Child, Ended, StartError, Zygote};

/// Longer than anything takes on a busy machine; no test waits for it when all is well.
const LIMIT: Duration = Duration::from_secs(20);

fn trial(how: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zygote-trial"));
    command.arg(how).stderr(Stdio::null());
    command
}

async fn zygote() -> Zygote {
    Zygote::start(trial("")).await.unwrap()
}

fn nowhere() -> OwnedFd {
    fs::File::options().write(true).open("/dev/null").unwrap().into()
}

/// A child, and the socket to it.
async fn child(zygote: &Zygote) -> (Child, UnixStream) {
    let mut child = zygote.fork(nowhere()).await.unwrap();
    let socket = child.take_socket().unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    (child, socket)
}

fn tell(mut socket: &UnixStream, word: &str) {
    socket.write_all(format!("{word:8}").as_bytes()).unwrap();
}

fn ask(socket: &UnixStream, word: &str) -> String {
    tell(socket, word);
    let mut line = String::new();
    BufReader::new(socket).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

async fn ended(child: &mut Child) -> Ended {
    tokio::time::timeout(LIMIT, child.ended()).await.unwrap()
}

fn raw(pid: u32) -> rustix::process::Pid {
    rustix::process::Pid::from_raw(pid.cast_signed()).unwrap()
}

/// Whether a process is there; a zombie is, too.
fn exists(pid: u32) -> bool {
    fs::metadata(format!("/proc/{pid}")).is_ok()
}

/// Waits for the end of a process that is not ours to wait for.
async fn gone(pid: u32) {
    let gone = async {
        let mut tick = tokio::time::interval(Duration::from_millis(2));
        while exists(pid) {
            tick.tick().await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.expect("it is gone in time");
}

#[tokio::test]
async fn children_begin_where_the_zygote_is() {
    let zygote = zygote().await;
    let (one, of_one) = child(&zygote).await;
    let (other, of_other) = child(&zygote).await;
    assert_ne!(one.pid(), other.pid());
    let found = ask(&of_one, "found");
    assert!(found.starts_with("initialised by "), "{found}");
    assert_eq!(found, ask(&of_other, "found"));
}

#[tokio::test]
async fn a_child_has_its_socket_its_error_output_and_nothing_else() {
    // Not closed at `exec`, as a careless library's.
    let careless = fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&careless, rustix::io::FdFlags::empty()).unwrap();
    let zygote = zygote().await;
    let (_other, _socket) = child(&zygote).await;
    let (_child, socket) = child(&zygote).await;
    assert_eq!(ask(&socket, "files"), "/dev/null, /dev/null, /dev/null, socket");
}

#[tokio::test]
async fn a_child_may_start_threads() {
    let zygote = zygote().await;
    let (_child, socket) = child(&zygote).await;
    assert_eq!(ask(&socket, "thread"), "from a thread");
}

#[tokio::test]
async fn what_a_child_complains_of_comes_out_where_it_was_told() {
    let zygote = zygote().await;
    let (mut read, write) = pipe().unwrap();
    let mut child = zygote.fork(write.into()).await.unwrap();
    let socket = child.take_socket().unwrap();
    assert_eq!(ask(&socket, "complain"), "done");
    drop(socket);
    assert_eq!(ended(&mut child).await, Ended::Exit(0));
    let mut text = String::new();
    read.read_to_string(&mut text).unwrap();
    assert_eq!(text, "something is wrong\n");
}

#[tokio::test]
async fn each_end_is_told_as_it_was() {
    let zygote = zygote().await;
    for (word, expected) in [
        ("seven", Ended::Exit(7)),
        ("panic", Ended::Exit(101)),
        ("abort", Ended::Signal(libc::SIGABRT)),
    ] {
        let (mut child, socket) = child(&zygote).await;
        tell(&socket, word);
        assert_eq!(ended(&mut child).await, expected, "{word}");
        assert!(!exists(child.pid()), "a zombie is left");
    }
}

#[tokio::test]
async fn a_child_that_hangs_can_be_killed() {
    let zygote = zygote().await;
    let (mut child, socket) = child(&zygote).await;
    tell(&socket, "hang");
    child.kill();
    assert_eq!(ended(&mut child).await, Ended::Signal(libc::SIGKILL));
}

#[tokio::test]
async fn a_child_that_is_dropped_is_killed() {
    let zygote = zygote().await;
    let (child, _socket) = child(&zygote).await;
    let pid = child.pid();
    drop(child);
    gone(pid).await;
}

#[tokio::test]
async fn a_zygote_that_is_dropped_takes_its_children_along() {
    let zygote = zygote().await;
    let (mut child, _socket) = child(&zygote).await;
    drop(zygote);
    assert_eq!(ended(&mut child).await, Ended::WithZygote);
    gone(child.pid()).await;
}

#[tokio::test]
async fn children_of_a_zygote_that_is_killed_are_killed_and_no_more_come() {
    let zygote = zygote().await;
    let (mut child, _socket) = child(&zygote).await;
    rustix::process::kill_process(raw(zygote.pid()), rustix::process::Signal::KILL).unwrap();
    assert_eq!(ended(&mut child).await, Ended::WithZygote);
    gone(child.pid()).await;
    gone(zygote.pid()).await;
    let error = zygote.fork(nowhere()).await.unwrap_err();
    assert_eq!(error.to_string(), "the zygote is gone; another must be started");
}

#[tokio::test]
async fn zygote_and_children_end_with_the_process_that_has_them() {
    let mut owner = trial("owner").stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(owner.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pids: Vec<u32> = line.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert!(pids.len() == 2 && pids.iter().copied().all(exists), "{line}");
    owner.kill().unwrap();
    owner.wait().unwrap();
    for pid in pids {
        gone(pid).await;
    }
}

#[tokio::test]
async fn a_hundred_ends_leave_nothing_behind() {
    let zygote = zygote().await;
    let files = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = files();
    for _ in 0..100 {
        let (mut child, socket) = child(&zygote).await;
        tell(&socket, "abort");
        assert_eq!(ended(&mut child).await, Ended::Signal(libc::SIGABRT));
        assert!(!exists(child.pid()), "a zombie is left");
    }
    assert_eq!(files(), before);
    let (_child, socket) = child(&zygote).await;
    assert_eq!(ask(&socket, "files"), "/dev/null, /dev/null, /dev/null, socket");
}

#[tokio::test]
async fn a_fork_that_nobody_waits_for_any_more_is_killed() {
    let zygote = zygote().await;
    // Asked for, and given up before the answer can come.
    assert!(poll_once(zygote.fork(nowhere())).await.is_none());
    let (_child, socket) = child(&zygote).await;
    // Which is answered, so the one before has been, too.
    assert_eq!(ask(&socket, "thread"), "from a thread");
    let pid = zygote.pid();
    let children = format!("/proc/{pid}/task/{pid}/children");
    let one_is_left = async {
        let mut tick = tokio::time::interval(Duration::from_millis(2));
        while fs::read_to_string(&children).unwrap().split_whitespace().count() != 1 {
            tick.tick().await;
        }
    };
    tokio::time::timeout(LIMIT, one_is_left).await.expect("the other is killed in time");
}

/// Lets something run as far as it can at once.
async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        std::task::Poll::Ready(value) => std::task::Poll::Ready(Some(value)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn a_zygote_with_threads_refuses_to_serve() {
    let (mut read, write) = pipe().unwrap();
    let mut command = trial("threaded");
    command.stderr(write);
    let error = Zygote::start(command).await.unwrap_err();
    assert!(matches!(error, StartError::Ended { .. }), "{error}");
    let mut text = String::new();
    read.read_to_string(&mut text).unwrap();
    assert!(text.contains("has started threads (a-thread)"), "{text}");
}

#[tokio::test]
async fn a_zygote_that_cannot_be_initialised_is_an_error() {
    let error = Zygote::start(trial("failing")).await.unwrap_err();
    assert!(error.to_string().contains("ended with exit status: 1"), "{error}");
    let error = Zygote::start(Command::new("/no/such/program")).await.unwrap_err();
    assert!(
        error.to_string().starts_with("cannot start /no/such/program: No such file"),
        "{error}"
    );
}

#[tokio::test]
async fn a_zygote_gets_no_signal_of_the_terminal() {
    let zygote = zygote().await;
    let group = rustix::process::getpgid(Some(raw(zygote.pid()))).unwrap();
    assert_ne!(group, rustix::process::getpgrp());
}
