use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use reqwest::Response;
use tokio::time::{Instant, timeout_at};
use vlm_replies::{Fault, later};

use crate::{
    adaptations::Adaptations,
    answer::AnswerStream,
    ask_headers::AskHeaders,
    body,
    endpoint::Endpoint,
    error::{Error, ErrorKind, innermost},
    figures::{self, Figures},
    kept,
    kind::ServerKind,
    models::{self, Model, looks_like_vision},
    names::{Guarded, LookedUp, system_lookup},
    question::ChatRequest,
    reach::Blocked,
    tls,
    trusting::Trusting,
    wire::Adapted,
};

/// Short enough for those who look at a server every few seconds to hear why it is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a server that does not answer to TLS may take to say that it speaks HTTP.
const PLAIN_TIMEOUT: Duration = Duration::from_millis(700);
/// An error page is not worth more; a model list of a large router is a few hundred kilobytes.
const ERROR_BODY_LIMIT: usize = 16 << 10;
const MODELS_BODY_LIMIT: usize = 2 << 20;
/// How often one question is asked in another form: as often as a server that names one field after
/// the other can name ours.
const REPEATS: usize = 6;
/// What a server lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its models.
    pub models: Vec<Model>,
    /// What kind of server it is, if the list says so.
    pub kind: Option<ServerKind>,
}

/// Sends questions to VLM servers. Cheap to clone: all clones share one pool of connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    /// Past the system's proxy: this host, which it does not reach, and endpoints that somebody
    /// else named, which are none of its business.
    direct: reqwest::Client,
    /// For endpoints that somebody else named.
    guarded: Arc<Guarded>,
    /// For endpoints with an authority of their own.
    trusting: Arc<Trusting>,
    adaptations: Arc<Adaptations>,
}

