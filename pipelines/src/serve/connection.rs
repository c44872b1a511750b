//! One peer connection of a media process.

use std::{sync::Arc, time::Duration};

use live_vlm_media_link::{
    Answered, ConnectionId, FrameCounts, FromMedia, LostReason, MAX_LEAD, MAX_SDP, NetworkOptions,
    OfferError, PeerTimeouts, SamplingSettings,
};
use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc, watch},
    time::{Instant, MissedTickBehavior, interval},
};

use super::{
    outbox::Outbox,
    wishes::{Obedience, Wishes},
};
use crate::{
    CandidateSection, PeerConnection, PeerEvent, PeerOptions,
    analyze::{self, FromElement, RemoteAsker},
};

/// Candidates that wait until the offer is answered.
const CANDIDATES: usize = 64;
/// What a connection and its element may have to say at once: a few things that happen once, three
/// about a want, and wishes for frames, which are dropped if there is no room.
const EVENTS: usize = 64;
/// How often frames are told of.
const FRAMES: Duration = Duration::from_secs(1);

/// What an offer says.
pub(super) struct Offer {
    pub(super) sdp: String,
    pub(super) network: NetworkOptions,
    pub(super) timeouts: PeerTimeouts,
    pub(super) settings: SamplingSettings,
}

/// Tells a connection's task. Dropping it ends the connection.
pub(super) struct Connection {
    asker: RemoteAsker,
    wanted: watch::Sender<Wanted>,
    ask_now: Arc<Notify>,
    candidates: mpsc::Sender<IceCandidate>,
}

/// What is wanted of a connection.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    settings: SamplingSettings,
    stops: bool,
}

struct IceCandidate {
    mid: Option<String>,
    line: Option<u32>,
    candidate: String,
}

/// What a connection or its element says.
enum Said {
    Connected,
    FirstFrame,
    Lost(LostReason),
    Element(FromElement),
}

impl Connection {
    pub(super) fn asker(&self) -> &RemoteAsker {
        &self.asker
    }

    pub(super) fn add_candidate(&self, mid: Option<String>, line: Option<u32>, candidate: String) {
        if self.candidates.try_send(IceCandidate { mid, line, candidate }).is_err() {
            tracing::debug!("too many ICE candidates at once, the rest is ignored");
        }
    }

    pub(super) fn change_settings(&self, settings: SamplingSettings) {
        self.wanted.send_modify(|wanted| wanted.settings = settings);
    }

    pub(super) fn ask_now(&self) {
        self.ask_now.notify_one();
    }

    pub(super) fn stop(&self) {
        self.wanted.send_modify(|wanted| wanted.stops = true);
    }
}

/// A connection for an offer, and the task that runs it.
pub(super) fn open(
    id: ConnectionId,
    offer: Offer,
    outbox: Outbox,
) -> (Connection, impl Future<Output = ConnectionId>) {
    let (say, said) = mpsc::channel(EVENTS);
    let asks = say.clone();
    let asker = RemoteAsker::new(&Handle::current(), move |what| put(&asks, Said::Element(what)));
    asker.set_frames_on_demand(offer.settings.frames_on_demand);
    let (wanted, wants) = watch::channel(Wanted { settings: offer.settings, stops: false });
    let (candidate, candidates) = mpsc::channel(CANDIDATES);
    let ask_now = Arc::<Notify>::default();
    let task = Task {
        id,
        outbox,
        said,
        wants,
        candidates,
        ask_now: Arc::clone(&ask_now),
        told: FrameCounts::default(),
        asker: asker.clone(),
        wishes: Wishes::default(),
        obedience: Obedience::default(),
        obeys: true,
        is_connected: false,
    };
    let connection = Connection { asker: asker.clone(), wanted, ask_now, candidates: candidate };
    (connection, task.run(offer, asker, say))
}

/// Called from streaming threads, too: it does not wait.
fn put(queue: &mpsc::Sender<Said>, said: Said) {
    let is_wish = matches!(&said, Said::Element(FromElement::FrameWanted { .. }));
    if is_wish && queue.capacity() < EVENTS / 2 {
        return;
    }
    if let Err(mpsc::error::TrySendError::Full(_)) = queue.try_send(said) {
        // live-vlm will miss it, and end the process.
        tracing::error!("a connection says more than it ever should");
    }
}

struct Task {
    id: ConnectionId,
    outbox: Outbox,
    said: mpsc::Receiver<Said>,
    wants: watch::Receiver<Wanted>,
    candidates: mpsc::Receiver<IceCandidate>,
    ask_now: Arc<Notify>,
    /// The frames that were told of last.
    told: FrameCounts,
    asker: RemoteAsker,
    wishes: Wishes,
    obedience: Obedience,
    /// Whether the peer sends frames on demand, as it has promised.
    obeys: bool,
    is_connected: bool,
}

impl Task {
    async fn run(
        mut self,
        offer: Offer,
        asker: RemoteAsker,
        say: mpsc::Sender<Said>,
    ) -> ConnectionId {
        let accepted = accept(offer, &asker, say).await;
        // Nobody waits for the answer to an offer that was taken back.
        let stops = self.stops();
        match accepted {
            Ok((peer, _)) if stops => self.stop(peer).await,
            Err(_) if stops => self.stopped().await,
            Ok((peer, answered)) => {
                self.answer(Ok(answered)).await;
                self.serve(&peer).await;
                self.stop(peer).await;
            }
            Err(error) => self.answer(Err(error)).await,
        }
        self.id
    }

