//! The video goes on as if nobody asked.

use crate::support::{Bench, Slots, Vlm, frame, init};

/// Where a buffer's bytes are.
fn place(buffer: &gst::BufferRef) -> *const u8 {
    buffer.peek_memory(0).map_readable().unwrap().as_ptr()
}

#[test]
fn a_vlm_that_does_not_answer_leaves_the_video_alone() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("interval", &60_000_000_000u64)]);
    bench.push(0);
    let asked = vlm.asked();
    assert_eq!(asked.jpegs().len(), 1);
    for pts in 1..500 {
        let before = frame(pts);
        let memory = place(&before);
        let after = bench.harness.push_and_pull(before).unwrap();
        assert_eq!(place(&after), memory, "frame {pts} was copied");
    }
    assert!(asked.is_open());
    asked.answer("late");
    let answer = bench.done();
    assert_eq!(answer.pts, Some(gst::ClockTime::ZERO));
    assert_eq!((bench.count("frames"), bench.count("questions")), (500, 1));
    assert!(vlm.is_idle(), "the other frames were not asked about");
}

#[test]
fn an_answered_frame_is_not_copied_either() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    vlm.asked().answer("one");
    bench.done();
    let before = frame(20);
    let memory = place(&before);
    let after = bench.harness.push_and_pull(before).unwrap();
    assert!(gstvlm::meta::answer(&after).is_some());
    assert_eq!(place(&after), memory);
}

#[test]
fn the_newest_frame_is_asked_about_when_the_turn_comes() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(1, &vlm);
    let mut other = slots.join();
    let turn =
        slots.runtime.block_on(other.turn(live_vlm_dispatch::Want::default(), || ())).unwrap();
    let mut bench = slots.bench(&vlm, &[]);
    (0..10).for_each(|n| drop(bench.push(n * 40)));
    slots.wait_for_load((1, 1));
    (10..=30).for_each(|n| drop(bench.push(n * 40)));
    drop(turn);
    vlm.asked().answer("one");
    assert_eq!(bench.done().pts, Some(gst::ClockTime::from_mseconds(1200)));
    assert_eq!(bench.count("samples-replaced"), 1);
}

/// While an answer is written, no frame is missing in the pool that it came from.
#[test]
fn a_frame_goes_back_to_its_pool_once_it_is_encoded() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    let out = bench.push(0);
    let asked = vlm.asked();
    let mut out = out;
    assert!(out.get_mut().is_some(), "the element still holds the frame");
    asked.answer("one");
    bench.done();
}
