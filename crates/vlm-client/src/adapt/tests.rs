use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::extra::ExtraBody;

fn question() -> ChatRequest {
    ChatRequest {
        max_tokens: 512,
        temperature: Some(0.2),
        response_schema: Some(Arc::new(json!({"type": "object"}))),
        stream: true,
        user: "u1".into(),
        ..ChatRequest::default()
    }
}

/// JSON that was broken to fit on these lines.
fn flat(body: &str) -> String {
    let lines: Vec<&str> = body.lines().map(str::trim_start).collect();
    lines.join(" ")
}

/// What is left out after one refusal.
fn left_out(status: u16, body: &str) -> Vec<&'static str> {
    let Some(next) = Adaptation::default().after(status, body.as_bytes(), &question()) else {
        return Vec::new();
    };
    assert_eq!(next.max_tokens(512), Some("max_tokens"), "{body}");
    Field::ALL.into_iter().filter(|f| next.leaves_out(*f)).map(Field::name).collect()
}

#[test]
fn a_field_that_is_refused_by_name_is_left_out_whatever_the_form() {
    for (field, body) in [
        // OpenAI
        (
            "stream_options",
            r#"{"error":{"message":"Unknown parameter: 'stream_options'.",
                "type":"invalid_request_error","param":"stream_options","code":"unknown_parameter"}}"#,
        ),
        (
            "stream_options",
            r#"{"error":{"message":"Unrecognized request argument supplied: stream_options",
                "type":"invalid_request_error","param":null,"code":null}}"#,
        ),
        (
            "temperature",
            r#"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this
                model. Only the default (1) value is supported.","type":"invalid_request_error",
                "param":"temperature","code":"unsupported_value"}}"#,
        ),
        (
            "temperature",
            r#"{"error":{"message":"Unsupported parameter: 'temperature' is not supported with this
                model.","param":"temperature","code":"unsupported_parameter"}}"#,
        ),
        ("user", r#"{"error":{"message":"Unrecognized request argument supplied: user"}}"#),
        (
            "response_format",
            r#"{"error":{"message":"Invalid parameter: 'response_format' of type 'json_schema' is
                not supported with this model.","param":null}}"#,
        ),
        // Azure, of before
        (
            "stream_options",
            r#"{"error":{"message":"1 validation error for Request\nbody -> stream_options\n  extra
                fields not permitted (type=value_error.extra)","code":null}}"#,
        ),
        (
            "stream_options",
            r#"{"message":"Additional properties are not allowed ('stream_options' was unexpected) -
                'messages'"}"#,
        ),
        // FastAPI with pydantic 2 and 1
        (
            "stream_options",
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],
                "msg":"Extra inputs are not permitted","input":{"include_usage":true}}]}"#,
        ),
        (
            "user",
            r#"{"detail":[{"loc":["body","user"],"msg":"extra fields not permitted",
                "type":"value_error.extra"}]}"#,
        ),
        // Mistral
        (
            "stream_options",
            r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden",
                "loc":["body","stream_options"],"msg":"Extra inputs are not permitted",
                "input":{"include_usage":true}}]},"type":"invalid_request_error","param":null}"#,
        ),
        // vLLM: a text that is Python
        (
            "user",
            r#"{"object":"error","message":"[{'type': 'extra_forbidden', 'loc': ('body', 'user'),
                'msg': 'Extra inputs are not permitted', 'input': 'max_tokens'}]",
                "type":"BadRequestError","param":null,"code":400}"#,
        ),
        // Gemini
        (
            "stream_options",
            r#"[{"error":{"code":400,"message":"Invalid JSON payload received. Unknown name
                \"stream_options\": Cannot find field.","status":"INVALID_ARGUMENT"}}]"#,
        ),
        // Anthropic, Perplexity
        (
            "stream_options",
            r#"{"error":{"message":"stream_options: Extra inputs are not permitted"}}"#,
        ),
        (
            "user",
            r#"{"error":{"message":"[\"At body -> user: Extra inputs are not permitted\"]"}}"#,
        ),
        // Groq
        (
            "user",
            r#"{"error":{"message":"property 'user' is unsupported, did you mean 'users'?"}}"#,
        ),
        // Rust and Go
        (
            "stream_options",
            "Failed to deserialize the JSON body: unknown field `stream_options`, expected one of \
             `model`, `messages`, `max_tokens`, `temperature`, `user` at line 1 column 9",
        ),
        ("stream_options", "json: unknown field \"stream_options\""),
        // LiteLLM
        (
            "user",
            r#"{"error":{"message":"litellm.UnsupportedParamsError: azure_ai does not support
                parameters: {'user': 'u1'}, for model=m. To drop these, set `drop_params`",
                "type":"None","param":"None","code":"400"}}"#,
        ),
        // xAI, NIM
        ("user", r#"{"code":"x","error":"Argument not supported on this model: user"}"#),
        (
            "stream_options",
            r#"{"detail":"Validation: Unsupported parameter(s): `stream_options`"}"#,
        ),
        // A gateway that quotes whom it asked
        (
            "temperature",
            r#"{"error":{"message":"{\"error\":{\"message\":\"temperature is not supported\",
                \"param\":\"temperature\"}}"}}"#,
        ),
        // pydantic's own text, with the name on a line of its own
        (
            "user",
            r#"{"message":"1 validation error for Request\nuser\n  Extra inputs are not permitted"}"#,
        ),
        (
            "stream_options",
            r#"{"error":{"message":"Provider returned error","code":400,"metadata":{"raw":
                "{\"error\":{\"message\":\"Unknown parameter: 'stream_options'.\"}}"}}}"#,
        ),
        // Bedrock, Cerebras
        (
            "user",
            r#"{"message":"Malformed input request: extraneous key [user] is not permitted"}"#,
        ),
        (
            "stream_options",
            r#"{"message":"body.stream_options: property 'body.stream_options' is unsupported",
                "param":"body.stream_options","code":"wrong_api_format"}"#,
        ),
        (
            "temperature",
            r#"{"error":{"message":"invalid temperature: only 0.6 is allowed for this model"}}"#,
        ),
        ("temperature", r#"{"error":{"message":"temperature must be 1.0 for this model"}}"#),
        // ASP.NET, marshmallow
        (
            "stream_options",
            r#"{"title":"One or more validation errors occurred.","status":400,
                "errors":{"$.stream_options":["The JSON property 'stream_options' could not be
                mapped to any .NET member contained in type 'Request'."]}}"#,
        ),
        ("user", r#"{"errors":{"json":{"user":["Unknown field."]}}}"#),
        // zod, ajv, Nest
        (
            "stream_options",
            r#"{"error":{"issues":[{"code":"unrecognized_keys","keys":["stream_options"],"path":[],
                "message":"Unrecognized key(s) in object"}],"name":"ZodError"}}"#,
        ),
        (
            "user",
            r#"{"errors":[{"instancePath":"","keyword":"additionalProperties",
                "params":{"additionalProperty":"user"},
                "message":"must NOT have additional properties"}]}"#,
        ),
        (
            "stream_options",
            r#"{"message":"request.body should NOT have additional properties",
                "errors":[{"path":".body.stream_options",
                "message":"should NOT have additional properties"}]}"#,
        ),
        ("user", r#"{"statusCode":400,"message":["property user should not exist"]}"#),
        // DeepSeek
        (
            "response_format",
            r#"{"error":{"message":"This response_format type is unavailable now",
                "type":"invalid_request_error","param":null}}"#,
        ),
        (
            "temperature",
            r#"{"error":{"message":"invalid temperature: only 1 is allowed for this model"}}"#,
        ),
    ] {
        let body = flat(body);
        for status in [400, 422] {
            assert_eq!(left_out(status, &body), [field], "{body}");
        }
    }
}

