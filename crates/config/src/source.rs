//! A configuration file: read with every error that it has, each with its line.

use std::{
    fs::File,
    io,
    ops::Range,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::problem::{BadConfig, Problem};

/// Errors after this many are more of the same.
const MAX_PROBLEMS: usize = 50;
const READABLE_BY_OTHERS: u32 = 0o004;

/// A file's text, for telling where in it something stands.
#[derive(Debug, Clone)]
pub struct Source {
    path: PathBuf,
    text: String,
    /// Whether every user of this host may read it.
    is_open: bool,
}

/// A step to a value in a file.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// Into a table.
    Key(&'a str),
    /// Into an array.
    At(usize),
}

impl<'a> From<&'a str> for Step<'a> {
    fn from(key: &'a str) -> Self {
        Self::Key(key)
    }
}

impl From<usize> for Step<'_> {
    fn from(at: usize) -> Self {
        Self::At(at)
    }
}

impl Source {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let is_open = file.metadata()?.mode() & READABLE_BY_OTHERS != 0;
        Ok(Self { is_open, ..Self::new(path, io::read_to_string(file)?) })
    }

    /// A file with this text, which only we may read.
    pub fn new(path: &Path, text: String) -> Self {
        Self { path: path.to_owned(), text, is_open: false }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether every user of this host may read it.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// What the file says.
    ///
    /// # Errors
    /// All that is wrong with it: a value that cannot be read is put aside to find the next.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, BadConfig> {
        let (mut document, errors) = DeTable::parse_recoverable(&self.text);
        let mut problems: Vec<Problem> = errors
            .iter()
            .take(MAX_PROBLEMS)
            .map(|error| self.problem(error.span(), error.message()))
            .collect();
        // What was understood of a broken document says nothing about the rest.
        while problems.len() < MAX_PROBLEMS && errors.is_empty() {
            let error = match T::deserialize(toml::Deserializer::from(document.clone())) {
                Ok(config) if problems.is_empty() => return Ok(config),
                Ok(_) => break,
                Err(error) => error,
            };
            let name = error.span().and_then(|span| take_out(document.get_mut(), &span));
            let message = match &name {
                Some(name) => format!("{name}: {}", error.message()),
                None => error.message().to_owned(),
            };
            problems.push(self.problem(error.span(), &message));
            if name.is_none() {
                break;
            }
        }
        problems.sort_by_key(|problem| problem.line);
        Err(BadConfig(problems))
    }

    /// A problem with the value at this place.
    pub fn at(&self, steps: &[Step<'_>], message: &str) -> Problem {
        let (document, _) = DeTable::parse_recoverable(&self.text);
        let mut name = String::new();
        let mut found = Some(DeValue::Table(document.into_inner()));
        let mut span = None;
        for step in steps {
            let next = match (step, found) {
                (Step::Key(key), Some(DeValue::Table(mut table))) => {
                    let entry = table.remove_entry(*key);
                    entry.map(|(key, value)| (key.span(), value))
                }
                (Step::At(at), Some(DeValue::Array(array))) => {
                    array.into_iter().nth(*at).map(|value| (value.span(), value))
                }
                _ => None,
            };
            match step {
                Step::Key(key) if name.is_empty() => name = (*key).to_owned(),
                Step::Key(key) => name += &format!(".{key}"),
                Step::At(at) => name += &format!("[{at}]"),
            }
            span = next.as_ref().map(|(span, _)| span.clone()).or(span);
            found = next.map(|(_, value)| value.into_inner());
        }
        self.problem(span, &format!("{name}: {message}"))
    }

    fn problem(&self, span: Option<Range<usize>>, message: &str) -> Problem {
        let line = span.map(|span| {
            let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
            1 + before.iter().filter(|byte| **byte == b'\n').count()
        });
        Problem { file: Some(self.path.clone()), line, message: message.to_owned() }
    }
}

/// Takes the value out that an error is about, and gives its name.
fn take_out(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let holds = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    let mut deeper = None;
    for (key, value) in table.iter_mut() {
        let name = key.get_ref().to_string();
        let is_key = holds(key.span());
        let whole = value.span() == *span;
        if !is_key && !whole {
            let inner = match value.get_mut() {
                DeValue::Table(inner) => {
                    take_out(inner, span).map(|inner| format!("{name}.{inner}"))
                }
                DeValue::Array(array) => {
                    take_out_of(array, span).map(|rest| format!("{name}{rest}"))
                }
                _ => None,
            };
            if inner.is_some() {
                return inner;
            }
        }
        if is_key || whole || holds(value.span()) {
            deeper = Some(name);
            break;
        }
    }
    let name = deeper?;
    table.remove(name.as_str());
    Some(name)
}

fn take_out_of(array: &mut [Spanned<DeValue<'_>>], span: &Range<usize>) -> Option<String> {
    array.iter_mut().enumerate().find_map(|(at, value)| match value.get_mut() {
        DeValue::Table(inner) => take_out(inner, span).map(|inner| format!("[{at}].{inner}")),
        DeValue::Array(inner) => take_out_of(inner, span).map(|inner| format!("[{at}]{inner}")),
        _ => None,
    })
}
