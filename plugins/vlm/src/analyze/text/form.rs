//! How an answer is written on the text pad: pure.

use std::borrow::Cow;

use super::super::settings::TextFormat;
use crate::messages::Answer;

/// What a buffer's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The answer's text.
    Plain,
    /// The same with `&`, `<` and `>` escaped, as WebVTT wants it.
    Markup,
    /// A line of JSON.
    Json,
}

impl Form {
    /// The formats of `text/x-raw` that there are, the one to choose first in front.
    pub(super) const FORMATS: [&'static str; 2] = ["utf8", "pango-markup"];

    pub(super) fn new(setting: TextFormat, format: &str) -> Self {
        match (setting, format) {
            (TextFormat::Json, _) => Self::Json,
            (TextFormat::Text, "pango-markup") => Self::Markup,
            (TextFormat::Text, _) => Self::Plain,
        }
    }

    /// The format of `text/x-raw` that it is.
    pub(super) fn format(self) -> &'static str {
        match self {
            Self::Markup => "pango-markup",
            Self::Plain | Self::Json => "utf8",
        }
    }

    /// `None` if there is nothing to read.
    pub(super) fn write(self, answer: &Answer) -> Option<String> {
        match self {
            Self::Plain => readable(&answer.text).map(|text| without_arrows(&text).into_owned()),
            Self::Markup => readable(&answer.text).map(|text| escaped(&text)),
            Self::Json => Some(answer.to_json().to_string() + "\n"),
        }
    }
}

/// Blank lines end a cue in WebVTT and SubRip, and NUL ends text in C.
fn readable(text: &str) -> Option<String> {
    let text = text.replace('\0', "");
    let lines: Vec<_> =
        text.split(['\n', '\r']).map(str::trim_end).filter(|line| !line.is_empty()).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// A line with `-->` would be taken for the times of a cue: shortens its shaft.
fn without_arrows(text: &str) -> Cow<'_, str> {
    if !text.contains("-->") {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '>' && kept.ends_with("--") {
            kept.truncate(kept.trim_end_matches('-').len() + 1);
        }
        kept.push(character);
    }
    Cow::Owned(kept)
}

/// No quotes: WebVTT has no names for them.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, text: &str) -> Option<String> {
        form.write(&Answer { text: text.into(), ..Answer::default() })
    }

    #[test]
    fn nothing_in_a_caption_ends_it_early() {
        let text = "\n one \n\n \t\r\n\0two --> three\r\rfour\n";
        assert_eq!(written(Form::Plain, text).unwrap(), " one\ntwo -> three\nfour");
        assert_eq!(written(Form::Markup, text).unwrap(), " one\ntwo --&gt; three\nfour");
        assert_eq!(
            written(Form::Plain, "----> -> >-- a--b -\0-> c").unwrap(),
            "-> -> >-- a--b -> c"
        );
    }

    #[test]
    fn markup_is_escaped_where_it_is_read_as_such() {
        assert_eq!(written(Form::Plain, "1 < 2 & \"3\"").unwrap(), "1 < 2 & \"3\"");
        assert_eq!(written(Form::Markup, "1 < 2 & \"3\"").unwrap(), "1 &lt; 2 &amp; \"3\"");
    }

    #[test]
    fn no_text_is_no_caption() {
        for form in [Form::Plain, Form::Markup] {
            assert_eq!(written(form, " \n\0\r\n"), None);
        }
    }

    #[test]
    fn json_is_one_line_with_its_end() {
        let line = written(Form::Json, "one\n\ntwo \"three\"").unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(line.trim_end()).unwrap();
        assert_eq!(value["text"], "one\n\ntwo \"three\"");
    }
}
