//! An answer's way from the VLM to the bus, to the property and onto buffers.

use gst::prelude::*;
use gstvlm::meta;

use crate::support::{Bench, FORMAT, LONG, Slots, Vlm, init};

#[test]
fn a_streamed_answer_is_told_piece_by_piece() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("prompt", &"What is it?")]);
    bench.push(40);
    let mut asked = vlm.asked();
    assert_eq!(asked.prompt(), "What is it?");
    assert_eq!(asked.body["model"], "m");
    assert_eq!(asked.body["max_tokens"], 512);

    asked.say("a red");
    let first = bench.answer();
    assert_eq!((first.text.as_str(), first.delta.as_str(), first.done), ("a red", "a red", false));
    assert_eq!(first.finish_reason, "");
    assert_eq!(first.tokens_in, None);
    assert!(first.first_token_ms.is_some());

    asked.say(" ball");
    let second = bench.answer();
    assert_eq!((second.text.as_str(), second.delta.as_str()), ("a red ball", " ball"));
    asked.finish();

    let last = bench.answer();
    assert!(last.done);
    assert_eq!(last.text, "a red ball");
    assert_eq!(last.delta, "", "all was told");
    assert_eq!(last.seq, 1);
    assert_eq!(last.pts, Some(gst::ClockTime::from_mseconds(40)));
    assert_eq!(last.running_time, Some(gst::ClockTime::from_mseconds(40)));
    assert_eq!((last.model.as_str(), last.prompt.as_str()), ("m", "What is it?"));
    assert_eq!((last.tokens_in, last.tokens_out), (Some(70), 3));
    assert_eq!(last.finish_reason, "stop");
    assert!(last.first_token_ms.unwrap() <= last.latency_ms);
    assert!(last.latency_ms <= last.age_ms, "the frame is older than the question");
    assert!(bench.is_quiet());
}

#[test]
fn what_the_model_thinks_is_kept_apart_from_the_answer() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    let mut asked = vlm.asked();
    asked.think("Red? ");
    asked.think("Yes.");
    asked.say("A red ball.");
    let first = bench.answer();
    assert_eq!((first.text.as_str(), first.reasoning.as_str()), ("A red ball.", ""));
    asked.finish();
    let last = bench.answer();
    assert!(last.done);
    assert_eq!((last.text.as_str(), last.reasoning.as_str()), ("A red ball.", "Red? Yes."));
    bench.push(40);
    assert_eq!(bench.element.property::<String>("last-answer"), "A red ball.");
}

#[test]
fn a_complete_answer_is_signalled_once() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    let (tell, told) = std::sync::mpsc::channel();
    bench.element.connect("answer", false, move |values| {
        let _ = tell.send(values[1].get::<gst::Structure>().unwrap());
        None
    });
    bench.push(0);
    let mut asked = vlm.asked();
    asked.say("a ");
    bench.answer();
    asked.say("ball");
    asked.finish();
    let structure = told.recv_timeout(LONG).unwrap();
    let answer = gstvlm::messages::Answer::from_structure(&structure).unwrap();
    assert_eq!((answer.text.as_str(), answer.done), ("a ball", true));
    assert!(told.try_recv().is_err());
}

#[test]
fn whoever_hears_of_an_answer_may_take_their_time() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(1, &vlm);
    let mut bench = slots.bench(&vlm, &[]);
    let (called, when_called) = std::sync::mpsc::channel();
    let (go_on, when_to_go_on) = std::sync::mpsc::channel::<()>();
    let when_to_go_on = std::sync::Mutex::new(when_to_go_on);
    bench.element.connect("answer", false, move |_| {
        let _ = called.send(());
        let _ = when_to_go_on.lock().unwrap().recv_timeout(LONG);
        None
    });
    bench.push(0);
    vlm.asked().answer("one");
    when_called.recv_timeout(LONG).unwrap();
    // The server's one slot is free.
    let mut other = slots.join();
    let turn = slots.runtime.block_on(other.turn(live_vlm_dispatch::Want::default(), || ()));
    assert!(turn.is_ok());
    drop(turn);
    go_on.send(()).unwrap();
}

/// However the pieces are put together, what was told adds up to the answer.
#[test]
fn deltas_add_up_to_the_text() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    let mut asked = vlm.asked();
    (0..200).for_each(|n| asked.say(&format!("{n} ")));
    asked.finish();
    let mut told = String::new();
    loop {
        let answer = bench.answer();
        told += &answer.delta;
        assert_eq!(told, answer.text);
        if answer.done {
            break;
        }
    }
    assert!(told.ends_with("198 199"));
}

#[test]
fn an_answer_that_is_not_streamed_is_an_answer() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    let body = r#"{"choices":[{"message":{"content":"all"},"finish_reason":"length"}]}"#;
    vlm.asked().reply(200, &[("content-type", "application/json")], body);
    let answer = bench.done();
    assert_eq!((answer.text.as_str(), answer.finish_reason.as_str()), ("all", "length"));
    assert_eq!((answer.tokens_in, answer.tokens_out), (None, 1));
}

#[test]
fn the_last_answer_can_be_read_and_is_on_every_later_buffer() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    assert!(meta::answer(&bench.push(0)).is_none());
    assert_eq!(bench.element.property::<Option<String>>("last-answer"), None);
    vlm.asked().answer("one");
    let first = bench.done();
    assert_eq!(bench.element.property::<String>("last-answer"), "one");
    for pts in [20, 40, 60] {
        assert_eq!(meta::answer(&bench.push(pts)), Some(first.clone()));
    }

    bench.push(1000);
    vlm.asked().answer("two");
    assert_eq!(bench.done().seq, 2);
    assert_eq!(meta::answer(&bench.push(1020)).unwrap().text, "two");
    assert_eq!(bench.element.property::<String>("last-answer"), "two");
    assert_eq!(bench.count("answers"), 2);
}

#[test]
fn the_answer_on_a_buffer_survives_conversion() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    vlm.asked().answer("one");
    bench.done();
    let mut convert = gst_check::Harness::new("videoconvert");
    convert.set_caps_str(FORMAT, "video/x-raw,format=RGBA,width=64,height=48");
    let converted = convert.push_and_pull(bench.push(20)).unwrap();
    assert_eq!(meta::answer(&converted).unwrap().text, "one");
    // For those who read the meta with whatever they have.
    let carried = gst::meta::CustomMeta::from_buffer(&converted, meta::META).unwrap();
    let json: String = carried.structure().get(meta::AS_JSON).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["text"], &json["pts"]), (&"one".into(), &0.into()));
}

/// Two elements in a row: the answer of the second must not keep fields of the first.
#[test]
fn an_answer_on_a_buffer_replaces_another_whole() {
    init();
    let vlm = Vlm::start();
    let mut first = Bench::new(&vlm, &[]);
    let mut second = Bench::new(&vlm, &[]);
    first.push(0);
    vlm.asked().answer("counted");
    first.done();
    second.harness.push_and_pull(first.push(20)).unwrap();
    let body = r#"{"choices":[{"message":{"content":"not counted"}}]}"#;
    vlm.asked().reply(200, &[], body);
    second.done();
    let buffer = second.harness.push_and_pull(first.push(40)).unwrap();
    let answer = meta::answer(&buffer).unwrap();
    assert_eq!((answer.text.as_str(), answer.tokens_in), ("not counted", None));
}
