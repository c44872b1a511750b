//! Which frames are asked about, and what is sent of them.

use gst::{ClockTime, glib, prelude::*};
use serde_json::json;

use crate::support::{Bench, LONG, Vlm, frame, init, jpeg_size, vlmanalyze};

/// Pushes frames; gives the timestamps of those that were asked about, answering each.
fn asked_about(vlm: &Vlm, bench: &mut Bench, timestamps: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut asked_about = Vec::new();
    for pts in timestamps {
        let before = bench.count("samples");
        bench.push(pts);
        if bench.count("samples") > before {
            vlm.asked().answer("one");
            asked_about.push(bench.done().pts.unwrap().mseconds());
        }
    }
    assert!(vlm.is_idle());
    asked_about
}

#[test]
fn the_interval_goes_by_timestamps() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("interval", &ClockTime::from_mseconds(500).nseconds())]);
    let frames = (0..60).map(|n| n * 40);
    assert_eq!(asked_about(&vlm, &mut bench, frames), [0, 520, 1000, 1520, 2000]);
}

#[test]
fn a_gap_is_followed_by_a_sample_and_not_by_those_that_were_missed() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    let frames = [0, 40, 30_000, 30_040, 30_960, 31_000];
    assert_eq!(asked_about(&vlm, &mut bench, frames.into_iter()), [0, 30_000, 31_000]);
}

/// A segment as after a seek: its start is played at once.
fn seek(bench: &mut Bench, start_ms: u64, flush: bool) {
    if flush {
        assert!(bench.harness.push_event(gst::event::FlushStart::new()));
        assert!(bench.harness.push_event(gst::event::FlushStop::new(true)));
    }
    let mut segment = gst::FormattedSegment::<ClockTime>::new();
    segment.set_start(ClockTime::from_mseconds(start_ms));
    assert!(bench.harness.push_event(gst::event::Segment::new(&segment)));
}

#[test]
fn after_a_seek_the_first_frame_is_a_sample_and_the_interval_begins_anew() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    assert_eq!(asked_about(&vlm, &mut bench, (0..20).map(|n| n * 40)), [0]);
    seek(&mut bench, 60_000, true);
    let frames = (0..30).map(|n| 60_000 + n * 40);
    assert_eq!(asked_about(&vlm, &mut bench, frames), [60_000, 61_000]);
    seek(&mut bench, 0, true);
    assert_eq!(asked_about(&vlm, &mut bench, (0..20).map(|n| n * 40)), [0]);
}

/// As a playlist has it: the timestamps begin anew, the running time goes on.
#[test]
fn a_segment_that_continues_the_one_before_keeps_the_beat() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    assert_eq!(asked_about(&vlm, &mut bench, (0..20).map(|n| n * 40)), [0]);
    let mut segment = gst::FormattedSegment::<ClockTime>::new();
    segment.set_base(ClockTime::from_mseconds(800));
    bench.harness.push_event(gst::event::Segment::new(&segment));
    assert_eq!(asked_about(&vlm, &mut bench, (0..20).map(|n| n * 40)), [200]);
}

#[test]
fn timestamps_that_begin_again_after_a_restart_of_the_source_are_sampled_at_once() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    let frames = [90_000, 90_040, 0, 40, 1000];
    assert_eq!(asked_about(&vlm, &mut bench, frames.into_iter()), [90_000, 0, 1000]);
}

#[test]
fn frames_without_timestamps_are_sampled_by_the_clock() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("interval", &1_000_000u64)]);
    for seq in 1..=3 {
        let began = std::time::Instant::now();
        while bench.count("questions") < seq {
            assert!(began.elapsed() < LONG, "no question is asked");
            let mut buffer = frame(0);
            buffer.get_mut().unwrap().set_pts(ClockTime::NONE);
            bench.harness.push_and_pull(buffer).unwrap();
        }
        vlm.asked().answer("one");
        let answer = bench.done();
        assert_eq!((answer.seq, answer.pts), (seq, None));
    }
}

#[test]
fn every_nth_frame_goes_by_counting() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("every-n-frames", &5u32)]);
    let frames = (0..12).map(|n| n * 7);
    assert_eq!(asked_about(&vlm, &mut bench, frames), [0, 35, 70]);
}

