//! What a process prints, line by line.

/// The longest line that is kept, in bytes; the rest of it is left out.
pub(crate) const LONGEST: usize = 1000;

/// Makes lines of bytes as they come. Keeps no more than one line.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Takes what has come, and gives the lines that are complete now. Empty ones are left out.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut complete = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n");
            let room = LONGEST - self.begun.len();
            let more = text.unwrap_or(piece);
            self.begun.extend_from_slice(&more[..more.len().min(room)]);
            if text.is_some() {
                complete.extend(self.end());
            }
        }
        complete
    }

    /// The last line, which nothing ends.
    pub(crate) fn end(&mut self) -> Option<String> {
        let line = String::from_utf8_lossy(&self.begun).trim_end().to_owned();
        self.begun.clear();
        Some(line).filter(|line| !line.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_they_come() {
        let text = "one\ntwo \r\n\n  three\nfour";
        for piece in 1..=text.len() {
            let mut lines = Lines::default();
            let mut found: Vec<_> =
                text.as_bytes().chunks(piece).flat_map(|bytes| lines.take(bytes)).collect();
            found.extend(lines.end());
            assert_eq!(found, ["one", "two", "  three", "four"], "{piece}");
            assert_eq!(lines.end(), None);
        }
    }

    #[test]
    fn a_line_without_end_is_kept_within_bounds() {
        let mut lines = Lines::default();
        for _ in 0..100 {
            assert_eq!(lines.take(&[b'x'; 900]), [""; 0]);
            assert!(lines.begun.len() <= LONGEST);
        }
        assert_eq!(lines.take(b"\nnext\n"), ["x".repeat(LONGEST), "next".to_owned()]);
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_such() {
        assert_eq!(Lines::default().take(b"a\xffb\n"), ["a\u{fffd}b"]);
    }
}
