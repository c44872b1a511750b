//! An element for which somebody else asks.

use std::{sync::mpsc::Receiver, time::Duration};

use gst::prelude::*;
use gstvlm::{
    analyze::Busy,
    context::remote_context,
    remote::{FromElement, NothingToAsk, Outcome, Picture, RemoteAsker},
};
use tokio::runtime::Runtime;

use crate::support::{Bench, FORMAT, LONG, decoded, frame, init, init_with_env, jpeg_size};

const FAR: u64 = 60_000_000_000;

/// Whoever asks, as far as the test wants it.
pub(crate) struct Elsewhere {
    pub(crate) asker: RemoteAsker,
    said: Receiver<FromElement>,
    _runtime: Runtime,
}

impl Elsewhere {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (say, said) = std::sync::mpsc::channel();
        let asker = RemoteAsker::new(runtime.handle(), move |what| drop(say.send(what)));
        Self { asker, said, _runtime: runtime }
    }

    fn element(&self) -> gst::Element {
        // There is no such server, and nobody asks it.
        let element = gst::ElementFactory::make("vlmanalyze")
            .property("api-base", "http://127.0.0.1:1/v1")
            .build()
            .unwrap();
        element.set_context(&remote_context(&self.asker));
        element
    }

    pub(crate) fn bench(&self, properties: &[(&str, &dyn ToValue)]) -> Bench {
        Bench::with(self.element(), properties)
    }

    pub(crate) fn said(&self) -> FromElement {
        self.said.recv_timeout(LONG).expect("the element should say something")
    }

    /// The element's next want; whether it is urgent.
    fn wanted(&self) -> bool {
        match self.said() {
            FromElement::Want { urgent, .. } => urgent,
            other => panic!("{other:?}"),
        }
    }

    fn given_up(&self) {
        let said = self.said();
        assert!(matches!(said, FromElement::GiveUp), "{said:?}");
    }

    fn question(&self) -> Vec<Picture> {
        match self.said() {
            FromElement::Question(pictures) => pictures,
            other => panic!("{other:?}"),
        }
    }

    fn nothing(&self) -> NothingToAsk {
        match self.said() {
            FromElement::NoQuestion(why) => why,
            other => panic!("{other:?}"),
        }
    }

    /// Gives the turn for a want, and takes the question.
    fn turn(&self) -> Vec<Picture> {
        self.asker.turn();
        self.question()
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.said.try_recv().is_err()
    }
}

/// A frame of one brightness.
pub(crate) fn shade(pts_ms: u64, luma: u8) -> gst::Buffer {
    let mut buffer = frame(pts_ms);
    buffer.get_mut().unwrap().map_writable().unwrap()[..64 * 48].fill(luma);
    buffer
}

/// How bright a picture is.
pub(crate) fn brightness(picture: &Picture) -> u8 {
    decoded(&picture.jpeg).get_pixel(32, 24).0[1]
}

#[test]
fn a_want_has_its_turn_and_then_a_question_with_pictures() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = elsewhere.bench(&[]);
    bench.push(0);
    assert!(!elsewhere.wanted(), "nobody waits for it");
    assert_eq!(bench.count("questions"), 0);
    let pictures = elsewhere.turn();
    assert_eq!(pictures.len(), 1);
    assert_eq!(jpeg_size(&pictures[0].jpeg), (64, 48));
    assert_eq!(pictures[0].label, "");
    assert!(pictures[0].captured.elapsed() < LONG);
    assert_eq!(bench.count("questions"), 1);
    elsewhere.asker.ended(Outcome::Done);
    bench.push(999);
    bench.push(1000);
    elsewhere.wanted();
    assert!(elsewhere.is_quiet() && bench.is_quiet());
}

#[test]
fn the_newest_frame_is_chosen_when_the_turn_is_there() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = elsewhere.bench(&[]);
    bench.push(0);
    elsewhere.wanted();
    bench.harness.push(shade(10, 40)).unwrap();
    bench.harness.push(shade(20, 200)).unwrap();
    assert!(brightness(&elsewhere.turn()[0]) > 180);
}

