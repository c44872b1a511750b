//! The values in JSON that has more than one: the entries of lists, and what stands one behind the
//! other where a server or a proxy writes several events as one. Pure.

use std::vec;

use serde_json::{Deserializer, value::RawValue};

/// Goes through them as far as they can be read.
pub(crate) struct Values<'a> {
    rest: &'a str,
    /// What is left of a list.
    entries: vec::IntoIter<&'a RawValue>,
    read: usize,
}

impl<'a> Values<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self { rest: behind_separators(text), entries: Vec::new().into_iter(), read: 0 }
    }

    /// How many were read, a list as one.
    pub(crate) fn read(&self) -> usize {
        self.read
    }

    /// What cannot be read as JSON.
    pub(crate) fn rest(&self) -> &'a str {
        self.rest
    }
}

impl<'a> Iterator for Values<'a> {
    /// The JSON of one that is no list.
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Some(entry.get());
            }
            let mut values = Deserializer::from_str(self.rest).into_iter::<&RawValue>();
            let value = values.next()?.ok()?.get();
            self.rest = behind_separators(&self.rest[values.byte_offset()..]);
            self.read += 1;
            match serde_json::from_str::<Vec<&RawValue>>(value) {
                Ok(entries) => self.entries = entries.into_iter(),
                Err(_) => return Some(value),
            }
        }
    }
}

/// Between two values there may be anything that separates events.
fn behind_separators(text: &str) -> &str {
    let is_separator = |c: char| c.is_whitespace() || matches!(c, ',' | '\0' | '\u{FEFF}');
    let mut rest = text.trim_matches(is_separator);
    while let Some((field, after)) = rest.split_at_checked("data:".len())
        && field.eq_ignore_ascii_case("data:")
    {
        rest = after.trim_matches(is_separator);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart_however_they_follow_each_other() {
        for (text, want, count, rest) in [
            ("{}", vec!["{}"], 1, ""),
            ("{\"a\":1}{\"b\":2}", vec!["{\"a\":1}", "{\"b\":2}"], 2, ""),
            ("{}data: {}\n\ndata:data: [DONE]", vec!["{}", "{}"], 2, "[DONE]"),
            ("[{},\r\n{}]", vec!["{}", "{}"], 1, ""),
            ("[{}]\n,\n[{}]\0", vec!["{}", "{}"], 2, ""),
            ("[]", vec![], 1, ""),
            ("{} {\"a\":", vec!["{}"], 1, "{\"a\":"),
            ("[{},", vec![], 0, "[{}"),
            ("ping", vec![], 0, "ping"),
            ("", vec![], 0, ""),
        ] {
            let mut values = Values::of(text);
            assert_eq!(values.by_ref().collect::<Vec<_>>(), want, "{text}");
            assert_eq!((values.read(), values.rest()), (count, rest), "{text}");
        }
    }
}
