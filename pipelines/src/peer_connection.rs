use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gst::{glib, prelude::*};
use gst_webrtc::{
    WebRTCKind, WebRTCPeerConnectionState as ConnectionState, WebRTCRTPTransceiver,
    WebRTCRTPTransceiverDirection as TransceiverDirection, WebRTCSDPType,
};
use tokio::task::JoinHandle;

use crate::{
    Codec, DecodeMode, FrameCounter, LostReason, OfferError, PeerEvent, PeerOptions, PipelineError,
    SamplingSettings, analyze,
    candidate::{Candidate, Unusable},
    certificate::Certificate,
    chain::{self, Chain},
    codec, feedback,
    offer::{CandidateSection, Direction, MAX_CANDIDATES, Offer, VIDEO_LINE},
    properties::{get_if_present, make, set_if_present},
    sdp_answer,
    shared::Shared,
    teardown::Running,
    watchdog,
    webrtc::{self, Gathering},
};

/// No step of a negotiation takes this long unless something is broken.
const NEGOTIATION: Duration = Duration::from_secs(5);
/// For the addresses of this machine, which are found at once.
const GATHERING: Duration = Duration::from_secs(2);
/// For a STUN server's word, which is not worth a longer wait: most peers connect without.
const GATHERING_STUN: Duration = Duration::from_millis(500);
/// Streams and data channels that a peer may have; a browser has one or two of each.
const MAX_STREAMS: u32 = 8;
const MAX_CHANNELS: usize = 4;
/// The bandwidth that the peer's browser assumes at first. With more, its packets fill a thin
/// uplink for seconds. With much less, Chromium never sends faster on a line that loses many
/// packets.
const START_KBPS: u32 = 600;

/// One peer that sends video, and the pipeline that looks at it.
///
/// Dropping it stops the pipeline too, in the background; [`stop`](Self::stop) also waits.
#[derive(Debug)]
pub struct PeerConnection {
    running: Running,
    watchdog: JoinHandle<()>,
    parts: Parts,
    found_all: bool,
}

/// What is left of a peer connection once it runs.
struct Parts {
    webrtc: gst::Element,
    analyzer: gst::Element,
    shared: Arc<Shared>,
    chain: Arc<Chain>,
    candidates: AtomicUsize,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("codec", &self.shared.offer.codec()).finish_non_exhaustive()
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        // Ends the watchdog, and keeps the owner from hearing of its own hanging up.
        self.shared.finish();
    }
}

