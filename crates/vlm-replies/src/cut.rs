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
    let mut beginning = Beginning::default();
    for (at, c) in text.char_indices() {
        beginning.read(c, at + c.len_utf8());
    }
    let mut ended = text[..beginning.whole].to_owned();
    beginning.close(&mut ended);
    ended
}

/// What has been read of JSON that may break off.
#[derive(Default)]
struct Beginning {
    open: Vec<Open>,
    in_text: bool,
    is_escaped: bool,
    /// Whether the last text is a name.
    is_name: bool,
    /// Where what is whole ends: a number or a word may go on.
    whole: usize,
}

impl Beginning {
    /// Reads on by a character that ends there.
    fn read(&mut self, c: char, end: usize) {
        let is_whole = if self.in_text { self.read_in_text(c) } else { self.read_outside(c) };
        if is_whole {
            self.whole = end;
        }
    }

    /// An escape is whole with its last digit only; half of one is left out.
    fn read_in_text(&mut self, c: char) -> bool {
        match c {
            _ if self.is_escaped => self.is_escaped = false,
            '\\' => self.is_escaped = true,
            '"' => self.in_text = false,
            _ => {}
        }
        !self.is_escaped
    }

    fn read_outside(&mut self, c: char) -> bool {
        let around = self.open.last_mut();
        match c {
            '"' => {
                self.in_text = true;
                self.is_name = around.is_some_and(|open| open.wants_name);
            }
            '{' | '[' => self.open.push(Open { is_object: c == '{', wants_name: c == '{' }),
            '}' | ']' => {
                self.open.pop();
            }
            ':' => {
                self.is_name = false;
                around.into_iter().for_each(|open| open.wants_name = false);
            }
            ',' => around.into_iter().for_each(|open| open.wants_name = open.is_object),
            _ => return false,
        }
        true
    }

    /// Closes all that is open in what is whole.
    fn close(&self, whole: &mut String) {
        if self.in_text {
            let half = whole.rfind("\\u").filter(|at| whole.len() - at < 6);
            whole.truncate(half.unwrap_or(whole.len()));
            whole.push('"');
        }
        if self.is_name {
            whole.push(':');
        }
        if whole.ends_with(':') {
            whole.push_str("null");
        }
        if whole.ends_with(',') {
            whole.pop();
        }
        whole.extend(self.open.iter().rev().map(|open| if open.is_object { '}' } else { ']' }));
    }
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
