use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{LinkError, micros};

/// When a frame of a peer's video is asked about: all that a media process knows of a session's
/// settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SamplingSettings {
    /// Whether anything is asked. Default: true.
    pub asks: bool,
    /// The time between two questions, at most an hour. Default: 1 s.
    #[serde(rename = "interval_us", with = "micros")]
    pub interval: Duration,
    /// A frame older than this is not asked about, at most an hour; 0 = off. Default: off.
    #[serde(rename = "max_age_us", with = "micros")]
    pub max_age: Duration,
    /// Nothing is asked while less than this share of the picture has changed since the frame that
    /// was asked about last, 0 to 1; 0 = off. Default: off.
    pub min_change: f64,
    /// The longest edge of the picture that is asked about, in pixels; 0 = the frame's size.
    /// Default: 768.
    pub max_size: u32,
    /// Whether the peer sends a frame only when it hears that one is
    /// [wanted](crate::FromMedia::FrameWanted). Default: false.
    pub frames_on_demand: bool,
}

impl Default for SamplingSettings {
    fn default() -> Self {
        Self {
            asks: true,
            interval: Duration::from_secs(1),
            max_age: Duration::ZERO,
            min_change: 0.0,
            max_size: 768,
            frames_on_demand: false,
        }
    }
}

impl SamplingSettings {
    const LONGEST: Duration = Duration::from_secs(3600);

    pub(crate) fn check(&self) -> Result<(), LinkError> {
        let longest = Self::LONGEST;
        if self.interval.is_zero() || self.interval > longest {
            return Err(LinkError::Field { field: "interval_us", allowed: "1 to 3600000000" });
        }
        if self.max_age > longest {
            return Err(LinkError::Field { field: "max_age_us", allowed: "0 to 3600000000" });
        }
        // Which no number is that is none.
        if !(0.0..=1.0).contains(&self.min_change) {
            return Err(LinkError::Field { field: "min_change", allowed: "0 to 1" });
        }
        Ok(())
    }
}
