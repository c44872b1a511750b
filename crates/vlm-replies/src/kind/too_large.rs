//! Errors that say that a picture, or the question with it, has too many bytes or pixels.

use super::error_text::{ErrorText, has, sentences};

/// What is said of nothing else.
const SAID: [&str; 21] = [
    "payload too large",
    "entity too large",
    "body too large",
    "body is too large",
    "request too large",
    "request is too large",
    "image too large",
    "image is too large",
    "image too big",
    "image is too big",
    "picture is too large",
    "file too large",
    // axum, Django, aiohttp, gRPC, AWS.
    "length limit exceeded",
    "request body exceeded",
    "maximum request body size",
    "message larger than max",
    "request must be smaller than",
    "content size limit",
    // Chinese: picture, file, request too large.
    "图片过大",
    "文件过大",
    "请求体过大",
];

/// What may be too large, ...
const LARGE: [&str; 9] = [
    "image",
    "picture",
    "pixel",
    "payload",
    "request size",
    "body",
    "data-uri",
    "data uri",
    "base64",
];
/// ... how that is said, ...
const BEYOND: [&str; 5] = ["exceed", "too large", "too long", "larger than", "greater than"];
/// ... and what it is measured in.
const UNITS: [&str; 5] = ["bytes", "pixel", "dimension", "resolution", "image_url"];
/// The same, behind a number.
const SHORT_UNITS: [&str; 4] = ["mb", "mib", "kb", "kib"];

pub(super) fn says_so(error: &ErrorText) -> bool {
    let is_measured = |text: &str| has(text, &UNITS) || has_number_of(text, &SHORT_UNITS);
    error.has(&SAID)
        || sentences(&error.words)
            .any(|text| has(text, &LARGE) && has(text, &BEYOND) && is_measured(text))
}

/// Whether a text has a number of one of these units: `5 MB`, `25mb`.
fn has_number_of(text: &str, units: &[&str]) -> bool {
    let mut places = units.iter().flat_map(|unit| text.match_indices(unit));
    places.any(|(at, unit)| {
        text[..at].trim_end().ends_with(|c: char| c.is_ascii_digit())
            && !text[at + unit.len()..].starts_with(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(words: &str) -> bool {
        says_so(&ErrorText::new(400, words, Some("m")))
    }

    #[test]
    fn too_many_bytes_or_pixels_are_known_by_what_servers_say() {
        for words in [
            "PayloadTooLargeError: request entity too large",
            "Failed to buffer the request body: length limit exceeded",
            "messages.0.content.1.image.source.base64: image exceeds 5 MB maximum: 6291456 bytes > \
             5242880 bytes",
            "At least one of the image dimensions exceed max allowed size: 8000 pixels",
            "Exceeded limit on max bytes per data-uri item : 10485760",
            "Image size is 25MB, which exceeds the allowed limit of 20 MB",
            "图片过大，不能超过 5MB",
            "Request payload size exceeds the limit: 20971520 bytes.",
            "Image size (300000000 pixels) exceeds limit of 178956970 pixels",
            "Invalid 'messages[0].content[1].image_url.url': string too long. Expected a string \
             with maximum length 20971520, but got a string with length 20971600 instead.",
        ] {
            assert!(says(words), "{words}");
        }
    }

    #[test]
    fn long_prompts_and_other_faults_of_a_picture_are_something_else() {
        for words in [
            "The prompt (total length 25938) is too long to fit into the model (context length \
             4096). For image inputs, the number of image tokens depends on their number.",
            "You uploaded an unsupported image. Please make sure your image is below 20 MB in size.",
            "the image is too small",
            "This model's maximum context length is 4096 tokens",
        ] {
            assert!(!says(words), "{words}");
        }
    }
}
