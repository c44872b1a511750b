//! Servers that do not take what others take.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::post};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use vlm_client::{AskHeaders, ChatRequest, Client, Endpoint, Error, ExtraBody};

use super::support;

const LONG: Duration = Duration::from_secs(20);

type Script = dyn Fn(&Map<String, Value>) -> Option<(u16, String)> + Send + Sync;

/// A server that refuses what its script says, and remembers every request.
#[derive(Clone)]
struct Server {
    endpoint: Endpoint,
    requests: Arc<Mutex<Vec<Map<String, Value>>>>,
    refuses: Arc<Script>,
}

impl Server {
    async fn start(
        refuses: impl Fn(&Map<String, Value>) -> Option<(u16, String)> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let endpoint = Endpoint::new(&base, None).unwrap();
        let server = Self { endpoint, requests: Arc::default(), refuses: Arc::new(refuses) };
        let router = Router::new()
            .route("/v1/chat/completions", post(completions))
            .with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    /// What the requests had that came since this was asked last, without what all have.
    fn fields(&self) -> Vec<Vec<String>> {
        let requests = std::mem::take(&mut *self.requests.lock().unwrap());
        let mut requests: Vec<Vec<String>> = requests
            .into_iter()
            .map(|request| request.into_iter().map(|(n, _)| n).collect())
            .collect();
        for fields in &mut requests {
            for name in ["messages", "model", "stream"] {
                let at =
                    fields.iter().position(|field| field == name).expect("it is never left out");
                fields.remove(at);
            }
            fields.sort();
        }
        requests
    }
}

async fn completions(
    State(server): State<Server>,
    Json(request): Json<Map<String, Value>>,
) -> impl IntoResponse {
    server.requests.lock().unwrap().push(request.clone());
    match (server.refuses)(&request) {
        Some((status, body)) => (StatusCode::from_u16(status).unwrap(), body),
        None => {
            let choice = json!({"message": {"content": "A ball"}, "finish_reason": "stop"});
            (StatusCode::OK, json!({"choices": [choice]}).to_string())
        }
    }
}

fn question() -> ChatRequest {
    ChatRequest {
        model: "m".into(),
        temperature: Some(0.2),
        user: "u1".into(),
        ..support::question()
    }
}

async fn ask(client: &Client, server: &Server, question: &ChatRequest) -> Result<(), Error> {
    client.ask(&server.endpoint, question, &AskHeaders::default(), LONG).await.map(drop)
}

/// As OpenAI's newer models, behind a server that knows nothing newer than itself.
fn picky(request: &Map<String, Value>) -> Option<(u16, String)> {
    let refused = [
        ("stream_options", "Unrecognized request argument supplied: stream_options"),
        ("user", "Unrecognized request argument supplied: user"),
        ("max_tokens", "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        ("temperature", "'temperature' does not support 0.2 with this model. Only the default (1)"),
    ];
    let (_, said) = refused.iter().find(|(field, _)| request.contains_key(*field))?;
    Some((400, json!({"error": {"message": said}}).to_string()))
}

#[tokio::test]
async fn a_server_that_refuses_one_field_after_the_other_answers_and_is_asked_so_from_then_on() {
    let server = Server::start(picky).await;
    let client = Client::new().unwrap();
    ask(&client, &server, &question()).await.unwrap();
    assert_eq!(server.fields().len(), 5);
    // A clone knows it, too.
    ask(&client.clone(), &server, &question()).await.unwrap();
    assert_eq!(server.fields(), [["max_completion_tokens"]]);
    // Of another model nothing is known.
    let other = ChatRequest { model: "other".into(), ..question() };
    ask(&client, &server, &other).await.unwrap();
    assert_eq!(server.fields().len(), 5);
}

#[tokio::test]
async fn a_model_that_does_not_stream_is_asked_for_the_whole_from_then_on() {
    let server = Server::start(|request| {
        let said = json!({"error": {
            "message": "Your organization must be verified to stream this model.",
            "param": "stream",
            "code": "unsupported_value",
        }});
        (request["stream"] == true).then(|| (400, said.to_string()))
    })
    .await;
    let client = Client::new().unwrap();
    ask(&client, &server, &question()).await.unwrap();
    let usual = ["max_tokens", "stream_options", "temperature", "user"];
    let whole = ["max_tokens", "temperature", "user"];
    assert_eq!(server.fields(), [&usual[..], &whole]);
    ask(&client, &server, &question()).await.unwrap();
    assert_eq!(server.fields(), [whole]);
}

#[tokio::test]
async fn what_cannot_be_mended_is_asked_once_and_told_in_the_servers_words() {
    let said =
        r#"{"detail":[{"loc":["body","messages"],"msg":"the moon is in the wrong quarter"}]}"#;
    let server = Server::start(move |_| Some((422, said.into()))).await;
    let error = ask(&Client::new().unwrap(), &server, &question()).await.unwrap_err();
    assert_eq!(error.kind.name(), "bad-request");
    assert!(error.to_string().contains("the moon is in the wrong quarter"), "{error}");
    assert_eq!(server.fields().len(), 1);
}

#[tokio::test]
async fn a_server_that_refuses_the_same_field_again_and_again_is_left_in_peace() {
    let said = "unknown field `user`";
    let server = Server::start(move |_| Some((400, said.into()))).await;
    let client = Client::new().unwrap();
    let error = ask(&client, &server, &question()).await.unwrap_err();
    assert!(error.to_string().contains("unknown field"), "{error}");
    assert_eq!(server.fields().len(), 2);
    // It did not help, so nothing is made of it.
    ask(&client, &server, &question()).await.unwrap_err();
    assert!(server.fields()[0].contains(&"user".to_owned()));
}

#[tokio::test]
async fn fields_that_the_user_added_are_sent_as_they_are() {
    let server = Server::start(picky).await;
    let extra = r#"{"temperature": 1, "stream_options": null, "max_tokens": null, "user": null}"#;
    let question = ChatRequest { extra: ExtraBody::parse(extra).unwrap(), ..question() };
    let error = ask(&Client::new().unwrap(), &server, &question).await.unwrap_err();
    assert!(error.to_string().contains("temperature"), "{error}");
    assert_eq!(server.fields(), [["temperature"]]);
}

#[tokio::test]
async fn a_refusal_that_quotes_the_picture_is_understood_by_its_beginning() {
    let long = "A".repeat(1 << 20);
    let server = Server::start(move |request| {
        let said = format!("unknown field \"stream_options\" in {long}");
        request.contains_key("stream_options").then_some((400, said))
    })
    .await;
    ask(&Client::new().unwrap(), &server, &question()).await.unwrap();
    assert_eq!(server.fields().len(), 2);
}
