use std::time::Duration;

use live_vlm_media_link::{
    Answered, Codec, FrameCounts, LogLevel, LostReason, NetworkOptions, NothingToAsk, OfferError,
    Outcome, PeerTimeouts, PictureInfo, SamplingSettings, SandboxParts, VERSION,
};

use super::*;

const ONE: ConnectionId = ConnectionId(1);
const TWO: ConnectionId = ConnectionId(2);

struct Scene {
    conduct: Conduct,
    now: Instant,
}

fn ready() -> FromMedia {
    FromMedia::Ready { version: VERSION, codecs: Vec::new(), sandbox: SandboxParts::default() }
}

fn offer(connection: ConnectionId) -> ToMedia {
    ToMedia::Offer {
        connection,
        sdp: String::new(),
        network: NetworkOptions::default(),
        timeouts: PeerTimeouts::default(),
        settings: SamplingSettings::default(),
    }
}

fn answered(connection: ConnectionId) -> FromMedia {
    let answer =
        Answered { sdp: String::new(), codec: Codec::Vp8, found_all: true, goes_back: false };
    FromMedia::Answered { connection, result: Ok(answer) }
}

fn refused(connection: ConnectionId) -> FromMedia {
    FromMedia::Answered { connection, result: Err(OfferError::NoVideo) }
}

fn lost(connection: ConnectionId) -> FromMedia {
    FromMedia::Lost { connection, reason: LostReason::HungUp }
}

fn want(connection: ConnectionId) -> FromMedia {
    FromMedia::Want { connection, urgent: false, lead: Duration::ZERO }
}

fn question(connection: ConnectionId) -> FromMedia {
    let picture = PictureInfo { bytes: 1, label: String::new(), captured_ago: Duration::ZERO };
    FromMedia::Question { connection, pictures: vec![picture] }
}

fn no_question(connection: ConnectionId) -> FromMedia {
    FromMedia::NoQuestion { connection, why: NothingToAsk::NoFrame }
}

fn ended(connection: ConnectionId) -> ToMedia {
    ToMedia::Ended { connection, outcome: Outcome::Done }
}

fn log(connection: Option<ConnectionId>) -> FromMedia {
    let (target, message) = ("a".to_owned(), "b".to_owned());
    FromMedia::Log { level: LogLevel::Info, target, connection, message }
}

/// Every message about a connection.
fn all(connection: ConnectionId) -> Vec<FromMedia> {
    vec![
        answered(connection),
        refused(connection),
        FromMedia::Connected { connection },
        FromMedia::FirstFrame { connection },
        lost(connection),
        want(connection),
        FromMedia::FrameWanted { connection, frames: 1, spacing: Duration::ZERO },
        FromMedia::GiveUp { connection },
        question(connection),
        no_question(connection),
        FromMedia::Frames { connection, counts: FrameCounts::default() },
        FromMedia::Stopped { connection },
    ]
}

impl Scene {
    /// A process that was just started.
    fn started() -> Self {
        let now = Instant::now();
        Self { conduct: Conduct::new(Allowance::default(), Patience::default(), now), now }
    }

    fn ready() -> Self {
        let mut scene = Self::started();
        assert_eq!(scene.hears(ready()), Ok(Verdict::Counts));
        scene
    }

    /// One with a connection.
    fn connected() -> Self {
        let mut scene = Self::ready();
        assert!(scene.sends(offer(ONE)));
        scene.goes_well([answered(ONE), FromMedia::Connected { connection: ONE }]);
        scene.goes_well([FromMedia::FirstFrame { connection: ONE }]);
        scene
    }

    /// One whose connection wants a turn.
    fn wants() -> Self {
        let mut scene = Self::connected();
        scene.goes_well([want(ONE)]);
        scene
    }

    /// One whose connection has its turn.
    fn has_turn() -> Self {
        let mut scene = Self::wants();
        assert!(scene.sends(ToMedia::Turn { connection: ONE }));
        scene
    }

