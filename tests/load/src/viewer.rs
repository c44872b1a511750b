//! A synthetic viewer: a WebRTC sender and a WebSocket, as a page has them.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use live_vlm_pipelines::Codec;
use live_vlm_sender::{Sender, SenderDirection, SenderOptions, SentFrames, Shutter};
use reqwest::header::{self, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};
use uuid::Uuid;

use crate::{Failure, Tool, camera::Camera, video::Video, vlm};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");
const STEP: Duration = Duration::from_secs(20);
/// Answers wait here until they are read.
const ANSWERS: usize = 4096;

/// Somebody who has opened the page. The server knows them by the cookie that it set: all sessions
/// with it are one user's.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    http: reqwest::Client,
    server: String,
    cookie: Option<String>,
    on_demand: bool,
    /// Where it is, as a proxy would tell.
    forwarded: Option<HeaderValue>,
    camera: Option<Camera>,
}

impl Browser {
    pub(crate) async fn visit(tool: &Tool, server: &str) -> Result<Self, Failure> {
        Self::visit_from(tool, server, None).await
    }

    /// From an address that a proxy would tell, which the server must trust.
    pub(crate) async fn visit_from(
        tool: &Tool,
        server: &str,
        address: Option<&str>,
    ) -> Result<Self, Failure> {
        let forwarded = address.map(HeaderValue::from_str).transpose()?;
        let mut request = tool.http.get(format!("http://{server}/"));
        if let Some(address) = &forwarded {
            request = request.header(FORWARDED, address);
        }
        let page = request.send().await?.error_for_status()?;
        let cookie = page.headers().get(header::SET_COOKIE).and_then(|value| value.to_str().ok());
        let cookie = cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
        let (http, server) = (tool.http.clone(), server.to_owned());
        let camera = tool.camera.clone();
        Ok(Self { http, server, cookie, on_demand: tool.on_demand, forwarded, camera })
    }

    async fn offer(&self, id: Uuid, sdp: String, shutter: Shutter) -> Result<String, Failure> {
        let mut body = json!({"type": "offer", "sdp": sdp, "session_id": id.to_string()});
        if self.on_demand {
            body["frames_on_demand"] = true.into();
        }
        let mut request = self.http.post(format!("http://{}/offer", self.server)).json(&body);
        if let Some(cookie) = &self.cookie {
            request = request.header(header::COOKIE, cookie);
        }
        if let Some(address) = &self.forwarded {
            request = request.header(FORWARDED, address);
        }
        let response = request.send().await?;
        let status = response.status();
        let answer: Value = response.json().await.unwrap_or_default();
        if !status.is_success() {
            let said = answer["message"].as_str().unwrap_or_default();
            return Err(format!("the server refuses with {status}: {said}").into());
        }
        shutter.set_on_demand(answer["frames"] == "on_demand");
        Ok(answer["sdp"].as_str().unwrap_or_default().to_owned())
    }
}

/// A complete answer as the viewer got it.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) at: Instant,
    /// From the capture of the picture to the arrival of the whole answer; `None` if the VLM could
    /// not read the picture.
    pub(crate) age: Option<Duration>,
}

/// What a viewer does.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) codec: Codec,
    pub(crate) sendrecv: bool,
    /// Seconds between two questions.
    pub(crate) interval: f64,
    pub(crate) max_tokens: u32,
    /// Whose the questions are, for the VLM's account.
    pub(crate) user: Option<String>,
}

impl Default for Wish {
    fn default() -> Self {
        let (codec, sendrecv) = (Codec::Vp8, false);
        Self { codec, sendrecv, interval: 1.0, max_tokens: 512, user: None }
    }
}

impl Wish {
    fn messages(&self) -> Vec<Value> {
        let mut messages = vec![json!({"type": "update_processing", "interval": self.interval})];
        if let Some(user) = &self.user {
            let prompt = format!("{}{user}", vlm::USER);
            let max_tokens = self.max_tokens;
            messages
                .push(json!({"type": "update_prompt", "prompt": prompt, "max_tokens": max_tokens}));
        }
        messages
    }
}

/// Hangs up when dropped, as a page does whose computer is switched off.
pub(crate) struct Viewer {
    browser: Browser,
    session: Uuid,
    /// None of one that sends pictures.
    sender: Option<Sender>,
    /// Told when the server says that the video is lost.
    lost: Arc<Notify>,
    shutter: Shutter,
    reader: Reader,
    answers: mpsc::Receiver<Heard>,
    trouble: Arc<Trouble>,
}

/// What went wrong while watching.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    count: AtomicUsize,
    last: Mutex<Option<String>>,
}

