//! Server-sent events (WHATWG HTML, section 9.2), read from whatever pieces the network gives, and
//! what servers write in their place: lines without a field or with it twice, JSON over several
//! lines, events without a blank line between them, a last one without an end. Nothing in here does
//! I/O.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::stops;

/// A whole answer of 32,768 tokens in one event fits, escaped as JSON does.
pub(crate) const MAX_EVENT: usize = 1 << 20;

const BOM: &[u8] = b"\xEF\xBB\xBF";
/// The longest name of an event that means anything to us.
const MAX_NAME: usize = 32;

/// The state between two pieces. Never holds more than [`MAX_EVENT`] bytes of a line, and as much
/// of an event.
#[derive(Debug, Default)]
pub(crate) struct Sse {
    /// The line that is not complete yet.
    line: Vec<u8>,
    /// The event that is not complete yet, or that was given last.
    event: Pending,
    /// Whether it was given.
    given: bool,
    /// A line that has begun another event without a blank line before it.
    next: Option<Vec<u8>>,
    /// The last byte was a carriage return, which a line feed may still belong to.
    after_cr: bool,
}

#[derive(Debug, Default)]
struct Pending {
    name: Vec<u8>,
    data: Vec<u8>,
    /// Lines of data.
    lines: usize,
    /// Whether lines without a field go on with JSON that is not complete, if that is known.
    is_open: Option<bool>,
}

impl Pending {
    /// Whether there is anything to give: some servers name their end, and nothing more.
    fn is_event(&self) -> bool {
        self.lines > 0 || stops::is_end(&String::from_utf8_lossy(&self.name))
    }

    /// Whether a line without a field goes on with the data.
    fn goes_on(&mut self) -> bool {
        let Self { data, lines, is_open, .. } = self;
        if *lines == 1 && is_open.is_none() {
            *is_open = Some(data.trim_ascii_start().starts_with(b"{") && !is_whole(data));
        }
        *is_open == Some(true)
    }
}

/// An event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    /// Its name; empty = none.
    pub(crate) name: Cow<'a, str>,
    /// Its data.
    pub(crate) data: Cow<'a, str>,
}

/// What is no event stream that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of its answer is larger than {MAX_EVENT} bytes")]
pub(crate) struct TooLong;

