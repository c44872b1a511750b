//! The asking task: one per start of the element. It waits until it is time to ask, asks (see
//! [`question`](super::question)), and leaves a VLM alone that fails.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gst::{glib, prelude::*};
use live_vlm_dispatch::{Dispatcher, Member, NoTurn};
use tokio::{
    sync::watch,
    time::{sleep, sleep_until, timeout},
};
use vlm_client::Error;

use super::{
    backoff::Backoff,
    category::CAT,
    inbox::{Clip, Frame, SharedInbox},
    settings::{Busy, ErrorPolicy},
    shared::{Run, Shared},
    text::Captions,
};
use crate::{
    change::{Thumbnail, Thumbnails},
    messages::{self, AnswerError},
    overlay::OverlayMode,
};

/// A frame that came on demand is asked about without asking for another, up to this age.
const FRESH: Duration = Duration::from_millis(250);
/// Browsers ignore a second request for a key frame within half a second of the first.
const KEY_FRAME_WAIT: Duration = Duration::from_millis(500);
/// Each of them, and the frame that it brings, may be lost on a bad network.
const KEY_FRAME_TRIES: u32 = 4;
/// How often a source that sends nothing is reminded.
const REMINDER: Duration = Duration::from_secs(1);
/// The stream is not held for longer than this for the text over its picture.
const LONGEST_DRAWING: Duration = Duration::from_secs(1);
/// How often a user is told of a limit that keeps being reached.
const LIMIT_REMINDER: Duration = Duration::from_secs(30);

pub(crate) struct Asker {
    pub(crate) element: glib::WeakRef<gst::Element>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) run: Arc<Run>,
    pub(crate) inbox: SharedInbox,
    pub(crate) captions: Arc<Captions>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) next_seq: u64,
    pub(crate) backoff: Backoff,
    /// When the last question began; questions on demand keep the interval from there.
    pub(crate) last_asked: Option<Instant>,
    /// Whether frames asked for have not come; then no turn is taken before one does.
    pub(crate) source_is_silent: bool,
    /// Whether somebody waits for the next question.
    pub(crate) urgent: bool,
    /// When a limit that was reached was last told of.
    pub(crate) told_limit: Option<Instant>,
    /// How often the question at hand was asked again.
    pub(crate) retried: u32,
    pub(crate) thumbnails: Thumbnails,
    /// What the frame looked like that was asked about last.
    pub(crate) seen: Option<Thumbnail>,
    /// Whether the next question is asked whatever the picture looks like.
    pub(crate) look_anyway: bool,
}

/// What the asking task is told meanwhile.
pub(super) struct Changes {
    /// An answer in flight has become worthless.
    pub(super) question: watch::Receiver<u64>,
    /// When to ask has changed.
    pub(super) schedule: watch::Receiver<u64>,
    /// Somebody wants the next question at once.
    pub(super) now: watch::Receiver<u64>,
}

/// How asking went.
pub(super) enum Outcome {
    /// With an answer, unless it did not fit; `again` if the next question is due already and waits
    /// for its turn.
    Answered { again: bool, answer: Option<gst::Structure> },
    /// A changed setting made it worthless; ask again at once.
    Cancelled,
    /// There was nothing (fresh, or new, enough) to ask about.
    Nothing,
    /// Without one; what it was asked about is given back.
    Failed(Failure, Option<Box<Clip>>),
}

pub(super) struct Failure {
    pub(super) kind: &'static str,
    pub(super) message: String,
    /// Whether asking again later may help.
    pub(super) passing: bool,
    /// Whether it may help to ask about the same frame.
    pub(super) same_frame: bool,
    pub(super) retry_after: Option<Duration>,
    pub(super) limit: Option<(String, u64)>,
    /// What the server did, if it was the server.
    pub(super) error: Option<Box<Error>>,
    /// Whether it may be over when the server is seen again.
    pub(super) is_servers: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            kind: error.kind.name(),
            message: error.to_string(),
            passing: error.is_passing(),
            same_frame: true,
            retry_after: error.retry_after(),
            limit: None,
            is_servers: error.is_servers_fault(),
            error: Some(Box::new(error)),
        }
    }
}