impl Trouble {
    fn note(&self, text: String) {
        self.count.fetch_add(1, Ordering::Relaxed);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    /// How often, and what it was the last time.
    pub(crate) fn get(&self) -> (usize, Option<String>) {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (self.count.load(Ordering::Relaxed), last)
    }
}

/// Ends with its viewer.
struct Reader(JoinHandle<()>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a viewer hears of the server, and does at once.
struct Ears {
    heard: mpsc::Sender<Heard>,
    /// What tells the age of a picture.
    shown: Video,
    sent: Arc<OnceLock<SentFrames>>,
    trouble: Arc<Trouble>,
    lost: Arc<Notify>,
    shutter: Shutter,
    camera: Option<Camera>,
}

impl Ears {
    /// Until the server hangs up.
    async fn listen(self, mut socket: Socket) {
        while let Some(Ok(message)) = socket.next().await {
            let Ok(text) = message.to_text() else { continue };
            let Ok(message) = serde_json::from_str::<Value>(text) else { continue };
            match message["type"].as_str() {
                Some("vlm_response") => {
                    let _ = self.heard.try_send(hear(&message, &self.shown, &self.sent));
                }
                Some("frame_wanted") => {
                    let picture = self.camera.as_ref().map(|camera| camera.picture(&message));
                    match picture {
                        None => give_frames(&self.shutter, &message),
                        Some(None) => self.trouble.note("no picture can be made".to_owned()),
                        Some(Some(picture)) => {
                            if socket.send(picture).await.is_err() {
                                return;
                            }
                        }
                    }
                }
                Some("frames") => self.shutter.set_on_demand(message["mode"] == "on_demand"),
                Some("status") if message["status"] == "Failed" => self.lost.notify_one(),
                Some("vlm_error" | "error") => {
                    self.trouble.note(message["message"].as_str().unwrap_or_default().to_owned());
                }
                _ => {}
            }
        }
    }
}

/// The page's WebSocket, by which it says first what it wants.
async fn open(browser: &Browser, id: Uuid, wish: &Wish) -> Result<Socket, Failure> {
    let mut request =
        format!("ws://{}/ws?session_id={id}", browser.server).into_client_request()?;
    if let Some(cookie) = &browser.cookie {
        request.headers_mut().insert(header::COOKIE, cookie.parse()?);
    }
    if let Some(address) = &browser.forwarded {
        request.headers_mut().insert(FORWARDED, address.clone());
    }
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    let pictures = browser.camera.is_some().then(|| json!({"type": "send_pictures", "on": true}));
    for message in wish.messages().into_iter().chain(pictures) {
        socket.send(Message::text(message.to_string())).await?;
    }
    Ok(socket)
}

impl Viewer {
    /// Connects and begins to send.
    pub(crate) async fn connect(
        browser: &Browser,
        video: &Video,
        wish: &Wish,
    ) -> Result<Self, Failure> {
        let id = Uuid::new_v4();
        let socket = open(browser, id, wish).await?;
        let (heard, answers) = mpsc::channel(ANSWERS);
        let ears = Ears {
            heard,
            shown: browser.camera.as_ref().map_or_else(|| video.clone(), Camera::as_video),
            sent: Arc::default(),
            trouble: Arc::default(),
            lost: Arc::default(),
            shutter: Shutter::default(),
            camera: browser.camera.clone(),
        };
        let (sent, trouble) = (Arc::clone(&ears.sent), Arc::clone(&ears.trouble));
        let (lost, shutter) = (Arc::clone(&ears.lost), ears.shutter.clone());
        let reader = Reader(tokio::spawn(ears.listen(socket)));
        let sender = if browser.camera.is_some() {
            let _ = sent.set(SentFrames::default());
            None
        } else {
            let offer = |sdp| browser.offer(id, sdp, shutter.clone());
            let sender = Sender::connect(options(video, wish, &shutter)?, offer).await?;
            let _ = sent.set(sender.sent_frames());
            sender.connected().await?;
            Some(sender)
        };
        let browser = browser.clone();
        Ok(Self { browser, session: id, sender, lost, shutter, reader, answers, trouble })
    }

    /// Waits until the server says that the video is lost, and offers it again, as a page does.
    pub(crate) async fn come_back(&mut self, video: &Video, wish: &Wish) -> Result<(), Failure> {
        let lost = timeout(STEP, self.lost.notified()).await;
        lost.map_err(|_| "the server did not say that a video is lost")?;
        let (browser, session, shutter) = (&self.browser, self.session, &self.shutter);
        let options = options(video, wish, shutter)?;
        let again = Sender::connect(options, |sdp| browser.offer(session, sdp, shutter.clone()));
        if let Some(before) = self.sender.replace(again.await?) {
            tokio::spawn(before.vanish());
        }
        Ok(())
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> Result<Heard, Failure> {
        match timeout(STEP, self.answers.recv()).await {
            Ok(Some(heard)) => Ok(heard),
            Ok(None) => Err("the server hung up".into()),
            Err(_) => {
                let (_, last) = self.trouble.get();
                let last = last.unwrap_or_else(|| "it reports no error".to_owned());
                Err(format!("no answer within {} s: {last}", STEP.as_secs()).into())
            }
        }
    }

    /// The answers that came meanwhile.
    pub(crate) fn take_answers(&mut self) -> Vec<Heard> {
        std::iter::from_fn(|| self.answers.try_recv().ok()).collect()
    }

    pub(crate) fn trouble(&self) -> (usize, Option<String>) {
        self.trouble.get()
    }

    /// Is gone without a word.
    pub(crate) async fn vanish(self) {
        drop(self.reader);
        if let Some(sender) = self.sender {
            sender.vanish().await;
        }
    }

    /// Leaves as a page does that is closed.
    pub(crate) async fn hang_up(self) {
        drop(self.reader);
        if let Some(sender) = self.sender {
            sender.hang_up().await;
        }
    }
}

fn options(video: &Video, wish: &Wish, shutter: &Shutter) -> Result<SenderOptions, Failure> {
    Ok(SenderOptions {
        codec: wish.codec,
        direction: match wish.sendrecv {
            true => SenderDirection::SendRecv,
            false => SenderDirection::SendOnly,
        },
        source: video.source()?,
        shutter: shutter.clone(),
        ..SenderOptions::default()
    })
}

/// Sends what the server wants. Clips are not wanted of sessions.
fn give_frames(shutter: &Shutter, wanted: &Value) {
    if wanted["frames"].as_u64().is_some_and(|frames| frames > 0) {
        shutter.release();
    }
}

fn hear(message: &Value, video: &Video, sent: &OnceLock<SentFrames>) -> Heard {
    let at = Instant::now();
    let number = || message["text"].as_str()?.strip_prefix(vlm::ANSWER)?.parse::<u64>().ok();
    let age = || video.age(number()?, sent.get()?, at);
    Heard { at, age: age() }
}
