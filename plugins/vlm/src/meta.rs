//! The newest complete answer as metadata on buffers: a `GstCustomMeta`, so that any language can
//! read it, and without tags, so that converters, encoders and payloaders keep it.

use gst::meta::CustomMeta;

use crate::messages::Answer;

/// The name under which the metadata is registered. Its structure has the fields of the
/// `vlm-answer` message, and [`AS_JSON`].
pub const META: &str = "GstVlmAnswerMeta";
/// The field that has the whole answer as a JSON object.
pub const AS_JSON: &str = "as-json";

/// Registers the metadata with GStreamer; the plugin does so when it is loaded.
pub(crate) fn register() {
    if !CustomMeta::is_registered(META) {
        CustomMeta::register_simple(META);
    }
}

/// What buffers carry of an answer.
#[derive(Debug)]
pub(crate) struct Carried {
    /// As its message has it, and as JSON.
    answer: gst::Structure,
    /// What it says the picture shows, in words that the user's schema lists.
    #[cfg_attr(not(feature = "v1_24"), expect(dead_code, reason = "older GStreamer has no such"))]
    classes: Vec<String>,
}

impl Carried {
    /// A complete answer, and those of its values that the user's schema lists.
    pub(crate) fn new(answer: &Answer, classes: Vec<String>) -> Self {
        let mut structure = answer.to_structure();
        structure.set(AS_JSON, answer.to_json().to_string());
        Self { answer: structure, classes }
    }
}

/// Puts an answer on a buffer, in place of one that is there.
pub(crate) fn attach(buffer: &mut gst::BufferRef, carried: &Carried) {
    #[cfg(feature = "v1_24")]
    if !carried.classes.is_empty() {
        crate::analytics::attach(buffer, &carried.classes);
    }
    let meta = if CustomMeta::from_buffer(buffer, META).is_ok() {
        CustomMeta::from_mut_buffer(buffer, META)
    } else {
        CustomMeta::add(buffer, META)
    };
    if let Ok(mut meta) = meta {
        let fields = meta.mut_structure();
        fields.remove_all_fields();
        for (name, value) in carried.answer.iter() {
            fields.set_value(name, value.clone());
        }
    }
}

/// The answer that a buffer carries.
pub fn answer(buffer: &gst::BufferRef) -> Option<Answer> {
    let meta = CustomMeta::from_buffer(buffer, META).ok()?;
    let mut structure = meta.structure().to_owned();
    structure.set_name(crate::messages::ANSWER);
    Answer::from_structure(&structure)
}
