use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use crate::{
    AnswerStream, ChatRequest, Endpoint, Error, Model,
    error::innermost,
    models,
    names::{Guarded, LookedUp, system_lookup},
    reach::Blocked,
    reading::{body, fault::Fault, later},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An error page is not worth more; a model list of a large router is a few hundred kilobytes.
const ERROR_BODY_LIMIT: usize = 16 << 10;
const MODELS_BODY_LIMIT: usize = 2 << 20;
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
}

impl Client {
    /// A client with the system's trusted certificates and proxy settings.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new() -> Result<Self, Error> {
        // reqwest asks for the process' provider; whoever installed one before us keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let failed = |error| Error::Tls { base: "any server".into(), reason: innermost(&error) };
        let http = builder().build().map_err(failed)?;
        let direct = builder().no_proxy().build().map_err(failed)?;
        Ok(Self { http, direct, guarded: Arc::new(Guarded::new(system_lookup)) })
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
                reason: innermost(&error),
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
        let mut post =
            self.for_endpoint(endpoint)?.post(endpoint.url("chat/completions")).json(request);
        for (name, value) in [(FAIRNESS_ID, &headers.fairness_id), (OBJECTIVE, &headers.objective)]
        {
            if let Some(value) = value {
                post = post.header(name, value);
            }
        }
        let response = send(post, endpoint, deadline, timeout).await?;
        let response = accepted(response, endpoint, Some(&request.model), deadline).await?;
        Ok(AnswerStream::new(response, endpoint.clone(), &request.model, deadline, timeout))
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
        let body = timeout_at(deadline, body::whole(response, endpoint, MODELS_BODY_LIMIT))
            .await
            .map_err(|_| Error::Timeout { base: endpoint.base().into(), after: timeout })??;
        models::read(&body, endpoint)
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
        let body = body::whole(response, endpoint, MODELS_BODY_LIMIT);
        let body = timeout_at(deadline, body).await.ok()?.ok()?;
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
    reqwest::Client::builder()
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
    timeout_at(deadline, request.send())
        .await
        .map_err(|_| Error::Timeout { base: endpoint.base().into(), after: timeout })?
        .map_err(|error| unreachable_server(endpoint, &error))
}

async fn accepted(
    response: Response,
    endpoint: &Endpoint,
    model: Option<&str>,
    deadline: Instant,
) -> Result<Response, Error> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after = later::in_head(response.headers(), SystemTime::now());
    let body = timeout_at(deadline, body::beginning(response, endpoint, ERROR_BODY_LIMIT)).await;
    let body = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
    Err(Fault::in_body(&body).into_error(endpoint, model, status.as_u16(), retry_after))
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
    Error::Network { base, reason: innermost(error) }
}

/// TLS errors travel inside I/O errors, which do not list them as their source.
fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<rustls::Error>()
        || error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
            .is_some_and(|inner| is_tls(inner))
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
