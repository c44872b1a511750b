//! What the client's tests share.

use std::time::Duration;

use vlm_client::{AnswerEvent, AskHeaders, ChatRequest, Client, Endpoint, Error, Picture};

pub(crate) fn question() -> ChatRequest {
    ChatRequest {
        model: "some-model".into(),
        prompt: "What is it?".into(),
        pictures: vec![Picture::jpeg(b"jpeg")],
        max_tokens: 10,
        stream: true,
        ..ChatRequest::default()
    }
}

/// All that a new client makes of the reply to [`question`].
pub(crate) async fn ask(endpoint: &Endpoint, timeout: Duration) -> Result<Vec<AnswerEvent>, Error> {
    let mut answer =
        Client::new().unwrap().ask(endpoint, &question(), &AskHeaders::default(), timeout).await?;
    let mut events = Vec::new();
    while let Some(event) = answer.next().await {
        events.push(event?);
    }
    Ok(events)
}
