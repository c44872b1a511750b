use super::*;

fn pinned() -> Value {
    serde_json::from_str(include_str!("../../page/protocol.json")).unwrap()
}

#[test]
fn every_pinned_message_of_the_server_is_read_and_written_the_same() {
    for example in pinned()["from_server"].as_array().unwrap() {
        let message: ServerMessage = serde_json::from_value(example.clone())
            .unwrap_or_else(|error| panic!("{error}: {example}"));
        let written: Value = serde_json::from_str(&message.to_json()).unwrap();
        assert_eq!(written, *example);
    }
}

#[test]
fn every_kind_of_server_message_is_pinned() {
    let pinned = pinned();
    let types: Vec<_> =
        pinned["from_server"].as_array().unwrap().iter().map(|m| m["type"].as_str()).collect();
    for kind in [
        "status",
        "server_config",
        "prompt_updated",
        "model_updated",
        "processing_updated",
        "max_latency_updated",
        "settings_updated",
        "debug_updated",
        "frames",
        "frame_wanted",
        "answer_delta",
        "frame_wanted",
        "frames",
        "vlm_response",
        "history",
        "vlm_error",
        "closing",
        "alive",
        "debug",
        "error",
    ] {
        assert!(types.contains(&Some(kind)), "{kind}");
    }
}

#[test]
fn every_pinned_message_of_the_client_is_understood() {
    let pinned = pinned();
    let examples = pinned["from_client"].as_array().unwrap();
    for example in examples {
        ClientMessage::parse(&example.to_string()).unwrap_or_else(|r| panic!("{r:?}: {example}"));
    }
    for kind in TYPES.split(", ") {
        assert!(examples.iter().any(|example| example["type"] == kind), "{kind}");
    }
}

fn every(seconds: f64) -> ClientMessage {
    let change = Change { interval: Some(Seconds(seconds)), ..Change::default() };
    ClientMessage::Change { by: ChangedBy::Processing, change }
}

fn refused(message: &Value) -> Refusal {
    ClientMessage::parse(&message.to_string()).unwrap_err()
}

#[test]
fn bad_values_are_refused_with_the_field_and_what_is_allowed() {
    use serde_json::json;
    for (message, field) in [
        (json!({"type": "update_processing", "process_every": 0}), "process_every"),
        (json!({"type": "update_processing", "process_every": -1}), "process_every"),
        (json!({"type": "update_processing", "process_every": 1e9}), "process_every"),
        (json!({"type": "update_processing", "process_every": 1.5}), "process_every"),
        (json!({"type": "update_processing", "process_every": "x"}), "process_every"),
        (json!({"type": "update_processing"}), "process_every"),
        (json!({"type": "update_processing", "interval": 0.01}), "interval"),
        (json!({"type": "update_processing", "interval": null}), "interval"),
        (json!({"type": "update_prompt"}), "prompt"),
        (json!({"type": "update_prompt", "prompt": "   "}), "prompt"),
        (json!({"type": "update_prompt", "prompt": ["x"]}), "prompt"),
        (json!({"type": "update_prompt", "prompt": "x".repeat(8001)}), "prompt"),
        (json!({"type": "update_prompt", "prompt": "x", "max_tokens": 0}), "max_tokens"),
        (json!({"type": "update_prompt", "prompt": "x", "max_tokens": "NaN"}), "max_tokens"),
        (json!({"type": "update_model", "model": ""}), "model"),
        (json!({"type": "update_model", "model": "m", "api_base": 7}), "api_base"),
        (json!({"type": "update_max_latency", "max_latency": 11}), "max_latency"),
        (json!({"type": "update_max_latency"}), "max_latency"),
        (json!({"type": "set_debug", "debug": "yes"}), "debug"),
        (json!({"type": "send_pictures"}), "on"),
        (json!({"type": "send_pictures", "on": 1}), "on"),
        (json!({"type": "ice_candidate", "sdp_m_line_index": -1}), "sdp_m_line_index"),
        (json!({"type": "ice_candidate", "candidate": {"sdpMLineIndex": 1.5}}), "sdpMLineIndex"),
        (json!({"type": "ice_candidate", "candidate": 5}), "candidate"),
        (json!({"type": "relay_failed"}), "why"),
        (json!({"type": "relay_failed", "why": "tired", "code": 401}), "why"),
        (json!({"type": "relay_failed", "why": "refused", "code": 399}), "code"),
        (json!({"type": "relay_failed", "why": "refused", "code": 401.5}), "code"),
        (json!({"type": "relay_failed", "why": "silent", "code": "many"}), "code"),
    ] {
        let refusal = refused(&message);
        assert_eq!(refusal.code, Code::BadField, "{message}");
        assert_eq!(refusal.field.as_deref(), Some(field), "{message}");
        assert!(refusal.allowed.is_some(), "{message}");
    }
}

