//! Starting and stopping: everything that a start began ends with it.

use std::time::Instant;

use gst::prelude::*;
use gstvlm::context::context;

use crate::support::{Bench, Heard, LONG, Slots, Vlm, heard, init, stream_error, vlmanalyze};

#[test]
fn twenty_starts_leave_no_task_behind_and_each_one_answers() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(1, &vlm);
    let pipeline = gst::Pipeline::new();
    let make = |name: &str| gst::ElementFactory::make(name).build().unwrap();
    let chain = [make("videotestsrc"), vlmanalyze(&vlm), make("fakesink")];
    chain[2].set_property("sync", true);
    pipeline.add_many(&chain).unwrap();
    gst::Element::link_many(&chain).unwrap();
    pipeline.set_context(&context(&slots.dispatcher));
    let bus = pipeline.bus().unwrap();
    for start in 0..20 {
        pipeline.set_state(gst::State::Playing).unwrap();
        let text = format!("answer {start}");
        vlm.asked().answer(&text);
        let answer = loop {
            match heard(&bus) {
                Heard::Answer(answer) if answer.done => break answer,
                Heard::Answer(_) => {}
                Heard::Error(error) => panic!("{error:?}"),
            }
        };
        assert_eq!((answer.seq, answer.text), (1, text));
        pipeline.set_state(gst::State::Null).unwrap();
    }
    let began = Instant::now();
    // What stays is the dispatcher's timer and the connections that wait for the next question.
    while slots.dispatcher.members() > 0 || slots.runtime.metrics().num_alive_tasks() > 5 {
        assert!(began.elapsed() < LONG, "tasks of earlier starts are alive");
        std::thread::yield_now();
    }
}

/// How many threads this process has, without those that GLib keeps for later work.
fn threads() -> usize {
    gst::glib::ThreadPool::stop_unused_threads();
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn a_thousand_state_changes_in_any_order_leave_nothing_behind() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(4, &vlm);
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=200/1 ! \
         vlmanalyze name=v api-base={} model=m interval=0 ! fakesink sync=false",
        vlm.base()
    ))
    .unwrap();
    pipeline.set_context(&context(&slots.dispatcher));
    let states = [gst::State::Null, gst::State::Ready, gst::State::Paused, gst::State::Playing];
    // A linear congruential generator (Knuth, TAOCP 2, 3.3.4): the same order in each run.
    let mut random = 1u64;
    let mut before = 0;
    for change in 0..1000 {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        pipeline.set_state(states[(random >> 62) as usize]).unwrap();
        if change % 100 == 0 {
            // Some get as far as to be asked about.
            pipeline.set_state(gst::State::Playing).unwrap();
            let asked = vlm.asked();
            pipeline.set_state(gst::State::Null).unwrap();
            asked.hung_up();
            before = if change == 0 { threads() } else { before };
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    vlm.hang_up_all();
    let began = Instant::now();
    let is_left =
        || slots.dispatcher.members() > 0 || slots.runtime.metrics().num_alive_tasks() > 10;
    while is_left() || threads() > before + 2 {
        assert!(
            began.elapsed() < LONG,
            "{} members, {} tasks, {} threads of {before}",
            slots.dispatcher.members(),
            slots.runtime.metrics().num_alive_tasks(),
            threads()
        );
        std::thread::yield_now();
    }
}

#[test]
fn a_stopped_element_says_nothing_more() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    let mut asked = vlm.asked();
    asked.say("a");
    bench.answer();
    bench.element.set_state(gst::State::Ready).unwrap();
    bench.bus.set_flushing(true);
    bench.bus.set_flushing(false);
    asked.hung_up();
    assert!(bench.is_quiet());
}

#[test]
fn a_new_start_knows_nothing_of_the_one_before() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    vlm.asked().answer("one");
    bench.done();
    bench.element.set_state(gst::State::Ready).unwrap();
    assert_eq!(bench.element.property::<String>("last-answer"), "one");
    bench.element.set_state(gst::State::Playing).unwrap();
    assert_eq!(bench.element.property::<Option<String>>("last-answer"), None);
    assert_eq!(bench.count("questions"), 0);
}

#[test]
fn an_element_that_is_dropped_ends_its_question() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    bench.push(0);
    let asked = vlm.asked();
    let gone = bench.element.downgrade();
    bench.element.set_state(gst::State::Null).unwrap();
    // Its messages refer to it.
    bench.bus.set_flushing(true);
    drop(bench);
    asked.hung_up();
    assert!(gone.upgrade().is_none());
}

#[test]
fn an_address_that_is_none_is_refused_at_once() {
    init();
    let element = vlmanalyze(&Vlm::start());
    element.set_property("api-base", "localhost");
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    assert!(element.set_state(gst::State::Ready).is_err());
    let error = stream_error(&bus);
    assert!(error.contains("api-base"), "{error}");
    element.set_state(gst::State::Null).unwrap();
}
