//! What is done to one session: a few steps, made from a seed and a number alone.

use fastrand::Rng;
use serde_json::{Value, json};

use crate::{candidates, mutate, sdp::is_attribute, shapes};

/// Why a file has no case in it.
pub type ReadError = Box<dyn std::error::Error + Send + Sync>;

/// One session's steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Where chance began.
    pub seed: u64,
    /// Which of this seed's cases it is.
    pub number: u64,
    /// In their order.
    pub steps: Vec<Step>,
}

/// What a client does in one step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Post this SDP.
    Offer(String),
    /// Post this SDP, and do something else before it is answered.
    Hurry {
        /// The offer.
        sdp: String,
        /// After so many milliseconds, unless the answer is there before.
        after_ms: u64,
        /// What else is done then.
        then: Hurry,
    },
    /// Send this message over the WebSocket.
    Say(Value),
    /// Wait for so many milliseconds.
    Wait(u64),
}

/// What a client does that does not wait for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hurry {
    /// Send `hang_up` over the WebSocket.
    HangUp,
    /// Close the connection that the offer was posted on.
    Leave,
}

impl Case {
    /// The case of this number.
    pub fn generate(seed: u64, number: u64) -> Self {
        // Neighbours must not begin alike.
        let mixed = (seed ^ number.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let random = &mut Rng::with_seed(mixed);
        let mut offer = shapes::any(random);
        let changes = [0, 0, 1, 1, 2, 2, 3, 4, 6, 10][random.usize(..10)];
        for _ in 0..changes {
            if !offer.is_long() {
                mutate::once(random, &mut offer);
            }
        }
        let line_end = ["\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r\r\n"][random.usize(..6)];
        let sdp = offer.text(line_end);
        let mut steps = vec![match random.u8(..12) {
            0 => hurry(random, sdp, Hurry::HangUp),
            1 => hurry(random, sdp, Hurry::Leave),
            _ => Step::Offer(sdp),
        }];
        if random.u8(..3) == 0 {
            let count = [1, 2, 5, 20, 80][random.usize(..5)];
            steps.extend((0..count).map(|_| Step::Say(candidates::message(random))));
        }
        if random.u8(..8) == 0 {
            steps.push(Step::Wait(random.u64(1..40)));
        }
        if random.u8(..5) == 0 {
            match random.u8(..3) {
                0 => offer = shapes::any(random),
                // ICE is restarted (RFC 8839, 4.4.1.1.1).
                1 => restart_ice(random, offer.sections()),
                _ => mutate::once(random, &mut offer),
            }
            steps.push(Step::Offer(offer.text("\r\n")));
            if random.bool() {
                steps.push(Step::Say(candidates::message(random)));
            }
        }
        // A session that nobody hangs up lives for another 15 s.
        if random.u8(..60) != 0 {
            steps.push(hang_up());
        }
        Self { seed, number, steps }
    }

    /// An offer that is in order, and hanging up.
    pub fn ordinary() -> Self {
        let sdp = shapes::any(&mut Rng::with_seed(0)).text("\r\n");
        Self { seed: 0, number: 0, steps: vec![Step::Offer(sdp), hang_up()] }
    }

    /// For a file.
    pub fn json(&self) -> Value {
        let steps: Vec<_> = self.steps.iter().map(Step::json).collect();
        json!({"seed": self.seed, "case": self.number, "steps": steps})
    }

    /// A case as [`json`](Self::json) writes it.
    ///
    /// # Errors
    /// When it is no JSON, or no case.
    pub fn read(text: &str) -> Result<Self, ReadError> {
        let case: Value = serde_json::from_str(text)?;
        let steps = case["steps"].as_array().ok_or("it has no steps")?;
        Ok(Self {
            seed: case["seed"].as_u64().unwrap_or_default(),
            number: case["case"].as_u64().unwrap_or_default(),
            steps: steps.iter().map(Step::read).collect::<Result<_, _>>()?,
        })
    }
}

fn hang_up() -> Step {
    Step::Say(json!({"type": "hang_up"}))
}

fn hurry(random: &mut Rng, sdp: String, then: Hurry) -> Step {
    Step::Hurry { sdp, after_ms: random.u64(..15), then }
}

fn restart_ice(random: &mut Rng, sections: Vec<&mut Vec<String>>) {
    let (ufrag, password) = (shapes::letters(random, 4), shapes::letters(random, 24));
    for line in sections.into_iter().flatten() {
        if is_attribute(line, "ice-ufrag") {
            *line = format!("a=ice-ufrag:{ufrag}");
        } else if is_attribute(line, "ice-pwd") {
            *line = format!("a=ice-pwd:{password}");
        }
    }
}

impl Step {
    fn json(&self) -> Value {
        match self {
            Self::Offer(sdp) => json!({"offer": sdp}),
            Self::Hurry { sdp, after_ms, then } => {
                let then = if *then == Hurry::HangUp { "hang_up" } else { "leave" };
                json!({"offer": sdp, "after_ms": after_ms, "then": then})
            }
            Self::Say(message) => json!({"say": message}),
            Self::Wait(ms) => json!({"wait_ms": ms}),
        }
    }

    fn read(step: &Value) -> Result<Self, ReadError> {
        if let Some(sdp) = step["offer"].as_str() {
            let sdp = sdp.to_owned();
            let then = match step["then"].as_str() {
                None => return Ok(Self::Offer(sdp)),
                Some("hang_up") => Hurry::HangUp,
                Some(_) => Hurry::Leave,
            };
            let after_ms = step["after_ms"].as_u64().unwrap_or_default();
            return Ok(Self::Hurry { sdp, after_ms, then });
        }
        if let Some(ms) = step["wait_ms"].as_u64() {
            return Ok(Self::Wait(ms));
        }
        let message = step.get("say").ok_or_else(|| format!("{step} is no step"))?;
        Ok(Self::Say(message.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_comes_again_by_its_numbers_and_from_its_file() {
        let mut lengths = std::collections::BTreeSet::new();
        for number in 0..500 {
            let case = Case::generate(7, number);
            assert_eq!(case, Case::generate(7, number));
            assert_eq!(case, Case::read(&case.json().to_string()).unwrap());
            lengths.insert(case.json().to_string().len());
        }
        assert!(lengths.len() > 400, "they differ");
        assert_ne!(Case::generate(7, 8), Case::generate(8, 7));
    }

    #[test]
    fn what_is_no_case_is_said_to_be() {
        let words = |text| Case::read(text).unwrap_err().to_string();
        assert!(words("{}").contains("no steps"));
        assert!(words(r#"{"steps": [{"sing": 1}]}"#).contains("is no step"));
    }
}