impl From<NoTurn> for Failure {
    fn from(none: NoTurn) -> Self {
        let message = none.to_string();
        match none {
            NoTurn::Denied(denied) => Self {
                retry_after: Some(denied.retry_after),
                limit: Some((denied.limit.to_owned(), denied.value)),
                ..failure("limit", message, true)
            },
            NoTurn::Unavailable { retry_after, .. } => {
                let failure = failure("unavailable", message, true);
                Self { retry_after: Some(retry_after), is_servers: true, ..failure }
            }
            _ => failure("unavailable", message, true),
        }
    }
}

impl Drop for Asker {
    /// Whoever waits for an answer is let go, whatever the reason that none will come.
    fn drop(&mut self) {
        self.inbox.close();
        if std::thread::panicking() {
            gst::error!(CAT, "The asking task has panicked; nothing is asked until the next start");
        }
    }
}

impl Asker {
    pub(crate) async fn run(mut self) {
        let mut changes = Changes {
            question: self.shared.question_changes(),
            schedule: self.shared.schedule_changes(),
            now: self.shared.wishes_for_now(),
        };
        let mut member = None;
        let mut again = false;
        loop {
            if !again {
                if !self.wait_for_moment(&mut changes).await {
                    // The stream has ended; a flush or a new one may follow. A sample from before
                    // the source was asked on demand is not asked about any more.
                    self.inbox.give_up();
                    let _ = changes.schedule.changed().await;
                    continue;
                }
                if self.passes_over() {
                    continue;
                }
            }
            let outcome = self.ask(&mut member, &mut changes).await;
            again = matches!(outcome, Outcome::Answered { again: true, .. });
            match outcome {
                Outcome::Answered { answer, .. } => {
                    self.backoff.reset();
                    self.urgent = false;
                    self.look_anyway = false;
                    self.retried = 0;
                    self.let_text_be_drawn().await;
                    if let Some(answer) = answer {
                        self.emit_answer(answer).await;
                    }
                }
                Outcome::Cancelled => {
                    self.last_asked = None;
                    self.look_anyway = true;
                    self.retried = 0;
                }
                Outcome::Nothing => self.retried = 0,
                Outcome::Failed(failure, clip) => {
                    let member = member.as_ref();
                    if !self.follow_failure(failure, clip, member, &mut changes).await {
                        return;
                    }
                }
            }
            self.inbox.settle();
            if self.inbox.has_failed() {
                return;
            }
        }
    }

    /// A frame that is held for its answer leaves with all of it over the picture.
    async fn let_text_be_drawn(&self) {
        let holds = self.shared.with_settings(|settings| {
            settings.busy == Busy::Wait && settings.overlay.mode != OverlayMode::Off
        });
        if holds {
            let _ = timeout(LONGEST_DRAWING, self.run.board.up_to_date()).await;
        }
    }

    /// Passes the sample that is due over if it looks like the one that was asked about last.
    fn passes_over(&mut self) -> bool {
        let (min_change, on_demand) =
            self.shared.with_settings(|settings| (settings.min_change, settings.on_demand));
        let looks = min_change > 0.0 && !on_demand && !self.urgent && !self.look_anyway;
        if !looks || self.seen.is_none() {
            return false;
        }
        let Some(sample) = self.inbox.peek() else { return false };
        let passes = self.thumbnail(&sample.frame).is_some_and(|now| self.is_old(&now, min_change));
        if passes {
            // One that has come meanwhile is looked at next.
            self.inbox.pass_over(sample.arrived);
        }
        passes
    }

