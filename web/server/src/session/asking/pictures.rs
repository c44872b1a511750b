//! Pictures that the page sends, as something to ask about. One is wanted so long before a turn as
//! this page's pictures take to come.

use std::{
    future,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use live_vlm_ask::{Answer, Changes, Failure, Outcome, QuestionSettings, Subject, Told};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, sleep_until},
};

use super::{
    AskEvent, AskSettings,
    picture::{Picture, PictureSource},
    questioner::{Ended, NEXT_WANT, Questioner},
    replacement::Replacement,
    telling::{Report, Telling},
    watching::{OnTurn, PATIENCE, Schedule, Step, Watching},
};

/// Asks one question after the other, until something else is asked about.
pub(super) async fn ask_on(source: PictureSource, questioner: &mut Questioner) {
    let view = View {
        source,
        settings: questioner.settings.clone(),
        report: questioner.telling.reporter(),
        watching: Mutex::default(),
        turn_moved: Notify::new(),
    };
    let mut has_place = false;
    loop {
        let Questioner { asker, changes, replacement, .. } = &mut *questioner;
        tokio::select! {
            biased;
            () = replacement.there() => return,
            () = view.next_moment(changes) => {}
            () = sleep(NEXT_WANT), if has_place => {
                asker.give_place_up();
                has_place = false;
                continue;
            }
        }
        has_place = view.ask_once(questioner).await.has_place;
    }
}

/// A page's pictures, and what is known of them. The lock is a leaf, and never held across an await.
struct View {
    source: PictureSource,
    settings: watch::Receiver<AskSettings>,
    report: Report,
    watching: Mutex<Watching>,
    /// The turn is near, or there.
    turn_moved: Notify,
}

impl View {
    /// Waits until it is time to want a turn.
    async fn next_moment(&self, changes: &mut Changes) {
        let mut arrivals = self.source.newest.clone();
        loop {
            changes.schedule.borrow_and_update();
            if !self.settings.borrow().asks {
                let _ = changes.schedule.changed().await;
                changes.now.borrow_and_update();
                continue;
            }
            self.note(&mut arrivals);
            let step = self.lock().step(Instant::now(), &self.schedule());
            let until = match step {
                Step::Ask => return,
                Step::PassedOver => {
                    (self.report)(AskEvent::Unchanged);
                    continue;
                }
                Step::Wish => {
                    self.wish();
                    continue;
                }
                Step::Wait(until) => until,
            };
            tokio::select! {
                () = arrival(&mut arrivals) => {}
                () = reached(until) => {}
                _ = changes.schedule.changed() => {}
                _ = changes.question.changed() => self.lock().look_anyway(),
                _ = changes.now.changed() => self.lock().make_urgent(),
            }
        }
    }

    /// Asks one question, if there is a picture when its turn comes.
    async fn ask_once(&self, questioner: &mut Questioner) -> Ended {
        self.lock().wants_turn(Instant::now());
        let Questioner { asker, telling, settings, changes, replacement } = &mut *questioner;
        let arrivals = self.source.newest.clone();
        let mut question = Question { view: self, settings, telling, arrivals };
        let outcome = tokio::select! {
            biased;
            outcome = asker.ask(&mut question, changes) => Some(outcome),
            () = self.is_replaced(replacement) => None,
            () = self.keep_ready() => None,
        };
        match &outcome {
            Some(Outcome::Answered { .. }) => self.lock().answered(Instant::now()),
            _ => self.lock().missed(),
        }
        let ended = questioner.follow(outcome).await;
        if ended.at_once && !ended.has_place {
            self.lock().ask_at_once();
        }
        ended
    }

    /// Waits until something else is to be asked about, unless a question is asked that has a
    /// picture already: that goes on to its end.
    async fn is_replaced(&self, replacement: &Replacement) {
        replacement.there().await;
        if self.lock().has_taken() {
            future::pending().await
        }
    }

