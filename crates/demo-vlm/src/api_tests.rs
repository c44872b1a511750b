use serde_json::{Value, json};

use super::*;

const PICTURE: &str = "data:image/png;base64,AAAA";

fn parse(request: &Value) -> Result<Question, ApiError> {
    Question::parse(request.to_string().as_bytes())
}

fn with_picture(more: &Value) -> Value {
    let mut request = json!({
        "model": MODEL,
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
        ]}],
    });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

#[test]
fn a_plain_question_is_understood() {
    let question = parse(&with_picture(&json!({}))).unwrap();
    assert_eq!(
        question,
        Question {
            model: MODEL,
            prompt: "What is this?".to_owned(),
            pictures: vec![PICTURE.to_owned()],
            user: None,
            max_tokens: None,
            stream: false,
            include_usage: false,
            text_tokens: 3,
        }
    );
}

#[test]
fn unknown_fields_parts_and_nulls_are_ignored() {
    let question = parse(&json!({
        "model": BRIEF_MODEL,
        "temperature": 0.2, "tools": [], "response_format": {"type": "text"},
        "stream": null, "user": null, "max_tokens": null, "stream_options": null,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "name": "x", "content": [
                {"type": "input_audio", "input_audio": {"data": ""}},
                {"type": "image_url", "image_url": PICTURE},
            ]},
            {"role": "assistant", "content": null, "tool_calls": []},
            {"role": "user", "content": "And now?"},
        ],
    }))
    .unwrap();
    assert_eq!(question.prompt, "And now?");
    assert_eq!(question.pictures, [PICTURE]);
    assert_eq!(question.text_tokens, 4);
}

#[test]
fn streaming_limits_and_user_are_read() {
    let question = parse(&with_picture(&json!({
        "stream": true, "stream_options": {"include_usage": true},
        "max_tokens": 9, "max_completion_tokens": 5, "user": "u",
    })))
    .unwrap();
    assert!(question.stream && question.include_usage);
    assert_eq!((question.max_tokens, question.user.as_deref()), (Some(5), Some("u")));
}

#[test]
fn requests_that_make_no_sense_are_refused_by_their_fault() {
    use ApiError as E;
    let refused = |more: Value| parse(&with_picture(&more)).unwrap_err();
    assert!(matches!(Question::parse(b"{"), Err(E::Malformed(_))));
    assert!(matches!(refused(json!({"model": 3})), E::Malformed(_)));
    assert!(matches!(refused(json!({"model": "gpt"})), E::UnknownModel(name) if name == "gpt"));
    assert!(matches!(refused(json!({"messages": []})), E::NoMessages));
    assert!(matches!(refused(json!({"max_tokens": 0})), E::NoTokens("max_tokens")));
    assert!(matches!(refused(json!({"user": "x".repeat(513)})), E::LongUser));
    let text_only = json!({"messages": [{"role": "user", "content": "Hello"}]});
    assert!(matches!(refused(text_only), E::NoPicture));
    let remote = json!({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}});
    let remote = json!({"messages": [{"role": "user", "content": [remote]}]});
    assert!(matches!(refused(remote), E::Picture(picture::PictureError::NotInline)));
    let part = json!({"type": "image_url", "image_url": PICTURE});
    let many = json!({"messages": [{"role": "user", "content": vec![part; 65]}]});
    assert!(matches!(refused(many), E::TooManyPictures(65)));
}
