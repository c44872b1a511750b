//! OpenTelemetry traces of questions, for whoever runs a collector. A question's spans are made
//! when it is over, from its [`QuestionReport`], so nothing is kept while it runs. No prompt,
//! picture, key, session or user gets into them.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use live_vlm_dispatch::{QuestionOutcome, QuestionReport};
use opentelemetry::{
    Context, KeyValue,
    trace::{Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider},
};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider},
};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use url::Url;

/// Spans that wait to be sent; further ones are dropped. A question has up to five.
const QUEUE: usize = 2048;
const BATCH: usize = 512;
/// The longest that a span waits for others to go with it.
const DELAY: Duration = Duration::from_secs(2);
/// For one batch, from connecting to the last byte of the reply.
const SEND: Duration = Duration::from_secs(5);
/// Collectors answer with a few bytes.
const REPLY: usize = 64 << 10;
/// The last batch has so long to leave when the server ends.
const FLUSH: Duration = Duration::from_secs(1);
const PATH: &str = "/v1/traces";

/// `[traces]`: where traces go.
#[derive(Debug, Clone, Default, clap::Args, Deserialize, Serialize)]
#[group(skip)]
#[command(next_help_heading = "Traces")]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// OpenTelemetry collector (OTLP over HTTP) that gets a trace of each question, such as
    /// http://localhost:4318 [default: none]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
}

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadTraces {
    /// Not an address.
    #[error(
        "--otlp-endpoint: must be an http or https URL such as http://localhost:4318, without a \
         user or password; what the collector wants to see goes into OTEL_EXPORTER_OTLP_HEADERS"
    )]
    Endpoint,
    /// A part of it could not be set up.
    #[error("--otlp-endpoint: {0}")]
    Exporter(String),
}

impl Config {
    /// The same with what the file says where the command line and environment say nothing.
    #[must_use]
    pub fn or(self, file: Self) -> Self {
        Self { otlp_endpoint: self.otlp_endpoint.or(file.otlp_endpoint) }
    }

    /// Where traces are posted to; `None` without a collector.
    ///
    /// # Errors
    /// When it is no address that can be posted to.
    pub fn url(&self) -> Result<Option<Url>, BadTraces> {
        let given = self.otlp_endpoint.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let Some(given) = given else { return Ok(None) };
        let mut url = Url::parse(given).map_err(|_| BadTraces::Endpoint)?;
        let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !bare {
            return Err(BadTraces::Endpoint);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        let path = path.strip_suffix(PATH).unwrap_or(&path);
        url.set_path(&format!("{path}{PATH}"));
        Ok(Some(url))
    }
}

/// Sends traces to a collector. Cheap to clone.
#[derive(Clone)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").finish_non_exhaustive()
    }
}

impl Traces {
    /// Begins to send, on this runtime; `None` if no collector is configured. A collector that
    /// cannot be reached costs its traces and nothing else.
    ///
    /// # Errors
    /// When the address is bad, or no HTTP client is to be had.
    pub fn start(options: &Config, runtime: &Handle) -> Result<Option<Self>, BadTraces> {
        let Some(url) = options.url()? else { return Ok(None) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new(runtime.clone())?)
            .with_endpoint(url.as_str())
            .build()
            .map_err(|error| BadTraces::Exporter(error.to_string()))?;
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let batches = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        let mut resource = Resource::builder()
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        // Whoever names the service by the environment means it.
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("live-vlm");
        }
        let provider = SdkTracerProvider::builder()
            .with_span_processor(batches)
            .with_resource(resource.build())
            .build();
        let tracer = provider.tracer("live-vlm");
        Ok(Some(Self { provider, tracer }))
    }

    /// Sends the trace of a question that is over. Never waits.
    pub fn question_ended(&self, report: &QuestionReport) {
        let clock = Clock::now();
        let at = |moment| clock.time_of(moment);
        let mut question = self
            .tracer
            .span_builder("question")
            .with_kind(SpanKind::Client)
            .with_start_time(at(report.wanted))
            .with_attributes(attributes(report))
            .start_with_context(&self.tracer, &Context::new());
        if let QuestionOutcome::Failed { kind } = report.outcome {
            question.set_status(Status::error(kind));
        }
        let context = Context::new().with_remote_span_context(question.span_context().clone());
        for (name, from, to) in steps(report) {
            self.tracer
                .span_builder(name)
                .with_start_time(at(from))
                .start_with_context(&self.tracer, &context)
                .end_with_timestamp(at(to));
        }
        question.end_with_timestamp(at(report.ended));
    }

    /// Sends what is left, for at most a second; nothing is sent afterwards.
    pub async fn shutdown(self) {
        let ended = tokio::task::spawn_blocking(move || {
            self.provider.shutdown_with_timeout(FLUSH).map_err(|error| error.to_string())
        });
        match ended.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error, "the last traces were not sent"),
            Err(error) => tracing::warn!(%error, "the last traces were not sent"),
        }
    }
}

