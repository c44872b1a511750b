use std::{net::IpAddr, time::Duration};

use axum::{
    extract::{
        Query, State,
        rejection::QueryRejection,
        ws::{
            CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code,
            rejection::WebSocketUpgradeRejection,
        },
    },
    http::{HeaderMap, header},
    response::Response,
};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use live_vlm_access::limits::{AddressKey, CountGuard, Limit, LimitReached};
use live_vlm_pictures::{Jpeg, NotAPicture, PictureMessage};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until, timeout};
use tungstenite::error::ProtocolError;

use super::{
    rate_limit::{PER_SECOND, RateLimit},
    signs::{Due, Signs},
};
use crate::{
    app::App,
    network::{VideoMode, VideoOptions},
    protocol::{ClientMessage, MAX_MESSAGE, ServerMessage},
    refusal::{Code, Refusal},
    refusal_log::RefusalLog,
    requester::Requester,
    session::{Handle, Inbound, Outbox, SentPicture, WeakOutbox},
    times::Times,
};

/// So many bytes more than may come are read, to be refused with words; from there on the connection
/// is cut.
const READ_MORE: usize = 3 * MAX_MESSAGE;
const OVER: &str = "the session ended, or was opened elsewhere";
const FULL: &str = "a limit is reached";
/// For a last word to somebody who sends too much.
const LINGER: Duration = Duration::from_secs(1);

#[derive(Debug, Deserialize)]
pub(super) struct SessionQuery {
    session_id: Option<String>,
}

/// `WS /ws`: a session's page.
pub(super) async fn websocket(
    State(app): State<App>,
    query: Result<Query<SessionQuery>, QueryRejection>,
    requester: Requester,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query?;
    let upgrade = upgrade.map_err(|error| {
        Refusal::new(Code::BadField, format!("only WebSockets are opened here: {error}"))
    })?;
    let most = longest(app.video) + READ_MORE;
    let upgrade = upgrade.max_message_size(most).max_frame_size(most);
    let id = query.session_id.as_deref().filter(|id| !id.is_empty());
    let (refusals, times, video) = (app.refusals.clone(), app.times, app.video);
    let (guard, session) = match admit(&app, id, &requester) {
        Ok(admitted) => admitted,
        Err(refusal) if refusal.retry_after_s.is_some() && is_page(&headers) => {
            refusals.note((&refusal).into(), requester.address, None);
            return Ok(
                upgrade.on_upgrade(async move |socket| refuse(socket, refusal, &times).await)
            );
        }
        Err(refusal) => return Err(refusal),
    };
    let connection = app.sessions.connection();
    let figure = app.observer.metrics.connection();
    Ok(upgrade.on_upgrade(async move |socket| {
        let refusals = PageRefusals { refusals, address: requester.address };
        serve(socket, session, &refusals, &times, video).await;
        drop((connection, guard, figure));
    }))
}

/// The longest message that may come.
fn longest(video: VideoOptions) -> usize {
    match video.mode {
        VideoMode::Webrtc => MAX_MESSAGE,
        VideoMode::Auto | VideoMode::Pictures => {
            MAX_MESSAGE.max(PictureMessage::HEADER + video.max_picture())
        }
    }
}

fn admit(
    app: &App,
    id: Option<&str>,
    requester: &Requester,
) -> Result<(CountGuard<AddressKey>, Handle), Refusal> {
    let most = app.live.now().limits.connections_per_address;
    let guard = app.limits.connection(requester.address, most)?;
    Ok((guard, app.sessions.open(id, requester)?))
}

/// A browser does not tell its pages why a WebSocket was refused; programs, which send no
/// `Origin`, see the HTTP status.
fn is_page(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN)
}

/// Says why in a message, and closes.
async fn refuse(socket: WebSocket, refusal: Refusal, times: &Times) {
    let mut to_page = ToPage::new(socket.split().0, times);
    let message = ServerMessage::Error(refusal).to_json();
    if to_page.send(Message::Text(message.into())).await {
        to_page.close(close_code::AGAIN, FULL).await;
    }
}

/// Notes what a page sends that it may not.
struct PageRefusals {
    refusals: RefusalLog,
    address: IpAddr,
}