#[test]
fn a_sample_that_is_too_old_is_passed_over_and_the_stream_goes_on() {
    init();
    let vlm = Vlm::start();
    let bench = Bench::new(&vlm, &[("busy", &gstvlm::analyze::Busy::Wait), ("max-age", &1u64)]);
    for pts in [0, 1000] {
        bench.push_aside(pts).recv_timeout(LONG).expect("the stream is held").unwrap();
    }
    assert_eq!(bench.count("questions"), 0);
    bench.set("max-age", 0u64);
    let pushed = bench.push_aside(2000);
    vlm.asked().answer("one");
    pushed.recv_timeout(LONG).unwrap().unwrap();
}

#[test]
fn the_picture_is_no_larger_than_max_size() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("max-size", &32u32)]);
    bench.push(0);
    let asked = vlm.asked();
    assert_eq!(jpeg_size(&asked.jpegs()[0]), (32, 24));
    asked.answer("one");
    bench.done();
    bench.set("max-size", 0u32);
    bench.push(1000);
    assert_eq!(jpeg_size(&vlm.asked().jpegs()[0]), (64, 48));
}

#[test]
fn what_is_set_is_sent_and_what_is_not_set_is_not() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    let asked = vlm.asked();
    assert!(asked.body.get("temperature").is_none());
    assert_eq!(asked.body["messages"].as_array().unwrap().len(), 1);
    assert!(asked.authorization.is_none());
    asked.answer("one");
    bench.done();

    bench.set("temperature", 0.25);
    bench.set("max-tokens", 9u32);
    bench.set("system-prompt", "Be brief.");
    bench.push_until_asked(20);
    let asked = vlm.asked();
    assert_eq!(asked.body["temperature"], 0.25);
    assert_eq!(asked.body["max_tokens"], 9);
    assert_eq!(asked.body["messages"][0], json!({ "role": "system", "content": "Be brief." }));
}

#[test]
fn without_a_model_the_first_vision_model_is_asked() {
    init();
    let vlm = Vlm::start();
    vlm.list_models(json!({ "data": [{ "id": "llama3" }, { "id": "llava:7b" }] }));
    let mut bench = Bench::new(&vlm, &[("model", &"")]);
    bench.push(0);
    let asked = vlm.asked();
    assert_eq!(asked.body["model"], "llava:7b");
    asked.answer("one");
    assert_eq!(bench.done().model, "llava:7b");
    assert_eq!(bench.element.property::<String>("model"), "", "the setting is the user's");
}

#[test]
fn a_server_without_models_is_an_error() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("model", &"")]);
    bench.push(0);
    assert_eq!(bench.error().kind, "no-model");
}

#[test]
fn an_element_is_one_user_to_the_server() {
    init();
    let vlm = Vlm::start();
    let mut one = Bench::new(&vlm, &[]);
    let mut users = Vec::new();
    for pts in [0, 1000] {
        one.push(pts);
        let asked = vlm.asked();
        users.push(asked.body["user"].as_str().unwrap().to_owned());
        asked.answer("one");
        one.done();
    }
    let mut other = Bench::with(vlmanalyze(&vlm), &[]);
    other.push(0);
    let asked = vlm.asked();
    users.push(asked.body["user"].as_str().unwrap().to_owned());
    assert_eq!(users[0], users[1]);
    assert_ne!(users[1], users[2]);
}

/// As gst-launch and applications in C set them: GObject warns, and the value before stays.
#[test]
fn a_value_out_of_range_is_refused_with_a_warning() {
    init();
    glib::log_set_always_fatal(glib::LogLevels::empty());
    let (tell, told) = std::sync::mpsc::channel();
    let tell = std::sync::Mutex::new(tell);
    glib::log_set_default_handler(move |_, _, message| {
        let _ = tell.lock().unwrap().send(message.to_owned());
    });
    for (given, name, kept) in [
        ("frames=99", "frames", "1"),
        ("max-tokens=0", "max-tokens", "512"),
        ("jpeg-quality=1000", "jpeg-quality", "80"),
        ("min-change=1.5", "min-change", "0"),
    ] {
        let element = gst::parse::launch(&format!("vlmanalyze {given}")).unwrap();
        let warning = told.recv_timeout(LONG).unwrap();
        assert!(warning.contains(name) && warning.contains("out of range"), "{warning}");
        let value = element.property_value(name).transform::<f64>().unwrap();
        assert_eq!(value.get::<f64>().unwrap().to_string(), kept, "{given}");
    }
}
