//! Finds the names of families in the names of models, in whatever way those are written. Pure.

/// Of a longer name, so much is looked at, in bytes.
const LONGEST: usize = 256;
const LETTERS: usize = 26;

/// Names of families.
///
/// A name stands at the beginning of a word, and behind `~` also inside one. `-` stands for any
/// separator or none, `.` for one in a version, `#` for a version. `!` says that no letter follows;
/// none follows names of up to three letters, and no number goes on with one.
pub(super) struct Names([Vec<Name>; LETTERS]);

struct Name {
    /// It begins with a letter.
    signs: &'static [u8],
    is_inside: bool,
    end: End,
}

/// What may follow a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Anything,
    NoLetter,
    NoLetterOrDigit,
}

impl Names {
    /// Names that each begin with a small letter.
    pub(super) fn of(names: &[&'static str]) -> Self {
        let mut by_letter = [const { Vec::new() }; LETTERS];
        for name in names {
            let name = Name::of(name);
            let letter = name.signs.first().and_then(|first| place(*first));
            by_letter[letter.expect("a name begins with a letter")].push(name);
        }
        Self(by_letter)
    }

    /// Whether a model is called as one of these.
    pub(super) fn call(&self, id: &str) -> bool {
        let id = id.as_bytes();
        let id = id[..id.len().min(LONGEST)].to_ascii_lowercase();
        (0..id.len()).any(|at| {
            let Some(letter) = place(id[at]) else { return false };
            let is_inside = at > 0 && id[at - 1].is_ascii_alphabetic();
            let mut names = self.0[letter].iter().filter(|name| name.is_inside || !is_inside);
            names.any(|name| name.begins(&id[at..], name.signs))
        })
    }
}

/// Of a small letter among them.
fn place(letter: u8) -> Option<usize> {
    letter.is_ascii_lowercase().then(|| usize::from(letter - b'a'))
}

impl Name {
    fn of(name: &'static str) -> Self {
        let inside = name.strip_prefix('~');
        let name = inside.unwrap_or(name);
        let signs = name.trim_end_matches('!').as_bytes();
        let end = match signs {
            [.., b'#' | b'0'..=b'9'] => End::NoLetterOrDigit,
            [.., b'#', b'a'..=b'z'] => End::NoLetter,
            _ if name.ends_with('!') || signs.len() <= 3 => End::NoLetter,
            _ => End::Anything,
        };
        Self { signs, is_inside: inside.is_some(), end }
    }

    /// Whether a text begins as signs say, and ends there or goes on as it may.
    fn begins(&self, text: &[u8], signs: &[u8]) -> bool {
        let Some((sign, signs)) = signs.split_first() else { return self.may_end_before(text) };
        let behind = |is: fn(u8) -> bool| match text.split_first() {
            Some((first, rest)) if is(*first) => Some(rest),
            _ => None,
        };
        match sign {
            b'-' => {
                let rest = behind(|c| matches!(c, b'-' | b'_' | b'.' | b':' | b' '));
                self.begins(text, signs) || rest.is_some_and(|rest| self.begins(rest, signs))
            }
            b'.' => behind(|c| matches!(c, b'.' | b'-' | b'_' | b'p'))
                .is_some_and(|rest| self.begins(rest, signs)),
            b'#' => {
                let version = version(text);
                version > 0 && self.begins(&text[version..], signs)
            }
            sign => text.first() == Some(sign) && self.begins(&text[1..], signs),
        }
    }

    fn may_end_before(&self, text: &[u8]) -> bool {
        text.first().is_none_or(|next| match self.end {
            End::Anything => true,
            End::NoLetter => !next.is_ascii_alphabetic(),
            End::NoLetterOrDigit => !next.is_ascii_alphanumeric(),
        })
    }
}

/// How long the version is that a text begins with: `3`, `4.1`, `2p5`.
fn version(text: &[u8]) -> usize {
    let digits = |from: usize| text[from..].iter().take_while(|c| c.is_ascii_digit()).count();
    let mut end = digits(0);
    while end > 0 && text.get(end).is_some_and(|c| matches!(c, b'.' | b'p')) {
        match digits(end + 1) {
            0 => break,
            more => end += 1 + more,
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_spelling() {
        for (name, is, is_not) in [
            ("gemma-3", &["gemma3:4b", "Gemma-3-4b", "google/gemma_3"][..], &["gemma-34b"][..]),
            ("gemma-3", &["gemma-3"], &["gemma-3n", "codegemma-3", "gemma"]),
            ("qwen-3.5", &["qwen3.5:9b", "qwen3p5-9b", "qwen-3-5"], &["qwen3-5b", "qwen3"]),
            (
                "glm-#v",
                &["glm-4v", "glm4v:9b", "GLM-4.1V-9B", "glm-4p6v"],
                &["glm-4", "glm-4voice"],
            ),
            ("nova-#-lite", &["us.amazon.nova-2-lite-v1:0"], &["nova-lite"]),
            ("holo-#", &["Hcompany/Holo1.5-7B", "holo2"], &["holo", "holo1b"]),
            ("vlm", &["a-vlm-1"], &["fastvlm", "vlmx"]),
            ("~vlm", &["fastvlm-7b", "dots.vlm1"], &["vlmx"]),
            ("fara!", &["microsoft/Fara-7B"], &["faraday"]),
            ("claude", &["claude-3", "claudette"], &["xclaude", "", "é"]),
        ] {
            let names = Names::of(&[name]);
            for id in is {
                assert!(names.call(id), "{id} is {name}");
            }
            for id in is_not {
                assert!(!names.call(id), "{id} is not {name}");
            }
        }
    }
}
