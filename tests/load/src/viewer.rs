//! A synthetic viewer: a WebRTC sender and a WebSocket, as a page has them.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use gst::prelude::*;
use live_vlm_pipelines::{Codec, Sender, SenderDirection, SenderOptions, VideoSource};
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::{Failure, timecode};

const STEP: Duration = Duration::from_secs(20);
/// Answers wait here until the benchmark reads them.
const ANSWERS: usize = 4096;

/// A complete answer as the viewer got it.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// From the time drawn into the picture to the arrival of the whole answer.
    pub(crate) age_ms: Option<u64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Kind {
    pub(crate) codec: Codec,
    pub(crate) sendrecv: bool,
    pub(crate) interval: f64,
}

impl Default for Kind {
    fn default() -> Self {
        Self { codec: Codec::Vp8, sendrecv: false, interval: 1.0 }
    }
}

pub(crate) struct Viewer {
    sender: Sender,
    reader: JoinHandle<()>,
    answers: mpsc::Receiver<Heard>,
}

impl Viewer {
    /// Connects and begins to send.
    pub(crate) async fn connect(server: &str, kind: &Kind) -> Result<Self, Failure> {
        let id = Uuid::new_v4();
        let (socket, _) =
            tokio_tungstenite::connect_async(format!("ws://{server}/ws?session_id={id}")).await?;
        let (mut to_server, mut from_server) = socket.split();
        let interval = json!({"type": "update_processing", "interval": kind.interval});
        to_server.send(Message::text(interval.to_string())).await?;
        let (heard, answers) = mpsc::channel(ANSWERS);
        let reader = tokio::spawn(async move {
            // Holding the other half keeps the connection open.
            let _to_server = to_server;
            while let Some(Ok(message)) = from_server.next().await {
                let Ok(text) = message.to_text() else { continue };
                let Ok(message) = serde_json::from_str::<Value>(text) else { continue };
                if message["type"] == "vlm_response" {
                    let _ = heard.try_send(Heard { age_ms: age(&message) });
                }
            }
        });
        let options = SenderOptions {
            codec: kind.codec,
            direction: if kind.sendrecv {
                SenderDirection::SendRecv
            } else {
                SenderDirection::SendOnly
            },
            source: VideoSource::Element(camera()?),
            ..SenderOptions::default()
        };
        let url = format!("http://{server}/offer");
        let sender = Sender::connect(options, |sdp| async move {
            let body = json!({"type": "offer", "sdp": sdp, "session_id": id.to_string()});
            let response =
                reqwest::Client::new().post(url).json(&body).send().await?.error_for_status()?;
            let answer: Value = response.json().await?;
            Ok::<_, reqwest::Error>(answer["sdp"].as_str().unwrap_or_default().to_owned())
        })
        .await?;
        sender.connected().await?;
        Ok(Self { sender, reader, answers })
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> Result<Heard, Failure> {
        timeout(STEP, self.answers.recv()).await?.ok_or_else(|| "the server hung up".into())
    }

    /// The answers that came meanwhile.
    pub(crate) fn take_answers(&mut self) -> Vec<Heard> {
        std::iter::from_fn(|| self.answers.try_recv().ok()).collect()
    }

    /// Leaves as a page does that is closed.
    pub(crate) async fn hang_up(self) {
        self.reader.abort();
        self.sender.hang_up().await;
    }
}

fn age(message: &Value) -> Option<u64> {
    let captured: u64 = message["text"].as_str()?.strip_prefix("captured at ")?.parse().ok()?;
    Some(timecode::now_ms().saturating_sub(captured))
}

/// 640x480 at 30 frames a second: a moving pattern with much detail, and the time of capture.
fn camera() -> Result<gst::Element, Failure> {
    let bin = gst::parse::bin_from_description(
        "videotestsrc is-live=true pattern=zone-plate kx2=8 ky2=8 kt=4 ! \
         capsfilter name=timed caps=video/x-raw,format=I420,width=640,height=480,framerate=30/1",
        true,
    )?;
    let timed = bin.by_name("timed").and_then(|element| element.static_pad("src"));
    let pad = timed.ok_or("the camera has no pad")?;
    pad.add_probe(gst::PadProbeType::BUFFER, |_, info| {
        if let Some(buffer) = info.buffer_mut()
            && let Ok(mut frame) = buffer.make_mut().map_writable()
            && let Some(luma) = frame.get_mut(..timecode::WIDTH * timecode::HEIGHT)
        {
            // I420 of this width has no padding between its rows.
            timecode::draw(luma, timecode::WIDTH, timecode::now_ms());
        }
        gst::PadProbeReturn::Ok
    });
    Ok(bin.upcast())
}
