//! Text in pieces of about a word, which is what this model calls tokens.

/// Longer words are several tokens, so that no single token is unbounded.
const LONGEST_PIECE: usize = 12;

/// What one picture counts as in the usage.
pub(crate) const PICTURE: usize = 256;

/// The pieces of a text in order; together they are the text.
pub(crate) fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut letters = 0;
    for (at, character) in text.char_indices() {
        let ends = if character.is_whitespace() { letters > 0 } else { letters == LONGEST_PIECE };
        if ends {
            pieces.push(&text[start..at]);
            start = at;
            letters = 0;
        }
        if !character.is_whitespace() {
            letters += 1;
        }
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_a_piece_with_the_space_before_it() {
        assert_eq!(pieces("Mostly red, and  dim."), ["Mostly", " red,", " and", "  dim."]);
    }

    #[test]
    fn a_long_word_is_cut_between_characters() {
        let text = "é".repeat(25);
        let lengths: Vec<_> = pieces(&text).iter().map(|piece| piece.chars().count()).collect();
        assert_eq!(lengths, [12, 12, 1]);
    }

    #[test]
    fn pieces_lose_nothing() {
        for text in ["", " ", "a", " a b ", "a\n\nb", "averyveryverylongword!"] {
            assert_eq!(pieces(text).concat(), text);
        }
    }
}
