//! Which models take pictures, by their names. Pure.

use std::sync::LazyLock;

use super::{chats::looks_like_chat, naming::Names};

/// Families of models that take pictures, and words for them, written as [`Names`] are.
const SEEING: &[&str] = &[
    // Words that say so.
    "multimodal",
    "omni",
    "vision",
    "~docling",
    "~llava",
    "~ocr!",
    "~vl",
    "~vlm",
    // Families, in the order of the alphabet.
    "apriel-1.5",
    "apriel-1.6",
    "autoglm",
    "blip",
    "bunny",
    "cambrian",
    "chatgpt-4o",
    "claude",
    "cogagent",
    "cosmos",
    "doubao-seed-1",
    "doubao-seed-2",
    "eagle-2",
    "ernie-5",
    "exaone-4.5",
    "fara!",
    "florence",
    "fuyu",
    "gemini",
    "gemma-3",
    "gemma-3n",
    "gemma-4",
    "glm-#v",
    "gpt-4-turbo",
    "gpt-4.1",
    "gpt-4.5",
    "gpt-4o",
    "gpt-5",
    "gpt-6",
    "grok-4",
    "grok-5",
    "gui-actor",
    "gui-owl",
    "holo-#",
    "idefics",
    "instructblip",
    "intern-s1",
    "isaac-0",
    "janus",
    "kanana-#-v!",
    "keye",
    "kimi-k2.5",
    "kimi-k2.6",
    "kimi-latest",
    "kimi-thinking-preview",
    "kosmos",
    "llama-#v",
    "llama-3.2-11b",
    "llama-3.2-90b",
    "llama-4",
    "longva",
    "magma!",
    "mantis",
    "medgemma",
    "minicpm-llama-3-v",
    "minicpm-o",
    "minicpm-v",
    "ministral-3",
    "mistral-large-3",
    "mistral-medium-3",
    "mistral-small-3",
    "mistral-small-4",
    "mllama",
    "molmo",
    "moondream",
    "mplug-owl",
    "nemotron-parse",
    "neva",
    "nova-#-lite",
    "nova-#-premier",
    "nova-#-pro",
    "nova-lite",
    "nova-premier",
    "nova-pro",
    "nvila",
    "ocrflux",
    "opencua",
    "os-atlas",
    "ovis",
    "paligemma",
    "perception-lm",
    "pixtral",
    "points-reader",
    "qvq",
    "qwen-3.5",
    "qwen-3.6",
    "r1v",
    "reka",
    "robobrain",
    "seed-1.6",
    "seed-1.8",
    "seed-2",
    "sensenova-v",
    "showui",
    "sonar",
    "step-#o",
    "step-#v",
    "step-3",
    "step-r1-v",
    "tarsier",
    "ui-tars",
    "video-chat",
    "video-llama",
    "vila",
    "xcomposer",
    "xgen-mm",
];
/// Mistral's families that have learned to see, with the year and month of the first that does.
const LEARNED: [(&str, u32); 6] = [
    ("devstral-small", 2512),
    ("magistral", 2509),
    ("ministral", 2512),
    ("mistral-large", 2512),
    ("mistral-medium", 2505),
    ("mistral-small", 2503),
];
/// Models of these families that take none.
const BLIND: &[&str] = &[
    "claude-2",
    "claude-instant",
    "gemma-3-1b",
    "gemma-3-270m",
    "gpt-4-turbo-preview",
    "medgemma-27b-text",
    "reka-flash-3",
    "search-preview",
    "step-3.5",
    "text-only",
];

/// Whether a model's name is that of one that takes pictures.
pub fn looks_like_vision(id: &str) -> bool {
    static ARE_SEEING: LazyLock<Names> = LazyLock::new(|| Names::of(SEEING));
    static ARE_BLIND: LazyLock<Names> = LazyLock::new(|| Names::of(BLIND));
    let id = id.to_ascii_lowercase();
    let sees = || ARE_SEEING.call(&id) || has_learned(&id) || is_o(&id);
    looks_like_chat(&id) && !ARE_BLIND.call(&id) && sees()
}

/// Mistral's models have their year and month in their names: `mistral-small-2506`.
fn has_learned(id: &str) -> bool {
    LEARNED.iter().filter(|(family, _)| id.contains(family)).any(|(_, first)| {
        let parts = id.split(|c: char| !c.is_ascii_alphanumeric());
        parts.into_iter().any(|part| match part {
            "latest" => true,
            part if part.len() == 4 => {
                part.parse::<u32>().is_ok_and(|date| (*first..3000).contains(&date))
            }
            _ => false,
        })
    })
}

