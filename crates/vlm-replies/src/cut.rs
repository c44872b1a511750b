//! Ends JSON that was cut short: refusals that quote a whole request, pictures and all, are read to
//! a bound. Pure.

/// A list or an object that has begun and has not ended.
struct Open {
    is_object: bool,
    /// Whether a name comes next.
    wants_name: bool,
}

/// The same JSON with an end: texts, lists and objects that are open are closed. What is no JSON
/// stays none.
pub fn closed(text: &str) -> String {
    let mut open: Vec<Open> = Vec::new();
    let (mut in_text, mut is_escaped, mut is_name) = (false, false, false);
    // Where what is whole ends: a number or a word may go on.
    let mut whole = 0;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if in_text {
            // An escape is whole with its last digit only; half of one is left out.
            match c {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                '"' => in_text = false,
                _ => {}
            }
            if !is_escaped {
                whole = end;
            }
            continue;
        }
        match c {
            '"' => {
                in_text = true;
                is_name = open.last().is_some_and(|open| open.wants_name);
            }
            '{' | '[' => open.push(Open { is_object: c == '{', wants_name: c == '{' }),
            '}' | ']' => {
                open.pop();
            }
            ':' => {
                is_name = false;
                open.last_mut().into_iter().for_each(|open| open.wants_name = false);
            }
            ',' => open.last_mut().into_iter().for_each(|open| open.wants_name = open.is_object),
            _ => continue,
        }
        whole = end;
    }
    let mut ended = text[..whole].to_owned();
    if in_text {
        let half = ended.rfind("\\u").filter(|at| ended.len() - at < 6);
        ended.truncate(half.unwrap_or(ended.len()));
        ended.push('"');
    }
    if is_name {
        ended.push(':');
    }
    if ended.ends_with(':') {
        ended.push_str("null");
    }
    if ended.ends_with(',') {
        ended.pop();
    }
    ended.extend(open.iter().rev().map(|open| if open.is_object { '}' } else { ']' }));
    ended
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::closed;

    #[test]
    fn whatever_is_left_of_json_can_be_read() {
        let whole = r#"{"error": {"code": 500, "message": "No \"x\" \u00e4", "of": [1, true, {"a": null}, "é"]}, "b": {}}"#;
        for (at, _) in whole.char_indices().skip(1) {
            let ended = closed(&whole[..at]);
            let value: Value =
                serde_json::from_str(&ended).unwrap_or_else(|e| panic!("{ended}: {e}"));
            assert!(value.is_object());
        }
        assert_eq!(closed(whole), whole);
    }

    #[test]
    fn what_has_come_of_a_text_is_kept() {
        let value = |text: &str| serde_json::from_str::<Value>(&closed(text)).unwrap();
        assert_eq!(
            value(r#"{"error":{"message":"No; [\n"#),
            json!({"error": {"message": "No; [\n"}})
        );
        assert_eq!(value(r#"[{"a":1},{"b":"x\"#), json!([{"a": 1}, {"b": "x"}]));
        assert_eq!(value(r#"{"a":"x\u00"#), json!({"a": "x"}));
        assert_eq!(value(r#"{"a":1,"b"#), json!({"a": 1, "b": null}));
        assert_eq!(value(r#"{"a":1,"b":12"#), json!({"a": 1, "b": null}));
    }

    #[test]
    fn what_is_no_json_stays_none() {
        for text in ["", "no", "}", "]]", "{no", "\"", "<html>"] {
            let _ = serde_json::from_str::<Value>(&closed(text));
        }
        assert_eq!(closed("no"), "");
    }
}
