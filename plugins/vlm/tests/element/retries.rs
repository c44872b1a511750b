//! `retries` and `error-policy`: what becomes of a question that fails.

use gst::FlowError;
use gstvlm::analyze::{Busy, ErrorPolicy};

use crate::support::{Bench, LONG, Vlm, init, stream_error};

const SOON: &[(&str, &str)] = &[("retry-after", "0.1")];

#[test]
fn a_file_loses_no_sample_to_a_server_that_fails_for_a_while() {
    init();
    let vlm = Vlm::start();
    let bench = Bench::new(&vlm, &[("busy", &Busy::Wait), ("retries", &3u32)]);
    let pushed = bench.push_aside(0);
    for _ in 0..3 {
        vlm.asked().reply(503, SOON, "");
        assert_eq!(bench.error().retry_in_ms, 100);
        assert!(pushed.try_recv().is_err(), "the stream is held until the sample is answered");
    }
    vlm.asked().answer("at last");
    assert_eq!(bench.done().pts, Some(gst::ClockTime::ZERO));
    pushed.recv_timeout(LONG).unwrap().unwrap();
    assert_eq!((bench.count("retries"), bench.count("errors")), (3, 3));
}

#[test]
fn a_question_is_given_up_after_its_retries_and_the_next_has_its_own() {
    init();
    let vlm = Vlm::start();
    let bench = Bench::new(&vlm, &[("busy", &Busy::Wait), ("retries", &1u32)]);
    for pts in [0, 1000] {
        let pushed = bench.push_aside(pts);
        for _ in 0..2 {
            vlm.asked().reply(503, SOON, "");
            bench.error();
        }
        pushed.recv_timeout(LONG).unwrap().unwrap();
    }
    assert_eq!(bench.count("retries"), 2);
    let pushed = bench.push_aside(2000);
    vlm.asked().answer("fine");
    pushed.recv_timeout(LONG).unwrap().unwrap();
}

#[test]
fn what_only_a_setting_can_mend_is_not_retried() {
    init();
    let vlm = Vlm::start();
    let bench = Bench::new(&vlm, &[("busy", &Busy::Wait)]);
    let pushed = bench.push_aside(0);
    vlm.asked().reply(400, &[], "the picture is refused");
    let error = bench.error();
    assert!(error.message.contains("the picture is refused"), "{}", error.message);
    pushed.recv_timeout(LONG).unwrap().unwrap();
    assert_eq!(bench.count("retries"), 0);
}

#[test]
fn a_flush_lets_a_stream_go_that_waits_for_a_retry() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("busy", &Busy::Wait)]);
    let pushed = bench.push_aside(0);
    vlm.asked().reply(503, &[("retry-after", "60")], "");
    bench.error();
    assert!(bench.harness.push_event(gst::event::FlushStart::new()));
    assert_eq!(pushed.recv_timeout(LONG).unwrap(), Err(FlowError::Flushing));
}

#[test]
fn with_the_policy_to_fail_a_question_that_is_given_up_ends_the_stream() {
    init();
    let vlm = Vlm::start();
    let policy = ErrorPolicy::Fail;
    let bench =
        Bench::new(&vlm, &[("busy", &Busy::Wait), ("retries", &1u32), ("error-policy", &policy)]);
    let pushed = bench.push_aside(0);
    vlm.asked().reply(503, SOON, "out of memory");
    bench.error();
    vlm.asked().reply(503, SOON, "out of memory");
    assert_eq!(bench.error().kind, "server", "told as ever");
    let error = stream_error(&bench.bus);
    assert!(error.contains("out of memory"), "{error}");
    assert_eq!(pushed.recv_timeout(LONG).unwrap(), Err(FlowError::Error));
    assert_eq!(bench.push_aside(1000).recv_timeout(LONG).unwrap(), Err(FlowError::Error));
}

#[test]
fn a_new_start_forgets_that_the_one_before_failed() {
    use gst::prelude::*;
    init();
    let vlm = Vlm::start();
    let policy = ErrorPolicy::Fail;
    let mut bench = Bench::new(&vlm, &[("error-policy", &policy)]);
    bench.push(0);
    vlm.asked().reply(401, &[], "");
    bench.error();
    stream_error(&bench.bus);
    bench.element.set_state(gst::State::Ready).unwrap();
    bench.element.set_state(gst::State::Playing).unwrap();
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    bench.harness.set_src_caps_str(crate::support::FORMAT);
    bench.harness.push_event(gst::event::Segment::new(&segment));
    bench.push(0);
    vlm.asked().answer("fine");
    assert_eq!(bench.done().text, "fine");
}
