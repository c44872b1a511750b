//! Questions with several frames.

use gst::prelude::*;
use gstvlm::analyze::Busy;

use crate::support::{Asked, Bench, LONG, Slots, Vlm, frame, init, jpeg_size};

const SPACING: u64 = 200_000_000;

fn clip(vlm: &Vlm, more: &[(&str, &dyn ToValue)]) -> Bench {
    let properties: Vec<(&str, &dyn ToValue)> =
        [("frames", &3u32 as &dyn ToValue), ("frame-spacing", &SPACING)]
            .into_iter()
            .chain(more.iter().copied())
            .collect();
    Bench::new(vlm, &properties)
}

/// The words that stand before the pictures, the prompt among them.
fn labels(asked: &Asked) -> Vec<String> {
    let parts = asked.body["messages"][0]["content"].as_array().unwrap();
    parts.iter().filter_map(|part| part["text"].as_str()).map(str::to_owned).collect()
}

#[test]
fn a_question_shows_its_frames_oldest_first_each_with_its_time() {
    init();
    let vlm = Vlm::start();
    let mut bench = clip(&vlm, &[("prompt", &"What moves?")]);
    (0..=10).for_each(|n| drop(bench.push(n * 40)));
    let asked = vlm.asked();
    assert_eq!(asked.jpegs().len(), 3);
    assert_eq!(
        labels(&asked),
        ["What moves?", "Frame at 0.00 s:", "Frame at 0.20 s:", "Frame at 0.40 s:"]
    );
    asked.answer("a ball");
    assert_eq!(bench.done().pts, Some(gst::ClockTime::from_mseconds(400)));
    assert_eq!((bench.count("questions"), bench.count("samples")), (1, 1));
}

#[test]
fn one_frame_has_no_label() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("prompt", &"What is it?")]);
    bench.push(0);
    assert_eq!(labels(&vlm.asked()), ["What is it?"]);
}

#[test]
fn many_turns_that_were_missed_become_one_question_with_the_newest_frames() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(1, &vlm);
    let mut other = slots.join();
    let turn =
        slots.runtime.block_on(other.turn(live_vlm_dispatch::Want::default(), || ())).unwrap();
    let mut bench = slots
        .bench(&vlm, &[("frames", &3u32), ("frame-spacing", &SPACING), ("interval", &SPACING)]);
    (0..=10).for_each(|n| drop(bench.push(n * 40)));
    slots.wait_for_load((1, 1));
    (11..=100).for_each(|n| drop(bench.push(n * 40)));
    drop(turn);
    let asked = vlm.asked();
    assert_eq!(labels(&asked)[1..], ["Frame at 3.60 s:", "Frame at 3.80 s:", "Frame at 4.00 s:"]);
    asked.answer("one");
    bench.done();
    assert_eq!(bench.count("questions"), 1);
}

#[test]
fn no_more_frames_are_held_than_a_question_shows_and_statistics_say_how_many() {
    init();
    let vlm = Vlm::start();
    let mut bench = clip(&vlm, &[("interval", &60_000_000_000u64)]);
    let mut first = Some(bench.push(0));
    assert_eq!((bench.count("held-frames"), bench.count("held-bytes")), (1, 64 * 48 * 3 / 2));
    assert!(first.as_mut().unwrap().get_mut().is_none(), "the element holds the frame");
    (1..=1000).for_each(|n| drop(bench.push(n * 40)));
    vlm.asked().answer("one");
    bench.done();
    assert_eq!(bench.count("held-frames"), 3);
    assert!(first.as_mut().unwrap().get_mut().is_some(), "the element still holds the frame");
    bench.set("frames", 1u32);
    bench.push(60_000);
    assert_eq!(bench.count("held-frames"), 0);
}

