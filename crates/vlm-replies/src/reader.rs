//! Reads the bytes of a response: an event stream, or a whole answer, whatever its content type
//! says. Nothing in here does I/O.

use std::mem;

use super::{
    composer::{Composer, Json},
    ending::Ending,
    event::AnswerEvent,
    failure::Failure,
    secrets::Secrets,
    sse::Sse,
};

/// More than any streamed answer within 32,768 tokens; a server that sends more is not answering.
const MAX_STREAM: usize = 16 << 20;
/// The same for an answer that comes as a whole.
const MAX_WHOLE: usize = 2 << 20;
/// How much is shown of what is no answer, in characters.
const SHOWN: usize = 60;
/// The names of fields that an event stream may begin with.
const FIELDS: [&str; 5] = ["data", "event", "error", "retry", "id"];
const LONGEST_FIELD: usize = 5;
/// How many blanks may stand between a field and its colon.
const MOST_BLANKS: usize = 16;
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Reads one answer. It holds no more than a piece of the network's, an event, and the whole of
/// an answer that is not streamed.
pub struct Reader {
    composer: Composer,
    form: Form,
    bytes: usize,
}

/// How a body ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Whole,
    /// Something else than its end is to blame for whatever is missing.
    Early,
}

impl End {
    /// What is to blame; `None` if that is what ended it early.
    fn or_early(self, failure: impl FnOnce() -> Failure) -> Option<Failure> {
        match self {
            Self::Whole => Some(failure()),
            Self::Early => None,
        }
    }
}

enum Form {
    /// What has come, but for the white space before it, does not tell yet.
    Unknown(Vec<u8>),
    Streamed(Box<Sse>),
    /// The server answers with the whole although it was asked to stream, or was not asked to.
    Whole(Vec<u8>),
    Ended,
}

impl Reader {
    /// For what a server answers when it is asked for this model.
    pub fn new(secrets: Secrets, model: String) -> Self {
        let composer = Composer::new(secrets, model);
        Self { composer, form: Form::Unknown(Vec::new()), bytes: 0 }
    }

    /// The next step that is known.
    pub fn step(&mut self) -> Option<AnswerEvent> {
        self.composer.next()
    }

    /// Whether no step follows those that are known.
    pub fn has_ended(&self) -> bool {
        matches!(self.form, Form::Ended)
    }

    /// Whether the answer is at its end, so that what else the server may say need not be waited for.
    pub fn ending(&self) -> Ending {
        self.composer.ending()
    }

    /// Takes bytes of the body. After an error nothing follows.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.bytes += bytes.len();
        let result = match mem::replace(&mut self.form, Form::Ended) {
            Form::Unknown(mut begun) => {
                begun.extend_from_slice(bytes);
                self.begin(&begun, false)
            }
            Form::Streamed(sse) => self.feed_events(sse, bytes),
            Form::Whole(mut body) => {
                body.extend_from_slice(bytes);
                self.keep(body)
            }
            Form::Ended => Ok(()),
        };
        if result.is_err() {
            self.form = Form::Ended;
        }
        result
    }

    /// The body has ended.
    pub fn end(&mut self) -> Result<(), Failure> {
        self.end_as(End::Whole).map_err(|failure| failure.unwrap_or_else(|| self.cut()))
    }

    /// The body does not go on, for a reason that the caller knows. What is complete is an answer
    /// all the same; if it is not, the failure is what the server has said that explains it, if
    /// anything.
    pub fn end_early(&mut self) -> Result<(), Option<Failure>> {
        self.end_as(End::Early)
    }

    fn cut(&self) -> Failure {
        Failure::Cut { reason: "the connection was closed".to_owned() }
    }

    /// Tells the form by the first bytes.
    fn begin(&mut self, begun: &[u8], is_all: bool) -> Result<(), Failure> {
        let begun = without_space(begun);
        match is_event_stream(begun) {
            Some(true) => self.feed_events(Box::default(), begun),
            None if !is_all && self.bytes < MAX_WHOLE => {
                self.form = Form::Unknown(begun.to_vec());
                Ok(())
            }
            _ => self.keep(begun.to_vec()),
        }
    }

    fn keep(&mut self, body: Vec<u8>) -> Result<(), Failure> {
        if body.len() > MAX_WHOLE {
            return Err(self.protocol(&format!("its answer is larger than {MAX_WHOLE} bytes")));
        }
        self.form = Form::Whole(body);
        Ok(())
    }

    fn feed_events(&mut self, mut sse: Box<Sse>, mut bytes: &[u8]) -> Result<(), Failure> {
        if self.bytes > MAX_STREAM {
            return Err(self.protocol(&format!("its answer is larger than {MAX_STREAM} bytes")));
        }
        while let Some(event) =
            sse.next(&mut bytes).map_err(|error| self.protocol(&error.to_string()))?
        {
            if self.composer.take(&event.name, &event.data)? {
                return self.composer.finish();
            }
        }
        self.form = Form::Streamed(sse);
        Ok(())
    }

    fn end_as(&mut self, end: End) -> Result<(), Option<Failure>> {
        if let Form::Unknown(begun) = &mut self.form {
            let begun = mem::take(begun);
            self.begin(&begun, true)?;
        }
        match mem::replace(&mut self.form, Form::Ended) {
            Form::Streamed(sse) => self.end_events(*sse, end),
            Form::Whole(body) => self.end_whole(&body, end),
            Form::Unknown(_) | Form::Ended => Ok(()),
        }
    }

    fn end_events(&mut self, mut sse: Sse, end: End) -> Result<(), Option<Failure>> {
        while let Some(event) = sse.end().map_err(|error| self.protocol(&error.to_string()))? {
            if self.composer.take(&event.name, &event.data)? {
                return Ok(self.composer.finish()?);
            }
        }
        self.conclude(end)
    }

    /// Nothing more of a stream comes.
    fn conclude(&mut self, end: End) -> Result<(), Option<Failure>> {
        // Some servers leave the closing [DONE] out; a finish reason is as good.
        let is_complete = match end {
            End::Whole => self.composer.has_stopped(),
            End::Early => self.composer.ending().is_complete(),
        };
        if is_complete || self.composer.is_done() {
            return Ok(self.composer.finish()?);
        }
        Err(self.composer.explanation().or_else(|| end.or_early(|| self.cut())))
    }

    fn end_whole(&mut self, body: &[u8], end: End) -> Result<(), Option<Failure>> {
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        match self.composer.take_json(text)? {
            Json::One if self.composer.has_choices() => {
                self.composer.stop();
                return Ok(self.composer.finish()?);
            }
            Json::Several if self.composer.has_choices() => return self.conclude(end),
            Json::One | Json::Several => {
                let explanation = self.composer.explanation();
                return Err(explanation.or_else(|| Some(self.no_completion(text))));
            }
            Json::Not => {}
        }
        // Events behind something else, or one object a line.
        let is_event = |line: &str| line.starts_with("data:") || line.starts_with('{');
        let events = text.lines().filter(|line| is_event(line.trim())).count();
        if events < 2 {
            return Err(end.or_early(|| self.no_completion(text)));
        }
        match self.feed_events(Box::default(), text.as_bytes()) {
            Ok(()) => match mem::replace(&mut self.form, Form::Ended) {
                Form::Streamed(sse) => self.end_events(*sse, end),
                _ => Ok(()),
            },
            Err(_) if !self.composer.has_choices() => {
                Err(end.or_early(|| self.no_completion(text)))
            }
            Err(other) => Err(Some(other)),
        }
    }

    fn no_completion(&self, text: &str) -> Failure {
        let said = self.composer.secrets().blotted_out(text);
        let start: String = said.chars().take(SHOWN).collect();
        self.protocol(&format!("expected a chat completion, got {start:?}"))
    }

    fn protocol(&self, reason: &str) -> Failure {
        Failure::Protocol { reason: self.composer.secrets().blotted_out(reason) }
    }
}