impl PageRefusals {
    fn note(&self, refusal: &Refusal, session: &Handle) {
        self.refusals.note(refusal.into(), self.address, Some(&session.id().short()));
    }
}

async fn serve(
    socket: WebSocket,
    session: Handle,
    refusals: &PageRefusals,
    times: &Times,
    video: VideoOptions,
) {
    let (outbox, inbound) = Outbox::new();
    if session.attach(outbox.clone()).await {
        // Only the session holds the outbox from now on: when it lets go, the connection ends.
        let own = outbox.downgrade();
        drop(outbox);
        let page = Page { session: &session, own: &own };
        let (to_page, from_page) = socket.split();
        let began = Instant::now();
        let connection = Connection {
            page,
            refusals,
            video,
            to_page: ToPage::new(to_page, times),
            signs: Signs::new(began, times),
            rate_limit: RateLimit::new(began),
            look: began,
        };
        run(connection, from_page, inbound).await;
        if let Some(outbox) = own.upgrade() {
            session.detach(outbox).await;
        }
    }
}

/// The session, and which of its connections this one is.
#[derive(Clone, Copy)]
struct Page<'a> {
    session: &'a Handle,
    own: &'a WeakOutbox,
}

impl Page<'_> {
    /// Whether somebody seems to be there. False when the session has let go of the connection.
    async fn is_silent(self, silent: bool) -> bool {
        match self.own.upgrade() {
            Some(outbox) => self.session.silence(outbox, silent).await,
            None => false,
        }
    }
}

async fn run(
    mut connection: Connection<'_>,
    mut from_page: SplitStream<WebSocket>,
    mut inbound: Inbound,
) {
    loop {
        let goes_on = tokio::select! {
            // First what has come: it may be what silence would be taken for.
            biased;
            message = from_page.next() => connection.heard(message, &mut from_page).await,
            message = inbound.next() => connection.pass_on(message).await,
            () = sleep_until(connection.look) => connection.look().await,
        };
        if !goes_on {
            return;
        }
    }
}

/// A page's connection. What its functions return is whether it goes on.
struct Connection<'a> {
    page: Page<'a>,
    refusals: &'a PageRefusals,
    video: VideoOptions,
    to_page: ToPage,
    signs: Signs,
    rate_limit: RateLimit,
    /// When to look at the signs of life.
    look: Instant,
}