    /// Serves the peer until it is to stop.
    async fn serve(&mut self, peer: &PeerConnection) {
        let frames = peer.frames();
        let mut tick = interval(FRAMES);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.wants.mark_changed();
        loop {
            tokio::select! {
                Some(said) = self.said.recv() => self.pass_on(said).await,
                Some(IceCandidate { mid, line, candidate }) = self.candidates.recv() => {
                    let section = CandidateSection::new(mid.as_deref(), line);
                    peer.add_ice_candidate(section, &candidate);
                }
                changed = self.wants.changed() => {
                    let Wanted { settings, stops } = *self.wants.borrow_and_update();
                    if stops || changed.is_err() {
                        return;
                    }
                    self.change_settings(peer, settings);
                }
                () = self.ask_now.notified() => peer.ask_now(),
                _ = tick.tick() => self.look(peer, frames.read()).await,
            }
        }
    }

    /// What happens each second.
    async fn look(&mut self, peer: &PeerConnection, counts: FrameCounts) {
        self.tell_frames(counts).await;
        let Wanted { settings, .. } = *self.wants.borrow();
        if !settings.frames_on_demand {
            return;
        }
        if self.is_connected && counts.received == 0 {
            self.want_first_frame().await;
        }
        let obeys = self.obedience.look(counts.received);
        if std::mem::replace(&mut self.obeys, obeys) != obeys {
            tracing::info!(obeys, "whether frames come only when they are wanted has changed");
            self.change_settings(peer, settings);
        }
    }

    fn change_settings(&self, peer: &PeerConnection, settings: SamplingSettings) {
        let frames_on_demand = settings.frames_on_demand && self.obeys;
        self.asker.set_frames_on_demand(frames_on_demand);
        peer.change_settings(&SamplingSettings { frames_on_demand, ..settings });
    }

    /// Whoever looks at the video sees that it runs, also before anything is asked.
    async fn want_first_frame(&mut self) {
        if self.wants.borrow().settings.frames_on_demand {
            self.want_frames(1, Duration::ZERO).await;
        }
    }

    async fn want_frames(&mut self, frames: u32, spacing: Duration) {
        if self.wishes.may(Instant::now().into_std()) {
            let connection = self.id;
            self.outbox.send(FromMedia::FrameWanted { connection, frames, spacing }).await;
        }
    }

    async fn pass_on(&mut self, said: Said) {
        let connection = self.id;
        let message = match said {
            Said::Connected => {
                self.is_connected = true;
                self.outbox.send(FromMedia::Connected { connection }).await;
                return self.want_first_frame().await;
            }
            Said::FirstFrame => FromMedia::FirstFrame { connection },
            Said::Lost(reason) => FromMedia::Lost { connection, reason },
            Said::Element(FromElement::Want { urgent, lead }) => {
                FromMedia::Want { connection, urgent, lead: lead.min(MAX_LEAD) }
            }
            Said::Element(FromElement::FrameWanted { frames, spacing }) => {
                return self.want_frames(frames, spacing).await;
            }
            Said::Element(FromElement::GiveUp) => FromMedia::GiveUp { connection },
            Said::Element(FromElement::NoQuestion(why)) => {
                FromMedia::NoQuestion { connection, why }
            }
            Said::Element(FromElement::Question(pictures)) => {
                return self.outbox.ask(connection, pictures).await;
            }
            Said::Element(_) => return,
        };
        self.outbox.send(message).await;
    }

    async fn tell_frames(&mut self, counts: FrameCounts) {
        if std::mem::replace(&mut self.told, counts) != counts {
            self.outbox.send(FromMedia::Frames { connection: self.id, counts }).await;
        }
    }

    async fn answer(&self, result: Result<Answered, OfferError>) {
        self.outbox.send(FromMedia::Answered { connection: self.id, result }).await;
    }

    async fn stop(&self, peer: PeerConnection) {
        peer.stop().await;
        self.stopped().await;
    }

    async fn stopped(&self) {
        self.outbox.send(FromMedia::Stopped { connection: self.id }).await;
    }

    /// Whether the connection is to end, or nobody is there any more.
    fn stops(&self) -> bool {
        self.wants.borrow().stops || self.wants.has_changed().is_err()
    }
}

async fn accept(
    offer: Offer,
    asker: &RemoteAsker,
    say: mpsc::Sender<Said>,
) -> Result<(PeerConnection, Answered), OfferError> {
    let mut options = PeerOptions::new(offer.settings)?;
    options.network = offer.network;
    options.timeouts = offer.timeouts;
    options.context = Some(analyze::remote_context(asker));
    let events = move |event| match event {
        PeerEvent::Connected => put(&say, Said::Connected),
        PeerEvent::FirstFrame => put(&say, Said::FirstFrame),
        PeerEvent::Lost(reason) => put(&say, Said::Lost(reason)),
    };
    let (peer, sdp) = PeerConnection::accept_offer(&offer.sdp, options, events).await?;
    if sdp.len() > MAX_SDP {
        peer.stop().await;
        return Err(OfferError::Pipeline(format!("the answer has {} bytes", sdp.len())));
    }
    let answered = Answered {
        sdp,
        codec: peer.codec(),
        found_all: peer.found_all_candidates(),
        goes_back: peer.goes_back(),
    };
    Ok((peer, answered))
}
