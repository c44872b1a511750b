//! The content of a message, or a piece of it: a text, or a list of parts that are text or thought.
//! Nothing in here does I/O.

use std::borrow::Cow;

use serde::de::{MapAccess, SeqAccess};

use super::lenient::{As, Flag, Lenient, next_name, pass_over, value};

/// A text, or a list of parts that are text or thought.
#[derive(Debug, Default)]
pub(super) struct Content<'a> {
    /// What is said.
    pub(super) text: Cow<'a, str>,
    /// What is thought.
    pub(super) thought: Cow<'a, str>,
    /// What is said in place of an answer. Rare, and so no larger than it must be.
    refusal: Option<Box<str>>,
}

impl<'a> Content<'a> {
    /// Both in one.
    pub(super) fn into_all(self) -> Cow<'a, str> {
        if self.thought.is_empty() {
            return self.text;
        }
        join(self.thought, self.text)
    }

    /// Whether it has nothing to say.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.thought.is_empty()
    }

    /// What is said in place of an answer.
    pub(super) fn refusal(&self) -> &str {
        self.refusal.as_deref().unwrap_or_default()
    }

    /// Of two fields of one name the last counts that says something.
    pub(super) fn take(&mut self, mut other: Self) {
        let refusal = other.refusal.take().or_else(|| self.refusal.take());
        if other.is_empty() {
            self.refusal = refusal;
        } else {
            *self = Self { refusal, ..other };
        }
    }

    /// Takes what is said in place of an answer.
    pub(super) fn refuse(&mut self, refusal: Self) {
        let refusal = refusal.into_all();
        if !refusal.is_empty() {
            self.refusal = Some(refusal.into());
        }
    }

    fn append(&mut self, other: Self) {
        self.text = join(std::mem::take(&mut self.text), other.text);
        self.thought = join(std::mem::take(&mut self.thought), other.thought);
        self.refusal = other.refusal.or_else(|| self.refusal.take());
    }
}

fn join<'a>(first: Cow<'a, str>, second: Cow<'a, str>) -> Cow<'a, str> {
    match (first.is_empty(), second.is_empty()) {
        (true, _) => second,
        (_, true) => first,
        _ => Cow::Owned(first.into_owned() + &second),
    }
}

impl<'de> Lenient<'de> for Content<'de> {
    fn text(text: Cow<'de, str>) -> Self {
        Self { text, ..Self::default() }
    }

    fn number(number: f64) -> Self {
        Self::text(Cow::Owned(number.to_string()))
    }

    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut all = Self::default();
        while let Some(part) = list.next_element_seed(As::<Self>::new())? {
            all.append(part);
        }
        Ok(all)
    }

    /// One part of a list.
    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let (mut said, mut thought) = (Self::default(), Self::default());
        let mut is_thought = false;
        while let Some(name) = next_name(&mut object)? {
            match &*name {
                "text" | "content" | "value" | "output_text" => said.take(value(&mut object)?),
                "thinking" | "reasoning" | "summary" => thought.take(value(&mut object)?),
                "refusal" => said.refuse(value(&mut object)?),
                "type" => {
                    let kind: Cow<'de, str> = value(&mut object)?;
                    is_thought |= ["think", "thought", "reason"].iter().any(|word| {
                        let start = kind.as_bytes().get(..word.len());
                        start.is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
                    });
                }
                "thought" => is_thought |= value::<Flag, _>(&mut object)?.0 == Some(true),
                _ => pass_over(&mut object)?,
            }
        }
        let thought = thought.into_all();
        Ok(if is_thought {
            let refusal = said.refusal.take();
            let thought = join(thought, said.into_all());
            Self { text: Cow::default(), thought, refusal }
        } else {
            Self { thought: join(said.thought, thought), ..said }
        })
    }
}