#[test]
fn the_pictures_of_a_clip_come_in_order_and_with_their_times() {
    init();
    let elsewhere = Elsewhere::new();
    let spacing = 500_000_000_u64;
    let mut bench = elsewhere.bench(&[("frames", &2_u32), ("frame-spacing", &spacing)]);
    bench.harness.push(shade(0, 40)).unwrap();
    bench.harness.push(shade(500, 200)).unwrap();
    elsewhere.wanted();
    let pictures = elsewhere.turn();
    let labels: Vec<&str> = pictures.iter().map(|picture| picture.label.as_str()).collect();
    assert_eq!(labels, ["Frame at 0.00 s:", "Frame at 0.50 s:"]);
    assert!(brightness(&pictures[0]) < brightness(&pictures[1]));
}

#[test]
fn the_next_want_waits_for_the_end_of_the_one_before() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = elsewhere.bench(&[]);
    bench.push(0);
    elsewhere.wanted();
    elsewhere.turn();
    for second in 1..5 {
        bench.push(1000 * second);
    }
    // It has had its turn.
    elsewhere.asker.turn();
    assert!(elsewhere.is_quiet());
    elsewhere.asker.ended(Outcome::Done);
    elsewhere.wanted();
    // An end without a turn is one, too.
    elsewhere.asker.ended(Outcome::Done);
    elsewhere.wanted();
    assert_eq!(elsewhere.turn().len(), 1);
}

#[test]
fn what_is_too_old_on_its_turn_is_not_shown() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = elsewhere.bench(&[("max-age", &1_u64)]);
    bench.push(0);
    elsewhere.wanted();
    elsewhere.asker.turn();
    assert_eq!(elsewhere.nothing(), NothingToAsk::NoFrame);
    elsewhere.asker.ended(Outcome::Done);
    bench.set("max-age", 0_u64);
    bench.push(5);
    elsewhere.wanted();
    assert_eq!(elsewhere.turn().len(), 1);
}

#[test]
fn a_picture_that_has_not_changed_is_not_shown_again() {
    init();
    let elsewhere = Elsewhere::new();
    let interval = 1_000_000_u64;
    let mut bench = elsewhere.bench(&[
        ("on-demand", &true),
        ("interval", &interval),
        ("min-change", &0.05_f64),
    ]);
    bench.push(0);
    elsewhere.wanted();
    elsewhere.turn();
    elsewhere.asker.ended(Outcome::Done);
    elsewhere.wanted();
    bench.push(10);
    elsewhere.asker.turn();
    assert_eq!(elsewhere.nothing(), NothingToAsk::Unchanged);
    elsewhere.asker.ended(Outcome::Done);
    elsewhere.wanted();
    bench.harness.push(shade(20, 250)).unwrap();
    assert!(brightness(&elsewhere.turn()[0]) > 200);
}

#[test]
fn a_frame_that_cannot_be_a_picture_is_said_to_be_so() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = elsewhere.bench(&[("jpeg-encoder", &"identity")]);
    bench.push(0);
    elsewhere.wanted();
    elsewhere.asker.turn();
    let NothingToAsk::Unencodable(why) = elsewhere.nothing() else { panic!("it is encoded") };
    assert!(why.contains("identity"), "{why}");
    assert_eq!(bench.count("questions"), 0);
    elsewhere.asker.ended(Outcome::Done);
    bench.push(1000);
    elsewhere.wanted();
}

#[test]
fn what_was_worth_nothing_is_wanted_again_at_once() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = elsewhere.bench(&[("interval", &FAR)]);
    bench.push(0);
    elsewhere.wanted();
    let first = elsewhere.turn();
    elsewhere.asker.ended(Outcome::Again);
    elsewhere.wanted();
    let again = elsewhere.turn();
    assert_eq!(first[0].jpeg, again[0].jpeg, "about the same frame, as there is no other");
    elsewhere.asker.ended(Outcome::Again);
    elsewhere.wanted();
    bench.harness.push(shade(5, 250)).unwrap();
    assert!(brightness(&elsewhere.turn()[0]) > 200);
}

