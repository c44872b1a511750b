//! What must not be shown of what a server says: some quote the key that they refuse.

use secrecy::{ExposeSecret, SecretString};

/// Keys, and other texts that a request has and nobody may see. They are wiped when dropped, and
/// are not printed.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Vec<Secret>);

#[derive(Debug, Clone)]
struct Secret {
    text: SecretString,
    /// What is shown in its place.
    shown: &'static str,
}

impl Secrets {
    /// One more, in whose place this is `shown`. An empty one is none.
    pub fn add(&mut self, text: &str, shown: &'static str) {
        if !text.is_empty() {
            self.0.push(Secret { text: text.into(), shown });
        }
    }

    /// `text` with all of them blotted out. To be called before a text is cut: half a key is not
    /// found.
    pub fn blotted_out(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            let hidden = secret.text.expose_secret();
            if text.contains(hidden) { text.replace(hidden, secret.shown) } else { text }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_neither_shown_nor_printed() {
        let mut secrets = Secrets::default();
        secrets.add("sk-secret", "(key)");
        secrets.add("", "(nothing)");
        secrets.add("token-of-a-gateway", "(header)");
        let text = secrets.blotted_out("sk-secret is no key, nor is token-of-a-gateway");
        assert_eq!(text, "(key) is no key, nor is (header)");
        assert!(!format!("{secrets:?}").contains("secret\""));
        assert!(!format!("{secrets:?}").contains("sk-"));
    }
}
