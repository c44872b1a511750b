//! When a server wants to be asked again, in whichever of the ways it says so. Pure: the time is an
//! argument.

mod clock;
mod fields;
mod head;
mod span;
mod words;

use std::time::Duration;

pub(crate) use fields::in_json;
pub use head::in_head;
pub(crate) use words::in_words;

/// Nobody is left alone for longer, whatever it says.
const LONGEST: Duration = Duration::from_secs(3600);

fn seconds(seconds: f64) -> Option<Duration> {
    let seconds = Some(seconds).filter(|seconds| seconds.is_finite() && *seconds >= 0.0)?;
    Some(Duration::from_secs_f64(seconds.min(LONGEST.as_secs_f64())))
}

/// So many milliseconds, as the tests of what is read here expect them.
#[cfg(test)]
fn ms(ms: u64) -> Option<Duration> {
    Some(Duration::from_millis(ms))
}