    /// Sees to it that there is a fresh picture when the turn comes, or the next one. Has no end.
    async fn keep_ready(&self) {
        let mut arrivals = self.source.newest.clone();
        loop {
            self.note(&mut arrivals);
            let now = Instant::now();
            let wish = self.lock().next_wish(now, &self.schedule());
            if wish.is_some_and(|wish| wish <= now) {
                self.wish();
                continue;
            }
            tokio::select! {
                () = arrival(&mut arrivals) => {}
                () = reached(wish) => {}
                () = self.turn_moved.notified() => {}
            }
        }
    }

    /// Wants a picture of the page.
    fn wish(&self) {
        self.lock().wished(Instant::now());
        (self.report)(AskEvent::PictureWanted);
    }

    fn note(&self, arrivals: &mut watch::Receiver<Option<Arc<Picture>>>) {
        let newest = arrivals.borrow_and_update().clone();
        if let Some(newest) = newest {
            self.lock().came(&newest);
        }
    }

    fn schedule(&self) -> Schedule {
        let AskSettings { interval, max_age, min_change, .. } = *self.settings.borrow();
        Schedule { interval, max_age, min_change }
    }

    fn lock(&self) -> MutexGuard<'_, Watching> {
        self.watching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One question about a picture.
struct Question<'a> {
    view: &'a View,
    settings: &'a mut watch::Receiver<AskSettings>,
    telling: &'a mut Telling,
    arrivals: watch::Receiver<Option<Arc<Picture>>>,
}

impl Subject for Question<'_> {
    type Clip = Arc<Picture>;

    fn settings(&mut self) -> Result<QuestionSettings, Failure> {
        Ok(self.settings.borrow_and_update().question())
    }

    fn is_urgent(&self) -> bool {
        self.view.lock().is_urgent()
    }

    fn asks(&self) -> bool {
        self.settings.borrow().asks
    }

    fn lead(&self) -> Option<Duration> {
        Some(self.view.lock().lead())
    }

    fn near(&self) {
        self.view.lock().turn_is_near();
        self.view.turn_moved.notify_one();
    }

    async fn choose(&mut self) -> Option<Arc<Picture>> {
        let view = self.view;
        let until = Instant::now() + PATIENCE;
        view.lock().has_turn(Instant::now());
        loop {
            view.note(&mut self.arrivals);
            let on_turn = view.lock().on_turn(Instant::now(), until, &view.schedule());
            match on_turn {
                OnTurn::Take(picture) => {
                    view.source.asked.fetch_add(1, Ordering::Relaxed);
                    view.turn_moved.notify_one();
                    return Some(picture);
                }
                OnTurn::Nothing => return None,
                OnTurn::Wish => view.wish(),
                OnTurn::Wait(at) => tokio::select! {
                    () = arrival(&mut self.arrivals) => {}
                    () = reached(Some(at)) => {}
                },
            }
        }
    }

    fn put_back(&mut self, picture: Arc<Picture>) {
        self.view.lock().put_back(picture);
    }

    fn captured(&self, picture: &Arc<Picture>) -> Instant {
        picture.captured
    }

    async fn pictures(
        &mut self,
        picture: &mut Arc<Picture>,
    ) -> Result<Vec<vlm_client::Picture>, Failure> {
        Ok(vec![vlm_client::Picture::jpeg(&picture.jpeg)])
    }

    fn tell(&mut self, _: &Arc<Picture>, answer: &Answer, told: Told<'_>) {
        self.telling.tell(answer, told);
    }

    fn is_due(&self) -> bool {
        self.view.lock().is_due(Instant::now(), &self.view.schedule())
    }
}

/// Waits for a picture; for ever if none will come.
async fn arrival(arrivals: &mut watch::Receiver<Option<Arc<Picture>>>) {
    if arrivals.changed().await.is_err() {
        future::pending().await
    }
}

/// Waits until then; without a time for ever.
async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => future::pending().await,
    }
}
