//! The text of an error, as it is looked through.

/// What says that it is so only now.
const FOR_NOW: [&str; 12] = [
    "yet",
    "currently",
    "temporar",
    "right now",
    "at the moment",
    "try again",
    "retry",
    "later",
    "loading",
    "starting",
    "overloaded",
    "稍后",
];

/// What an error says, in small letters.
pub(super) struct ErrorText {
    pub(super) status: u16,
    pub(super) words: String,
    /// The model that was asked for.
    pub(super) model: Option<String>,
}

impl ErrorText {
    pub(super) fn new(status: u16, words: &str, model: Option<&str>) -> Self {
        let small = |text: &str| text.to_lowercase();
        Self { status, words: small(words).replace('’', "'"), model: model.map(small) }
    }

    /// Whether it has one of these.
    pub(super) fn has(&self, parts: &[&str]) -> bool {
        has(&self.words, parts)
    }

    /// Whether it is told to pass.
    pub(super) fn is_for_now(&self) -> bool {
        self.has(&FOR_NOW)
    }

    /// The same without these words.
    pub(super) fn without(&self, parts: &[&str]) -> String {
        without(&self.words, parts)
    }
}

/// Whether a text has one of these.
pub(super) fn has(text: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| text.contains(part))
}

/// Whether a sentence of a text has one of these and one of those.
pub(super) fn has_both(text: &str, some: &[&str], others: &[&str]) -> bool {
    sentences(text).any(|sentence| has(sentence, some) && has(sentence, others))
}

/// A text without these words.
pub(super) fn without(text: &str, parts: &[&str]) -> String {
    parts.iter().fold(text.to_owned(), |text, part| text.replace(part, " "))
}

/// The sentences of a text, roughly: names and numbers have full stops, too.
pub(super) fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let parts = text.split(['\n', '!', '?', '。', '！', '；']);
    parts.flat_map(|part| part.split(". ")).flat_map(|part| part.split("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_one_would_say() {
        let text = "Over budget! Used 1.2 of 1.0. See a.b/c; or not。好";
        let all: Vec<&str> = sentences(text).map(str::trim).collect();
        assert_eq!(all, ["Over budget", "Used 1.2 of 1.0", "See a.b/c", "or not", "好"]);
        assert!(has_both(text, &["budget"], &["Over"]));
        assert!(!has_both(text, &["budget"], &["Used"]));
    }
}