#[test]
fn several_fields_may_be_refused_at_once() {
    let body = json!({"detail": [
        {"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"},
        {"loc": ["body", "user"], "msg": "Extra inputs are not permitted"},
    ]});
    assert_eq!(left_out(422, &body.to_string()), ["stream_options", "user"]);
    let body = "Unrecognized request arguments supplied: stream_options, user";
    assert_eq!(left_out(400, body), ["stream_options", "user"]);
}

#[test]
fn what_is_refused_for_another_reason_is_not_asked_again() {
    for body in [
        // Values that the user chose
        r#"{"error":{"message":"temperature must be between 0 and 1, not supported: 1.5"}}"#,
        r#"{"detail":[{"loc":["body","temperature"],"type":"less_than_equal",
            "msg":"Input should be less than or equal to 1"}]}"#,
        r#"{"error":{"message":"Invalid schema for response_format 'answer': not permitted",
            "param":"response_format"}}"#,
        r#"{"error":{"message":"temperature must be 1 or less; more is not supported"}}"#,
        // Other people's words
        r#"{"error":{"message":"unknown parameter in the request of this user"}}"#,
        r#"{"error":{"message":"Conversation roles must alternate user/assistant; not supported"}}"#,
        r#"{"error":{"message":"the user has not been granted access; unknown account"}}"#,
        r#"{"error":{"message":"role user is not allowed here"}}"#,
        // Echoes of the request
        r#"{"detail":[{"loc":["body","messages",0,"content"],"msg":"Extra inputs are not permitted",
            "input":{"stream_options":{},"user":"u1","max_tokens":512}}]}"#,
        "unknown field `pictures`, expected one of `user`, `stream_options`, `temperature`",
        // What cannot be left out
        r#"{"error":{"message":"Unknown parameter: 'messages'.","param":"messages"}}"#,
        r#"{"error":{"message":"Unknown parameter: 'stream'.","param":"stream"}}"#,
        "out of memory",
        "",
        "{",
    ] {
        assert_eq!(left_out(400, &flat(body)), [] as [&str; 0], "{body}");
    }
    let body = r#"{"error":{"message":"Unknown parameter: 'user'.","param":"user"}}"#;
    for status in [401, 403, 404, 413, 429, 503] {
        assert_eq!(left_out(status, body), [] as [&str; 0], "{status}");
    }
}

