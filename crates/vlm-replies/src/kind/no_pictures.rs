//! Servers that say that a model takes no pictures: no two in the same words, nor with the same
//! status, and some as if they were broken.

use super::{
    error_text::{ErrorText, has, sentences, without},
    names::without_models,
    text_only::wants_text,
};

/// What such a refusal is about. The last ones are Chinese: picture, image, vision, multimodal.
const PICTURES: [&str; 11] = [
    "image",
    "picture",
    "vision",
    "visual",
    "multimodal",
    "multi-modal",
    "图片",
    "图像",
    "视觉",
    "多模态",
    "识图",
];

/// What it says of that.
const REFUSED: [&str; 27] = [
    "not support",
    "n't support",
    "unsupported",
    "no support",
    "not currently support",
    "not yet support",
    "only supported by",
    "only supported for",
    "only supported on",
    "only available for",
    "only available on",
    "only works with",
    "found that support",
    "not enabled",
    "not accept",
    "n't accept",
    "not allowed",
    "not capable",
    "cannot process images",
    "can't process images",
    "unable to process images",
    "cannot process image input",
    "not a visual",
    "at most 0 ",
    "missing data required",
    "unknown variant",
    // Chinese.
    "不支持",
];
/// The same, which may pass.
const NOT_AVAILABLE: [&str; 1] = ["not available"];
/// The same of a field that is not known.
const UNKNOWN_FIELD: [&str; 9] = [
    "unknown field",
    "unknown name",
    "unknown parameter",
    "unrecognized field",
    "unrecognized key",
    "unrecognized parameter",
    "unexpected keyword",
    "unexpected field",
    "not permitted",
];

/// What is enough.
const OUTRIGHT: [&str; 24] = [
    "not a multimodal",
    "not a multi-modal",
    "not multimodal",
    "not a vision",
    "not a vlm",
    "non-vision model",
    "not have vision",
    "n't have vision",
    "without vision",
    "lacks vision",
    "no vision support",
    "no vision capab",
    "no image support",
    "not vision-capable",
    "text-only model",
    "only supports text input",
    "requires a vision",
    "requires a multimodal",
    "a vision-capable",
    "model that supports image",
    "model that supports vision",
    // vLLM with --limit-mm-per-prompt.
    "set image=0",
    // llama.cpp before it took pictures.
    "unsupported content[].type",
    "unsupported content part type",
];
/// What is enough beside a word of pictures.
const TEXT_ALONE: [&str; 9] = [
    "text-only",
    "text only",
    "only text",
    "only accepts text",
    "only support text",
    "only supports text",
    "only takes text",
    "仅支持文本",
    "只支持文本",
];
/// What llama.cpp's models see with, which is another file.
const EYES: &str = "mmproj";

/// What is said of one picture, and not of all.
const THIS_ONE: [&str; 31] = [
    "image format",
    "image_format",
    "format of",
    "image type",
    "media type",
    "mime",
    "your image is valid",
    "image size",
    "dimension",
    "resolution",
    "too large",
    "too small",
    "too many",
    "multiple image",
    "multi-image",
    "more than one image",
    "single image",
    "one image per",
    "decod",
    "corrupt",
    "download",
    "fetch",
    "remote image",
    "external image",
    "image urls are",
    "base64",
    "scheme",
    // Chinese: format, size, too big, several.
    "格式",
    "大小",
    "过大",
    "多张",
];
/// What is said of something else that a question has.
const OTHER_FIELDS: [&str; 17] = [
    "response_format",
    "response format",
    "json_schema",
    "json schema",
    "json mode",
    "json_object",
    "structured output",
    "guided",
    "tool_choice",
    "tool call",
    "tools",
    "function call",
    "streaming",
    "stream_options",
    "system prompt",
    "system message",
    "logprobs",
];
/// What is said of the machine that looks at pictures.
const MACHINE: [&str; 11] = [
    "cuda",
    "kernel",
    "dtype",
    "flash attention",
    "flashattention",
    "float16",
    "bf16",
    "fp8",
    "compute capability",
    "operation not supported",
    "unsupported operand",
];
/// What has these words in it and is about something else: what containers are made from, models
/// that see, and pictures that are made.
const OTHERS: [&str; 16] = [
    "docker image",
    "container image",
    "disk image",
    "base image",
    "image tag",
    "image pull",
    "imagepull",
    "pull image",
    "image registry",
    "vision model",
    "vision language model",
    "vision-language model",
    "multimodal model",
    "image generation",
    "image output",
    "image editing",
];
/// Between what is refused and pictures: it goes without them.
const BESIDE: [&str; 7] =
    [" with ", " when ", " while ", " if ", " together ", " alongside ", " combined "];

/// The names of formats.
const FORMATS: [&str; 5] = ["png", "jpeg", "jpg", "webp", "gif"];

/// Whether an error means that the model takes no pictures at all.
pub(super) fn says_so(error: &ErrorText) -> bool {
    let plain = without_models(&error.words, error.model.as_deref());
    if plain.contains(EYES) || wants_text(&plain) || has(&plain, &OUTRIGHT) {
        return true;
    }
    if is_of_this_one(&error.words) {
        return false;
    }
    let plain = without(&plain, &OTHERS);
    if has(&plain, &TEXT_ALONE) && has(&plain, &PICTURES) && !has(&plain, &OTHER_FIELDS) {
        return true;
    }
    let may_pass = error.is_for_now();
    sentences(&plain).any(|sentence| {
        let is_there = |of_model: bool| !may_pass && (error.status < 500 || of_model);
        let is_of_else = has(sentence, &OTHER_FIELDS) || has(sentence, &MACHINE);
        !is_of_else
            && (refuses_pictures(sentence, &REFUSED)
                || (is_there(sentence.contains("model"))
                    && refuses_pictures(sentence, &NOT_AVAILABLE))
                || (names_part(sentence) && has(sentence, &UNKNOWN_FIELD)))
    })
}

