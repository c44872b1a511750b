//! Which lines of a text are shown where there is not room for all of them.

use pangocairo::pango;

/// A line of a layout, in pixels from the layout's origin.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) line: pango::LayoutLine,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) baseline: f64,
}

/// How much may be shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) lines: usize,
    pub(super) height: f64,
}

impl Room {
    /// How many of these lines fit; one does, however high it is.
    fn takes<'a>(self, lines: impl Iterator<Item = &'a Line>) -> usize {
        let mut height = 0.0;
        lines
            .take(self.lines.max(1))
            .take_while(|line| {
                height += line.bottom - line.top;
                height <= self.height
            })
            .count()
            .max(1)
    }
}

/// The lines of a complete text from its start; what does not fit is left out, with an ellipsis.
pub(super) fn first(layout: &pango::Layout, room: Room) -> Vec<Line> {
    let lines = all(layout);
    let fit = room.takes(lines.iter());
    let Some(last) = lines.get(fit.saturating_sub(1)).filter(|_| fit < lines.len()) else {
        return lines;
    };
    let text = layout.text();
    let end = usize::try_from(last.line.start_index() + last.line.length()).unwrap_or_default();
    let mut kept = text.get(..end).unwrap_or(&text);
    loop {
        layout.set_text(&format!("{}…", trim_end(kept)));
        let lines = all(layout);
        // With the ellipsis the last line may break anew.
        if lines.len() <= fit || kept.is_empty() {
            return lines;
        }
        kept = shorten(kept);
    }
}

/// The last lines of a text that is being written. They stand where they stood before, so that
/// the words do not jump under the reader's eyes.
pub(super) fn last(layout: &pango::Layout, room: Room) -> Vec<Line> {
    let mut lines = all(layout);
    let fit = room.takes(lines.iter().rev());
    lines.split_off(lines.len().saturating_sub(fit))
}

fn all(layout: &pango::Layout) -> Vec<Line> {
    let pixels = |units: i32| f64::from(units) / f64::from(pango::SCALE);
    let mut lines = Vec::new();
    let mut iter = layout.iter();
    loop {
        if let Some(line) = iter.line_readonly() {
            let (_, logical) = iter.line_extents();
            lines.push(Line {
                line,
                left: pixels(logical.x()),
                right: pixels(logical.x()) + pixels(logical.width()),
                top: pixels(logical.y()),
                bottom: pixels(logical.y()) + pixels(logical.height()),
                baseline: pixels(iter.baseline()),
            });
        }
        if !iter.next_line() {
            return lines;
        }
    }
}

/// What an ellipsis does not stand well behind.
fn trim_end(text: &str) -> &str {
    text.trim_end_matches(|c: char| c.is_whitespace() || ",;:.".contains(c))
}

/// Without the last word, or where that is long, without its last character.
fn shorten(text: &str) -> &str {
    const LONG: usize = 20;
    let text = text.trim_end();
    match text.rfind(char::is_whitespace) {
        Some(at) if text[at..].chars().count() <= LONG => &text[..at],
        _ => text.char_indices().next_back().map_or("", |(at, _)| &text[..at]),
    }
}
