//! A session's video: its offers, what it tells, and whether it is asked about.

use std::time::Duration;

use live_vlm_observe::metrics;
use live_vlm_pipelines::{
    Answer, CandidateSection, FrameCounter, FrameCounts, LostReason, OfferError, PeerConnection,
    PeerEvent, PeerOptions, PeerSettings,
};
use tokio::{sync::oneshot, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use super::{Session, event::Event};
use crate::{
    media_address,
    protocol::{ServerMessage, Status},
    refusal::{Code, Refusal},
    session::{
        answers,
        pictures::{self, Pictures},
        presence::Offerer,
    },
};

/// What may wait for the answer to an offer.
const MAX_QUEUED: usize = 128;
/// How often it is noted that offers are answered.
const NOTE_OFFERS: Duration = Duration::from_secs(60);

/// The video of an offer that was answered, and what is known of it.
pub(super) struct Video {
    connection: PeerConnection,
    frames: FrameCounter,
    /// Whether it asks, as it was last told.
    asks: bool,
    /// Whether pictures come, and when to look next; none before the peer is connected.
    pictures: Option<(Pictures, Instant)>,
    /// A frame was decoded.
    has_shown: bool,
}

impl Video {
    pub(super) fn look_at(&self) -> Option<Instant> {
        self.pictures.as_ref().map(|(_, look_at)| *look_at)
    }
}

/// An offer, and whom to tell the answer.
pub(super) struct PendingOffer {
    pub(super) sdp: String,
    pub(super) of: Offerer,
    pub(super) reply: oneshot::Sender<Result<String, Refusal>>,
}

/// What concerns the video. It waits for the answer to an offer before it.
pub(super) enum Wanted {
    Offer(PendingOffer),
    Candidate {
        candidate: String,
        mid: Option<String>,
        line: Option<u32>,
    },
    /// The next question is wanted at once.
    Question,
    End,
}

/// An offer that is being answered.
pub(super) struct Negotiation {
    number: u64,
    of: Offerer,
    reply: oneshot::Sender<Result<String, Refusal>>,
    /// What its video has told before the answer was there, which is little.
    early: Vec<PeerEvent>,
    _task: AbortOnDropHandle<()>,
}

impl Session {
    /// Does what concerns the video, at once or after the negotiation that runs.
    pub(super) async fn begin_or_queue(&mut self, wanted: Wanted) {
        if self.negotiation.is_none() {
            return self.begin(wanted).await;
        }
        if self.wanted.len() < MAX_QUEUED {
            self.wanted.push_back(wanted);
        } else if let Wanted::Offer(offer) = wanted {
            let message = "too many offers wait in this session; wait for the answer to one";
            let _ = offer.reply.send(Err(Refusal::new(Code::BadOffer, message)));
        }
    }

    async fn begin(&mut self, wanted: Wanted) {
        match wanted {
            // Whoever has given up, or has offered anew meanwhile, costs no pipeline.
            Wanted::Offer(offer) if offer.reply.is_closed() => {}
            Wanted::Offer(offer) => self.start_negotiation(offer),
            Wanted::Candidate { candidate, mid, line } => {
                if let Some(video) = &self.video {
                    let section = CandidateSection::new(mid.as_deref(), line);
                    video.connection.add_ice_candidate(section, &candidate);
                }
            }
            Wanted::Question => {
                if let Some(video) = &self.video {
                    video.connection.ask_now();
                }
            }
            Wanted::End => {
                self.stop_video().await;
                self.set_status(Status::Stopped, "Stopped");
                self.presence.video_ended(Instant::now());
            }
        }
    }

    /// Has an offer answered by a task of its own. The video that runs goes on until the new offer
    /// has proved usable.
    fn start_negotiation(&mut self, offer: PendingOffer) {
        let PendingOffer { sdp, of, reply } = offer;
        let options = match self.options() {
            Ok(options) => options,
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
                return;
            }
        };
        self.last_number += 1;
        let number = self.last_number;
        let (events, told) = (self.events.clone(), self.events.clone());
        let task = tokio::spawn(async move {
            let tell = move |event| told.video(number, event);
            let answered = PeerConnection::accept_offer(&sdp, options, tell).await;
            events.send(Event::Negotiated(answered)).await;
        });
        let task = AbortOnDropHandle::new(task);
        self.negotiation = Some(Negotiation { number, of, reply, early: Vec::new(), _task: task });
    }

    fn options(&self) -> Result<PeerOptions, Refusal> {
        self.may_ask()?;
        // Nothing is asked before it is clear whether somebody is there.
        let quiet = PeerSettings { asks: false, ..self.settings.for_pipeline() };
        let mut options = PeerOptions::new(quiet).map_err(OfferError::from)?;
        options.network = media_address::reachable(&self.services.network);
        options.context = Some(live_vlm_pipelines::dispatcher_context(&self.dispatcher));
        Ok(options)
    }

    /// Puts the video that was negotiated in the place of one that may run, and goes on with what
    /// was wanted meanwhile.
    pub(super) async fn finish_negotiation(
        &mut self,
        answered: Result<(PeerConnection, String), OfferError>,
    ) {
        let Some(Negotiation { number, of, reply, early, .. }) = self.negotiation.take() else {
            return;
        };
        let answer = match answered {
            Ok((video, answer)) => self.replace_video(number, video, of).await.map(|()| answer),
            Err(error) => {
                tracing::debug!(session = self.handle.id().short(), %error, "offer refused");
                if self.video.is_none() {
                    self.presence.video_ended(Instant::now());
                }
                Err(error.into())
            }
        };
        let _ = reply.send(answer);
        for event in early {
            self.on_video(number, event).await;
        }
        while self.negotiation.is_none()
            && let Some(wanted) = self.wanted.pop_front()
        {
            self.begin(wanted).await;
        }
    }

    async fn replace_video(
        &mut self,
        number: u64,
        video: PeerConnection,
        of: Offerer,
    ) -> Result<(), Refusal> {
        // Rules may have changed meanwhile.
        if let Err(refusal) = self.may_ask() {
            video.stop().await;
            return Err(refusal);
        }
        self.announce();
        self.stop_video().await;
        self.video_number = Some(number);
        self.note_offer(&video);
        self.note_silent_stun(&video);
        let frames = video.frames();
        let counter = frames.clone();
        self.figures.video_began(move || {
            let FrameCounts { received, decoded, asked } = counter.read();
            metrics::FrameCounts { received, decoded, asked }
        });
        self.video = Some(Video {
            connection: video,
            frames,
            asks: false,
            pictures: None,
            has_shown: false,
        });
        self.presence.video_began(of);
        // Settings may have changed meanwhile, too.
        self.send_settings_to_video();
        self.set_status(Status::Connecting, "Connecting to your camera");
        Ok(())
    }

    /// Once a minute, as a page may offer as often as it likes.
    fn note_offer(&mut self, video: &PeerConnection) {
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

    pub(super) async fn on_video(&mut self, number: u64, event: PeerEvent) {
        if let Some(negotiation) = &mut self.negotiation
            && negotiation.number == number
        {
            negotiation.early.push(event);
            return;
        }
        if self.video_number == Some(number) {
            self.on_own_video(event).await;
        }
    }

    async fn on_own_video(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Connected => {
                if let Some(video) = &mut self.video {
                    let now = Instant::now();
                    let pictures = Pictures::new(video.frames.received(), now);
                    video.pictures = Some((pictures, now + pictures::LOOK));
                }
            }
            PeerEvent::FirstFrame => {
                if let Some(video) = &mut self.video {
                    video.has_shown = true;
                }
                self.set_status(Status::Live, "Live");
            }
            PeerEvent::Answer(answer) => self.on_answer(answer),
            PeerEvent::AnswerError(error) => {
                self.has_asked = true;
                tracing::debug!(
                    session = self.handle.id().short(),
                    kind = error.kind,
                    "a question failed"
                );
                self.tell(&answers::tell_error(error));
            }
            PeerEvent::Lost(reason) => {
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

    fn on_answer(&mut self, answer: Answer) {
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

    /// Tells the video the session's settings, and whether to ask.
    pub(super) fn send_settings_to_video(&mut self) {
        let asks = self.asks();
        if let Some(video) = &mut self.video {
            video.asks = asks;
            video
                .connection
                .change_settings(&PeerSettings { asks, ..self.settings.for_pipeline() });
        }
    }

    /// Tells the video whether to ask, if that has changed.
    pub(super) fn ask_or_not(&mut self) {
        if self.video.as_ref().is_some_and(|video| video.asks != self.asks()) {
            self.send_settings_to_video();
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
        self.video_number = None;
        self.figures.video_ends();
        if let Some(video) = self.video.take() {
            video.connection.stop().await;
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
