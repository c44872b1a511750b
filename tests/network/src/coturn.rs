//! The files of a relay, Debian's coturn, with the configuration that `docs/turn.md` prints.

use std::{fs, io, path::Path};

const DOCUMENT: &str = include_str!("../../../docs/turn.md");

/// What belongs into the places of the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Relay<'a> {
    /// The folder with `fullchain.pem` and `privkey.pem`, and for all other files of the relay.
    pub home: &'a Path,
    /// What relay and server know.
    pub secret: &'a str,
    /// The address of the server, which it lets through to.
    pub server: &'a str,
    /// More lines, at the end.
    pub more: &'a str,
}

impl Relay<'_> {
    /// Writes the configuration, and gives the arguments of a `turnserver` that runs as Debian's
    /// unit starts it, with a database of its own that nothing is in.
    ///
    /// # Errors
    /// When the file cannot be written, or the document has a place that is not known.
    pub fn write(&self) -> io::Result<[String; 5]> {
        let file = self.home.join("turnserver.conf");
        fs::write(&file, self.configuration(DOCUMENT).map_err(io::Error::other)?)?;
        let database = format!("--userdb={}", self.home.join("turndb").display());
        let [pidfile, log] = ["--pidfile=", "--log-file=stdout"].map(str::to_owned);
        Ok(["-c".to_owned(), file.display().to_string(), pidfile, log, database])
    }

    fn configuration(&self, document: &str) -> Result<String, String> {
        let home = self.home.display().to_string();
        let places = [
            ("/etc/letsencrypt/live/turn.example", home.as_str()),
            ("<openssl rand -hex 32>", self.secret),
            ("<the server's address>", self.server),
        ];
        let printed = printed(document, "# /etc/turnserver.conf")?;
        Ok(filled(&printed, &places)? + self.more)
    }
}

/// What `docs/turn.md` prints from this line on to the end of the block, with its places filled in.
///
/// # Errors
/// When it does not print that, lacks one of the places or has others.
pub fn documented(first_line: &str, places: &[(&str, &str)]) -> Result<String, String> {
    filled(&printed(DOCUMENT, first_line)?, places)
}

fn printed(document: &str, first_line: &str) -> Result<String, String> {
    let start = format!("\n{first_line}\n");
    let (_, rest) = document
        .split_once(&start)
        .ok_or_else(|| format!("docs/turn.md has no line {first_line:?}"))?;
    let (block, _) =
        rest.split_once("\n```").ok_or("the block in docs/turn.md has no end".to_owned())?;
    Ok(format!("{first_line}\n{block}\n"))
}

/// A text in which each of these places is filled in, and there are no others.
///
/// # Errors
/// When one is not in it, or another is.
pub fn filled(text: &str, places: &[(&str, &str)]) -> Result<String, String> {
    let mut text = text.to_owned();
    for (place, value) in places {
        if !text.contains(place) {
            return Err(format!("{place} is not in\n{text}"));
        }
        text = text.replace(place, value);
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if ["<", "turn.example", "/etc/"].iter().any(|place| line.contains(place)) {
            return Err(format!("what belongs into {line:?} of docs/turn.md?"));
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay<'a>(home: &'a str, more: &'a str) -> Relay<'a> {
        Relay { home: Path::new(home), secret: "north", server: "192.0.2.7", more }
    }

    #[test]
    fn the_documented_configuration_is_filled_in() {
        let relay = relay("/somewhere", "external-ip=::1");
        let text = relay.configuration(DOCUMENT).unwrap();
        assert!(text.contains("\nstatic-auth-secret=north\n"), "{text}");
        assert!(text.contains("\nallowed-peer-ip=192.0.2.7\n"), "{text}");
        assert!(text.contains("\npkey=/somewhere/privkey.pem\n"), "{text}");
        assert!(text.ends_with("\nexternal-ip=::1"), "{text}");
        assert!(!text.contains("```"), "{text}");
    }

    #[test]
    fn a_place_that_is_not_known_is_an_error() {
        let block = |more: &str| {
            let places = "/etc/letsencrypt/live/turn.example <openssl rand -hex 32>";
            format!("\n# /etc/turnserver.conf\n{places} <the server's address>\n{more}\n```\n")
        };
        let relay = relay("", "");
        assert!(relay.configuration(&block("realm=yours")).is_ok());
        let error = relay.configuration(&block("realm=<yours>")).unwrap_err();
        assert!(error.contains("realm=<yours>"), "{error}");
        assert!(relay.configuration("nothing").is_err());
    }
}
