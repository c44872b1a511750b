//! Numbers and users as the command line describes them.

use std::{str::FromStr, time::Duration};

/// One or more, and not so many that a mistyped number takes the machine down.
pub(crate) fn some(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=10_000).contains(number));
    number.ok_or_else(|| format!("{text:?} is no number from 1 to 10000"))
}

/// What a server is told to find how many questions its VLM takes.
pub(crate) const AUTO: &str = "auto";

/// A number of slots, or that it is to be found.
pub(crate) fn told_slots(text: &str) -> Result<String, String> {
    if text != AUTO {
        some(text)?;
    }
    Ok(text.to_owned())
}

/// So many seconds.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_secs).map_err(|_| format!("{text:?} is no number of seconds"))
}

/// So many milliseconds.
pub(crate) fn millis(text: &str) -> Result<Duration, String> {
    let number = text.parse().map(Duration::from_millis);
    number.map_err(|_| format!("{text:?} is no number of milliseconds"))
}

/// Seconds and parts of one, from 0.05 to an hour.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    let number = number.ok_or_else(|| format!("{text:?} is no number of seconds"))?;
    Ok(Duration::from_secs_f64(number.clamp(0.05, 3600.0)))
}

/// Some users of one kind, such as `many:1,sessions=8`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct UserSpec {
    pub(crate) name: String,
    pub(crate) count: usize,
    /// Sessions of each.
    pub(crate) sessions: usize,
    /// Seconds between two questions of a session.
    pub(crate) interval: f64,
    /// The longest answer that they ask for.
    pub(crate) max_tokens: u32,
}

/// What [`UserSpec`] without its options means.
const ORDINARY: (usize, f64, u32) = (1, 1.0, 512);
const MOST: usize = 1000;

impl UserSpec {
    /// Their names: each is a user.
    pub(crate) fn names(&self) -> Vec<String> {
        match self.count {
            1 => vec![self.name.clone()],
            count => (1..=count).map(|number| format!("{}-{number}", self.name)).collect(),
        }
    }
}

impl FromStr for UserSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let (name, count) = kind.split_once(':').unwrap_or((kind, "1"));
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(format!("{name:?} is no name; use letters and digits: ordinary:8"));
        }
        let (sessions, interval, max_tokens) = ORDINARY;
        let count = number(kind, count, 1..=MOST)?;
        let mut spec = Self { name: name.to_owned(), count, sessions, interval, max_tokens };
        for part in parts {
            match part.split_once('=') {
                Some(("sessions", value)) => spec.sessions = number(part, value, 1..=MOST)?,
                Some(("interval", value)) => spec.interval = number(part, value, 0.1..=3600.0)?,
                Some(("max-tokens", value)) => spec.max_tokens = number(part, value, 1..=32768)?,
                _ => {
                    return Err(format!(
                        "{part:?} is none of sessions=N, interval=SECONDS, max-tokens=N"
                    ));
                }
            }
        }
        Ok(spec)
    }
}

fn number<T: FromStr + PartialOrd + std::fmt::Display>(
    part: &str,
    value: &str,
    allowed: std::ops::RangeInclusive<T>,
) -> Result<T, String> {
    let (least, most) = (allowed.start(), allowed.end());
    let parsed = value.parse().ok().filter(|value| allowed.contains(value));
    parsed.ok_or_else(|| format!("{part:?}: the number must be between {least} and {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<UserSpec, String> {
        text.parse()
    }

    #[test]
    fn a_name_alone_is_one_ordinary_user() {
        let spec = parse("someone").unwrap();
        assert_eq!((spec.count, spec.sessions, spec.max_tokens), (1, 1, 512));
        assert_eq!(spec.names(), ["someone"]);
    }

    #[test]
    fn count_and_greed_are_read() {
        let spec = parse("many:2, sessions=8,interval=0.1,max-tokens=4000").unwrap();
        let expected = UserSpec {
            name: "many".to_owned(),
            count: 2,
            sessions: 8,
            interval: 0.1,
            max_tokens: 4000,
        };
        assert_eq!(spec, expected);
        assert_eq!(spec.names(), ["many-1", "many-2"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_can() {
        for (text, says) in [
            ("", "no name"),
            ("a b:1", "no name"),
            ("many:0", "between 1 and 1000"),
            ("many:x", "between 1 and 1000"),
            ("many:1,sessions=0", "between 1 and 1000"),
            ("many:1,interval=0.01", "between 0.1 and 3600"),
            ("many:1,interval=NaN", "between 0.1 and 3600"),
            ("many:1,max-tokens=-1", "between 1 and 32768"),
            ("many:1,colour=red", "none of sessions=N"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
