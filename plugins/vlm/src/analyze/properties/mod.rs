//! The element's properties: what they are called, their ranges and defaults, and which setting
//! each one reads and writes. One file per theme.

mod ask;
mod overlay;
mod picture;
mod sampling;
mod text;

use std::{any::Any, sync::LazyLock, time::Duration};

use gst::{glib, prelude::*};

use super::{settings::Settings, shared::Shared};

/// What a changed property means for the asking task.
pub(crate) enum Effect {
    /// An answer in flight is worthless.
    Question,
    /// The same, and something was dropped with the server that it was for.
    Dropped(String),
    /// When to ask has changed.
    Schedule,
    /// The next question is asked differently.
    NextQuestion,
    /// Text is drawn otherwise over the picture.
    Overlay,
    /// The value was not taken, and why; the one before stays.
    Refused(String),
}

/// A property that is a setting.
struct Property {
    spec: glib::ParamSpec,
    /// GObject has checked the value's type and range.
    set: fn(&mut Settings, &glib::Value) -> Effect,
    /// `None` if it is never read back.
    get: Option<fn(&Settings) -> glib::Value>,
}

/// A property whose value is read before the settings are locked, because that may take longer
/// than a streaming thread may wait for them.
struct Parsed {
    spec: glib::ParamSpec,
    /// The error says why the value will not do.
    parse: fn(&glib::Value) -> Result<Change, String>,
    /// `None` if it is never read back.
    get: Option<fn(&Settings) -> glib::Value>,
}

/// Changes the settings. Gives what was there before, to be dropped when they are not locked.
type Change = Box<dyn FnOnce(&mut Settings) -> (Effect, Box<dyn Any>)>;

static SETTINGS: LazyLock<Vec<Property>> = LazyLock::new(|| {
    let groups = [
        ask::properties(),
        sampling::properties(),
        picture::properties(),
        overlay::properties(),
        text::properties(),
    ];
    groups.into_iter().flatten().collect()
});

static PARSED: LazyLock<Vec<Parsed>> =
    LazyLock::new(|| [ask::parsed(), picture::parsed()].into_iter().flatten().collect());

pub(crate) static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
    let results = [
        glib::ParamSpecString::builder("last-answer")
            .nick("Last answer")
            .blurb("Text of the newest complete answer")
            .read_only()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("Statistics")
            .blurb("Counts of frames, samples, questions, answers and errors since the start")
            .read_only()
            .build(),
    ];
    let simple = SETTINGS.iter().map(|property| &property.spec);
    let parsed = PARSED.iter().map(|property| &property.spec);
    simple.chain(parsed).chain(&results).cloned().collect()
});

/// Writes a property.
pub(crate) fn set(shared: &Shared, name: &str, value: &glib::Value) -> Option<Effect> {
    if let Some(property) = setting(name) {
        return Some(shared.change(|settings| (property.set)(settings, value)));
    }
    match (parsed(name)?.parse)(value) {
        Ok(change) => {
            let (effect, before) = shared.change(change);
            drop(before);
            Some(effect)
        }
        Err(reason) => Some(Effect::Refused(reason)),
    }
}

/// Reads a property that is a setting.
pub(crate) fn get(shared: &Shared, name: &str) -> Option<glib::Value> {
    let get = match setting(name) {
        Some(property) => property.get?,
        None => parsed(name)?.get?,
    };
    Some(shared.with_settings(get))
}

fn setting(name: &str) -> Option<&'static Property> {
    SETTINGS.iter().find(|property| property.spec.name() == name)
}

fn parsed(name: &str) -> Option<&'static Parsed> {
    PARSED.iter().find(|property| property.spec.name() == name)
}

fn text(value: &glib::Value) -> String {
    value.get::<Option<String>>().ok().flatten().unwrap_or_default()
}

fn time(value: &glib::Value) -> Duration {
    Duration::from_nanos(value.get::<u64>().unwrap_or_default())
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A question is worthless only if what it asks has really changed.
fn replace(setting: &mut String, value: String) -> Effect {
    let changed = *setting != value;
    *setting = value;
    if changed { Effect::Question } else { Effect::NextQuestion }
}
