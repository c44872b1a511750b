//! Fields and words in which servers say something of a model, whatever their spelling. Pure.

use serde_json::Value;

/// A name or a word in small letters and digits: `supportsVision`, `supports_vision` and
/// `supports-vision` are the same.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The texts of a list, or one that stands for it.
pub(super) fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let (one, list) = match value {
        Value::String(text) => (Some(&**text), None),
        Value::Array(items) => (None, Some(items)),
        _ => (None, None),
    };
    one.into_iter().chain(list.into_iter().flatten().filter_map(Value::as_str))
}

/// The plain words of a list, or of a text with commas between them.
pub(super) fn words(value: &Value) -> Vec<String> {
    let words = texts(value).flat_map(|text| text.split([',', ' ', '+', '|', ';']));
    words.map(plain).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_the_same_in_every_spelling() {
        for name in ["supportsVision", "supports_vision", "supports-vision", "SUPPORTS_VISION"] {
            assert_eq!(plain(name), "supportsvision");
        }
        for value in
            [json!(["text", "image_input"]), json!("Text, image-input"), json!("text+imageInput")]
        {
            assert_eq!(words(&value), ["text", "imageinput"], "{value}");
        }
        assert_eq!(words(&json!({"text": true})), [""; 0]);
    }
}
