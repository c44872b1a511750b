//! Text of any origin, made fit for drawing: without what pango does not draw, and bounded.

/// More than any picture has room for.
const MOST_BYTES: usize = 4096;
/// The beginning of what is shown of a long text moves in steps, or its lines would break anew
/// with every word that is written.
const STEP: usize = 1024;

/// What is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Words {
    pub(super) text: String,
    /// Whether no more will be written.
    pub(super) complete: bool,
}

impl Words {
    pub(super) fn new(text: &str, complete: bool) -> Self {
        let (text, cut) = if complete { start(text) } else { (end(text), false) };
        let mut text = clean(text);
        if cut {
            text.push('…');
        }
        Self { text, complete }
    }
}

/// The text's first part, and whether that is less than all of it.
fn start(text: &str) -> (&str, bool) {
    let text = text.trim_start();
    let to = text.floor_char_boundary(MOST_BYTES);
    (&text[..to], to < text.len())
}

/// The text's last part.
fn end(text: &str) -> &str {
    let over = text.len().saturating_sub(MOST_BYTES);
    let text = &text[text.ceil_char_boundary(over.next_multiple_of(STEP).min(text.len()))..];
    match text.find(char::is_whitespace) {
        Some(word) if over > 0 => &text[word..],
        _ => text,
    }
}

/// Line breaks stay, one at a time; other control characters are spaces or nothing.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for line in text.split(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']) {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if !clean.is_empty() {
            clean.push('\n');
        }
        clean.extend(line.chars().filter_map(|c| match c {
            '\t' => Some(' '),
            c => (!c.is_control()).then_some(c),
        }));
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, complete: bool) -> String {
        Words::new(text, complete).text
    }

    #[test]
    fn control_characters_are_gone_and_line_breaks_are_one() {
        assert_eq!(shown("a\0b\u{1b}[1mc", true), "ab[1mc");
        assert_eq!(shown("\n a\tb \r\n\n\nc\u{2029}d\n", true), "a b\nc\nd");
        assert_eq!(shown("\0\n\u{7f}", true), "");
    }

    #[test]
    fn a_long_complete_text_is_shown_from_its_start() {
        let text = shown(&"ab ".repeat(3000), true);
        assert!(text.starts_with("ab ab") && text.ends_with('…'));
        assert!(text.len() <= MOST_BYTES + '…'.len_utf8());
    }

    #[test]
    fn a_long_text_that_is_written_is_shown_to_its_end() {
        let text = "ab ".repeat(3000) + "newest";
        let shown = shown(&text, false);
        assert!(shown.ends_with("ab newest") && shown.starts_with("ab "));
        assert!(shown.len() <= MOST_BYTES);
    }

    #[test]
    fn what_is_shown_of_a_growing_text_begins_at_few_places() {
        let text = "é ".repeat(5000);
        let mut begins: Vec<_> = (4000..text.len())
            .filter(|to| text.is_char_boundary(*to))
            .map(|to| to - end(&text[..to]).len())
            .collect();
        begins.dedup();
        assert!(begins.len() <= text.len() / STEP, "{begins:?}");
    }

    #[test]
    fn text_without_spaces_is_cut_between_characters() {
        let text = "語".repeat(5000);
        assert!(shown(&text, true).len() <= MOST_BYTES + '…'.len_utf8());
        assert!(shown(&text, false).len() <= MOST_BYTES);
        assert!(!shown(&text, false).is_empty());
    }
}
