//! Elements that share one dispatcher.

use gst::prelude::*;
use gstvlm::context::{CONTEXT_TYPE, context};

use crate::support::{Slots, Vlm, init, vlmanalyze};

/// A pipeline with two elements that are no neighbours.
fn two(vlm: &Vlm) -> gst::Pipeline {
    let pipeline = gst::Pipeline::new();
    for _ in 0..2 {
        let make = |name: &str| gst::ElementFactory::make(name).build().unwrap();
        let source = make("videotestsrc");
        source.set_property("num-buffers", 1);
        let chain = [source, vlmanalyze(vlm), make("fakesink")];
        pipeline.add_many(&chain).unwrap();
        gst::Element::link_many(&chain).unwrap();
    }
    pipeline
}

/// How many dispatchers elements of the pipeline made.
fn made(pipeline: &gst::Pipeline) -> usize {
    let bus = pipeline.bus().unwrap();
    std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::HaveContext]))
        .filter(|message| match message.view() {
            gst::MessageView::HaveContext(have) => have.context().context_type() == CONTEXT_TYPE,
            _ => false,
        })
        .count()
}

#[test]
fn elements_of_a_pipeline_share_a_dispatcher_without_anybodys_help() {
    init();
    let vlm = Vlm::start();
    let pipeline = two(&vlm);
    pipeline.set_state(gst::State::Playing).unwrap();
    vlm.asked().answer("one");
    vlm.asked().answer("two");
    assert_eq!(made(&pipeline), 1);
    pipeline.set_state(gst::State::Null).unwrap();
    pipeline.set_state(gst::State::Ready).unwrap();
    assert_eq!(made(&pipeline), 0, "the next start makes no other");
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_context_from_the_application_is_used_and_its_slots_are_kept() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(1, &vlm);
    let pipeline = two(&vlm);
    pipeline.set_context(&context(&slots.dispatcher));
    pipeline.set_state(gst::State::Playing).unwrap();
    let first = vlm.asked();
    slots.wait_for_load((1, 1));
    assert!(vlm.is_idle(), "there is one slot");
    first.answer("one");
    vlm.asked().answer("two");
    assert_eq!(made(&pipeline), 0);
    assert_eq!(slots.dispatcher.members(), 2);
    pipeline.set_state(gst::State::Null).unwrap();
    slots.wait_for_load((0, 0));
}

#[test]
fn a_cancelled_question_frees_its_slot_for_the_other() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(1, &vlm);
    let mut one = slots.bench(&vlm, &[]);
    let mut other = slots.bench(&vlm, &[("prompt", &"Why?")]);
    one.push(0);
    let asked = vlm.asked();
    other.push(0);
    slots.wait_for_load((1, 1));
    one.element.set_state(gst::State::Null).unwrap();
    asked.hung_up();
    assert_eq!(vlm.asked().prompt(), "Why?");
}
