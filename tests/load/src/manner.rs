//! How the tool's VLM answers, beside how many questions at once and for how long.

use clap::Args;

/// How a VLM answers.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Manner {
    /// The VLM sends its answer in pieces, the first after a tenth of its time. Without, all of it
    /// comes at the end
    #[arg(long = "vlm-streams")]
    pub(crate) streams: bool,
    /// By how much of its time an answer takes longer for each other one that the VLM works on, as
    /// 0.03
    #[arg(long = "vlm-slower", value_name = "PART", default_value_t = 0.0, value_parser = part)]
    pub(crate) slower: f64,
    /// The VLM says in its metrics how many questions wait, as vLLM does
    #[arg(long = "vlm-metrics")]
    pub(crate) has_metrics: bool,
}

impl Manner {
    /// As one that batches nothing, and says nothing before its answer is complete.
    pub(crate) const PLAIN: Self = Self { streams: false, slower: 0.0, has_metrics: false };

    /// How much of its time alone each step of an answer takes beside so many others.
    pub(crate) fn pace(&self, others: usize) -> f64 {
        1.0 + self.slower * others as f64
    }
}

fn part(text: &str) -> Result<f64, String> {
    let part = text.parse().ok().filter(|part| (0.0..=10.0).contains(part));
    part.ok_or_else(|| format!("{text:?} is no number from 0 to 10"))
}