    /// One whose connection is to end.
    fn stopping() -> Self {
        let mut scene = Self::connected();
        assert!(scene.sends(ToMedia::Stop { connection: ONE }));
        scene
    }

    #[expect(clippy::needless_pass_by_value, reason = "the tests are easier to read")]
    fn sends(&mut self, message: ToMedia) -> bool {
        self.conduct.sends(&message, self.now)
    }

    #[expect(clippy::needless_pass_by_value, reason = "the tests are easier to read")]
    fn hears(&mut self, message: FromMedia) -> Result<Verdict, Breach> {
        self.conduct.hears(&message, 100, self.now)
    }

    fn goes_well<const N: usize>(&mut self, messages: [FromMedia; N]) {
        for message in messages {
            assert_eq!(self.hears(message.clone()), Ok(Verdict::Counts), "{message:?}");
        }
    }

    fn comes_too_late<const N: usize>(&mut self, messages: [FromMedia; N]) {
        for message in messages {
            assert_eq!(self.hears(message.clone()), Ok(Verdict::TooLate), "{message:?}");
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "the tests are easier to read")]
    fn is_wrong(&mut self, message: FromMedia, what: &str) {
        match self.hears(message.clone()) {
            Err(Breach::OutOfOrder { connection: ONE, what: found }) => assert_eq!(found, what),
            other => panic!("{message:?}: {other:?}"),
        }
    }

    /// What is found overdue by who looks as often as they should, and after how many seconds.
    fn found_overdue(&mut self) -> Option<(Breach, u64)> {
        (0..60).find_map(|after| {
            let overdue = self.conduct.overdue(self.now + Duration::from_secs(after));
            overdue.map(|breach| (breach, after))
        })
    }
}

#[test]
fn an_honest_process_goes_on_for_ever() {
    let mut scene = Scene::connected();
    for number in 0..100 {
        assert!(scene.sends(ToMedia::Ping { number }));
        scene.goes_well([FromMedia::Pong { number }, want(ONE)]);
        assert!(scene.sends(ToMedia::TurnNear { connection: ONE }));
        assert!(scene.sends(ToMedia::Turn { connection: ONE }));
        scene.goes_well([question(ONE), log(Some(ONE)), log(None)]);
        assert!(scene.sends(ended(ONE)));
        scene.goes_well([want(ONE)]);
        assert!(scene.sends(ToMedia::Turn { connection: ONE }));
        scene.goes_well([no_question(ONE)]);
        assert!(scene.sends(ended(ONE)));
        scene.goes_well([want(ONE), FromMedia::GiveUp { connection: ONE }]);
        assert!(scene.sends(ended(ONE)));
        scene.now += Duration::from_secs(1);
        assert_eq!(scene.conduct.overdue(scene.now), None);
    }
    scene.goes_well([lost(ONE)]);
    assert!(scene.sends(ToMedia::Stop { connection: ONE }));
    scene.goes_well([FromMedia::Stopped { connection: ONE }]);
    assert!(!scene.conduct.has(ONE));
    assert_eq!(scene.found_overdue(), None);
}

#[test]
fn nothing_comes_before_a_process_is_ready_and_it_is_ready_once() {
    for message in all(ONE).into_iter().chain([FromMedia::Pong { number: 0 }, log(None)]) {
        assert_eq!(Scene::started().hears(message), Err(Breach::NotReady));
    }
    assert_eq!(Scene::ready().hears(ready()), Err(Breach::NotReady));
}

#[test]
fn a_connection_that_the_process_does_not_have_is_spoken_of_by_no_honest_one() {
    for message in all(TWO) {
        let result = Scene::connected().hears(message);
        assert_eq!(result, Err(Breach::UnknownConnection(TWO)));
    }
}

#[test]
fn a_connection_is_not_there_any_more_once_it_has_stopped_or_its_offer_was_refused() {
    for last in [FromMedia::Stopped { connection: ONE }, refused(ONE)] {
        for message in all(ONE) {
            let mut scene = Scene::ready();
            assert!(scene.sends(offer(ONE)) && scene.sends(ToMedia::Stop { connection: ONE }));
            scene.goes_well([last.clone()]);
            assert_eq!(scene.hears(message), Err(Breach::UnknownConnection(ONE)));
            assert_eq!(scene.found_overdue(), None);
        }
    }
}

