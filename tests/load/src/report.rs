//! What a measurement found, for people and for programs.

use std::fmt::Write as _;

use serde_json::Value;

/// A finished measurement.
#[derive(Debug)]
pub struct Report {
    /// For the terminal.
    pub text: String,
    /// The same figures as JSON. Units stand in the names: `_ms`, `_s`, `_mb`; CPU is in cores.
    pub figures: Value,
}

/// Lines up columns; all but the first are numbers.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let own = |at: usize| rows.iter().filter_map(move |row| row.get(at)).map(String::len);
    let widths: Vec<usize> = head
        .iter()
        .enumerate()
        .map(|(at, name)| own(at).chain([name.len()]).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    let heading: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    for row in std::iter::once(&heading).chain(rows) {
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a text cannot fail.
            let _ = match at {
                0 => write!(text, "{cell:<width$}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.push('\n');
    }
    text
}

/// A figure with so many digits after the point, or a dash where there is none.
pub(crate) fn figure(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".into(), "1".into()], vec!["long".into(), "12345".into()]];
        assert_eq!(table(&["who", "n"], &rows), "who       n\na         1\nlong  12345\n");
    }

    #[test]
    fn a_missing_figure_is_a_dash() {
        assert_eq!(figure(Some(1.25), 1), "1.2");
        assert_eq!(figure(None, 1), "-");
    }
}