#[test]
fn what_somebody_waits_for_is_wanted_at_once_and_urgently() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = elsewhere.bench(&[("interval", &FAR)]);
    bench.push(0);
    assert!(!elsewhere.wanted());
    elsewhere.turn();
    elsewhere.asker.ended(Outcome::Done);
    bench.element.emit_by_name::<()>("analyze-now", &[]);
    let mut pts = 1;
    let urgent = loop {
        bench.push(pts);
        pts += 1;
        if let Ok(said) = elsewhere.said.try_recv() {
            break matches!(said, FromElement::Want { urgent: true, .. });
        }
        assert!(pts < 100_000, "nothing is wanted");
    };
    assert!(urgent);
}

#[test]
fn whoever_asks_no_more_gives_up_and_wants_nothing_before_the_end() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = elsewhere.bench(&[]);
    bench.push(0);
    elsewhere.wanted();
    bench.set("ask", false);
    elsewhere.given_up();
    // It crosses with the turn, which nobody takes then.
    elsewhere.asker.turn();
    bench.set("ask", true);
    bench.push(1000);
    bench.push(2000);
    assert!(elsewhere.is_quiet());
    elsewhere.asker.ended(Outcome::Done);
    bench.push(3000);
    elsewhere.wanted();
    assert_eq!(elsewhere.turn().len(), 1);
}

/// A bench whose source was asked for a frame on a turn, and has sent none.
fn awaiting_a_frame(elsewhere: &Elsewhere) -> Bench {
    let mut bench = elsewhere.bench(&[("on-demand", &true), ("interval", &1_000_000_u64)]);
    bench.push(0);
    elsewhere.wanted();
    elsewhere.turn();
    elsewhere.asker.ended(Outcome::Done);
    elsewhere.wanted();
    elsewhere.asker.turn();
    bench.key_frame_wanted();
    bench
}

#[test]
fn a_question_that_changes_while_a_frame_is_awaited_is_given_up_and_wanted_anew() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = awaiting_a_frame(&elsewhere);
    bench.set("prompt", "Why?");
    elsewhere.given_up();
    elsewhere.asker.ended(Outcome::Done);
    elsewhere.wanted();
    bench.push(10);
    assert_eq!(elsewhere.turn().len(), 1);
}

#[test]
fn a_question_that_changes_while_it_is_asked_is_given_up() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = elsewhere.bench(&[("interval", &FAR)]);
    bench.push(0);
    elsewhere.wanted();
    elsewhere.turn();
    bench.set("prompt", "Why?");
    elsewhere.given_up();
    bench.set("prompt", "How?");
    elsewhere.asker.ended(Outcome::Done);
    elsewhere.wanted();
}

#[test]
fn an_end_that_crosses_with_the_choice_of_a_frame_is_the_end() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = awaiting_a_frame(&elsewhere);
    elsewhere.asker.ended(Outcome::Again);
    elsewhere.wanted();
    bench.push(10);
    assert_eq!(elsewhere.turn().len(), 1);
    assert!(elsewhere.is_quiet());
}

#[test]
fn when_the_turn_is_near_a_source_on_demand_is_asked_for_a_frame() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = elsewhere.bench(&[("on-demand", &true)]);
    bench.push(0);
    elsewhere.wanted();
    elsewhere.asker.turn_near();
    bench.key_frame_wanted();
    bench.harness.push(shade(10, 200)).unwrap();
    assert!(brightness(&elsewhere.turn()[0]) > 180);
}

#[test]
fn a_source_that_falls_silent_wants_nothing_before_it_sends_again() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = awaiting_a_frame(&elsewhere);
    (1..4).for_each(|_| bench.key_frame_wanted());
    assert_eq!(elsewhere.nothing(), NothingToAsk::Silent);
    elsewhere.asker.ended(Outcome::Done);
    bench.key_frame_wanted();
    assert!(elsewhere.is_quiet());
    bench.push(2);
    elsewhere.wanted();
}