#[test]
fn what_happens_once_is_told_once() {
    let mut scene = Scene::connected();
    scene.is_wrong(answered(ONE), "answered an offer a second time");
    scene.is_wrong(refused(ONE), "answered an offer a second time");
    let connected = || FromMedia::Connected { connection: ONE };
    scene.is_wrong(connected(), "connected with a peer a second time");
    let first = || FromMedia::FirstFrame { connection: ONE };
    scene.is_wrong(first(), "had a first frame a second time");
    scene.goes_well([lost(ONE)]);
    scene.is_wrong(lost(ONE), "lost a peer a second time");
    scene.is_wrong(connected(), "connected with a peer that it had lost");
    scene.is_wrong(first(), "had a frame of a peer that it had lost");
}

#[test]
fn no_frame_comes_before_the_connection_and_no_end_that_nobody_wanted() {
    let mut scene = Scene::ready();
    assert!(scene.sends(offer(ONE)));
    let first = FromMedia::FirstFrame { connection: ONE };
    scene.is_wrong(first, "had a frame of a peer before the connection");
    let stopped = FromMedia::Stopped { connection: ONE };
    scene.is_wrong(stopped, "ended a connection that was to go on");
}

#[test]
fn a_peer_may_be_lost_before_its_offer_is_answered() {
    let mut scene = Scene::ready();
    assert!(scene.sends(offer(ONE)));
    scene.goes_well([lost(ONE), answered(ONE)]);
}

#[test]
fn a_turn_is_wanted_once_and_used_once() {
    Scene::wants().is_wrong(want(ONE), "told of a second want");
    Scene::has_turn().is_wrong(want(ONE), "told of a second want");
    for reply in [question(ONE), no_question(ONE)] {
        Scene::connected().is_wrong(reply.clone(), "used a turn that it did not have");
        Scene::wants().is_wrong(reply.clone(), "used a turn that it did not have");
        let mut scene = Scene::has_turn();
        scene.goes_well([reply.clone()]);
        scene.is_wrong(want(ONE), "told of a second want");
        scene.is_wrong(reply, "used a turn twice");
    }
}

#[test]
fn a_want_is_given_up_once_and_only_while_it_is_there() {
    let give_up = || FromMedia::GiveUp { connection: ONE };
    Scene::connected().is_wrong(give_up(), "gave up a want that was not there");
    for mut scene in [Scene::wants(), Scene::has_turn()] {
        scene.goes_well([give_up()]);
        scene.is_wrong(give_up(), "gave up a want twice");
        assert!(!scene.sends(ToMedia::Turn { connection: ONE }), "it would not be used");
        assert!(!scene.sends(ToMedia::TurnNear { connection: ONE }));
        assert!(scene.sends(ended(ONE)));
        scene.is_wrong(give_up(), "gave up a want that was not there");
        scene.goes_well([want(ONE)]);
    }
}

#[test]
fn what_crosses_with_the_end_of_a_want_is_dropped_once_and_before_the_next_want() {
    let give_up = || FromMedia::GiveUp { connection: ONE };
    for reply in [question(ONE), no_question(ONE)] {
        let mut scene = Scene::has_turn();
        assert!(scene.sends(ended(ONE)));
        scene.comes_too_late([reply.clone(), give_up()]);
        scene.is_wrong(reply.clone(), "used a turn that it did not have");
        scene.is_wrong(give_up(), "gave up a want that was not there");

        let mut scene = Scene::has_turn();
        assert!(scene.sends(ended(ONE)));
        scene.goes_well([want(ONE)]);
        scene.is_wrong(reply.clone(), "used a turn that it did not have");

        // Without a turn there is nothing to reply to.
        let mut scene = Scene::wants();
        assert!(scene.sends(ended(ONE)));
        scene.is_wrong(reply, "used a turn that it did not have");
        scene.comes_too_late([give_up()]);
    }
}

