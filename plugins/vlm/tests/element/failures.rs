//! A VLM that fails is told of and never stops the pipeline, and a later answer works.

use std::time::Instant;

use gstvlm::messages::AnswerError;

use crate::support::{Asked, Bench, Vlm, init, nobody};

/// More than the test's frames are apart: no sample is due after the first.
const FAR: u64 = 60_000_000_000;

/// The pipeline goes on, and once the user changes something the next frame is asked about.
fn recovers(vlm: &Vlm, bench: &mut Bench) {
    bench.push(20);
    bench.set("prompt", "And now?");
    bench.push_until_asked(40);
    let asked = vlm.asked();
    assert_eq!(asked.prompt(), "And now?");
    asked.answer("fine");
    assert_eq!(bench.done().text, "fine");
}

fn fails(reply: impl FnOnce(Asked)) -> AnswerError {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("interval", &FAR)]);
    bench.push(0);
    reply(vlm.asked());
    let error = bench.error();
    assert_eq!(error.seq, 1);
    assert_eq!((bench.count("errors"), bench.count("answers")), (1, 0));
    recovers(&vlm, &mut bench);
    error
}

#[test]
fn a_server_that_is_not_there() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("interval", &FAR), ("api-base", &nobody())]);
    bench.push(0);
    let error = bench.error();
    assert_eq!((error.kind.as_str(), error.retry_in_ms), ("refused", 1000));
    bench.set("api-base", vlm.base());
    bench.push_until_asked(20);
    vlm.asked().answer("fine");
    assert_eq!(bench.done().text, "fine");
}

#[test]
fn a_wrong_key() {
    let error = fails(|asked| asked.reply(401, &[], "who are you"));
    assert_eq!((error.kind.as_str(), error.retry_in_ms), ("unauthorized", 30_000));
}

#[test]
fn an_unknown_model() {
    let body = r#"{"error":{"message":"model 'm' not found"}}"#;
    let error = fails(|asked| asked.reply(404, &[], body));
    assert_eq!(error.kind, "model-unknown");
    assert!(error.message.contains("\"m\""), "{}", error.message);
}

/// As llama.cpp says it.
#[test]
fn a_model_that_takes_no_pictures() {
    let said = "image input is not supported - hint: if this is unexpected, you may need to \
                provide the mmproj";
    let body = format!(r#"{{"error":{{"code":500,"message":"{said}","type":"server_error"}}}}"#);
    let error = fails(|asked| asked.reply(500, &[], &body));
    assert_eq!((error.kind.as_str(), error.retry_in_ms), ("no-vision", 30_000));
    assert!(error.message.contains("choose a vision model"), "{}", error.message);
}

#[test]
fn a_server_with_too_much_to_do_says_when_to_come_back_and_is_obeyed() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("interval", &FAR)]);
    bench.push(0);
    vlm.asked().reply(429, &[("retry-after", "0.5")], "slow down");
    let error = bench.error();
    assert_eq!((error.kind.as_str(), error.retry_in_ms), ("rate-limited", 500));
    // Impatience does not help.
    bench.set("prompt", "And now?");
    while !bench.bus.have_pending() {
        bench.push(20);
    }
    let error = bench.error();
    assert_eq!(error.kind, "unavailable");
    assert!(error.message.contains("slow down"), "{}", error.message);
    bench.push_until_asked(40);
    vlm.asked().answer("fine");
    assert_eq!(bench.done().text, "fine");
}

#[test]
fn a_server_that_fails() {
    let error = fails(|asked| asked.reply(500, &[], "out of memory"));
    assert_eq!((error.kind.as_str(), error.retry_in_ms), ("server", 1000));
    assert!(error.message.contains("out of memory"), "{}", error.message);
}

#[test]
fn a_server_that_is_something_else() {
    let html = [("content-type", "text/html")];
    let error = fails(|asked| asked.reply(200, &html, "<html>hello"));
    assert_eq!(error.kind, "protocol");
}

#[test]
fn an_answer_that_breaks_off() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("interval", &FAR)]);
    bench.push(0);
    let mut asked = vlm.asked();
    asked.say("a red");
    assert_eq!(bench.answer().text, "a red");
    asked.cut();
    assert_eq!(bench.error().kind, "cut");
    recovers(&vlm, &mut bench);
}

#[test]
fn an_answer_that_takes_too_long() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("interval", &FAR), ("timeout", &50_000_000u64)]);
    bench.push(0);
    let mut asked = vlm.asked();
    asked.say("Well, ");
    assert_eq!(bench.error().kind, "timeout");
    asked.hung_up();
    bench.set("timeout", 10_000_000_000u64);
    recovers(&vlm, &mut bench);
}

#[test]
fn it_is_asked_again_when_it_said_and_not_before() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("interval", &FAR)]);
    bench.push(0);
    let replied = Instant::now();
    vlm.asked().reply(429, &[("retry-after", "0.2")], "");
    assert_eq!(bench.error().retry_in_ms, 200);
    // No sample is due: the question that failed is asked again, about a newer frame.
    bench.push_until_asked(1);
    assert!(replied.elapsed().as_millis() >= 200, "{:?}", replied.elapsed());
    vlm.asked().answer("fine");
    assert!(bench.done().pts > Some(gst::ClockTime::ZERO));
}
