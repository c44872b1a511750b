//! Sources that send frames only when asked.

use std::time::{Duration, Instant};

use gst::ClockTime;

use crate::support::{Bench, LONG, Slots, Vlm, init};

const INTERVAL: Duration = Duration::from_millis(400);

fn bench(vlm: &Vlm) -> Bench {
    Bench::new(vlm, &[("on-demand", &true), ("interval", &(INTERVAL.as_nanos() as u64))])
}

#[test]
fn a_question_is_about_the_frame_that_comes_when_it_is_due() {
    init();
    let vlm = Vlm::start();
    let mut bench = bench(&vlm);
    let began = Instant::now();
    bench.push(0);
    vlm.asked().answer("at once");
    assert_eq!(bench.done().pts, Some(ClockTime::ZERO));
    assert!(
        bench
            .harness
            .try_pull_upstream_event()
            .is_none_or(|event| { gst_video::UpstreamForceKeyUnitEvent::parse(&event).is_err() })
    );
    for n in 1..=3 {
        bench.key_frame_wanted();
        assert!(began.elapsed() >= INTERVAL * n, "the interval is not kept");
        bench.push(u64::from(n));
        vlm.asked().answer("later");
        assert_eq!(bench.done().pts, Some(ClockTime::from_mseconds(n.into())));
    }
}

#[test]
fn nothing_is_asked_before_the_first_frame() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(1, &vlm);
    let mut bench = slots.bench(&vlm, &[("on-demand", &true)]);
    bench.set("prompt", "Why?");
    bench.push(7);
    let asked = vlm.asked();
    assert_eq!(asked.prompt(), "Why?");
    asked.answer("Because.");
    let answer = bench.done();
    assert_eq!((answer.seq, answer.pts), (1, Some(ClockTime::from_mseconds(7))));
}

#[test]
fn a_source_that_falls_silent_holds_no_slot() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(1, &vlm);
    let mut silent = slots.bench(&vlm, &[("on-demand", &true), ("interval", &1_000_000u64)]);
    silent.push(0);
    vlm.asked().answer("one");
    silent.done();
    // Four requests with the turn, as some may be lost; from then on without.
    (0..4).for_each(|_| silent.key_frame_wanted());
    assert_eq!(slots.load(), (1, 0));
    silent.key_frame_wanted();
    assert_eq!(slots.load(), (0, 0));

    silent.push(1);
    vlm.asked().answer("two");
    assert_eq!(silent.done().pts, Some(ClockTime::from_mseconds(1)), "it was not given up");
}

/// The frame that is waited for would never come if nobody asked for it again.
#[test]
fn a_prompt_that_changes_while_a_frame_is_awaited_is_asked() {
    init();
    let vlm = Vlm::start();
    let mut bench = bench(&vlm);
    bench.push(0);
    vlm.asked().answer("one");
    bench.done();
    bench.key_frame_wanted();
    bench.set("prompt", "Why?");
    bench.key_frame_wanted();
    bench.push(1);
    assert_eq!(vlm.asked().prompt(), "Why?");
}

#[test]
fn a_changed_prompt_is_asked_at_once() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("on-demand", &true), ("interval", &60_000_000_000u64)]);
    bench.push(0);
    vlm.asked().answer("one");
    bench.done();
    bench.set("prompt", "Why?");
    bench.key_frame_wanted();
    bench.push(1);
    assert_eq!(vlm.asked().prompt(), "Why?");
}

#[test]
fn nothing_is_asked_for_after_the_end() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(1, &vlm);
    let mut bench = slots.bench(&vlm, &[("on-demand", &true), ("interval", &1_000_000u64)]);
    bench.push(0);
    vlm.asked().answer("one");
    bench.done();
    bench.key_frame_wanted();
    assert!(bench.end_aside().recv_timeout(LONG).unwrap());
    slots.wait_for_load((0, 0));
    assert_eq!(bench.count("questions"), 1);
}
