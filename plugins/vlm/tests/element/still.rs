//! `min-change`: nothing is asked while nothing happens.

use gst::prelude::*;
use gstvlm::analyze::Busy;

use crate::support::{Bench, LONG, Vlm, init};

/// A grey frame, the upper `lighter` of whose 48 rows are lighter.
fn frame(pts_ms: u64, lighter: usize) -> gst::Buffer {
    let mut pixels = vec![128; 64 * 48 * 3 / 2];
    pixels[..lighter * 64].fill(220);
    let mut buffer = gst::Buffer::from_mut_slice(pixels);
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(pts_ms));
    buffer
}

#[test]
fn a_still_picture_is_asked_about_once_and_again_when_enough_has_changed() {
    init();
    let vlm = Vlm::start();
    let bench = Bench::new(&vlm, &[("busy", &Busy::Wait), ("min-change", &0.1)]);
    let push = |pts, lighter| {
        bench.sink().chain(frame(pts, lighter)).unwrap();
    };
    let asked = bench.push_aside(0);
    vlm.asked().answer("grey");
    asked.recv_timeout(LONG).unwrap().unwrap();
    (1..5).for_each(|n| push(n * 1000, 0));
    // 2 of 48 rows: less than a tenth.
    push(5000, 2);
    assert_eq!((bench.count("questions"), bench.count("samples-unchanged")), (1, 5));
    let sink = bench.sink();
    let pushed = crate::support::aside(move || sink.chain(frame(6000, 12)));
    vlm.asked().answer("lighter");
    pushed.recv_timeout(LONG).unwrap().unwrap();
    push(7000, 12);
    assert_eq!((bench.count("questions"), bench.count("samples-unchanged")), (2, 6));
    assert!(vlm.is_idle());
}

#[test]
fn whoever_asks_now_or_asks_something_else_gets_an_answer() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("min-change", &0.1), ("interval", &0u64)]);
    bench.push(0);
    vlm.asked().answer("one");
    bench.done();
    bench.element.emit_by_name::<()>("analyze-now", &[]);
    bench.push_until_asked(20);
    vlm.asked().answer("two");
    bench.done();
    bench.set("prompt", "Why?");
    bench.push_until_asked(40);
    assert_eq!(vlm.asked().prompt(), "Why?");
}

#[test]
fn a_question_that_failed_is_asked_again_though_nothing_changed() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("min-change", &0.1), ("interval", &0u64)]);
    bench.push(0);
    vlm.asked().reply(429, &[("retry-after", "0.1")], "");
    bench.error();
    bench.push_until_asked(20);
    vlm.asked().answer("one");
    bench.done();
}

#[test]
fn a_question_that_is_asked_again_is_what_the_next_frame_is_compared_with() {
    init();
    let vlm = Vlm::start();
    let bench = Bench::new(&vlm, &[("busy", &Busy::Wait), ("min-change", &0.1)]);
    let pushed = bench.push_aside(0);
    vlm.asked().reply(503, &[("retry-after", "0.1")], "");
    bench.error();
    vlm.asked().answer("grey");
    pushed.recv_timeout(LONG).unwrap().unwrap();
    bench.push_aside(1000).recv_timeout(LONG).unwrap().unwrap();
    assert_eq!((bench.count("questions"), bench.count("samples-unchanged")), (2, 1));
}
