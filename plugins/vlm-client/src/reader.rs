//! Makes the steps of an answer of the bytes of a response. Nothing in here does I/O.

use std::{collections::VecDeque, mem};

use crate::{
    AnswerEvent, Endpoint, Error, Summary, Usage,
    sse::Sse,
    thinking::{Piece, Thinking},
    wire::{self, Delta, StreamChunk, WholeAnswer},
};

/// More than any streamed answer within 32,768 tokens; a server that sends more is not answering.
const MAX_STREAM: usize = 16 << 20;
/// The same for an answer that comes as a whole.
const MAX_WHOLE: usize = 2 << 20;
/// The same for the text alone: 8 bytes a token.
const MAX_TEXT: usize = 256 << 10;
/// The longest name of a model or of a reason, in characters.
const MAX_NAME: usize = 256;
/// Whoever counts more tokens than this in one answer makes them up.
const MAX_TOKENS: u64 = 100_000_000;

/// Reads one answer. It holds no more than a piece of the network's, an event, and the whole of
/// an answer that is not streamed.
pub(crate) struct Reader {
    endpoint: Endpoint,
    form: Form,
    ready: VecDeque<AnswerEvent>,
    bytes: usize,
    text_bytes: usize,
    thinking: Thinking,
    summary: Summary,
}

enum Form {
    Streamed(Sse),
    /// The server answers with the whole although it was asked to stream, or was not asked to.
    Whole(Vec<u8>),
    Ended,
}

impl Reader {
    pub(crate) fn streamed(endpoint: Endpoint) -> Self {
        Self::new(endpoint, Form::Streamed(Sse::default()))
    }

    pub(crate) fn whole(endpoint: Endpoint) -> Self {
        Self::new(endpoint, Form::Whole(Vec::new()))
    }

    fn new(endpoint: Endpoint, form: Form) -> Self {
        Self {
            endpoint,
            form,
            ready: VecDeque::new(),
            bytes: 0,
            text_bytes: 0,
            thinking: Thinking::default(),
            summary: Summary::default(),
        }
    }

    /// The next step that is known.
    pub(crate) fn next(&mut self) -> Option<AnswerEvent> {
        self.ready.pop_front()
    }

    /// Whether no step follows those that are known.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.form, Form::Ended)
    }

    /// Takes bytes of the body. After an error nothing follows.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        self.bytes += bytes.len();
        let result = match mem::replace(&mut self.form, Form::Ended) {
            Form::Streamed(sse) => self.feed_events(sse, bytes),
            Form::Whole(_) if self.bytes > MAX_WHOLE => {
                Err(self.protocol(&format!("its answer is larger than {MAX_WHOLE} bytes")))
            }
            Form::Whole(mut body) => {
                body.extend_from_slice(mem::take(&mut bytes));
                self.form = Form::Whole(body);
                Ok(())
            }
            Form::Ended => Ok(()),
        };
        if result.is_err() {
            self.form = Form::Ended;
        }
        result
    }

    /// The body has ended.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        match mem::replace(&mut self.form, Form::Ended) {
            // Some servers leave the closing [DONE] out; a finish reason is as good.
            Form::Streamed(_) if self.summary.finish_reason.is_empty() => {
                Err(self.cut("the connection was closed"))
            }
            Form::Streamed(_) => {
                self.finish();
                Ok(())
            }
            Form::Whole(body) => self.take_whole(&body),
            Form::Ended => Ok(()),
        }
    }

    pub(crate) fn cut(&self, reason: &str) -> Error {
        Error::Cut { base: self.base(), reason: self.endpoint.without_key(reason) }
    }

    /// The error as it is for whoever asked.
    pub(crate) fn told(&self, error: Error) -> Error {
        self.endpoint.told(error)
    }

    pub(crate) fn base(&self) -> String {
        self.endpoint.base().to_owned()
    }

    fn feed_events(&mut self, mut sse: Sse, mut bytes: &[u8]) -> Result<(), Error> {
        if self.bytes > MAX_STREAM {
            return Err(self.protocol(&format!("its answer is larger than {MAX_STREAM} bytes")));
        }
        while let Some(data) =
            sse.next(&mut bytes).map_err(|error| self.protocol(&error.to_string()))?
        {
            if data.trim() == "[DONE]" {
                self.finish();
                return Ok(());
            }
            self.take_chunk(&data)?;
        }
        self.form = Form::Streamed(sse);
        Ok(())
    }

    fn take_chunk(&mut self, text: &str) -> Result<(), Error> {
        // Some servers keep the connection busy with events that say nothing.
        if text.is_empty() {
            return Ok(());
        }
        let chunk: StreamChunk = serde_json::from_str(text).map_err(|error| {
            self.protocol(&format!("a piece of its answer is unreadable ({error})"))
        })?;
        if let Some(error) = chunk.error {
            let said = wire::error_message(&error).unwrap_or_else(|| error.to_string());
            return Err(self.cut(&said));
        }
        self.summary.usage = chunk.usage.map(believable).or(self.summary.usage);
        self.summary.model = chunk.model.map(name).or(self.summary.model.take());
        for choice in chunk.choices {
            if let Some(delta) = choice.delta {
                self.take_delta(delta)?;
            }
            if let Some(reason) = choice.finish_reason {
                self.summary.finish_reason = name(reason);
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
        self.take_delta(choice.message)?;
        self.summary = Summary {
            finish_reason: choice.finish_reason.map_or_else(|| "stop".into(), name),
            usage: answer.usage.map(believable),
            model: answer.model.map(name),
        };
        self.finish();
        Ok(())
    }

    fn take_delta(&mut self, delta: Delta) -> Result<(), Error> {
        let (reasoning, text) = delta.parts();
        self.text_bytes += reasoning.len() + text.len();
        if self.text_bytes > MAX_TEXT {
            return Err(self.protocol(&format!("its answer is longer than {MAX_TEXT} bytes")));
        }
        if !reasoning.is_empty() {
            self.give(Piece::Reasoning(reasoning));
        }
        for piece in self.thinking.feed(&text) {
            self.give(piece);
        }
        Ok(())
    }

    fn give(&mut self, piece: Piece) {
        // C strings end at a zero.
        let plain =
            |text: String| if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text };
        self.ready.push_back(match piece {
            Piece::Answer(text) => AnswerEvent::Text(plain(text)),
            Piece::Reasoning(text) => AnswerEvent::Reasoning(plain(text)),
        });
    }

    fn finish(&mut self) {
        if let Some(piece) = self.thinking.end() {
            self.give(piece);
        }
        self.ready.push_back(AnswerEvent::Done(mem::take(&mut self.summary)));
        self.form = Form::Ended;
    }

    fn protocol(&self, reason: &str) -> Error {
        Error::Protocol { base: self.base(), reason: self.endpoint.without_key(reason) }
    }
}

fn name(text: String) -> String {
    let is_plain = |text: &str| text.len() <= MAX_NAME && !text.contains(char::is_control);
    if is_plain(&text) {
        return text;
    }
    text.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}

fn believable(usage: Usage) -> Usage {
    Usage {
        prompt_tokens: usage.prompt_tokens.min(MAX_TOKENS),
        completion_tokens: usage.completion_tokens.min(MAX_TOKENS),
    }
}
