use std::time::Duration;

use reqwest::{Response, header};
use tokio::time::{Instant, timeout_at};

use crate::{Endpoint, Error, Usage, client, reader::Reader};

/// A step of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerEvent {
    /// The next piece of its text; never empty.
    Text(String),
    /// The next piece of what the model thinks before it answers; never empty. Servers tell it
    /// apart (`reasoning_content`), or the model does (`<think>`).
    Reasoning(String),
    /// The answer is complete; nothing follows.
    Done(Summary),
}

/// What is known of an answer once it is complete.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Why the model stopped: `stop`, `length`, ...; empty if the server does not say.
    pub finish_reason: String,
    /// Tokens by the server's count, if it counts.
    pub usage: Option<Usage>,
    /// The model that answered, if the server says.
    pub model: Option<String>,
}

/// An answer that is being written. Dropping it cancels the question on the wire.
pub struct AnswerStream {
    deadline: Instant,
    timeout: Duration,
    /// `None` when nothing more is wanted of it.
    response: Option<Response>,
    reader: Reader,
}

impl AnswerStream {
    pub(crate) fn new(
        response: Response,
        endpoint: Endpoint,
        deadline: Instant,
        timeout: Duration,
    ) -> Self {
        let is_stream = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("text/event-stream"));
        let reader = if is_stream { Reader::streamed(endpoint) } else { Reader::whole(endpoint) };
        Self { deadline, timeout, response: Some(response), reader }
    }

    /// The next step; `None` after [`AnswerEvent::Done`] or an error.
    pub async fn next(&mut self) -> Option<Result<AnswerEvent, Error>> {
        loop {
            if let Some(event) = self.reader.next() {
                return Some(Ok(event));
            }
            if self.reader.has_ended() {
                self.response = None;
            }
            let response = self.response.as_mut()?;
            let taken = match timeout_at(self.deadline, response.chunk()).await {
                Ok(Ok(Some(bytes))) => self.reader.feed(&bytes),
                Ok(Ok(None)) => self.reader.end(),
                Ok(Err(error)) => Err(self.reader.cut(&client::reason(&error))),
                Err(_) => Err(Error::Timeout { base: self.reader.base(), after: self.timeout }),
            };
            if let Err(error) = taken {
                self.response = None;
                return Some(Err(self.reader.told(error)));
            }
        }
    }
}
