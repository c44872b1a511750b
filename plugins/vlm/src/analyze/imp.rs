//! The element itself: its class, pads and states. What it does is done by its parts: [`Stream`]
//! looks at each buffer, [`asker`](super::asker) asks about some of them, [`Overlay`] and [`Text`] show answers.
//!
//! Locking order: `started`, `way`, `stream`, and those of [`Overlay`] and [`Text`] are taken
//! one at a time, never one inside another, and those of [`Shared`], [`Inbox`] and of captions are leaves that may be taken
//! inside them. No lock is held while a buffer, event, query or message leaves the element.

use std::sync::{Arc, LazyLock, Mutex};

use gst::{glib, prelude::*, subclass::prelude::*};
use gst_vlm_overlay::OverlayText;
use tokio::task::AbortHandle;
use vlm_client::Endpoint;

use super::{
    allocation,
    asker::Start,
    category::CAT,
    drawing::{Overlay, without_metas},
    inbox::{Inbox, SharedInbox},
    properties::{self, Effect, PROPERTIES},
    shared::Shared,
    stream::Stream,
    text::{self, Text},
};
use crate::{
    context::{self, Way},
    lock::lock,
    meta, runtime,
};

pub struct VlmAnalyze {
    sinkpad: gst::Pad,
    srcpad: gst::Pad,
    shared: Arc<Shared>,
    way: Mutex<Option<Way>>,
    started: Mutex<Option<Started>>,
    stream: Stream,
    text: Text,
    overlay: Overlay,
}

/// What exists between PAUSED and READY.
struct Started {
    inbox: SharedInbox,
    asker: AbortHandle,
    painter: AbortHandle,
    overlay_text: Arc<OverlayText>,
    _encoders: gst_vlm_jpeg::User,
}

impl VlmAnalyze {
    pub(super) fn set_endpoint(&self, endpoint: &Endpoint) {
        let changed = self.shared.change(|settings| settings.set_endpoint(endpoint));
        if changed {
            self.shared.signals.question_changed();
        }
    }

    fn prepare(&self) -> Result<(), gst::ErrorMessage> {
        let element = self.obj();
        if lock(&self.way).is_none() {
            context::request(element.upcast_ref());
        }
        let way = lock(&self.way).clone();
        if matches!(way, Some(Way::Remote(_))) {
            gst::debug!(CAT, imp = self, "Somebody else asks");
            return Ok(());
        }
        self.shared.with_settings(|settings| settings.endpoint()).map_err(|error| {
            gst::error_msg!(gst::ResourceError::Settings, ("api-base: {error}"))
        })?;
        if way.is_some() {
            gst::debug!(CAT, imp = self, "Sharing the dispatcher that the context gave");
            return Ok(());
        }
        gst::debug!(CAT, imp = self, "Making a dispatcher");
        let own = runtime::own_dispatcher()
            .map_err(|error| gst::error_msg!(gst::ResourceError::Failed, ("{error}")))?;
        *lock(&self.way) = Some(Way::Dispatcher(own.clone()));
        context::announce(element.upcast_ref(), &own);
        Ok(())
    }

