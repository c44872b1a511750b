//! A media process, as live-vlm sees it from the other end of the link.

mod common;

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use common::{LIMIT, poll};
use live_vlm_media_link::{
    Answered, ConnectionId, FromMedia, LinkError, LogLevel, LostReason, NetworkOptions,
    NothingToAsk, OfferError, Outcome, PeerTimeouts, Reader, Received, SamplingSettings,
    SandboxParts, ToMedia, VERSION, Writer,
};
use live_vlm_pipelines::{ServeError, serve};
use live_vlm_sender::{Sender, SenderOptions};
use tokio::{
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
    time::timeout,
};

const ONE: ConnectionId = ConnectionId(1);
const TWO: ConnectionId = ConnectionId(2);

/// live-vlm's end of a link to a media process that serves.
struct LiveVlm {
    from: Reader<OwnedReadHalf, FromMedia>,
    to: Writer<OwnedWriteHalf>,
    served: JoinHandle<Result<(), ServeError>>,
}

impl LiveVlm {
    /// Greets, and waits until it is ready.
    async fn start() -> Self {
        let mut own = Self::connect();
        own.tell(ToMedia::Hello { version: VERSION, log: "debug".to_owned() }).await;
        let ready = own.hear().await;
        let FromMedia::Ready { version: VERSION, codecs, sandbox } = ready else {
            panic!("{ready:?}")
        };
        assert_eq!(codecs.len(), 3);
        assert_eq!(sandbox.applied, ["test"]);
        own
    }

