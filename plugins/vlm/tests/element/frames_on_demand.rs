//! An element for which somebody else asks, of a source that gives a frame when one is wanted.

use std::time::{Duration, Instant};

use gstvlm::remote::{FromElement, NothingToAsk, Outcome};

use crate::{
    remote::{Elsewhere, brightness, shade},
    support::{Bench, init},
};

const SECOND: u64 = 1_000_000_000;
/// What does not come within it is not there.
const AT_ONCE: Duration = Duration::from_millis(500);

/// An element whose source gives frames on demand; its first frame was wanted and has come.
fn bench(elsewhere: &Elsewhere, interval: u64) -> Bench {
    elsewhere.asker.set_frames_on_demand(true);
    let mut bench = elsewhere.bench(&[("on-demand", &true), ("interval", &interval)]);
    assert_eq!(frames_wanted(elsewhere), 1);
    bench.push(0);
    bench
}

fn frames_wanted(elsewhere: &Elsewhere) -> u32 {
    match elsewhere.said() {
        FromElement::FrameWanted { frames, .. } => frames,
        other => panic!("{other:?}"),
    }
}

/// What is said but for wishes for frames.
fn said(elsewhere: &Elsewhere) -> FromElement {
    loop {
        match elsewhere.said() {
            FromElement::FrameWanted { .. } => {}
            other => return other,
        }
    }
}

fn want(elsewhere: &Elsewhere) -> Duration {
    match said(elsewhere) {
        FromElement::Want { lead, .. } => lead,
        other => panic!("{other:?}"),
    }
}

fn question(elsewhere: &Elsewhere) -> u8 {
    match said(elsewhere) {
        FromElement::Question(pictures) => brightness(&pictures[0]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_frame_is_wanted_at_once_and_asked_about() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = bench(&elsewhere, SECOND);
    want(&elsewhere);
    elsewhere.asker.turn();
    question(&elsewhere);
    assert_eq!(bench.count("questions"), 1);
    assert!(
        bench
            .harness
            .try_pull_upstream_event()
            .is_none_or(|event| { gst_video::UpstreamForceKeyUnitEvent::parse(&event).is_err() })
    );
}

#[test]
fn a_frame_is_wanted_before_the_question_is_due_and_is_there_when_it_is() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = bench(&elsewhere, SECOND / 2);
    want(&elsewhere);
    elsewhere.asker.turn();
    question(&elsewhere);
    let asked = Instant::now();
    elsewhere.asker.ended(Outcome::Done);
    assert_eq!(frames_wanted(&elsewhere), 1);
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
    bench.harness.push(shade(400, 200)).unwrap();
    want(&elsewhere);
    elsewhere.asker.turn();
    assert!(question(&elsewhere) > 180);
}

#[test]
fn when_the_turn_of_one_who_waits_is_near_a_frame_is_wanted() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = bench(&elsewhere, 1_000_000);
    // Others go before this one for a while, so the next turn is not expected at once. This is the
    // time that they take: nothing is waited for.
    want(&elsewhere);
    std::thread::sleep(Duration::from_millis(60));
    elsewhere.asker.turn();
    bench.push(5);
    question(&elsewhere);
    elsewhere.asker.ended(Outcome::Done);
    want(&elsewhere);
    assert!(elsewhere.is_quiet(), "who knows when that comes");
    elsewhere.asker.turn_near();
    assert_eq!(frames_wanted(&elsewhere), 1);
    bench.harness.push(shade(10, 200)).unwrap();
    elsewhere.asker.turn();
    assert!(question(&elsewhere) > 180);
}

#[test]
fn a_source_that_gives_no_frame_loses_its_turn_and_is_asked_about_when_it_does() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = bench(&elsewhere, 1_000_000);
    want(&elsewhere);
    elsewhere.asker.turn();
    question(&elsewhere);
    elsewhere.asker.ended(Outcome::Done);
    want(&elsewhere);
    let turn = Instant::now();
    elsewhere.asker.turn();
    let FromElement::NoQuestion(why) = said(&elsewhere) else { panic!("there is no frame") };
    assert_eq!(why, NothingToAsk::Silent);
    assert!(turn.elapsed() < AT_ONCE, "{:?}", turn.elapsed());
    elsewhere.asker.ended(Outcome::Done);
    // It is reminded, and wants no turn meanwhile.
    (0..2).for_each(|_| assert_eq!(frames_wanted(&elsewhere), 1));
    bench.harness.push(shade(10, 200)).unwrap();
    assert!(want(&elsewhere) > Duration::from_millis(150), "frames take their time");
    elsewhere.asker.turn();
    assert!(question(&elsewhere) > 180);
}

#[test]
fn a_clip_wants_its_frames_at_once() {
    init();
    let elsewhere = Elsewhere::new();
    elsewhere.asker.set_frames_on_demand(true);
    let spacing = SECOND / 4;
    let _bench =
        elsewhere.bench(&[("on-demand", &true), ("frames", &3_u32), ("frame-spacing", &spacing)]);
    let FromElement::FrameWanted { frames: 3, spacing } = elsewhere.said() else {
        panic!("several are wanted")
    };
    assert_eq!(spacing, Duration::from_millis(250));
}
