//! How many tokens a server says that an answer took, as far as that can be believed. Nothing in here
//! does I/O.

use serde::de::MapAccess;

use super::{
    event::Usage,
    lenient::{Lenient, next_name, pass_over, value},
};

/// Whoever counts more tokens than this in one answer makes them up.
const MAX_TOKENS: f64 = 100_000_000.0;

/// What is said of tokens.
#[derive(Default)]
pub(super) struct Counts(pub(super) Usage);

impl<'de> Lenient<'de> for Counts {
    fn object<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut usage = Usage::default();
        while let Some(name) = next_name(&mut object)? {
            let place = match &*name {
                "prompt_tokens" | "input_tokens" => &mut usage.prompt_tokens,
                "completion_tokens" | "output_tokens" => &mut usage.completion_tokens,
                _ => {
                    pass_over(&mut object)?;
                    continue;
                }
            };
            *place = believable(value(&mut object)?).max(*place);
        }
        Ok(Self(usage))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and no more than fits"
)]
fn believable(count: Option<f64>) -> u64 {
    let count = count.filter(|count| count.is_finite() && *count > 0.0);
    count.unwrap_or(0.0).min(MAX_TOKENS) as u64
}
