//! Whether a model takes pictures, by what a server says of it. Pure.

use serde_json::Value;

use super::{
    families::looks_like_vision,
    fields::{plain, texts, words},
};

/// How deep it is looked into.
const DEEPEST: usize = 4;

/// Whether a model takes pictures, by what is said of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sees {
    #[default]
    Unknown,
    Yes,
    No,
    /// It is told as one for text, which says No only where others are told to take pictures.
    Hardly,
}

// The names of fields are plain, as `plain` makes them.

/// Fields that say what a model can do, as a list of words or as flags.
const ABILITIES: [&str; 11] = [
    "abilities",
    "capabilities",
    "capability",
    "features",
    "labels",
    "modelability",
    "supportedcapabilities",
    "supportedfeatures",
    "supportedtasks",
    "tags",
    "tasks",
];
/// Fields that say all that it takes.
const INPUTS: [&str; 7] = [
    "input",
    "inputmodalities",
    "inputmodality",
    "inputs",
    "inputtypes",
    "supportedinputmodalities",
    "supportedinputs",
];
/// Fields that say it in one word.
const KINDS: [&str; 8] =
    ["category", "kind", "modality", "mode", "modeltype", "pipelinetag", "task", "type"];
/// Fields that name what it is made of.
const MAKES: [&str; 5] = ["arch", "architecture", "architectures", "families", "family"];
/// Fields that have others in them.
const GROUPS: [&str; 9] = [
    "config",
    "details",
    "info",
    "meta",
    "metadata",
    "modalities",
    "modelinfo",
    "modelspec",
    "supports",
];
/// What it sees with, where llama.cpp runs it.
const EYES: &str = "mmproj";
/// Words for what takes pictures.
const WORDS: [&str; 17] = [
    "anytoany",
    "clip",
    "image",
    "imageinput",
    "images",
    "imagetexttotext",
    "imagetotext",
    "imageunderstanding",
    "imageurl",
    "multimodal",
    "video",
    "vision",
    "visionlanguage",
    "visual",
    "visualquestionanswering",
    "vl",
    "vlm",
];

impl Sees {
    /// Whether a field of this [plain] name may say it.
    pub(super) fn is_told_by(name: &str) -> bool {
        let fields = [&ABILITIES[..], &INPUTS, &KINDS, &MAKES, &GROUPS];
        name == EYES || is_flag(name) || fields.iter().any(|names| names.contains(&name))
    }

    /// What a field says.
    pub(super) fn told(name: &str, value: &Value) -> Self {
        Self::in_field(&plain(name), value, DEEPEST)
    }

    /// What is said twice: that it does counts for more than that it does not.
    pub(super) fn and(self, other: Self) -> Self {
        let either = |sees| self == sees || other == sees;
        [Self::Yes, Self::No, Self::Hardly]
            .into_iter()
            .find(|sees| either(*sees))
            .unwrap_or_default()
    }

    /// The same, or if nothing is known what its name says. `others` says whether other models are
    /// told to take pictures.
    pub(super) fn or_called(self, is_called_vision: bool, others: bool) -> bool {
        match self {
            Self::Yes => true,
            Self::No => false,
            Self::Hardly => is_called_vision && !others,
            Self::Unknown => is_called_vision,
        }
    }

    fn of(sees: bool) -> Self {
        if sees { Self::Yes } else { Self::No }
    }

    fn if_so(sees: bool) -> Self {
        if sees { Self::Yes } else { Self::Unknown }
    }

    fn in_field(name: &str, value: &Value, deepest: usize) -> Self {
        let Some(deepest) = deepest.checked_sub(1) else { return Self::Unknown };
        let is = |names: &[&str]| names.contains(&name);
        match value {
            Value::Object(object) if is(&INPUTS) || is_flag(name) => {
                // {"image": {"supported": true}}
                let said = object.get("supported").or(object.get("enabled"));
                said.map_or(Self::Unknown, |said| Self::in_field("vision", said, deepest))
            }
            Value::Object(object) => {
                let told = object.iter().map(|(name, value)| (plain(name), value));
                let told = told.filter(|(name, _)| Self::is_told_by(name));
                told.fold(Self::Unknown, |sees, (name, value)| {
                    sees.and(Self::in_field(&name, value, deepest))
                })
            }
            _ if is(&INPUTS) => match words(value) {
                words if words.is_empty() => Self::Unknown,
                words => Self::of(words.iter().any(|word| is_vision(word))),
            },
            Value::Bool(flag) if is_flag(name) => Self::of(*flag),
            Value::String(flag) if is_flag(name) => match &*plain(flag) {
                "true" | "yes" => Self::Yes,
                "false" | "no" => Self::No,
                _ => Self::Unknown,
            },
            Value::String(file) if name == EYES => Self::if_so(!file.is_empty()),
            Value::String(text) if is(&KINDS) => Self::of_kind(text),
            _ if is(&MAKES) => Self::if_so(texts(value).any(is_make)),
            _ if is(&ABILITIES) || is(&GROUPS) => {
                Self::if_so(words(value).iter().any(|word| is_vision(word)))
            }
            _ => Self::Unknown,
        }
    }

    /// `vlm`, `text+image->text`; what makes pictures does not take them.
    fn of_kind(text: &str) -> Self {
        if let Some((input, _)) = text.split_once("->") {
            return Self::of(input.split(|c: char| !c.is_alphanumeric()).any(is_vision));
        }
        match &*plain(text) {
            "embedding" | "embeddings" => Self::No,
            "llm" | "text" | "textgeneration" => Self::Hardly,
            "image" | "images" | "video" => Self::Unknown,
            kind => Self::if_so(is_vision(kind) || is_make(text)),
        }
    }
}

