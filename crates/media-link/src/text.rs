//! Texts that strangers have a hand in.

/// Shortens a text to so many bytes, at the end of a character. Whoever reads it sees that it goes
/// on.
pub(crate) fn shorten(text: &mut String, most: usize) {
    const MORE: &str = "...";
    if text.len() <= most {
        return;
    }
    let end = text.floor_char_boundary(most.saturating_sub(MORE.len()));
    text.truncate(end);
    text.push_str(MORE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_ends_where_a_character_does() {
        for (text, most, short) in [
            ("short", 5, "short"),
            ("longer", 5, "lo..."),
            ("ää ää", 7, "ää..."),
            ("äää", 5, "ä..."),
        ] {
            let mut text = text.to_owned();
            shorten(&mut text, most);
            assert_eq!(text, short);
        }
    }
}
