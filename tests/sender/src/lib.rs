//! A browser's stand-in: sends a test pattern, given raw video or an encoded clip over webrtcbin,
//! for tests and load tests.

mod clip;
mod encoder;
mod media;
mod player;
mod shutter;
mod tamper;

pub use clip::{Clip, ClipOptions};
pub use player::SentFrames;
pub use shutter::Shutter;
pub use tamper::Tamper;

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use gst::prelude::*;
use gst_webrtc::{WebRTCDataChannel, WebRTCPeerConnectionState as ConnectionState, WebRTCSDPType};
use tokio::sync::{oneshot, watch};

use live_vlm_pipelines::{
    Codec, NetworkOptions,
    properties::{get_if_present, set_if_present, set_text_if_present},
    teardown::Running,
    webrtc::{self, Gathering},
};

const GATHERING: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_secs(5);
const GOODBYE: Duration = Duration::from_millis(500);

/// What a [`Sender`] sends and how.
#[derive(Debug, Clone)]
pub struct SenderOptions {
    /// Default: VP8.
    pub codec: Codec,
    /// Default: send only.
    pub direction: SenderDirection,
    /// Default: a bouncing ball.
    pub source: VideoSource,
    /// Bits per second. Default: 1,000,000.
    pub bitrate: u32,
    /// Whether to open a data channel, as a page does that wants hanging up to be noticed at
    /// once. Default: true.
    pub data_channel: bool,
    /// Whether to offer audio too, of which nothing is sent. Default: false.
    pub audio: bool,
    /// So many packets are thrown away at the beginning, and the first key frame with them.
    /// Default: 0.
    pub lost_packets: u32,
    /// What is changed in the packets before they are encrypted. Default: nothing.
    pub tamper: Option<Tamper>,
    /// Default: 127.0.0.1 only.
    pub network: NetworkOptions,
    /// A relay that everything must go through, as `turn://user:password@host:port`. Default: none.
    pub relay: Option<String>,
    /// Which frames are sent. Of encoded ones that are no clip all are. Default: all.
    pub shutter: Shutter,
}

/// Whether the video is wanted back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SenderDirection {
    /// `a=sendonly`.
    SendOnly,
    /// `a=sendrecv`: what comes back is counted and thrown away.
    SendRecv,
}

/// Where a [`Sender`]'s video comes from. It should be live, or it is sent too fast.
#[derive(Debug, Clone)]
pub enum VideoSource {
    /// A bin description, as for gst-launch, whose last pad gives raw video.
    Description(String),
    /// An element with one source pad, which belongs to no bin.
    Element(gst::Element),
    /// An element with one source pad that gives frames encoded in the wanted codec, H.264 as byte
    /// stream; `bitrate` does not count.
    Encoded(gst::Element),
    /// Video that is encoded already, VP8 only, over and over; `bitrate` does not count.
    Clip(Arc<Clip>),
}

impl Default for VideoSource {
    fn default() -> Self {
        Self::Description(
            "videotestsrc is-live=true pattern=ball ! \
             capsfilter caps=video/x-raw,format=I420,width=640,height=480,framerate=30/1"
                .to_owned(),
        )
    }
}

impl Default for SenderOptions {
    fn default() -> Self {
        Self {
            codec: Codec::Vp8,
            direction: SenderDirection::SendOnly,
            source: VideoSource::default(),
            bitrate: 1_000_000,
            data_channel: true,
            audio: false,
            lost_packets: 0,
            tamper: None,
            network: NetworkOptions {
                bind: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                ..NetworkOptions::default()
            },
            relay: None,
            shutter: Shutter::default(),
        }
    }
}

/// Why a [`Sender`] could not connect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SenderError {
    /// An element is missing or failed.
    #[error("the sender's pipeline failed: {0}")]
    Pipeline(String),
    /// The exchange of offer and answer failed.
    #[error("the offer was not answered: {0}")]
    Exchange(String),
    /// The answer cannot be used.
    #[error("the answer cannot be used: {0}")]
    Answer(String),
    /// A step took too long.
    #[error("{0} took too long")]
    Timeout(&'static str),
}

impl SenderError {
    fn pipeline(error: impl std::fmt::Display) -> Self {
        Self::Pipeline(error.to_string())
    }

