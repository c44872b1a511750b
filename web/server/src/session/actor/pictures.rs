//! Pictures that the page sends in place of video: which are wanted, and what becomes of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use live_vlm_observe::metrics::FrameCounts;
use tokio::{sync::watch, time::Instant};
use tokio_util::task::AbortOnDropHandle;

use super::{Session, event::Event};
use crate::{
    network::VideoMode,
    protocol::{FramesMode, ServerMessage, Status},
    refusal::Refusal,
    session::{
        asking::{Picture, PictureSource, Source},
        command::SentPicture,
        pictures::{LOOK, Pictures},
        prepare::{Prepared, Wish},
        presence::Offerer,
        wanted_pictures::WantedPictures,
    },
};

/// A picture says itself how old it was when it was sent; no more than this is believed.
const OLDEST: Duration = Duration::from_secs(3600);

/// What the page sends, while it sends pictures.
pub(super) struct SentPictures {
    newest: watch::Sender<Option<Arc<Picture>>>,
    wanted: WantedPictures,
    counts: Arc<Counts>,
    /// What is made of the newest, if that takes time.
    preparing: Option<AbortOnDropHandle<()>>,
    /// Whether they come, and when to look next.
    shows: Pictures,
    pub(super) look_at: Instant,
}

#[derive(Debug, Default)]
struct Counts {
    received: AtomicU64,
    decoded: AtomicU64,
    unchanged: AtomicU64,
}

impl SentPictures {
    /// A question was passed over, as nothing had changed.
    pub(super) fn passed_over(&self) {
        self.counts.unchanged.fetch_add(1, Ordering::Relaxed);
    }

    /// How many questions were.
    pub(super) fn unchanged(&self) -> u64 {
        self.counts.unchanged.load(Ordering::Relaxed)
    }
}

impl Session {
    /// The page sends pictures from now on, or does not any more. A question that is asked goes on
    /// to its end in any case.
    pub(super) async fn send_pictures(&mut self, on: bool) {
        if !on {
            return self.send_pictures_no_more();
        }
        let allowed = match self.services.video.mode {
            VideoMode::Webrtc => Err(Refusal::no_pictures()),
            VideoMode::Auto | VideoMode::Pictures => self.may_ask(),
        };
        if let Err(refusal) = allowed {
            return self.refuse(refusal);
        }
        if self.pictures.is_none() {
            self.begin_pictures().await;
        }
        self.tell(&ServerMessage::Frames { mode: FramesMode::Pictures });
    }

    async fn begin_pictures(&mut self) {
        let (newest, pictures) = watch::channel(None);
        let (asked, counts) = (Arc::<AtomicU64>::default(), Arc::<Counts>::default());
        let source = PictureSource { newest: pictures, asked: Arc::clone(&asked) };
        // Before the video ends, so that its question goes on.
        self.ask_about(Source::Pictures(source));
        self.stop_source().await;
        let counter = Arc::clone(&counts);
        self.figures.video_began(move || FrameCounts {
            received: counter.received.load(Ordering::Relaxed),
            decoded: counter.decoded.load(Ordering::Relaxed),
            asked: asked.load(Ordering::Relaxed),
            unchanged: counter.unchanged.load(Ordering::Relaxed),
        });
        let now = Instant::now();
        self.pictures = Some(SentPictures {
            newest,
            wanted: WantedPictures::default(),
            counts,
            preparing: None,
            shows: Pictures::new(0, now),
            look_at: now + LOOK,
        });
        tracing::info!(session = self.handle.id().short(), "its page sends pictures");
        self.presence.video_began(Offerer::Page);
        self.send_settings_to_video();
        self.set_status(Status::Connecting, "Waiting for the first picture");
    }

    fn send_pictures_no_more(&mut self) {
        if let Some(pictures) = self.pictures.take() {
            self.unchanged_before += pictures.unchanged();
            if let Some(asking) = &self.asking {
                asking.replace(Source::Nothing);
            }
            self.figures.video_ends();
            self.set_status(Status::Ready, "Ready for video");
            self.presence.video_ended(Instant::now());
        }
        let mode = if self.sends_pictures() { FramesMode::Pictures } else { FramesMode::All };
        self.tell(&ServerMessage::Frames { mode });
    }

    /// Whether the page sends pictures, or is to.
    pub(super) fn sends_pictures(&self) -> bool {
        self.pictures.is_some() || self.services.video.mode == VideoMode::Pictures
    }

    /// The question that is near is to have a picture.
    pub(super) fn want_picture(&mut self) {
        let Some(pictures) = &mut self.pictures else { return };
        self.frames_wanted += 1;
        let seq = self.frames_wanted;
        pictures.wanted.wanted(seq);
        pictures.shows.want(Instant::now());
        let max_size = self.max_size();
        self.tell(&ServerMessage::FrameWanted { seq, frames: 1, spacing: 0.0, max_size });
    }

    /// A picture has come.
    pub(super) fn take_picture(&mut self, sent: SentPicture) {
        let wish =
            Wish { max_size: self.max_size(), looks: self.settings.choices.min_change > 0.0 };
        let Some(pictures) = &mut self.pictures else {
            return self.refuse(Refusal::unasked("this session takes no pictures"));
        };
        if !pictures.wanted.came(sent.seq) {
            let message = format!("no picture was asked for by the number {}", sent.seq);
            return self.refuse(Refusal::unasked(&message));
        }
        pictures.counts.received.fetch_add(1, Ordering::Relaxed);
        pictures.preparing = None;
        let captured = sent.came.checked_sub(sent.age.min(OLDEST)).unwrap_or(sent.came);
        let put = {
            let newest = pictures.newest.clone();
            move |Prepared { jpeg, thumbnail }| {
                let arrived = Instant::now().into_std();
                let captured = captured.into_std();
                newest.send_replace(Some(Arc::new(Picture { jpeg, arrived, captured, thumbnail })));
            }
        };
        if wish.is_granted_by(&sent.jpeg) {
            put(Prepared { jpeg: sent.jpeg.into_bytes(), thumbnail: None });
        } else {
            let (decoders, events) = (self.services.decoders.clone(), self.events.clone());
            let counts = Arc::clone(&pictures.counts);
            let work = tokio::spawn(async move {
                match decoders.prepare(sent.jpeg, wish).await {
                    Ok(prepared) => {
                        counts.decoded.fetch_add(1, Ordering::Relaxed);
                        put(prepared);
                    }
                    Err(error) => events.send(Event::Undecodable(error)).await,
                }
            });
            pictures.preparing = Some(AbortOnDropHandle::new(work));
        }
        self.set_status(Status::Live, "Live, by single pictures");
    }

    /// A picture that was to be decoded cannot be.
    pub(super) fn refuse_undecodable(&mut self, error: &live_vlm_pictures::Undecodable) {
        self.refuse(Refusal::not_a_picture(error));
    }

    /// Sees whether the page still sends pictures.
    pub(super) fn look_at_sent_pictures(&mut self, now: Instant) {
        let Some(pictures) = self.pictures.as_mut().filter(|pictures| now >= pictures.look_at)
        else {
            return;
        };
        pictures.look_at = now + LOOK;
        let received = pictures.counts.received.load(Ordering::Relaxed);
        if !pictures.shows.look(received, FramesMode::Pictures, now) {
            self.set_status(Status::Waiting, "Waiting for a picture");
        }
    }

    /// The longest edge of what is asked about, in pixels.
    fn max_size(&self) -> u32 {
        self.settings.choices.max_size
    }
}
