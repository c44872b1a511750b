//! What a prompt asks about, by its words.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Colour,
    Light,
    Change,
    Codes,
    Sharpness,
}

impl Topic {
    pub(crate) const ALL: [Self; 5] =
        [Self::Colour, Self::Light, Self::Sharpness, Self::Change, Self::Codes];
}

/// Beginnings of words and what they ask about.
const STEMS: [(&str, Topic); 22] = [
    ("colour", Topic::Colour),
    ("color", Topic::Colour),
    ("bright", Topic::Light),
    ("dark", Topic::Light),
    ("light", Topic::Light),
    ("contrast", Topic::Light),
    ("chang", Topic::Change),
    ("move", Topic::Change),
    ("moving", Topic::Change),
    ("motion", Topic::Change),
    ("happen", Topic::Change),
    ("differ", Topic::Change),
    ("text", Topic::Codes),
    ("read", Topic::Codes),
    ("written", Topic::Codes),
    ("write", Topic::Codes),
    ("qr", Topic::Codes),
    ("barcode", Topic::Codes),
    ("sharp", Topic::Sharpness),
    ("blur", Topic::Sharpness),
    ("focus", Topic::Sharpness),
    ("focal", Topic::Sharpness),
];

/// The topics of a prompt in the order in which it names them.
pub(crate) fn topics(prompt: &str) -> Vec<Topic> {
    let prompt = prompt.to_lowercase();
    let mut found = Vec::new();
    for word in prompt.split(|character: char| !character.is_alphanumeric()) {
        let topic = STEMS.iter().find(|(stem, _)| word.starts_with(stem));
        if let Some((_, topic)) = topic
            && !found.contains(topic)
        {
            found.push(*topic);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_come_in_the_order_of_the_prompt() {
        assert_eq!(
            topics("What has CHANGED, and which colours are bright?"),
            [Topic::Change, Topic::Colour, Topic::Light]
        );
        assert_eq!(topics("Read the text of the QR-code"), [Topic::Codes]);
        assert_eq!(topics("Is it in focus?"), [Topic::Sharpness]);
    }

    #[test]
    fn a_general_prompt_has_no_topic() {
        assert_eq!(topics("Describe what you see in one sentence."), []);
        assert_eq!(topics(""), []);
    }

    #[test]
    fn a_stem_inside_a_word_does_not_count() {
        assert_eq!(topics("delightful context, remove discolor"), []);
    }
}
