//! The task that is a session.

mod event;
mod models;
mod network_faults;
mod pictures;
mod questions;
mod video;

use std::{
    collections::VecDeque, future, net::IpAddr, ops::ControlFlow, sync::Arc, time::SystemTime,
};

use live_vlm_ask::ChosenModel;
use live_vlm_dispatch::{Account, Dispatcher};
use live_vlm_media_processes::Owner;
use live_vlm_observe::metrics::{EndReason, SessionFigures, SessionState};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;
use vlm_client::Endpoint;

use self::{
    event::{Event, Events},
    pictures::SentPictures,
    video::{Negotiation, PendingOffer, Video, Wanted},
};
use super::{
    account::{Groups, UserAccount},
    answers::Answers,
    asking::Asking,
    command::{Command, Handle},
    outbox::Outbox,
    presence::Presence,
    services::Services,
    settings::Settings,
};
use crate::{
    protocol::{ClientMessage, ServerMessage, Status},
    refusal::Refusal,
    requester::Requester,
};

struct Session {
    services: Arc<Services>,
    handle: Handle,
    /// The user's, as their rules and limits say.
    dispatcher: Dispatcher,
    account: Arc<UserAccount>,
    is_announced: bool,
    /// Where whoever opened it came from.
    address: IpAddr,
    /// Whose its videos are.
    owner: Owner,
    settings: Settings,
    page: Option<Outbox>,
    presence: Presence,
    /// Where its tasks and its video tell it something.
    events: Events,
    /// Asks about the video, or about pictures.
    asking: Option<Asking>,
    asking_number: Option<u64>,
    /// Whether anything is asked, as it was last told.
    told_asks: bool,
    video: Option<Video>,
    video_number: Option<u64>,
    /// Of the last video, negotiated or not, and of what asks.
    last_number: u64,
    /// What the page sends in place of video.
    pictures: Option<SentPictures>,
    /// How many frames were wanted.
    frames_wanted: u64,
    negotiation: Option<Negotiation>,
    /// What waits for the negotiation to end.
    wanted: VecDeque<Wanted>,
    /// When it was last noted that one was answered, and how many were since then.
    offers: Option<(Instant, u64)>,
    /// The model that is asked when nobody named one.
    chosen_model: Arc<ChosenModel>,
    model_changes: u64,
    model_check: Option<AbortOnDropHandle<()>>,
    /// Whether a question of it has had an answer, or failed.
    has_asked: bool,
    answers: Answers,
    /// Questions about former videos and pictures that were passed over, as nothing had changed.
    unchanged_before: u64,
    /// How many there were in all, as the page was last told.
    unchanged_told: u64,
    status: (Status, String),
    figures: SessionFigures,
}

/// The task. It ends by itself, and takes everything of the session with it. `registration` is
/// dropped first of all, or when the task panics: whoever holds the list then forgets the session.
pub(super) async fn run(
    services: Arc<Services>,
    handle: Handle,
    requester: Requester,
    groups: Groups,
    registration: impl Send,
    commands: mpsc::Receiver<Command>,
) {
    let Services { dispatcher, defaults, observer, .. } = &*services;
    let owner = requester.owner_of_videos();
    let Requester { user, address, .. } = requester;
    let account = Arc::new(UserAccount::new(user.id, groups, address, &services));
    let rules = account.rules();
    let settings = Settings::new(defaults, &rules, models::first(defaults, &rules, dispatcher));
    let figures = observer.metrics.session_started();
    let (events, told) = Events::new();
    let session = Session {
        figures,
        presence: Presence::new(Instant::now(), services.grace),
        dispatcher: dispatcher.for_account(Arc::clone(&account) as Arc<dyn Account>),
        account,
        is_announced: false,
        address,
        owner,
        services,
        handle,
        settings,
        page: None,
        events,
        asking: None,
        asking_number: None,
        told_asks: false,
        video: None,
        video_number: None,
        last_number: 0,
        pictures: None,
        frames_wanted: 0,
        negotiation: None,
        wanted: VecDeque::new(),
        offers: None,
        chosen_model: Arc::default(),
        model_changes: 0,
        model_check: None,
        has_asked: false,
        answers: Answers::default(),
        unchanged_before: 0,
        unchanged_told: 0,
        status: (Status::Ready, "Ready".into()),
    };
    session.run(registration, commands, told).await;
}

