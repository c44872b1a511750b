//! Mends JSON that a strict reader refuses although it is plain what it means. Nothing in here does
//! I/O.

use std::fmt::Write;

/// The same JSON with what is wrong in it made right: halves of surrogate pairs and escapes that do
/// not exist, control characters in texts, `NaN` and `Infinity`, numbers beyond all bounds. What is
/// no JSON stays none.
pub fn repaired(text: &str) -> String {
    let mut mended = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || is_of_word(c)) {
        let (before, from) = rest.split_at(at);
        mended.push_str(before);
        rest = if let Some(inside) = from.strip_prefix('"') {
            mended.push('"');
            mend_text(inside, &mut mended)
        } else {
            let end = from.find(|c: char| !is_of_word(c)).unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            mended.push_str(mended_word(word));
            after
        };
    }
    mended.push_str(rest);
    mended
}

/// Letters and digits outside of texts are literals and numbers.
fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')
}

fn mended_word(word: &str) -> &str {
    match word.trim_start_matches(['+', '-']).to_ascii_lowercase().as_str() {
        "nan" | "inf" | "infinity" | "none" | "undefined" => "null",
        _ if word.parse().is_ok_and(f64::is_infinite) => "0",
        _ if word == "True" => "true",
        _ if word == "False" => "false",
        _ => word,
    }
}

/// Mends a text from behind its opening quote; gives what follows its closing one.
fn mend_text<'a>(text: &'a str, mended: &mut String) -> &'a str {
    let mut rest = text;
    loop {
        let special = |c: char| c == '"' || c == '\\' || c.is_ascii_control();
        let Some(at) = rest.find(special) else {
            mended.push_str(rest);
            return "";
        };
        mended.push_str(&rest[..at]);
        let (found, after) = (rest.as_bytes()[at], &rest[at + 1..]);
        rest = match found {
            b'"' => {
                mended.push('"');
                return after;
            }
            b'\\' => mend_escape(after, mended),
            control => {
                let _ = write!(mended, "\\u{control:04x}");
                after
            }
        };
    }
}

/// Mends an escape from behind its backslash; gives what follows.
fn mend_escape<'a>(text: &'a str, mended: &mut String) -> &'a str {
    let Some(kind) = text.chars().next() else {
        return text;
    };
    let after = &text[kind.len_utf8()..];
    match kind {
        '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => {
            mended.extend(['\\', kind]);
            after
        }
        'u' => match code_unit(after) {
            Some(high @ 0xD800..=0xDBFF) => {
                let low = after[4..].strip_prefix("\\u").and_then(code_unit);
                if let Some(low @ 0xDC00..=0xDFFF) = low {
                    let _ = write!(mended, "\\u{high:04x}\\u{low:04x}");
                    &after[10..]
                } else {
                    mended.push('\u{FFFD}');
                    &after[4..]
                }
            }
            Some(0xDC00..=0xDFFF) => {
                mended.push('\u{FFFD}');
                &after[4..]
            }
            Some(unit) => {
                let _ = write!(mended, "\\u{unit:04x}");
                &after[4..]
            }
            None => {
                mended.push_str("\\\\u");
                after
            }
        },
        // What was meant by `\'` or `\x` is not known; the backslash is shown.
        _ => {
            mended.push_str("\\\\");
            text
        }
    }
}

/// The code unit that four hexadecimal digits at the beginning of a text name.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::repaired;

    fn read(text: &str) -> Value {
        serde_json::from_str(&repaired(text)).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn what_is_right_stays_as_it_is() {
        for text in [
            r#"{"a": [1, -2.5e3, true, null, "x\"\\\u00e4\ud83d\ude00 ü NaN"], "b": {}}"#,
            "[]",
            r#""a b""#,
        ] {
            let strict: Value = serde_json::from_str(text).unwrap();
            assert_eq!(read(text), strict, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_in_a_text_is_replaced() {
        for (text, is) in [
            (r#""\ud83d""#, "\u{FFFD}"),
            (r#""\ude00 ok""#, "\u{FFFD} ok"),
            (r#""\ud83d\u0041""#, "\u{FFFD}A"),
            (r#""\ud83d\ud83d\ude00""#, "\u{FFFD}\u{1F600}"),
            ("\"a\nb\tc\0\"", "a\nb\tc\0"),
            (r#""it\'s""#, r"it\'s"),
            (r#""\u12""#, r"\u12"),
        ] {
            assert_eq!(read(text), json!(is), "{text}");
        }
    }

    #[test]
    fn what_json_has_no_word_for_is_null() {
        let text = r#"{"a": NaN, "b": [Infinity, -Infinity], "c": "NaN", "d": 1e999, "e": None}"#;
        let is = json!({"a": null, "b": [null, null], "c": "NaN", "d": 0, "e": null});
        assert_eq!(read(text), is);
    }

    #[test]
    fn what_is_cut_off_stays_cut_off() {
        for text in [r#"{"a": "b"#, r#"{"a": "\"#, r#"{"a": "\u00"#, "{"] {
            assert!(serde_json::from_str::<Value>(&repaired(text)).is_err(), "{text}");
        }
    }
}
