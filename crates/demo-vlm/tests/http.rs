//! What a client of the stand-in sees over HTTP.

use std::io::Cursor;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use demo_vlm::{BRIEF_MODEL, MODEL, Options, router};
use futures_util::StreamExt;
use http_body_util::BodyExt;
use image::{DynamicImage, ImageFormat, RgbImage};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::ServiceExt;

mod loopback;

fn picture(rgb: [u8; 3]) -> String {
    let image = DynamicImage::ImageRgb8(RgbImage::from_pixel(64, 48, rgb.into()));
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    format!("data:image/png;base64,{}", BASE64_STANDARD.encode(bytes.into_inner()))
}

fn part(url: &str) -> Value {
    json!({"type": "image_url", "image_url": {"url": url}})
}

/// A question about a red picture, with fields added or replaced.
fn question(more: &Value) -> Value {
    let mut request = json!({
        "model": MODEL,
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": "Describe it."}, part(&picture([255, 0, 0])),
        ]}],
    });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

async fn post(router: &Router, body: impl Into<Body>) -> Response<Body> {
    let request = Request::post("/v1/chat/completions").body(body.into()).unwrap();
    router.clone().oneshot(request).await.unwrap()
}

async fn ask(router: &Router, more: &Value) -> Response<Body> {
    post(router, question(more).to_string()).await
}

async fn get(router: &Router, path: &str) -> Response<Body> {
    router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
}

async fn json_of(response: Response<Body>) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

async fn text_of(response: Response<Body>) -> String {
    assert_eq!(response.status(), StatusCode::OK);
    let answer = json_of(response).await;
    answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
}

async fn events_of(response: Response<Body>) -> Vec<String> {
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let events = body.split_terminator("\n\n");
    events.map(|event| event.strip_prefix("data: ").unwrap().to_owned()).collect()
}

fn quick() -> Router {
    router(Options { token_delay: Duration::ZERO, ..Options::default() })
}

fn slow(options: Options) -> Router {
    router(Options { latency: Duration::from_secs(1), ..options })
}

