//! `ask=false`: the video passes, and nobody is asked.

use gst::ClockTime;
use gstvlm::analyze::Busy;

use crate::support::{Bench, LONG, Slots, Vlm, init};

fn nobody_is_asked(on_demand: bool) {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("ask", &false), ("on-demand", &on_demand)]);
    for second in 0..10 {
        bench.push(1000 * second);
    }
    assert_eq!(bench.count("questions"), 0);
    bench.set("ask", true);
    bench.push_until(1, 10_000);
    vlm.asked().answer("the first");
    let answer = bench.done();
    // A frame that has just come is fresh enough on demand.
    let oldest = if on_demand { 9 } else { 10 };
    let expected = ClockTime::from_seconds(oldest)..=ClockTime::from_seconds(10);
    assert_eq!(answer.seq, 1);
    assert!(expected.contains(&answer.pts.unwrap()), "{:?}", answer.pts);
    assert_eq!(bench.count("questions"), 1);
    assert!(bench.is_quiet());
}

#[test]
fn without_asking_the_video_passes_and_its_samples_are_forgotten() {
    nobody_is_asked(false);
}

#[test]
fn a_source_that_sends_on_demand_is_asked_about_as_soon_as_it_may_be() {
    nobody_is_asked(true);
}

#[test]
fn a_question_that_waits_for_its_turn_is_given_up() {
    for on_demand in [false, true] {
        init();
        let vlm = Vlm::start();
        let slots = Slots::new(1, &vlm);
        let mut other = slots.join();
        let turn =
            slots.runtime.block_on(other.turn(live_vlm_dispatch::Want::default(), || ())).unwrap();
        let mut bench = slots.bench(&vlm, &[("on-demand", &on_demand)]);
        bench.push(0);
        slots.wait_for_load((1, 1));
        bench.set("ask", false);
        slots.wait_for_load((1, 0));
        drop(turn);
        bench.set("ask", true);
        bench.push_until(1, 7);
        vlm.asked().answer("later");
        let pts = bench.done().pts;
        let is_fresh = on_demand && pts == Some(ClockTime::ZERO);
        assert!(is_fresh || pts == Some(ClockTime::from_mseconds(7)), "{pts:?}");
    }
}

#[test]
fn one_in_flight_is_still_answered() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    let asked = vlm.asked();
    bench.set("ask", false);
    asked.answer("all of it");
    assert_eq!(bench.done().text, "all of it");
}

#[test]
fn neither_a_stream_nor_its_end_is_held_for_what_is_not_asked() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(1, &vlm);
    let mut other = slots.join();
    let _turn =
        slots.runtime.block_on(other.turn(live_vlm_dispatch::Want::default(), || ())).unwrap();
    let bench = slots.bench(&vlm, &[("busy", &Busy::Wait)]);
    let pushed = bench.push_aside(0);
    slots.wait_for_load((1, 1));
    bench.set("ask", false);
    pushed.recv_timeout(LONG).unwrap().unwrap();
    bench.push_aside(5000).recv_timeout(LONG).unwrap().unwrap();
    assert!(bench.end_aside().recv_timeout(LONG).unwrap());
    assert_eq!(bench.count("questions"), 0);
}