/// OpenAI's o1, o3 and o4-mini; the other small ones take none.
fn is_o(id: &str) -> bool {
    let name = id.rsplit('/').next().unwrap_or(id);
    let is = |name: &str, model: &str| {
        name.strip_prefix(model).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', ':']))
    };
    let is_blind = ["o1-mini", "o1-preview", "o3-mini"].iter().any(|model| is(name, model));
    !is_blind && ["o1", "o3", "o4-mini"].iter().any(|model| is(name, model))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_vision_models_are_known() {
        for id in [
            "qwen2.5vl:3b",
            "Qwen/Qwen2.5-VL-7B-Instruct",
            "llava:7b",
            "meta/llama-3.2-11b-vision-instruct",
            "accounts/fireworks/models/llama-v3p2-11b-vision-instruct",
            "Llama-3.2V-11B-cot",
            "gemma3:4b",
            "moondream",
            "HuggingFaceTB/SmolVLM-Instruct",
            "nvidia/vila",
            "gpt-4o-mini",
            "minicpm-v:8b",
            "Qwen/Qwen3-VL-8B-Instruct",
            "qwen3.5:9b",
            "google/gemma-4-E4B-it",
            "google/gemma-3n-E4B-it",
            "zai-org/GLM-4.6V-Flash",
            "glm-4v",
            "glm4v:9b",
            "moonshotai/Kimi-K2.5",
            "OpenGVLab/InternVL3_5-8B",
            "mistralai/Ministral-3-8B-Instruct-2512",
            "ministral-8b-2512",
            "mistral-small3.2",
            "mistral-small-2506",
            "mistral-small-latest",
            "mistralai/Mistral-Small-3.1-24B-Instruct-2503",
            "mistral-medium-2508",
            "magistral-medium-2509",
            "mistral-large-2512",
            "models/gemini-2.5-flash",
            "apple/FastVLM-0.5B",
            "Skywork/Skywork-R1V3-38B",
            "deepseek-ai/deepseek-vl2",
            "LiquidAI/LFM2-VL-1.6B",
            "ServiceNow-AI/Apriel-1.5-15b-Thinker",
            "amazon.nova-lite-v1:0",
            "us.amazon.nova-2-lite-v1:0",
            "rednote-hilab/dots.ocr",
            "allenai/olmOCR-2-7B-1025",
            "lightonai/LightOnOCR-1B-1025",
            "ByteDance-Seed/UI-TARS-1.5-7B",
            "openai/o3",
            "o1-2024-12-17",
            "o4-mini",
            "step-1v-8k",
            "nanollava",
            "TinyLLaVA-3.1B",
            "mobilevlm",
            "DAMO-NLP-SG/VideoLLaMA3-7B",
            "Hcompany/Holo1-7B",
            "LGAI-EXAONE/EXAONE-4.5-33B",
        ] {
            assert!(looks_like_vision(id), "{id}");
        }
    }

    #[test]
    fn names_of_models_without_eyes_are_known() {
        for id in [
            "llama3.2:3b",
            "qwen2.5:7b",
            "qwen3:5b",
            "mistral:7b",
            "phi4",
            "nomic-embed-text",
            "gpt-oss",
            "gemma3:1b",
            "google/gemma-3-270m-it",
            "google/medgemma-27b-text-it",
            "nomic-embed-vision-v1.5",
            "gpt-4o-realtime-preview",
            "gpt-4-1106-preview",
            "gemini-embedding-001",
            "glm-4.6",
            "glm-4-voice",
            "mistral-small:24b",
            "mistralai/Mistral-Small-24B-Instruct-2501",
            "mistral-large-2411",
            "ministral-3b-2410",
            "magistral-small-2507",
            "amazon.nova-micro-v1:0",
            "o1-mini",
            "o3-mini",
            "AIDC-AI/Marco-o1",
            "exaone-4.0",
            "stepfun-ai/Step-3.5-Flash",
            "gpt-image-1",
            "qwen-image-edit",
            "democracy-7b",
        ] {
            assert!(!looks_like_vision(id), "{id}");
        }
    }

    #[test]
    fn lists_are_in_order() {
        assert!(SEEING[8..].is_sorted() && LEARNED.is_sorted());
    }
}