#[test]
fn a_question_of_a_want_that_was_given_up_is_dropped() {
    let mut scene = Scene::has_turn();
    scene.goes_well([FromMedia::GiveUp { connection: ONE }]);
    scene.comes_too_late([question(ONE)]);
    scene.is_wrong(question(ONE), "used a turn twice");
}

#[test]
fn of_a_connection_that_is_to_end_only_its_end_counts() {
    let mut scene = Scene::stopping();
    let counts = FrameCounts::default();
    scene.comes_too_late([
        want(ONE),
        FromMedia::GiveUp { connection: ONE },
        FromMedia::Frames { connection: ONE, counts },
        lost(ONE),
    ]);
    scene.is_wrong(lost(ONE), "lost a peer a second time");
    scene.goes_well([FromMedia::Stopped { connection: ONE }]);
}

#[test]
fn nothing_is_sent_to_a_connection_that_ends_or_is_not_there() {
    let to = |connection| {
        [
            ToMedia::Candidate { connection, mid: None, line: Some(0), candidate: String::new() },
            ToMedia::Settings { connection, settings: SamplingSettings::default() },
            ToMedia::AskNow { connection },
            ToMedia::TurnNear { connection },
            ToMedia::Turn { connection },
            ended(connection),
            ToMedia::Stop { connection },
        ]
    };
    for message in to(TWO) {
        assert!(!Scene::connected().sends(message));
    }
    for message in to(ONE) {
        assert!(!Scene::stopping().sends(message));
    }
    assert!(!Scene::connected().sends(offer(ONE)), "a number is not used twice");
}

#[test]
fn a_turn_and_its_end_are_sent_only_to_who_wants_one() {
    let turn = || ToMedia::Turn { connection: ONE };
    assert!(!Scene::connected().sends(turn()) && !Scene::connected().sends(ended(ONE)));
    let mut scene = Scene::has_turn();
    assert!(!scene.sends(turn()) && scene.sends(ended(ONE)));
    assert!(!scene.sends(turn()) && !scene.sends(ended(ONE)));
}

#[test]
fn a_ping_is_replied_to_once_and_there_is_one_at_a_time() {
    let mut scene = Scene::ready();
    assert_eq!(scene.hears(FromMedia::Pong { number: 0 }), Err(Breach::WrongPong));
    assert!(scene.sends(ToMedia::Ping { number: 7 }));
    assert!(!scene.sends(ToMedia::Ping { number: 8 }));
    assert_eq!(scene.hears(FromMedia::Pong { number: 8 }), Err(Breach::WrongPong));
    scene.goes_well([FromMedia::Pong { number: 7 }]);
    assert_eq!(scene.hears(FromMedia::Pong { number: 7 }), Err(Breach::WrongPong));
    assert!(!Scene::started().sends(ToMedia::Ping { number: 0 }), "it need not be there yet");
}

#[test]
fn silence_is_noticed_wherever_something_must_come() {
    let overdue = |scene: &mut Scene| match scene.found_overdue() {
        Some((Breach::Silence { due, .. }, after)) => Some((due, after)),
        None => None,
        other => panic!("{other:?}"),
    };
    assert_eq!(overdue(&mut Scene::started()), Some((Due::Ready, 30)));
    let mut scene = Scene::ready();
    assert_eq!(overdue(&mut scene), None);
    assert!(scene.sends(ToMedia::Ping { number: 1 }));
    assert_eq!(overdue(&mut scene), Some((Due::Pong, 5)));
    let mut scene = Scene::ready();
    assert!(scene.sends(offer(TWO)));
    assert_eq!(overdue(&mut scene), Some((Due::Answer(TWO), 10)));
    assert_eq!(overdue(&mut Scene::wants()), None, "a want waits as long as it must");
    assert_eq!(overdue(&mut Scene::has_turn()), Some((Due::Question(ONE), 10)));
    assert_eq!(overdue(&mut Scene::stopping()), Some((Due::Stopped(ONE), 5)));
}