#[tokio::test]
async fn both_models_are_listed() {
    let list = json_of(get(&quick(), "/v1/models").await).await;
    assert_eq!(list["object"], "list");
    let ids: Vec<_> = list["data"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert_eq!(ids, [MODEL, BRIEF_MODEL]);
}

#[tokio::test]
async fn health_is_ok() {
    assert_eq!(get(&quick(), "/health").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_whole_answer_describes_the_picture_and_says_what_it_is() {
    let answer = json_of(ask(&quick(), &json!({})).await).await;
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["model"], MODEL);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    let message = &answer["choices"][0]["message"];
    assert_eq!(message["role"], "assistant");
    assert_eq!(
        message["content"],
        "I am demo-vlm, a stand-in, not a vision language model: I only measure pixels. \
         You asked: \"Describe it.\" The picture is 64 by 48 pixels and entirely red. \
         It is dim (21% brightness) with low contrast (0%). \
         It is too plain to tell whether it is sharp."
    );
    assert_eq!(answer["usage"]["prompt_tokens"], 258);
    let words = message["content"].as_str().unwrap().split(' ').count();
    assert_eq!(answer["usage"]["completion_tokens"], words);
    assert_eq!(answer["usage"]["total_tokens"], 258 + words);
}

#[tokio::test]
async fn the_brief_model_answers_in_one_line() {
    let text = text_of(ask(&quick(), &json!({"model": BRIEF_MODEL})).await).await;
    assert_eq!(text, "Entirely red, dim (21%) (stand-in)");
}

#[tokio::test]
async fn a_streamed_answer_is_the_whole_answer_in_pieces() {
    let router = quick();
    let whole = text_of(ask(&router, &json!({})).await).await;
    let mut events = events_of(ask(&router, &json!({"stream": true})).await).await;
    assert_eq!(events.pop().unwrap(), "[DONE]");
    let chunks: Vec<Value> =
        events.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let contents =
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
    assert_eq!(contents.collect::<String>(), whole);
    let (last, others) = chunks.split_last().unwrap();
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
    assert!(others.iter().all(|chunk| chunk["choices"][0]["finish_reason"].is_null()));
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"));
    assert!(chunks.iter().all(|chunk| chunk["id"] == last["id"] && chunk["usage"].is_null()));
}

#[tokio::test]
async fn usage_comes_last_and_only_when_asked_for() {
    let more = json!({"stream": true, "stream_options": {"include_usage": true}, "max_tokens": 4});
    let events = events_of(ask(&quick(), &more).await).await;
    let last: Value = serde_json::from_str(&events[events.len() - 2]).unwrap();
    assert_eq!(last["choices"], json!([]));
    let usage = json!({"prompt_tokens": 258, "completion_tokens": 4, "total_tokens": 262});
    assert_eq!(last["usage"], usage);
}

#[tokio::test]
async fn an_answer_stops_at_the_token_limit() {
    for field in ["max_tokens", "max_completion_tokens"] {
        let answer = json_of(ask(&quick(), &json!({ field: 3 })).await).await;
        assert_eq!(answer["choices"][0]["message"]["content"], "I am demo-vlm,");
        assert_eq!(answer["choices"][0]["finish_reason"], "length");
        assert_eq!(answer["usage"]["completion_tokens"], 3);
    }
}

#[tokio::test]
async fn errors_have_the_openai_shape() {
    let router = quick();
    let messages = |parts: Value| json!({"messages": [{"role": "user", "content": parts}]});
    for (more, status, param, code) in [
        (json!({"model": "gpt"}), 404, json!("model"), json!("model_not_found")),
        (json!({"messages": []}), 400, json!("messages"), Value::Null),
        (messages(json!("Hello")), 400, json!("messages"), Value::Null),
        (
            messages(json!([part("http://127.0.0.1/a.png")])),
            400,
            json!("messages"),
            json!("invalid_image_url"),
        ),
        (
            messages(json!([part("data:image/png;base64,AAAA")])),
            400,
            json!("messages"),
            json!("invalid_image_format"),
        ),
        (json!({"max_tokens": 0}), 400, json!("max_tokens"), Value::Null),
    ] {
        let response = ask(&router, &more).await;
        assert_eq!(response.status(), status, "{more}");
        let error = &json_of(response).await["error"];
        assert_eq!(error["type"], "invalid_request_error");
        assert_eq!((&error["param"], &error["code"]), (&param, &code), "{more}");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
}

#[tokio::test]
async fn malformed_json_is_refused_without_being_repeated() {
    let router = quick();
    let long = json!({"model": MODEL, "messages": "x".repeat(10_000)}).to_string();
    for body in ["{".to_owned(), String::new(), "[]".to_owned(), long] {
        let response = post(&router, body).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let error = json_of(response).await;
        assert!(error["error"]["message"].as_str().unwrap().len() < 300);
    }
}

#[tokio::test]
async fn unknown_routes_and_methods_are_errors_too() {
    let router = quick();
    for (path, status) in [("/v2", 404), ("/v1/chat/completions", 405)] {
        let response = get(&router, path).await;
        assert_eq!(response.status(), status);
        assert_eq!(json_of(response).await["error"]["type"], "invalid_request_error");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let router = router(Options { max_body: 1000, ..Options::default() });
    let response = post(&router, vec![b' '; 1001]).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(json_of(response).await["error"]["code"], "request_too_large");
    assert_eq!(post(&router, vec![b' '; 1000]).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn each_user_is_compared_with_their_own_last_picture() {
    let router = quick();
    let show = async |user: Value, rgb| {
        let content = json!([{"type": "text", "text": "What changed?"}, part(&picture(rgb))]);
        let messages = json!([{"role": "user", "content": content}]);
        let more = json!({"model": BRIEF_MODEL, "user": user, "messages": messages});
        text_of(ask(&router, &more).await).await
    };
    let (red, blue) = ([255, 0, 0], [0, 0, 255]);
    assert!(show(json!("a"), red).await.starts_with("Nothing to compare with"));
    assert!(show(json!("b"), blue).await.starts_with("Nothing to compare with"));
    assert!(show(json!("a"), red).await.starts_with("Nothing changed"));
    assert!(show(json!("b"), red).await.starts_with("100% changed"));
    assert!(show(Value::Null, red).await.starts_with("Nothing to compare with"));
    assert!(show(Value::Null, red).await.starts_with("Nothing to compare with"));
}

#[tokio::test]
async fn pictures_of_one_request_are_compared_within_it() {
    let router = quick();
    let parts = json!([part(&picture([255, 0, 0])), part(&picture([0, 0, 255]))]);
    let messages = json!([{"role": "user", "content": parts}]);
    let more = json!({"user": "a", "messages": messages});
    let text = text_of(ask(&router, &more).await).await;
    assert!(text.contains("entirely blue"), "{text}");
    assert!(text.contains("(100%) has changed since the first of the two pictures"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_takes_the_latency() {
    let start = Instant::now();
    text_of(ask(&slow(Options::default()), &json!({})).await).await;
    assert_eq!(start.elapsed().as_millis(), 1000);
}

#[tokio::test(start_paused = true)]
async fn a_streamed_answer_is_spread_over_the_latency() {
    let start = Instant::now();
    let more = json!({"stream": true, "max_tokens": 3});
    let mut body = ask(&slow(Options::default()), &more).await.into_body().into_data_stream();
    let mut times = Vec::new();
    while let Some(event) = body.next().await {
        let event = String::from_utf8(event.unwrap().to_vec()).unwrap();
        times.push((start.elapsed().as_millis(), event.contains("\"content\":\"")));
    }
    let expected =
        [(300, true), (300, true), (650, true), (1000, true), (1000, false), (1000, false)];
    assert_eq!(times, expected);
}

#[tokio::test(start_paused = true)]
async fn without_latency_a_whole_answer_takes_no_time() {
    let start = Instant::now();
    text_of(ask(&router(Options::default()), &json!({})).await).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_slots_requests_wait_and_beyond_the_queue_they_are_refused() {
    let router = slow(Options { slots: 1, queue: 1, ..Options::default() });
    let start = Instant::now();
    let timed = async || {
        let response = ask(&router, &json!({})).await;
        (response, start.elapsed().as_millis())
    };
    let ((first, at_first), (second, at_second), (third, at_third)) =
        tokio::join!(timed(), timed(), timed());
    assert_eq!((first.status(), at_first), (StatusCode::OK, 1000));
    assert_eq!((second.status(), at_second), (StatusCode::OK, 2000));
    assert_eq!((third.status(), at_third), (StatusCode::TOO_MANY_REQUESTS, 0));
    assert_eq!(third.headers()[header::RETRY_AFTER], "1");
    assert_eq!(json_of(third).await["error"]["type"], "rate_limit_error");
    assert_eq!(timed().await.0.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn leaving_frees_the_slot_at_once() {
    let router = slow(Options { slots: 1, queue: 0, ..Options::default() });
    let streamed = ask(&router, &json!({"stream": true})).await;
    assert_eq!(ask(&router, &json!({})).await.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(streamed);
    assert_eq!(ask(&router, &json!({})).await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn leaving_before_a_whole_answer_frees_the_slot_at_once() {
    let router = slow(Options { slots: 1, queue: 0, ..Options::default() });
    let (half, nothing) = (Duration::from_millis(500), json!({}));
    assert!(tokio::time::timeout(half, ask(&router, &nothing)).await.is_err());
    assert_eq!(ask(&router, &nothing).await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_refused_request_frees_its_slot() {
    let router = slow(Options { slots: 1, queue: 0, ..Options::default() });
    let parts = json!([part("data:image/png;base64,AAAA")]);
    let more = json!({"messages": [{"role": "user", "content": parts}]});
    for _ in 0..3 {
        assert_eq!(ask(&router, &more).await.status(), StatusCode::BAD_REQUEST);
    }
}