#[test]
fn what_is_no_message_is_refused() {
    assert_eq!(ClientMessage::parse("{").unwrap_err().code, Code::BadJson);
    assert_eq!(ClientMessage::parse("[]").unwrap_err().code, Code::BadJson);
    assert_eq!(ClientMessage::parse("{}").unwrap_err().code, Code::UnknownType);
    let refusal = ClientMessage::parse(r#"{"type":"reboot"}"#).unwrap_err();
    assert_eq!(refusal.code, Code::UnknownType);
    assert!(refusal.allowed.unwrap().contains("update_prompt"));
    let long = format!(r#"{{"type":"{}"}}"#, "x".repeat(MAX_MESSAGE));
    assert_eq!(ClientMessage::parse(&long).unwrap_err().code, Code::TooLarge);
}

#[test]
fn frames_become_seconds_at_thirty_a_second() {
    let parse = |text| ClientMessage::parse(text).unwrap();
    assert_eq!(parse(r#"{"type":"update_processing","process_every":60}"#), every(2.0));
    assert_eq!(parse(r#"{"type":"update_processing","process_every":"30"}"#), every(1.0));
    assert_eq!(parse(r#"{"type":"update_processing","process_every":1}"#), every(0.1));
}

#[test]
fn candidates_are_read_in_every_form_that_clients_send() {
    use serde_json::json;

    let line = "candidate:1 1 udp 1 192.0.2.1 9 typ host";
    for (message, mid, index) in [
        (json!({"candidate": line, "sdp_m_line_index": 1}), None, Some(1)),
        (json!({"candidate": line, "sdp_mid": "a", "sdp_m_line_index": null}), Some("a"), None),
        (json!({"candidate": line, "sdpMid": "0", "sdpMLineIndex": 0}), Some("0"), Some(0)),
        (json!({"candidate": line, "sdpMid": "0"}), Some("0"), None),
        (
            json!({"candidate": {"candidate": line, "sdpMid": "0", "sdpMLineIndex": 0,
                                 "usernameFragment": "abcd"}}),
            Some("0"),
            Some(0),
        ),
        (json!({"candidate": {"candidate": line}}), None, None),
        (json!({"candidate": line}), None, None),
    ] {
        let mut message = message;
        message["type"] = json!("ice_candidate");
        let expected = ClientMessage::IceCandidate {
            candidate: line.to_owned(),
            mid: mid.map(ToOwned::to_owned),
            line: index,
        };
        assert_eq!(ClientMessage::parse(&message.to_string()).unwrap(), expected, "{message}");
    }
    let end = json!({"type": "ice_candidate", "candidate": null}).to_string();
    let ClientMessage::IceCandidate { candidate, .. } = ClientMessage::parse(&end).unwrap() else {
        panic!("another message")
    };
    assert_eq!(candidate, "");
}

#[test]
fn a_message_that_is_printed_for_debugging_shows_no_key() {
    let key = "sk-of-the-session-9b2e";
    let message = serde_json::json!({
        "type": "update_model", "model": "m", "api_base": "http://h", "api_key": key
    });
    let message = ClientMessage::parse(&message.to_string()).unwrap();
    assert!(!format!("{message:?}").contains(key));
}