impl Sse {
    /// The next event that `input` completes; takes what it has read from its beginning. `None` =
    /// all is read. What is not UTF-8 is replaced.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event<'_>>, TooLong> {
        self.begin();
        while let Some(&first) = input.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                *input = &input[1..];
                continue;
            }
            let end = memchr::memchr2(b'\n', b'\r', input);
            let part = &input[..end.unwrap_or(input.len())];
            if self.line.len() + part.len() > MAX_EVENT {
                return Err(TooLong);
            }
            let Some(end) = end else {
                self.line.extend_from_slice(part);
                *input = &[];
                return Ok(None);
            };
            self.after_cr = input[end] == b'\r';
            *input = &input[end + 1..];
            let is_complete = if self.line.is_empty() {
                self.end_line(part)?
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(part);
                let is_complete = self.end_line(&line)?;
                line.clear();
                self.line = line;
                is_complete
            };
            if is_complete {
                return Ok(Some(self.give()));
            }
        }
        Ok(None)
    }

    /// The stream has ended: what there is of another event. To be called until there is none.
    pub(crate) fn end(&mut self) -> Result<Option<Event<'_>>, TooLong> {
        self.begin();
        let line = std::mem::take(&mut self.line);
        let is_complete = !line.is_empty() && self.end_line(&line)?;
        Ok((is_complete || self.event.is_event()).then(|| self.give()))
    }

    /// Forgets the event that was given last.
    fn begin(&mut self) {
        if !std::mem::take(&mut self.given) {
            return;
        }
        self.event.name.clear();
        self.event.data.clear();
        self.event.lines = 0;
        self.event.is_open = None;
        if let Some(line) = self.next.take() {
            self.event.data = line;
            self.event.lines = 1;
        }
    }

    fn give(&mut self) -> Event<'_> {
        self.given = true;
        let Pending { name, data, .. } = &self.event;
        // The strict reader is the faster one.
        let data =
            std::str::from_utf8(data).map_or_else(|_| String::from_utf8_lossy(data), Cow::Borrowed);
        Event { name: String::from_utf8_lossy(name), data }
    }

    /// Takes a line; true if it completes the event.
    fn end_line(&mut self, line: &[u8]) -> Result<bool, TooLong> {
        let line = unpadded(line);
        if line.is_empty() {
            let is_event = self.event.is_event();
            self.event.name.truncate(if is_event { MAX_NAME } else { 0 });
            return Ok(is_event);
        }
        let line = line.trim_ascii_start();
        // Some servers write JSON, an error mostly, or [DONE] where a field should be.
        if line.starts_with(b"{") || line.starts_with(b"[") {
            return self.take_data(line);
        }
        let colon = memchr::memchr(b':', line);
        let (field, value) = match colon {
            Some(at) => (line[..at].trim_ascii_end(), &line[at + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let is = |name: &[u8]| field.eq_ignore_ascii_case(name);
        if is(b"data") {
            return self.take_data(without_field(value));
        }
        if is(b"event") {
            self.event.name = value[..value.len().min(MAX_NAME)].to_vec();
        } else if is(b"error") {
            // llama.cpp, until 2025.
            self.event.name = b"error".to_vec();
            return self.take_data(value);
        } else if is(b"") || is(b"id") || is(b"retry") {
            // A comment, or what only browsers need.
        } else if self.event.goes_on() {
            return self.take_data(line);
        } else if value.trim_ascii_start().starts_with(b"{") {
            return self.take_data(value);
        }
        Ok(false)
    }

    /// Takes a line of data; true if it is the next event's, and completes this one.
    fn take_data(&mut self, value: &[u8]) -> Result<bool, TooLong> {
        let Pending { data, lines, .. } = &mut self.event;
        if *lines == 1 && is_whole(data) {
            self.next = Some(value.to_vec());
            return Ok(true);
        }
        if data.len() + value.len() >= MAX_EVENT {
            return Err(TooLong);
        }
        if *lines > 0 {
            data.push(b'\n');
        }
        data.extend_from_slice(value);
        *lines += 1;
        Ok(false)
    }
}

/// A line without what some servers and proxies write around it: zeros, a BOM before each event.
fn unpadded(mut line: &[u8]) -> &[u8] {
    while let Some(rest) = line.strip_prefix(b"\0").or_else(|| line.strip_prefix(BOM)) {
        line = rest;
    }
    while let Some(rest) = line.strip_suffix(b"\0") {
        line = rest;
    }
    line
}

/// Some servers write `data: data: {}`.
fn without_field(mut value: &[u8]) -> &[u8] {
    const FIELD: &[u8] = b"data:";
    while let Some((field, rest)) = value.trim_ascii_start().split_at_checked(FIELD.len())
        && field.eq_ignore_ascii_case(FIELD)
    {
        value = rest.strip_prefix(b" ").unwrap_or(rest);
    }
    value
}

/// Whether a line of data is an event of its own, although no blank line follows it.
fn is_whole(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    // One behind it in the same line makes no difference.
    let first = || serde_json::Deserializer::from_slice(line).into_iter::<IgnoredAny>().next();
    match line.first() {
        None => false,
        Some(b'{') => matches!(first(), Some(Ok(_))),
        Some(b'[') => !matches!(first(), Some(Err(error)) if error.is_eof()),
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Result<Vec<String>, TooLong> {
        let mut sse = Sse::default();
        let mut events = Vec::new();
        for mut piece in pieces.iter().copied() {
            while let Some(event) = sse.next(&mut piece)? {
                events.push(event.data.into_owned());
            }
        }
        while let Some(event) = sse.end()? {
            events.push(event.data.into_owned());
        }
        Ok(events)
    }

    #[test]
    fn events_are_read_whatever_ends_their_lines() {
        for end in ["\n", "\r", "\r\n"] {
            let stream = "\u{FEFF}data: {\n: comment\nevent: x\ndata:\"b\":\ndata\ndata:1}\n\n\
                          data: c\n\n"
                .replace('\n', end);
            assert_eq!(events(&[stream.as_bytes()]).unwrap(), ["{\n\"b\":\n\n1}", "c"], "{end:?}");
        }
    }

    #[test]
    fn it_does_not_matter_how_the_bytes_arrive() {
        let stream = "data: ä1\r\n\r\ndata: 2\r\rdata: 3\n\ndata: {}\ndata: 4\n\n".as_bytes();
        let whole = events(&[stream]).unwrap();
        assert_eq!(whole, ["ä1", "2", "3", "{}", "4"]);
        for size in 1..stream.len() {
            assert_eq!(events(&stream.chunks(size).collect::<Vec<_>>()).unwrap(), whole, "{size}");
        }
    }

    #[test]
    fn events_without_a_blank_line_between_them_are_told_apart() {
        for (stream, want) in [
            (
                "data: {\"a\":1}\ndata: {\"b\":2}\ndata: [DONE]\n",
                vec!["{\"a\":1}", "{\"b\":2}", "[DONE]"],
            ),
            ("data: ping\ndata: {\"a\":1}\n\n", vec!["ping", "{\"a\":1}"]),
            ("data:\ndata: {\"a\":1}\n\n", vec!["\n{\"a\":1}"]),
            ("{\"a\":1}\n\n data: {\"b\":2}\n\n", vec!["{\"a\":1}", "{\"b\":2}"]),
            ("data: {}{}\ndata: {}\n", vec!["{}{}", "{}"]),
            ("data: {}\n[DONE]\n", vec!["{}", "[DONE]"]),
            ("data: [\ndata: {},\ndata: {}]\n", vec!["[\n{},\n{}]"]),
        ] {
            assert_eq!(events(&[stream.as_bytes()]).unwrap(), want, "{stream:?}");
        }
    }

    #[test]
    fn fields_are_known_in_every_spelling() {
        for stream in [
            "data: data: 1\n\ndata:data:2\n\nDATA: Data: [DONE]\n\n",
            "data : 1\n\ndata :2\n\ndata : [DONE]\n\n",
            "\0\0data: 1\n\n\0\n\0data: 2\0\n\n\u{FEFF}data: [DONE]\n\n",
            "data: 1\n\n: 5\nid: {}\nretry: {}\ndata: 2\n\n[DONE]\n\n",
        ] {
            assert_eq!(events(&[stream.as_bytes()]).unwrap(), ["1", "2", "[DONE]"], "{stream:?}");
        }
        assert_eq!(events(&[b"chunk: {}\n\nlog: a\n\n"]).unwrap(), ["{}"]);
    }

    #[test]
    fn json_goes_on_over_lines_without_a_field() {
        let stream = "data: {\n  \"data\": [\n    {}\n  ],\n  \"id\": 1\n}\n\ndata: {}\nx\n}\n\n";
        let first = "{\n\"data\": [\n{}\n],\n\"id\": 1\n}";
        assert_eq!(events(&[stream.as_bytes()]).unwrap(), [first, "{}"]);
    }

    #[test]
    fn the_last_event_needs_no_end() {
        for end in ["", "\n", "\n\n"] {
            let stream = format!("data: 1\n\ndata: 2{end}");
            assert_eq!(events(&[stream.as_bytes()]).unwrap(), ["1", "2"], "{end:?}");
        }
        assert_eq!(events(&[b"data: {}\ndata: 2"]).unwrap(), ["{}", "2"]);
    }

    #[test]
    fn an_event_has_the_name_that_stands_before_it() {
        let mut sse = Sse::default();
        let mut input =
            &b"event: error\ndata: a\n\ndata: b\n\nevent: ping\n\ndata: c\n\nerror: d\n\nevent: done\n\n"[..];
        let mut read = Vec::new();
        while let Some(Event { name, data }) = sse.next(&mut input).unwrap() {
            read.push(format!("{name}={data}"));
        }
        assert_eq!(read, ["error=a", "=b", "=c", "error=d", "done="]);
    }

    #[test]
    fn a_line_or_an_event_without_end_is_given_up() {
        let piece = [b'x'; 4096];
        let endless = vec![&piece[..]; MAX_EVENT / piece.len() + 1];
        assert_eq!(events(&endless), Err(TooLong));
        let line = [b"data: {".as_slice(), &piece, b"\n"].concat();
        assert_eq!(events(&vec![&line[..]; MAX_EVENT / piece.len() + 1]), Err(TooLong));
    }

    #[test]
    fn other_encodings_are_replaced() {
        assert_eq!(events(&[b"data: a\xff\n\n"]).unwrap(), ["a\u{FFFD}"]);
    }
}
