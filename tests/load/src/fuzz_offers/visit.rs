//! Plays a case against a server.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use live_vlm_offers::{Case, Hurry, Step};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

/// Longer than the server gives any request.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came of an offer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reply {
    /// A status, with the code of the refusal if it is one.
    Said(u16, String),
    /// Nobody waited for it.
    Left,
    /// There was none in time.
    Silence,
    /// The connection was refused or cut off.
    Gone,
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Said(status, code) => write!(f, "{status} {code}"),
            Self::Left => f.write_str("not waited for"),
            Self::Silence => f.write_str("no reply"),
            Self::Gone => f.write_str("connection lost"),
        }
    }
}

/// The replies to the offers of a case, in their order. Ends early when the server is gone.
pub(super) async fn play(http: &reqwest::Client, address: &str, case: &Case) -> Vec<Reply> {
    let id = Uuid::new_v4().to_string();
    let url = format!("ws://{address}/ws?session_id={id}");
    let opened = timeout(PATIENCE, tokio_tungstenite::connect_async(url)).await;
    let Ok(Ok((socket, _))) = opened else { return vec![Reply::Gone] };
    let (mut say, mut hear) = socket.split();
    // A page that does not read is cut off.
    let reader = tokio::spawn(async move { while let Some(Ok(_)) = hear.next().await {} });
    let mut replies = Vec::new();
    for step in &case.steps {
        match step {
            Step::Offer(sdp) => replies.push(post(http, address, &id, sdp).await),
            Step::Hurry { sdp, after_ms, then } => {
                let posted = post(http, address, &id, sdp);
                tokio::pin!(posted);
                let early = timeout(Duration::from_millis(*after_ms), &mut posted).await;
                replies.push(match (early, then) {
                    (Ok(reply), _) => reply,
                    (Err(_), Hurry::Leave) => Reply::Left,
                    (Err(_), Hurry::HangUp) => {
                        let _ =
                            say.send(Message::text(json!({"type": "hang_up"}).to_string())).await;
                        posted.await
                    }
                });
            }
            Step::Say(message) => {
                // It may have been cut off for what it said; that is no death.
                let _ = say.send(Message::text(message.to_string())).await;
            }
            Step::Wait(ms) => sleep(Duration::from_millis(*ms)).await,
        }
        if matches!(replies.last(), Some(Reply::Gone)) {
            break;
        }
    }
    let _ = timeout(PATIENCE, say.close()).await;
    reader.abort();
    replies
}

async fn post(http: &reqwest::Client, address: &str, id: &str, sdp: &str) -> Reply {
    let body = json!({"sdp": sdp, "type": "offer", "session_id": id});
    let request = http.post(format!("http://{address}/offer")).json(&body).timeout(PATIENCE);
    match request.send().await {
        Ok(response) => {
            let status = response.status();
            match response.json::<Value>().await {
                Ok(body) => {
                    let code = body["code"].as_str().unwrap_or_default().to_owned();
                    Reply::Said(status.as_u16(), code)
                }
                Err(error) if error.is_decode() => {
                    Reply::Said(status.as_u16(), "not JSON".to_owned())
                }
                Err(_) => Reply::Gone,
            }
        }
        Err(error) if error.is_timeout() => Reply::Silence,
        Err(_) => Reply::Gone,
    }
}
