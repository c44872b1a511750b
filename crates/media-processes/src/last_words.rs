//! What a process said last, and what of it tells why it ended.

use std::collections::VecDeque;

/// Lines that are kept.
const KEPT: usize = 30;
/// The longest line that is kept, in bytes.
const LONGEST: usize = 500;

/// By these, in lower case, is known that a line says why the process ends.
const REASONS: [&str; 14] = [
    // GLib, the C library, and whoever writes their own.
    "assertion",
    "-error **",
    "bail out!",
    // Rust: the reason itself may be in the next line.
    "panicked at",
    "memory allocation of",
    // The C library about its heap and stack.
    "free(): ",
    "malloc(): ",
    "realloc(): ",
    "corrupted",
    "double free",
    "smashing detected",
    // C++.
    "terminate called",
    "pure virtual method called",
    "what():",
];

/// The last lines of a process.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastWords {
    lines: VecDeque<String>,
}

impl LastWords {
    /// It has said this.
    pub(crate) fn hear(&mut self, line: &str) {
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        let end = line.floor_char_boundary(LONGEST);
        self.lines.push_back(line[..end].to_owned());
    }

    /// The last line that says why it ends, with the next one where that says more.
    pub(crate) fn reason(&self) -> Option<String> {
        let says = |line: &String| {
            let line = line.to_lowercase();
            REASONS.iter().any(|reason| line.contains(reason))
        };
        let at = self.lines.iter().rposition(says)?;
        let line = self.lines[at].trim();
        let next = self.lines.get(at + 1).filter(|_| line.contains("panicked at"));
        Some(match next {
            Some(next) => format!("{line} {}", next.trim()),
            None => line.to_owned(),
        })
    }

    /// The last element of a pipeline that a line names, as GStreamer writes it: `<vp8dec0>`, or
    /// `<vp8dec0:sink>`.
    pub(crate) fn element(&self) -> Option<&str> {
        self.lines.iter().rev().find_map(|line| named(line))
    }
}

fn named(line: &str) -> Option<&str> {
    let (_, rest) = line.rsplit_once('<')?;
    let (name, _) = rest.split_once('>')?;
    let (element, pad) = name.split_once(':').unwrap_or((name, "pad"));
    [element, pad].into_iter().all(is_name).then_some(element)
}

fn is_name(text: &str) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (1..=64).contains(&text.len()) && text.chars().all(is_of_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lines: &[&str]) -> LastWords {
        let mut words = LastWords::default();
        lines.iter().for_each(|line| words.hear(line));
        words
    }

    #[test]
    fn what_libraries_print_before_they_abort_is_the_reason() {
        for line in [
            "ERROR:../ext/webrtc/gstwebrtcbin.c:4711:fn: assertion failed: (pad != NULL)",
            "live-vlm: vp8.c:12: decode: Assertion `size > 0' failed.",
            "free(): invalid pointer",
            "malloc(): corrupted top size",
            "double free or corruption (!prev)",
            "*** stack smashing detected ***: terminated",
            "terminate called after throwing an instance of 'std::bad_alloc'",
            "memory allocation of 4294967296 bytes failed",
            "GLib-GObject-ERROR **: 12:00:00.000: cannot register",
        ] {
            let words = after(&["before", line, "after"]);
            assert_eq!(words.reason().as_deref(), Some(line));
        }
        assert_eq!(after(&["before", "after"]).reason(), None);
    }

    #[test]
    fn a_panic_is_told_with_its_message() {
        let words = after(&["thread 'main' panicked at src/a.rs:1:2:", "index out of bounds", "x"]);
        let told = "thread 'main' panicked at src/a.rs:1:2: index out of bounds";
        assert_eq!(words.reason().as_deref(), Some(told));
        let words = after(&["thread 'main' panicked at src/a.rs:1:2:"]);
        assert_eq!(words.reason().as_deref(), Some("thread 'main' panicked at src/a.rs:1:2:"));
    }

    #[test]
    fn the_last_reason_counts() {
        let words = after(&["first assertion", "second assertion", "x"]);
        assert_eq!(words.reason().as_deref(), Some("second assertion"));
    }

    #[test]
    fn the_last_element_that_was_named_is_known() {
        let words = after(&[
            "gstvp8dec.c:12:decode:<vp8dec3> bad frame",
            "gstpad.c:1:chain:<rtpvp8depay0:sink> pushing",
            "a line < without > one, <>, <a b>, <http://x>",
        ]);
        assert_eq!(words.element(), Some("rtpvp8depay0"));
        assert_eq!(after(&["a", "<"]).element(), None);
    }

    #[test]
    fn no_more_is_kept_than_the_last_lines() {
        let mut words = LastWords::default();
        for _ in 0..1000 {
            words.hear(&"ä".repeat(1000));
        }
        assert_eq!(words.lines.len(), KEPT);
        assert!(words.lines.iter().all(|line| line.len() <= LONGEST));
    }
}