/// Whether it is said of one picture: of its form, its size, or how it was sent.
fn is_of_this_one(said: &str) -> bool {
    // "You uploaded an unsupported image."
    let mut unsupported = said.split("unsupported image").skip(1);
    has(said, &THIS_ONE)
        || (said.contains("format") && has(said, &FORMATS))
        || unsupported.any(|rest| rest.is_empty() || rest.starts_with(['.', ',', ':', '!']))
}

/// Whether pictures are what a sentence refuses.
fn refuses_pictures(sentence: &str, words: &[&str]) -> bool {
    let mut places = words.iter().flat_map(|words| sentence.match_indices(words));
    places.any(|(at, words)| {
        let (before, after) = (&sentence[..at], &sentence[at + words.len()..]);
        let next = PICTURES.iter().filter_map(|picture| after.find(picture)).min();
        let has_pictures = has(before, &PICTURES) || has(words, &PICTURES);
        has_pictures || next.is_some_and(|next| !has(&after[..next], &BESIDE))
    })
}

/// Whether a sentence names that part of a message which a picture is in.
fn names_part(sentence: &str) -> bool {
    let is_mark = |c: char| !c.is_alphanumeric();
    sentence.split_whitespace().any(|word| word.trim_matches(is_mark).ends_with("image_url"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(status: u16, words: &str) -> bool {
        says_so(&ErrorText::new(status, words, Some("m")))
    }

    #[test]
    fn a_model_without_eyes_is_known_by_what_servers_say() {
        for said in [
            "image input is not supported - hint: if this is unexpected, you may need to provide \
             the mmproj",
            "Invalid content type. image_url is only supported by certain models.",
            "meta-llama/Llama-3.1-8B-Instruct is not a multimodal model",
            "At most 0 image(s) may be provided in one request.",
            "You set image=0 (or defaulted to 1) in `--limit-mm-per-prompt`, but passed 1 image",
            "Model does not support images. Please use a model that does.",
            "No endpoints found that support image input",
            "this model is missing data required for image input",
            "Failed to deserialize the JSON body into the target type: messages[0]: unknown \
             variant `image_url`, expected `text`",
            "Image input is not enabled for this model",
            "Image input modality is not enabled for models/gemma-3-1b-it",
            "you may need to provide the mmproj",
            "This model doesn't support vision",
            "This model doesn’t support vision",
            "mistral-large-2411 does not support image inputs",
            "unsupported content[].type",
            "Failed to parse messages: Unsupported content part type: \"image_url\"; messages = ",
            "The model is not a VLM (Vision Language Model). Please use text-only prompts.",
            "This is a text-only model. Leave the picture out.",
            "Only 'text' content type is supported.",
            "Content type 'image_url' is not supported. Only 'text' content type is supported.",
            "image input is not available for this model",
            "This model cannot process images",
            "Image input requires a vision model",
            "Upstream error: the model does not support images",
            "Unknown parameter: 'messages[0].content[1].image_url'.",
            "body.messages.0.content.1.image_url: Extra inputs are not permitted",
            "该模型不支持图片输入",
            "当前模型仅支持文本，不能识图",
        ] {
            assert!(says(400, said), "{said}");
            assert!(says(500, said), "{said}");
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
            "You uploaded an unsupported image. Please make sure your image is valid.",
            "You uploaded an unsupported image. Please make sure your image is below 20 MB in size \
             and is of one the following formats: ['png', 'jpeg', 'gif', 'webp'].",
            "Unable to process input image. Please retry",
            "This model does not support multiple images",
            "vision model only supports a single image per message",
            "Only base64 images are supported; image URLs are not supported",
            "不支持的图片格式",
            "Invalid 'messages[0].content[1].image_url.url': string too long. Expected a string \
             with maximum length 20971520, but got a string with length 20971600 instead.",
            "Invalid type for 'messages[0].content[1].image_url': expected a string, got an object.",
            "body.messages.0.content.str: Input should be a valid string; \
             body.messages.0.content.list[Part].1.image_url.detail: Input should be 'low'",
            "Unexpected error while processing image_url",
            "out of memory",
            "temperature is not supported",
            "response_format json_schema is not supported with image inputs",
            "top_k is not supported with images",
            "Structured output is not supported for vision models",
            "This model does not support tools with images",
            "the vision encoder crashed",
            "FlashAttention is not supported for the vision tower on this GPU",
            "Docker image not available yet, the worker is starting",
            "The vision model is not available",
            "image generation is not supported",
            "",
        ] {
            assert!(!says(400, said), "{said}");
            assert!(!says(500, said), "{said}");
        }
    }

    #[test]
    fn a_word_in_the_name_of_a_model_says_nothing() {
        for said in [
            "The requested model 'meta-llama/Llama-3.2-11B-Vision-Instruct' is not supported by \
             any provider you have enabled.",
            "Model llama-3.2-11b-vision-instruct is not available",
            "llama-3.2-11b-vision-preview does not support response format `json_schema`",
            "grok-vision-beta does not support logprobs",
        ] {
            assert!(!says(400, said), "{said}");
        }
        let own = ErrorText::new(400, "'vision' is not supported here", Some("Vision"));
        assert!(!says_so(&own));
    }
}
