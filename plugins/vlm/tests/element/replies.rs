//! What real servers write comes out of the element as what it means: bytes in, a message out.

use gst::prelude::*;
use gstvlm::messages::Answer;
use serde_json::Value;

use self::data::{Reply, Server, replies};
use crate::support::{Asked, Bench, Heard, Vlm, init};

#[path = "../../../../crates/vlm-client/tests/replies/mod.rs"]
mod data;

const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {"people": {"type": "integer"}},
    "required": ["people"]
}"#;
/// What asks with a setting that another setting can mend is left alone for so long.
const LONG_MS: u64 = 30_000;

/// The end of the first answer, or the first error, of an element that asks this server.
fn came(server: &Server, properties: &[(&str, &str)]) -> Heard {
    let element = gst::ElementFactory::make("vlmanalyze").build().unwrap();
    element.set_property("api-base", &server.base);
    // Whatever is asked again is not waited for.
    element.set_property("interval", 3_600_000_000_000_u64);
    for (name, value) in properties {
        element.set_property(name, value);
    }
    let mut bench = Bench::with(element, &[]);
    bench.push(0);
    loop {
        match bench.heard() {
            Heard::Answer(answer) if !answer.done => {}
            heard => return heard,
        }
    }
}

/// What is wrong with what has come of a reply, if anything is.
fn verdict(reply: &Reply, heard: &Heard) -> Option<String> {
    let is_right = match heard {
        Heard::Answer(answer) => {
            reply.error_says.is_none()
                && reply.answer.as_ref().is_none_or(|text| *text == answer.text)
                && reply.answer_contains.as_ref().is_none_or(|text| answer.text.contains(text))
                && reply.thinks.is_none_or(|thinks| thinks != answer.reasoning.is_empty())
                && reply.json.as_ref().is_none_or(|json| is_same(json, answer))
        }
        Heard::Error(error) => {
            let says = |word: &String| error.message.contains(word);
            reply.error_says.as_ref().is_some_and(|words| words.iter().all(says))
                && reply.kind.as_ref().is_none_or(|kind| *kind == error.kind)
                && reply.is_retried.is_none_or(|is_it| is_it == (error.retry_in_ms < LONG_MS))
                && reply
                    .retry_in_ms
                    .is_none_or(|[least, most]| (least..=most).contains(&error.retry_in_ms))
        }
    };
    (!is_right).then(|| format!("{}: {heard:?}", reply.name))
}

fn is_same(json: &str, answer: &Answer) -> bool {
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    value(json) == value(&answer.json)
        && answer.fields.as_ref().unwrap().get::<i64>("people") == Ok(2)
}