impl PeerConnection {
    /// Accepts a WebRTC offer (RFC 8829): starts the pipeline, and returns the connection and the
    /// SDP answer. That carries our ICE candidates; the peer's may be in the offer or come later.
    ///
    /// `events` is called from streaming threads and from the runtime: it must not block.
    ///
    /// # Errors
    /// When the offer cannot be used or the pipeline cannot be started; nothing is left behind.
    pub async fn accept_offer(
        offer_sdp: &str,
        options: PeerOptions,
        events: impl Fn(PeerEvent) + Send + Sync + 'static,
    ) -> Result<(Self, String), OfferError> {
        gst::init().map_err(PipelineError::from)?;
        let offer = Offer::parse(offer_sdp, &codec::decodable())?;
        let timeouts = options.timeouts;
        let gathering =
            if options.network.stun_server.is_some() { GATHERING_STUN } else { GATHERING };

        let mode = DecodeMode::of(&options.settings);
        let shared = Arc::new(Shared::new(offer, mode, Box::new(events)));
        let start = {
            let shared = shared.clone();
            move || start_pipeline(&shared, &options)
        };
        let (running, parts) =
            tokio::task::spawn_blocking(start).await.map_err(PipelineError::from)??;
        let negotiation = make_sdp_answer(&running, &parts, gathering);
        let (answer, found_all) = match tokio::time::timeout(NEGOTIATION, negotiation).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Err(OfferError::Timeout),
        };
        let watchdog = tokio::spawn(watchdog::watch(shared, timeouts, running.teardown()));
        Ok((Self { running, watchdog, parts, found_all }, answer))
    }

    /// Takes a trickled ICE candidate (RFC 8838), as `candidate:...`. Those that are malformed, not
    /// UDP, name a host instead of an address, or belong to a media section that was rejected are
    /// ignored.
    pub fn add_ice_candidate(&self, section: CandidateSection, candidate: &str) {
        let shared = &self.parts.shared;
        if shared.is_over() {
            return;
        }
        if !shared.offer.has_candidates_in(section) {
            tracing::debug!(?section, "ICE candidate of a section that is not used, ignored");
            return;
        }
        match Candidate::parse(candidate) {
            Ok(candidate) => self.parts.add_candidate(&candidate),
            Err(Unusable::EndOfCandidates) => {}
            Err(why) => tracing::debug!(?why, "ICE candidate ignored"),
        }
    }

    /// Changes when to ask, and how much is decoded for it, while the video runs.
    pub fn change_settings(&self, settings: &SamplingSettings) {
        let mode = DecodeMode::of(settings);
        analyze::set_properties(&self.parts.analyzer, settings);
        analyze::set_mode(&self.parts.analyzer, mode);
        self.parts.chain.set_mode(mode);
    }

    /// Asks about a new frame at once, before the next question would be due.
    pub fn ask_now(&self) {
        analyze::ask_now(&self.parts.analyzer);
    }

    /// The codec that the peer sends.
    pub fn codec(&self) -> Codec {
        self.parts.shared.offer.codec()
    }

    /// Whether the peer gets its video back, and so sends all of it.
    pub fn goes_back(&self) -> bool {
        self.parts.shared.offer.video.direction == Direction::SendRecv
    }

    /// Whether the answer has every candidate of ours: without, a STUN server has not answered in
    /// time.
    pub fn found_all_candidates(&self) -> bool {
        self.found_all
    }

    /// Counts this connection's frames, for as long as anybody reads.
    pub fn frames(&self) -> FrameCounter {
        FrameCounter::new(self.parts.shared.frames.clone(), &self.parts.analyzer)
    }

    /// Hangs up. Done when threads, sockets and memory are freed.
    pub async fn stop(self) {
        let Self { running, watchdog, parts, .. } = self;
        parts.shared.finish();
        if let Err(error) = watchdog.await {
            tracing::error!(%error, "a peer connection's watchdog ended badly");
        }
        drop(parts);
        running.stop().await;
    }
}

/// Builds the pipeline and starts it. Blocks for some milliseconds.
fn start_pipeline(
    shared: &Arc<Shared>,
    options: &PeerOptions,
) -> Result<(Running, Parts), PipelineError> {
    let pipeline = gst::Pipeline::new();
    if let Some(context) = &options.context {
        pipeline.set_context(context);
    }
    let webrtc = webrtc::webrtcbin(&options.network)?;
    feedback::configure(&webrtc, shared);
    Certificate::of_process()?.install(&webrtc)?;
    let analyzer = options.analyzer.clone();
    analyze::set_properties(&analyzer, &options.settings);
    analyze::set_mode(&analyzer, shared.mode());
    let sink = make("fakesink")?;
    for property in ["sync", "async", "enable-last-sample"] {
        sink.set_property(property, false);
    }
    pipeline.add_many([&webrtc, &analyzer, &sink])?;
    analyzer.link(&sink)?;

    let running = Running::new(pipeline.clone());
    let chain = Arc::new(Chain::new(shared.clone(), &pipeline, &analyzer));
    listen(&pipeline, &webrtc, shared, &chain)?;
    pipeline.set_state(gst::State::Playing)?;
    let candidates = AtomicUsize::new(0);
    Ok((running, Parts { webrtc, analyzer, shared: shared.clone(), chain, candidates }))
}

