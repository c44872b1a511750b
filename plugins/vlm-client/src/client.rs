use std::{sync::Arc, time::Duration};

use reqwest::{Response, StatusCode, header};
use tokio::time::{Instant, timeout_at};

use crate::{
    AnswerStream, ChatRequest, Endpoint, Error, Model, ServerKind,
    adaptations::Adaptations,
    kept,
    models::{ModelList, looks_like_vision},
    names::{Guarded, LookedUp, system_lookup},
    reach::Blocked,
    text_only::says_no_pictures,
    tls,
    trouble::is_no_endpoint,
    trusting::Trusting,
    wire::{self, Adapted},
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
const FAIRNESS_ID: &str = "x-llm-d-inference-fairness-id";
const OBJECTIVE: &str = "x-llm-d-inference-objective";
/// Of vLLM, NIM, llama.cpp and SGLang.
const WAITING_METRICS: [&str; 4] = [
    "vllm:num_requests_waiting",
    "num_requests_waiting",
    "llamacpp:requests_deferred",
    "sglang:num_queue_reqs",
];

/// What a question carries for routers in front of VLM servers (llm-d's gateway). Only ever what
/// we say ourselves, never what a client sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AskHeaders {
    /// `x-llm-d-inference-fairness-id`: whose question it is.
    pub fairness_id: Option<String>,
    /// `x-llm-d-inference-objective`: what it is asked for.
    pub objective: Option<String>,
}

/// What a server lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its models.
    pub models: Vec<Model>,
    /// What kind of server it is, if the list says so.
    pub kind: Option<ServerKind>,
}

/// What a server says of itself in figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many questions wait inside.
    pub waiting: Option<u64>,
    /// What kind of server it is.
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
        let failed = |error| Error::Tls { base: "any server".into(), reason: reason(&error) };
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
        let failed = |error: reqwest::Error| Error::Tls {
            base: endpoint.base().into(),
            reason: reason(&error),
        };
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
            let mut post = http.post(endpoint.url("chat/completions")).json(&adapted);
            for (name, value) in
                [(FAIRNESS_ID, &headers.fairness_id), (OBJECTIVE, &headers.objective)]
            {
                if let Some(value) = value {
                    post = post.header(name, value);
                }
            }
            let response = send(&http, post, endpoint, deadline, timeout).await?;
            let refused = match accepted(response, endpoint, Some(model), deadline).await {
                Ok(response) => {
                    let by = by.lasting();
                    if by != known {
                        tracing::debug!(base, model, ?by, "a VLM server wants other requests");
                        self.adaptations.remember(base, model, by);
                    }
                    return Ok(AnswerStream::new(response, endpoint.clone(), deadline, timeout));
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
        let body = timeout_at(deadline, body(response, endpoint, MODELS_BODY_LIMIT))
            .await
            .map_err(|_| Error::Timeout { base: endpoint.base().into(), after: timeout })??;
        // What is listed there is what could be deployed.
        if let Some(name) = endpoint.deployment() {
            let model = Model { id: name.to_owned(), vision: looks_like_vision(name) };
            return Ok(Listed { models: vec![model], kind: None });
        }
        let start = String::from_utf8_lossy(&body[..body.len().min(ERROR_BODY_LIMIT)]);
        if is_no_endpoint(&start) {
            let reason = endpoint.without_key(&wire::error_text(start.as_bytes()));
            return Err(Error::NoApi { base: endpoint.base().into(), status: 200, reason });
        }
        let list: ModelList = serde_json::from_slice(&body).map_err(|error| Error::Protocol {
            base: endpoint.base().into(),
            reason: endpoint.without_key(&format!("its list of models is unreadable ({error})")),
        })?;
        let kind = ServerKind::of_list(&body, endpoint.is_this_host());
        Ok(Listed { models: list.into_models(), kind })
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
        let http = self.for_endpoint(endpoint).ok()?;
        let (get, deadline) = (http.get(endpoint.metrics_url()), Instant::now() + timeout);
        let response = send(&http, get, endpoint, deadline, timeout).await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let body =
            timeout_at(deadline, body(response, endpoint, MODELS_BODY_LIMIT)).await.ok()?.ok()?;
        let metrics = String::from_utf8_lossy(&body);
        let kind = ServerKind::of_metrics(&metrics);
        Some(Figures { waiting: waiting_inside(&metrics), kind })
    }
}