fn check(file: &str, properties: &[(&str, &str)]) {
    init();
    let mut wrong = Vec::new();
    for reply in replies(file) {
        let server = Server::answering(&reply);
        let asked_for = [&[("model", "m")], properties].concat();
        wrong.extend(verdict(&reply, &came(&server, &asked_for)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn answers_in_every_form_are_posted() {
    check("answers.toml", &[]);
}

#[test]
fn thoughts_in_every_form_are_kept_apart() {
    check("thoughts.toml", &[]);
}

#[test]
fn failures_that_are_said_with_success_are_errors() {
    check("failures.toml", &[]);
}

#[test]
fn refusals_are_errors_in_the_servers_words() {
    check("refusals.toml", &[]);
}

#[test]
fn a_model_that_takes_no_pictures_is_told_from_whatever_else_is_refused() {
    check("no-vision.toml", &[]);
}

#[test]
fn a_model_that_is_not_there_is_told_as_such() {
    check("unknown-models.toml", &[]);
}

#[test]
fn what_is_used_up_is_told_as_such_whatever_the_status() {
    check("quotas.toml", &[]);
}

#[test]
fn a_server_is_asked_again_when_it_says() {
    check("later.toml", &[]);
}

#[test]
fn notices_cost_no_answer() {
    check("notices.toml", &[]);
}

#[test]
fn a_server_is_asked_again_without_what_it_refuses() {
    check("adapt.toml", &[]);
}

#[test]
fn json_in_every_form_is_posted_as_fields() {
    check("structured.toml", &[("response-schema", SCHEMA)]);
}

#[test]
fn the_model_to_ask_is_found_in_every_list() {
    init();
    let mut wrong = Vec::new();
    for reply in replies("models.toml") {
        let server = Server::listing(&reply);
        let heard = came(&server, &[]);
        wrong.extend(verdict(&reply, &heard));
        let asked: Option<Value> =
            server.asked.try_recv().ok().and_then(|body| serde_json::from_str(&body).ok());
        let model = asked.and_then(|asked| asked["model"].as_str().map(str::to_owned));
        if model != reply.model {
            wrong.push(format!("{}: {model:?} was asked", reply.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn text_that_a_late_mark_shows_to_be_thought_is_taken_back() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    let mut asked = vlm.asked();
    asked.say("Is it round?");
    let first = bench.answer();
    assert_eq!((first.text.as_str(), first.retracted), ("Is it round?", false));
    asked.say("\n</think>\n\n");
    asked.say("A red");
    let second = next_with_text(&bench, "A red");
    assert_eq!((second.delta.as_str(), second.retracted), ("A red", true));
    asked.say(" ball.");
    let third = next_with_text(&bench, "A red ball.");
    assert_eq!((third.delta.as_str(), third.retracted), (" ball.", false));
    asked.finish();
    let last = bench.done();
    assert_eq!((last.text.as_str(), last.retracted), ("A red ball.", false));
    assert_eq!(last.reasoning, "Is it round?\n");
}

fn next_with_text(bench: &Bench, text: &str) -> Answer {
    loop {
        let answer = bench.answer();
        if answer.text == text {
            return answer;
        }
    }
}

#[test]
fn what_was_never_shown_is_not_taken_back() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    vlm.asked().answer("Is it round?</think>A red ball.");
    let last = bench.done();
    assert_eq!((last.text.as_str(), last.retracted), ("A red ball.", false));
    assert_eq!(last.reasoning, "Is it round?");
}

/// An answer without text is told, and the next sample is asked about as ever.
fn is_told_once(reply: impl FnOnce(Asked), kind: &str, says: &str) {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    vlm.asked().answer("A cup.");
    bench.done();
    bench.push(1000);
    reply(vlm.asked());
    let error = bench.error();
    assert_eq!((error.seq, error.kind.as_str(), error.retry_in_ms), (2, kind, 0));
    assert!(error.message.contains(says), "{}", error.message);
    assert_eq!(bench.element.property::<String>("last-answer"), "A cup.");
    assert_eq!((bench.count("answers"), bench.count("errors")), (1, 1));
    bench.push(2000);
    vlm.asked().answer("A ball.");
    assert_eq!(bench.done().seq, 3);
}

#[test]
fn an_answer_without_text_is_an_error_and_no_reason_to_wait() {
    is_told_once(Asked::finish, "empty", "without any text");
}

#[test]
fn thoughts_that_take_all_tokens_say_what_to_raise() {
    let reply = |mut asked: Asked| {
        asked.think("Is it round?");
        asked
            .chunk(&serde_json::json!({ "choices": [{ "delta": {}, "finish_reason": "length" }] }));
        asked.finish();
    };
    is_told_once(reply, "empty", "raise max-tokens");
}

#[test]
fn a_refusal_is_told_in_the_models_words() {
    let reply = |mut asked: Asked| {
        asked.chunk(&serde_json::json!({
            "choices": [{ "delta": { "content": null, "refusal": "I can't help with that." } }],
        }));
        asked.finish();
    };
    is_told_once(reply, "declined", "I can't help with that.");
}

#[test]
fn what_was_shown_before_a_filter_stepped_in_is_no_answer() {
    let reply = |mut asked: Asked| {
        asked.say("A red");
        asked.chunk(&serde_json::json!({
            "choices": [{ "delta": {}, "finish_reason": "content_filter" }],
        }));
        asked.finish();
    };
    is_told_once(reply, "declined", "filter");
}