    /// Warns whoever listens to the bus of a setting; when the element starts, if it has no bus yet:
    /// `gst-launch-1.0` sets properties before it builds the pipeline.
    fn warn(&self, said: String) {
        if self.obj().bus().is_none() {
            gst::warning!(CAT, imp = self, "{said}");
            self.shared.tell_later(said);
            return;
        }
        gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{said}"));
    }

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let Some(way) = lock(&self.way).clone() else {
            return Err(gst::error_msg!(gst::CoreError::StateChange, ("There is no way to ask")));
        };
        // Nothing is left of an earlier start, also if that was never stopped.
        self.stop();
        self.shared.untold().into_iter().for_each(|said| self.warn(said));
        let run = self.shared.begin_run();
        let epoch = self.stream.reset();
        self.overlay.reset();
        self.text.captions().reset(epoch);
        let inbox = Arc::new(Inbox::new(epoch));
        let runtime = way.runtime().clone();
        let overlay_text = Arc::clone(&run.overlay_text);
        let painter = self.overlay.painter(self.obj().upcast_ref(), Arc::clone(&overlay_text));
        let start = Start {
            element: self.obj().upcast_ref::<gst::Element>().downgrade(),
            shared: Arc::clone(&self.shared),
            run,
            inbox: Arc::clone(&inbox),
            captions: Arc::clone(self.text.captions()),
            way,
        };
        let asker = start.spawn();
        let painter = runtime.spawn(painter).abort_handle();
        let _encoders = gst_vlm_jpeg::User::new();
        *lock(&self.started) = Some(Started { inbox, asker, painter, overlay_text, _encoders });
        Ok(())
    }

    fn inbox(&self) -> Option<SharedInbox> {
        lock(&self.started).as_ref().map(|started| Arc::clone(&started.inbox))
    }

    fn chain(&self, mut buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        let element = self.obj();
        if let Some(inbox) = self.inbox() {
            self.stream.look_at(element.upcast_ref(), &inbox, &buffer)?;
        }
        self.text.captions().pass(buffer.pts(), self.stream.quiet());
        if let Some(answer) = self.shared.run().latest_answer() {
            // A copy of the buffer's head at the most; its memory is shared.
            meta::attach(buffer.make_mut(), &answer);
        }
        self.overlay.draw(element.upcast_ref(), &mut buffer);
        self.srcpad.push(buffer)
    }

    fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        gst::log!(CAT, obj = pad, "Handling event {event:?}");
        let element = self.obj();
        if let gst::EventView::Caps(caps) = event.view() {
            let caps = caps.caps_owned();
            self.stream.set_caps(without_metas(&caps));
            return self.overlay.caps_event(element.upcast_ref(), event, &caps);
        }
        let inbox = self.inbox();
        let epoch = self.stream.follow(element.upcast_ref(), inbox.as_deref(), pad, &event);
        self.text.follow(element.upcast_ref(), &event, epoch);
        gst::Pad::event_default(pad, Some(&*element), event)
    }

    fn sink_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        if self.answer_context(query) || self.overlay.answer_sink_caps(query) {
            return true;
        }
        let answered = gst::Pad::query_default(pad, Some(&*self.obj()), query);
        if let gst::QueryViewMut::Allocation(allocation) = query.view_mut()
            && answered
        {
            let frames = self.shared.with_settings(|settings| settings.frames);
            allocation::hold_more_buffers(allocation, frames);
        }
        answered
    }

    fn src_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        self.answer_context(query)
            || self.overlay.answer_src_caps(query)
            || gst::Pad::query_default(pad, Some(&*self.obj()), query)
    }

    /// Shares the dispatcher with a neighbour that looks for one.
    fn answer_context(&self, query: &mut gst::QueryRef) -> bool {
        let gst::QueryViewMut::Context(query) = query.view_mut() else { return false };
        if query.context_type() != context::CONTEXT_TYPE {
            return false;
        }
        // Whoever asks for this element asks for no other.
        let Some(Way::Dispatcher(dispatcher)) = lock(&self.way).clone() else { return false };
        query.set_context(&context::context(&dispatcher));
        true
    }

    /// Lets a streaming thread go that waits here, and cancels the question in flight.
    fn stop(&self) {
        // Streaming threads take this lock too: it is not held while the last text is drawn, nor
        // while encoders are dropped.
        let started = lock(&self.started).take();
        if let Some(started) = started {
            started.inbox.close();
            started.asker.abort();
            started.painter.abort();
            started.overlay_text.close();
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for VlmAnalyze {
    const NAME: &'static str = "GstVlmAnalyze";
    type Type = super::VlmAnalyze;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let template = |name| {
            class.pad_template(name).expect("the templates are registered in pad_templates()")
        };
        let flags = gst::PadFlags::PROXY_CAPS
            | gst::PadFlags::PROXY_ALLOCATION
            | gst::PadFlags::PROXY_SCHEDULING;
        let sinkpad = gst::Pad::builder_from_template(&template("sink"))
            .chain_function(|_, parent, buffer| {
                Self::catch_panic_pad_function(
                    parent,
                    || Err(gst::FlowError::Error),
                    |this| this.chain(buffer),
                )
            })
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |this| this.sink_event(pad, event))
            })
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |this| this.sink_query(pad, query))
            })
            // The text has its own format and events.
            .iterate_internal_links_function(|_, parent| {
                let pads = parent.and_then(|it| it.downcast_ref::<gst::Element>());
                let pads = pads.and_then(|element| element.static_pad("src"));
                gst::Iterator::from_vec(pads.into_iter().collect())
            })
            .flags(flags)
            .build();
        let srcpad = gst::Pad::builder_from_template(&template("src"))
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |this| this.src_query(pad, query))
            })
            .flags(flags)
            .build();
        let shared = Arc::new(Shared::new());
        let overlay = Overlay::new(&sinkpad, &srcpad, &shared);
        let text = Text::new(&shared);
        let stream = Stream::new(&shared);
        Self {
            sinkpad,
            srcpad,
            shared,
            way: Mutex::default(),
            started: Mutex::default(),
            stream,
            text,
            overlay,
        }
    }
}

