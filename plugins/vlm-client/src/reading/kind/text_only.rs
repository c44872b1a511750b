//! Servers that say that a model takes no pictures: no two in the same words, nor with the same
//! status, and some as if they were broken.

/// What such a refusal is about.
const PICTURES: &[&str] =
    &["image", "picture", "vision", "visual", "multimodal", "multi-modal", "mmproj"];

/// What it says of that.
const REFUSED: &[&str] = &[
    "not support",
    "n't support",
    "unsupported",
    "no support",
    "only supported by",
    "found that support",
    "not enabled",
    "not available",
    "not accept",
    "n't accept",
    "not allowed",
    "not capable",
    "cannot process",
    "can't process",
    "unable to process",
    "not a multimodal",
    "not a multi-modal",
    "not multimodal",
    "not a vision",
    "not a visual",
    "not have vision",
    "without vision",
    "text-only",
    "text only",
    "at most 0 ",
    "missing data required",
    "unknown variant",
];

/// What is said of a message's content by who takes nothing else.
const NOTHING_BUT_TEXT: &[&str] =
    &["must be a string", "should be a valid string", "expected a string", "expected string"];

/// What is said of one picture, and not of all.
const THIS_ONE: &[&str] = &[
    "image format",
    "format of",
    "image type",
    "media type",
    "mime",
    "image size",
    "dimension",
    "resolution",
    "too large",
    "too small",
    "too many",
    "decod",
    "download",
    "fetch",
    "base64",
    "scheme",
];

/// Whether a server's words mean that the model takes no pictures at all.
pub(crate) fn says_no_pictures(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|words| said.contains(words));
    // Who takes nothing but a string has no place for a picture.
    let wants_text = said.contains("content") && has(NOTHING_BUT_TEXT);
    // What llama.cpp's models see with, which is another file.
    wants_text || said.contains("mmproj") || has(PICTURES) && has(REFUSED) && !has(THIS_ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_without_eyes_is_known_by_what_servers_say() {
        for said in [
            "image input is not supported - hint: if this is unexpected, you may need to provide \
             the mmproj",
            "Invalid content type. image_url is only supported by certain models.",
            "meta-llama/Llama-3.1-8B-Instruct is not a multimodal model",
            "At most 0 image(s) may be provided in one request.",
            "Model does not support images. Please use a model that does.",
            "No endpoints found that support image input",
            "this model is missing data required for image input",
            "Failed to deserialize the JSON body into the target type: messages[0]: unknown \
             variant `image_url`, expected `text`",
            "Image input is not enabled for this model",
            "messages[0].content must be a string",
            "messages.0.content: Input should be a valid string",
            "you may need to provide the mmproj",
            "This model doesn't support vision",
            "mistral-large-2411 does not support image inputs",
        ] {
            assert!(says_no_pictures(said), "{said}");
        }
    }

    #[test]
    fn what_is_wrong_with_one_picture_or_something_else_is_another_matter() {
        for said in [
            "Unsupported image format: only PNG and WEBP are supported",
            "image/jpeg is not a supported media type",
            "At most 1 image(s) may be provided in one request.",
            "the image is too large; images above 20 MB are not supported",
            "failed to decode image, unsupported marker",
            "out of memory",
            "temperature is not supported",
            "the vision encoder crashed",
            "",
        ] {
            assert!(!says_no_pictures(said), "{said}");
        }
    }
}
