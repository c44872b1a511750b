//! The task that is a session.

mod models;
mod relays;
mod video;

use std::{
    future,
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use live_vlm_dispatch::{Account, Dispatcher};
use live_vlm_pipelines::{CandidateSection, SessionEvent};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tokio_util::task::AbortOnDropHandle;
use vlm_client::Endpoint;

use self::{models::ModelChange, video::Video};
use super::{
    account::{Groups, UserAccount},
    answers::Answers,
    id::Requester,
    outbox::Outbox,
    presence::{Offerer, Presence},
    registry::{Handle as SessionHandle, Places, Sessions, SessionsConfig},
    settings::Settings,
};
use crate::{
    metrics::{EndReason, SessionFigures},
    protocol::{ClientMessage, ServerMessage, Status},
    refusal::Refusal,
};

/// How many commands may wait. Pieces of answers are dropped when it is full; see [`Command::Video`].
pub(super) const COMMANDS: usize = 128;

pub(super) enum Command {
    Attach(Outbox),
    Detach(Outbox),
    /// The page of this connection has left a ping unanswered, or is heard again.
    Silence {
        outbox: Outbox,
        silent: bool,
    },
    Message(Result<ClientMessage, Refusal>),
    Offer {
        sdp: String,
        of: Offerer,
        reply: oneshot::Sender<Result<String, Refusal>>,
    },
    /// From the video of this number; those of earlier ones come too late.
    Video {
        number: u64,
        event: SessionEvent,
    },
    /// A model was looked for in its server's list.
    ModelChecked {
        number: u64,
        change: ModelChange,
        listed: Result<Option<Vec<String>>, Refusal>,
    },
    /// What its owner signed in by holds no more.
    SignedOut,
    /// Its user may do something else than before.
    RulesChanged,
    /// No more questions are asked; the server ends after this time.
    Closing(Duration),
    Close,
    /// What a mistake of ours would do.
    #[cfg(test)]
    Panic,
}

struct Session {
    sessions: Sessions,
    handle: SessionHandle,
    /// The user's, as their rules and limits say.
    dispatcher: Dispatcher,
    account: Arc<UserAccount>,
    is_announced: bool,
    /// Where whoever opened it came from.
    address: IpAddr,
    settings: Settings,
    page: Option<Outbox>,
    presence: Presence,
    video: Option<Video>,
    video_number: u64,
    /// When it was last noted that one was answered, and how many were since then.
    offers: Option<(Instant, u64)>,
    model_changes: u64,
    model_check: Option<AbortOnDropHandle<()>>,
    /// Whether a question of it has had an answer, or failed.
    has_asked: bool,
    answers: Answers,
    status: (Status, String),
    figures: SessionFigures,
}

/// Takes a session out of the list, even if its task panics.
struct Listed {
    sessions: Sessions,
    handle: SessionHandle,
    /// Free for the user's next session after this one is out of the list.
    _places: Places,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.sessions.remove(&self.handle);
    }
}

/// The task. It ends by itself, and takes everything of the session with it.
pub(super) async fn run(
    sessions: Sessions,
    handle: SessionHandle,
    requester: Requester,
    groups: Groups,
    places: Places,
    commands: mpsc::Receiver<Command>,
) {
    let listed = Listed { sessions: sessions.clone(), handle: handle.clone(), _places: places };
    let SessionsConfig { dispatcher, defaults, observer, .. } = sessions.config();
    let Requester { user, address, .. } = requester;
    let account = Arc::new(UserAccount::new(user.id, groups, address, sessions.config()));
    let rules = account.rules();
    let settings = Settings::new(defaults, &rules, models::first(defaults, &rules, dispatcher));
    let figures = observer.metrics.session_started();
    let session = Session {
        figures,
        presence: Presence::new(Instant::now(), sessions.config().grace),
        dispatcher: dispatcher.for_account(Arc::clone(&account) as Arc<dyn Account>),
        account,
        is_announced: false,
        address,
        sessions,
        handle,
        settings,
        page: None,
        video: None,
        video_number: 0,
        offers: None,
        model_changes: 0,
        model_check: None,
        has_asked: false,
        answers: Answers::default(),
        status: (Status::Ready, "Ready".into()),
    };
    session.run(listed, commands).await;
}

impl Session {
    async fn run(mut self, listed: Listed, mut commands: mpsc::Receiver<Command>) {
        let mut rules = self.sessions.config().live.changes();
        let reason = loop {
            let look_at = self.look_at(Instant::now());
            let look = async {
                match look_at {
                    Some(at) => sleep_until(at).await,
                    None => future::pending().await,
                }
            };
            let command = tokio::select! {
                command = commands.recv() => command,
                _ = rules.changed() => Some(Command::RulesChanged),
                () = look => {
                    let now = Instant::now();
                    if self.presence.is_over(now) {
                        break EndReason::Left;
                    }
                    self.look(now);
                    continue;
                }
            };
            match command {
                None => break EndReason::Left,
                Some(Command::Close) => break EndReason::Closed,
                Some(Command::SignedOut) => {
                    self.tell(&ServerMessage::Error(Refusal::signed_out()));
                    break EndReason::SignedOut;
                }
                Some(command) => self.carry_out(command).await,
            }
        };
        // First of all, so that the id can be used again and nobody waits for a reply.
        drop(listed);
        commands.close();
        while commands.try_recv().is_ok() {}
        self.page = None;
        self.stop_video().await;
        if self.is_announced {
            tracing::info!(session = self.handle.id().short(), "session ended");
        }
        self.figures.end(reason);
    }

