//! What may be chosen for a session while it runs: one list, with the bounds of each beside it.
//! Messages and sessions use this list. To add a setting, add it here and to the page's
//! list in `web/page/src/choices.ts`; then say in `docs/protocol.md` and `web/page/protocol.json` that
//! it is there.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A time in seconds, as messages have it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub f64);

impl Seconds {
    /// The same for a timer; a negative time is none.
    pub fn duration(self) -> Duration {
        Duration::try_from_secs_f64(self.0).unwrap_or_default()
    }
}

impl From<Duration> for Seconds {
    fn from(duration: Duration) -> Self {
        Self(duration.as_secs_f64())
    }
}

/// The least and the greatest that is allowed: of a number, or of a text's length in characters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        (self.min..=self.max).contains(&value)
    }
}

/// A choice that is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be {allowed}")]
pub struct BadChoice {
    /// Its field.
    pub field: &'static str,
    /// What would have been right.
    pub allowed: String,
}

/// A kind of value that may be chosen.
trait Choice: Sized {
    /// Reads it from a message.
    fn read(value: &Value) -> Option<Self>;
    /// What is compared with the bound.
    fn size(&self) -> f64;
    /// What is allowed, in words.
    fn allowed(bound: Bound) -> String;
}

/// A number, or a text that is one: page controls give texts.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

impl Choice for String {
    fn read(value: &Value) -> Option<Self> {
        value.as_str().map(|text| text.trim().to_owned())
    }

    fn size(&self) -> f64 {
        self.chars().count() as f64
    }

    fn allowed(Bound { min, max }: Bound) -> String {
        if min > 0.0 {
            format!("a text of {min} to {max} characters")
        } else {
            format!("a text of up to {max} characters")
        }
    }
}

impl Choice for u32 {
    fn read(value: &Value) -> Option<Self> {
        let number = number(value)?;
        let fits = number.fract() == 0.0 && (0.0..=f64::from(Self::MAX)).contains(&number);
        fits.then_some(number as Self)
    }

    fn size(&self) -> f64 {
        f64::from(*self)
    }

    fn allowed(Bound { min, max }: Bound) -> String {
        format!("a whole number, {min} to {max}")
    }
}

impl Choice for Seconds {
    fn read(value: &Value) -> Option<Self> {
        number(value).map(Self)
    }

    fn size(&self) -> f64 {
        self.0
    }

    fn allowed(Bound { min, max }: Bound) -> String {
        format!("{min} to {max} seconds")
    }
}

impl Choice for f64 {
    fn read(value: &Value) -> Option<Self> {
        number(value)
    }

    fn size(&self) -> f64 {
        *self
    }

    fn allowed(Bound { min, max }: Bound) -> String {
        format!("{min} to {max}")
    }
}

/// Makes the list: for each field its default, its bound, and what else is to be said of
/// what is allowed.
macro_rules! choices {
    ($(
        $(#[$doc:meta])*
        $name:ident: $type:ty = $default:expr,
        $min:literal..=$max:literal $note:literal;
    )+) => {
        /// What is chosen for a session, as pages read it.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub struct Choices {
            $($(#[$doc])* pub $name: $type,)+
        }

        /// What is chosen anew; `None` leaves it as it is.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct Change {
            $($(#[$doc])* pub $name: Option<$type>,)+
        }

        /// The bounds of what may be chosen.
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
        pub struct Bounds {
            $($(#[$doc])* pub $name: Bound,)+
        }

        impl Default for Choices {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Choices {
            /// The bounds.
            pub const BOUNDS: Bounds = Bounds { $($name: Bound { min: $min, max: $max },)+ };

            /// Takes what is chosen anew.
            pub fn update(&mut self, change: Change) {
                $(if let Some(value) = change.$name {
                    self.$name = value;
                })+
            }
        }

        impl Change {
            /// Takes those fields of a message that are settings.
            ///
            /// # Errors
            /// Names the first that is not allowed, and what would be.
            pub fn read(fields: &Map<String, Value>) -> Result<Self, BadChoice> {
                Ok(Self {
                    $($name: match fields.get(stringify!($name)) {
                        None | Some(Value::Null) => None,
                        Some(value) => Some(
                            <$type as Choice>::read(value)
                                .filter(|value| Choices::BOUNDS.$name.holds(value.size()))
                                .ok_or_else(|| Self::$name())?,
                        ),
                    },)+
                })
            }

            /// Whether every value is within its bounds, as those that were read are.
            pub fn is_within_bounds(&self) -> bool {
                $(self.$name.as_ref().is_none_or(|value| Choices::BOUNDS.$name.holds(value.size())))&&+
            }

            $(
                /// The error for a field of this name that is wrong or missing.
                pub fn $name() -> BadChoice {
                    let allowed = <$type as Choice>::allowed(Choices::BOUNDS.$name);
                    BadChoice { field: stringify!($name), allowed: allowed + $note }
                }
            )+
        }
    };
}

/// As of the element.
const DEFAULT_MAX_SIZE: u32 = 768;

// Sessions of the server begin with its own prompt, max_tokens and interval.
choices! {
    /// The question. Default: none.
    prompt: String = String::new(), 1.0..=8000.0 "";
    /// What the VLM is told about its part. Default: nothing.
    system_prompt: String = String::new(), 0.0..=8000.0 "";
    /// The longest answer, in tokens. Default: 512.
    max_tokens: u32 = 512, 1.0..=32768.0 "";
    /// The time between two questions. Default: 1 s. Below 700 ms every frame is decoded.
    interval: Seconds = Seconds(1.0), 0.1..=3600.0 "";
    /// A frame older than this is not asked about; 0 = off. Default: off.
    max_latency: Seconds = Seconds(0.0), 0.0..=10.0 ", 0 = off";
    /// Nothing is asked while less than this share of the picture has changed since the frame that
    /// was asked about last; 0 = off. Default: off.
    min_change: f64 = 0.0, 0.0..=1.0 ", 0 = off";
    /// The longest edge of the picture that the VLM gets, in pixels. Default: 768.
    max_size: u32 = DEFAULT_MAX_SIZE, 64.0..=4096.0 "";
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(fields: &Value) -> Result<Change, BadChoice> {
        Change::read(fields.as_object().unwrap())
    }

    #[test]
    fn what_is_chosen_is_read_and_the_rest_left_as_it_is() {
        let mut choices = Choices::default();
        let change = read(&json!({"min_change": "0.02", "max_tokens": null, "other": 7})).unwrap();
        choices.update(change);
        assert_eq!(choices, Choices { min_change: 0.02, ..Choices::default() });
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_what_is_allowed() {
        for (fields, message) in [
            (json!({"prompt": " "}), "prompt must be a text of 1 to 8000 characters"),
            (json!({"max_tokens": 1.5}), "max_tokens must be a whole number, 1 to 32768"),
            (json!({"interval": 0.01}), "interval must be 0.1 to 3600 seconds"),
            (json!({"max_latency": -1}), "max_latency must be 0 to 10 seconds, 0 = off"),
            (json!({"max_size": 63}), "max_size must be a whole number, 64 to 4096"),
            (json!({"min_change": true}), "min_change must be 0 to 1, 0 = off"),
        ] {
            assert_eq!(read(&fields).unwrap_err().to_string(), message);
        }
    }
}
