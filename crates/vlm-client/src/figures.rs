//! What a server says of itself in figures: its metrics, in Prometheus' text format. Pure.

use serde_json::Value;

use crate::kind::ServerKind;

/// Of vLLM, NIM, llama.cpp and SGLang.
const WAITING_METRICS: [&str; 4] = [
    "vllm:num_requests_waiting",
    "num_requests_waiting",
    "llamacpp:requests_deferred",
    "sglang:num_queue_reqs",
];

/// What a server says of itself in figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many questions wait inside.
    pub waiting: Option<u64>,
    /// What kind of server it is.
    pub kind: Option<ServerKind>,
}

impl Figures {
    /// Reads the metrics in Prometheus' text format (version 0.0.4).
    pub(crate) fn read(metrics: &str) -> Self {
        Self { waiting: waiting_inside(metrics), kind: ServerKind::of_metrics(metrics) }
    }
}

/// How many questions llama.cpp works on at once, from its properties.
pub(crate) fn slots(properties: &[u8]) -> Option<usize> {
    let properties: Value = serde_json::from_slice(properties).ok()?;
    let slots = properties.get("total_slots")?.as_u64()?;
    usize::try_from(slots).ok().filter(|slots| *slots > 0)
}

/// The number of questions that wait inside a server, from its metrics; `None` if
/// it names none that we know.
fn waiting_inside(metrics: &str) -> Option<u64> {
    let values: Vec<f64> = metrics
        .lines()
        .filter(|line| WAITING_METRICS.contains(&line.split(['{', ' ']).next().unwrap_or_default()))
        .filter_map(|line| {
            // After the name and its labels: the value, and perhaps a time.
            let rest = line.rsplit_once('}').or_else(|| line.split_once(' '))?.1;
            rest.split_whitespace().next()?.parse().ok()
        })
        .filter(|value: &f64| value.is_finite() && *value >= 0.0)
        .collect();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "finite and not negative; as many as that are many enough"
    )]
    (!values.is_empty()).then(|| values.iter().sum::<f64>() as u64)
}

#[cfg(test)]
mod tests {
    use super::{slots, waiting_inside};

    #[test]
    fn llama_cpp_says_how_many_questions_it_works_on() {
        let said = br#"{"default_generation_settings":{},"total_slots":4,"model_path":"m"}"#;
        assert_eq!(slots(said), Some(4));
        let useless = [&b"{}"[..], b"", br#"{"total_slots":0}"#, br#"{"total_slots":"4"}"#, b"[1]"];
        for useless in useless {
            assert_eq!(slots(useless), None);
        }
    }

    #[test]
    fn the_metrics_of_serving_stacks_tell_what_waits_inside() {
        for (metrics, waiting) in [
            ("vllm:num_requests_waiting{model_name=\"a b\"} 3.0\n", Some(3)),
            ("num_requests_waiting 2 1700000000\n", Some(2)),
            ("# HELP llamacpp:requests_deferred x\nllamacpp:requests_deferred 1\n", Some(1)),
            ("sglang:num_queue_reqs{a=\"1\"} 2\nsglang:num_queue_reqs{a=\"2\"} 5\n", Some(7)),
            ("vllm:num_requests_waiting_total 9\nother 1\n", None),
            ("vllm:num_requests_waiting{} NaN\n", None),
            ("", None),
        ] {
            assert_eq!(waiting_inside(metrics), waiting, "{metrics}");
        }
    }
}