impl Session {
    async fn run(
        mut self,
        registration: impl Send,
        mut commands: mpsc::Receiver<Command>,
        mut told: mpsc::Receiver<Event>,
    ) {
        let mut rules = self.services.live.changes();
        let reason = loop {
            let look_at = self.look_at(Instant::now());
            let step = tokio::select! {
                // What was told before a command is heard before it: an answer before the end.
                biased;
                Some(event) = told.recv() => {
                    self.on_event(event).await;
                    ControlFlow::Continue(())
                }
                command = commands.recv() => match command {
                    Some(command) => self.carry_out(command).await,
                    None => ControlFlow::Break(EndReason::Left),
                },
                _ = rules.changed() => {
                    self.obey_rules().await;
                    ControlFlow::Continue(())
                }
                () = reached(look_at) => self.look(Instant::now()),
            };
            if let ControlFlow::Break(reason) = step {
                break reason;
            }
        };
        // First of all, so that the id can be used again and nobody waits for a reply.
        drop(registration);
        commands.close();
        while commands.try_recv().is_ok() {}
        self.page = None;
        self.negotiation = None;
        self.stop_video().await;
        while let Ok(event) = told.try_recv() {
            if let Event::Negotiated(Ok(answered)) = event {
                answered.peer.stop().await;
            }
        }
        if self.is_announced {
            tracing::info!(session = self.handle.id().short(), "session ended");
        }
        self.figures.end(reason);
    }

    async fn carry_out(&mut self, command: Command) -> ControlFlow<EndReason> {
        match command {
            Command::Attach(outbox) => self.attach(outbox),
            Command::Detach(outbox) => {
                if self.is_of_page(&outbox) {
                    self.page_left();
                }
            }
            Command::Silence { outbox, silent } => {
                if self.is_of_page(&outbox) {
                    tracing::debug!(session = self.handle.id().short(), silent, "its page");
                    self.presence.silence(silent);
                    self.ask_or_not();
                }
            }
            Command::Message(Ok(message)) => self.obey(message).await,
            Command::Message(Err(refusal)) => self.refuse(refusal),
            Command::Picture { sent, done } => {
                self.take_picture(sent);
                let _ = done.send(());
            }
            Command::Offer { offer, reply } => {
                self.begin_or_queue(Wanted::Offer(PendingOffer { offer, reply })).await;
            }
            Command::RulesChanged => self.obey_rules().await,
            Command::Closing(within) => self.tell(&ServerMessage::closing(within)),
            Command::SignedOut => {
                self.tell(&ServerMessage::Error(Refusal::signed_out()));
                return ControlFlow::Break(EndReason::SignedOut);
            }
            Command::Close => return ControlFlow::Break(EndReason::Closed),
            #[cfg(test)]
            Command::Panic => panic!("as a test wants it"),
        }
        ControlFlow::Continue(())
    }

    async fn on_event(&mut self, event: Event) {
        match event {
            Event::Video { number, event } => self.on_video(number, event).await,
            Event::Negotiated(answered) => self.finish_negotiation(answered).await,
            Event::Undecodable(error) => self.refuse_undecodable(&error),
            Event::ModelChecked { number, change, listed } => {
                // Another choice since makes this one void.
                if number == self.model_changes {
                    self.model_check = None;
                    self.change_model(change, listed);
                    self.ask_or_not();
                }
            }
        }
    }

    /// Not before it has a page or a video: whoever sends nothing but bad offers opens many.
    fn announce(&mut self) {
        if !self.is_announced {
            self.is_announced = true;
            let (session, user) = (self.handle.id().short(), self.account.user());
            tracing::info!(session, user, address = %self.address, "session begins");
        }
    }

    fn attach(&mut self, outbox: Outbox) {
        self.announce();
        self.presence.came(Instant::now());
        self.page = Some(outbox);
        self.ask_or_not();
        let (status, text) = self.status.clone();
        let text = if status == Status::Ready { "Connected to server".to_owned() } else { text };
        self.tell_status(text, status);
        let stand_in = self.is_stand_in(&self.settings.endpoint);
        let id = self.handle.id().to_string();
        let number = self.handle.id().short();
        let ice_servers = self.services.relays.for_page(&number, SystemTime::now());
        self.tell(&ServerMessage::ServerConfig(self.settings.for_page(id, ice_servers, stand_in)));
        self.tell_frames_mode();
        if let Some(history) = self.answers.history() {
            self.tell(&history);
        }
    }

    fn is_of_page(&self, outbox: &Outbox) -> bool {
        self.page.as_ref().is_some_and(|page| page.is(outbox))
    }

    fn page_left(&mut self) {
        self.page = None;
        let has_video = self.video.is_some() || self.pictures.is_some();
        self.presence.left(Instant::now(), has_video);
        self.ask_or_not();
    }

