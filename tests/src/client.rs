//! A browser, or a script without cookies, that talks to the server.

use live_vlm_sender::{Sender, SenderError, SenderOptions, VideoSource};
use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Value, json};

pub use crate::refused::{Refused, about};
use crate::{socket::Socket, within};

/// One who makes requests. Cheap to clone; a clone is the same browser.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    cookie: Option<String>,
    bearer: Option<String>,
    more: Vec<(&'static str, &'static str)>,
}

impl Client {
    /// A browser that has opened the page and keeps its cookie.
    ///
    /// # Panics
    /// When there is no page, or no cookie with it.
    pub async fn browser(base: &str) -> Self {
        let mut client = Self::script(base);
        let page = client.get("/").await;
        assert_eq!(page.status(), StatusCode::OK);
        let cookie = page.headers().get(header::SET_COOKIE).and_then(|value| value.to_str().ok());
        let Some(cookie) = cookie.and_then(|cookie| cookie.split(';').next()) else {
            panic!("the page sets no cookie")
        };
        client.cookie = Some(cookie.to_owned());
        client
    }

    /// A script, which keeps no cookie.
    ///
    /// # Panics
    /// When there is no HTTP client to be had.
    pub fn script(base: &str) -> Self {
        // reqwest asks for the process' provider; whoever installed one before us keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            // The server's own certificate is signed by nobody.
            .tls_danger_accept_invalid_certs(true)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build();
        match http {
            Ok(http) => {
                Self { http, base: base.to_owned(), cookie: None, bearer: None, more: Vec::new() }
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The same with another cookie.
    #[must_use]
    pub fn with_cookie(self, cookie: &str) -> Self {
        Self { cookie: Some(cookie.to_owned()), ..self }
    }

    /// The same that shows this key or token with every request.
    #[must_use]
    pub fn with_bearer(self, secret: &str) -> Self {
        Self { bearer: Some(secret.to_owned()), ..self }
    }

    /// The same with one more header in every request.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.more.push((name, value));
        self
    }

    /// The same, signed in by this key or token.
    ///
    /// # Errors
    /// When it is refused.
    ///
    /// # Panics
    /// When there is no answer, or no cookie with it.
    pub async fn sign_in(&self, secret: &str) -> Result<Self, Refused> {
        let response = self.post("/sign-in", json!({"key": secret}).to_string()).await;
        if response.status() != StatusCode::OK {
            return Err(Refused::of(response).await);
        }
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap_or_default();
        let cookie = cookie.split(';').next().unwrap_or_default();
        let all = self.cookie.iter().map(String::as_str).chain([cookie]).collect::<Vec<_>>();
        Ok(self.clone().with_cookie(&all.join("; ")))
    }

    /// The same that reaches the server at another address.
    #[must_use]
    pub fn with_base(self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self }
    }

    /// Where the server is.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request, ready to be changed and sent.
    pub fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        request.headers(self.headers())
    }

    fn headers(&self) -> HeaderMap {
        let bearer = self.bearer.as_ref().map(|secret| format!("Bearer {secret}"));
        let own = [(header::COOKIE, self.cookie.clone()), (header::AUTHORIZATION, bearer)];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?.parse().ok()?)));
        let more = self
            .more
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        own.chain(more).collect()
    }

    /// The answer to a GET.
    ///
    /// # Panics
    /// When there is none.
    pub async fn get(&self, path: &str) -> Response {
        sent(path, self.request(reqwest::Method::GET, path)).await
    }

    /// The JSON that a GET answers with.
    ///
    /// # Panics
    /// When it is none.
    pub async fn get_json(&self, path: &str) -> Value {
        json_of(path, self.get(path).await).await
    }

    /// The answer to a POST.
    ///
    /// # Panics
    /// When there is none.
    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Response {
        let request = self.request(reqwest::Method::POST, path).body(body);
        sent(path, request.header(header::CONTENT_TYPE, "application/json")).await
    }

    /// Posts an offer.
    ///
    /// # Errors
    /// When it is refused.
    ///
    /// # Panics
    /// When it is not answered.
    pub async fn offer(&self, offer: &Value) -> Result<Value, Refused> {
        let response = self.post("/offer", offer.to_string()).await;
        if response.status() == StatusCode::OK {
            return Ok(json_of("/offer", response).await);
        }
        Err(Refused::of(response).await)
    }

    /// Sends a small moving picture as the session of this id.
    ///
    /// # Errors
    /// When the offer is refused or there is no connection.
    pub async fn send_video(&self, session_id: &str) -> Result<Sender, SenderError> {
        self.send(session_id, small_video()).await
    }

    /// Sends video as the session of this id.
    ///
    /// # Errors
    /// When the offer is refused or there is no connection.
    pub async fn send(
        &self,
        session_id: &str,
        options: SenderOptions,
    ) -> Result<Sender, SenderError> {
        let sender = Sender::connect(options, async |sdp| {
            let offer = json!({"sdp": sdp, "type": "offer", "session_id": session_id});
            let answer = self.offer(&offer).await.map_err(|refused| format!("{refused:?}"))?;
            Ok::<_, String>(answer["sdp"].as_str().unwrap_or_default().to_owned())
        })
        .await?;
        sender.connected().await?;
        Ok(sender)
    }

    /// The page's WebSocket of a session, or of a new one.
    ///
    /// # Errors
    /// When it is refused.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn try_open(&self, session_id: Option<&str>) -> Result<Socket, Refused> {
        let query = session_id.map(|id| format!("?session_id={id}")).unwrap_or_default();
        let base = self.base.replacen("http", "ws", 1);
        Socket::open_with(&format!("{base}/ws{query}"), self.headers()).await
    }

    /// As [`try_open`](Self::try_open), past the two greetings: the socket and the settings.
    ///
    /// # Panics
    /// When it is refused, or greeted otherwise.
    pub async fn open(&self, session_id: &str) -> (Socket, Value) {
        let mut socket = match self.try_open(Some(session_id)).await {
            Ok(socket) => socket,
            Err(refused) => panic!("{refused:?}"),
        };
        let config = socket.greeting().await;
        (socket, config)
    }

    /// The settings of a session, by connecting to it in the place of its page.
    ///
    /// # Panics
    /// As [`open`](Self::open).
    pub async fn settings(&self, session_id: &str) -> Value {
        self.open(session_id).await.1
    }
}

/// The id of a new session, as a page makes it.
pub fn new_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// A video that costs little to encode, as many run beside each other.
pub fn small_video() -> SenderOptions {
    video("videotestsrc is-live=true pattern=ball")
}

/// Small video from this source.
pub fn video(source: &str) -> SenderOptions {
    let caps = "video/x-raw,format=I420,width=160,height=120,framerate=15/1";
    SenderOptions {
        source: VideoSource::Description(format!("{source} ! capsfilter caps={caps}")),
        bitrate: 200_000,
        ..SenderOptions::default()
    }
}

async fn sent(path: &str, request: RequestBuilder) -> Response {
    match within(path, request.send()).await {
        Ok(response) => response,
        Err(error) => panic!("{path}: {error:?}"),
    }
}

async fn json_of(path: &str, response: Response) -> Value {
    match response.json().await {
        Ok(json) => json,
        Err(error) => panic!("{path} does not answer with JSON: {error}"),
    }
}
