//! Which models are asked as we ask: not those that make pictures or sounds, or that compare texts.
//! By what a server says of them, and by their names. Pure.

use std::sync::LazyLock;

use serde_json::Value;

use super::{
    fields::{plain, words},
    naming::Names,
};

/// Words of names, written as [`Names`] are.
const OTHERS: &[&str] = &[
    // What compares texts, or texts and pictures.
    "ada-002",
    "bge",
    "clip-vit",
    "colbert",
    "colnomic",
    "colpali",
    "colqwen",
    "e5",
    "embed",
    "gte",
    "gtr-t5",
    "jina-clip",
    "labse",
    "minilm",
    "mpnet",
    "rerank",
    "sentence-t5",
    "siglip",
    "voyage",
    // What hears or speaks.
    "asr",
    "audio",
    "canary",
    "cosyvoice",
    "flash-live",
    "gemini-live",
    "kokoro",
    "lyria",
    "musicgen",
    "orpheus",
    "parakeet",
    "realtime",
    "sonic",
    "speech",
    "transcribe",
    "tts",
    "voice",
    "whisper",
    // What makes pictures and films.
    "cogvideo",
    "cogview",
    "cosmos-predict",
    "cosmos-transfer",
    "dall-e",
    "flux",
    "hidream",
    "hunyuan-video",
    "ideogram",
    "image!",
    "imagen",
    "imagine",
    "kandinsky",
    "kling",
    "kolors",
    "kontext",
    "ltx",
    "midjourney",
    "nano-banana",
    "nova-canvas",
    "nova-reel",
    "omnigen",
    "pixart",
    "playground-v",
    "recraft",
    "sd-3",
    "sd-turbo",
    "sdxl",
    "seedance",
    "seedream",
    "sora",
    "stable-diffusion",
    "step-1x",
    "t2i",
    "t2v",
    "veo",
    "wan-2",
    // What judges others.
    "guard",
    "moderation",
    "prm",
    "reward",
    "shieldgemma",
    // What another API is for.
    "aqa",
    "codex",
    "computer-use",
    "deep-research",
    "gpt-#-pro",
    "mistral-ocr",
    "turbo-instruct",
];
/// Fields that say in one word what a model is for.
const KINDS: [&str; 8] =
    ["type", "modeltype", "task", "pipelinetag", "mode", "category", "kind", "modelcategory"];
/// Fields that list what it is for.
const ABILITIES: [&str; 6] =
    ["capabilities", "modelability", "labels", "tasks", "supportedtasks", "abilities"];
const OUTPUTS: [&str; 4] =
    ["outputmodalities", "supportedoutputmodalities", "outputtypes", "outputs"];
/// Fields that have some of these in them.
const GROUPS: [&str; 5] = ["architecture", "details", "modelinfo", "modelspec", "modalities"];
/// Words for what is not asked as we ask.
const WORDS: &[&str] = &[
    "asr",
    "audio",
    "automaticspeechrecognition",
    "embed",
    "embedding",
    "embeddings",
    "featureextraction",
    "image",
    "imagegeneration",
    "images",
    "imagetoimage",
    "moderation",
    "rerank",
    "reranker",
    "reranking",
    "sentencesimilarity",
    "speech",
    "speechtotext",
    "stt",
    "text2image",
    "text2video",
    "textembedding",
    "textembeddings",
    "texttoaudio",
    "texttoimage",
    "texttospeech",
    "texttovideo",
    "transcription",
    "tts",
    "video",
    "videogeneration",
    "voice",
];

/// Whether a model's name is not one of those for texts to be compared, sounds and the like.
pub(super) fn looks_like_chat(id: &str) -> bool {
    static ARE_OTHERS: LazyLock<Names> = LazyLock::new(|| Names::of(OTHERS));
    // LiteLLM lists what it passes on as `openai/*`.
    let is_pro = || id.rsplit('/').next().is_some_and(|name| matches!(name, "o1-pro" | "o3-pro"));
    !id.ends_with('*') && !ARE_OTHERS.call(id) && !is_pro()
}

