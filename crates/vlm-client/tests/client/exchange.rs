//! One question and its answer.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use vlm_client::{
    AnswerEvent, ApiKey, AskHeaders, Client, Endpoint, Error, ErrorKind, ExtraHeaders, ServerKind,
    Usage,
};

use super::support::{ask, question};

const LONG: Duration = Duration::from_secs(20);

/// Answers one connection with `reply`, then closes it. Gives what it was asked.
async fn server(reply: String) -> (Endpoint, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::new(
        &format!("http://{}/v1", listener.local_addr().unwrap()),
        ApiKey::new("sk-test-key"),
    )
    .unwrap();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let asked = read_request(&mut stream).await;
        stream.write_all(reply.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        asked
    });
    (endpoint, asked)
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let read = stream.read_buf(&mut request).await.unwrap();
        let text = String::from_utf8_lossy(&request);
        let complete = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()
                })
                .unwrap_or(0);
            body.len() >= length
        });
        if complete || read == 0 {
            return text.into_owned();
        }
    }
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n{body}")
}

fn sse(body: &str) -> String {
    response("200 OK", "content-type: text/event-stream\r\n", body)
}

async fn error_of(reply: String) -> Error {
    let (endpoint, _) = server(reply).await;
    ask(&endpoint, LONG).await.unwrap_err()
}

fn text(events: &[AnswerEvent]) -> String {
    events
        .iter()
        .filter_map(|event| match event {
            AnswerEvent::Text(text) => Some(text.as_str()),
            AnswerEvent::Reasoning(_) | AnswerEvent::TakenBack | AnswerEvent::Done(_) => None,
        })
        .collect()
}

#[tokio::test]
async fn a_streamed_answer_comes_piece_by_piece_with_its_usage() {
    let (endpoint, asked) = server(sse(
        "data: {\"model\":\"m1\",\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n\
         data: {\"choices\":[{\"delta\":{\"content\":\"A red\"}}]}\n\n\
         : a comment\n\n\
         data: {\"choices\":[{\"delta\":{\"content\":\" ball\"},\"finish_reason\":\"stop\"}]}\n\n\
         data: {\"choices\":[],\"usage\":{\"prompt_tokens\":90,\"completion_tokens\":3}}\n\n\
         data: [DONE]\n\n",
    ))
    .await;
    let events = ask(&endpoint, LONG).await.unwrap();
    assert_eq!(events[..2], [AnswerEvent::Text("A red".into()), AnswerEvent::Text(" ball".into())]);
    let AnswerEvent::Done(summary) = &events[2] else { panic!("{events:?}") };
    assert_eq!(summary.finish_reason, "stop");
    assert_eq!(summary.usage, Some(Usage { prompt_tokens: 90, completion_tokens: 3 }));
    assert_eq!(summary.model.as_deref(), Some("m1"));
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("POST /v1/chat/completions HTTP/1.1"), "{asked}");
    assert!(asked.contains("authorization: Bearer sk-test-key"), "{asked}");
    assert!(asked.contains("\"include_usage\":true"), "{asked}");
}

