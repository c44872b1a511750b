//! A sender and a connection that meet on 127.0.0.1, with a counting stand-in for `vlmanalyze`.
#![allow(dead_code, reason = "each test file uses its part of this")]

pub(crate) mod network;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gst::prelude::*;
use live_vlm_pipelines::{
    LostReason, PeerConnection, PeerEvent, PeerOptions, PeerTimeouts, SamplingSettings,
};
use live_vlm_sender::{Sender, SenderOptions};
use network::Network;
use tokio::sync::{mpsc, watch};

/// Longer than anything takes on a busy machine; no test waits for it when all is well.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// What a test wants of its connection.
pub(crate) struct Wanted {
    pub(crate) interval: Duration,
    pub(crate) frames_on_demand: bool,
    pub(crate) timeouts: PeerTimeouts,
}

impl Wanted {
    /// A question now and then: key frames only.
    pub(crate) fn slow() -> Self {
        Self {
            interval: Duration::from_secs(1),
            frames_on_demand: false,
            timeouts: PeerTimeouts::default(),
        }
    }

    /// Many questions: every frame.
    pub(crate) fn fast() -> Self {
        Self { interval: Duration::from_millis(100), ..Self::slow() }
    }

    /// A question now and then, of a peer that sends a frame when one is wanted.
    pub(crate) fn on_demand() -> Self {
        Self { frames_on_demand: true, ..Self::slow() }
    }

    pub(crate) fn timeouts(self, timeouts: PeerTimeouts) -> Self {
        Self { timeouts, ..self }
    }
}

/// The settings for an interval.
pub(crate) fn settings(interval: Duration) -> SamplingSettings {
    SamplingSettings { interval, ..SamplingSettings::default() }
}

/// Options with `identity` in place of `vlmanalyze`, on the loopback interface.
pub(crate) fn options(wanted: &Wanted) -> (PeerOptions, gst::Element, watch::Receiver<u64>) {
    gst::init().unwrap();
    let analyzer = gst::ElementFactory::make("identity").build().unwrap();
    let (tell, decoded) = watch::channel(0);
    let count = AtomicU64::new(0);
    analyzer.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        tell.send_replace(count.fetch_add(1, Ordering::SeqCst) + 1);
        gst::PadProbeReturn::Ok
    });
    let frames_on_demand = wanted.frames_on_demand;
    let settings = SamplingSettings { frames_on_demand, ..settings(wanted.interval) };
    let mut options = PeerOptions::with_analyzer(settings, analyzer.clone());
    options.network.bind = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    options.timeouts = wanted.timeouts;
    (options, analyzer, decoded)
}

/// A connected pair.
pub(crate) struct Meeting {
    pub(crate) sender: Sender,
    pub(crate) connection: PeerConnection,
    pub(crate) analyzer: gst::Element,
    pub(crate) events: mpsc::UnboundedReceiver<PeerEvent>,
    pub(crate) decoded: watch::Receiver<u64>,
    pub(crate) offer: String,
    pub(crate) answer: String,
}

impl Meeting {
    pub(crate) async fn start(sender: SenderOptions, wanted: Wanted) -> Self {
        Self::start_with(sender, wanted, |offer| offer).await
    }

    /// As `start`, with somebody between the two who changes the offer.
    pub(crate) async fn start_with(
        sender: SenderOptions,
        wanted: Wanted,
        change: impl FnOnce(String) -> String,
    ) -> Self {
        Self::meet(sender, wanted, change, |answer| answer).await
    }

    /// As `start`, over this network.
    pub(crate) async fn start_over(
        network: &Network,
        sender: SenderOptions,
        wanted: Wanted,
    ) -> Self {
        let offer = |offer: String| network.carry_offer(&offer);
        Self::meet(sender, wanted, offer, |answer| network.carry_answer(&answer)).await
    }

    /// As `start`, with somebody between the two who changes both.
    pub(crate) async fn meet(
        sender: SenderOptions,
        wanted: Wanted,
        change_offer: impl FnOnce(String) -> String,
        change_answer: impl FnOnce(String) -> String,
    ) -> Self {
        let (options, analyzer, decoded) = options(&wanted);
        let (tell, events) = mpsc::unbounded_channel();
        let kept = Arc::new(Mutex::new(None));
        let keep = kept.clone();
        let sender = Sender::connect(sender, move |offer| async move {
            let offer = change_offer(offer);
            let tell = move |event| drop(tell.send(event));
            let (connection, answer) = PeerConnection::accept_offer(&offer, options, tell).await?;
            *keep.lock().unwrap() = Some((connection, offer, answer.clone()));
            Ok::<_, live_vlm_pipelines::OfferError>(change_answer(answer))
        })
        .await
        .unwrap();
        let (connection, offer, answer) = kept.lock().unwrap().take().unwrap();
        Self { sender, connection, analyzer, events, decoded, offer, answer }
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> PeerEvent {
        next(&mut self.events).await
    }

    pub(crate) async fn first_frame(&mut self) {
        for expected in ["Connected", "FirstFrame"] {
            assert_eq!(format!("{:?}", self.event().await), expected);
        }
    }

    /// Waits until this many frames were decoded since the start.
    pub(crate) async fn frames(&mut self, at_least: u64) {
        let enough = self.decoded.wait_for(|count| *count >= at_least);
        tokio::time::timeout(LIMIT, enough).await.expect("frames in time").unwrap();
    }

    /// Waits until the sender has encoded this many more frames.
    pub(crate) async fn sent(&self, more: u64) {
        let target = self.sender.stats().frames + more;
        poll(|| self.sender.stats().frames >= target).await;
    }

    pub(crate) fn decoded_so_far(&self) -> u64 {
        *self.decoded.borrow()
    }

    /// Asks as `vlmanalyze` does: by an event that goes upstream from it.
    pub(crate) fn ask_for_key_frame(&self) {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build();
        assert!(self.analyzer.static_pad("sink").unwrap().push_event(event));
    }

    pub(crate) async fn end(self) {
        self.sender.hang_up().await;
        self.connection.stop().await;
    }
}

pub(crate) async fn next(events: &mut mpsc::UnboundedReceiver<PeerEvent>) -> PeerEvent {
    tokio::time::timeout(LIMIT, events.recv()).await.expect("an event in time").expect("an event")
}

/// The reason why a connection was lost, after whatever came before.
pub(crate) async fn lost(events: &mut mpsc::UnboundedReceiver<PeerEvent>) -> LostReason {
    loop {
        if let PeerEvent::Lost(reason) = next(events).await {
            return reason;
        }
    }
}

/// Waits for what has no event of its own, such as a count of the operating system.
pub(crate) async fn poll(mut condition: impl FnMut() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    let reached = async {
        while !condition() {
            tick.tick().await;
        }
    };
    tokio::time::timeout(LIMIT, reached).await.expect("the condition in time");
}
