//! Puts an answer together of what the events of a stream say, or a whole body. Nothing in here does
//! I/O.

use std::mem;

use super::{
    completion::{Choice, Completion},
    ending::Ending,
    event::{AnswerEvent, Summary, Usage},
    failure::Failure,
    fault::Fault,
    remarks,
    repair::repaired,
    secrets::Secrets,
    steps::Steps,
    stops::{self, Stop},
    thinking::{Piece, Thinking},
    values::Values,
    words::shown,
};

/// The longest text of an answer, in bytes: 8 a token.
const MAX_TEXT: usize = 256 << 10;
/// The longest name of a model or of a reason, in characters.
const MAX_NAME: usize = 256;
/// Longer texts are looked through for marks in parts of so many bytes.
const PART: usize = 4 << 10;
/// How much is shown of what cannot be read, in characters.
const SHOWN: usize = 60;

/// An answer, as far as it has come.
pub(crate) struct Composer {
    secrets: Secrets,
    /// The model that was asked.
    model: String,
    thinking: Thinking,
    steps: Steps,
    summary: Summary,
    text_bytes: usize,
    /// The choice that is read: that which came first.
    index: Option<f64>,
    /// What has come of an answer that comes in messages in the place of deltas.
    in_messages: Messages,
    has_deltas: bool,
    has_choices: bool,
    /// Whether anything of the answer has come, or in its place.
    has_begun: bool,
    ending: Ending,
    /// Whether `[DONE]` has come.
    is_done: bool,
    wants_tools: bool,
    refusal: String,
    filtered: String,
    /// What may explain why there is no answer.
    remark: Option<Fault>,
    /// Whether no text came behind it.
    is_remark_last: bool,
    unreadable: Option<String>,
}

/// What a text was, as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Json {
    Not,
    /// One value.
    One,
    /// Some, one behind the other.
    Several,
}

/// What has come in messages that each repeat those before.
#[derive(Default)]
struct Messages {
    thought: String,
    text: String,
}

impl Composer {
    pub(crate) fn new(secrets: Secrets, model: String) -> Self {
        Self {
            secrets,
            model,
            thinking: Thinking::default(),
            steps: Steps::default(),
            summary: Summary::default(),
            text_bytes: 0,
            index: None,
            in_messages: Messages::default(),
            has_deltas: false,
            has_choices: false,
            has_begun: false,
            ending: Ending::default(),
            is_done: false,
            wants_tools: false,
            refusal: String::new(),
            filtered: String::new(),
            remark: None,
            is_remark_last: false,
            unreadable: None,
        }
    }

    /// The next step that is known.
    pub(crate) fn next(&mut self) -> Option<AnswerEvent> {
        self.steps.next()
    }

    /// Whether the server has said why it stopped.
    pub(crate) fn has_stopped(&self) -> bool {
        !self.summary.finish_reason.is_empty()
    }

    /// Whether the answer is at its end.
    pub(crate) fn ending(&self) -> Ending {
        self.ending
    }

