//! The messages between server and page: every one of them, and nothing else. `docs/protocol.md`
//! describes them, `web/page/protocol.json` pins their JSON, and the tests of both sides read it.

use std::time::Duration;

use live_vlm_config::NOMINAL_FRAME_RATE;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vlm_client::ApiKey;

use crate::{
    choices::{BadChoice, Bounds, Change, Choices, Seconds},
    refusal::{Code, Refusal},
    relay::{IceServer, RelayFailure},
};

/// The longest message from a client, in bytes.
pub(crate) const MAX_MESSAGE: usize = 64 * 1024;

/// A message from a client, checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ClientMessage {
    /// What to ask, and when.
    Change {
        /// By which message, which decides how it is confirmed.
        by: ChangedBy,
        change: Change,
    },
    /// Whom to ask.
    UpdateModel {
        model: String,
        /// Empty = the server's own.
        api_base: String,
        /// `None` = none, or the one given before for the same `api_base`.
        api_key: Option<ApiKey>,
    },
    /// Whether to tell more.
    SetDebug {
        /// Whether `debug` messages are wanted.
        debug: bool,
    },
    /// A trickled ICE candidate.
    IceCandidate {
        /// The candidate line; empty = that was the last one.
        candidate: String,
        /// The `a=mid` of the media section that it is for.
        mid: Option<String>,
        /// The index of that section, for clients that do not give its mid.
        line: Option<u32>,
    },
    /// The video did not arrive, nor by any relay.
    RelayFailed(RelayFailure),
    /// Whether pictures come from now on in place of video.
    SendPictures {
        on: bool,
    },
    /// The next question is wanted at once.
    AskNow,
    /// A sign of life is wanted.
    Alive,
    HangUp,
}

/// The messages by which a page chooses something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangedBy {
    /// `update_prompt`: the question, the longest answer, the system prompt.
    Prompt,
    /// `update_processing`: the interval.
    Processing,
    /// `update_max_latency`: how old a frame may be.
    MaxLatency,
    /// `update_settings`: any of them.
    Settings,
}

impl ClientMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// Names the field that is wrong and what would be right.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let fields = Fields::parse(text)?;
        match fields.0.get("type").and_then(Value::as_str) {
            Some("update_prompt") => fields.change(
                ChangedBy::Prompt,
                &["prompt", "max_tokens", "system_prompt"],
                |change| change.prompt.is_none().then(Change::prompt),
            ),
            Some("update_model") => fields.model(),
            Some("update_processing") => fields.processing(),
            Some("update_max_latency") => {
                fields.change(ChangedBy::MaxLatency, &["max_latency"], |change| {
                    change.max_latency.is_none().then(Change::max_latency)
                })
            }
            Some("update_settings") => {
                Ok(Self::Change { by: ChangedBy::Settings, change: Change::read(&fields.0)? })
            }
            Some("set_debug") => Ok(Self::SetDebug { debug: fields.flag("debug")? }),
            Some("ice_candidate") => fields.ice_candidate(),
            Some("relay_failed") => fields.relay_failed(),
            Some("send_pictures") => Ok(Self::SendPictures { on: fields.flag("on")? }),
            Some("ask_now") => Ok(Self::AskNow),
            Some("alive") => Ok(Self::Alive),
            Some("hang_up") => Ok(Self::HangUp),
            other => Err(unknown_type(other)),
        }
    }
}

const TYPES: &str = "update_prompt, update_model, update_processing, update_max_latency, \
                     update_settings, set_debug, ice_candidate, relay_failed, send_pictures, ask_now, \
                     alive, hang_up";

fn unknown_type(given: Option<&str>) -> Refusal {
    let message = match given {
        Some(given) => {
            let given: String = given.chars().take(40).collect();
            format!("there is no message of type {given:?}")
        }
        None => "a message has a type, which is a text".to_owned(),
    };
    Refusal::new(Code::UnknownType, message).about("type").allowing(TYPES)
}

struct Fields(Map<String, Value>);

