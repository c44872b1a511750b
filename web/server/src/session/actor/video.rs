//! A session's video: its offers, what it tells, and whether it is asked about.

use std::time::Duration;

use live_vlm_media_processes::{
    FrameCounter, FrameCounts, LostReason, OfferAnswered, OfferFailure, OfferOptions, Peer,
    PeerEvent, PeerEvents,
};
use live_vlm_observe::metrics;
use tokio::{sync::oneshot, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Session,
    event::{Event, Events, VideoEvent},
};
use crate::{
    media_address,
    network::VideoMode,
    protocol::{FramesMode, ServerMessage, Status},
    refusal::{Code, Refusal},
    session::{
        asking::Source,
        command::{Offer, OfferReply},
        frames::Giving,
        pictures::{self, Pictures},
        presence::Offerer,
    },
    stun,
};

/// What may wait for the answer to an offer.
const MAX_QUEUED: usize = 128;
/// How often it is noted that offers are answered.
const NOTE_OFFERS: Duration = Duration::from_secs(60);

/// The video of an offer that was answered, and what is known of it.
pub(super) struct Video {
    peer: Peer,
    _events: AbortOnDropHandle<()>,
    frames: FrameCounter,
    /// Whether pictures come, and when to look next; none before the peer is connected.
    pictures: Option<(Pictures, Instant)>,
    /// A frame was decoded.
    has_shown: bool,
    giving: Giving,
    /// How frames come, as the page was last told.
    mode: FramesMode,
}

impl Video {
    pub(super) fn look_at(&self) -> Option<Instant> {
        self.pictures.as_ref().map(|(_, look_at)| *look_at)
    }

    /// How many questions were passed over, as nothing had changed.
    pub(super) fn unchanged(&self) -> u64 {
        self.frames.read().unchanged
    }
}

/// An offer, and whom to tell the answer.
pub(super) struct PendingOffer {
    pub(super) offer: Offer,
    pub(super) reply: oneshot::Sender<Result<OfferReply, Refusal>>,
}

/// What concerns the video. It waits for the answer to an offer before it.
pub(super) enum Wanted {
    Offer(PendingOffer),
    Candidate {
        candidate: String,
        mid: Option<String>,
        line: Option<u32>,
    },
    /// Whether pictures are sent in place of video.
    Pictures(bool),
    /// The next question is wanted at once.
    Question,
    End,
}