#[tokio::test]
async fn what_a_model_thinks_is_kept_apart_from_what_it_answers() {
    let piece = |delta: &str| format!("data: {{\"choices\":[{{\"delta\":{delta}}}]}}\n\n");
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    for deltas in [
        &[
            r#"{"reasoning_content":"A cup? "}"#,
            r#"{"reasoning_content":"Yes."}"#,
            r#"{"content":"A cup."}"#,
        ][..],
        &[r#"{"reasoning":"A cup? Yes."}"#, r#"{"content":"A "}"#, r#"{"content":"cup."}"#],
        &[r#"{"content":"<thi"}"#, r#"{"content":"nk>A cup? Yes.</think>\n\nA cup."}"#],
        &[r#"{"content":"<think>A cup? Yes.</think>A cup.","reasoning":{"effort":1}}"#],
    ] {
        let body = deltas.iter().map(|delta| piece(delta)).collect::<String>() + end;
        let (endpoint, _) = server(sse(&body)).await;
        let events = ask(&endpoint, LONG).await.unwrap();
        assert_eq!(text(&events), "A cup.", "{deltas:?}");
        let thought: String = events
            .iter()
            .filter_map(|event| match event {
                AnswerEvent::Reasoning(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(thought, "A cup? Yes.", "{deltas:?}");
    }
    let body = r#"{"choices":[{"message":{"content":"<think>Hm.</think> A ball"}}]}"#;
    let whole = response("200 OK", "content-type: application/json\r\n", body);
    let (endpoint, _) = server(whole).await;
    assert_eq!(text(&ask(&endpoint, LONG).await.unwrap()), "A ball");
}

#[tokio::test]
async fn a_server_that_answers_with_the_whole_is_understood() {
    let body = r#"{"choices":[{"message":{"role":"assistant","content":"A ball"},
        "finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    let (endpoint, _) =
        server(response("200 OK", "content-type: application/json\r\n", body)).await;
    let events = ask(&endpoint, LONG).await.unwrap();
    assert_eq!(text(&events), "A ball");
    assert!(matches!(&events[1], AnswerEvent::Done(s) if s.finish_reason == "length"));
}

#[tokio::test]
async fn a_stream_without_done_is_complete_once_it_has_a_finish_reason() {
    let (endpoint, _) = server(sse(
        "data: {\"choices\":[{\"delta\":{\"content\":\"yes\"},\"finish_reason\":\"stop\"}]}\n\n",
    ))
    .await;
    assert_eq!(text(&ask(&endpoint, LONG).await.unwrap()), "yes");
}

#[tokio::test]
async fn a_reason_to_stop_in_every_piece_ends_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let endpoint = Endpoint::new(&base, None).unwrap();
    let piece = |text: &str| {
        let choice = format!(r#"{{"delta":{{"content":"{text}"}},"finish_reason":"stop"}}"#);
        format!("data: {{\"choices\":[{choice}]}}\n\n")
    };
    for (last, is_complete) in [("data: [DONE]\n\n", true), ("", false)] {
        let client = Client::new().unwrap();
        let request = question();
        let no_headers = AskHeaders::default();
        let asks = client.ask(&endpoint, &request, &no_headers, Duration::from_secs(300));
        let accepts = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(sse(&piece("A")).as_bytes()).await.unwrap();
            stream
        };
        let (answer, mut stream) = tokio::join!(asks, accepts);
        let mut answer = answer.unwrap();
        assert_eq!(answer.next().await.unwrap().unwrap(), AnswerEvent::Text("A".into()));
        tokio::time::pause();
        for (text, after) in [(" red", 10), (" ball", 100)] {
            let says = async {
                tokio::time::sleep(Duration::from_secs(after)).await;
                stream.write_all(piece(text).as_bytes()).await.unwrap();
            };
            let (event, ()) = tokio::join!(answer.next(), says);
            assert_eq!(event.unwrap().unwrap(), AnswerEvent::Text(text.into()));
        }
        stream.write_all(last.as_bytes()).await.unwrap();
        let end = answer.next().await.unwrap();
        match is_complete {
            true => assert!(matches!(end, Ok(AnswerEvent::Done(_))), "{end:?}"),
            false => assert_eq!(end.unwrap_err().kind.name(), "timeout"),
        }
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_stream_cut_in_the_middle_gives_its_text_and_then_an_error() {
    let (endpoint, _) =
        server(sse("data: {\"choices\":[{\"delta\":{\"content\":\"A re\"}}]}\n\n")).await;
    let mut answer = Client::new()
        .unwrap()
        .ask(&endpoint, &question(), &AskHeaders::default(), LONG)
        .await
        .unwrap();
    assert_eq!(answer.next().await, Some(Ok(AnswerEvent::Text("A re".into()))));
    let error = answer.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind.name(), "cut");
    assert_eq!(answer.next().await, None);
}

#[tokio::test]
async fn an_error_inside_a_stream_is_an_error() {
    let event = "data: {\"error\":{\"message\":\"out of memory\"}}\n\n";
    let error = error_of(sse(event)).await;
    assert_eq!(error.kind.name(), "server");
    assert!(error.to_string().contains("out of memory"), "{error}");
    let begun = "data: {\"choices\":[{\"delta\":{\"content\":\"A re\"}}]}\n\n";
    let error = error_of(sse(&format!("{begun}{event}"))).await;
    assert_eq!(error.kind.name(), "cut");
    assert!(error.to_string().contains("out of memory"), "{error}");
}

#[tokio::test]
async fn garbage_is_a_protocol_error_that_shows_its_beginning() {
    let error = error_of(response("200 OK", "content-type: text/html\r\n", "<html>hi")).await;
    assert_eq!(error.kind.name(), "protocol");
    assert!(error.to_string().contains("<html>hi"), "{error}");
    let error = error_of(sse("data: {\"choices\":[{\"delta\n\n")).await;
    assert_eq!(error.kind.name(), "protocol");
    let error = error_of(response("200 OK", "", "{\"choices\":[]}")).await;
    assert_eq!(error.kind.name(), "protocol");
}

#[tokio::test]
async fn what_was_said_before_a_failure_comes_before_it() {
    let (endpoint, _) = server(sse("data: {\"choices\":[{\"delta\":{\"content\":\"A re\"}}]}\n\n\
         data: {\"error\":\"out of memory\"}\n\n"))
    .await;
    let client = Client::new().unwrap();
    let mut answer =
        client.ask(&endpoint, &question(), &AskHeaders::default(), LONG).await.unwrap();
    assert_eq!(answer.next().await, Some(Ok(AnswerEvent::Text("A re".into()))));
    assert_eq!(answer.next().await.unwrap().unwrap_err().kind.name(), "cut");
    assert_eq!(answer.next().await, None);
}

#[tokio::test]
async fn a_late_mark_takes_text_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let (go_on, mut may_go_on) = tokio::sync::mpsc::channel::<()>(1);
    let event = |text: &str| {
        format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    };
    let begun = sse(&event("Is it"));
    let rest = [event(" round?"), event("</think>A ball."), "data: [DONE]\n\n".into()].concat();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        may_go_on.recv().await;
        stream.write_all(rest.as_bytes()).await.unwrap();
    });
    let endpoint = Endpoint::new(&base, None).unwrap();
    let client = Client::new().unwrap();
    let mut answer =
        client.ask(&endpoint, &question(), &AskHeaders::default(), LONG).await.unwrap();
    let mut events = vec![answer.next().await.unwrap().unwrap()];
    go_on.send(()).await.unwrap();
    while let Some(event) = answer.next().await {
        events.push(event.unwrap());
    }
    // What nobody has seen yet needs not be taken back.
    let expected = [
        AnswerEvent::Text("Is it".into()),
        AnswerEvent::TakenBack,
        AnswerEvent::Reasoning(" round?".into()),
        AnswerEvent::Text("A ball.".into()),
    ];
    assert_eq!(events[..4], expected);
}

#[tokio::test]
async fn an_endless_answer_is_ended() {
    let piece = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
        "a".repeat(1 << 16)
    );
    let error = error_of(sse(&piece.repeat(5))).await;
    assert_eq!(error.kind.name(), "protocol", "{error}");
}

#[tokio::test]
async fn each_refusal_has_its_kind_and_the_servers_words() {
    for (status, body, kind) in [
        ("401 Unauthorized", r#"{"error":{"message":"bad key"}}"#, "unauthorized"),
        ("403 Forbidden", r#"{"error":{"message":"bad key"}}"#, "unauthorized"),
        ("404 Not Found", r#"{"error":{"message":"model some-model not found"}}"#, "model-unknown"),
        ("400 Bad Request", r#"{"message":"The model x does not exist"}"#, "model-unknown"),
        ("404 Not Found", "page not found", "no-api"),
        ("400 Bad Request", r#"{"error":"no images please"}"#, "bad-request"),
        ("500 Internal Server Error", r#"{"error":"image input is not supported"}"#, "no-vision"),
        ("400 Bad Request", r#"{"message":"m is not a multimodal model"}"#, "no-vision"),
        ("413 Payload Too Large", "", "too-large"),
        ("429 Too Many Requests", r#"{"error":{"message":"slow down"}}"#, "rate-limited"),
        ("500 Internal Server Error", "boom", "server"),
        ("503 Service Unavailable", "loading", "server"),
        ("307 Temporary Redirect", "", "redirect"),
    ] {
        let error = error_of(response(status, "", body)).await;
        assert_eq!(error.kind.name(), kind, "{status} {body}: {error}");
    }
}

#[tokio::test]
async fn retry_after_is_read() {
    let error = error_of(response("429 Too Many Requests", "retry-after: 7\r\n", "")).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    let error = error_of(response("503 Service Unavailable", "retry-after: soon\r\n", "")).await;
    assert_eq!(error.retry_after(), None);
    let date = "retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
                date: Sun, 06 Nov 1994 08:49:33 GMT\r\n";
    let error = error_of(response("429 Too Many Requests", date, "")).await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(4)));
}

#[tokio::test]
async fn a_key_that_the_server_quotes_is_blotted_out() {
    let error =
        error_of(response("401 Unauthorized", "", r#"{"error":"bad key sk-test-key"}"#)).await;
    assert!(!format!("{error} {error:?}").contains("sk-test-key"), "{error:?}");
}

#[tokio::test]
async fn nobody_listening_is_told_apart_from_other_failures() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let endpoint = Endpoint::new(&base, None).unwrap();
    assert_eq!(ask(&endpoint, LONG).await.unwrap_err(), Error::new(&base, ErrorKind::Refused));
}

#[tokio::test]
async fn plain_http_where_tls_was_expected_is_a_tls_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 16]).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream.read(&mut [0; 4096]).await
    });
    let endpoint = Endpoint::new(&base, None).unwrap();
    let error = ask(&endpoint, LONG).await.unwrap_err();
    assert_eq!(error.kind.name(), "tls", "{error}");
}

#[tokio::test]
async fn a_server_that_falls_silent_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let held = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let begun = sse("data: {\"choices\":[{\"delta\":{\"content\":\"A\"}}]}\n\n");
        stream.write_all(begun.as_bytes()).await.unwrap();
        // Hold the connection until the client hangs up.
        stream.read(&mut [0; 16]).await
    });
    let endpoint = Endpoint::new(&base, None).unwrap();
    let short = Duration::from_millis(200);
    let mut answer = Client::new()
        .unwrap()
        .ask(&endpoint, &question(), &AskHeaders::default(), short)
        .await
        .unwrap();
    assert_eq!(answer.next().await, Some(Ok(AnswerEvent::Text("A".into()))));
    assert_eq!(
        answer.next().await,
        Some(Err(Error::new(&base, ErrorKind::Timeout { after: short })))
    );
    drop(answer);
    held.await.unwrap().ok();
}

#[tokio::test]
async fn dropping_an_answer_hangs_up_on_the_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let hung_up = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await;
        let begun = sse("data: {\"choices\":[{\"delta\":{\"content\":\"A\"}}]}\n\n");
        stream.write_all(begun.as_bytes()).await.unwrap();
        matches!(stream.read(&mut [0; 16]).await, Ok(0) | Err(_))
    });
    let endpoint = Endpoint::new(&base, None).unwrap();
    let mut answer = Client::new()
        .unwrap()
        .ask(&endpoint, &question(), &AskHeaders::default(), LONG)
        .await
        .unwrap();
    answer.next().await;
    drop(answer);
    assert!(tokio::time::timeout(LONG, hung_up).await.unwrap().unwrap());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = format!("location: http://{}/v1\r\n", elsewhere.local_addr().unwrap());
    let error = error_of(response("302 Found", &location, "")).await;
    assert_eq!(error.kind.name(), "redirect");
    let touched = tokio::time::timeout(Duration::from_millis(50), elsewhere.accept()).await;
    assert!(touched.is_err(), "the picture went to another server");
}

