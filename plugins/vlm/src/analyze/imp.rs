//! The element itself: pads, states, and what happens to each buffer.
//!
//! Locking order: `started`, `dispatcher` and `stream` are taken one at a time, never one inside
//! another, and those of [`Shared`] and [`Inbox`] are leaves that may be
//! taken inside them. No lock is held while a buffer, event, query or message leaves the element.

use std::{
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use gst::{glib, prelude::*, subclass::prelude::*};
use tokio::task::AbortHandle;
use vlm_client::{Dispatcher, Endpoint};

use super::{
    asker::Asker,
    backoff::Backoff,
    inbox::{Frame, Inbox, Sample, SharedInbox},
    properties::{self, Effect, PROPERTIES},
    sampler::Sampler,
    settings::Busy,
    shared::Shared,
};
use crate::{context, meta, runtime};

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("vlmanalyze", gst::DebugColorFlags::empty(), Some("Asks a VLM"))
});

/// Buffers that are held for asking are missing in their pool meanwhile: the newest sample, and
/// the one being encoded.
const HELD_BUFFERS: u32 = 2;
/// A later arrival than this is a clock that does not fit, not a slow network.
const PLAUSIBLE_LATENESS: Duration = Duration::from_secs(10);

pub struct VlmAnalyze {
    sinkpad: gst::Pad,
    srcpad: gst::Pad,
    shared: Arc<Shared>,
    dispatcher: Mutex<Option<Dispatcher>>,
    started: Mutex<Option<Started>>,
    stream: Mutex<Stream>,
}

/// What exists between PAUSED and READY.
struct Started {
    inbox: SharedInbox,
    asker: AbortHandle,
}

