//! A media process, from the side of live-vlm: video goes in, pictures come out.

use std::{
    collections::HashMap,
    env,
    ffi::OsString,
    fs,
    net::{IpAddr, Ipv4Addr},
    os::fd::AsFd,
    path::PathBuf,
    process::Command,
    time::Duration,
};

use live_vlm_media_link::{
    Codec, ConnectionId, FromMedia, NetworkOptions, PeerTimeouts, Reader, Received,
    SamplingSettings, SandboxParts, ToMedia, VERSION, Writer,
};
use live_vlm_sandbox::environment;
use live_vlm_sender::{Sender, SenderOptions};
use live_vlm_zygote::{Child, Ended, Zygote};
use tokio::net::{
    UnixStream,
    unix::{OwnedReadHalf, OwnedWriteHalf},
};

/// Longer than anything takes on a busy machine; no test waits for it when all is well.
const LIMIT: Duration = Duration::from_secs(20);

async fn zygote() -> Zygote {
    zygote_in(env::vars_os()).await
}

/// One that was started by a process with this environment.
async fn zygote_in(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Zygote {
    let mut command = Command::new(env!("CARGO_BIN_EXE_live-vlm-media"));
    command.arg("on").env_clear().envs(environment(variables));
    Zygote::start(command).await.unwrap()
}

/// A media process, and the link to it.
struct Media {
    child: Child,
    reader: Reader<OwnedReadHalf, FromMedia>,
    writer: Writer<OwnedWriteHalf>,
    sandbox: SandboxParts,
}

impl Media {
    async fn fork(zygote: &Zygote) -> Self {
        let errors = std::io::stderr().as_fd().try_clone_to_owned().unwrap();
        let mut child = zygote.fork(errors).await.unwrap();
        let link = child.take_socket().unwrap();
        link.set_nonblocking(true).unwrap();
        let (read, write) = UnixStream::from_std(link).unwrap().into_split();
        let (reader, writer) = (Reader::new(read), Writer::new(write));
        let mut media = Self { child, reader, writer, sandbox: SandboxParts::default() };
        media.tell(ToMedia::Hello { version: VERSION, log: "info".to_owned() }).await;
        match media.hear().await.message {
            FromMedia::Ready { sandbox, .. } => Self { sandbox, ..media },
            other => panic!("{other:?}"),
        }
    }

    async fn tell(&mut self, message: ToMedia) {
        self.writer.send(message).await.unwrap();
    }

    async fn hear(&mut self) -> Received<FromMedia> {
        let heard = tokio::time::timeout(LIMIT, self.reader.next()).await;
        heard.expect("a message in time").unwrap().expect("the link is open")
    }

    /// What it answers to an offer that nobody connects for.
    async fn answer(&mut self) -> String {
        let (tell, answered) = tokio::sync::oneshot::channel();
        let sender = Sender::connect(SenderOptions::default(), async |sdp| {
            let answer = self.offer(ConnectionId(1), sdp).await;
            tell.send(answer.clone()).unwrap();
            Ok::<_, String>(answer)
        });
        sender.await.unwrap().vanish().await;
        answered.await.unwrap()
    }

    async fn offer(&mut self, connection: ConnectionId, sdp: String) -> String {
        let network = NetworkOptions {
            bind: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            ..NetworkOptions::default()
        };
        let settings =
            SamplingSettings { interval: Duration::from_millis(100), ..Default::default() };
        let timeouts = PeerTimeouts::default();
        self.tell(ToMedia::Offer { connection, sdp, network, timeouts, settings }).await;
        match self.hear().await.message {
            FromMedia::Answered { result, .. } => result.unwrap().sdp,
            other => panic!("{other:?}"),
        }
    }

    /// Connects a sender, and waits for its first frame.
    async fn meet(&mut self, connection: ConnectionId, codec: Codec) -> Sender {
        let options = SenderOptions { codec, ..SenderOptions::default() };
        let exchange = async |sdp| Ok::<_, String>(self.offer(connection, sdp).await);
        let sender = Sender::connect(options, exchange).await.unwrap();
        assert_eq!(self.hear().await.message, FromMedia::Connected { connection });
        assert_eq!(self.hear().await.message, FromMedia::FirstFrame { connection });
        sender
    }

    /// Asks for a picture.
    async fn picture(&mut self, connection: ConnectionId) -> Vec<u8> {
        loop {
            self.tell(ToMedia::Turn { connection }).await;
            let heard = self.hear().await;
            match heard.message {
                FromMedia::Question { .. } => return heard.attachment,
                FromMedia::NoQuestion { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// What the kernel says of one of its threads in `/proc/PID/task/TID/status`.
    fn threads(&self) -> Vec<HashMap<String, String>> {
        let folder = format!("/proc/{}/task", self.child.pid());
        let threads = fs::read_dir(folder).unwrap().map(|thread| thread.unwrap().path());
        let status = |path: PathBuf| {
            let text = fs::read_to_string(path.join("status")).unwrap();
            let lines = text.lines().filter_map(|line| line.split_once(":\t"));
            lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        threads.map(status).collect()
    }

    /// Closes the link, which is to end it.
    async fn close(self) -> Ended {
        let Self { mut child, reader, writer, .. } = self;
        drop((reader, writer));
        ended(&mut child).await
    }
}

async fn ended(child: &mut Child) -> Ended {
    tokio::time::timeout(LIMIT, child.ended()).await.expect("it ends in time")
}

async fn gives_pictures(codec: Codec) {
    let zygote = zygote().await;
    let mut media = Media::fork(&zygote).await;
    assert_eq!(media.sandbox.lacking, <Vec<String>>::default());
    let connection = ConnectionId(1);
    let sender = media.meet(connection, codec).await;
    let picture = media.picture(connection).await;
    assert!(picture.starts_with(&[0xFF, 0xD8]) && picture.ends_with(&[0xFF, 0xD9]));
    sender.hang_up().await;
    loop {
        if let FromMedia::Lost { .. } = media.hear().await.message {
            break;
        }
    }
    media.tell(ToMedia::Stop { connection }).await;
    assert_eq!(media.hear().await.message, FromMedia::Stopped { connection });
    assert_eq!(media.close().await, Ended::Exit(0));
}

#[tokio::test]
async fn vp8_becomes_pictures_in_the_sandbox() {
    gives_pictures(Codec::Vp8).await;
}

#[tokio::test]
async fn vp9_becomes_pictures_in_the_sandbox() {
    gives_pictures(Codec::Vp9).await;
}

#[tokio::test]
async fn h264_becomes_pictures_in_the_sandbox() {
    gives_pictures(Codec::H264).await;
}

#[tokio::test]
async fn every_thread_of_a_media_process_is_in_the_sandbox() {
    let zygote = zygote().await;
    let mut media = Media::fork(&zygote).await;
    let sender = media.meet(ConnectionId(1), Codec::Vp8).await;
    media.picture(ConnectionId(1)).await;
    let threads = media.threads();
    assert!(threads.len() > 5, "{}", threads.len());
    for thread in threads {
        let is = |name: &str| thread.get(name).map_or("", |value| value.trim());
        assert_eq!((is("Seccomp"), is("NoNewPrivs")), ("2", "1"), "{thread:?}");
        assert_eq!(u64::from_str_radix(is("CapEff"), 16), Ok(0), "{thread:?}");
        assert!(!is("Uid").starts_with("0\t"), "{thread:?}");
    }
    sender.vanish().await;
}

#[tokio::test]
async fn media_processes_draw_random_numbers_of_their_own() {
    let zygote = zygote().await;
    let mut drawn: Vec<Vec<String>> = Vec::new();
    for _ in 0..2 {
        let mut media = Media::fork(&zygote).await;
        let answer = media.answer().await;
        let of = |begin: &str| {
            let line = answer.lines().find(|line| line.starts_with(begin));
            line.unwrap_or_else(|| panic!("{begin} of {answer}")).to_owned()
        };
        let what = ["a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "o="];
        drawn.push(what.into_iter().map(of).collect());
    }
    for (one, other) in drawn[0].iter().zip(&drawn[1]) {
        assert_ne!(one, other);
    }
}

#[tokio::test]
async fn no_key_is_in_the_environment_the_arguments_or_the_files_of_a_media_process() {
    let names = ["VLM_API_KEY", "LIVE_VLM_API_KEY", "OPENAI_API_KEY", "PATH"];
    let secrets = names.map(|name| (OsString::from(name), OsString::from("a-secret-key")));
    let home = env::vars_os().filter(|(name, _)| name == "HOME");
    let zygote = zygote_in(secrets.into_iter().chain(home)).await;
    let secret_file = fs::File::open("/etc/hostname").unwrap();
    rustix::io::fcntl_setfd(&secret_file, rustix::io::FdFlags::empty()).unwrap();
    let media = Media::fork(&zygote).await;
    for what in ["environ", "cmdline"] {
        let bytes = fs::read(format!("/proc/{}/{what}", zygote.pid())).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.is_empty() && !text.contains("a-secret-key"), "{text}");
    }
    // Only root may look, as the process hides from others of its user.
    let Ok(files) = fs::read_dir(format!("/proc/{}/fd", media.child.pid())) else { return };
    for file in files {
        let file = file.unwrap().path();
        let is_error_output = file.ends_with("2");
        let Ok(what) = fs::read_link(&file) else { continue };
        let kind = what.to_string_lossy().split(':').next().unwrap().to_owned();
        let is_its_own = matches!(kind.as_str(), "socket" | "anon_inode" | "/dev/null");
        assert!(is_its_own || is_error_output, "{}: {}", file.display(), what.display());
    }
}

#[tokio::test]
async fn a_media_process_that_crashes_takes_no_other_along() {
    let zygote = zygote().await;
    let (mut one, mut other) = (Media::fork(&zygote).await, Media::fork(&zygote).await);
    let of_one = one.meet(ConnectionId(1), Codec::Vp8).await;
    let of_other = other.meet(ConnectionId(2), Codec::Vp8).await;
    let pid = rustix::process::Pid::from_raw(one.child.pid().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::ABORT).unwrap();
    assert_eq!(ended(&mut one.child).await, Ended::Signal(libc::SIGABRT));
    assert!(fs::metadata(format!("/proc/{}", one.child.pid())).is_err(), "a zombie is left");
    // Twice: the second was captured afterwards.
    for _ in 0..2 {
        other.picture(ConnectionId(2)).await;
    }
    let mut third = Media::fork(&zygote).await;
    let of_third = third.meet(ConnectionId(3), Codec::Vp8).await;
    for sender in [of_one, of_other, of_third] {
        sender.vanish().await;
    }
}

#[tokio::test]
async fn media_processes_end_with_their_zygote_though_they_are_another_user() {
    let zygote = zygote().await;
    let mut media = Media::fork(&zygote).await;
    let pid = rustix::process::Pid::from_raw(zygote.pid().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(ended(&mut media.child).await, Ended::WithZygote);
    let gone = async {
        let mut tick = tokio::time::interval(Duration::from_millis(2));
        while fs::metadata(format!("/proc/{}", media.child.pid())).is_ok() {
            tick.tick().await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.expect("it is gone in time");
}