    async fn carry_out(&mut self, command: Command) {
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
            // Whoever has given up, or has offered anew meanwhile, costs no pipeline.
            Command::Offer { reply, .. } if reply.is_closed() => {}
            Command::Offer { sdp, of, reply } => {
                let answer = self.answer(&sdp, of).await;
                let _ = reply.send(answer);
            }
            Command::Video { number, event } if number == self.video_number => {
                self.on_video(event).await;
            }
            Command::Video { .. } => {}
            Command::ModelChecked { number, change, listed } if number == self.model_changes => {
                self.model_check = None;
                self.change_model(change, listed);
                self.ask_or_not();
            }
            Command::RulesChanged => self.obey_rules().await,
            Command::Closing(within) => self.tell(&ServerMessage::closing(within)),
            #[cfg(test)]
            Command::Panic => panic!("as a test wants it"),
            Command::ModelChecked { .. } | Command::SignedOut | Command::Close => {}
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
        self.tell(&ServerMessage::Status { text, status });
        let stand_in = self.is_stand_in(&self.settings.endpoint);
        let id = self.handle.id().to_string();
        let turn = &self.sessions.config().turn;
        let relays = turn.for_page(&self.handle.id().short(), SystemTime::now());
        self.tell(&ServerMessage::ServerConfig(self.settings.for_page(id, relays, stand_in)));
        if let Some(history) = self.answers.history() {
            self.tell(&history);
        }
    }

    fn is_of_page(&self, outbox: &Outbox) -> bool {
        self.page.as_ref().is_some_and(|page| page.is(outbox))
    }

    fn page_left(&mut self) {
        self.page = None;
        self.presence.left(Instant::now(), self.video.is_some());
        self.ask_or_not();
    }

    /// When to [look](Self::look) again.
    fn look_at(&self, now: Instant) -> Option<Instant> {
        let of_video = self.video.as_ref().and_then(Video::look_at);
        [self.presence.look_at(now), of_video].into_iter().flatten().min()
    }

    /// Sees what time alone has changed.
    fn look(&mut self, now: Instant) {
        self.ask_or_not();
        self.look_at_pictures(now);
    }

    async fn obey(&mut self, message: ClientMessage) {
        match message {
            ClientMessage::UpdatePrompt { prompt, max_tokens, system_prompt } => {
                self.presence.said();
                self.settings.prompt = prompt;
                self.settings.max_tokens = max_tokens.unwrap_or(self.settings.max_tokens);
                if let Some(system_prompt) = system_prompt {
                    self.settings.system_prompt = system_prompt;
                }
                self.apply();
                self.tell(&ServerMessage::PromptUpdated {
                    prompt: self.settings.prompt.clone(),
                    max_tokens: self.settings.max_tokens,
                    system_prompt: self.settings.system_prompt.clone(),
                });
            }
            ClientMessage::UpdateModel { model, api_base, api_key } => {
                self.presence.said();
                self.check_model(&api_base, api_key, model);
            }
            ClientMessage::UpdateProcessing { interval } => {
                self.presence.said();
                self.settings.interval = Duration::from_secs_f64(interval);
                self.apply();
                self.tell(&ServerMessage::ProcessingUpdated {
                    process_every: self.settings.process_every(),
                    interval: self.settings.interval.as_secs_f64(),
                });
            }
            ClientMessage::UpdateMaxLatency { max_latency } => {
                self.presence.said();
                self.settings.max_age = Duration::from_secs_f64(max_latency);
                self.apply();
                self.tell(&ServerMessage::MaxLatencyUpdated { max_latency });
            }
            ClientMessage::SetDebug { debug } => {
                self.settings.debug = debug;
                self.tell(&ServerMessage::DebugUpdated { debug });
            }
            ClientMessage::IceCandidate { candidate, mid, line } => {
                if let Some(video) = &self.video {
                    let section = CandidateSection::new(mid.as_deref(), line);
                    video.add_ice_candidate(section, &candidate);
                }
            }
            ClientMessage::RelayFailed(failure) => self.note_relay_failure(failure),
            ClientMessage::AskNow => {
                if let Some(video) = &self.video {
                    video.ask_now();
                }
            }
            // Answered by the connection.
            ClientMessage::Alive => {}
            ClientMessage::HangUp => {
                self.stop_video().await;
                self.set_status(Status::Stopped, "Stopped");
                self.presence.video_ended(Instant::now());
            }
        }
    }

    /// Stops a video whose questions are not allowed any more.
    async fn obey_rules(&mut self) {
        if self.video.is_some()
            && let Err(refusal) = self.may_ask()
        {
            self.refuse(refusal);
            self.stop_video().await;
            self.set_status(Status::Stopped, "Stopped, as what you may ask has changed");
            self.presence.video_ended(Instant::now());
        }
    }

    fn is_stand_in(&self, endpoint: &Endpoint) -> bool {
        let defaults = &self.sessions.config().defaults;
        defaults.stand_in && endpoint.base() == defaults.endpoint.base()
    }

    fn set_status(&mut self, status: Status, text: &str) {
        if self.status.0 != status || self.status.1 != text {
            self.status = (status, text.to_owned());
            self.figures.set_state(status);
            self.tell(&ServerMessage::Status { text: text.to_owned(), status });
        }
    }

    /// Tells the page that something is not done, and whoever operates the server.
    fn refuse(&mut self, refusal: Refusal) {
        let refusals = &self.sessions.config().observer.refusals;
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