/// The number of questions that wait inside a server, from its metrics in Prometheus' text format
/// (version 0.0.4); `None` if it names none that we know.
fn waiting_inside(metrics: &str) -> Option<u64> {
    let values: Vec<f64> = metrics
        .lines()
        .filter(|line| WAITING_METRICS.contains(&line.split(['{', ' ']).next().unwrap_or_default()))
        .filter_map(|line| {
            // After the name and its labels: the value, and perhaps a time.
            let rest = line.rsplit_once('}').or_else(|| line.split_once(' '))?.1;
            rest.split_whitespace().next()?.parse().ok()
        })
        .filter(|value: &f64| value.is_finite() && *value >= 0.0)
        .collect();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "finite and not negative; as many as that are many enough"
    )]
    (!values.is_empty()).then(|| values.iter().sum::<f64>() as u64)
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
        .map_err(|_| Error::Timeout { base: endpoint.base().into(), after: timeout })?;
    match sent {
        Ok(response) => Ok(response),
        // Some wait for the end of what they take for a request.
        Err(error)
            if error.is_connect() && error.is_timeout() && speaks_http(http, endpoint).await =>
        {
            Err(Error::Tls { base: endpoint.base().into(), reason: tls::PLAIN.into() })
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
    let retry_after = retry_after(&response);
    let mut body = Vec::new();
    let _ = timeout_at(deadline, beginning(response, &mut body)).await;
    // Before it is cut: half a key is not found.
    let said = wire::error_text(endpoint.without_key(&String::from_utf8_lossy(&body)).as_bytes());
    let error = endpoint.told(refusal(status, endpoint.base(), model, said, retry_after));
    Err(Refused { error, status: status.as_u16(), body })
}

fn refusal(
    status: StatusCode,
    base: &str,
    model: Option<&str>,
    reason: String,
    retry_after: Option<Duration>,
) -> Error {
    let base = base.to_owned();
    let code = status.as_u16();
    match (code, model) {
        (400 | 404 | 415 | 422 | 500.., Some(model)) if says_no_pictures(&reason) => {
            Error::NoVision { base, model: model.to_owned(), reason }
        }
        (401 | 403, _) => Error::Unauthorized { base, status: code, reason },
        // A server without this API answers with a page; one without the model says its name.
        (404, Some(model)) if reason.to_ascii_lowercase().contains("model") => {
            Error::ModelUnknown { base, model: model.to_owned(), reason }
        }
        (400, Some(model)) if names_unknown_model(&reason) => {
            Error::ModelUnknown { base, model: model.to_owned(), reason }
        }
        // Azure's word for a model is another.
        (404, Some(model)) if reason.to_ascii_lowercase().contains("deployment") => {
            Error::ModelUnknown { base, model: model.to_owned(), reason }
        }
        (404 | 405, _) => Error::NoApi { base, status: code, reason },
        (413, _) => Error::TooLarge { base },
        (429, _) => Error::RateLimited { base, reason, retry_after },
        (300..=399, _) => Error::Redirect { base, status: code },
        (500.., _) => Error::Server { base, status: code, reason, retry_after },
        _ => Error::BadRequest { base, status: code, reason },
    }
}

fn names_unknown_model(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    reason.contains("model")
        && ["not found", "does not exist", "unknown", "invalid model"]
            .iter()
            .any(|words| reason.contains(words))
}

/// Only the form in seconds; dates are rare and need a clock that agrees with the server's.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds: f64 = seconds.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(3600.0)))
}

/// What there is of a refusal: some quote the whole request, its pictures too.
async fn beginning(mut response: Response, body: &mut Vec<u8>) {
    while body.len() < ERROR_BODY_LIMIT
        && let Ok(Some(chunk)) = response.chunk().await
    {
        let room = ERROR_BODY_LIMIT - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
}

async fn body(mut response: Response, endpoint: &Endpoint, limit: usize) -> Result<Vec<u8>, Error> {
    let base = || endpoint.base().to_owned();
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                let reason = format!("its body is larger than {limit} bytes");
                return Err(Error::Protocol { base: base(), reason });
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(Error::Cut { base: base(), reason: reason(&error) }),
        }
    }
}

fn unreachable_server(endpoint: &Endpoint, error: &reqwest::Error) -> Error {
    let base = endpoint.base().to_owned();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(this) = cause {
        if let Some(blocked) = this.downcast_ref::<Blocked>() {
            return endpoint.leads_astray(*blocked);
        }
        let io = this.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused) {
            return Error::Refused { base };
        }
        if let Some(error) = as_tls(this) {
            return Error::Tls { base, reason: tls::explained(error) };
        }
        cause = this.source();
    }
    let reason = reason(error);
    match error.is_connect() {
        true if error.is_timeout() => Error::Network {
            base,
            reason: format!(
                "nothing came back within {} s; check host, port and firewall",
                CONNECT_TIMEOUT.as_secs()
            ),
        },
        true => Error::Network { base, reason },
        // What a server says to a request that is no TLS.
        false if reason.contains("invalid HTTP version") => Error::Dropped {
            base,
            reason: format!("{reason}; use https:// if the server speaks TLS"),
        },
        false => Error::Dropped { base, reason },
    }
}

/// TLS errors travel inside I/O errors, which do not list them as their source.
fn as_tls<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let inner = || error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.downcast_ref().or_else(|| as_tls(inner()?))
}

/// The innermost cause: the outer ones repeat the URL and say "error sending request".
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::waiting_inside;

    #[test]
    fn the_metrics_of_serving_stacks_tell_what_waits_inside() {
        for (metrics, waiting) in [
            ("vllm:num_requests_waiting{model_name=\"a b\"} 3.0\n", Some(3)),
            ("num_requests_waiting 2 1700000000\n", Some(2)),
            ("# HELP llamacpp:requests_deferred x\nllamacpp:requests_deferred 1\n", Some(1)),
            ("sglang:num_queue_reqs{a=\"1\"} 2\nsglang:num_queue_reqs{a=\"2\"} 5\n", Some(7)),
            ("vllm:num_requests_waiting_total 9\nother 1\n", None),
            ("vllm:num_requests_waiting{} NaN\n", None),
            ("", None),
        ] {
            assert_eq!(waiting_inside(metrics), waiting, "{metrics}");
        }
    }
}