/// The steps of a question, as far as it got. Each begins where the one before ended.
fn steps(report: &QuestionReport) -> Vec<(&'static str, Instant, Instant)> {
    let moments = [
        ("wait for turn", Some(report.began)),
        ("encode", report.sent),
        ("first token", report.first_token),
        ("answer", Some(report.ended)),
    ];
    let mut steps = Vec::with_capacity(moments.len());
    let mut from = report.wanted;
    for (name, until) in moments {
        match until {
            Some(until) => {
                steps.push((name, from, until));
                from = until;
            }
            // It ended in the middle of this step.
            None => {
                steps.push((name, from, report.ended));
                break;
            }
        }
    }
    steps
}

/// By the semantic conventions for generative AI, where they have a name.
fn attributes(report: &QuestionReport) -> Vec<KeyValue> {
    let count = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
    let mut attributes = vec![
        KeyValue::new("gen_ai.operation.name", "chat"),
        KeyValue::new("gen_ai.request.model", report.model.clone()),
        KeyValue::new("gen_ai.usage.input_tokens", count(report.tokens_in)),
        KeyValue::new("gen_ai.usage.output_tokens", count(report.tokens_out)),
        KeyValue::new("live_vlm.outcome", report.outcome.name()),
    ];
    if let Ok(url) = Url::parse(&report.backend) {
        let host = url.host_str().map(|host| KeyValue::new("server.address", host.to_owned()));
        let port = url.port_or_known_default();
        attributes.extend(host);
        attributes.extend(port.map(|port| KeyValue::new("server.port", i64::from(port))));
    }
    if let Some(age) = report.age() {
        attributes.push(KeyValue::new("live_vlm.answer_age_s", age.as_secs_f64()));
    }
    if let QuestionOutcome::Failed { kind } = report.outcome {
        attributes.push(KeyValue::new("error.type", kind));
    }
    attributes
}

/// Which time of day it was at a moment.
struct Clock {
    moment: Instant,
    time: SystemTime,
}

impl Clock {
    fn now() -> Self {
        Self { moment: Instant::now(), time: SystemTime::now() }
    }

    fn time_of(&self, moment: Instant) -> SystemTime {
        match self.moment.checked_duration_since(moment) {
            Some(ago) => self.time - ago,
            None => self.time + moment.duration_since(self.moment),
        }
    }
}

/// Posts batches. Called from the exporter's own thread, so it works on our runtime.
#[derive(Debug)]
struct Collector {
    http: reqwest::Client,
    runtime: Handle,
    failing: AtomicBool,
}

impl Collector {
    fn new(runtime: Handle) -> Result<Self, BadTraces> {
        // reqwest asks for the process' provider; whoever installed one before us keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("live-vlm/", env!("CARGO_PKG_VERSION")))
            .timeout(SEND)
            // The headers of the configuration are for the configured address only.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| BadTraces::Exporter(error.to_string()))?;
        Ok(Self { http, runtime, failing: AtomicBool::new(false) })
    }

    /// Says once that traces are lost, and once that they are not any more.
    fn note(&self, failure: Option<String>) {
        let was_failing = self.failing.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(error) if !was_failing => {
                tracing::warn!(error, "traces are lost: the collector does not take them");
            }
            None if was_failing => tracing::info!("the collector takes traces again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        let sent = self.runtime.spawn(async move { post(&http, request).await }).await;
        let sent = sent.map_err(Into::into).and_then(|sent| sent);
        self.note(match &sent {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answers with {}", response.status())),
            Err(error) => Some(error.to_string()),
        });
        sent
    }
}

async fn post(
    http: &reqwest::Client,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let mut response = http.execute(request.try_into()?).await?;
    let mut reply = Response::builder().status(response.status());
    if let Some(retry_after) = response.headers().get("retry-after") {
        reply = reply.header("retry-after", retry_after);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > REPLY {
            return Err("the collector's reply has no end".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(reply.body(body.freeze())?)
}

#[cfg(test)]
#[path = "traces_tests.rs"]
mod tests;
