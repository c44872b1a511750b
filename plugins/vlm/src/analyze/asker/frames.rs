//! What there is to ask about, and when it is time to.

use std::{sync::Arc, time::Instant};

use gst::glib;
use live_vlm_ask::Changes;

use super::{
    super::{
        inbox::SharedInbox,
        sample::Clip,
        settings::Settings,
        shared::{Run, Shared},
    },
    ahead::Ahead,
    novelty::Novelty,
    source::Source,
};
use crate::remote::NothingToAsk;

/// The frames of one start of the element.
pub(super) struct Frames {
    shared: Arc<Shared>,
    inbox: SharedInbox,
    pub(super) source: Source,
    novelty: Novelty,
    /// The picture of the newest frame, made before the turn.
    ahead: Option<Ahead>,
    /// Whether somebody waits for the next question.
    pub(super) is_urgent: bool,
}

impl Frames {
    pub(super) fn new(
        shared: Arc<Shared>,
        run: Arc<Run>,
        inbox: SharedInbox,
        source: Source,
    ) -> Self {
        let novelty = Novelty::new(run);
        Self { shared, inbox, source, novelty, ahead: None, is_urgent: false }
    }

    /// Waits until there is something to ask about, or would be on demand.
    pub(super) async fn next_moment(&mut self, changes: &mut Changes) {
        loop {
            if !self.wait_for_moment(changes).await {
                // The stream has ended; a flush or a new one may follow. A sample from before
                // the source was asked on demand is not asked about any more.
                self.inbox.give_up();
                let _ = changes.schedule.changed().await;
            } else if !self.passes_over() {
                return;
            }
        }
    }

    /// Waits until it is time to ask; false when the stream has ended.
    async fn wait_for_moment(&mut self, changes: &mut Changes) -> bool {
        loop {
            changes.schedule.borrow_and_update();
            let (asks, on_demand, interval, clip) = self.shared.with_settings(|settings| {
                (settings.ask, settings.on_demand, settings.interval, settings.clip())
            });
            if !asks {
                self.wait_until_asked(changes).await;
                continue;
            }
            let moment = async {
                match on_demand {
                    true => self.source.next(interval, clip).await,
                    false => self.inbox.due().await.is_some(),
                }
            };
            tokio::select! {
                frames_come = moment => return frames_come,
                _ = changes.question.changed() => self.novelty.look_anyway = true,
                _ = changes.now.changed() => self.is_urgent = true,
                _ = changes.schedule.changed() => continue,
            }
            if !on_demand {
                self.inbox.want();
            } else if self.source.sends() {
                return true;
            }
        }
    }

    /// Nothing is to be asked. Waits until that may have changed.
    async fn wait_until_asked(&self, changes: &mut Changes) {
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
    }

    /// Passes the sample that is due over if it looks like the one that was asked about last.
    fn passes_over(&mut self) -> bool {
        let (min_change, on_demand) =
            self.shared.with_settings(|settings| (settings.min_change, settings.on_demand));
        let novelty = &mut self.novelty;
        let looks = min_change > 0.0 && !on_demand && !self.is_urgent && !novelty.look_anyway;
        if !looks || !novelty.has_seen() {
            return false;
        }
        let Some(sample) = self.inbox.peek() else { return false };
        let now = novelty.thumbnail(&sample.frame);
        let passes = now.is_some_and(|now| novelty.is_old(&now, min_change));
        if passes {
            // One that has come meanwhile is looked at next.
            self.inbox.pass_over(sample.arrived);
        }
        passes
    }

    /// Waits for a frame that is asked for in time for `turn`, if one is to be expected, and makes
    /// a picture of it before that. Only for sources on demand. If the future is dropped, nothing is
    /// lost.
    pub(super) async fn prepare(
        &mut self,
        turn: Option<Instant>,
        settings: &Settings,
        element: &glib::WeakRef<gst::Element>,
    ) {
        self.source.frame_for(turn, settings.clip()).await;
        // What may look like the one before may never be shown.
        if turn.is_some() && settings.min_change <= 0.0 {
            let newest = self.inbox.peek();
            self.ahead = newest.and_then(|newest| Ahead::begin(&newest, settings.jpeg(), element));
        }
    }

    /// Takes what was made before the turn of what was chosen on it.
    pub(super) async fn use_prepared(&mut self, clip: &mut Clip) {
        if let Some(ahead) = self.ahead.take() {
            ahead.put_into(clip).await;
        }
    }

    /// Takes the newest sample, once it is fresh, with what is shown before it.
    pub(super) async fn choose(&mut self, settings: &Settings) -> Result<Clip, NothingToAsk> {
        if settings.on_demand && !self.source.fresh_frame(settings.clip()).await {
            return Err(NothingToAsk::Silent);
        }
        let taken = self.inbox.take(settings.max_age(), settings.clip());
        let clip = taken.ok_or(NothingToAsk::NoFrame)?;
        if settings.min_change > 0.0
            && let Some(now) = self.novelty.thumbnail(&clip.newest.frame)
        {
            let looks = settings.on_demand && !self.is_urgent && !self.novelty.look_anyway;
            if looks && self.novelty.is_old(&now, settings.min_change) {
                return Err(NothingToAsk::Unchanged);
            }
            self.novelty.see(now);
        }
        Ok(clip)
    }

    /// Whether the next question is due already, which is about frames as these settings want them.
    pub(super) fn is_due(&self, settings: &Settings) -> bool {
        // Whether there is anything new to ask about is seen before the next turn.
        if self.inbox.has_ended() || settings.min_change > 0.0 {
            return false;
        }
        match settings.on_demand {
            true => self.source.is_due(settings.interval),
            false => self.inbox.is_pending(),
        }
    }

    /// A question has its answer.
    pub(super) fn answered(&mut self) {
        self.is_urgent = false;
        self.novelty.look_anyway = false;
    }

    /// The last question has no answer. The next one is asked whatever the picture looks like.
    pub(super) fn missed(&mut self) {
        self.novelty.look_anyway = true;
    }
}