/// An offer that is being answered.
pub(super) struct Negotiation {
    number: u64,
    of: Offerer,
    can_give_frames: bool,
    reply: oneshot::Sender<Result<OfferReply, Refusal>>,
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
                    video.peer.add_ice_candidate(mid.as_deref(), line, &candidate);
                }
            }
            Wanted::Pictures(on) => self.send_pictures(on).await,
            Wanted::Question => {
                if let Some(asking) = &self.asking {
                    asking.ask_now();
                }
                if let Some(video) = &self.video {
                    video.peer.ask_now();
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
        let PendingOffer { offer: Offer { sdp, of, frames_on_demand: can_give }, reply } = offer;
        let mut options = match self.options(self.giving(of, can_give)) {
            Ok(options) => options,
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
                return;
            }
        };
        self.last_number += 1;
        let number = self.last_number;
        let (media, events) = (self.services.media.clone(), self.events.clone());
        let owner = self.owner.clone();
        let task = tokio::spawn(async move {
            if let Some(server) = &options.network.stun_server {
                options.network.stun_server = stun::by_address(server).await;
            }
            events.send(Event::Negotiated(media.offer(&owner, &sdp, &options).await)).await;
        });
        let task = AbortOnDropHandle::new(task);
        self.negotiation =
            Some(Negotiation { number, of, can_give_frames: can_give, reply, _task: task });
    }

    /// How a page gives its video that does not go back to it.
    fn giving(&self, of: Offerer, can_give: bool) -> Giving {
        let hears = of == Offerer::Page || self.page.is_some();
        Giving { can_give, goes_back: false, hears }
    }

    fn options(&self, giving: Giving) -> Result<OfferOptions, Refusal> {
        if self.services.video.mode == VideoMode::Pictures {
            return Err(Refusal::pictures_only());
        }
        self.may_ask()?;
        let mode = giving.mode(self.settings.choices.interval.duration());
        Ok(OfferOptions {
            session: self.handle.id().short().into(),
            network: media_address::reachable(&self.services.network),
            // Nothing is asked before it is clear whether somebody is there.
            settings: self.settings.for_media(false, mode),
            ..OfferOptions::default()
        })
    }

    /// Puts the video that was negotiated in the place of one that may run, and goes on with what
    /// was wanted meanwhile.
    pub(super) async fn finish_negotiation(
        &mut self,
        answered: Result<OfferAnswered, OfferFailure>,
    ) {
        let Some(negotiation) = self.negotiation.take() else { return };
        let Negotiation { number, of, can_give_frames, reply, .. } = negotiation;
        let answer = match answered {
            Ok(answered) => {
                let giving = self.giving(of, can_give_frames);
                self.replace_video(number, answered, of, giving).await
            }
            Err(error) => {
                tracing::debug!(session = self.handle.id().short(), %error, "offer refused");
                if self.video.is_none() && self.pictures.is_none() {
                    self.presence.video_ended(Instant::now());
                }
                Err(error.into())
            }
        };
        let _ = reply.send(answer);
        while self.negotiation.is_none()
            && let Some(wanted) = self.wanted.pop_front()
        {
            self.begin(wanted).await;
        }
    }

    async fn replace_video(
        &mut self,
        number: u64,
        answered: OfferAnswered,
        of: Offerer,
        giving: Giving,
    ) -> Result<OfferReply, Refusal> {
        let OfferAnswered { peer, sdp, events, turns } = answered;
        let giving = Giving { goes_back: peer.goes_back(), ..giving };
        let mode = giving.mode(self.settings.choices.interval.duration());
        // Rules may have changed meanwhile.
        if let Err(refusal) = self.may_ask() {
            peer.stop().await;
            return Err(refusal);
        }
        self.announce();
        // A question about a picture goes on; one about another video is worth nothing any more.
        if self.video.is_some() {
            self.asking = None;
        }
        self.ask_about(Source::Video(turns));
        self.stop_source().await;
        self.video_number = Some(number);
        self.note_offer(&peer);
        self.note_silent_stun(&peer);
        let frames = peer.frames();
        let counter = frames.clone();
        self.figures.video_began(move || {
            let FrameCounts { received, decoded, asked, unchanged } = counter.read();
            metrics::FrameCounts { received, decoded, asked, unchanged }
        });
        let events = tokio::spawn(pass_on(events, self.events.clone(), number));
        self.video = Some(Video {
            peer,
            _events: AbortOnDropHandle::new(events),
            frames,
            pictures: None,
            has_shown: false,
            giving,
            mode,
        });
        self.presence.video_began(of);
        // Settings may have changed meanwhile, too.
        self.send_settings_to_video();
        self.set_status(Status::Connecting, "Connecting to your camera");
        Ok(OfferReply { sdp, frames: giving.can_give.then_some(mode) })
    }

    /// Once a minute, as a page may offer as often as it likes.
    fn note_offer(&mut self, video: &Peer) {
        let (session, codec) = (self.handle.id().short(), video.codec());
        let process = video.process().0;
        match &mut self.offers {
            Some((noted, since)) if noted.elapsed() < NOTE_OFFERS => {
                *since += 1;
                tracing::debug!(session, ?codec, process, "offer answered");
            }
            offers => {
                let before = offers.map_or(0, |(_, since)| since);
                tracing::info!(session, ?codec, process, before, "offer answered");
                *offers = Some((Instant::now(), 0));
            }
        }
    }

    pub(super) async fn on_video(&mut self, number: u64, event: VideoEvent) {
        match event {
            VideoEvent::Peer(event) if self.video_number == Some(number) => {
                self.on_peer(event).await;
            }
            VideoEvent::Asked(event) if self.asking_number == Some(number) => self.on_asked(event),
            VideoEvent::Peer(_) | VideoEvent::Asked(_) => {}
        }
    }

    async fn on_peer(&mut self, event: PeerEvent) {
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
            PeerEvent::FrameWanted { frames, spacing } => self.want_frames(frames, spacing),
            PeerEvent::Lost(reason) => {
                tracing::info!(session = self.handle.id().short(), %reason, "video lost");
                let status = match reason {
                    LostReason::HungUp => Status::Stopped,
                    _ => Status::Failed,
                };
                self.end_video(lost_name(&reason), status, &sentence(&reason.to_string())).await;
            }
            PeerEvent::Gone(cause) => {
                tracing::warn!(session = self.handle.id().short(), %cause, "its media process ended");
                let text = "The video stopped unexpectedly, connecting again";
                self.end_video("media_process_ended", Status::Failed, text).await;
            }
            _ => {}
        }
    }

    /// Passes on that frames are wanted, to who gives them on demand.
    fn want_frames(&mut self, frames: u32, spacing: Duration) {
        let Some(video) = self.video.as_mut().filter(|v| v.mode == FramesMode::OnDemand) else {
            return;
        };
        if let Some((pictures, _)) = &mut video.pictures {
            pictures.want(Instant::now());
        }
        self.frames_wanted += 1;
        let (seq, spacing) = (self.frames_wanted, spacing.as_secs_f64());
        self.tell(&ServerMessage::FrameWanted { seq, frames, spacing, max_size: 0 });
    }

    /// Tells a page that has connected how the frames of its video are to come, if it can give single
    /// ones.
    pub(super) fn tell_frames_mode(&mut self) {
        if self.sends_pictures() {
            return self.tell(&ServerMessage::Frames { mode: FramesMode::Pictures });
        }
        let Some(video) = self.video.as_mut().filter(|video| video.giving.can_give) else { return };
        video.giving.hears = true;
        let before = video.mode;
        self.send_settings_to_video();
        if let Some(mode) = self.video.as_ref().map(|video| video.mode).filter(|m| *m == before) {
            self.tell(&ServerMessage::Frames { mode });
        }
    }

    async fn end_video(&mut self, why: &'static str, status: Status, text: &str) {
        self.figures.video_lost(why);
        self.stop_video().await;
        self.set_status(status, text);
        self.presence.video_ended(Instant::now());
    }

    /// Tells the video the session's settings, and whether to ask.
    pub(super) fn send_settings_to_video(&mut self) {
        let asks = self.asks();
        self.told_asks = asks;
        if let Some(asking) = &self.asking {
            asking.change(self.settings.for_asking(asks));
        }
        let Some(video) = &mut self.video else { return };
        let mode = video.giving.mode(self.settings.choices.interval.duration());
        video.peer.change_settings(self.settings.for_media(asks, mode));
        if std::mem::replace(&mut video.mode, mode) != mode {
            if let Some((pictures, _)) = &mut video.pictures {
                pictures.switch(Instant::now());
            }
            self.tell(&ServerMessage::Frames { mode });
        }
    }

    /// Sees whether pictures still come.
    pub(super) fn look_at_pictures(&mut self, now: Instant) {
        let Some(video) = &mut self.video else { return };
        let (received, mode) = (video.frames.received(), video.mode);
        let Some((pictures, look_at)) = video.pictures.as_mut().filter(|(_, at)| now >= *at) else {
            return;
        };
        *look_at = now + pictures::LOOK;
        match (self.status.0, pictures.look(received, mode, now)) {
            (Status::Live | Status::Connecting, false) => {
                self.set_status(Status::Waiting, "Waiting for a picture");
            }
            (Status::Waiting, true) if video.has_shown => self.set_status(Status::Live, "Live"),
            _ => {}
        }
    }

    /// Stops the video or the pictures, and the question that is asked.
    pub(super) async fn stop_video(&mut self) {
        // Whatever they still say comes too late.
        (self.asking, self.asking_number) = (None, None);
        self.stop_source().await;
    }

    /// Stops the video or the pictures. A question that is asked goes on.
    pub(super) async fn stop_source(&mut self) {
        self.unchanged_before = self.unchanged();
        self.video_number = None;
        self.pictures = None;
        self.figures.video_ends();
        if let Some(video) = self.video.take() {
            video.peer.stop().await;
        }
    }
}

/// Passes on what a video tells, until it is over.
async fn pass_on(mut events: PeerEvents, told: Events, number: u64) {
    while let Some(event) = events.next().await {
        told.video(number, VideoEvent::Peer(event));
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
