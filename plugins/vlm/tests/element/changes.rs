//! Settings that change while a question is in flight.

use gst::glib;

use crate::support::{Asked, Bench, Vlm, init};

fn cancels(name: &str, value: impl Into<glib::Value>, field: impl Fn(&Asked) -> String, new: &str) {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    let mut asked = vlm.asked();
    asked.say("It");
    assert_eq!(bench.answer().text, "It");
    bench.set(name, value);
    asked.hung_up();
    let cancelled = bench.answer();
    assert!(cancelled.done);
    assert_eq!((cancelled.seq, cancelled.finish_reason.as_str()), (1, "cancelled"));

    // No frame has come since: the same one is asked about again.
    let asked = vlm.asked();
    assert_eq!(field(&asked), new);
    assert_eq!(asked.jpegs().len(), 1);
    asked.answer("a ball");
    let answer = bench.done();
    assert_eq!((answer.seq, answer.text.as_str()), (2, "a ball"));
    assert_eq!(answer.pts, Some(gst::ClockTime::ZERO));
    assert_eq!((bench.count("cancelled"), bench.count("errors")), (1, 0));
}

#[test]
fn a_changed_prompt_cancels_the_question_and_asks_again() {
    cancels("prompt", "Why?", |asked| asked.prompt().to_owned(), "Why?");
}

#[test]
fn a_changed_model_cancels_the_question_and_asks_again() {
    cancels("model", "n", |asked| asked.body["model"].as_str().unwrap().to_owned(), "n");
}

#[test]
fn a_changed_system_prompt_cancels_the_question_and_asks_again() {
    let system = |asked: &Asked| asked.body["messages"][0]["content"].as_str().unwrap().to_owned();
    cancels("system-prompt", "Be brief.", system, "Be brief.");
}

#[test]
fn deltas_add_up_to_the_text_of_a_cancelled_answer() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    let mut asked = vlm.asked();
    // The first is told at once, the second with the next batch.
    asked.say_both("a red", " ball");
    let mut told = bench.answer().delta;
    bench.set("prompt", "Why?");
    loop {
        let answer = bench.answer();
        told += &answer.delta;
        assert_eq!(told, answer.text);
        if answer.done {
            break;
        }
    }
}

#[test]
fn a_question_without_an_answer_yet_is_cancelled_silently() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    let asked = vlm.asked();
    bench.set("prompt", "Why?");
    asked.hung_up();
    vlm.asked().answer("Because.");
    assert_eq!(bench.answer().seq, 2);
}

#[test]
fn a_changed_prompt_is_asked_about_the_next_frame_when_nothing_is_in_flight() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("interval", &60_000_000_000u64)]);
    bench.push(0);
    vlm.asked().answer("one");
    bench.done();
    bench.set("prompt", "Why?");
    bench.push_until_asked(1);
    assert_eq!(vlm.asked().prompt(), "Why?");
}

#[test]
fn what_matters_to_the_next_question_only_cancels_nothing() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    let mut asked = vlm.asked();
    asked.say("a");
    bench.answer();
    bench.set("max-tokens", 7u32);
    bench.set("temperature", 1.0);
    bench.set("max-size", 16u32);
    bench.set("prompt", asked.prompt());
    bench.set("api-base", vlm.base());
    asked.say(" ball");
    assert_eq!(bench.answer().text, "a ball");
    asked.finish();
    assert_eq!(bench.done().finish_reason, "stop");
    bench.push(1000);
    assert_eq!(vlm.asked().body["max_tokens"], 7);
    assert_eq!(bench.count("cancelled"), 0);
}