/// Whether a field of this [plain] name may say so.
pub(super) fn is_concerned_by(name: &str) -> bool {
    name == "modality"
        || [&KINDS[..], &ABILITIES, &OUTPUTS, &GROUPS].iter().any(|names| names.contains(&name))
}

/// Whether a server says, in the field `name` or in those in it, that a model is not asked as we ask.
pub(super) fn is_denied_by(name: &str, value: &Value) -> bool {
    let name = plain(name);
    let is = |names: &[&str]| names.contains(&&*name);
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| match value {
            // Mistral says so of models for embeddings and moderation.
            Value::Bool(false) => plain(name) == "completionchat",
            Value::Object(_) => false,
            value => is_denied_by(name, value),
        }),
        Value::String(kind) if is(&KINDS) => WORDS.contains(&&*plain(kind)),
        Value::String(text) if name == "modality" => {
            let output = text.split_once("->").map(|(_, output)| output);
            output.is_some_and(|output| !output.to_ascii_lowercase().contains("text"))
        }
        _ if is(&OUTPUTS) => {
            let words = words(value);
            !words.is_empty() && !words.iter().any(|word| word == "text")
        }
        // A list of abilities may name one among others; "image" is one that sees, perhaps.
        _ if is(&ABILITIES) => {
            let words = words(value);
            let is_other = |word: &String| WORDS.contains(&&**word) && !word.starts_with("image");
            !words.is_empty() && words.iter().all(is_other)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_is_known_by_its_name() {
        for id in [
            "black-forest-labs/FLUX.1-schnell",
            "all-minilm:latest",
            "intfloat/multilingual-e5-large",
            "mxbai-embed-large",
            "snowflake-arctic-embed2",
            "text-embedding-3-small",
            "whisper-1",
            "qwen3-tts-flash",
            "cosyvoice-v2",
            "gpt-image-1",
            "models/gemini-2.0-flash-exp-image-generation",
            "models/gemini-live-2.5-flash-preview",
            "stabilityai/stable-diffusion-3.5",
            "wan2.2-t2v-a14b",
            "gpt-5-pro",
            "gpt-5-codex",
            "o3-pro",
            "openai/*",
            "meta-llama/Llama-Guard-4-12B",
        ] {
            assert!(!looks_like_chat(id), "{id}");
        }
        for id in [
            "gpt-4.1",
            "gemini-2.5-pro",
            "qwen3:8b",
            "llava",
            "influx",
            "imagery-7b",
            "amazon.nova-pro-v1:0",
            "mistral-large-2411",
        ] {
            assert!(looks_like_chat(id), "{id}");
        }
    }

    #[test]
    fn what_is_not_asked_is_known_by_what_a_server_says() {
        let is_denied = |name, json| is_denied_by(name, &serde_json::from_str(json).unwrap());
        for (name, json) in [
            ("type", r#""image""#),
            ("type", r#""embeddings""#),
            ("model_type", r#""rerank""#),
            ("task", r#""text-to-image""#),
            ("modality", r#""text->image""#),
            ("output_modalities", r#"["image"]"#),
            ("architecture", r#"{"output_modalities":["embeddings"]}"#),
            ("capabilities", r#"{"completion_chat":false}"#),
            ("capabilities", r#"["embedding"]"#),
            ("model_ability", r#"["text2image"]"#),
        ] {
            assert!(is_concerned_by(&plain(name)), "{name}");
            assert!(is_denied(name, json), "{name}: {json}");
        }
        for (name, json) in [
            ("type", r#""chat""#),
            ("type", r#""llm""#),
            ("modality", r#""text+image->text""#),
            ("output_modalities", r#"["text","image"]"#),
            ("output_modalities", "[]"),
            ("capabilities", r#"{"completion_chat":true,"vision":false}"#),
            ("capabilities", r#"["completion","embedding"]"#),
            ("capabilities", r#"["image"]"#),
            ("capabilities", "[]"),
            ("owned_by", r#""image""#),
        ] {
            assert!(!is_denied(name, json), "{name}: {json}");
        }
    }
}