/// Connects all that the connection hears of. What is connected holds no element.
fn listen(
    pipeline: &gst::Pipeline,
    webrtc: &gst::Element,
    shared: &Arc<Shared>,
    chain: &Arc<Chain>,
) -> Result<(), PipelineError> {
    let bus = pipeline.bus().ok_or(PipelineError::Lacking("the pipeline has no bus"))?;
    let heard = shared.clone();
    bus.set_sync_handler(move |_, message| {
        on_message(message, &heard);
        gst::BusSyncReply::Drop
    });

    let offered = shared.clone();
    webrtc.connect("on-new-transceiver", false, move |values| {
        if let Some(transceiver) = values.get(1).and_then(|v| v.get::<WebRTCRTPTransceiver>().ok())
        {
            prepare(&transceiver, &offered.offer);
        }
        None
    });
    let attached = chain.clone();
    webrtc.connect_pad_added(move |webrtc, pad| attached.attach(webrtc, pad));
    listen_to_connection(webrtc, shared);
    let Some(bin) = webrtc.downcast_ref::<gst::Bin>() else { return Ok(()) };
    let channels = shared.clone();
    bin.connect_deep_element_added(move |_, _, element| {
        if element.factory().is_some_and(|factory| factory.name() == "sctpdec") {
            listen_to_channels(element, &channels);
        }
    });
    if let Some(rtp) = webrtc::rtpbin(webrtc) {
        listen_to_streams(&rtp, shared);
    }
    Ok(())
}

/// Hears when the connection is there, and when it is gone.
fn listen_to_connection(webrtc: &gst::Element, shared: &Arc<Shared>) {
    let connection = shared.clone();
    webrtc.connect_notify(Some("connection-state"), move |webrtc, _| {
        match get_if_present::<ConnectionState>(webrtc, "connection-state") {
            Some(ConnectionState::Connected) => {
                chain::confirm(webrtc, &connection);
            }
            Some(ConnectionState::Failed) => connection.lose(LostReason::IceFailed),
            Some(ConnectionState::Closed) => connection.lose(LostReason::HungUp),
            _ => {}
        }
    });
}

/// Hears of the peer's streams: its reports on them, and when one ends. Bounds how many it has.
fn listen_to_streams(rtpbin: &gst::Element, shared: &Arc<Shared>) {
    // Each costs threads, and the peer decides how many it sends.
    set_if_present(rtpbin, "max-streams", MAX_STREAMS);
    let reports = shared.clone();
    rtpbin.connect("on-ssrc-active", false, move |_| {
        reports.mark_report();
        None
    });
    // Not `on-timeout`: whoever says nothing for a while may only be out of reach.
    for signal in ["on-bye-ssrc", "on-bye-timeout"] {
        let ended = shared.clone();
        rtpbin.connect(signal, false, move |_| {
            ended.mark_goodbye();
            None
        });
    }
}

/// Hears of data channels where their streams are: a channel itself does not tell that it was
/// closed before webrtcbin had read that it is open.
fn listen_to_channels(sctpdec: &gst::Element, shared: &Arc<Shared>) {
    let (opened, channels) = (AtomicUsize::new(0), shared.clone());
    sctpdec.connect_pad_added(move |_, _| {
        if opened.fetch_add(1, Ordering::Relaxed) >= MAX_CHANNELS {
            channels.lose(LostReason::Pipeline("the peer opens too many channels".into()));
        }
    });
    let closed = shared.clone();
    sctpdec.connect_pad_removed(move |_, _| closed.lose(LostReason::HungUp));
}

/// Called from whichever thread posts.
fn on_message(message: &gst::MessageRef, shared: &Shared) {
    match message.view() {
        gst::MessageView::Error(error) => {
            let factory = error
                .src()
                .and_then(|source| source.downcast_ref::<gst::Element>())
                .and_then(gst::prelude::ElementExt::factory)
                .map(|factory| factory.name().to_string())
                .unwrap_or_default();
            if factory.starts_with("sctp") {
                // The first sign of a peer that closed its connection, long before RTCP's.
                shared.lose(LostReason::HungUp);
            } else {
                shared.lose(LostReason::Pipeline(format!("{factory}: {}", error.error())));
            }
        }
        gst::MessageView::Warning(warning) => {
            let error = warning.error();
            tracing::debug!(parent: &shared.span, %error, "an element of a peer connection warns");
        }
        gst::MessageView::Eos(_) => shared.lose(LostReason::HungUp),
        _ => {}
    }
}

impl Parts {
    fn add_candidate(&self, candidate: &Candidate) {
        if self.candidates.fetch_add(1, Ordering::Relaxed) >= MAX_CANDIDATES {
            tracing::debug!("too many ICE candidates, the rest is ignored");
            return;
        }
        // All sections have the same transport.
        let line = candidate.to_string();
        self.webrtc.emit_by_name::<()>("add-ice-candidate", &[&VIDEO_LINE, &line]);
    }
}

