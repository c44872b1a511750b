use std::time::Duration;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, header},
};
use live_vlm_access::limits::{LimitReached, Now, Party};
use live_vlm_media_processes::OfferError;
use serde::Serialize;
use serde_json::Value;
use tokio::time::sleep;

use super::body::{self, Unread};
use crate::{
    app::App,
    protocol::FramesMode,
    refusal::{Code, Refusal},
    requester::Requester,
    session::{Offer, OfferReply, Offerer},
};

/// An offer, and JSON around it: escapes can double its length.
const MAX_BODY: usize = 2 * OfferError::MAX_BYTES + 4096;
/// Whoever offers too often waits so long for the refusal, so that a flood comes no faster than
/// its connections are many.
const HOLD: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize)]
pub(super) struct SdpAnswer {
    sdp: String,
    r#type: &'static str,
    session_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<FramesMode>,
}

struct OfferRequest {
    sdp: String,
    session_id: Option<String>,
    frames_on_demand: bool,
}

/// `POST /offer`: a session's video begins.
pub(super) async fn offer(
    State(app): State<App>,
    requester: Requester,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<SdpAnswer>, Refusal> {
    let body =
        body::whole(body, MAX_BODY, app.times.offer).await.map_err(|unread| match unread {
            Unread::Late => {
                Refusal::new(Code::BadOffer, "the offer did not arrive in time; send it again")
            }
            Unread::TooLarge => {
                Refusal::new(Code::TooLarge, format!("an offer may have at most {MAX_BODY} bytes"))
                    .about("sdp")
                    .allowing(format!("up to {} bytes", OfferError::MAX_BYTES))
            }
        })?;
    if let Err(reached) = admit(&app, &requester) {
        drop(body);
        sleep(reached.retry_after.min(HOLD)).await;
        return Err(reached.into());
    }
    let OfferRequest { sdp, session_id, frames_on_demand } = OfferRequest::parse(&body)?;
    let session = app.sessions.open(session_id.as_deref(), &requester)?;
    let of = offerer(&headers, session_id.as_deref());
    let offer = Offer { sdp, of, frames_on_demand };
    let OfferReply { sdp, frames } = session.answer_offer(offer).await?;
    Ok(Json(SdpAnswer { sdp, r#type: "answer", session_id: session.id().to_string(), frames }))
}

/// A page has chosen its session's id, and connects to that session by WebSocket. Browsers send an
/// `Origin` with what a page posts (Fetch, section 3.2), programs do not.
fn offerer(headers: &HeaderMap, session_id: Option<&str>) -> Offerer {
    match headers.contains_key(header::ORIGIN) && session_id.is_some() {
        true => Offerer::Page,
        false => Offerer::Program,
    }
}

/// Each offer is a pipeline, whatever becomes of it.
fn admit(app: &App, requester: &Requester) -> Result<(), LimitReached> {
    let live = app.live.now();
    let rules = live.all_rules.rules_for(&requester.user.id, &requester.user.groups);
    let party = requester.party();
    let sessions = match party {
        Party::User(_) => rules.sessions,
        Party::Address(_) => live.limits.connections_per_address,
    };
    app.limits.admit_offer(party, &rules, sessions, Now::read())
}

impl OfferRequest {
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| Refusal::new(Code::BadJson, format!("this is not JSON: {error}")))?;
        if value.get("rtsp_url").is_some_and(|url| !url.is_null() && url != "") {
            return Err(Refusal::no_rtsp().about("rtsp_url"));
        }
        if value.get("type").and_then(Value::as_str) != Some("offer") {
            return Err(Refusal::field("type", "\"offer\""));
        }
        let sdp = value.get("sdp").and_then(Value::as_str).filter(|sdp| !sdp.is_empty());
        let sdp = sdp.ok_or_else(|| Refusal::field("sdp", "the SDP of an offer, a text"))?;
        let session_id = match value.get("session_id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) if id.is_empty() => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(Refusal::field("session_id", "a random UUID of version 4")),
        };
        let frames_on_demand = match value.get("frames_on_demand") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(can_give)) => *can_give,
            Some(_) => return Err(Refusal::field("frames_on_demand", "true or false")),
        };
        Ok(Self { sdp: sdp.to_owned(), session_id, frames_on_demand })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_bodies_are_refused_with_the_field() {
        for (body, code, field) in [
            ("{", Code::BadJson, None),
            ("[]", Code::BadField, Some("type")),
            (r#"{"sdp":"v=0"}"#, Code::BadField, Some("type")),
            (r#"{"sdp":"v=0","type":"answer"}"#, Code::BadField, Some("type")),
            (r#"{"type":"offer"}"#, Code::BadField, Some("sdp")),
            (r#"{"type":"offer","sdp":7}"#, Code::BadField, Some("sdp")),
            (r#"{"type":"offer","sdp":"v=0","session_id":7}"#, Code::BadField, Some("session_id")),
            (
                r#"{"sdp":"v=0","type":"offer","frames_on_demand":1}"#,
                Code::BadField,
                Some("frames_on_demand"),
            ),
            (
                r#"{"type":"offer","sdp":"v=0","rtsp_url":"rtsp://cam"}"#,
                Code::NotImplemented,
                Some("rtsp_url"),
            ),
        ] {
            let refusal = OfferRequest::parse(body.as_bytes()).err().unwrap();
            assert_eq!((refusal.code, refusal.field.as_deref()), (code, field), "{body}");
        }
    }
}