impl Fields {
    fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > MAX_MESSAGE {
            return Err(Refusal::new(
                Code::TooLarge,
                format!("a message may have at most {MAX_MESSAGE} bytes"),
            )
            .allowing(format!("up to {MAX_MESSAGE} bytes")));
        }
        let value: Value = serde_json::from_str(text)
            .map_err(|error| Refusal::new(Code::BadJson, format!("this is not JSON: {error}")))?;
        let Value::Object(fields) = value else {
            return Err(Refusal::new(Code::BadJson, "a message is a JSON object with a type"));
        };
        Ok(Self(fields))
    }

    fn model(&self) -> Result<ClientMessage, Refusal> {
        Ok(ClientMessage::UpdateModel {
            model: self.required_text("model", 256)?,
            api_base: self.optional_text("api_base", 2048)?.unwrap_or_default(),
            api_key: match self.optional_text("api_key", 4096)? {
                Some(key) => ApiKey::parse(&key)?,
                None => None,
            },
        })
    }

    /// What is chosen by those of these fields that are there. `missing` says which must be.
    fn change(
        &self,
        by: ChangedBy,
        names: &[&str],
        missing: impl Fn(&Change) -> Option<BadChoice>,
    ) -> Result<ClientMessage, Refusal> {
        let named = self.0.iter().filter(|(name, _)| names.contains(&name.as_str()));
        let named = named.map(|(name, value)| (name.clone(), value.clone())).collect();
        let change = Change::read(&named)?;
        match missing(&change) {
            Some(missing) => Err(missing.into()),
            None => Ok(ClientMessage::Change { by, change }),
        }
    }

    fn processing(&self) -> Result<ClientMessage, Refusal> {
        if self.0.contains_key("interval") {
            return self.change(ChangedBy::Processing, &["interval"], |change| {
                change.interval.is_none().then(Change::interval)
            });
        }
        let frames = self
            .number("process_every")
            .filter(|frames| (1.0..=3600.0).contains(frames) && frames.fract() == 0.0)
            .ok_or_else(|| {
                Refusal::field("process_every", "a whole number of frames, 1 to 3600")
            })?;
        let seconds = (frames / NOMINAL_FRAME_RATE).max(Choices::BOUNDS.interval.min);
        let change = Change { interval: Some(Seconds(seconds)), ..Change::default() };
        Ok(ClientMessage::Change { by: ChangedBy::Processing, change })
    }

    /// A candidate as the page sends it, or as `RTCIceCandidate.toJSON()` gives it: in place of the
    /// candidate's text, or beside the type.
    fn ice_candidate(&self) -> Result<ClientMessage, Refusal> {
        let nested = match self.0.get("candidate") {
            Some(Value::Object(fields)) => Some(Self(fields.clone())),
            _ => None,
        };
        let own = nested.as_ref().unwrap_or(self);
        let named = |name: &'static str, other: &'static str| {
            if own.0.contains_key(name) { name } else { other }
        };
        let index = named("sdp_m_line_index", "sdpMLineIndex");
        let line = match own.0.get(index) {
            None | Some(Value::Null) => None,
            Some(_) => Some(
                own.number(index)
                    .filter(|index| (0.0..=255.0).contains(index) && index.fract() == 0.0)
                    // In range by the filter before.
                    .map(|index| index as u32)
                    .ok_or_else(|| Refusal::field(index, "a whole number, 0 to 255"))?,
            ),
        };
        Ok(ClientMessage::IceCandidate {
            candidate: own.optional_text("candidate", 1024)?.unwrap_or_default(),
            mid: own.optional_text(named("sdp_mid", "sdpMid"), 64)?,
            line,
        })
    }

    fn relay_failed(&self) -> Result<ClientMessage, Refusal> {
        let code = match self.0.get("code") {
            None | Some(Value::Null) => None,
            Some(_) => Some(
                self.number("code")
                    .filter(|code| (400.0..700.0).contains(code) && code.fract() == 0.0)
                    // In range by the filter before.
                    .map(|code| code as u16)
                    .ok_or_else(|| Refusal::field("code", "a whole number, 400 to 699"))?,
            ),
        };
        let failure = match self.0.get("why").and_then(Value::as_str) {
            Some("silent") => RelayFailure::Silent,
            Some("refused") => RelayFailure::Refused { code },
            Some("no_way") => RelayFailure::NoWay,
            _ => return Err(Refusal::field("why", "silent, refused or no_way")),
        };
        Ok(ClientMessage::RelayFailed(failure))
    }

    fn flag(&self, field: &str) -> Result<bool, Refusal> {
        let value = self.0.get(field).and_then(Value::as_bool);
        value.ok_or_else(|| Refusal::field(field, "true or false"))
    }

    fn required_text(&self, field: &str, longest: usize) -> Result<String, Refusal> {
        self.optional_text(field, longest)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Refusal::field(field, format!("a text of 1 to {longest} characters")))
    }

    fn optional_text(&self, field: &str, longest: usize) -> Result<Option<String>, Refusal> {
        let wrong = || Refusal::field(field, format!("a text of up to {longest} characters"));
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= longest => {
                Ok(Some(text.trim().to_owned()))
            }
            Some(_) => Err(wrong()),
        }
    }

    /// A number, or a text that is one: page controls give texts.
    fn number(&self, field: &str) -> Option<f64> {
        let number = match self.0.get(field)? {
            Value::Number(number) => number.as_f64()?,
            Value::String(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        number.is_finite().then_some(number)
    }
}

/// A message to a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ServerMessage {
    /// The state of the session's video.
    Status {
        text: String,
        status: Status,
        /// The session's questions so far that were passed over, as nothing had changed.
        unchanged: u64,
    },
    /// The session's settings, once on connecting.
    ServerConfig(ServerConfig),
    PromptUpdated {
        /// What is asked from now on.
        prompt: String,
        max_tokens: u32,
        /// What the VLM is told about its part.
        system_prompt: String,
    },
    ModelUpdated {
        /// The model asked from now on.
        model: String,
        api_base: String,
        /// Whether that is the built-in demo-vlm.
        stand_in: bool,
    },
    ProcessingUpdated {
        /// In frames, at [`NOMINAL_FRAME_RATE`].
        process_every: u32,
        /// In seconds.
        interval: f64,
    },
    MaxLatencyUpdated {
        /// In seconds.
        max_latency: f64,
    },
    /// Confirms `update_settings`: all that is chosen now.
    SettingsUpdated(Choices),
    DebugUpdated {
        /// Whether `debug` messages are sent.
        debug: bool,
    },
    /// An answer being written.
    AnswerDelta {
        seq: u64,
        /// Where in the answer `delta` goes, in UTF-16 units.
        offset: u64,
        /// What the answer has gained.
        delta: String,
        /// Who answers.
        model: String,
        /// From the capture of the frame to now.
        age_ms: f64,
        /// From the request to the first token.
        first_token_ms: Option<f64>,
    },
    /// One fresh frame is wanted, or several for a clip.
    FrameWanted {
        /// Counts up in a session.
        seq: u64,
        /// How many.
        frames: u32,
        /// Between two of them, in seconds.
        spacing: f64,
        /// The longest edge in pixels; 0 = as the camera gives it.
        max_size: u32,
    },
    /// How video is to be sent from now on.
    Frames { mode: FramesMode },
    /// A complete answer.
    VlmResponse(Response),
    /// The session's newest answers, oldest first, once for a page that comes back.
    History {
        /// Those that the page may have missed among them.
        answers: Vec<Response>,
    },
    /// A question without an answer.
    VlmError {
        seq: u64,
        kind: String,
        /// What happened and what to do.
        message: String,
        /// When it is tried again.
        retry_in_ms: Option<u64>,
    },
    /// The server ends soon.
    Closing {
        /// What happens, for people.
        message: String,
        /// At the latest after so many seconds.
        within_s: f64,
    },
    /// The server is there, and has nothing else to say.
    Alive,
    /// More, for those who asked for it.
    Debug { text: String },
    /// Bad input.
    Error(Refusal),
}