    pub(super) fn thumbnail(&mut self, frame: &Frame) -> Option<Thumbnail> {
        match frame {
            Frame::Raw(frame) => self.thumbnails.of(&frame.buffer, &frame.caps),
            Frame::Encoded(_) => None,
        }
    }

    /// Whether there is nothing new to see.
    pub(super) fn is_old(&self, now: &Thumbnail, min_change: f64) -> bool {
        let is_old = self.seen.as_ref().is_some_and(|seen| seen.change(now) < min_change);
        if is_old {
            self.run.count(|counters| counters.unchanged += 1);
        }
        is_old
    }

    /// Waits until it is time to ask; false when the stream has ended.
    async fn wait_for_moment(&mut self, changes: &mut Changes) -> bool {
        loop {
            changes.schedule.borrow_and_update();
            let (asks, on_demand, interval) = self
                .shared
                .with_settings(|settings| (settings.ask, settings.on_demand, settings.interval));
            if !asks {
                // Whoever left a sample just now, and may be held for it, is let go.
                self.inbox.give_up();
                tokio::select! {
                    _ = changes.schedule.changed() => {}
                    Some(()) = self.inbox.due() => {}
                }
                changes.now.borrow_and_update();
                let (asks, on_demand) = self.shared.with_settings(|s| (s.ask, s.on_demand));
                if asks && !on_demand {
                    self.inbox.want();
                }
                continue;
            }
            let moment = async {
                if on_demand {
                    self.next_on_demand(interval).await
                } else {
                    self.inbox.due().await.is_some()
                }
            };
            tokio::select! {
                frames_come = moment => return frames_come,
                _ = changes.question.changed() => self.look_anyway = true,
                _ = changes.now.changed() => self.urgent = true,
                _ = changes.schedule.changed() => continue,
            }
            if !on_demand {
                self.inbox.want();
            } else if self.inbox.last_arrival().is_some()
                && !self.source_is_silent
                && !self.inbox.has_ended()
            {
                return true;
            }
        }
    }

    /// Waits until a question on demand is due and the source sends frames; false when the stream
    /// has ended.
    async fn next_on_demand(&self, interval: Duration) -> bool {
        if let Some(last) = self.last_asked {
            sleep_until((last + interval).into()).await;
        }
        if !self.source_is_silent {
            // Nothing to ask about before the source has sent its first frame.
            return self.inbox.newer_than(None).await && !self.inbox.has_ended();
        }
        let since = self.inbox.last_arrival();
        loop {
            self.request_key_frame();
            if let Ok(frames_come) = timeout(REMINDER, self.inbox.newer_than(since)).await {
                return frames_come;
            }
        }
    }

    /// Sees to it that the newest frame is fresh. False when the source sends none.
    pub(super) async fn fresh_frame(&self) -> bool {
        if self.inbox.newest_arrival().is_some_and(|arrived| arrived.elapsed() <= FRESH) {
            return true;
        }
        let since = self.inbox.last_arrival();
        for _ in 0..KEY_FRAME_TRIES {
            self.request_key_frame();
            if let Ok(came) = timeout(KEY_FRAME_WAIT, self.inbox.newer_than(since)).await {
                return came;
            }
        }
        false
    }

    pub(super) fn request_key_frame(&self) {
        let Some(pad) = self.element.upgrade().and_then(|element| element.static_pad("sink"))
        else {
            return;
        };
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        pad.push_event(event);
    }

