//! A session's video: its offers, what it tells, and whether it is asked about.

use std::time::Duration;

use live_vlm_observe::metrics;
use live_vlm_pipelines::{
    BrowserSession, CandidateSection, FrameCounter, FrameCounts, LostReason, SessionEvent,
    SessionOptions, SessionSettings,
};
use tokio::{runtime::Handle, sync::mpsc::error::TrySendError, time::Instant};

use super::Session;
use crate::{
    media_address,
    protocol::{ServerMessage, Status},
    refusal::Refusal,
    session::{
        answers,
        command::Command,
        pictures::{self, Pictures},
        presence::Offerer,
    },
};

/// How often it is noted that offers are answered.
const NOTE_OFFERS: Duration = Duration::from_secs(60);

/// One that was answered, and what is known of it.
pub(super) struct Video {
    session: BrowserSession,
    frames: FrameCounter,
    /// Whether it asks, as it was last told.
    asks: bool,
    /// Since it is connected, and when to look at them.
    pictures: Option<(Pictures, Instant)>,
    /// A frame was decoded.
    has_shown: bool,
}

impl Video {
    pub(super) fn look_at(&self) -> Option<Instant> {
        self.pictures.as_ref().map(|(_, look_at)| *look_at)
    }

    pub(super) fn add_ice_candidate(&self, section: CandidateSection, candidate: &str) {
        self.session.add_ice_candidate(section, candidate);
    }

    pub(super) fn ask_now(&self) {
        self.session.ask_now();
    }
}

impl Session {
    pub(super) async fn answer(&mut self, sdp: &str, of: Offerer) -> Result<String, Refusal> {
        self.may_ask()?;
        let services = &self.services;
        // Nothing is asked before it is clear whether somebody is there.
        let quiet = SessionSettings { asks: false, ..self.settings.for_pipeline() };
        let mut options = SessionOptions::new(quiet)?;
        options.network = media_address::reachable(&services.network);
        options.context = Some(live_vlm_pipelines::dispatcher_context(&self.dispatcher));
        let number = self.video_number + 1;
        let commands = self.handle.sender();
        let session = self.handle.id().short();
        let runtime = Handle::current();
        let events = move |event| {
            // Called from streaming threads, which must not wait. When the session is overwhelmed
            // it may miss pieces of an answer; everything else waits, and is little.
            let may_be_missed = matches!(&event, SessionEvent::Answer(answer) if !answer.done);
            match commands.try_send(Command::Video { number, event }) {
                Err(TrySendError::Full(command)) if !may_be_missed => {
                    let commands = commands.clone();
                    runtime.spawn(async move { commands.send(command).await });
                }
                Err(error) => tracing::debug!(session, %error, "an event of the video was dropped"),
                Ok(()) => {}
            }
        };
        // The video that runs goes on until the new offer has proved usable.
        let (video, answer) = match BrowserSession::answer(sdp, options, events).await {
            Ok(answered) => answered,
            Err(error) => {
                tracing::debug!(session = self.handle.id().short(), %error, "offer refused");
                if self.video.is_none() {
                    self.presence.video_ended(Instant::now());
                }
                return Err(error.into());
            }
        };
        self.announce();
        self.stop_video().await;
        self.video_number = number;
        self.note_offer(&video);
        self.note_silent_stun(&video);
        let frames = video.frames();
        let counter = frames.clone();
        self.figures.video_began(move || {
            let FrameCounts { received, decoded, asked } = counter.read();
            metrics::FrameCounts { received, decoded, asked }
        });
        self.video =
            Some(Video { session: video, frames, asks: false, pictures: None, has_shown: false });
        self.presence.video_began(of);
        self.ask_or_not();
        self.set_status(Status::Connecting, "Connecting to your camera");
        Ok(answer)
    }

    /// Once a minute, as a page may offer as often as it likes.
    fn note_offer(&mut self, video: &BrowserSession) {
        let (session, codec) = (self.handle.id().short(), video.codec());
        match &mut self.offers {
            Some((noted, since)) if noted.elapsed() < NOTE_OFFERS => {
                *since += 1;
                tracing::debug!(session, ?codec, "offer answered");
            }
            offers => {
                let before = offers.map_or(0, |(_, since)| since);
                tracing::info!(session, ?codec, before, "offer answered");
                *offers = Some((Instant::now(), 0));
            }
        }
    }

