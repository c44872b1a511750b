use reqwest::RequestBuilder;

const FAIRNESS_ID: &str = "x-llm-d-inference-fairness-id";
const OBJECTIVE: &str = "x-llm-d-inference-objective";

/// What a question carries for routers in front of VLM servers (llm-d's gateway). Only ever what
/// we say ourselves, never what a client sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AskHeaders {
    /// `x-llm-d-inference-fairness-id`: whose question it is.
    pub fairness_id: Option<String>,
    /// `x-llm-d-inference-objective`: what it is asked for.
    pub objective: Option<String>,
}

impl AskHeaders {
    pub(crate) fn add_to(&self, mut request: RequestBuilder) -> RequestBuilder {
        let headers = [(FAIRNESS_ID, &self.fairness_id), (OBJECTIVE, &self.objective)];
        for (name, value) in headers {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        request
    }
}
