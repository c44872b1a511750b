//! What an error quotes of the request: pictures that nobody reads, and words of the user that are
//! none of the server's. Pure.

/// What stands before the messages of a request, or before a part of them.
const BEFORE: [&str; 10] = [
    // llama.cpp.
    "messages = ",
    "\"messages\":",
    "'messages':",
    // pydantic.
    "'input':",
    "\"input\":",
    "input_value=",
    "\"content\":",
    "'content':",
    "request body:",
    "received:",
];
/// What pictures begin with.
const PICTURE: &str = "data:image/";
/// How much is quoted at most; what follows is left out, too.
const MOST: usize = 16;
/// In place of what is left out.
const GAP: char = '…';

/// An error's words without what they quote of the request. What was cut short is left out to its
/// end.
pub fn without(words: &str) -> String {
    let mut plain = String::with_capacity(words.len().min(1 << 10));
    let mut rest = words;
    for quotes in 1.. {
        let Some((from, to)) = next(rest) else { break };
        plain.push_str(&rest[..from]);
        plain.push(GAP);
        rest = if quotes < MOST { &rest[to..] } else { "" };
    }
    plain + rest
}

/// From where to where the first quote goes.
fn next(text: &str) -> Option<(usize, usize)> {
    let lists = BEFORE.iter().filter_map(|before| {
        text.match_indices(before).find_map(|(at, _)| {
            let behind = &text[at + before.len()..];
            let value = behind.trim_start();
            value.starts_with(['[', '{']).then(|| {
                let from = text.len() - value.len();
                (from, from + balanced(value))
            })
        })
    });
    let picture = text.find(PICTURE).map(|from| {
        let is_of_picture = |c: char| c.is_ascii_alphanumeric() || "+/=:;,-._%".contains(c);
        let length = text[from..].find(|c| !is_of_picture(c));
        (from, length.map_or(text.len(), |length| from + length))
    });
    lists.chain(picture).min()
}

/// How long a list or an object is, in JSON or as Python writes it; all that there is if it has no
/// end.
fn balanced(value: &str) -> usize {
    let (mut depth, mut quote, mut is_escaped) = (0_u32, None, false);
    for (at, byte) in value.bytes().enumerate() {
        match (quote, byte) {
            _ if is_escaped => is_escaped = false,
            (Some(_), b'\\') => is_escaped = true,
            (Some(open), _) if byte == open => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'[' | b'{') => depth += 1,
            (None, b']' | b'}') => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    value.len()
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn what_a_server_says_stays_and_what_it_quotes_goes() {
        for (words, plain) in [
            (
                "Unsupported content part type: \"image_url\"; messages = [\n {\"role\": \"user\"}]",
                "Unsupported content part type: \"image_url\"; messages = …",
            ),
            ("bad messages = [{\"url\": \"data:image/jpeg;base64,/9j/4AA", "bad messages = …"),
            (
                "[{'loc': ('body',), 'msg': 'no', 'input': [{'text': \"it's ]\"}], 'url': 'x'}]",
                "[{'loc': ('body',), 'msg': 'no', 'input': …, 'url': 'x'}]",
            ),
            ("cannot load data:image/png;base64,iVBOR/w0K+G= (404)", "cannot load … (404)"),
            ("messages must be a list", "messages must be a list"),
            ("'input': 'x', 'content': none", "'input': 'x', 'content': none"),
            ("received: [1, \"\\\"]\", 2], and that is all", "received: …, and that is all"),
            ("'input': [1] 'input': {2}", "'input': … 'input': …"),
            ("", ""),
        ] {
            assert_eq!(without(words), plain, "{words}");
        }
    }
}
