use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
};

use live_vlm_media_link::{Answered, Codec, SamplingSettings, ToMedia};
use tokio::sync::{mpsc, oneshot};

use crate::{
    commands::Handle, event::PeerEvent, frames::FrameCounter, placement::ProcessNumber,
    turns::Turns,
};

/// ICE candidates of a peer that are passed on; the rest is ignored.
const MAX_CANDIDATES: usize = 64;

/// One peer that sends video to a media process.
///
/// Dropping it hangs up too, in the background; [`stop`](Self::stop) also waits.
#[derive(Debug)]
pub struct Peer {
    hold: Hold,
    codec: Codec,
    found_all: bool,
    goes_back: bool,
    frames: FrameCounter,
    process: ProcessNumber,
    candidates: AtomicUsize,
}

/// A peer whose offer was answered, with all that belongs to it.
#[derive(Debug)]
pub struct OfferAnswered {
    /// For telling it something.
    pub peer: Peer,
    /// The SDP answer. It carries our ICE candidates.
    pub sdp: String,
    /// What it tells.
    pub events: PeerEvents,
    /// When it wants to ask.
    pub turns: Turns,
}

/// What a connection tells its owner.
#[derive(Debug)]
pub struct PeerEvents(mpsc::Receiver<PeerEvent>);

impl PeerEvents {
    pub(crate) fn new(events: mpsc::Receiver<PeerEvent>) -> Self {
        Self(events)
    }

    /// Waits for the next one; `None` when the connection is over. If the future is dropped, nothing
    /// is lost.
    pub async fn next(&mut self) -> Option<PeerEvent> {
        self.0.recv().await
    }
}

/// Holds a connection, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    handle: Handle,
    over: oneshot::Receiver<Infallible>,
}

impl Hold {
    pub(crate) fn new(handle: Handle, over: oneshot::Receiver<Infallible>) -> Self {
        Self { handle, over }
    }

    pub(crate) fn peer(
        self,
        answered: &Answered,
        frames: FrameCounter,
        process: ProcessNumber,
    ) -> Peer {
        let Answered { codec, found_all, goes_back, .. } = *answered;
        let candidates = AtomicUsize::new(0);
        Peer { hold: self, codec, found_all, goes_back, frames, process, candidates }
    }

    fn hang_up(&self) {
        self.handle.send(ToMedia::Stop { connection: self.handle.connection });
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.hang_up();
    }
}

impl Peer {
    /// Takes a trickled ICE candidate (RFC 8838), as `candidate:...`, with its `sdpMid` and
    /// `sdpMLineIndex`. Those that are of no use are ignored, and so are those after the 64th.
    pub fn add_ice_candidate(&self, mid: Option<&str>, line: Option<u32>, candidate: &str) {
        if self.candidates.fetch_add(1, Ordering::Relaxed) >= MAX_CANDIDATES {
            tracing::debug!("too many ICE candidates, the rest is ignored");
            return;
        }
        let connection = self.hold.handle.connection;
        let (mid, candidate) = (mid.map(str::to_owned), candidate.to_owned());
        self.hold.handle.send(ToMedia::Candidate { connection, mid, line, candidate });
    }

    /// Changes when the video is asked about, and how much is decoded for it, while it runs.
    pub fn change_settings(&self, settings: SamplingSettings) {
        self.hold.handle.change_settings(settings);
    }

    /// Has it ask about a new frame at once, before the next question would be due.
    pub fn ask_now(&self) {
        self.hold.handle.ask_now();
    }

    /// The codec that the peer sends.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Whether the answer has every candidate of ours: without, a STUN server has not answered in
    /// time.
    pub fn found_all_candidates(&self) -> bool {
        self.found_all
    }

    /// Whether the peer gets its video back, and so sends all of it whatever is wanted.
    pub fn goes_back(&self) -> bool {
        self.goes_back
    }

    /// Counts this connection's frames, for as long as anybody reads.
    pub fn frames(&self) -> FrameCounter {
        self.frames.clone()
    }

    /// The media process that it is in.
    pub fn process(&self) -> ProcessNumber {
        self.process
    }

    /// Hangs up. Done when threads, sockets and memory are freed, or the media process is gone.
    pub async fn stop(mut self) {
        self.hold.hang_up();
        let _ = (&mut self.hold.over).await;
    }
}