    fn answer(error: impl std::fmt::Display) -> Self {
        Self::Answer(error.to_string())
    }
}

/// Any error of what makes a sender; only its text is told.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a [`Sender`] has counted so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SenderStats {
    /// Encoded frames.
    pub frames: u64,
    /// Those of them that were key frames.
    pub key_frames: u64,
    /// How often the peer asked for a key frame (RTCP PLI or FIR).
    pub key_frame_requests: u64,
    /// How many packets the peer asked for again (RTCP NACK), each as often as it did.
    pub packets_asked_for: u64,
    /// RTP packets that came back.
    pub returned_packets: u64,
}

#[derive(Debug, Default)]
struct Counters {
    frames: AtomicU64,
    key_frames: AtomicU64,
    key_frame_requests: AtomicU64,
    returned_packets: AtomicU64,
    /// By how much the clock of the packets is ahead, in 1/90,000 s.
    clock: AtomicU32,
}

/// A peer that sends video. Dropping it is to [`vanish`](Self::vanish) in the background.
#[derive(Debug)]
pub struct Sender {
    running: Running,
    webrtc: gst::Element,
    counters: Arc<Counters>,
    sent: SentFrames,
    state: watch::Receiver<ConnectionState>,
    /// Whether the data channel is open.
    open: watch::Receiver<bool>,
    channel: Option<WebRTCDataChannel>,
}

impl Sender {
    /// Offers video, has the offer answered by `exchange`, and starts to connect.
    ///
    /// # Errors
    /// When an element is missing, or the exchange or the answer fails; nothing is left behind.
    pub async fn connect<F, Answer, E>(
        options: SenderOptions,
        exchange: F,
    ) -> Result<Self, SenderError>
    where
        F: FnOnce(String) -> Answer,
        Answer: Future<Output = Result<String, E>>,
        E: std::fmt::Display,
    {
        let codec = options.codec;
        let sender = tokio::task::spawn_blocking(move || Self::start(&options))
            .await
            .map_err(SenderError::pipeline)?
            .map_err(SenderError::pipeline)?;
        let offer =
            within("the offer", sender.offer(codec)).await?.map_err(SenderError::pipeline)?;
        let answer =
            exchange(offer).await.map_err(|error| SenderError::Exchange(error.to_string()))?;
        let answer =
            webrtc::description(WebRTCSDPType::Answer, &answer).map_err(SenderError::answer)?;
        within("taking the answer", webrtc::set(&sender.webrtc, "remote", &answer))
            .await?
            .map_err(SenderError::answer)?;
        Ok(sender)
    }

    fn start(options: &SenderOptions) -> Result<Self, BoxError> {
        gst::init()?;
        let pipeline = gst::Pipeline::new();
        let running = Running::new(pipeline.clone());
        let bus = pipeline.bus().ok_or("the pipeline has no bus")?;
        bus.set_sync_handler(|_, message| {
            if let gst::MessageView::Error(error) = message.view() {
                tracing::debug!(error = %error.error(), "a sender's element failed");
            }
            gst::BusSyncReply::Drop
        });
        let webrtc = webrtc::webrtcbin(&options.network)?;
        if let Some(relay) = &options.relay {
            set_if_present(&webrtc, "turn-server", relay.clone());
            set_text_if_present(&webrtc, "ice-transport-policy", "relay");
        }
        pipeline.add(&webrtc)?;
        let counters = Arc::new(Counters::default());
        let sent = SentFrames::default();
        media::add_video(&pipeline, &webrtc, options, &counters, &sent)?;
        if options.audio {
            media::offer_audio(&webrtc);
        }
        let returned = counters.clone();
        webrtc.connect_pad_added(move |_, pad| count_returned(pad, &returned));
        let (tell, state) = watch::channel(ConnectionState::New);
        webrtc.connect_notify(Some("connection-state"), move |webrtc, _| {
            if let Some(state) = get_if_present::<ConnectionState>(webrtc, "connection-state") {
                tell.send_replace(state);
            }
        });
        pipeline.set_state(gst::State::Playing)?;
        let channel = options.data_channel.then(|| open_channel(&webrtc, "control")).flatten();
        let (tell, open) = watch::channel(false);
        if let Some(channel) = &channel {
            channel.connect_on_open(move |_| {
                tell.send_replace(true);
            });
        }
        Ok(Self { running, webrtc, counters, sent, state, open, channel })
    }