/// The state of a session's video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    /// Waits for an offer.
    Ready,
    /// Negotiated; no video yet.
    Connecting,
    /// Video runs.
    Live,
    /// Connected, but no picture has come for a while.
    Waiting,
    /// The peer hung up.
    Stopped,
    /// The video was lost.
    Failed,
}

/// How the frames of a video come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FramesMode {
    /// All of them.
    All,
    /// One for each `frame_wanted`.
    OnDemand,
    /// As single pictures over the WebSocket, one for each `frame_wanted`.
    Pictures,
}

/// A session's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ServerConfig {
    pub(crate) session_id: String,
    /// Who is asked.
    pub(crate) model: String,
    pub(crate) api_base: String,
    /// What is asked, and when.
    #[serde(flatten)]
    pub(crate) choices: Choices,
    /// The bounds of what may be chosen.
    pub(crate) bounds: Bounds,
    /// The interval in frames, at [`NOMINAL_FRAME_RATE`].
    pub(crate) process_every: u32,
    /// Relays for a browser that does not reach the server by UDP.
    pub(crate) ice_servers: Vec<IceServer>,
    /// Whether the built-in demo-vlm answers.
    pub(crate) stand_in: bool,
    pub(crate) version: String,
}

/// A complete answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Response {
    pub(crate) seq: u64,
    /// When the answer was complete, in ms since 1970.
    pub(crate) at_ms: u64,
    pub(crate) text: String,
    pub(crate) prompt: String,
    /// Who answered.
    pub(crate) model: String,
    pub(crate) api_base: String,
    /// How it went.
    pub(crate) metrics: Metrics,
}

/// How a question went, and the session's questions so far. Times in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Metrics {
    /// From the request to the whole answer.
    pub(crate) last_latency_ms: f64,
    /// The mean of the session's.
    pub(crate) avg_latency_ms: f64,
    /// The session's answers so far.
    pub(crate) total_inferences: u64,
    /// Whether another question is being answered.
    pub(crate) is_processing: bool,
    /// From the request to the first token.
    pub(crate) first_token_ms: Option<f64>,
    /// Tokens of the question, by the VLM server's count.
    pub(crate) tokens_in: Option<u64>,
    /// Tokens of the answer.
    pub(crate) tokens_out: u64,
    /// While the answer was being written.
    pub(crate) tokens_per_second: Option<f64>,
    /// From the capture of the frame to now.
    pub(crate) age_ms: f64,
    /// The session's questions so far that were passed over, as nothing had changed.
    pub(crate) unchanged: u64,
    pub(crate) finish_reason: String,
}

impl ServerMessage {
    /// The server ends after this time, at the latest.
    pub(crate) fn closing(within: Duration) -> Self {
        let message = "this server is being stopped or restarted; your page connects again by \
                       itself when it is back";
        Self::Closing { message: message.to_owned(), within_s: within.as_secs_f64() }
    }

    /// The JSON that goes over the WebSocket.
    pub(crate) fn to_json(&self) -> String {
        // Plain data with text keys: there is nothing that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "protocol_tests.rs"]
mod tests;