    /// Whether it has said that nothing more comes.
    pub(crate) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Whether there was anything of an answer.
    pub(crate) fn has_choices(&self) -> bool {
        self.has_choices
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Takes an event of a stream; whether it says that it is the last one.
    pub(crate) fn take(&mut self, name: &str, data: &str) -> Result<bool, Failure> {
        let text = data.trim();
        if stops::is_done(text) {
            return Ok(true);
        }
        if name == "error" && !text.is_empty() {
            let fault = Fault::in_answer(text).unwrap_or_else(|| Fault::in_body(text));
            self.take_fault(fault.certainly())?;
        } else if !text.is_empty() && self.take_json(text)? == Json::Not {
            // Some servers keep the connection busy with events that say nothing.
            self.take_unreadable(text)?;
        }
        Ok(self.is_done || stops::is_end(name))
    }

    /// Takes JSON, if it is any.
    pub(crate) fn take_json(&mut self, text: &str) -> Result<Json, Failure> {
        if !text.starts_with(['{', '[']) {
            return Ok(Json::Not);
        }
        if text.starts_with('{') && self.take_object(text)? {
            return Ok(Json::One);
        }
        let count = match self.take_values(text)? {
            0 => self.take_values(&repaired(text))?,
            count => count,
        };
        Ok(match count {
            0 => Json::Not,
            1 => Json::One,
            _ => Json::Several,
        })
    }

    /// Takes an object; false if it is none.
    fn take_object(&mut self, text: &str) -> Result<bool, Failure> {
        if let Ok(completion) = Completion::read(text) {
            return self.take_completion(completion, text).map(|()| true);
        }
        let mended = repaired(text);
        match Completion::read(&mended) {
            Ok(completion) => self.take_completion(completion, &mended).map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// Takes what is in lists, and what stands one behind the other; how many there are.
    fn take_values(&mut self, text: &str) -> Result<usize, Failure> {
        let mut values = Values::of(text);
        for value in values.by_ref() {
            if !self.take_object(value)? {
                self.take_unreadable(value)?;
            }
        }
        let rest = values.rest();
        if stops::is_done(rest) {
            self.is_done = true;
        } else if values.read() > 0 && !rest.is_empty() && !self.take_object(rest)? {
            self.take_unreadable(rest)?;
        }
        Ok(values.read())
    }

    /// The answer is complete: an answer that comes as a whole needs no reason to stop.
    pub(crate) fn stop(&mut self) {
        if self.summary.finish_reason.is_empty() {
            self.summary.finish_reason = "stop".into();
        }
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// When it is no answer.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        let steps = &mut self.steps;
        self.thinking.end(&mut |piece| steps.give(piece));
        let stop = Stop::of(&self.summary.finish_reason);
        let reason = &self.summary.finish_reason;
        if stop == Stop::Filtered {
            let reason = match &*self.filtered {
                "" => format!("a filter held the answer back ({reason})"),
                filters => format!("a filter held the answer back ({reason}: {filters})"),
            };
            let refusal = self.shown_refusal();
            let reason = refusal.map_or(reason.clone(), |said| format!("{said} ({reason})"));
            return Err(Failure::Declined { reason });
        }
        if stop == Stop::Failed {
            let words = format!("it stopped with the reason {reason:?}");
            return Err(match self.remark.take() {
                Some(fault) => self.failed(fault),
                None => self.failed(Fault::in_words(&words)),
            });
        }
        if self.steps.has_text {
            // Who fails in the middle says so and then [DONE], and no reason to stop.
            let is_cut = self.is_remark_last && !self.ending.is_complete();
            if is_cut && let Some(fault) = self.remark.take() {
                return Err(self.failed(fault));
            }
            self.steps.end(mem::take(&mut self.summary));
            return Ok(());
        }
        if let Some(failure) = self.explanation() {
            return Err(failure);
        }
        let reason = match stop {
            Stop::Length if self.steps.has_thought => {
                "all its tokens went into thinking; raise max-tokens, or switch its thinking off"
            }
            Stop::Length => "it may not say that much; raise max-tokens",
            _ if self.steps.has_thought => {
                "it only thought; raise max-tokens, or switch its thinking off"
            }
            _ if self.wants_tools => "it wants to call a tool; leave tools out of extra-body",
            _ => "ask again, or ask another model",
        };
        Err(Failure::Empty { reason: reason.to_owned() })
    }

    /// Why there is no answer, if the server has said anything that may explain it.
    pub(crate) fn explanation(&mut self) -> Option<Failure> {
        if let Some(reason) = self.shown_refusal().filter(|_| !self.steps.has_text) {
            return Some(Failure::Declined { reason });
        }
        if let Some(fault) = self.remark.take() {
            return Some(self.failed(fault));
        }
        let said = self.unreadable.take().filter(|_| !self.steps.has_text)?;
        let reason = format!("it says {:?}", self.secrets.blotted_out(&said));
        Some(Failure::Empty { reason })
    }

    fn shown_refusal(&self) -> Option<String> {
        let refusal = self.secrets.blotted_out(self.refusal.trim());
        (!refusal.is_empty()).then(|| shown(&refusal))
    }

    fn take_unreadable(&mut self, text: &str) -> Result<(), Failure> {
        // A piece of the answer that is lost would not be missed.
        let is_piece = text.starts_with('{')
            && ["content", "text", "delta"].iter().any(|it| text.contains(it));
        if is_piece && !self.ending.is_complete() {
            let start: String = text.chars().take(SHOWN).collect();
            return Err(self.protocol(&format!("a piece of its answer is unreadable: {start:?}")));
        }
        if remarks::begins_as_failure(text) {
            return self.take_fault(Fault::in_words(text));
        }
        // A word or two, a date: the connection was kept busy.
        let is_sentence = text.split_whitespace().count() > 2 && text.contains(char::is_alphabetic);
        if self.unreadable.is_none() && is_sentence {
            self.unreadable = Some(shown(text));
        }
        Ok(())
    }

    fn take_fault(&mut self, fault: Fault) -> Result<(), Failure> {
        // What is complete stays so.
        let is_answered = self.steps.has_text && self.ending.is_complete();
        if fault.is_certain && !is_answered {
            return Err(self.failed(fault));
        }
        // Of several the first says most, but one behind the text explains why there is no more.
        if !self.is_remark_last && !remarks::says_well(&fault.words(&self.secrets)) {
            self.remark = Some(fault);
            self.is_remark_last = true;
        }
        Ok(())
    }

    fn failed(&self, fault: Fault) -> Failure {
        match fault.into_failure(&self.secrets, Some(&self.model), 200, None) {
            Failure::Server { status: 200, reason, .. } if self.steps.has_text => {
                Failure::Cut { reason }
            }
            failure => failure,
        }
    }

    fn take_completion(&mut self, completion: Completion<'_>, text: &str) -> Result<(), Failure> {
        let fault = Some(text).filter(|_| completion.may_be_failure).and_then(Fault::in_answer);
        let aside = || completion.aside.and_then(|aside| Fault::in_answer(aside.get()));
        if let Some(fault) = fault.or_else(aside) {
            self.take_fault(fault)?;
        }
        let Usage { prompt_tokens, completion_tokens } = completion.usage;
        if prompt_tokens > 0 || completion_tokens > 0 {
            let usage = self.summary.usage.get_or_insert_default();
            usage.prompt_tokens =
                if prompt_tokens > 0 { prompt_tokens } else { usage.prompt_tokens };
            if completion_tokens > 0 {
                usage.completion_tokens = completion_tokens;
            }
        }
        if !completion.model.is_empty() && self.summary.model.as_deref() != Some(&*completion.model)
        {
            self.summary.model = Some(name(&completion.model));
        }
        if let Some(choice) = completion.choice {
            self.take_choice(choice)?;
        }
        self.is_done |= completion.is_last;
        Ok(())
    }

    fn take_choice(&mut self, choice: Choice<'_>) -> Result<(), Failure> {
        self.has_choices = true;
        let index = choice.index.unwrap_or(0.0);
        if (*self.index.get_or_insert(index) - index).abs() > 0.0 {
            return Ok(());
        }
        let before = self.text_bytes;
        let mut says = false;
        for part in [Some(&choice.delta), choice.message.as_deref()].into_iter().flatten() {
            says |= part.calls.0;
            self.wants_tools |= part.calls.0;
            self.count(part.refusal().len())?;
            self.refusal.push_str(part.refusal());
        }
        if !choice.filtered.is_empty() {
            self.filtered = name(&choice.filtered);
        }
        // What does not come in pieces is all.
        let mut is_whole = false;
        if !choice.delta.is_empty() {
            self.has_deltas = true;
            let (thought, text) = choice.delta.into_parts();
            self.take_parts(&thought, &text)?;
        } else if let Some(message) = choice.message.filter(|message| !message.is_empty()) {
            is_whole = true;
            if !self.has_deltas {
                let (thought, text) = message.into_parts();
                let thought = gained(&mut self.in_messages.thought, &thought);
                let text = gained(&mut self.in_messages.text, &text);
                self.take_parts(thought, text)?;
            }
        } else if let Some(content) = choice.text {
            self.take_parts(&content.thought, &content.text)?;
        }
        says |= self.text_bytes > before;
        let reason = &choice.finish_reason.0;
        let stop = (!reason.is_empty()).then(|| Stop::of(reason));
        self.ending = self.ending.after(says, self.has_begun || is_whole, stop);
        self.has_begun |= says;
        if let Some(stop) = stop {
            self.take_reason(reason, stop);
        }
        Ok(())
    }

    fn take_reason(&mut self, reason: &str, stop: Stop) {
        // Some servers say "stop" once more behind the true reason.
        let says_more = stop != Stop::Said || !self.has_stopped();
        if says_more && self.summary.finish_reason != reason {
            self.summary.finish_reason = name(stops::plain(reason));
        }
    }

    fn take_parts(&mut self, thought: &str, text: &str) -> Result<(), Failure> {
        self.count(thought.len() + text.len())?;
        self.is_remark_last &= text.is_empty();
        let steps = &mut self.steps;
        if !thought.is_empty() {
            self.thinking.think_aside(text.is_empty());
            steps.give(Piece::Reasoning(thought.to_owned()));
        }
        let mut rest = text;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(rest.floor_char_boundary(PART));
            self.thinking.feed(part, &mut |piece| steps.give(piece));
            rest = after;
        }
        Ok(())
    }

    fn count(&mut self, bytes: usize) -> Result<(), Failure> {
        self.text_bytes += bytes;
        if self.text_bytes > MAX_TEXT {
            return Err(self.protocol(&format!("its answer is longer than {MAX_TEXT} bytes")));
        }
        Ok(())
    }

    fn protocol(&self, reason: &str) -> Failure {
        Failure::Protocol { reason: self.secrets.blotted_out(reason) }
    }
}

/// What a message has gained since the one before: all of it, unless it repeats that.
fn gained<'a>(before: &mut String, message: &'a str) -> &'a str {
    let gained = message.strip_prefix(&**before).unwrap_or(message);
    before.push_str(gained);
    gained
}

fn name(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect()
}
