//! `busy=wait`: every sample is asked about, and nothing holds the stream that should not.

use std::sync::mpsc::Receiver;

use gst::{FlowError, FlowSuccess, event, prelude::*};
use gstvlm::{analyze::Busy, meta};

use crate::support::{Bench, LONG, Vlm, aside, frame, init};

#[test]
fn every_sample_is_asked_about_and_leaves_with_its_answer() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("busy", &Busy::Wait)]);
    let sink = bench.sink();
    let pushed = aside(move || (0..20).try_for_each(|n| sink.chain(frame(n * 250)).map(|_| ())));
    for sample in 0..5u64 {
        let text = format!("answer {sample}");
        vlm.asked().answer(&text);
        assert_eq!(bench.done().pts, Some(gst::ClockTime::from_seconds(sample)));
        for n in 0..4 {
            let buffer = bench.harness.pull().unwrap();
            assert_eq!(buffer.pts().unwrap().mseconds(), sample * 1000 + n * 250);
            assert_eq!(meta::answer(&buffer).unwrap().text, text);
        }
    }
    pushed.recv_timeout(LONG).unwrap().unwrap();
    assert_eq!((bench.count("questions"), bench.count("samples-replaced")), (5, 0));
}

/// A failure lets the stream go on, too.
#[test]
fn a_sample_whose_question_fails_is_let_go() {
    init();
    let vlm = Vlm::start();
    let bench = Bench::new(&vlm, &[("busy", &Busy::Wait), ("retries", &0u32)]);
    let pushed = bench.push_aside(0);
    vlm.asked().reply(500, &[], "");
    pushed.recv_timeout(LONG).unwrap().unwrap();
    bench.error();
}

type Pushed = Receiver<Result<FlowSuccess, FlowError>>;

/// An element that holds the stream.
fn holding() -> (Vlm, Bench, Pushed) {
    init();
    let vlm = Vlm::start();
    let bench = Bench::new(&vlm, &[("busy", &Busy::Wait)]);
    let pushed = bench.push_aside(0);
    (vlm, bench, pushed)
}

#[test]
fn a_flush_lets_the_stream_go_and_the_next_one_is_held_again() {
    let (vlm, mut bench, pushed) = holding();
    let asked = vlm.asked();
    assert!(bench.harness.push_event(event::FlushStart::new()));
    assert_eq!(pushed.recv_timeout(LONG).unwrap(), Err(FlowError::Flushing));
    assert!(bench.harness.push_event(event::FlushStop::new(true)));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    bench.harness.push_event(event::Segment::new(&segment));
    asked.answer("before");
    bench.done();

    let pushed = bench.push_aside(0);
    let asked = vlm.asked();
    assert!(pushed.try_recv().is_err(), "the stream is not held");
    asked.answer("after");
    pushed.recv_timeout(LONG).unwrap().unwrap();
    assert_eq!(meta::answer(&bench.harness.pull().unwrap()).unwrap().text, "after");
}

#[test]
fn stopping_lets_the_stream_go_and_cancels_the_question() {
    let (vlm, bench, pushed) = holding();
    let asked = vlm.asked();
    let stopped = aside({
        let element = bench.element.clone();
        move || element.set_state(gst::State::Null)
    });
    stopped.recv_timeout(LONG).unwrap().unwrap();
    let _ = pushed.recv_timeout(LONG).unwrap();
    asked.hung_up();
}

#[test]
fn no_longer_waiting_lets_the_stream_go_and_keeps_the_question() {
    let (vlm, bench, pushed) = holding();
    let asked = vlm.asked();
    bench.set("busy", Busy::Latest);
    pushed.recv_timeout(LONG).unwrap().unwrap();
    asked.answer("late");
    assert_eq!(bench.done().text, "late");
}

/// On demand frames come for a question; a stream that is held would never bring one.
#[test]
fn asking_on_demand_lets_the_stream_go() {
    let (vlm, bench, pushed) = holding();
    let asked = vlm.asked();
    bench.set("on-demand", true);
    pushed.recv_timeout(LONG).unwrap().unwrap();
    asked.answer("late");
    bench.done();
}
