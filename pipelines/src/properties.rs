//! Properties of elements, of which versions and kinds have different ones.

use gst::{glib, prelude::*};

use crate::PipelineError;

/// Sets a property that some versions or some elements lack. Answers whether it was set.
///
/// `set_property` panics on a missing or differently typed property; a property of another
/// GStreamer version must not end a server.
pub fn set_if_present<T>(object: &impl IsA<glib::Object>, name: &str, value: T) -> bool
where
    T: Into<glib::Value> + StaticType,
{
    let fits = object.find_property(name).is_some_and(|spec| {
        spec.value_type() == T::static_type() && spec.flags().contains(glib::ParamFlags::WRITABLE)
    });
    if fits {
        object.set_property(name, value);
    } else {
        tracing::debug!(object = %object.type_(), name, "property is missing, left alone");
    }
    fits
}

/// As [`set_if_present`], for enumerations and other types that are written as text.
pub fn set_text_if_present(object: &impl IsA<glib::Object>, name: &str, value: &str) {
    if object.find_property(name).is_some() {
        object.set_property_from_str(name, value);
    } else {
        tracing::debug!(object = %object.type_(), name, "property is missing, left alone");
    }
}

/// Reads a property that some versions lack.
pub fn get_if_present<T>(object: &impl IsA<glib::Object>, name: &str) -> Option<T>
where
    T: for<'b> glib::value::FromValue<'b> + 'static,
{
    object.find_property(name)?;
    object.property_value(name).get::<T>().ok()
}

/// Makes an element, with an error that says which one is missing.
pub fn make(factory: &str) -> Result<gst::Element, PipelineError> {
    gst::ElementFactory::make(factory)
        .build()
        .map_err(|_| PipelineError::MissingElement(factory.to_owned()))
}