#[test]
fn the_streams_end_waits_for_what_is_wanted() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = elsewhere.bench(&[]);
    bench.push(0);
    elsewhere.wanted();
    let ended = bench.end_aside();
    assert_eq!(elsewhere.turn().len(), 1);
    assert!(ended.try_recv().is_err(), "the question is in flight");
    elsewhere.asker.ended(Outcome::Done);
    assert!(ended.recv_timeout(LONG).unwrap());
    assert!(elsewhere.is_quiet());
}

#[test]
fn a_flush_leaves_nothing_to_show_on_the_turn() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = elsewhere.bench(&[]);
    bench.push(0);
    elsewhere.wanted();
    bench.harness.push_event(gst::event::FlushStart::new());
    bench.harness.push_event(gst::event::FlushStop::new(true));
    elsewhere.asker.turn();
    assert_eq!(elsewhere.nothing(), NothingToAsk::NoFrame);
    elsewhere.asker.ended(Outcome::Done);
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    bench.harness.push_event(gst::event::Segment::new(&segment));
    bench.push(5);
    elsewhere.wanted();
}

#[test]
fn a_frame_that_the_stream_is_held_for_is_let_go_when_its_question_has_ended() {
    init();
    let elsewhere = Elsewhere::new();
    let bench = elsewhere.bench(&[("busy", &Busy::Wait)]);
    let pushed = bench.push_aside(0);
    elsewhere.wanted();
    elsewhere.turn();
    assert!(pushed.try_recv().is_err(), "it is held");
    elsewhere.asker.ended(Outcome::Done);
    pushed.recv_timeout(LONG).unwrap().unwrap();
}

#[test]
fn an_element_that_stops_gives_up_and_its_next_start_waits_for_the_end() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = elsewhere.bench(&[]);
    bench.push(0);
    elsewhere.wanted();
    bench.element.set_state(gst::State::Ready).unwrap();
    elsewhere.given_up();
    elsewhere.asker.turn();
    bench.element.set_state(gst::State::Playing).unwrap();
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    bench.harness.push_event(gst::event::StreamStart::new("again"));
    bench.harness.set_src_caps_str(FORMAT);
    bench.harness.push_event(gst::event::Segment::new(&segment));
    bench.push(0);
    bench.push(1000);
    assert!(elsewhere.is_quiet());
    elsewhere.asker.ended(Outcome::Done);
    elsewhere.wanted();
    assert_eq!(elsewhere.turn().len(), 1);
}

#[test]
fn one_that_has_nothing_to_wait_for_stops_without_a_word() {
    init();
    let elsewhere = Elsewhere::new();
    let mut bench = elsewhere.bench(&[]);
    bench.push(0);
    elsewhere.wanted();
    elsewhere.turn();
    elsewhere.asker.ended(Outcome::Done);
    bench.push(999);
    bench.element.set_state(gst::State::Null).unwrap();
    drop(bench);
    assert!(elsewhere.said.recv_timeout(Duration::from_millis(1)).is_err());
}

#[test]
fn it_needs_no_server_and_makes_no_dispatcher() {
    init_with_env(&[("VLM_API_BASE", "no address")]);
    let elsewhere = Elsewhere::new();
    let pipeline = gst::Pipeline::new();
    let make = |name: &str| gst::ElementFactory::make(name).build().unwrap();
    let source = make("videotestsrc");
    source.set_property("num-buffers", 1);
    let chain = [source, make("vlmanalyze"), make("fakesink")];
    pipeline.add_many(&chain).unwrap();
    gst::Element::link_many(&chain).unwrap();
    pipeline.set_context(&remote_context(&elsewhere.asker));
    pipeline.set_state(gst::State::Playing).unwrap();
    elsewhere.wanted();
    elsewhere.turn();
    elsewhere.asker.ended(Outcome::Done);
    let bus = pipeline.bus().unwrap();
    let long = gst::ClockTime::try_from(LONG).unwrap();
    let until = [gst::MessageType::Eos, gst::MessageType::Error, gst::MessageType::HaveContext];
    let message = bus.timed_pop_filtered(long, &until).unwrap();
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
    pipeline.set_state(gst::State::Null).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    elsewhere.wanted();
    pipeline.set_state(gst::State::Null).unwrap();
}