#[test]
fn a_change_of_format_in_the_middle_of_a_clip_is_part_of_it() {
    init();
    let vlm = Vlm::start();
    let mut bench = clip(&vlm, &[]);
    bench.push(0);
    bench.harness.set_src_caps_str("video/x-raw,format=RGBA,width=32,height=16,framerate=0/1");
    for pts in [200, 400] {
        let mut buffer = gst::Buffer::from_mut_slice(vec![90u8; 32 * 16 * 4]);
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(pts));
        bench.harness.push(buffer).unwrap();
    }
    let asked = vlm.asked();
    let sizes: Vec<_> = asked.jpegs().iter().map(|jpeg| jpeg_size(jpeg)).collect();
    assert_eq!(sizes, [(64, 48), (32, 16), (32, 16)]);
    asked.answer("one");
    bench.done();
}

#[test]
fn a_flush_forgets_the_frames_of_before() {
    init();
    let vlm = Vlm::start();
    let mut bench = clip(&vlm, &[]);
    (0..5).for_each(|n| drop(bench.push(n * 40)));
    assert!(bench.harness.push_event(gst::event::FlushStart::new()));
    assert!(bench.harness.push_event(gst::event::FlushStop::new(true)));
    assert_eq!(bench.count("held-frames"), 0);
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    bench.harness.push_event(gst::event::Segment::new(&segment));
    (500..=520).for_each(|n| drop(bench.push(n * 20)));
    assert_eq!(labels(&vlm.asked())[1], "Frame at 10.00 s:");
}

#[test]
fn a_file_that_is_shorter_than_a_clip_is_asked_about_at_its_end() {
    init();
    let vlm = Vlm::start();
    let bench = clip(&vlm, &[("busy", &Busy::Wait)]);
    bench.push_aside(0).recv_timeout(LONG).unwrap().unwrap();
    let ended = bench.end_aside();
    let asked = vlm.asked();
    assert_eq!(asked.jpegs().len(), 1);
    asked.answer("one");
    assert!(ended.recv_timeout(LONG).unwrap());
    assert_eq!(bench.done().text, "one");
}

#[test]
fn with_busy_wait_each_clip_of_a_file_is_asked_about() {
    init();
    let vlm = Vlm::start();
    let bench = clip(&vlm, &[("busy", &Busy::Wait)]);
    let sink = bench.sink();
    let pushed = crate::support::aside(move || {
        (0..=60).try_for_each(|n| sink.chain(frame(n * 40)).map(|_| ()))
    });
    for start in ["0.00", "1.00", "2.00"] {
        let asked = vlm.asked();
        assert_eq!(labels(&asked)[1], format!("Frame at {start} s:"));
        asked.answer("one");
        bench.done();
    }
    pushed.recv_timeout(LONG).unwrap().unwrap();
}

/// Frames come at `every` ms; whether a question with this many is asked within ten seconds.
fn asks(frames: u32, spacing_ms: u64, every: u64) -> usize {
    init();
    let vlm = Vlm::start();
    let spacing = spacing_ms * 1_000_000;
    let mut bench = Bench::new(&vlm, &[("frames", &frames), ("frame-spacing", &spacing)]);
    (0..=10_000).step_by(usize::try_from(every).unwrap()).for_each(|pts| drop(bench.push(pts)));
    vlm.asked().jpegs().len()
}

#[test]
fn a_source_with_fewer_frames_than_the_spacing_wants_is_asked_about() {
    assert!(asks(4, 500, 1000) >= 3);
}

#[test]
fn a_spacing_that_the_frame_rate_does_not_fit_is_asked_about() {
    assert_eq!(asks(12, 100, 40), 12);
}

#[test]
fn a_spacing_below_the_distance_of_frames_is_asked_about() {
    assert_eq!(asks(2, 10, 40), 2);
}

#[test]
fn a_clip_whose_prompt_changes_is_asked_about_again_with_all_its_frames() {
    init();
    let vlm = Vlm::start();
    let mut bench = clip(&vlm, &[("interval", &60_000_000_000u64)]);
    (0..=10).for_each(|n| drop(bench.push(n * 40)));
    let asked = vlm.asked();
    (11..=60).for_each(|n| drop(bench.push(n * 40)));
    bench.set("prompt", "Why?");
    asked.hung_up();
    let asked = vlm.asked();
    assert_eq!(
        labels(&asked),
        ["Why?", "Frame at 0.00 s:", "Frame at 0.20 s:", "Frame at 0.40 s:"]
    );
}
