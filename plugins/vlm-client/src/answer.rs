use std::{collections::VecDeque, pin::Pin, time::Duration};

use bytes::Bytes;
use eventsource_stream::{EventStreamError, Eventsource};
use futures_util::{Stream, StreamExt};
use reqwest::{Response, header};
use tokio::time::{Instant, timeout_at};

use crate::{
    Endpoint, Error, Usage, client,
    wire::{self, StreamChunk, WholeAnswer},
};

/// More than any answer within 32,768 tokens; a server that sends more is not answering.
const BODY_LIMIT: usize = 16 << 20;
/// The same for the text alone: 8 bytes a token.
const TEXT_LIMIT: usize = 256 << 10;

/// A step of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerEvent {
    /// The next piece of its text; never empty.
    Text(String),
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
    endpoint: Endpoint,
    deadline: Instant,
    timeout: Duration,
    state: State,
    ready: VecDeque<AnswerEvent>,
    text_bytes: usize,
    summary: Summary,
}

enum State {
    Streamed(SseStream),
    /// The server answers with the whole although it was asked to stream, or was not asked to.
    Whole(Box<Response>),
    Ended,
}

type SseStream = Pin<Box<dyn Stream<Item = Result<String, SseError>> + Send>>;

enum SseError {
    Cut(String),
    Protocol(String),
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
        let state = if is_stream {
            State::Streamed(sse(response))
        } else {
            State::Whole(Box::new(response))
        };
        Self {
            endpoint,
            deadline,
            timeout,
            state,
            ready: VecDeque::new(),
            text_bytes: 0,
            summary: Summary::default(),
        }
    }

    /// The next step; `None` after [`AnswerEvent::Done`] or an error.
    pub async fn next(&mut self) -> Option<Result<AnswerEvent, Error>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if matches!(self.state, State::Ended) {
                return None;
            }
            let read = match timeout_at(self.deadline, read(&mut self.state)).await {
                Ok(read) => read,
                Err(_) => Err(Error::Timeout { base: self.base(), after: self.timeout }),
            };
            match read.and_then(|step| self.take(step)) {
                Ok(()) => {}
                Err(error) => {
                    self.state = State::Ended;
                    return Some(Err(self.named(error)));
                }
            }
        }
    }

    fn take(&mut self, step: Step) -> Result<(), Error> {
        match step {
            Step::Chunk(text) => self.take_chunk(&text),
            Step::Whole(body) => self.take_whole(&body),
            Step::Finished => {
                self.finish();
                Ok(())
            }
            // Some servers leave the closing [DONE] out; a finish reason is as good.
            Step::EndOfBody if !self.summary.finish_reason.is_empty() => {
                self.finish();
                Ok(())
            }
            Step::EndOfBody => {
                Err(Error::Cut { base: self.base(), reason: "the connection was closed".into() })
            }
        }
    }

    fn take_chunk(&mut self, text: &str) -> Result<(), Error> {
        let chunk: StreamChunk = serde_json::from_str(text).map_err(|error| {
            self.protocol(&format!("a piece of its answer is unreadable ({error})"))
        })?;
        if let Some(error) = chunk.error {
            let said = wire::error_message(&error).unwrap_or_else(|| error.to_string());
            return Err(Error::Cut { base: self.base(), reason: self.endpoint.without_key(&said) });
        }
        self.summary.usage = chunk.usage.or(self.summary.usage);
        self.summary.model = chunk.model.or(self.summary.model.take());
        for choice in chunk.choices {
            let text = choice.delta.and_then(|delta| delta.content).unwrap_or_default();
            self.take_text(text)?;
            if let Some(reason) = choice.finish_reason {
                self.summary.finish_reason = reason;
            }
        }
        Ok(())
    }

    fn take_whole(&mut self, body: &[u8]) -> Result<(), Error> {
        let answer: WholeAnswer = serde_json::from_slice(body).map_err(|error| {
            let body = self.endpoint.without_key(&String::from_utf8_lossy(body));
            let start: String = body.chars().take(60).collect();
            self.protocol(&format!("expected a chat completion, got {start:?} ({error})"))
        })?;
        let Some(choice) = answer.choices.into_iter().next() else {
            return Err(self.protocol("its answer has no choices"));
        };
        let text = choice.message.content.unwrap_or_default();
        self.take_text(text)?;
        self.summary = Summary {
            finish_reason: choice.finish_reason.unwrap_or_else(|| "stop".into()),
            usage: answer.usage,
            model: answer.model,
        };
        self.finish();
        Ok(())
    }

    fn take_text(&mut self, text: String) -> Result<(), Error> {
        self.text_bytes += text.len();
        if self.text_bytes > TEXT_LIMIT {
            return Err(self.protocol(&format!("its answer is longer than {TEXT_LIMIT} bytes")));
        }
        if !text.is_empty() {
            self.ready.push_back(AnswerEvent::Text(text));
        }
        Ok(())
    }

    fn finish(&mut self) {
        self.ready.push_back(AnswerEvent::Done(std::mem::take(&mut self.summary)));
        self.state = State::Ended;
    }

    fn base(&self) -> String {
        self.endpoint.base().to_owned()
    }

    fn protocol(&self, reason: &str) -> Error {
        Error::Protocol { base: self.base(), reason: self.endpoint.without_key(reason) }
    }

    /// Errors from the body do not know which server they came from.
    fn named(&self, error: Error) -> Error {
        match error {
            Error::Cut { reason, .. } => Error::Cut { base: self.base(), reason },
            Error::Protocol { reason, .. } => Error::Protocol { base: self.base(), reason },
            other => other,
        }
    }
}

enum Step {
    Chunk(String),
    Whole(Vec<u8>),
    Finished,
    EndOfBody,
}

async fn read(state: &mut State) -> Result<Step, Error> {
    let base = String::new;
    match state {
        State::Streamed(events) => match events.next().await {
            Some(Ok(data)) if data.trim() == "[DONE]" => Ok(Step::Finished),
            Some(Ok(data)) => Ok(Step::Chunk(data)),
            Some(Err(SseError::Cut(reason))) => Err(Error::Cut { base: base(), reason }),
            Some(Err(SseError::Protocol(reason))) => Err(Error::Protocol { base: base(), reason }),
            None => Ok(Step::EndOfBody),
        },
        State::Whole(_) => {
            // A body is read once; should the time run out meanwhile, the state has ended.
            let State::Whole(response) = std::mem::replace(state, State::Ended) else {
                return Ok(Step::EndOfBody);
            };
            let body = client::body(*response, BODY_LIMIT)
                .await
                .map_err(|reason| Error::Cut { base: base(), reason })?;
            Ok(Step::Whole(body))
        }
        State::Ended => Ok(Step::EndOfBody),
    }
}

fn sse(response: Response) -> SseStream {
    let mut read = 0;
    let bounded = response.bytes_stream().map(move |chunk: reqwest::Result<Bytes>| {
        let chunk = chunk.map_err(|error| SseError::Cut(client::reason(&error)))?;
        read += chunk.len();
        if read > BODY_LIMIT {
            return Err(SseError::Protocol(format!(
                "its answer is larger than {BODY_LIMIT} bytes"
            )));
        }
        Ok(chunk)
    });
    Box::pin(bounded.eventsource().map(|event| match event {
        Ok(event) => Ok(event.data),
        Err(EventStreamError::Transport(error)) => Err(error),
        Err(EventStreamError::Utf8(error)) => Err(SseError::Protocol(error.to_string())),
        Err(EventStreamError::Parser(_)) => {
            Err(SseError::Protocol("its event stream is malformed".into()))
        }
    }))
}
