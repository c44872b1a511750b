//! The source pad `text`: answers as captions. It has a task of its own, so that whoever does not
//! take the captions never holds the video up.
//!
//! What is said when is decided where it becomes known ([`timeline`]), waits in [`captions`], and
//! is written ([`form`]) and pushed by the pad's task, which holds no lock meanwhile.

mod captions;
mod form;
mod timeline;

use std::{
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use gst::{glib, prelude::*};

pub(crate) use self::{captions::Captions, timeline::Lasts};
use self::{captions::PadId, form::Form};
use super::{category::CAT, settings::TextFormat, shared::Shared, stream_position::Epoch};
use crate::lock::lock;

/// What the pad and its template are called.
pub(super) const NAME: &str = "text";

static CAPS: LazyLock<gst::Caps> = LazyLock::new(|| {
    gst::Caps::builder("text/x-raw").field("format", gst::List::new(Form::FORMATS)).build()
});

pub(super) fn template() -> Result<gst::PadTemplate, glib::BoolError> {
    let (direction, presence) = (gst::PadDirection::Src, gst::PadPresence::Request);
    gst::PadTemplate::new(NAME, direction, presence, &CAPS)
}

/// The text of one element: its captions, and its pad while somebody wants it.
pub(super) struct Text {
    shared: Arc<Shared>,
    captions: Arc<Captions>,
    pad: Mutex<Option<TextPad>>,
}

#[derive(Debug)]
struct TextPad {
    pad: gst::Pad,
    id: PadId,
}

impl Text {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), captions: Arc::default(), pad: Mutex::default() }
    }

    pub(super) fn captions(&self) -> &Arc<Captions> {
        &self.captions
    }

    /// Makes the pad of what the caller has built so far, unless there is one.
    pub(super) fn request(
        &self,
        element: &gst::Element,
        pad: gst::PadBuilder<gst::Pad>,
    ) -> Option<gst::Pad> {
        let id = self.captions.add_pad();
        let (captions, shared) = (Arc::clone(&self.captions), Arc::clone(&self.shared));
        let pad = pad
            .name(NAME)
            .activatemode_function(move |pad, _, mode, active| {
                activate(&captions, &shared, (pad, id), mode, active)
            })
            .build();
        {
            let mut own = lock(&self.pad);
            if own.is_some() {
                drop(own);
                gst::warning!(CAT, obj = element, "There is a text pad already, and only one");
                return None;
            }
            *own = Some(TextPad { pad: pad.clone(), id });
        }
        let is_running = element.current_state().max(element.pending_state()) > gst::State::Ready;
        let added = if is_running { pad.set_active(true) } else { Ok(()) };
        if let Err(error) = added.and_then(|()| element.add_pad(&pad)) {
            gst::warning!(CAT, obj = element, "The text pad cannot be added: {error}");
            *lock(&self.pad) = None;
            return None;
        }
        Some(pad)
    }

    pub(super) fn release(&self, element: &gst::Element, pad: &gst::Pad) {
        let released = lock(&self.pad).take_if(|own| own.pad == *pad);
        let Some(TextPad { id, .. }) = released else { return };
        let stop = |pad: &gst::Pad| {
            if let Err(error) = pad.set_active(false) {
                gst::warning!(CAT, obj = pad, "The task does not stop: {error}");
            }
        };
        let is_kept = self.captions.deactivate(id);
        if !is_kept {
            stop(pad);
        }
        if let Err(error) = element.remove_pad(pad) {
            gst::warning!(CAT, obj = element, "The text pad cannot be removed: {error}");
        }
        if is_kept {
            // The task is on its way downstream and comes back when it is let go, which may be
            // never, or when this very call, made from there, returns.
            let pad = pad.clone();
            element.call_async(move |_| {
                pad.unset_pad_flags(gst::PadFlags::NEED_PARENT);
                stop(&pad);
            });
        }
    }

    /// An event from downstream of the pad.
    pub(super) fn src_event(
        &self,
        element: &gst::Element,
        pad: &gst::Pad,
        event: gst::Event,
    ) -> bool {
        gst::log!(CAT, obj = pad, "Handling event {event:?}");
        match event.type_() {
            // Of what becomes of captions, and of their format, the video need not know.
            gst::EventType::Qos => true,
            gst::EventType::Reconfigure => {
                self.captions.linked();
                true
            }
            _ => gst::Pad::event_default(pad, Some(element), event),
        }
    }

    /// Lets the captions follow an event of the video, after which this is the epoch.
    pub(super) fn follow(&self, element: &gst::Element, event: &gst::Event, epoch: Epoch) {
        use gst::EventView;
        let push = || {
            let pad = lock(&self.pad).as_ref().map(|own| own.pad.clone());
            if let Some(pad) = pad {
                pad.push_event(event.clone());
            }
        };
        match event.view() {
            EventView::FlushStart(_) => {
                self.captions.begin_flush();
                push();
            }
            EventView::FlushStop(_) => {
                self.captions.wait_idle();
                push();
                self.captions.end_flush(epoch);
            }
            EventView::StreamStart(_) => self.captions.start(event, epoch),
            EventView::Segment(segment) => {
                if segment.segment().format() != gst::Format::Time {
                    gst::debug!(
                        CAT,
                        obj = element,
                        "No captions: the segment does not count in time"
                    );
                }
                self.captions.segment(event, segment.segment());
            }
            EventView::Gap(gap) => {
                let (start, duration) = gap.get();
                let end = start.checked_add(duration.unwrap_or_default());
                self.captions.pass(end, Duration::ZERO);
            }
            EventView::Eos(_) | EventView::SegmentDone(_) | EventView::StreamGroupDone(_) => {
                self.captions.event(event);
            }
            _ => {}
        }
    }
}