impl Connection<'_> {
    /// Something has come from the page.
    async fn heard(
        &mut self,
        message: Option<Result<Message, axum::Error>>,
        from_page: &mut SplitStream<WebSocket>,
    ) -> bool {
        let now = Instant::now();
        let is_back = self.signs.heard(now);
        self.look = now;
        let goes_on = match message {
            Some(Ok(message)) if !self.rate_limit.admits(now, length(&message)) => {
                let refusal = too_many();
                self.refusals.note(&refusal, self.page.session);
                let away = turn_away(refusal, &mut self.to_page, from_page);
                let _ = timeout(LINGER, away).await;
                false
            }
            Some(Ok(message)) => self.take(message, now).await,
            Some(Err(error)) => {
                if let Some((refusal, code)) = fault(error, self.video) {
                    self.refusals.note(&refusal, self.page.session);
                    self.to_page.close(code, &refusal.message).await;
                }
                false
            }
            None => false,
        };
        goes_on && (!is_back || self.page.is_silent(false).await)
    }

    async fn take(&mut self, message: Message, now: Instant) -> bool {
        let session = self.page.session;
        match message {
            Message::Text(text) => match ClientMessage::parse(&text) {
                // Answered here: the session may be busy.
                Ok(ClientMessage::Alive) => {
                    self.signs.said(now);
                    self.to_page.send(alive()).await
                }
                message => session.message(message).await,
            },
            Message::Binary(bytes) => match self.picture(&bytes, now) {
                Ok(sent) => session.picture(sent).await,
                Err(refusal) => session.message(Err(refusal)).await,
            },
            Message::Ping(_) | Message::Pong(_) => true,
            Message::Close(_) => false,
        }
    }

    /// A picture, read as far as can be without knowing whether it was asked for.
    fn picture(&self, bytes: &[u8], now: Instant) -> Result<SentPicture, Refusal> {
        if self.video.mode == VideoMode::Webrtc {
            return Err(Refusal::no_pictures());
        }
        let most = self.video.max_picture();
        if bytes.len() > PictureMessage::HEADER + most {
            let message = format!("a picture may have at most {most} bytes");
            return Err(
                Refusal::new(Code::TooLarge, message).allowing(format!("up to {most} bytes"))
            );
        }
        let PictureMessage { seq, age, jpeg } =
            PictureMessage::read(bytes).map_err(|error| Refusal::not_a_picture(&error))?;
        match Jpeg::read(jpeg) {
            Ok(jpeg) => Ok(SentPicture { seq, age, jpeg, came: now }),
            Err(error @ NotAPicture::TooLarge { .. }) => {
                Err(Refusal::new(Code::TooLarge, error.to_string())
                    .allowing("up to 4096x2304 pixels"))
            }
            Err(error) => Err(Refusal::not_a_picture(&error)),
        }
    }

    /// The session has something for the page, or has let go of it.
    async fn pass_on(&mut self, message: Option<String>) -> bool {
        match message {
            Some(message) => {
                self.signs.said(Instant::now());
                self.to_page.send(Message::Text(message.into())).await
            }
            None => {
                self.to_page.close(close_code::AWAY, OVER).await;
                false
            }
        }
    }

    /// Looks at the signs of life.
    async fn look(&mut self) -> bool {
        match self.signs.due(Instant::now()) {
            Due::Nothing(next) => {
                self.look = next;
                true
            }
            Due::Ping => self.to_page.send(Message::Ping(Vec::new().into())).await,
            Due::Alive => self.to_page.send(alive()).await,
            Due::Silent => self.page.is_silent(true).await,
            Due::Gone => false,
        }
    }
}

fn alive() -> Message {
    Message::Text(ServerMessage::Alive.to_json().into())
}

fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) => bytes.len(),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => 0,
    }
}

fn too_many() -> Refusal {
    let (limit, retry_after) = (Limit::MessagesPerSecond, Duration::from_secs(1));
    LimitReached { limit, value: PER_SECOND.into(), retry_after }.into()
}

/// Says why, and reads on until the page has heard it: unread messages would reset the connection.
async fn turn_away(refusal: Refusal, to_page: &mut ToPage, from_page: &mut SplitStream<WebSocket>) {
    to_page.send(Message::Text(ServerMessage::Error(refusal).to_json().into())).await;
    to_page.close(close_code::POLICY, "too many messages").await;
    while let Some(Ok(_)) = from_page.next().await {}
}

/// What to say to a page that sent what cannot be read, unless it is merely gone.
fn fault(error: axum::Error, video: VideoOptions) -> Option<(Refusal, u16)> {
    let error = error.into_inner();
    match error.downcast_ref()? {
        tungstenite::Error::Capacity(_) => {
            let mut message = format!("a message may have at most {MAX_MESSAGE} bytes");
            if video.mode != VideoMode::Webrtc {
                message += &format!(", and a picture {}", video.max_picture());
            }
            Some((Refusal::new(Code::TooLarge, message), close_code::SIZE))
        }
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        tungstenite::Error::Protocol(_) => {
            let message = "this is no WebSocket message";
            Some((Refusal::new(Code::BadJson, message), close_code::PROTOCOL))
        }
        _ => None,
    }
}

/// The way to a page.
struct ToPage {
    sink: SplitSink<WebSocket, Message>,
    /// A page that takes nothing for this long is gone.
    within: Duration,
}

impl ToPage {
    fn new(sink: SplitSink<WebSocket, Message>, times: &Times) -> Self {
        // Nothing is read meanwhile, so that this adds to the time since something was heard, which
        // is a beat at the most.
        Self { sink, within: times.silence.saturating_sub(times.beat) }
    }

    /// False when the page is gone.
    async fn send(&mut self, message: Message) -> bool {
        matches!(timeout(self.within, self.sink.send(message)).await, Ok(Ok(())))
    }

    async fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code, reason: reason.into() };
        self.send(Message::Close(Some(frame))).await;
    }
}
