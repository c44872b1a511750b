use std::{collections::BTreeMap, net::SocketAddr};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue as Attribute, any_value::Value},
    trace::v1::Span as Sent,
};
use prost::Message;
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

use super::*;
use crate::example::report;

/// A collector in this process that passes on what it gets, and answers with a status.
async fn collector(status: StatusCode) -> (SocketAddr, mpsc::UnboundedReceiver<Bytes>) {
    let (got, gets) = mpsc::unbounded_channel();
    let take = move |State(got): State<mpsc::UnboundedSender<Bytes>>, body: Bytes| async move {
        got.send(body).unwrap();
        status
    };
    let router = Router::new().route(PATH, post(take)).with_state(got);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, gets)
}

fn traces(endpoint: String) -> Traces {
    let options = Config { otlp_endpoint: Some(endpoint) };
    Traces::start(&options, &Handle::current()).unwrap().unwrap()
}

fn spans(body: Bytes) -> Vec<Sent> {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let resources = request.resource_spans.into_iter();
    resources.flat_map(|of| of.scope_spans).flat_map(|of| of.spans).collect()
}

fn values(attributes: &[Attribute]) -> BTreeMap<&str, String> {
    let value = |attribute: &Attribute| match attribute.value.clone().unwrap().value.unwrap() {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => format!("{number:.2}"),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(|attribute| (attribute.key.as_str(), value(attribute))).collect()
}

#[tokio::test]
async fn a_question_and_its_steps_reach_the_collector() {
    let (address, mut got) = collector(StatusCode::OK).await;
    let traces = traces(format!("http://{address}"));
    traces.question_ended(&report(QuestionOutcome::Answered));
    traces.shutdown().await;
    let spans = spans(got.recv().await.unwrap());

    let (question, steps): (Vec<_>, Vec<_>) =
        spans.iter().partition(|span| span.parent_span_id.is_empty());
    let question = question[0];
    assert_eq!(question.name, "question");
    let ms = |span: &Sent| (span.end_time_unix_nano - span.start_time_unix_nano) / 1_000_000;
    assert_eq!(ms(question), 1250);
    let told: Vec<_> = steps.iter().map(|span| (span.name.as_str(), ms(span))).collect();
    let expected = [("wait for turn", 250), ("encode", 50), ("first token", 400), ("answer", 550)];
    assert_eq!(told, expected);
    for step in &steps {
        assert_eq!(step.parent_span_id, question.span_id);
        assert_eq!(step.trace_id, question.trace_id);
    }
    assert_eq!(steps[0].start_time_unix_nano, question.start_time_unix_nano);
    assert_eq!(
        values(&question.attributes),
        BTreeMap::from([
            ("gen_ai.operation.name", "chat".to_owned()),
            ("gen_ai.request.model", "qwen".to_owned()),
            ("gen_ai.usage.input_tokens", "100".to_owned()),
            ("gen_ai.usage.output_tokens", "20".to_owned()),
            ("live_vlm.answer_age_s", "1.05".to_owned()),
            ("live_vlm.outcome", "answered".to_owned()),
            ("server.address", "vlm.example".to_owned()),
            ("server.port", "443".to_owned()),
        ])
    );
}

#[tokio::test]
async fn a_question_that_failed_ends_in_its_step_and_says_why() {
    let (address, mut got) = collector(StatusCode::OK).await;
    let traces = traces(format!("http://{address}/v1/traces"));
    let failed =
        QuestionReport { first_token: None, ..report(QuestionOutcome::Failed { kind: "timeout" }) };
    traces.question_ended(&failed);
    traces.shutdown().await;
    let spans = spans(got.recv().await.unwrap());
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["wait for turn", "encode", "first token", "question"]);
    let question = spans.last().unwrap();
    assert_eq!(question.status.as_ref().unwrap().message, "timeout");
    assert_eq!(values(&question.attributes)["error.type"], "timeout");
    assert!(!values(&question.attributes).contains_key("live_vlm.answer_age_s"));
}

#[tokio::test]
async fn two_questions_are_two_traces() {
    let (address, mut got) = collector(StatusCode::OK).await;
    let traces = traces(format!("http://{address}"));
    traces.question_ended(&report(QuestionOutcome::Answered));
    traces.question_ended(&report(QuestionOutcome::Cancelled));
    traces.shutdown().await;
    let spans = spans(got.recv().await.unwrap());
    let ids: std::collections::HashSet<_> = spans.into_iter().map(|span| span.trace_id).collect();
    assert_eq!(ids.len(), 2);
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_nobody_up_and_the_queue_is_bounded() {
    // It accepts connections and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let traces = traces(format!("http://{}", listener.local_addr().unwrap()));
    for _ in 0..QUEUE {
        traces.question_ended(&report(QuestionOutcome::Answered));
    }
    timeout(2 * FLUSH, traces.shutdown()).await.expect("the end waits for the collector");
}

#[tokio::test]
async fn a_collector_that_refuses_is_noted_until_it_takes_traces_again() {
    let collector = Collector::new(Handle::current()).unwrap();
    for (status, failing) in [(StatusCode::UNAUTHORIZED, true), (StatusCode::OK, false)] {
        let (address, _got) = self::collector(status).await;
        let request =
            Request::post(format!("http://{address}{PATH}")).body(Bytes::from("x")).unwrap();
        assert_eq!(collector.send_bytes(request).await.unwrap().status(), status);
        assert_eq!(collector.failing.load(Ordering::Relaxed), failing);
    }
}

#[test]
fn only_addresses_that_can_be_posted_to_are_taken() {
    let url = |text: &str| {
        let options = Config { otlp_endpoint: Some(text.to_owned()) };
        options.url().map(|url| url.map(String::from))
    };
    let expected = Some("http://c:4318/v1/traces".to_owned());
    for good in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces/"] {
        assert_eq!(url(good).unwrap(), expected, "{good}");
    }
    assert_eq!(url("https://c/otlp").unwrap().unwrap(), "https://c/otlp/v1/traces");
    assert_eq!(url(" ").unwrap(), None);
    for bad in ["c:4318", "ftp://c", "http://user:secret@c", "localhost", "http://c?key=secret"] {
        let error = url(bad).unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