impl Client {
    /// A client with the system's trusted certificates and proxy settings.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new() -> Result<Self, Error> {
        // reqwest asks for the process' provider; whoever installed one before us keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let failed = |error: reqwest::Error| {
            Error::new("any server", ErrorKind::Tls { reason: innermost(&error) })
        };
        let http = builder().build().map_err(failed)?;
        let direct = builder().no_proxy().build().map_err(failed)?;
        let guarded = Arc::new(Guarded::new(system_lookup));
        let (trusting, adaptations) = (Arc::default(), Arc::default());
        Ok(Self { http, direct, guarded, trusting, adaptations })
    }

    /// The same client, with another way to look up the names of
    /// [foreign](Endpoint::foreign) endpoints than the system's.
    #[must_use]
    pub fn with_lookup(self, lookup: impl Fn(&str) -> LookedUp + Send + Sync + 'static) -> Self {
        Self { guarded: Arc::new(Guarded::new(lookup)), ..self }
    }

    fn for_endpoint(&self, endpoint: &Endpoint) -> Result<reqwest::Client, Error> {
        let direct = endpoint.is_foreign() || endpoint.is_this_host();
        let failed =
            |error: reqwest::Error| endpoint.error(ErrorKind::Tls { reason: innermost(&error) });
        match (endpoint.gate()?, endpoint.authority()) {
            (Some(gate), _) => self.guarded.client(&gate, builder).map_err(failed),
            (None, Some(authority)) => {
                let proxied = |builder: reqwest::ClientBuilder| match direct {
                    true => builder.no_proxy(),
                    false => builder,
                };
                let builder = || proxied(builder());
                self.trusting.client(authority, direct, builder).map_err(failed)
            }
            (None, None) if direct => Ok(self.direct.clone()),
            (None, None) => Ok(self.http.clone()),
        }
    }

    /// Asks a question. Returns when the server has begun to answer; the answer's text comes from
    /// the stream. Dropping either cancels the question on the wire.
    ///
    /// `timeout` bounds the whole question, to the answer's last token.
    ///
    /// A server that refuses one of our fields by its name is asked again at once without it, or
    /// with its newer name, and so for ever after. Fields that the user added are never left out.
    ///
    /// # Errors
    /// Whatever keeps the server from beginning an answer.
    pub async fn ask(
        &self,
        endpoint: &Endpoint,
        request: &ChatRequest,
        headers: &AskHeaders,
        timeout: Duration,
    ) -> Result<AnswerStream, Error> {
        let deadline = Instant::now() + timeout;
        let (http, base, model) = (self.for_endpoint(endpoint)?, endpoint.base(), &request.model);
        let known = self.adaptations.of(base, model);
        let mut by = known.clone();
        let mut repeats = 0..REPEATS;
        loop {
            let adapted = Adapted { request, by: &by };
            let post = http.post(endpoint.url("chat/completions")).json(&adapted);
            let post = headers.add_to(post);
            let response = send(&http, post, endpoint, deadline, timeout).await?;
            let refused = match accepted(response, endpoint, Some(model), deadline).await {
                Ok(response) => {
                    let by = by.lasting();
                    if by != known {
                        tracing::debug!(base, model, ?by, "a VLM server wants other requests");
                        self.adaptations.remember(base, model, by);
                    }
                    return Ok(AnswerStream::new(
                        response,
                        endpoint.clone(),
                        model,
                        deadline,
                        timeout,
                    ));
                }
                Err(refused) => refused,
            };
            match by.after(refused.status, &refused.body, request) {
                Some(next) if repeats.next().is_some() => by = next,
                _ => return Err(refused.error),
            }
        }
    }

    /// The models that a server lists.
    ///
    /// # Errors
    /// When it cannot be reached within `timeout`, refuses, or lists something else.
    pub async fn models(
        &self,
        endpoint: &Endpoint,
        timeout: Duration,
    ) -> Result<Vec<Model>, Error> {
        Ok(self.listed(endpoint, timeout).await?.models)
    }

    /// The same, with what the list says of the server.
    ///
    /// # Errors
    /// As [`models`](Self::models).
    pub async fn listed(&self, endpoint: &Endpoint, timeout: Duration) -> Result<Listed, Error> {
        let deadline = Instant::now() + timeout;
        let http = self.for_endpoint(endpoint)?;
        let get = http.get(endpoint.models_url());
        let response = send(&http, get, endpoint, deadline, timeout).await?;
        let response = accepted(response, endpoint, None, deadline).await?;
        let body = timeout_at(deadline, body::whole(response, endpoint, MODELS_BODY_LIMIT))
            .await
            .map_err(|_| endpoint.error(ErrorKind::Timeout { after: timeout }))??;
        // What is listed there is what could be deployed.
        if let Some(name) = endpoint.deployment() {
            let model = Model { id: name.to_owned(), vision: looks_like_vision(name) };
            return Ok(Listed { models: vec![model], kind: None });
        }
        let models = models::read(&body, endpoint)?;
        let kind = ServerKind::of_list(&body, endpoint.is_this_host());
        Ok(Listed { models, kind })
    }

    /// Whether a server takes questions, though it lists no models. What it is sent asks nothing.
    pub async fn takes_questions(&self, endpoint: &Endpoint, timeout: Duration) -> bool {
        let Ok(http) = self.for_endpoint(endpoint) else { return false };
        let empty = http.post(endpoint.url("chat/completions")).json(&serde_json::json!({}));
        let deadline = Instant::now() + timeout;
        let asked = send(&http, empty, endpoint, deadline, timeout).await;
        // Whoever takes that for a question is no server of this API.
        asked.is_ok_and(|response| matches!(response.status().as_u16(), 400 | 415 | 422 | 500))
    }

    /// What a server's metrics say, if it has any that we know: vLLM, NIM, llama.cpp and SGLang do.
    pub async fn figures(&self, endpoint: &Endpoint, timeout: Duration) -> Option<Figures> {
        let metrics = self.shown(endpoint, "metrics", timeout).await?;
        Some(Figures::read(&String::from_utf8_lossy(&metrics)))
    }

    /// How many questions a server works on at once, if it says so: llama.cpp does.
    pub async fn slots(&self, endpoint: &Endpoint, timeout: Duration) -> Option<usize> {
        figures::slots(&self.shown(endpoint, "props", timeout).await?)
    }

    /// What a server shows beside its API.
    async fn shown(&self, endpoint: &Endpoint, path: &str, timeout: Duration) -> Option<Vec<u8>> {
        let http = self.for_endpoint(endpoint).ok()?;
        let (get, deadline) = (http.get(endpoint.beside(path)), Instant::now() + timeout);
        let response = send(&http, get, endpoint, deadline, timeout).await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let body = body::whole(response, endpoint, MODELS_BODY_LIMIT);
        timeout_at(deadline, body).await.ok()?.ok()
    }
}