#[test]
fn what_is_void_need_not_come() {
    let mut scene = Scene::has_turn();
    assert!(scene.sends(ended(ONE)));
    assert_eq!(scene.found_overdue(), None);
    let mut scene = Scene::has_turn();
    scene.goes_well([FromMedia::GiveUp { connection: ONE }]);
    assert_eq!(scene.found_overdue(), None);
    let mut scene = Scene::ready();
    assert!(scene.sends(offer(ONE)));
    for _ in 0..7 {
        scene.now += Duration::from_secs(1);
        assert_eq!(scene.conduct.overdue(scene.now), None);
    }
    assert!(scene.sends(ToMedia::Stop { connection: ONE }));
    assert_eq!(scene.found_overdue().unwrap().1, 5, "only its end");
}

#[test]
fn a_flood_ends_the_process() {
    let mut scene = Scene::connected();
    let came = (0..).find(|_| scene.hears(log(None)).is_err()).unwrap();
    assert_eq!(came, 2000 - 4, "four have come before");
    assert_eq!(scene.hears(log(None)), Err(Breach::Flood));
    scene.now += Duration::from_millis(100);
    assert!((0..100).all(|_| scene.hears(log(None)).is_ok()));
    assert_eq!(scene.hears(log(None)), Err(Breach::Flood));
}

#[test]
fn a_flood_of_long_messages_ends_the_process() {
    let mut scene = Scene::ready();
    let now = scene.now;
    let mut long = |now| scene.conduct.hears(&log(None), 256 << 10, now);
    let came = (0..).find(|_| long(now).is_err()).unwrap();
    assert_eq!(came, 15, "4 MiB without what came before");
    assert_eq!(long(now), Err(Breach::FloodOfBytes));
    assert_eq!(long(now + Duration::from_secs(1)), Ok(Verdict::Counts));
}

#[test]
fn every_breach_has_a_name_and_words() {
    let connection = ONE;
    for (breach, name, words) in [
        (
            Breach::UnknownConnection(ONE),
            "unknown_connection",
            "spoke of connection 1, which it does not have",
        ),
        (
            Breach::OutOfOrder { connection, what: "used a turn twice" },
            "out_of_order",
            "used a turn twice (connection 1)",
        ),
        (
            Breach::Silence { due: Due::Answer(ONE), within: Duration::from_secs(10) },
            "silence",
            "did not answer the offer of 1 within 10s",
        ),
        (Breach::Flood, "flood", "sent more messages than it may"),
    ] {
        assert_eq!((breach.name(), breach.to_string().as_str()), (name, words));
    }
}

/// Messages of both sides in any order: whatever a process says, there is never more kept than its
/// connections, and what counts is in order.
#[test]
fn whatever_comes_wants_and_their_ends_stay_paired() {
    for seed in 1..=300_u64 {
        let mut scene = Scene::ready();
        let mut state = seed;
        let mut random = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % bound
        };
        assert!(scene.sends(offer(ONE)));
        scene.goes_well([answered(ONE)]);
        let (mut wants, mut ends) = (0, 0);
        for _ in 0..400 {
            scene.now += Duration::from_millis(10);
            let connection = ONE;
            match random(8) {
                0 => wants += u32::from(scene.hears(want(ONE)) == Ok(Verdict::Counts)),
                1 => {
                    let _ = scene.hears(FromMedia::GiveUp { connection });
                }
                2 => {
                    let _ = scene.hears(question(ONE));
                }
                3 => {
                    let _ = scene.hears(no_question(ONE));
                }
                4..6 => {
                    scene.sends(ToMedia::Turn { connection });
                }
                6 => {
                    scene.sends(ToMedia::TurnNear { connection });
                }
                _ => ends += u32::from(scene.sends(ended(ONE))),
            }
            assert!(ends <= wants && wants <= ends + 1, "{wants} wants and {ends} ends");
        }
        assert!(wants > 10, "{wants}");
    }
}
