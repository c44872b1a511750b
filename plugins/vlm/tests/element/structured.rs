//! Structured answers, and fields of the request that are the user's own.

use gst::prelude::*;
use gstvlm::{analyze::ErrorPolicy, meta};

use crate::support::{Bench, Vlm, init};

const SCHEMA: &str = r#"{
    "type": "object",
    "properties": {"people": {"type": "integer"}, "doing": {"type": "string"}},
    "required": ["people"]
}"#;

#[test]
fn an_answer_that_fits_is_posted_as_fields_and_is_on_the_buffers() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("response-schema", &SCHEMA)]);
    bench.push(0);
    let asked = vlm.asked();
    let format = &asked.body["response_format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(format["json_schema"]["schema"]["required"][0], "people");
    asked.answer(r#"{"people": 2, "doing": "cooking"}"#);
    let answer = bench.done();
    let fields = answer.fields.as_ref().unwrap();
    assert_eq!(fields.get::<i64>("people"), Ok(2));
    assert_eq!(fields.get::<String>("doing"), Ok("cooking".into()));
    let json: serde_json::Value = serde_json::from_str(&answer.json).unwrap();
    assert_eq!(json, serde_json::json!({ "people": 2, "doing": "cooking" }));
    assert_eq!(meta::answer(&bench.push(20)), Some(answer));
}

#[test]
fn an_answer_that_does_not_fit_is_an_error_of_its_own_kind_with_the_raw_text() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("response-schema", &SCHEMA)]);
    bench.push(0);
    vlm.asked().answer("Two people cook.");
    let error = bench.error();
    assert_eq!((error.seq, error.kind.as_str()), (1, "schema"));
    assert_eq!(error.text, "Two people cook.");
    assert!(error.message.contains("response-schema"), "{}", error.message);
    assert_eq!((bench.count("answers"), bench.count("errors")), (0, 1));
    assert_eq!(bench.element.property::<Option<String>>("last-answer"), None);
    // The server is not to blame: the next sample is asked about as ever.
    bench.push(1000);
    vlm.asked().answer(r#"{"people": 0}"#);
    assert_eq!(bench.done().seq, 2);
}

#[test]
fn an_answer_that_was_cut_off_says_what_to_raise() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("response-schema", &SCHEMA)]);
    bench.push(0);
    let body = r#"{"choices":[{"message":{"content":"{\"peo"},"finish_reason":"length"}]}"#;
    vlm.asked().reply(200, &[("content-type", "application/json")], body);
    let error = bench.error();
    assert!(error.message.contains("max-tokens"), "{}", error.message);
}

#[test]
fn a_schema_that_changes_cancels_the_question() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    let asked = vlm.asked();
    bench.set("response-schema", SCHEMA);
    asked.hung_up();
    assert!(vlm.asked().body.get("response_format").is_some());
}

#[test]
fn extra_fields_reach_the_server() {
    init();
    let vlm = Vlm::start();
    let extra = r#"{"top_p": 0.5, "chat_template_kwargs": {"enable_thinking": false}}"#;
    let mut bench = Bench::new(&vlm, &[("extra-body", &extra)]);
    bench.push(0);
    let asked = vlm.asked();
    assert_eq!(asked.body["top_p"], 0.5);
    assert_eq!(asked.body["chat_template_kwargs"]["enable_thinking"], false);
    assert_eq!(bench.element.property::<String>("extra-body"), extra);
}

#[test]
fn what_is_not_json_is_refused_with_a_warning_and_the_value_before_stays() {
    init();
    let vlm = Vlm::start();
    let good = [("extra-body", r#"{"top_p": 0.5}"#), ("response-schema", SCHEMA)];
    let bad = ["{", "[]", r#"{"model": "other", "type": 7}"#];
    let mut bench = Bench::new(&vlm, &[(good[0].0, &good[0].1), (good[1].0, &good[1].1)]);
    for (name, value) in good {
        for text in bad {
            bench.set(name, text);
            let message = bench.bus.pop_filtered(&[gst::MessageType::Warning]).unwrap();
            let gst::MessageView::Warning(warning) = message.view() else { unreachable!() };
            assert!(warning.error().to_string().contains(name), "{warning:?}");
            assert_eq!(bench.element.property::<String>(name), value);
        }
    }
    bench.push(0);
    let asked = vlm.asked();
    assert_eq!(asked.body["top_p"], 0.5);
    assert_eq!(asked.body["model"], "m");
    asked.answer(r#"{"people": 1}"#);
    bench.done();
}

#[test]
fn with_the_policy_to_fail_an_answer_that_does_not_fit_ends_the_stream() {
    init();
    let vlm = Vlm::start();
    let mut bench =
        Bench::new(&vlm, &[("response-schema", &SCHEMA), ("error-policy", &ErrorPolicy::Fail)]);
    bench.push(0);
    vlm.asked().answer("no");
    let error = crate::support::stream_error(&bench.bus);
    assert!(error.contains("response-schema"), "{error}");
}