/// Both may come in any order, and in pieces.
fn without_space(mut begun: &[u8]) -> &[u8] {
    begun = begun.trim_ascii_start();
    while let Some(rest) = begun.strip_prefix(BOM) {
        begun = rest.trim_ascii_start();
    }
    begun
}

/// Whether a body that begins so is an event stream; `None` if that is not known yet.
fn is_event_stream(begun: &[u8]) -> Option<bool> {
    let text = without_space(begun);
    if BOM.starts_with(text) {
        return None;
    }
    if text.starts_with(b":") {
        return Some(true);
    }
    let end = text.iter().position(|byte| !byte.is_ascii_alphabetic());
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let is_field = FIELDS.iter().any(|field| field.as_bytes().eq_ignore_ascii_case(name));
    match rest.first() {
        Some(b'\n' | b'\r') => Some(is_field),
        Some(_) if !is_field => Some(false),
        Some(_) => match rest.iter().take_while(|byte| **byte == b' ').count() {
            MOST_BLANKS.. => Some(false),
            blanks => rest.get(blanks).map(|byte| *byte == b':'),
        },
        None if name.len() > LONGEST_FIELD => Some(false),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stream_is_known_by_its_first_bytes() {
        for stream in [
            "data: {}",
            "data:{}",
            "\u{FEFF}data: {}",
            "\n\u{FEFF}\n\u{FEFF}data: {}",
            "\n\ndata:",
            ": ping",
            "event: x",
            "DATA:",
            "data\n",
            "data : {}",
        ] {
            assert_eq!(is_event_stream(stream.as_bytes()), Some(true), "{stream:?}");
        }
        for other in ["{\"data\"", " {", "[", "<html>", "database", "data 1", "Error 5", "\0", "7"]
        {
            assert_eq!(is_event_stream(other.as_bytes()), Some(false), "{other:?}");
        }
        for beginning in ["", " ", "\n", "d", "data", "data ", "\u{FEFF}"] {
            assert_eq!(is_event_stream(beginning.as_bytes()), None, "{beginning:?}");
        }
        assert_eq!(is_event_stream(b"\xEF\xBB"), None);
        assert_eq!(is_event_stream(format!("data{}", " ".repeat(99)).as_bytes()), Some(false));
    }

    #[test]
    fn white_space_before_an_answer_is_looked_at_once() {
        let mut reader = Reader::new(Secrets::default(), "m".into());
        for piece in [&b"\xEF\xBB"[..], b"\xBF", b"\n\n", b" ", b"da"] {
            reader.feed(piece).unwrap();
        }
        assert!(matches!(&reader.form, Form::Unknown(begun) if begun == b"da"));
        reader.feed(b"ta: {}").unwrap();
        assert!(matches!(reader.form, Form::Streamed(_)));
    }
}