fn after(by: &Adaptation, body: &str) -> Option<Adaptation> {
    by.after(400, flat(body).as_bytes(), &question())
}

#[test]
fn the_longest_answer_is_said_by_its_newer_name_and_then_not_at_all() {
    let body = r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this
        model. Use 'max_completion_tokens' instead.","param":"max_tokens",
        "code":"unsupported_parameter"}}"#;
    let renamed = after(&Adaptation::default(), body).unwrap();
    assert_eq!(renamed.max_tokens(512), Some("max_completion_tokens"));
    assert_eq!(after(&renamed, body), None, "that was not the name that was sent");
    let neither = r#"{"detail":[{"loc":["body","max_completion_tokens"],
        "msg":"Extra inputs are not permitted"}]}"#;
    let left_out = after(&renamed, neither).unwrap();
    assert_eq!(left_out.max_tokens(512), None);
    assert_eq!(after(&left_out, neither), None);
}

#[test]
fn more_tokens_than_there_are_become_as_many_as_there_are_and_fewer_stay_what_they_were() {
    for body in [
        "max_tokens=512 cannot be greater than max_model_len=256. Please request fewer.",
        "max_tokens is too large: 512. This model supports at most 256 completion tokens",
        r#"{"detail":[{"loc":["body","max_tokens"],"msg":"Input should be less than or equal to 256",
            "type":"less_than_equal"}]}"#,
        "Range of max_tokens should be [1, 256]",
        r#"{"error":{"message":"max_tokens参数非法，取值范围 [1, 256]"}}"#,
        r#"{"error":{"message":"Invalid max_tokens value, the valid range is between 1 and 256"}}"#,
        r#"{"error":{"message":"`max_tokens` must be less than or equal to `256`, the maximum value
            for `max_tokens` is less than the `context_window` for this model"}}"#,
    ] {
        let next = after(&Adaptation::default(), body);
        let next = next.unwrap_or_else(|| panic!("{body}")).lasting();
        assert_eq!(next.max_tokens(512), None, "{body}");
        assert_eq!(next.max_tokens(600), None);
        assert_eq!(next.max_tokens(511), Some("max_tokens"));
    }
    for other in ["max_tokens must be at least 1, and not 0", "range of max_tokens: 1000 to 9000"] {
        assert_eq!(after(&Adaptation::default(), other), None, "{other}");
    }
}

