//! Which characters of a foreign text can be shown as they are.

use std::fmt::Write;

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory},
};

/// Whether a character shows itself and nothing else: it does not make two texts look the same,
/// turns nothing beside it around, and forges no line. Of spaces, only the ordinary one is so.
pub fn is_shown(character: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(character);
    let is_hidden = matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::SpaceSeparator
    );
    let is_ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character);
    character == ' ' || !(is_hidden || is_ignorable)
}

/// The first `longest` characters of a text, with what cannot be shown written out.
pub fn escaped(text: &str, longest: usize) -> String {
    let mut escaped = String::new();
    for (at, character) in text.chars().enumerate() {
        if at == longest {
            escaped.push('…');
            break;
        }
        if is_shown(character) {
            escaped.push(character);
        } else {
            // Nothing that a text could fail at.
            let _ = write!(escaped, "{}", character.escape_default());
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_shown_is_written_out_and_the_rest_left_as_it_is() {
        let foreign = "a b\u{1b}[31m\nc\u{202e}d\u{200b}é 漢";
        assert_eq!(escaped(foreign, 99), "a b\\u{1b}[31m\\nc\\u{202e}d\\u{200b}é 漢");
        assert_eq!(escaped("abcd", 4), "abcd");
        assert_eq!(escaped("äbcde", 4), "äbcd…");
    }
}