    /// Tells of a failure, and waits until it is time to ask again; false if that is never.
    async fn follow_failure(
        &mut self,
        failure: Failure,
        clip: Option<Box<Clip>>,
        member: Option<&Member>,
        changes: &mut Changes,
    ) -> bool {
        let is_servers = failure.is_servers;
        let (retries, policy, busy, on_demand) =
            self.shared.with_settings(|s| (s.retries, s.error_policy, s.busy, s.on_demand));
        let is_limit = failure.limit.is_some();
        let retry = is_limit || failure.passing && failure.same_frame && self.retried < retries;
        if retry && !is_limit {
            self.retried += 1;
            self.run.count(|counters| counters.retries += 1);
        } else {
            self.retried = 0;
        }
        let fails = !retry && policy == ErrorPolicy::Fail;
        let message = failure.message.clone();
        self.look_anyway = true;
        let holds = retry && busy == Busy::Wait && !on_demand;
        if let Some(clip) = clip.filter(|_| holds) {
            // Whoever waits for its answer goes on waiting.
            self.inbox.put_back(*clip, true);
        }
        let retry_in = self.tell_failure(failure);
        if fails {
            self.fail(&message);
            return false;
        }
        if holds {
            self.inbox.settle();
        } else {
            self.inbox.back_off();
        }
        let back = async {
            match member.filter(|_| is_servers) {
                Some(member) => member.back().await,
                None => std::future::pending().await,
            }
        };
        let changed = tokio::select! {
            () = sleep(retry_in) => false,
            _ = changes.question.changed() => true,
            () = back => true,
        };
        if changed {
            self.backoff.reset();
            self.retried = 0;
        }
        self.inbox.settle();
        if retry || changed {
            self.last_asked = None;
            // The sample is gone and the next one may be far: the next frame will do.
            if !on_demand && !self.inbox.is_pending() {
                self.inbox.want();
            }
        }
        true
    }

    /// Tells of a failure; returns when to ask again.
    fn tell_failure(&mut self, failure: Failure) -> Duration {
        let retry_in = self.backoff.after_failure(failure.passing, failure.retry_after);
        if failure.limit.is_some() {
            // Whoever wants more than the limit reaches it with every question.
            let told = self.told_limit.replace(Instant::now());
            if let Some(at) = told.filter(|at| at.elapsed() < LIMIT_REMINDER) {
                self.told_limit = Some(at);
                return retry_in;
            }
        }
        if failure.kind == "model-unknown" {
            self.shared.forget_chosen_model();
        }
        // Before anybody is let go who waits: the stream's end must not overtake it.
        self.tell(&AnswerError {
            seq: self.next_seq,
            kind: failure.kind.into(),
            message: failure.message,
            retry_in_ms: millis(retry_in),
            limit: failure.limit,
            text: String::new(),
        });
        retry_in
    }

    pub(super) fn tell(&self, error: &AnswerError) {
        self.run.count(|counters| counters.errors += 1);
        self.post(error.to_structure());
    }

    /// Ends the stream with an error, as `error-policy=fail` wants it.
    pub(super) fn fail(&self, message: &str) {
        if let Some(element) = self.element.upgrade()
            && !self.inbox.is_closed()
        {
            gst::element_error!(element, gst::ResourceError::Failed, ("{message}"));
        }
        self.inbox.fail();
    }

    pub(super) fn post(&self, structure: gst::Structure) {
        // What a stopped start has to say would be taken for the next one's.
        if let Some(element) = self.element.upgrade()
            && !self.inbox.is_closed()
        {
            messages::post(&element, structure);
        }
    }
}

impl Asker {
    /// Tells whoever listens to the signal `answer`: after the turn, so that no server waits for
    /// them, and on a thread on which they may take their time.
    async fn emit_answer(&self, answer: gst::Structure) {
        let Some(element) = self.element.upgrade().filter(|_| !self.inbox.is_closed()) else {
            return;
        };
        let emitted = tokio::task::spawn_blocking(move || {
            element.emit_by_name::<()>("answer", &[&answer]);
        });
        if emitted.await.is_err() {
            gst::error!(CAT, "A handler of the signal answer has panicked");
        }
    }
}

pub(super) fn failure(kind: &'static str, message: String, passing: bool) -> Failure {
    Failure {
        kind,
        message,
        passing,
        same_frame: true,
        retry_after: None,
        limit: None,
        error: None,
        is_servers: false,
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
