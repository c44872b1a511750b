//! Answers as classifications of GStreamer's analytics library.

use gst_analytics::{AnalyticsClassificationMtd, AnalyticsRelationMeta, prelude::*};

use crate::support::{Bench, Vlm, init};

const DOOR: &str = r#"{"properties": {"door": {"enum": ["open", "shut"]}}}"#;
const YARD: &str = r#"{"properties": {
    "cars": {"enum": [0, 1, 2]},
    "gate": {"properties": {"door": {"enum": ["open", "shut"]}}},
    "animals": {"type": "array", "items": {"enum": ["cat", "dog"]}},
    "note": {"type": "string"}
}}"#;

/// The classes on a buffer, in their order. All are certain.
fn classes(buffer: &gst::BufferRef) -> Vec<String> {
    let Some(relations) = buffer.meta::<AnalyticsRelationMeta>() else { return Vec::new() };
    let classes = relations.iter::<AnalyticsClassificationMtd>().flat_map(|classification| {
        let of_one = classification.iterate().collect::<Vec<_>>();
        of_one.into_iter().map(|(class, confidence)| {
            assert_eq!(confidence, 1.0);
            class.as_str().to_string()
        })
    });
    classes.collect()
}

/// An element with a schema that has had this answer about its first frame.
fn answered(vlm: &Vlm, schema: &str, answer: &str) -> Bench {
    let mut bench = Bench::new(vlm, &[("response-schema", &schema)]);
    bench.push(0);
    vlm.asked().answer(answer);
    bench.done();
    bench
}

#[test]
fn values_that_the_schema_lists_are_classes_of_every_buffer_until_the_next_answer() {
    init();
    let vlm = Vlm::start();
    let answer =
        r#"{"cars": 2, "gate": {"door": "shut"}, "animals": ["dog", "cat", "dog"], "note": "so"}"#;
    let mut bench = answered(&vlm, YARD, answer);
    let expected = ["animals=dog", "animals=cat", "cars=2", "gate.door=shut"];
    assert_eq!(classes(&bench.push(20)), expected);
    assert_eq!(classes(&bench.push(40)), expected);
    bench.push(1000);
    vlm.asked().answer(r#"{"note": "nothing is there"}"#);
    bench.done();
    assert!(classes(&bench.push(1020)).is_empty());
}

#[test]
fn a_second_element_adds_its_classes_behind_those_of_the_first() {
    init();
    let vlm = Vlm::start();
    let mut first = answered(&vlm, DOOR, r#"{"door": "open"}"#);
    let mut second = answered(&vlm, DOOR, r#"{"door": "shut"}"#);
    let buffer = second.harness.push_and_pull(first.push(20)).unwrap();
    assert_eq!(classes(&buffer), ["door=open", "door=shut"]);
    let answer = gstvlm::meta::answer(&buffer).unwrap();
    assert_eq!(answer.text, r#"{"door": "shut"}"#, "of answers there is the last");
}

#[test]
fn converters_keep_the_classes() {
    init();
    let vlm = Vlm::start();
    let mut bench = answered(&vlm, DOOR, r#"{"door": "open"}"#);
    let buffer = bench.push(20);
    let mut converter = gst_check::Harness::new_parse("videoconvert ! videoscale");
    converter.set_src_caps_str("video/x-raw,format=I420,width=64,height=48,framerate=0/1");
    converter.set_sink_caps_str("video/x-raw,format=RGBA,width=32,height=24,framerate=0/1");
    assert_eq!(classes(&converter.push_and_pull(buffer).unwrap()), ["door=open"]);
}
