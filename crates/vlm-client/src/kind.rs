//! What kind a server is, by what it says of itself. A port says little: on 8000 there may be vLLM,
//! transformers, or anything else.

use serde_json::Value;

/// A list that says whose models are on it is short.
const LONGEST_LIST: usize = 256 << 10;

/// A server whose habits are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// Ollama.
    Ollama,
    /// vLLM.
    Vllm,
    /// SGLang.
    Sglang,
    /// llama.cpp's `llama-server`.
    LlamaCpp,
    /// `transformers serve`.
    Transformers,
}

impl ServerKind {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ollama => "Ollama",
            Self::Vllm => "vLLM",
            Self::Sglang => "SGLang",
            Self::LlamaCpp => "llama.cpp",
            Self::Transformers => "transformers",
        }
    }

    /// Questions that it takes at once, as it is set up by itself: of those that batch, a number
    /// that any GPU takes.
    pub fn slots(self) -> usize {
        match self {
            Self::Vllm | Self::Sglang => 8,
            Self::Ollama | Self::LlamaCpp | Self::Transformers => 1,
        }
    }

    /// By its list of models: most say who owns them, which is themselves. `is_here`: whether the
    /// server is on this host.
    pub(crate) fn of_list(list: &[u8], is_here: bool) -> Option<Self> {
        if list.len() > LONGEST_LIST {
            return None;
        }
        let list: Value = serde_json::from_slice(list).ok()?;
        let models = list.get("data")?.as_array()?;
        let text = |model: &Value, name| model.get(name).and_then(Value::as_str).map(str::to_owned);
        match models.iter().find_map(|model| text(model, "owned_by"))?.as_str() {
            "library" => Some(Self::Ollama),
            "vllm" => Some(Self::Vllm),
            "sglang" => Some(Self::Sglang),
            "llamacpp" => Some(Self::LlamaCpp),
            // It has the models of the host's cache, with their authors.
            _ if is_here => {
                let is_cached = |model: &Value| {
                    let (id, owner) = (text(model, "id"), text(model, "owned_by"));
                    id.zip(owner).is_some_and(|(id, owner)| {
                        id.split_once('/').is_some_and(|(author, _)| author == owner)
                    })
                };
                models.iter().all(is_cached).then_some(Self::Transformers)
            }
            _ => None,
        }
    }

    /// By the names of its metrics.
    pub(crate) fn of_metrics(metrics: &str) -> Option<Self> {
        let kinds = [
            ("vllm:", Self::Vllm),
            // NIM is vLLM, and calls its metrics so.
            ("num_requests_waiting", Self::Vllm),
            ("sglang:", Self::Sglang),
            ("llamacpp:", Self::LlamaCpp),
        ];
        metrics.lines().find_map(|line| {
            let kind = kinds.iter().find(|(prefix, _)| line.starts_with(prefix));
            kind.map(|(_, kind)| *kind)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_whose_it_is() {
        let list = |owner: &str| format!(r#"{{"data":[{{"id":"m","owned_by":{owner}}}]}}"#);
        let kind = |owner: &str| ServerKind::of_list(list(owner).as_bytes(), true);
        assert_eq!(kind(r#""vllm""#), Some(ServerKind::Vllm));
        assert_eq!(kind(r#""library""#), Some(ServerKind::Ollama));
        assert_eq!(kind(r#""llamacpp""#), Some(ServerKind::LlamaCpp));
        assert_eq!(kind(r#""sglang""#), Some(ServerKind::Sglang));
        for other in [r#""HuggingFaceTB""#, "null", "1", r#""openai""#] {
            assert_eq!(kind(other), None, "{other}");
        }
        let both = br#"{"models":[{"name":"m"}],"object":"list",
            "data":[{"id":"m","owned_by":"llamacpp"}]}"#;
        assert_eq!(ServerKind::of_list(both, false), Some(ServerKind::LlamaCpp));
        for other in [&b""[..], b"[]", b"{}", br#"{"data":[]}"#, br#"{"data":[1]}"#] {
            assert_eq!(ServerKind::of_list(other, true), None);
        }
        let authors = br#"{"data":[{"id":"org/a","owned_by":"org"},{"id":"b/c","owned_by":"b"}]}"#;
        assert_eq!(ServerKind::of_list(authors, true), Some(ServerKind::Transformers));
        assert_eq!(ServerKind::of_list(authors, false), None, "the hub lists them so, too");
    }

    #[test]
    fn metrics_say_whose_they_are() {
        let metrics = "# HELP vllm:x y\npython_gc 1\nvllm:num_requests_running 0\n";
        assert_eq!(ServerKind::of_metrics(metrics), Some(ServerKind::Vllm));
        assert_eq!(ServerKind::of_metrics("llamacpp:requests 1"), Some(ServerKind::LlamaCpp));
        assert_eq!(ServerKind::of_metrics("num_requests_waiting 1"), Some(ServerKind::Vllm));
        assert_eq!(ServerKind::of_metrics("process_cpu_seconds_total 1\n"), None);
    }
}
