use std::{sync::Arc, time::Duration};

use reqwest::{Response, StatusCode, header};
use tokio::time::{Instant, timeout_at};

use crate::{
    AnswerStream, ChatRequest, Endpoint, Error, Model,
    adaptations::Adaptations,
    kept,
    models::ModelList,
    names::{Guarded, LookedUp, system_lookup},
    reach::Blocked,
    text_only::says_no_pictures,
    wire::{self, Adapted},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
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

/// Sends questions to VLM servers. Cheap to clone: all clones share one pool of connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    /// Past the system's proxy: this host, which it does not reach, and endpoints that somebody
    /// else named, which are none of its business.
    direct: reqwest::Client,
    /// For endpoints that somebody else named.
    guarded: Arc<Guarded>,
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
        Ok(Self { http, direct, guarded, adaptations: Arc::default() })
    }

    /// The same client, with another way to look up the names of
    /// [foreign](Endpoint::foreign) endpoints than the system's.
    #[must_use]
    pub fn with_lookup(self, lookup: impl Fn(&str) -> LookedUp + Send + Sync + 'static) -> Self {
        Self { guarded: Arc::new(Guarded::new(lookup)), ..self }
    }

    fn for_endpoint(&self, endpoint: &Endpoint) -> Result<reqwest::Client, Error> {
        match endpoint.gate()? {
            Some(gate) => self.guarded.client(&gate, builder).map_err(|error| Error::Tls {
                base: endpoint.base().into(),
                reason: reason(&error),
            }),
            None if endpoint.is_foreign() || endpoint.is_this_host() => Ok(self.direct.clone()),
            None => Ok(self.http.clone()),
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
            let response = send(post, endpoint, deadline, timeout).await?;
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
        let response = send(post, endpoint, deadline, timeout).await?;
        let response = accepted(response, endpoint, Some(&request.model), deadline).await?;
        Ok(AnswerStream::new(response, endpoint.clone(), deadline, timeout))
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
        let deadline = Instant::now() + timeout;
        let get = self.for_endpoint(endpoint)?.get(endpoint.url("models"));
        let response = send(get, endpoint, deadline, timeout).await?;
        let response = accepted(response, endpoint, None, deadline).await?;
        let body = timeout_at(deadline, body(response, endpoint, MODELS_BODY_LIMIT))
            .await
            .map_err(|_| Error::Timeout { base: endpoint.base().into(), after: timeout })??;
        let list: ModelList = serde_json::from_slice(&body).map_err(|error| Error::Protocol {
            base: endpoint.base().into(),
            reason: endpoint.without_key(&format!("its list of models is unreadable ({error})")),
        })?;
        Ok(list.into_models())
    }

    /// How many questions wait inside a server, if it has metrics that say so: vLLM, NIM,
    /// llama.cpp and SGLang do. The key is not sent.
    pub async fn waiting_inside(&self, endpoint: &Endpoint, timeout: Duration) -> Option<u64> {
        let root = endpoint.base().strip_suffix("/v1").unwrap_or(endpoint.base());
        let get = self.for_endpoint(endpoint).ok()?.get(format!("{root}/metrics"));
        let deadline = Instant::now() + timeout;
        let response = timeout_at(deadline, get.send()).await.ok()?.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let body =
            timeout_at(deadline, body(response, endpoint, MODELS_BODY_LIMIT)).await.ok()?.ok()?;
        waiting_inside(&String::from_utf8_lossy(&body))
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
    request: reqwest::RequestBuilder,
    endpoint: &Endpoint,
    deadline: Instant,
    timeout: Duration,
) -> Result<Response, Error> {
    let request = match endpoint.key() {
        Some(key) => request.bearer_auth(key.expose()),
        None => request,
    };
    timeout_at(deadline, kept::send(request))
        .await
        .map_err(|_| Error::Timeout { base: endpoint.base().into(), after: timeout })?
        .map_err(|error| unreachable_server(endpoint, &error))
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
    let error = refusal(status, endpoint.base(), model, said, retry_after);
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
        (404 | 405, _) => Error::NoApi { base },
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
        if is_tls(this) {
            return Error::Tls { base, reason: this.to_string() };
        }
        cause = this.source();
    }
    let reason = reason(error);
    match error.is_connect() {
        true => Error::Network { base, reason },
        false => Error::Dropped { base, reason },
    }
}

/// TLS errors travel inside I/O errors, which do not list them as their source.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<rustls::Error>()
        || error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .is_some_and(|inner| is_tls(inner))
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
