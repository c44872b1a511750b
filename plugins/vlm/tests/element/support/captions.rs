//! What comes out of the text pad.

use std::sync::mpsc::{Receiver, channel};

use gst::prelude::*;

use super::LONG;

/// Something that the text pad pushed.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// An event that is no gap.
    Event(gst::Event),
    /// No caption begins from the first time up to the second.
    Gap(gst::ClockTime, gst::ClockTime),
    /// A caption with its time and duration.
    Caption(String, gst::ClockTime, gst::ClockTime),
}

/// The text pad, and what it pushes.
pub(crate) struct Captions {
    pub(crate) pad: gst::Pad,
    pub(crate) sink: gst::Pad,
    said: Receiver<Said>,
}

impl Captions {
    /// Requests the text pad and links it.
    pub(crate) fn request(element: &gst::Element) -> Self {
        Self::request_for(element, "ANY")
    }

    /// The same, with somebody who takes these caps.
    pub(crate) fn request_for(element: &gst::Element, caps: &str) -> Self {
        Self::link_for(element.request_pad_simple("text").unwrap(), caps)
    }

    /// Links a pad that was requested.
    pub(crate) fn link(pad: gst::Pad) -> Self {
        Self::link_for(pad, "ANY")
    }

    fn link_for(pad: gst::Pad, caps: &str) -> Self {
        let (direction, presence) = (gst::PadDirection::Sink, gst::PadPresence::Always);
        let caps = caps.parse::<gst::Caps>().unwrap();
        let template = gst::PadTemplate::new("captions", direction, presence, &caps).unwrap();
        let (say, said) = channel();
        let say_too = say.clone();
        let sink = gst::Pad::builder_from_template(&template)
            .chain_function(move |_, _, buffer| {
                let text = buffer.map_readable().unwrap();
                let text = std::str::from_utf8(&text).unwrap().to_owned();
                let times = (buffer.pts().unwrap(), buffer.duration().unwrap());
                let _ = say.send(Said::Caption(text, times.0, times.1));
                Ok(gst::FlowSuccess::Ok)
            })
            .event_function(move |_, _, event| {
                let said = match event.view() {
                    gst::EventView::Gap(gap) => {
                        let (start, duration) = gap.get();
                        Said::Gap(start, start + duration.unwrap())
                    }
                    _ => Said::Event(event),
                };
                let _ = say_too.send(said);
                true
            })
            .build();
        sink.set_active(true).unwrap();
        pad.link(&sink).unwrap();
        Self { pad, sink, said }
    }

    /// What it says next.
    pub(crate) fn said(&self) -> Said {
        self.said.recv_timeout(LONG).expect("the text pad should say something")
    }

    /// The next event that is no gap.
    pub(crate) fn event(&self, wanted: gst::EventType) -> gst::Event {
        loop {
            if let Said::Event(event) = self.said()
                && event.type_() == wanted
            {
                return event;
            }
        }
    }

    /// The next caption: its text, and its time and duration in ms.
    pub(crate) fn caption(&self) -> (String, u64, u64) {
        loop {
            if let Said::Caption(text, pts, duration) = self.said() {
                return (text, pts.mseconds(), duration.mseconds());
            }
        }
    }

    /// Waits for a gap that reaches beyond this time.
    pub(crate) fn gap_beyond(&self, ms: u64) {
        let time = gst::ClockTime::from_mseconds(ms);
        while !matches!(self.said(), Said::Gap(_, end) if end > time) {}
    }

    /// All that it says up to the stream's end, without that.
    pub(crate) fn until_end(&self) -> Vec<Said> {
        let is_end = |said: &Said| matches!(said, Said::Event(event) if event.type_() == gst::EventType::Eos);
        std::iter::from_fn(|| Some(self.said()).filter(|said| !is_end(said))).collect()
    }

    /// Whether it has said nothing more yet.
    pub(crate) fn is_quiet(&self) -> bool {
        self.said.try_recv().is_err()
    }
}

/// That no caption begins in a gap, and that nothing goes back.
pub(crate) fn assert_in_order(said: &[Said]) {
    let mut position = gst::ClockTime::ZERO;
    for one in said {
        let (start, end) = match one {
            Said::Gap(start, end) => (*start, *end),
            Said::Caption(_, pts, _) => (*pts, *pts),
            Said::Event(_) => continue,
        };
        assert!(start >= position && end >= start, "{said:#?}");
        position = end;
    }
}

/// How many gaps there are.
pub(crate) fn gaps(said: &[Said]) -> usize {
    said.iter().filter(|said| matches!(said, Said::Gap(..))).count()
}