#[test]
fn a_question_that_leaves_no_room_for_the_answer_is_no_rule() {
    for body in [
        "This model's maximum context length is 4096 tokens. However, you requested 4700 tokens \
         (4188 in the messages, 512 in the completion). Please reduce the length of either.",
        "'max_tokens' or 'max_completion_tokens' is too large: 512. This model's maximum context \
         length is 4096 tokens and your request has 4000 input tokens (512 > 4096 - 4000).",
        "This model's maximum context length is 8192 tokens. However, you requested 512 output \
         tokens and your prompt contains 8000 input tokens.",
        "Requested token count exceeds the model's maximum context length of 2048 tokens. You \
         requested a total of 2300 tokens: 1800 tokens from the input messages and 512 tokens for \
         the completion.",
    ] {
        let next = after(&Adaptation::default(), body).unwrap_or_else(|| panic!("{body}"));
        assert_eq!(next.max_tokens(512), None, "{body}");
        assert_eq!(next.lasting(), Adaptation::default(), "{body}");
    }
    let prompt = "This model's maximum context length is 4096 tokens, but the prompt has 5000";
    assert_eq!(after(&Adaptation::default(), prompt), None);
}

#[test]
fn a_newer_name_is_found_in_other_spellings_and_languages() {
    for body in [
        "this model is not supported MaxTokens, please use MaxCompletionTokens",
        r#"{"error":{"code":"1210","message":"max_tokens参数非法。请检查文档。"}}"#,
    ] {
        let next = after(&Adaptation::default(), body).unwrap_or_else(|| panic!("{body}"));
        assert_eq!(next.max_tokens(512), Some("max_completion_tokens"), "{body}");
    }
}

#[test]
fn whoever_does_not_stream_is_asked_for_the_whole() {
    for body in [
        r#"{"error":{"message":"Your organization must be verified to stream this model.",
            "type":"invalid_request_error","param":"stream","code":"unsupported_value"}}"#,
        r#"{"error":{"message":"Unsupported value: 'stream' does not support true with this model.
            Only the default (false) value is supported."}}"#,
        "Streaming is not supported.",
        "This model does not support streaming",
    ] {
        let next = after(&Adaptation::default(), &flat(body)).unwrap_or_else(|| panic!("{body}"));
        assert!(!next.streams(&question()), "{body}");
        assert!(Field::ALL.into_iter().all(|field| !next.leaves_out(field)), "{body}");
        assert_eq!(next.clone().lasting(), next);
        assert_eq!(after(&next, &flat(body)), None, "{body}");
    }
    for other in [
        "stream_options is only allowed when 'stream' is enabled and supported",
        "upstream is not supported",
        "Unknown parameter: 'stream'.",
        "the stream was cut; this is not supported",
    ] {
        let next = after(&Adaptation::default(), other).unwrap_or_default();
        assert!(next.streams(&question()), "{other}");
    }
}

#[test]
fn a_refusal_that_is_cut_short_counts_for_what_has_come_of_it() {
    let body =
        r#"{"detail":[{"loc":["body","user"],"msg":"Extra inputs are not permitted","input":"#;
    assert_eq!(left_out(422, body), ["user"]);
}

#[test]
fn what_the_user_added_is_theirs() {
    let extra = ExtraBody::parse(r#"{"temperature": 1, "user": "me"}"#).unwrap();
    let request = ChatRequest { extra, ..question() };
    for field in ["temperature", "user"] {
        let body = json!({"error": {"message": "Unknown parameter", "param": field}}).to_string();
        assert_eq!(Adaptation::default().after(400, body.as_bytes(), &request), None);
    }
}

#[test]
fn no_refusal_is_too_deep_or_too_long() {
    let deep = format!("{}\"user: extra\"{}", "[".repeat(100), "]".repeat(100));
    assert_eq!(after(&Adaptation::default(), &deep), None);
    let long = format!("[{}]", vec!["\"out of order\""; 1000].join(","));
    assert_eq!(after(&Adaptation::default(), &long), None);
    assert_eq!(after(&Adaptation::default(), &"ä".repeat(20_000)), None);
}
