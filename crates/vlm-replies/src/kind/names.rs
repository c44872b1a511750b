//! Names of models in the words of errors: `llama-3.2-11b-vision` says nothing of pictures.

/// A text without the names of models: without that which was asked for, and without what looks
/// like one. All is in small letters.
pub(super) fn without_models(text: &str, asked_for: Option<&str>) -> String {
    let lines = text.split('\n').map(|line| {
        let mut before = "";
        let words = line.split(' ').map(|word| {
            let bare = bare(word);
            let is_name = Some(bare) == asked_for || looks_so(bare, before == "model");
            before = bare;
            // What stands around it tells where a sentence ends.
            if is_name { word.replacen(bare, "", 1) } else { word.to_owned() }
        });
        words.collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

/// `llama-3.2-11b-vision`, `grok-vision-beta`, `meta-llama/vision`; behind the word "model" also
/// `my-vision`. `multi-modal`, `image/jpeg` and `content.1.image_url` are none.
fn looks_so(word: &str, is_announced: bool) -> bool {
    let hyphens = word.matches('-').count();
    let has_digit = word.contains(|c: char| c.is_ascii_digit());
    let has_slash = word.contains('/');
    match hyphens {
        0 => is_announced && has_slash,
        1 => is_announced || has_digit || has_slash,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::without_models;

    #[test]
    fn models_are_taken_out_and_what_is_said_of_them_stays() {
        for (text, rest) in [
            ("model 'meta-llama/llama-3.2-vision' is gone.", "model '' is gone."),
            ("llama3.2-vision:11b, loaded", ", loaded"),
            ("grok-vision-beta: no", ": no"),
            ("model: my-vision is not there", "model:  is not there"),
            ("model x/vision\nis not there", "model \nis not there"),
            ("m does not take images", " does not take images"),
            ("multi-modal, text-only, image/jpeg", "multi-modal, text-only, image/jpeg"),
            ("messages.0.content.1.image_url", "messages.0.content.1.image_url"),
            ("", ""),
        ] {
            assert_eq!(without_models(text, Some("m")), rest, "{text}");
        }
    }
}