/// Whether a name is that of a flag that says it: `vision`, `supports_image_input`,
/// `isVisionModel`.
fn is_flag(name: &str) -> bool {
    let before = ["supports", "support", "accepts", "enable", "allow", "has", "can", "is"];
    let name = before.iter().find_map(|word| name.strip_prefix(word)).unwrap_or(name);
    let behind =
        ["supported", "support", "enabled", "model", "inputs", "input", "understanding", "in"];
    let name = behind.iter().find_map(|word| name.strip_suffix(word)).unwrap_or(name);
    ["vision", "multimodal", "image", "images", "visual", "visionlanguage"].contains(&name)
}

fn is_vision(word: &str) -> bool {
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Whether what a model is made of sees: `clip`, `qwen2_5_vl`, `Qwen2_5_VLForConditionalGeneration`.
fn is_make(make: &str) -> bool {
    let make = make.trim().to_ascii_lowercase();
    let ends = ["forconditionalgeneration", "forcausallm", "forvision2seq", "model"];
    let make = ends.iter().find_map(|end| make.strip_suffix(end)).unwrap_or(&make);
    is_vision(make) || looks_like_vision(make)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_model_is_understood_in_every_form() {
        for (name, json, sees) in [
            ("capabilities", r#"["completion","multimodal"]"#, Sees::Yes),
            ("capabilities", r#"["completion"]"#, Sees::Unknown),
            ("capabilities", r#"{"completion_chat":true,"vision":true}"#, Sees::Yes),
            ("capabilities", r#"{"vision":false}"#, Sees::No),
            ("capabilities", r#"{"image_input":{"supported":true}}"#, Sees::Yes),
            ("capabilities", "null", Sees::Unknown),
            (
                "architecture",
                r#"{"modality":"text+image->text","input_modalities":null}"#,
                Sees::Yes,
            ),
            ("architecture", r#"{"input_modalities":["text"]}"#, Sees::No),
            ("architecture", r#"{"modality":"text->text+image"}"#, Sees::No),
            ("arch", r#""qwen2_5_vl""#, Sees::Yes),
            ("type", r#""vlm""#, Sees::Yes),
            ("type", r#""llm""#, Sees::Hardly),
            ("model_type", r#""LLM""#, Sees::Hardly),
            ("model_type", r#""qwen2_5_vl""#, Sees::Yes),
            ("model_ability", r#"["generate","vision"]"#, Sees::Yes),
            ("labels", r#"["vision","tool-calling"]"#, Sees::Yes),
            ("model_spec", r#"{"capabilities":{"supportsVision":true}}"#, Sees::Yes),
            ("model_spec", r#"{"capabilities":{"supportsVision":false}}"#, Sees::No),
            ("capabilities", r#"{"type":"chat","supports":{"vision":true}}"#, Sees::Yes),
            ("capabilities", r#"{"vision":"true"}"#, Sees::Yes),
            ("architecture", r#"{"modality":"text,image->text"}"#, Sees::Yes),
            ("architectures", r#"["LlavaForConditionalGeneration"]"#, Sees::Yes),
            ("architectures", r#"["Qwen2_5_VLForConditionalGeneration"]"#, Sees::Yes),
            ("architectures", r#"["Qwen2ForCausalLM"]"#, Sees::Unknown),
            ("meta", r#"{"mmproj":"/m/mmproj.gguf"}"#, Sees::Yes),
            ("isVisionModel", "true", Sees::Yes),
            ("supports_image_generation", "true", Sees::Unknown),
            ("type", r#""chat""#, Sees::Unknown),
            ("type", r#""image""#, Sees::Unknown),
            ("input_modalities", r#"["text","image"]"#, Sees::Yes),
            ("modality", r#""text+image->text""#, Sees::Yes),
            ("modalities", r#"{"input":["text","image"],"output":["text"]}"#, Sees::Yes),
            ("modalities", r#"{"input":["text"],"output":["text","image"]}"#, Sees::No),
            ("supports_image_in", "true", Sees::Yes),
            ("supports_vision", "false", Sees::No),
            ("details", r#"{"family":"mllama","families":["mllama"]}"#, Sees::Yes),
            ("details", r#"{"families":["llama","clip"]}"#, Sees::Yes),
            ("details", r#"{"family":"","families":[""]}"#, Sees::Unknown),
            ("tags", r#"["vision"]"#, Sees::Yes),
            ("pipeline_tag", r#""image-text-to-text""#, Sees::Yes),
        ] {
            assert_eq!(
                Sees::told(name, &serde_json::from_str(json).unwrap()),
                sees,
                "{name}: {json}"
            );
        }
        assert!(Sees::is_told_by("modelspec"));
        assert!(!Sees::is_told_by("outputmodalities") && !Sees::is_told_by("imageoutput"));
    }

    #[test]
    fn a_model_for_text_sees_by_its_name_only_where_no_other_is_told_to() {
        assert!(Sees::Hardly.or_called(true, false));
        assert!(!Sees::Hardly.or_called(true, true) && !Sees::Hardly.or_called(false, false));
        assert_eq!(Sees::Hardly.and(Sees::Yes), Sees::Yes);
        assert_eq!(Sees::Unknown.and(Sees::Hardly), Sees::Hardly);
    }
}