#[tokio::test]
async fn models_are_listed_with_what_they_can() {
    let (endpoint, asked) = server(response(
        "200 OK",
        "content-type: application/json\r\n",
        r#"{"object":"list","data":[{"id":"llama3"},{"id":"qwen2.5vl:3b"}]}"#,
    ))
    .await;
    let models = Client::new().unwrap().models(&endpoint, LONG).await.unwrap();
    assert_eq!(
        models.iter().map(|m| (m.id.as_str(), m.vision)).collect::<Vec<_>>(),
        [("llama3", false), ("qwen2.5vl:3b", true)]
    );
    assert!(asked.await.unwrap().starts_with("GET /v1/models "));
}

#[tokio::test]
async fn no_proxy_stands_between_us_and_a_server_on_this_host() {
    // SAFETY: nothing else reads the environment yet; this test has a process of its own.
    unsafe { std::env::set_var("HTTP_PROXY", "http://127.0.0.1:1") };
    let (endpoint, _) = server(response("200 OK", "", r#"{"data":[{"id":"m"}]}"#)).await;
    assert_eq!(Client::new().unwrap().models(&endpoint, LONG).await.unwrap().len(), 1);
}

/// The header of this name in a request.
fn header<'a>(asked: &'a str, name: &str) -> Option<&'a str> {
    asked.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn at(endpoint: &Endpoint, path: &str, key: &str) -> Endpoint {
    let root = endpoint.base().strip_suffix("/v1").unwrap();
    Endpoint::new(&format!("{root}{path}"), ApiKey::new(key)).unwrap()
}

#[tokio::test]
async fn azures_deployments_are_asked_as_azure_wants_it() {
    let path = "/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21";
    let body = r#"{"choices":[{"message":{"content":"A ball"}}]}"#;
    let (endpoint, asked) = server(response("200 OK", "", body)).await;
    assert_eq!(text(&ask(&at(&endpoint, path, "sk-azure"), LONG).await.unwrap()), "A ball");
    let asked = asked.await.unwrap();
    assert!(asked.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{asked}");
    assert_eq!(header(&asked, "api-key"), Some("sk-azure"));
    assert_eq!(header(&asked, "authorization"), None);

    let list = r#"{"data":[{"id":"gpt-35"},{"id":"dall-e"}]}"#;
    let (endpoint, asked) = server(response("200 OK", "", list)).await;
    let models = Client::new().unwrap().models(&at(&endpoint, path, "sk-azure"), LONG).await;
    assert_eq!(models.unwrap()[0].id, "my-gpt");
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("GET /openai/models?api-version=2024-10-21 HTTP/1.1\r\n"), "{asked}");

    let gone = r#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this
        resource does not exist."}}"#;
    let (endpoint, _) = server(response("404 Not Found", "", gone)).await;
    assert_eq!(
        ask(&at(&endpoint, path, "sk"), LONG).await.unwrap_err().kind.name(),
        "model-unknown"
    );
}

#[tokio::test]
async fn headers_go_with_each_request_and_into_no_message() {
    let headers = ExtraHeaders::parse(r#"{"x-gateway-key": "gw-secret-1"}"#).unwrap();
    let said = r#"{"error":{"message":"no gw-secret-1 here"}}"#;
    let (endpoint, asked) = server(response("400 Bad Request", "", said)).await;
    let error = ask(&endpoint.with_headers(headers), LONG).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    let asked = asked.await.unwrap();
    assert_eq!(header(&asked, "x-gateway-key"), Some("gw-secret-1"));
    assert_eq!(header(&asked, "authorization"), Some("Bearer sk-test-key"));
    // One of ours is replaced, and not sent twice.
    let own = ExtraHeaders::parse(r#"{"Authorization": "Basic abc"}"#).unwrap();
    let (endpoint, asked) = server(response("400 Bad Request", "", "")).await;
    let _ = ask(&endpoint.with_headers(own), LONG).await;
    let asked = asked.await.unwrap();
    assert_eq!(asked.matches("authorization: ").count(), 1, "{asked}");
    assert_eq!(header(&asked, "authorization"), Some("Basic abc"));
}

#[tokio::test]
async fn a_key_that_is_missing_is_told_apart_from_one_that_is_refused() {
    let refused = response("401 Unauthorized", "", r#"{"error":{"message":"bad key"}}"#);
    let (endpoint, _) = server(refused.clone()).await;
    let error = ask(&endpoint, LONG).await.unwrap_err();
    assert!(error.to_string().contains("refused the key"), "{error}");
    let (endpoint, _) = server(refused).await;
    let error = ask(&Endpoint::new(endpoint.base(), None).unwrap(), LONG).await.unwrap_err();
    assert_eq!(error.kind.name(), "unauthorized");
    assert!(error.to_string().contains("none was given"), "{error}");
}

#[tokio::test]
async fn an_address_without_an_api_is_told_where_it_may_be() {
    for (status, body) in [
        ("404 Not Found", "page not found"),
        ("200 OK", r#"{"error":"Unexpected endpoint or method. (GET /models). Returning 200"}"#),
    ] {
        let (endpoint, _) = server(response(status, "", body)).await;
        let endpoint = at(&endpoint, "", "sk");
        let error = Client::new().unwrap().models(&endpoint, LONG).await.unwrap_err();
        assert_eq!(error.kind.name(), "no-api", "{body}: {error}");
        let hint = format!("most servers have it at {}/v1", endpoint.base());
        assert!(error.to_string().ends_with(&hint), "{error}");
    }
    // Whoever has said so already is not told.
    let (endpoint, _) = server(response("404 Not Found", "", "page not found")).await;
    let error = Client::new().unwrap().models(&endpoint, LONG).await.unwrap_err();
    assert!(!error.to_string().contains("have it at"), "{error}");
}

#[tokio::test]
async fn llama_cpp_is_asked_how_many_questions_it_works_on() {
    let (endpoint, asked) = server(response("200 OK", "", r#"{"total_slots":4}"#)).await;
    assert_eq!(Client::new().unwrap().slots(&endpoint, LONG).await, Some(4));
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("GET /props HTTP/1.1\r\n"), "{asked}");
}

#[tokio::test]
async fn a_server_shows_its_figures_to_whoever_has_the_key() {
    let metrics = "llamacpp:requests_deferred 2\n";
    let (endpoint, asked) = server(response("200 OK", "", metrics)).await;
    let figures = Client::new().unwrap().figures(&endpoint, LONG).await.unwrap();
    assert_eq!((figures.waiting, figures.kind), (Some(2), Some(ServerKind::LlamaCpp)));
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("GET /metrics HTTP/1.1\r\n"), "{asked}");
    assert_eq!(header(&asked, "authorization"), Some("Bearer sk-test-key"));
}