fn activate(
    captions: &Arc<Captions>,
    shared: &Arc<Shared>,
    (pad, id): (&gst::Pad, PadId),
    mode: gst::PadMode,
    active: bool,
) -> Result<(), gst::LoggableError> {
    if mode != gst::PadMode::Push {
        return Err(gst::loggable_error!(CAT, "The text pad only pushes"));
    }
    if !active {
        captions.deactivate(id);
        return pad.stop_task().map_err(Into::into);
    }
    captions.activate(id);
    let mut task = Task {
        pad: pad.downgrade(),
        captions: Arc::clone(captions),
        shared: Arc::clone(shared),
        id,
        start: None,
        setting: TextFormat::default(),
        form: Form::Plain,
    };
    pad.start_task(move || task.step()).map_err(Into::into)
}

/// What the pad's thread knows.
struct Task {
    pad: glib::WeakRef<gst::Pad>,
    captions: Arc<Captions>,
    shared: Arc<Shared>,
    id: PadId,
    start: Option<gst::Event>,
    /// What was set when the form was chosen.
    setting: TextFormat,
    form: Form,
}

impl Task {
    fn step(&mut self) {
        let item = self.captions.next(self.id);
        let Some(pad) = self.pad.upgrade() else { return };
        match item {
            Some(item) => self.push(&pad, item),
            // Who ends the task waits for that; until then it does nothing.
            None => drop(pad.pause_task()),
        }
    }

    fn push(&mut self, pad: &gst::Pad, item: captions::Item) {
        use captions::Item;
        if let Item::Start(video) = &item {
            self.start = own_start(video);
            self.begin(pad);
            return;
        }
        if pad.sticky_event::<gst::event::StreamStart>(0).is_none() {
            // A flush has swallowed it.
            self.begin(pad);
        } else if pad.check_reconfigure() || self.setting != self.text_format() {
            self.negotiate(pad);
        }
        match item {
            Item::Start(_) => {}
            // It would be taken for told; see [`Captions::linked`].
            Item::Event(event) if event.type_() == gst::EventType::Eos && !pad.is_linked() => {}
            Item::Event(event) => {
                pad.push_event(event);
            }
            Item::Gap(gap) => {
                let duration = gap.end.saturating_sub(gap.start);
                pad.push_event(gst::event::Gap::builder(gap.start).duration(duration).build());
            }
            Item::Caption(span, answer) => {
                let Some(text) = self.form.write(&answer) else { return };
                let mut buffer = gst::Buffer::from_slice(text.into_bytes());
                if let Some(buffer) = buffer.get_mut() {
                    buffer.set_pts(span.start);
                    buffer.set_duration(span.end.saturating_sub(span.start));
                }
                match pad.push(buffer) {
                    Ok(_) => {}
                    Err(
                        gst::FlowError::NotLinked | gst::FlowError::Eos | gst::FlowError::Flushing,
                    ) => gst::debug!(CAT, obj = pad, "Nobody takes the caption"),
                    // Who made the error posts it; the video is not to blame.
                    Err(error) => gst::warning!(CAT, obj = pad, "A caption is lost: {error}"),
                }
            }
        }
    }

    fn begin(&mut self, pad: &gst::Pad) {
        if let Some(start) = &self.start {
            pad.push_event(start.clone());
            pad.check_reconfigure();
            self.negotiate(pad);
        }
    }

    fn text_format(&self) -> TextFormat {
        self.shared.with_settings(|settings| settings.text_format)
    }

    /// Writes as it is set and as downstream prefers it.
    fn negotiate(&mut self, pad: &gst::Pad) {
        self.setting = self.text_format();
        let wanted = pad.peer_query_caps(None);
        let common = wanted.intersect_with_mode(&CAPS, gst::CapsIntersectMode::First);
        let format = common
            .iter()
            .next()
            .map(|structure| {
                let mut structure = structure.to_owned();
                structure.fixate();
                structure.get::<String>("format").unwrap_or_default()
            })
            .unwrap_or_default();
        self.form = Form::new(self.setting, &format);
        let caps = gst::Caps::builder("text/x-raw").field("format", self.form.format()).build();
        gst::debug!(CAT, obj = pad, "Writing {:?} for {caps}", self.form);
        if pad.current_caps().as_ref() != Some(&caps) {
            pad.push_event(gst::event::Caps::new(&caps));
        }
    }
}

/// The text's stream-start, of the video's.
fn own_start(video: &gst::Event) -> Option<gst::Event> {
    let gst::EventView::StreamStart(video) = video.view() else { return None };
    let own = gst::event::StreamStart::builder(&format!("{}/{NAME}", video.stream_id()))
        .flags(gst::StreamFlags::SPARSE)
        .group_id_if_some(video.group_id())
        .seqnum(video.seqnum())
        .build();
    Some(own)
}
