//! A question for the tests of whatever is observed.

use std::time::{Duration, Instant};

use live_vlm_dispatch::{QuestionOutcome, QuestionReport};

/// The VLM server that was asked.
pub(crate) const BACKEND: &str = "https://vlm.example/v1";

/// A question that took 1.25 s and held its slot for 1 s of that, some seconds ago.
pub(crate) fn report(outcome: QuestionOutcome) -> QuestionReport {
    let start = Instant::now().checked_sub(Duration::from_secs(5)).unwrap();
    let at = |ms| start + Duration::from_millis(ms);
    QuestionReport {
        backend: BACKEND.into(),
        model: "qwen".into(),
        outcome,
        wanted: at(0),
        began: at(250),
        sent: Some(at(300)),
        first_token: Some(at(700)),
        ended: at(1250),
        captured: Some(at(200)),
        tokens_in: 100,
        tokens_out: 20,
    }
}
