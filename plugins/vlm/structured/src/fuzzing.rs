//! What `cargo fuzz` calls; see `docs/fuzzing.md`. The tests replay its corpus.

use std::sync::LazyLock;

use crate::{Schema, json_in_text};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let text = r#"{"properties": {"people": {"type": "integer"}}, "required": ["people"]}"#;
    Schema::parse(text).expect("it is a schema").expect("it is not empty")
});

/// A text that may have JSON in it.
///
/// # Panics
/// When what is found in it is not there, or what fits is not JSON or not written as it should be.
pub fn json_in_text(data: &[u8]) {
    gst::init().expect("GStreamer starts");
    let text = String::from_utf8_lossy(data);
    // Each value has a byte of its own at least, in each of the ways to find it.
    assert!(json_in_text::values(&text).count() <= 2 * text.len());
    if let Ok(read) = SCHEMA.read(&text) {
        let value: serde_json::Value = serde_json::from_str(&read.json).expect("it is JSON");
        assert!(value.get("people").is_none_or(is_written_whole), "{value}");
    }
}

/// Whether a number has neither fraction nor exponent, where it has a place among whole numbers.
fn is_written_whole(number: &serde_json::Value) -> bool {
    const FIRST_WITHOUT_PLACE: f64 = 9_007_199_254_740_992.0;
    let is_large = |number: f64| number.abs() >= FIRST_WITHOUT_PLACE;
    number.is_i64() || number.as_f64().is_some_and(is_large)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_corpus_is_read_as_it_should_be() {
        live_vlm_corpus::replay("json_in_text", super::json_in_text);
    }
}