impl ObjectImpl for VlmAnalyze {
    fn properties() -> &'static [glib::ParamSpec] {
        PROPERTIES.as_ref()
    }

    fn signals() -> &'static [glib::subclass::Signal] {
        static SIGNALS: LazyLock<Vec<glib::subclass::Signal>> = LazyLock::new(|| {
            vec![
                // Asks about the next frame, whatever the interval.
                glib::subclass::Signal::builder("analyze-now")
                    .action()
                    .class_handler(|values| {
                        if let Ok(element) = values[0].get::<super::VlmAnalyze>() {
                            element.imp().shared.signals.wanted_now();
                        }
                        None
                    })
                    .build(),
                // A complete answer: the structure of its message. Emitted on a thread that may be
                // taken; the element's next question waits for the handlers.
                glib::subclass::Signal::builder("answer")
                    .param_types([gst::Structure::static_type()])
                    .build(),
            ]
        });
        SIGNALS.as_ref()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        match properties::set(&self.shared, pspec.name(), value) {
            Some(Effect::Question) => self.shared.signals.question_changed(),
            Some(Effect::Dropped(said)) => {
                self.warn(said);
                self.shared.signals.question_changed();
            }
            Some(Effect::Schedule) => {
                self.shared.signals.schedule_changed();
                if let Some(inbox) = self.inbox() {
                    inbox.recheck();
                }
            }
            Some(Effect::Refused(reason)) => {
                self.warn(format!("{}: {reason}; the value before stays", pspec.name()));
            }
            Some(Effect::Overlay) => self.overlay.changed(),
            Some(Effect::NextQuestion) | None => {}
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "last-answer" => self.shared.run().last_text().to_value(),
            "stats" => {
                let inbox = self.inbox();
                let replaced = inbox.as_ref().map_or(0, |inbox| inbox.replaced());
                let held = inbox.map(|inbox| inbox.held()).unwrap_or_default();
                let run = self.shared.run();
                let mut stats = run.counters().to_structure(replaced, held);
                stats.set("captions-dropped", self.text.captions().dropped());
                stats.set("overlay-rendered", run.overlay_text.painted());
                stats.to_value()
            }
            name => {
                properties::get(&self.shared, name).unwrap_or_else(|| pspec.default_value().clone())
            }
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        let element = self.obj();
        for pad in [&self.sinkpad, &self.srcpad] {
            element.add_pad(pad).expect("a new element has no pads of these names");
        }
    }

    fn dispose(&self) {
        self.stop();
    }
}

impl GstObjectImpl for VlmAnalyze {}

impl ElementImpl for VlmAnalyze {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "VLM analyzer",
                "Filter/Analyzer/Video",
                "Asks a Vision Language Model about frames of a running video, without holding \
                 the video up",
                "The live-vlm developers",
            )
        });
        Some(&*METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            // Any format in any memory: nothing is touched, and what is asked about is converted.
            let caps = gst::Caps::builder_full()
                .structure(gst::Structure::new_empty("video/x-raw"))
                .structure_with_any_features(gst::Structure::new_empty("video/x-raw"))
                .build();
            [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)]
                .into_iter()
                .filter_map(|(name, direction)| {
                    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps).ok()
                })
                .chain(text::template())
                .collect()
        });
        TEMPLATES.as_ref()
    }

    fn request_new_pad(
        &self,
        template: &gst::PadTemplate,
        _name: Option<&str>,
        _caps: Option<&gst::Caps>,
    ) -> Option<gst::Pad> {
        let pad = gst::Pad::builder_from_template(template)
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(
                    parent,
                    || false,
                    |this| this.text.src_event(this.obj().upcast_ref(), pad, event),
                )
            })
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |this| this.src_query(pad, query))
            });
        self.text.request(self.obj().upcast_ref(), pad)
    }

    fn release_pad(&self, pad: &gst::Pad) {
        self.text.release(self.obj().upcast_ref(), pad);
    }

    fn set_context(&self, context: &gst::Context) {
        if let Some(way) = context::way(context) {
            *lock(&self.way) = Some(way);
        }
        self.parent_set_context(context);
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        gst::debug!(CAT, imp = self, "{transition:?}");
        let begun = match transition {
            gst::StateChange::NullToReady => self.prepare(),
            gst::StateChange::ReadyToPaused => self.start(),
            gst::StateChange::PausedToReady => {
                self.stop();
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(error) = begun {
            self.post_error_message(error);
            return Err(gst::StateChangeError);
        }
        let changed = self.parent_change_state(transition);
        if changed.is_err() && transition == gst::StateChange::ReadyToPaused {
            self.stop();
        }
        let success = changed?;
        if transition == gst::StateChange::PausedToReady {
            self.text.captions().end();
        }
        if transition == gst::StateChange::ReadyToNull {
            *lock(&self.way) = None;
        }
        Ok(success)
    }
}
