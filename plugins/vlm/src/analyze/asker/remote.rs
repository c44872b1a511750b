//! The asking task of an element for which somebody else asks. It wants, chooses a frame on its turn,
//! and waits until that want has ended.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use gst::glib;
use live_vlm_ask::Changes;

use super::{
    super::{
        inbox::SharedInbox,
        sample::Clip,
        settings::Settings,
        shared::{Run, Shared},
    },
    frames::Frames,
    pictures::pictures,
};
use crate::remote::{Heard, NothingToAsk, Outcome, Picture, RemoteAsker};

/// What was asked about in vain is asked about again up to this age. The next frame serves else.
const STILL_GOOD: Duration = Duration::from_secs(1);

pub(super) struct RemoteTask {
    pub(super) element: glib::WeakRef<gst::Element>,
    pub(super) shared: Arc<Shared>,
    pub(super) run: Arc<Run>,
    pub(super) inbox: SharedInbox,
    pub(super) frames: Frames,
    pub(super) remote: RemoteAsker,
}

/// How far a want came.
enum Came {
    /// A question was said, about this.
    Question(Clip),
    NoQuestion,
    /// The want was void. This was taken for it.
    Void(Option<Clip>),
    /// Whoever asks has ended it. This was taken for it.
    Ended(Outcome, Option<Clip>),
}

/// Why a turn is not waited for any more, nor a frame for it.
enum Stop {
    Void,
    Ended(Outcome),
}

impl Drop for RemoteTask {
    /// Whoever waits for an answer is let go, whatever the reason that none will come.
    fn drop(&mut self) {
        self.inbox.close();
        self.remote.give_up();
    }
}

impl RemoteTask {
    pub(super) async fn run(mut self) {
        let mut changes = self.shared.signals.changes();
        let remote = self.remote.clone();
        let _claim = remote.claim().await;
        loop {
            self.frames.next_moment(&mut changes).await;
            changes.question.borrow_and_update();
            let settings = self.shared.settings();
            let source = &mut self.frames.source;
            source.rhythm.wanted(Instant::now());
            let lead = source.lead();
            self.remote.want(self.frames.is_urgent, lead);
            let came = self.want(&settings, &mut changes).await;
            self.follow(came, &mut changes, &settings).await;
            self.inbox.settle();
        }
    }

    /// From the want to the question.
    async fn want(&mut self, settings: &Settings, changes: &mut Changes) -> Came {
        match self.turn(settings, changes).await {
            Ok(()) => {}
            Err(Stop::Void) => return Came::Void(None),
            Err(Stop::Ended(outcome)) => return Came::Ended(outcome, None),
        }
        let mut clip = None;
        let (frames, remote, element) = (&mut self.frames, &self.remote, &self.element);
        let question = tokio::select! {
            biased;
            question = question(frames, &mut clip, settings, element) => question,
            stop = stopped(remote, changes) => {
                return match stop {
                    Stop::Void => Came::Void(clip),
                    Stop::Ended(outcome) => Came::Ended(outcome, clip),
                };
            }
        };
        let clip = clip.filter(|_| question.is_ok());
        if clip.is_some() {
            self.run.count(|counters| counters.questions += 1);
        }
        self.remote.answer(question);
        clip.map_or(Came::NoQuestion, Came::Question)
    }

    /// Waits for the turn. When that is near, sees to it that there is a fresh frame.
    async fn turn(&mut self, settings: &Settings, changes: &mut Changes) -> Result<(), Stop> {
        let Self { frames, remote, shared, element, .. } = self;
        let is_urgent = frames.is_urgent;
        let mut expected = frames.source.rhythm.turn_for_want().or(is_urgent.then(Instant::now));
        loop {
            if !shared.with_settings(|settings| settings.ask) {
                return Err(Stop::Void);
            }
            let gives_frames = settings.on_demand && frames.source.gives_frames();
            tokio::select! {
                biased;
                _ = changes.schedule.changed() => {}
                heard = remote.heard() => match heard {
                    Heard::Near => {
                        expected = Some(Instant::now() + frames.source.lead());
                        if settings.on_demand && !gives_frames {
                            frames.source.request_key_frame();
                        }
                    }
                    Heard::Turn => {
                        frames.source.rhythm.has_turn(Instant::now());
                        return Ok(());
                    }
                    Heard::Ended(outcome) => return Err(Stop::Ended(outcome)),
                },
                _ = changes.question.changed() => return Err(Stop::Void),
                // Whoever asks has heard of it, too.
                _ = changes.now.changed() => {}
                () = frames.prepare(expected, settings, element), if settings.on_demand => {}
            }
        }
    }

    /// Waits until the want has ended, and does what follows from that.
    async fn follow(&mut self, came: Came, changes: &mut Changes, settings: &Settings) {
        let (clip, mut is_void, was_asked, ended) = match came {
            Came::Question(clip) => (Some(clip), false, true, None),
            Came::NoQuestion => (None, false, false, None),
            Came::Void(clip) => (clip, true, false, None),
            Came::Ended(outcome, clip) => (clip, false, false, Some(outcome)),
        };
        let mut outcome = ended;
        let Self { frames, remote, element, .. } = self;
        while outcome.is_none() {
            if is_void {
                remote.give_up();
            }
            let gives_frames = settings.on_demand && frames.source.gives_frames() && was_asked;
            let next = frames.source.next_turn(settings.interval);
            tokio::select! {
                biased;
                heard = remote.heard() => {
                    if let Heard::Ended(how) = heard {
                        outcome = Some(how);
                    }
                }
                _ = changes.question.changed() => is_void = true,
                () = frames.prepare(next, settings, element), if gives_frames && !is_void => {}
            }
        }
        let is_answered = was_asked && !is_void && outcome == Some(Outcome::Done);
        match is_answered {
            true => frames.source.rhythm.answered(Instant::now()),
            false => frames.source.rhythm.dropped(),
        }
        if is_void || outcome == Some(Outcome::Again) {
            self.ask_again(clip, settings);
        } else if was_asked {
            self.frames.answered();
        }
    }

    /// What was worth nothing is asked at once.
    fn ask_again(&mut self, clip: Option<Clip>, settings: &Settings) {
        self.frames.source.ask_at_once();
        self.frames.missed();
        match clip {
            Some(clip) if clip.newest.age() <= STILL_GOOD => {
                self.inbox.put_back(clip, !settings.on_demand);
            }
            _ if !settings.on_demand && !self.inbox.is_pending() => self.inbox.want(),
            _ => {}
        }
    }
}

/// Chooses what to ask about, which stays in `clip`, and makes pictures of it.
async fn question(
    frames: &mut Frames,
    clip: &mut Option<Clip>,
    settings: &Settings,
    element: &glib::WeakRef<gst::Element>,
) -> Result<Vec<Picture>, NothingToAsk> {
    let chosen = clip.insert(frames.choose(settings).await?);
    frames.use_prepared(chosen).await;
    let shown = pictures(chosen, settings, element).await;
    shown.map_err(|error| NothingToAsk::Unencodable(error.to_string()))
}

/// Waits until a turn is of no use any more.
async fn stopped(remote: &RemoteAsker, changes: &mut Changes) -> Stop {
    loop {
        tokio::select! {
            biased;
            heard = remote.heard() => {
                if let Heard::Ended(outcome) = heard {
                    return Stop::Ended(outcome);
                }
            }
            _ = changes.question.changed() => return Stop::Void,
        }
    }
}