/// What the streaming thread knows.
#[derive(Default)]
struct Stream {
    caps: Option<gst::Caps>,
    segment: gst::FormattedSegment<gst::ClockTime>,
    sampler: Sampler,
    /// Stands in for timestamps where buffers have none.
    began: Option<Instant>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl VlmAnalyze {
    pub(super) fn set_endpoint(&self, endpoint: &Endpoint) {
        let changed = self.shared.change(|settings| settings.set_endpoint(endpoint));
        if changed {
            self.shared.question_changed();
        }
    }

    fn inbox(&self) -> Option<SharedInbox> {
        lock(&self.started).as_ref().map(|started| Arc::clone(&started.inbox))
    }

    fn chain(&self, mut buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        if let Some(inbox) = self.inbox() {
            self.look_at(&inbox, &buffer)?;
        }
        if let Some(answer) = self.shared.run().latest_answer() {
            // A copy of the buffer's head at the most; its memory is shared.
            meta::attach(buffer.make_mut(), &answer);
        }
        self.srcpad.push(buffer)
    }

    fn look_at(&self, inbox: &Inbox, buffer: &gst::Buffer) -> Result<(), gst::FlowError> {
        let (rule, busy, on_demand) =
            self.shared.with_settings(|s| (s.rule(), s.busy, s.on_demand));
        let arrived = Instant::now();
        let (is_sample, caps, running_time) = {
            let mut stream = lock(&self.stream);
            let running_time = buffer.pts().and_then(|pts| stream.segment.to_running_time(pts));
            let began = *stream.began.get_or_insert(arrived);
            let time = running_time.map_or_else(|| arrived - began, Into::into);
            let is_sample = stream.sampler.is_sample(time, rule);
            (is_sample, stream.caps.clone(), running_time)
        };
        self.shared.run().count(|counters| {
            counters.frames += 1;
            counters.samples += u64::from(is_sample);
        });
        let Some(caps) = caps else { return Ok(()) };
        if !is_sample && !on_demand && !inbox.is_due() {
            return Ok(());
        }
        // A stream that is held comes later and later, which says nothing of its capture.
        let lateness = match busy {
            Busy::Latest => self.lateness(running_time),
            Busy::Wait => Duration::ZERO,
        };
        let sample = Sample {
            frame: Frame::Raw { buffer: buffer.clone(), caps },
            pts: buffer.pts(),
            running_time,
            captured: arrived.checked_sub(lateness).unwrap_or(arrived),
            arrived,
        };
        if on_demand {
            inbox.keep(sample);
            return Ok(());
        }
        if inbox.offer(is_sample, sample) && busy == Busy::Wait {
            gst::trace!(CAT, imp = self, "Holding the stream until the sample is answered");
            let go_on = inbox.wait_settled(|| {
                self.shared.with_settings(|s| s.busy == Busy::Wait && !s.on_demand)
            });
            if !go_on {
                return Err(gst::FlowError::Flushing);
            }
        }
        Ok(())
    }

    /// How long ago a live source captured what has just arrived.
    fn lateness(&self, running_time: Option<gst::ClockTime>) -> Duration {
        let now = self.obj().current_running_time();
        // A buffer that is ahead of the clock waits for it further on.
        now.zip(running_time)
            .and_then(|(now, then)| now.checked_sub(then))
            .map(Duration::from)
            .filter(|lateness| *lateness <= PLAUSIBLE_LATENESS)
            .unwrap_or_default()
    }

    fn sink_event(&self, pad: &gst::Pad, event: gst::Event) -> bool {
        use gst::EventView;
        gst::log!(CAT, obj = pad, "Handling event {event:?}");
        match event.view() {
            EventView::Caps(caps) => lock(&self.stream).caps = Some(caps.caps_owned()),
            EventView::Segment(segment) => {
                if let Ok(segment) = segment.segment().clone().downcast() {
                    lock(&self.stream).segment = segment;
                }
            }
            EventView::StreamStart(_) | EventView::FlushStop(_) => {
                // What comes now is new to the user, whatever its timestamps.
                lock(&self.stream).sampler = Sampler::default();
                if let Some(inbox) = self.inbox() {
                    inbox.release(false);
                }
                self.shared.schedule_changed();
            }
            EventView::FlushStart(_) => {
                if let Some(inbox) = self.inbox() {
                    inbox.release(true);
                }
            }
            EventView::Eos(_) => {
                if let Some(inbox) = self.inbox() {
                    gst::debug!(CAT, imp = self, "Finishing the question in flight before EOS");
                    inbox.drain();
                }
            }
            _ => {}
        }
        gst::Pad::event_default(pad, Some(&*self.obj()), event)
    }

    fn sink_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        if self.answer_context(query) {
            return true;
        }
        let answered = gst::Pad::query_default(pad, Some(&*self.obj()), query);
        if let gst::QueryViewMut::Allocation(allocation) = query.view_mut()
            && answered
        {
            hold_more_buffers(allocation);
        }
        answered
    }

    fn src_query(&self, pad: &gst::Pad, query: &mut gst::QueryRef) -> bool {
        self.answer_context(query) || gst::Pad::query_default(pad, Some(&*self.obj()), query)
    }

    /// Shares the dispatcher with a neighbour that looks for one.
    fn answer_context(&self, query: &mut gst::QueryRef) -> bool {
        let gst::QueryViewMut::Context(query) = query.view_mut() else { return false };
        if query.context_type() != context::CONTEXT_TYPE {
            return false;
        }
        let Some(dispatcher) = lock(&self.dispatcher).clone() else { return false };
        query.set_context(&context::context(&dispatcher));
        true
    }

