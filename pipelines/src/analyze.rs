//! All that this crate knows of `vlmanalyze`: its properties, its messages, its context.

use std::time::Duration;

use gst::prelude::*;
use gstvlm::VlmAnalyze;
pub(crate) use gstvlm::{
    context::remote_context,
    remote::{FromElement, Picture, RemoteAsker},
};

use crate::{
    DecodeMode, PipelineError, SamplingSettings,
    properties::{make, set_if_present},
};

/// A new `vlmanalyze`.
pub(crate) fn element() -> Result<gst::Element, PipelineError> {
    gst::init()?;
    gstvlm::register_static()?;
    make("vlmanalyze")
}

/// Hands the settings to the element, those that it has.
pub(crate) fn set_properties(element: &gst::Element, settings: &SamplingSettings) {
    let SamplingSettings { asks, interval, max_age, min_change, max_size, frames_on_demand: _ } =
        *settings;
    let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    set_if_present(element, "ask", asks);
    set_if_present(element, "interval", nanoseconds(interval));
    set_if_present(element, "max-age", nanoseconds(max_age));
    set_if_present(element, "min-change", min_change);
    set_if_present(element, "max-size", max_size);
}

/// Tells the element whether frames come only when asked for.
pub(crate) fn set_mode(element: &gst::Element, mode: DecodeMode) {
    set_if_present(element, "on-demand", mode.is_on_demand());
}

/// Asks about a new frame at once.
pub(crate) fn ask_now(element: &gst::Element) {
    if element.is::<VlmAnalyze>() {
        element.emit_by_name::<()>("analyze-now", &[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_element_has_a_property_for_each_setting() {
        let element = element().unwrap();
        let settings = SamplingSettings {
            asks: false,
            interval: Duration::from_millis(2500),
            max_age: Duration::from_millis(1500),
            min_change: 0.25,
            max_size: 320,
            frames_on_demand: false,
        };
        set_properties(&element, &settings);
        assert!(!element.property::<bool>("ask"));
        assert_eq!(element.property::<u64>("interval"), 2_500_000_000);
        assert_eq!(element.property::<u64>("max-age"), 1_500_000_000);
        assert!((element.property::<f64>("min-change") - 0.25).abs() < 1e-9);
        assert_eq!(element.property::<u32>("max-size"), 320);
    }
}