/// Says in which form we take the video. webrtcbin asks while it makes the answer.
fn prepare(transceiver: &WebRTCRTPTransceiver, offer: &Offer) {
    if transceiver.kind() == WebRTCKind::Video && transceiver.mlineindex() == VIDEO_LINE {
        let video = &offer.video;
        transceiver.set_codec_preferences(Some(&video.format.caps(video.transport_cc)));
        // Without it webrtcbin neither asks for lost packets nor takes those sent again.
        set_if_present(transceiver, "do-nack", video.format.sends_lost_packets_again());
    }
}

/// Gives webrtcbin the offer and writes what it answers for the peer. Also returns whether the
/// answer has every candidate of ours.
async fn make_sdp_answer(
    running: &Running,
    parts: &Parts,
    at_most: Duration,
) -> Result<(String, bool), PipelineError> {
    let webrtc = &parts.webrtc;
    let offer = &parts.shared.offer;
    // What fails from here on is ours, or webrtcbin's: it has not seen a word of the peer's.
    let remote = webrtc::description(WebRTCSDPType::Offer, &offer.for_webrtcbin());
    webrtc::set(webrtc, "remote", &remote?).await?;
    for candidate in &offer.candidates {
        parts.add_candidate(candidate);
    }
    if offer.video.direction == Direction::SendRecv {
        send_back(running.pipeline(), parts)?;
    }
    let answer = webrtc::create(webrtc, "answer").await?;
    let gathering = Gathering::new(webrtc);
    webrtc::set(webrtc, "local", &answer).await?;
    let found_all = gathering.complete(at_most).await;
    let ours = webrtc::local_description(webrtc)?;
    let id = u64::from(glib::random_int()) << 20 | u64::from(glib::random_int() >> 12);
    let fingerprint = &Certificate::of_process()?.fingerprint;
    let extras = sdp_answer::Extras { fingerprint, id, start_kbps: START_KBPS };
    Ok((sdp_answer::write(offer, &ours, extras)?, found_all))
}

/// The transceiver of the video, if there is one yet.
fn video_transceiver(webrtc: &gst::Element) -> Option<WebRTCRTPTransceiver> {
    // The only one: data channels have none.
    webrtc.emit_by_name::<Option<WebRTCRTPTransceiver>>("get-transceiver", &[&0i32])
}

/// Prepares the way back, for a peer that wants its video back.
fn send_back(pipeline: &gst::Pipeline, parts: &Parts) -> Result<(), PipelineError> {
    let video = &parts.shared.offer.video;
    let caps = video.format.caps(video.transport_cc);
    let webrtc = &parts.webrtc;
    // GStreamer 1.26 has the transceiver by now, and gives no sink pad to one that only receives.
    if let Some(transceiver) = video_transceiver(webrtc) {
        transceiver.set_direction(TransceiverDirection::Sendrecv);
    }
    let template =
        webrtc.pad_template("sink_%u").ok_or(PipelineError::Lacking("webrtcbin has no sink_%u"))?;
    let sink = webrtc
        .request_pad(&template, Some(&format!("sink_{VIDEO_LINE}")), Some(&caps))
        .ok_or(PipelineError::Lacking("webrtcbin gives no sink pad"))?;
    let transceiver = get_if_present::<WebRTCRTPTransceiver>(&sink, "transceiver")
        .ok_or(PipelineError::Lacking("the sink pad has no transceiver"))?;
    transceiver.set_codec_preferences(Some(&caps));
    transceiver.set_direction(TransceiverDirection::Sendrecv);
    parts.chain.send_back_through(&chain::echo(pipeline, &parts.shared, &sink)?);
    // Not knowing the latency, GStreamer 1.26 makes no RTCP report of what it sends. After five
    // seconds it makes none at all, and the requests for key frames that go with them.
    let whole = pipeline.downgrade();
    webrtc.connect_notify(Some("connection-state"), move |webrtc, _| {
        let state = get_if_present::<ConnectionState>(webrtc, "connection-state");
        if let Some(whole) = whole.upgrade().filter(|_| state == Some(ConnectionState::Connected)) {
            whole.call_async(|whole| drop(whole.recalculate_latency()));
        }
    });
    Ok(())
}
