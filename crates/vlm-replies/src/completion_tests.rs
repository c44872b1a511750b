use super::*;

/// What is thought, answered, and said in place of an answer.
fn parts(json: &str) -> [String; 3] {
    let choice = Completion::read(json).unwrap().choice.unwrap();
    let part = match choice.message {
        Some(message) => *message,
        None => choice.delta,
    };
    let refusal = part.refusal().to_owned();
    let (thought, text) = part.into_parts();
    [thought.into_owned(), text.into_owned(), refusal]
}

#[test]
fn what_is_said_is_found_in_every_form() {
    for (delta, [thought, text, refusal]) in [
        (r#"{"content":"a"}"#, ["", "a", ""]),
        (r#"{"content":null,"text":"a"}"#, ["", "a", ""]),
        (r#"{"content":7}"#, ["", "7", ""]),
        (r#"{"content":["a",{"type":"text","text":"b"}]}"#, ["", "ab", ""]),
        (r#"{"content":[{"type":"THINKING","text":"t"},{"text":"a"}]}"#, ["t", "a", ""]),
        (r#"{"content":[{"type":"refusal","refusal":"no"}]}"#, ["", "", "no"]),
        (r#"{"content":"","refusal":"no"}"#, ["", "", "no"]),
        (r#"{"reasoning_content":"t","reasoning":"t","content":"a"}"#, ["t", "a", ""]),
        (r#"{"reasoning_text":"t"}"#, ["t", "", ""]),
        (r#"{"reasoning_details":[{"type":"reasoning.text","text":"t"}]}"#, ["t", "", ""]),
        (r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}"#, ["", "", ""]),
        (r#"{"reasoning":"t","reasoning_details":[{"text":"t"}]}"#, ["t", "", ""]),
        (r#"{"thinking_blocks":[{"type":"thinking","thinking":"t"}]}"#, ["t", "", ""]),
        (r#"{"thought":true,"content":"a"}"#, ["", "a", ""]),
    ] {
        let json = format!(r#"{{"choices":[{{"delta":{delta}}}]}}"#);
        assert_eq!(parts(&json), [thought, text, refusal], "{delta}");
    }
}

#[test]
fn an_answer_is_found_in_an_envelope() {
    for json in [
        r#"{"code":200,"msg":"success","data":{"choices":[{"message":{"content":"a"}}]}}"#,
        r#"{"result":{"choices":[{"message":{"content":"a"}}]},"success":true}"#,
        r#"{"output":{"choices":[{"message":{"content":[{"text":"a"}]}}]},"request_id":"x"}"#,
        r#"{"choices":[{"message":{"content":"a"}}],"data":null,"result":{}}"#,
    ] {
        assert_eq!(parts(json), ["", "a", ""], "{json}");
    }
}

#[test]
fn what_groq_says_aside_counts() {
    let completion = Completion::read(r#"{"x_groq":{"usage":{"prompt_tokens":5}}}"#).unwrap();
    assert_eq!((completion.usage.prompt_tokens, completion.aside.is_some()), (5, false));
    let completion = Completion::read(r#"{"x_groq":{"error":"over capacity"}}"#).unwrap();
    assert_eq!(completion.aside.unwrap().get(), r#"{"error":"over capacity"}"#);
}

#[test]
fn the_last_event_may_say_that_it_is_one() {
    assert!(Completion::read(r#"{"done":true}"#).unwrap().is_last);
    for json in [r#"{"done":false}"#, r#"{"done":"x"}"#, "{}", "[]"] {
        assert!(!Completion::read(json).unwrap().is_last, "{json}");
    }
}