    async fn offer(&self, codec: Codec) -> Result<String, BoxError> {
        let offer = webrtc::create(&self.webrtc, "offer").await?;
        let gathering = Gathering::new(&self.webrtc);
        webrtc::set(&self.webrtc, "local", &offer).await?;
        gathering.complete(GATHERING).await;
        Ok(media::as_browsers_write(&webrtc::local_description(&self.webrtc)?, codec))
    }

    /// Waits until ICE and DTLS are through, and the data channel is open if there is one.
    ///
    /// # Errors
    /// [`SenderError::Timeout`] after 5 s for each.
    pub async fn connected(&self) -> Result<(), SenderError> {
        let gone = |_| SenderError::Pipeline("webrtcbin is gone".to_owned());
        let mut state = self.state.clone();
        let connected = state.wait_for(|state| *state == ConnectionState::Connected);
        within("connecting", connected).await?.map_err(gone)?;
        if self.channel.is_some() {
            let mut open = self.open.clone();
            within("opening the data channel", open.wait_for(|open| *open)).await?.map_err(gone)?;
        }
        Ok(())
    }

    /// Opens this many more data channels; nothing comes of it before the first is open.
    pub fn open_channels(&self, more: usize) {
        for _ in 0..more {
            open_channel(&self.webrtc, "more");
        }
    }

    /// What was sent and received so far.
    pub fn stats(&self) -> SenderStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SenderStats {
            frames: read(&self.counters.frames),
            key_frames: read(&self.counters.key_frames),
            key_frame_requests: read(&self.counters.key_frame_requests),
            packets_asked_for: webrtc::packets_asked_for(&self.webrtc),
            returned_packets: read(&self.counters.returned_packets),
        }
    }

    /// Lets the clock of the packets' timestamps jump by so many units of 1/90,000 s, as when it is
    /// set. It has 32 bits.
    pub fn jump_clock(&self, by: i32) {
        self.counters.clock.fetch_add(by.cast_unsigned(), Ordering::Relaxed);
    }

    /// When each frame of a [`VideoSource::Clip`] was sent, for as long as wanted.
    pub fn sent_frames(&self) -> SentFrames {
        self.sent.clone()
    }

    /// Hangs up, as `RTCPeerConnection.close()` does: the peer hears of it if there is a data
    /// channel. Done when threads and sockets are freed.
    pub async fn hang_up(self) {
        if let Some(channel) = &self.channel {
            let (tell, closed) = oneshot::channel();
            let tell = Mutex::new(Some(tell));
            let handler = channel.connect_on_close(move |_| {
                let tell = tell.lock().unwrap_or_else(PoisonError::into_inner).take();
                tell.map(|tell| tell.send(()));
            });
            channel.close();
            // The peer acknowledges; one that is gone does not.
            let _ = tokio::time::timeout(GOODBYE, closed).await;
            channel.disconnect(handler);
        }
        self.vanish().await;
    }

    /// Is gone without a word, as when a cable is pulled. Done when threads and sockets are freed.
    pub async fn vanish(self) {
        let Self { running, webrtc, channel, .. } = self;
        drop((webrtc, channel));
        running.stop().await;
    }
}

fn open_channel(webrtc: &gst::Element, label: &str) -> Option<WebRTCDataChannel> {
    webrtc.emit_by_name("create-data-channel", &[&label, &None::<gst::Structure>])
}

fn count_returned(pad: &gst::Pad, counters: &Arc<Counters>) {
    if pad.direction() != gst::PadDirection::Src {
        return;
    }
    let counters = counters.clone();
    let packets = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    pad.add_probe(packets, move |_, _| {
        counters.returned_packets.fetch_add(1, Ordering::Relaxed);
        gst::PadProbeReturn::Handled
    });
}

async fn within<T>(what: &'static str, step: impl Future<Output = T>) -> Result<T, SenderError> {
    tokio::time::timeout(STEP, step).await.map_err(|_| SenderError::Timeout(what))
}