    pub(super) async fn on_video(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Connected => {
                if let Some(video) = &mut self.video {
                    let now = Instant::now();
                    let pictures = Pictures::new(video.frames.received(), now);
                    video.pictures = Some((pictures, now + pictures::LOOK));
                }
            }
            SessionEvent::FirstFrame => {
                if let Some(video) = &mut self.video {
                    video.has_shown = true;
                }
                self.set_status(Status::Live, "Live");
            }
            SessionEvent::Answer(answer) => {
                self.has_asked = true;
                let debug = (self.settings.debug && answer.done).then(|| {
                    format!(
                        "question {} of {}: first token after {:?} ms, whole after {} ms, frame {} \
                         ms old, {} tokens",
                        answer.seq,
                        answer.model,
                        answer.first_token_ms.unwrap_or_default(),
                        answer.latency_ms,
                        answer.age_ms,
                        answer.tokens_out
                    )
                });
                if let Some(message) = self.answers.tell(answer, answers::now()) {
                    self.tell(&message);
                }
                if let Some(text) = debug {
                    self.tell(&ServerMessage::Debug { text });
                }
            }
            SessionEvent::AnswerError(error) => {
                self.has_asked = true;
                tracing::debug!(
                    session = self.handle.id().short(),
                    kind = error.kind,
                    "a question failed"
                );
                self.tell(&answers::tell_error(error));
            }
            SessionEvent::Lost(reason) => {
                tracing::info!(session = self.handle.id().short(), %reason, "video lost");
                self.figures.video_lost(lost_name(&reason));
                self.stop_video().await;
                let status = match reason {
                    LostReason::HungUp => Status::Stopped,
                    _ => Status::Failed,
                };
                self.set_status(status, &sentence(&reason.to_string()));
                self.presence.video_ended(Instant::now());
            }
            _ => {}
        }
    }

    /// Tells the video its settings.
    pub(super) fn apply(&mut self) {
        let asks = self.asks();
        if let Some(video) = &mut self.video {
            video.asks = asks;
            video.session.apply(&SessionSettings { asks, ..self.settings.for_pipeline() });
        }
    }

    /// Tells the video whether to ask, if that has changed.
    pub(super) fn ask_or_not(&mut self) {
        if self.video.as_ref().is_some_and(|video| video.asks != self.asks()) {
            self.apply();
        }
    }

    /// Whether somebody is there, and what they want asked is known: before the first question the
    /// model of a page's choice, which is looked for, must not be another.
    fn asks(&self) -> bool {
        let chooses = self.model_check.is_some() && !self.has_asked;
        self.presence.asks(Instant::now()) && !chooses
    }

    /// Sees whether pictures still come.
    pub(super) fn look_at_pictures(&mut self, now: Instant) {
        let Some(video) = &mut self.video else { return };
        let received = video.frames.received();
        let Some((pictures, look_at)) = video.pictures.as_mut().filter(|(_, at)| now >= *at) else {
            return;
        };
        *look_at = now + pictures::LOOK;
        match (self.status.0, pictures.look(received, now)) {
            (Status::Live | Status::Connecting, false) => {
                self.set_status(Status::Waiting, "Waiting for a picture");
            }
            (Status::Waiting, true) if video.has_shown => self.set_status(Status::Live, "Live"),
            _ => {}
        }
    }

    pub(super) async fn stop_video(&mut self) {
        // Whatever it still says comes too late.
        self.video_number += 1;
        self.figures.video_ends();
        if let Some(video) = self.video.take() {
            video.session.stop().await;
        }
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Why a video was lost, in one word.
fn lost_name(reason: &LostReason) -> &'static str {
    match reason {
        LostReason::ConnectTimeout => "connect_timeout",
        LostReason::NoMedia => "no_media",
        LostReason::HungUp => "hung_up",
        LostReason::Unheard => "unheard",
        LostReason::IceFailed => "ice_failed",
        LostReason::FingerprintMismatch => "fingerprint_mismatch",
        LostReason::UnsupportedVideo(_) => "unsupported_video",
        LostReason::Pipeline(_) => "pipeline",
        _ => "other",
    }
}
