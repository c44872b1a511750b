//! Server-sent events (WHATWG HTML, section 9.2), read from whatever pieces the network gives.
//! Only the data of events matters here. Nothing in here does I/O.

/// A whole answer of 32,768 tokens in one event fits, escaped as JSON does.
pub(crate) const MAX_EVENT: usize = 1 << 20;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The state between two pieces. Never holds more than [`MAX_EVENT`] bytes of a line, and as much
/// of an event.
#[derive(Debug, Default)]
pub(crate) struct Sse {
    /// The line that is not complete yet.
    line: Vec<u8>,
    /// The lines of data of the event that is not complete yet.
    data: Option<String>,
    /// The last byte was a carriage return, which a line feed may still belong to.
    after_cr: bool,
    begun: bool,
}

/// What is no event stream that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadSse {
    #[error("an event of its answer is larger than {MAX_EVENT} bytes")]
    TooLong,
    #[error("its event stream is not UTF-8")]
    NotUtf8,
}

impl Sse {
    /// The data of the next event that `input` completes; takes what it has read from its
    /// beginning. `None` = all is read.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Result<Option<String>, BadSse> {
        while let Some(&first) = input.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                *input = &input[1..];
                continue;
            }
            let end = input.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &input[..end.unwrap_or(input.len())];
            if self.line.len() + part.len() > MAX_EVENT {
                return Err(BadSse::TooLong);
            }
            self.line.extend_from_slice(part);
            let Some(end) = end else {
                *input = &[];
                return Ok(None);
            };
            self.after_cr = input[end] == b'\r';
            *input = &input[end + 1..];
            if let Some(event) = self.end_line()? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn end_line(&mut self) -> Result<Option<String>, BadSse> {
        let line = std::mem::take(&mut self.line);
        let bytes = match std::mem::replace(&mut self.begun, true) {
            false => line.strip_prefix(BOM).unwrap_or(&line),
            true => &line,
        };
        let line = std::str::from_utf8(bytes).map_err(|_| BadSse::NotUtf8)?;
        if line.is_empty() {
            return Ok(self.data.take());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        if field == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                Some(data) if data.len() + value.len() >= MAX_EVENT => return Err(BadSse::TooLong),
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Result<Vec<String>, BadSse> {
        let mut sse = Sse::default();
        let mut events = Vec::new();
        for mut piece in pieces.iter().copied() {
            while let Some(event) = sse.next(&mut piece)? {
                events.push(event);
            }
        }
        Ok(events)
    }

    #[test]
    fn events_are_read_whatever_ends_their_lines() {
        for end in ["\n", "\r", "\r\n"] {
            let stream =
                "\u{FEFF}data: a\n: comment\nevent: x\ndata:b\ndata\n\n\ndata: c\n\ndata: d\n"
                    .replace('\n', end);
            assert_eq!(events(&[stream.as_bytes()]).unwrap(), ["a\nb\n", "c"], "{end:?}");
        }
    }

    #[test]
    fn it_does_not_matter_how_the_bytes_arrive() {
        let stream = "data: ä1\r\n\r\ndata: 2\r\rdata: 3\n\n".as_bytes();
        let whole = events(&[stream]).unwrap();
        assert_eq!(whole, ["ä1", "2", "3"]);
        for size in 1..stream.len() {
            assert_eq!(events(&stream.chunks(size).collect::<Vec<_>>()).unwrap(), whole, "{size}");
        }
    }

    #[test]
    fn a_line_or_an_event_without_end_is_given_up() {
        let piece = [b'x'; 4096];
        let endless = vec![&piece[..]; MAX_EVENT / piece.len() + 1];
        assert_eq!(events(&endless), Err(BadSse::TooLong));
        let line = [b"data: ".as_slice(), &piece, b"\n"].concat();
        assert_eq!(events(&vec![&line[..]; MAX_EVENT / piece.len() + 1]), Err(BadSse::TooLong));
    }

    #[test]
    fn other_encodings_are_refused() {
        assert_eq!(events(&[b"data: \xff\n\n"]), Err(BadSse::NotUtf8));
    }
}
