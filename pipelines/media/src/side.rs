//! The media process's end of the link: offers in, connections and pictures out.

use std::{
    collections::HashMap,
    os::unix::net::UnixStream as StdUnixStream,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use gst::prelude::*;
use gst_vlm_jpeg::{JpegOptions, RawFrame};
use live_vlm_media_link::{
    Answered, ConnectionId, FromMedia, LinkError, NothingToAsk, OfferError, PictureInfo, Reader,
    SamplingSettings, SandboxParts, ToMedia, VERSION, Writer,
};
use live_vlm_pipelines::{Choices, PeerConnection, PeerEvent, PeerOptions, PeerSettings};
use live_vlm_sandbox::Report;
use tokio::{net::UnixStream, sync::mpsc};

/// Events that wait to be sent. Whoever makes more than can be sent loses them.
const WAITING: usize = 256;
const QUALITY: u8 = 80;

/// Speaks with live-vlm until that closes the link.
///
/// # Errors
/// When live-vlm breaks a rule of the link, or it fails.
pub(crate) async fn serve(link: StdUnixStream, report: &Report) -> Result<(), LinkError> {
    link.set_nonblocking(true)?;
    let (read, write) = UnixStream::from_std(link)?.into_split();
    let (mut reader, mut writer) = (Reader::<_, ToMedia>::new(read), Writer::new(write));
    let (tell, mut told) = mpsc::channel(WAITING);
    let mut connections = HashMap::new();
    loop {
        let said = tokio::select! {
            received = reader.next() => match received? {
                Some(received) => obey(received.message, &mut connections, &tell, report).await,
                None => break,
            },
            said = told.recv() => said,
        };
        if let Some(Said { message, jpeg }) = said {
            writer.send_with(message, &jpeg).await?;
        }
    }
    for (_, connection) in connections {
        connection.peer.stop().await;
    }
    Ok(())
}

/// Something to be sent.
struct Said {
    message: FromMedia,
    jpeg: Vec<Vec<u8>>,
}

impl From<FromMedia> for Said {
    fn from(message: FromMedia) -> Self {
        Self { message, jpeg: Vec::new() }
    }
}

/// The newest frame of a connection, and when it came.
type Newest = Arc<Mutex<Option<(RawFrame, Instant)>>>;

struct Connection {
    peer: PeerConnection,
    analyzer: gst::Element,
    newest: Newest,
}

type Connections = HashMap<ConnectionId, Connection>;

async fn obey(
    message: ToMedia,
    connections: &mut Connections,
    tell: &mpsc::Sender<Said>,
    report: &Report,
) -> Option<Said> {
    match message {
        ToMedia::Hello { .. } => Some(ready(report).into()),
        ToMedia::Ping { number } => Some(FromMedia::Pong { number }.into()),
        ToMedia::Offer { connection, sdp, network, timeouts, settings } => {
            let (mut options, newest) = options(settings).ok()?;
            options.network = network;
            options.timeouts = timeouts;
            let analyzer = options.analyzer.clone();
            let tell = tell.clone();
            let events = move |event| event_of(connection, event, &tell);
            let result = PeerConnection::accept_offer(&sdp, options, events).await;
            let result = result.map(|(peer, sdp)| {
                let (codec, found_all) = (peer.codec(), peer.found_all_candidates());
                connections.insert(connection, Connection { peer, analyzer, newest });
                Answered { sdp, codec, found_all }
            });
            Some(FromMedia::Answered { connection, result }.into())
        }
        ToMedia::Turn { connection } => {
            Some(question(connection, connections.get(&connection)?).await)
        }
        ToMedia::Stop { connection } => {
            if let Some(stopped) = connections.remove(&connection) {
                stopped.peer.stop().await;
            }
            Some(FromMedia::Stopped { connection }.into())
        }
        _ => None,
    }
}

fn ready(report: &Report) -> FromMedia {
    let sandbox = SandboxParts {
        applied: report.applied.iter().map(ToString::to_string).collect(),
        lacking: report.lacking.iter().map(ToString::to_string).collect(),
    };
    FromMedia::Ready { version: VERSION, codecs: live_vlm_pipelines::decodable(), sandbox }
}

/// Called from streaming threads: it does not wait.
fn event_of(connection: ConnectionId, event: PeerEvent, tell: &mpsc::Sender<Said>) {
    let message = match event {
        PeerEvent::Connected => FromMedia::Connected { connection },
        PeerEvent::FirstFrame => FromMedia::FirstFrame { connection },
        PeerEvent::Lost(reason) => FromMedia::Lost { connection, reason },
        _ => return,
    };
    if tell.try_send(message.into()).is_err() {
        tracing::error!(%connection, "live-vlm does not read what it is told");
    }
}

/// For a connection whose newest frame is kept.
fn options(settings: SamplingSettings) -> Result<(PeerOptions, Newest), OfferError> {
    let choices = Choices { interval: settings.interval.into(), ..Choices::default() };
    let settings = PeerSettings { choices, asks: settings.asks, ..PeerSettings::default() };
    let analyzer = live_vlm_pipelines::properties::make("identity")?;
    let newest = Newest::default();
    if let Some(pad) = analyzer.static_pad("src") {
        let keep = newest.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if let (Some(buffer), Some(caps)) = (info.buffer(), pad.current_caps()) {
                let orientation = gst_video::VideoOrientationMethod::Identity;
                let frame = RawFrame { buffer: buffer.clone(), caps, orientation };
                *keep.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some((frame, Instant::now()));
            }
            gst::PadProbeReturn::Ok
        });
    }
    Ok((PeerOptions::with_analyzer(settings, analyzer), newest))
}

async fn question(id: ConnectionId, connection: &Connection) -> Said {
    let nothing = |why| Said::from(FromMedia::NoQuestion { connection: id, why });
    let newest = connection.newest.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((frame, captured)) = newest else { return nothing(NothingToAsk::NoFrame) };
    let options = JpegOptions { max_size: 0, quality: QUALITY, encoder: None };
    match gst_vlm_jpeg::encode(frame, options, &connection.analyzer.downgrade()).await {
        Ok(jpeg) => {
            let picture = PictureInfo {
                bytes: u32::try_from(jpeg.len()).unwrap_or(u32::MAX),
                label: String::new(),
                captured_ago: captured.elapsed(),
            };
            let message = FromMedia::Question { connection: id, pictures: vec![picture] };
            Said { message, jpeg: vec![jpeg] }
        }
        Err(error) => nothing(NothingToAsk::Unencodable(error.to_string())),
    }
}