    /// When to [look](Self::look) again.
    fn look_at(&self, now: Instant) -> Option<Instant> {
        let of_video = self.video.as_ref().and_then(Video::look_at);
        let of_pictures = self.pictures.as_ref().map(|pictures| pictures.look_at);
        [self.presence.look_at(now), of_video, of_pictures].into_iter().flatten().min()
    }

    /// Sees what time alone has changed.
    fn look(&mut self, now: Instant) -> ControlFlow<EndReason> {
        if self.presence.is_over(now) {
            return ControlFlow::Break(EndReason::Left);
        }
        self.ask_or_not();
        self.look_at_pictures(now);
        self.look_at_sent_pictures(now);
        self.tell_unchanged();
        ControlFlow::Continue(())
    }

    async fn obey(&mut self, message: ClientMessage) {
        match message {
            ClientMessage::Change { by, change } => {
                self.presence.said();
                self.settings.choices.update(change);
                self.send_settings_to_video();
                self.tell(&self.settings.confirmation(by));
            }
            ClientMessage::UpdateModel { model, api_base, api_key } => {
                self.presence.said();
                self.check_model(&api_base, api_key, model);
            }
            ClientMessage::SetDebug { debug } => {
                self.settings.debug = debug;
                self.tell(&ServerMessage::DebugUpdated { debug });
            }
            ClientMessage::IceCandidate { candidate, mid, line } => {
                self.begin_or_queue(Wanted::Candidate { candidate, mid, line }).await;
            }
            ClientMessage::RelayFailed(failure) => self.note_relay_failure(failure),
            ClientMessage::SendPictures { on } => {
                self.begin_or_queue(Wanted::Pictures(on)).await;
            }
            ClientMessage::AskNow => self.begin_or_queue(Wanted::Question).await,
            ClientMessage::HangUp => self.begin_or_queue(Wanted::End).await,
            // Answered by the connection.
            ClientMessage::Alive => {}
        }
    }

    /// Stops a video whose questions are not allowed any more.
    async fn obey_rules(&mut self) {
        if (self.video.is_some() || self.pictures.is_some())
            && let Err(refusal) = self.may_ask()
        {
            self.refuse(refusal);
            self.stop_video().await;
            self.set_status(Status::Stopped, "Stopped, as what you may ask has changed");
            self.presence.video_ended(Instant::now());
        }
    }

    fn is_stand_in(&self, endpoint: &Endpoint) -> bool {
        let defaults = &self.services.defaults;
        defaults.stand_in && endpoint.base() == defaults.endpoint.base()
    }

    fn set_status(&mut self, status: Status, text: &str) {
        if self.status.0 != status || self.status.1 != text {
            self.status = (status, text.to_owned());
            self.figures.set_state(status.into());
            self.tell_status(text.to_owned(), status);
        }
    }

    fn tell_status(&mut self, text: String, status: Status) {
        let unchanged = self.unchanged();
        self.unchanged_told = unchanged;
        self.tell(&ServerMessage::Status { text, status, unchanged });
    }

    /// Tells how many questions were passed over, if there are more of them.
    fn tell_unchanged(&mut self) {
        if self.unchanged() > self.unchanged_told {
            let (status, text) = self.status.clone();
            self.tell_status(text, status);
        }
    }

    /// How many questions were passed over, as nothing had changed.
    fn unchanged(&self) -> u64 {
        let of_video = self.video.as_ref().map_or(0, Video::unchanged);
        let of_pictures = self.pictures.as_ref().map_or(0, SentPictures::unchanged);
        self.unchanged_before + of_video + of_pictures
    }

    /// Tells the page that something is not done, and whoever operates the server.
    fn refuse(&mut self, refusal: Refusal) {
        let refusals = &self.services.refusals;
        refusals.note((&refusal).into(), self.address, Some(&self.handle.id().short()));
        self.tell(&ServerMessage::Error(refusal));
    }

    fn tell(&mut self, message: &ServerMessage) {
        if let Some(page) = &self.page
            && page.send(message).is_err()
        {
            tracing::info!(session = self.handle.id().short(), "its page does not read any more");
            self.page_left();
        }
    }
}

impl From<Status> for SessionState {
    fn from(status: Status) -> Self {
        match status {
            Status::Ready => Self::Ready,
            Status::Connecting => Self::Connecting,
            Status::Live => Self::Live,
            Status::Waiting => Self::Waiting,
            Status::Stopped => Self::Stopped,
            Status::Failed => Self::Failed,
        }
    }
}

/// Waits until then; without a time for ever.
async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => future::pending().await,
    }
}