fn builder() -> reqwest::ClientBuilder {
    kept::keeping(reqwest::Client::builder())
        .user_agent(concat!("live-vlm/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        // Following one would carry the key and the picture to where nobody sent them.
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
}

async fn send(
    http: &reqwest::Client,
    request: reqwest::RequestBuilder,
    endpoint: &Endpoint,
    deadline: Instant,
    timeout: Duration,
) -> Result<Response, Error> {
    let sent = timeout_at(deadline, kept::send(endpoint.sign(request)))
        .await
        .map_err(|_| endpoint.error(ErrorKind::Timeout { after: timeout }))?;
    match sent {
        Ok(response) => Ok(response),
        // Some wait for the end of what they take for a request.
        Err(error)
            if error.is_connect() && error.is_timeout() && speaks_http(http, endpoint).await =>
        {
            Err(endpoint.error(ErrorKind::Tls { reason: tls::PLAIN.into() }))
        }
        Err(error) => Err(unreachable_server(endpoint, &error)),
    }
}

/// Whether a server that was to be asked through TLS answers without. It is told nothing.
async fn speaks_http(http: &reqwest::Client, endpoint: &Endpoint) -> bool {
    let Some(url) = endpoint.without_tls() else { return false };
    let asked = tokio::time::timeout(PLAIN_TIMEOUT, http.get(url).send()).await;
    matches!(asked, Ok(Ok(_)))
}

/// What a server says in place of an answer.
struct Refused {
    error: Error,
    status: u16,
    body: Vec<u8>,
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        refused.error
    }
}

async fn accepted(
    response: Response,
    endpoint: &Endpoint,
    model: Option<&str>,
    deadline: Instant,
) -> Result<Response, Refused> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let (status, asked) = (status.as_u16(), later::in_head(response.headers(), SystemTime::now()));
    let body = body::beginning(response, endpoint, ERROR_BODY_LIMIT, deadline).await;
    let fault = Fault::in_body(&String::from_utf8_lossy(&body));
    let failure = fault.into_failure(&endpoint.secrets(), model, status, asked);
    Err(Refused { error: endpoint.error(failure), status, body })
}

fn unreachable_server(endpoint: &Endpoint, error: &reqwest::Error) -> Error {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(this) = cause {
        if let Some(blocked) = this.downcast_ref::<Blocked>() {
            return endpoint.leads_astray(*blocked);
        }
        let io = this.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused) {
            return endpoint.error(ErrorKind::Refused);
        }
        if let Some(error) = as_tls(this) {
            return endpoint.error(ErrorKind::Tls { reason: tls::explained(error) });
        }
        cause = this.source();
    }
    let reason = innermost(error);
    endpoint.error(match error.is_connect() {
        true if error.is_timeout() => ErrorKind::Network {
            reason: format!(
                "nothing came back within {} s; check host, port and firewall",
                CONNECT_TIMEOUT.as_secs()
            ),
        },
        true => ErrorKind::Network { reason },
        // What a server says to a request that is no TLS.
        false if reason.contains("invalid HTTP version") => ErrorKind::Dropped {
            reason: format!("{reason}; use https:// if the server speaks TLS"),
        },
        false => ErrorKind::Dropped { reason },
    })
}

/// TLS errors travel inside I/O errors, which do not list them as their source.
fn as_tls<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let inner = || error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.downcast_ref().or_else(|| as_tls(inner()?))
}
