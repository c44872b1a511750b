//! Which frames are asked about, and what is sent of them.

use gst::{ClockTime, prelude::*};
use serde_json::json;

use crate::support::{Bench, LONG, Vlm, init, jpeg_size, vlmanalyze};

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