    fn connect() -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let served = tokio::spawn(serve(theirs, |greeting| {
            let log = greeting.log.borrow().clone();
            greeting.lines.send(LogLevel::Debug, "test", None, log);
            SandboxParts { applied: vec!["test".to_owned()], lacking: vec![] }
        }));
        let (from, to) = ours.into_split();
        Self { from: Reader::new(from), to: Writer::new(to), served }
    }

    async fn tell(&mut self, message: ToMedia) {
        self.to.send(message).await.unwrap();
    }

    /// The next message with its pictures, but for lines of the log and counts of frames.
    async fn hear_all(&mut self) -> Received<FromMedia> {
        loop {
            let received = timeout(LIMIT, self.from.next()).await.expect("a message in time");
            let received = received.unwrap().expect("the link is open");
            if !matches!(received.message, FromMedia::Log { .. } | FromMedia::Frames { .. }) {
                return received;
            }
        }
    }

    async fn hear(&mut self) -> FromMedia {
        self.hear_all().await.message
    }

    async fn offer(&mut self, connection: ConnectionId, sdp: String, timeouts: PeerTimeouts) {
        let network = NetworkOptions {
            bind: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            ..NetworkOptions::default()
        };
        let settings =
            SamplingSettings { interval: Duration::from_secs(1), ..SamplingSettings::default() };
        self.tell(ToMedia::Offer { connection, sdp, network, timeouts, settings }).await;
    }

    /// Connects a peer.
    async fn meet(&mut self, connection: ConnectionId, timeouts: PeerTimeouts) -> Sender {
        let sender = Sender::connect(SenderOptions::default(), async |sdp: String| {
            self.offer(connection, sdp, timeouts).await;
            match self.hear().await {
                FromMedia::Answered { result: Ok(Answered { sdp, .. }), .. } => Ok(sdp),
                other => Err(format!("{other:?}")),
            }
        });
        sender.await.unwrap()
    }

    async fn hear_want(&mut self, of: ConnectionId, is_urgent: bool) {
        match self.hear().await {
            FromMedia::Want { connection, urgent, .. } => {
                assert_eq!((connection, urgent), (of, is_urgent));
            }
            other => panic!("{other:?}"),
        }
    }

    /// A peer whose frames come, and who wants to ask.
    async fn wanted(&mut self, connection: ConnectionId) -> Sender {
        let sender = self.meet(connection, PeerTimeouts::default()).await;
        assert_eq!(self.hear().await, FromMedia::Connected { connection });
        assert_eq!(self.hear().await, FromMedia::FirstFrame { connection });
        self.hear_want(connection, false).await;
        sender
    }

    async fn stop(&mut self, connection: ConnectionId) {
        self.tell(ToMedia::Stop { connection }).await;
        loop {
            match self.hear().await {
                FromMedia::Stopped { connection: ended } => return assert_eq!(ended, connection),
                // It crossed with the end.
                FromMedia::Want { .. } | FromMedia::GiveUp { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Closes the link, and gives how serving ended.
    async fn close(self) -> Result<(), ServeError> {
        drop((self.from, self.to));
        timeout(LIMIT, self.served).await.expect("the end in time").unwrap()
    }
}

/// The SDP of an offer.
async fn offer() -> String {
    let (tell, told) = tokio::sync::oneshot::channel();
    let sender = Sender::connect(SenderOptions::default(), async |sdp: String| {
        let _ = tell.send(sdp);
        Err::<String, _>("nobody answers")
    });
    sender.await.unwrap_err();
    told.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peers_video_is_asked_about_turn_by_turn() {
    let mut live_vlm = LiveVlm::start().await;
    let sender = live_vlm.wanted(ONE).await;
    for _ in 0..2 {
        live_vlm.tell(ToMedia::TurnNear { connection: ONE }).await;
        live_vlm.tell(ToMedia::Turn { connection: ONE }).await;
        let Received { message, attachment } = live_vlm.hear_all().await;
        let FromMedia::Question { connection: ONE, pictures } = message else {
            panic!("{message:?}")
        };
        assert_eq!(pictures.len(), 1);
        assert!(pictures[0].captured_ago < LIMIT);
        assert_eq!(attachment[..2], [0xff, 0xd8], "it is a JPEG");
        live_vlm.tell(ToMedia::Ended { connection: ONE, outcome: Outcome::Done }).await;
        live_vlm.hear_want(ONE, false).await;
    }
    live_vlm.stop(ONE).await;
    sender.hang_up().await;
    live_vlm.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_are_told_of_and_never_fall() {
    let mut live_vlm = LiveVlm::start().await;
    let sender = live_vlm.meet(ONE, PeerTimeouts::default()).await;
    let mut last = 0;
    while last < 30 {
        let received = timeout(LIMIT, live_vlm.from.next()).await.unwrap().unwrap().unwrap();
        if let FromMedia::Frames { connection: ONE, counts } = received.message {
            assert!(counts.received > last && counts.decoded <= counts.received);
            last = counts.received;
        }
    }
    live_vlm.stop(ONE).await;
    sender.hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_changes_while_the_video_runs() {
    let mut live_vlm = LiveVlm::start().await;
    let sender = live_vlm.wanted(ONE).await;
    let quiet = SamplingSettings { asks: false, ..SamplingSettings::default() };
    live_vlm.tell(ToMedia::Settings { connection: ONE, settings: quiet }).await;
    assert_eq!(live_vlm.hear().await, FromMedia::GiveUp { connection: ONE });
    live_vlm.tell(ToMedia::Ended { connection: ONE, outcome: Outcome::Done }).await;
    let asks = SamplingSettings { interval: Duration::from_secs(3600), ..quiet };
    let asks = SamplingSettings { asks: true, ..asks };
    live_vlm.tell(ToMedia::Settings { connection: ONE, settings: asks }).await;
    live_vlm.hear_want(ONE, false).await;
    live_vlm.tell(ToMedia::Turn { connection: ONE }).await;
    assert!(matches!(live_vlm.hear().await, FromMedia::Question { .. }));
    live_vlm.tell(ToMedia::Ended { connection: ONE, outcome: Outcome::Done }).await;
    live_vlm.tell(ToMedia::AskNow { connection: ONE }).await;
    live_vlm.hear_want(ONE, true).await;
    live_vlm.stop(ONE).await;
    sender.hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_hangs_up_is_lost_and_the_others_go_on() {
    let mut live_vlm = LiveVlm::start().await;
    let one = live_vlm.wanted(ONE).await;
    let two = live_vlm.wanted(TWO).await;
    one.hang_up().await;
    loop {
        match live_vlm.hear().await {
            FromMedia::Lost { connection: ONE, reason } => {
                assert_eq!(reason, LostReason::HungUp);
                break;
            }
            FromMedia::GiveUp { connection: ONE } => {}
            other => panic!("{other:?}"),
        }
    }
    live_vlm.stop(ONE).await;
    live_vlm.tell(ToMedia::Turn { connection: TWO }).await;
    let question = live_vlm.hear().await;
    assert!(matches!(question, FromMedia::Question { connection: TWO, .. }), "{question:?}");
    two.hang_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_falls_silent_holds_a_turn() {
    let mut live_vlm = LiveVlm::start().await;
    let sender = live_vlm.wanted(ONE).await;
    live_vlm.tell(ToMedia::Turn { connection: ONE }).await;
    assert!(matches!(live_vlm.hear().await, FromMedia::Question { .. }));
    sender.vanish().await;
    let again = ToMedia::Ended { connection: ONE, outcome: Outcome::Again };
    live_vlm.tell(again.clone()).await;
    loop {
        match live_vlm.hear().await {
            FromMedia::Want { .. } => live_vlm.tell(ToMedia::Turn { connection: ONE }).await,
            // A frame was still on its way.
            FromMedia::Question { .. } => live_vlm.tell(again.clone()).await,
            FromMedia::NoQuestion { connection: ONE, why } => {
                return assert_eq!(why, NothingToAsk::Silent);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_cannot_be_used_is_refused_and_leaves_nothing() {
    let mut live_vlm = LiveVlm::start().await;
    live_vlm.offer(ONE, "v=0\r\n".to_owned(), PeerTimeouts::default()).await;
    let FromMedia::Answered { connection: ONE, result: Err(error) } = live_vlm.hear().await else {
        panic!("it was answered")
    };
    assert!(matches!(error, OfferError::Malformed { .. } | OfferError::NoVideo), "{error}");
    // It crossed with the answer.
    live_vlm.tell(ToMedia::Stop { connection: ONE }).await;
    live_vlm.tell(ToMedia::Turn { connection: ONE }).await;
    live_vlm.tell(ToMedia::Ping { number: 5 }).await;
    assert_eq!(live_vlm.hear().await, FromMedia::Pong { number: 5 });
    live_vlm.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_is_taken_back_has_no_answer_but_an_end() {
    let offer = offer().await;
    let mut live_vlm = LiveVlm::start().await;
    live_vlm.offer(ONE, offer, PeerTimeouts::default()).await;
    live_vlm.tell(ToMedia::Stop { connection: ONE }).await;
    live_vlm.tell(ToMedia::Ping { number: 5 }).await;
    assert_eq!(live_vlm.hear().await, FromMedia::Pong { number: 5 });
    assert_eq!(live_vlm.hear().await, FromMedia::Stopped { connection: ONE });
    live_vlm.close().await.unwrap();
}

/// The sockets that this process has open.
fn sockets() -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let targets = open.filter_map(|file| fs::read_link(file.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_link_ends_no_connection_is_left() {
    let before = sockets();
    let mut live_vlm = LiveVlm::start().await;
    let sender = live_vlm.wanted(ONE).await;
    assert!(sockets() > before);
    sender.vanish().await;
    live_vlm.close().await.unwrap();
    poll(|| sockets() <= before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_another_version_is_not_served() {
    let mut live_vlm = LiveVlm::connect();
    live_vlm.tell(ToMedia::Hello { version: VERSION + 1, log: String::new() }).await;
    let served = timeout(LIMIT, live_vlm.served).await.unwrap().unwrap();
    let Err(ServeError::Link(LinkError::Version { theirs })) = served else { panic!("{served:?}") };
    assert_eq!(theirs, VERSION + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_the_log_come_over_the_link() {
    let mut live_vlm = LiveVlm::start().await;
    let line = timeout(LIMIT, live_vlm.from.next()).await.unwrap().unwrap().unwrap().message;
    let expected = FromMedia::Log {
        level: LogLevel::Debug,
        target: "test".to_owned(),
        connection: None,
        message: "debug".to_owned(),
    };
    assert_eq!(line, expected);
}