    fn prepare(&self) -> Result<(), gst::ErrorMessage> {
        self.shared.with_settings(|settings| settings.endpoint()).map_err(|error| {
            gst::error_msg!(gst::ResourceError::Settings, ["api-base: {error}"])
        })?;
        if lock(&self.dispatcher).is_some() {
            return Ok(());
        }
        let element = self.obj();
        context::request(element.upcast_ref());
        if lock(&self.dispatcher).is_some() {
            gst::debug!(CAT, imp = self, "Sharing the dispatcher that the context gave");
            return Ok(());
        }
        gst::debug!(CAT, imp = self, "Making a dispatcher");
        let own = runtime::own_dispatcher()
            .map_err(|error| gst::error_msg!(gst::ResourceError::Failed, ["{error}"]))?;
        *lock(&self.dispatcher) = Some(own.clone());
        context::announce(element.upcast_ref(), &own);
        Ok(())
    }

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let Some(dispatcher) = lock(&self.dispatcher).clone() else {
            return Err(gst::error_msg!(gst::CoreError::StateChange, ["There is no dispatcher"]));
        };
        // Nothing is left of an earlier start, also if that was never stopped.
        self.stop();
        let run = self.shared.begin_run();
        *lock(&self.stream) = Stream::default();
        let inbox = Arc::<Inbox>::default();
        let runtime = dispatcher.runtime().clone();
        let asker = Asker {
            element: self.obj().upcast_ref::<gst::Element>().downgrade(),
            shared: Arc::clone(&self.shared),
            run,
            inbox: Arc::clone(&inbox),
            dispatcher,
            next_seq: 0,
            backoff: Backoff::default(),
            last_asked: None,
            source_is_silent: false,
            urgent: false,
            told_limit: None,
        };
        let asker = runtime.spawn(asker.run()).abort_handle();
        *lock(&self.started) = Some(Started { inbox, asker });
        Ok(())
    }

    /// Lets a streaming thread go that waits here, and cancels the question in flight.
    fn stop(&self) {
        if let Some(started) = lock(&self.started).take() {
            started.inbox.close();
            started.asker.abort();
        }
    }
}

fn hold_more_buffers(allocation: &mut gst::query::Allocation) {
    let pools: Vec<_> = allocation.allocation_pools().map(|pool| pool.to_owned()).collect();
    for (at, (pool, size, min, max)) in (0..).zip(pools) {
        let max = if max == 0 { 0 } else { max.saturating_add(HELD_BUFFERS) };
        let min = min.saturating_add(HELD_BUFFERS);
        allocation.set_nth_allocation_pool(at, pool.as_ref(), size, min, max);
    }
}

#[glib::object_subclass]
impl ObjectSubclass for VlmAnalyze {
    const NAME: &'static str = "GstVlmAnalyze";
    type Type = super::VlmAnalyze;
    type ParentType = gst::Element;

    fn with_class(class: &Self::Class) -> Self {
        let template = |name| {
            class.pad_template(name).expect("both templates are registered in pad_templates()")
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
            .flags(flags)
            .build();
        let srcpad = gst::Pad::builder_from_template(&template("src"))
            .query_function(|pad, parent, query| {
                Self::catch_panic_pad_function(parent, || false, |this| this.src_query(pad, query))
            })
            .flags(flags)
            .build();
        Self {
            sinkpad,
            srcpad,
            shared: Arc::default(),
            dispatcher: Mutex::default(),
            started: Mutex::default(),
            stream: Mutex::default(),
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
                            element.imp().shared.wanted_now();
                        }
                        None
                    })
                    .build(),
            ]
        });
        SIGNALS.as_ref()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        match properties::set(&self.shared, pspec.name(), value) {
            Some(Effect::Question) => self.shared.question_changed(),
            Some(Effect::KeyDropped) => {
                gst::warning!(
                    CAT,
                    imp = self,
                    "The api-key was for another server and is dropped; set api-key after api-base"
                );
                self.shared.question_changed();
            }
            Some(Effect::Schedule) => {
                self.shared.schedule_changed();
                if let Some(inbox) = self.inbox() {
                    inbox.recheck();
                }
            }
            Some(Effect::NextQuestion) | None => {}
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        match pspec.name() {
            "last-answer" => self.shared.run().last_text().to_value(),
            "stats" => {
                let replaced = self.inbox().map_or(0, |inbox| inbox.replaced());
                self.shared.run().counters().to_structure(replaced).to_value()
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
                .collect()
        });
        TEMPLATES.as_ref()
    }

    fn set_context(&self, context: &gst::Context) {
        if let Some(dispatcher) = context::dispatcher(context) {
            *lock(&self.dispatcher) = Some(dispatcher);
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
        if transition == gst::StateChange::ReadyToNull {
            *lock(&self.dispatcher) = None;
        }
        Ok(success)
    }
}
