//! The element on a bench: the test pushes each frame and reads each message.

use std::{sync::mpsc::Receiver, time::Instant};

use gst::{FlowError, FlowSuccess, glib, prelude::*};
use gst_check::Harness;
use gstvlm::messages::{Answer, AnswerError};

use super::{LONG, Vlm, aside};

pub(crate) const FORMAT: &str = "video/x-raw,format=I420,width=64,height=48,framerate=0/1";
const FRAME_SIZE: usize = 64 * 48 * 3 / 2;

/// A grey frame with a timestamp.
pub(crate) fn frame(pts_ms: u64) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(vec![128; FRAME_SIZE]);
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(pts_ms));
    buffer
}

/// An element that asks the model `m` of `vlm`.
pub(crate) fn vlmanalyze(vlm: &Vlm) -> gst::Element {
    gst::ElementFactory::make("vlmanalyze")
        .property("api-base", vlm.base())
        .property("model", "m")
        .build()
        .unwrap()
}

/// A message of the element.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Answer(Answer),
    Error(AnswerError),
}

/// The element's next message on a bus.
pub(crate) fn heard(bus: &gst::Bus) -> Heard {
    loop {
        let message = bus
            .timed_pop_filtered(
                gst::ClockTime::try_from(LONG).unwrap(),
                &[gst::MessageType::Element, gst::MessageType::Error],
            )
            .expect("the element should say something");
        if let gst::MessageView::Error(error) = message.view() {
            panic!("{error:?}");
        }
        if let Some(answer) = Answer::from_message(&message) {
            return Heard::Answer(answer);
        }
        if let Some(error) = AnswerError::from_message(&message) {
            return Heard::Error(error);
        }
    }
}

/// What the next error on a bus says that ends the stream.
pub(crate) fn stream_error(bus: &gst::Bus) -> String {
    let message = bus
        .timed_pop_filtered(gst::ClockTime::try_from(LONG).unwrap(), &[gst::MessageType::Error])
        .expect("the element should post an error");
    match message.view() {
        gst::MessageView::Error(error) => format!("{error:?}"),
        _ => unreachable!("the bus was filtered"),
    }
}

pub(crate) struct Bench {
    pub(crate) element: gst::Element,
    pub(crate) harness: Harness,
    pub(crate) bus: gst::Bus,
}

impl Bench {
    /// The element as [`vlmanalyze`] makes it, with more properties.
    pub(crate) fn new(vlm: &Vlm, properties: &[(&str, &dyn ToValue)]) -> Self {
        Self::with(vlmanalyze(vlm), properties)
    }

    pub(crate) fn with(element: gst::Element, properties: &[(&str, &dyn ToValue)]) -> Self {
        for (name, value) in properties {
            element.set_property_from_value(name, &value.to_value());
        }
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let mut harness = Harness::with_element(&element, Some("sink"), Some("src"));
        harness.set_src_caps_str(FORMAT);
        Self { element, harness, bus }
    }

    pub(crate) fn set(&self, name: &str, value: impl Into<glib::Value>) {
        self.element.set_property(name, value);
    }

    /// Pushes a frame and gives what comes out at once.
    pub(crate) fn push(&mut self, pts_ms: u64) -> gst::Buffer {
        self.harness.push_and_pull(frame(pts_ms)).unwrap()
    }

    /// Pushes frames until there is one more question: the asking task may hear of a change only
    /// after a frame or two. They have one timestamp, so that no interval passes.
    pub(crate) fn push_until_asked(&mut self, pts_ms: u64) {
        self.push_until(self.count("questions") + 1, pts_ms);
    }

    /// The same until there were so many, where the next may be asked without another frame.
    pub(crate) fn push_until(&mut self, questions: u64, pts_ms: u64) {
        let began = Instant::now();
        while self.count("questions") < questions {
            assert!(began.elapsed() < LONG, "no question is asked");
            self.push(pts_ms);
        }
    }

    /// The element's sink pad, for pushing from another thread while the element holds it.
    pub(crate) fn sink(&self) -> gst::Pad {
        self.element.static_pad("sink").unwrap()
    }

    pub(crate) fn heard(&self) -> Heard {
        heard(&self.bus)
    }

    /// The next answer, or its beginning.
    pub(crate) fn answer(&self) -> Answer {
        match self.heard() {
            Heard::Answer(answer) => answer,
            Heard::Error(error) => panic!("{error:?}"),
        }
    }

    /// The next complete answer.
    pub(crate) fn done(&self) -> Answer {
        loop {
            let answer = self.answer();
            if answer.done {
                return answer;
            }
        }
    }

    /// The next error.
    pub(crate) fn error(&self) -> AnswerError {
        loop {
            if let Heard::Error(error) = self.heard() {
                return error;
            }
        }
    }

    /// Whether the element has nothing more to say.
    pub(crate) fn is_quiet(&self) -> bool {
        self.bus.pop_filtered(&[gst::MessageType::Element]).is_none()
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        self.element.property::<gst::Structure>("stats").get(name).unwrap()
    }

    /// Waits for the next request for a key frame, as a source would get it.
    pub(crate) fn key_frame_wanted(&mut self) {
        loop {
            let event = self.harness.pull_upstream_event().expect("a key frame should be wanted");
            if gst_video::UpstreamForceKeyUnitEvent::parse(&event).is_ok() {
                return;
            }
        }
    }

    /// Pushes a frame from another thread, as the element may hold it.
    pub(crate) fn push_aside(&self, pts_ms: u64) -> Receiver<Result<FlowSuccess, FlowError>> {
        let sink = self.sink();
        aside(move || sink.chain(frame(pts_ms)))
    }

    /// Sends the stream's end from another thread, and returns once the element has it.
    pub(crate) fn end_aside(&self) -> Receiver<bool> {
        let sink = self.sink();
        let (reached, when_reached) = std::sync::mpsc::channel();
        sink.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, _| {
            let _ = reached.send(());
            gst::PadProbeReturn::Ok
        });
        let ended = aside(move || sink.send_event(gst::event::Eos::new()));
        when_reached.recv_timeout(LONG).unwrap();
        ended
    }

    /// Writes down in which order the element's messages and its stream's end come.
    pub(crate) fn log_order(&self) -> Receiver<&'static str> {
        let (log, order) = std::sync::mpsc::channel();
        self.bus.set_sync_handler({
            let log = log.clone();
            move |_, message| {
                if Answer::from_message(message).is_some_and(|answer| answer.done) {
                    let _ = log.send("answer");
                }
                if AnswerError::from_message(message).is_some() {
                    let _ = log.send("error");
                }
                gst::BusSyncReply::Pass
            }
        });
        let src = self.element.static_pad("src").unwrap();
        src.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            if info.event().is_some_and(|event| event.type_() == gst::EventType::Eos) {
                let _ = log.send("end");
            }
            gst::PadProbeReturn::Ok
        });
        order
    }
}
