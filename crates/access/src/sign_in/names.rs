//! Names of users and groups, which stand in logs, metrics and messages.

use live_vlm_config::shown::is_shown;
use serde::{Deserialize, Deserializer, de::Error};

/// The longest name of a user, in characters.
const LONGEST_USER: usize = 256;
const LONGEST_GROUP: usize = 128;
/// Further groups of a token are left out.
pub(super) const MOST_GROUPS: usize = 64;

/// Why something is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name has 1 to {longest} characters, all of which can be seen, ordinary spaces between \
     them at most: no line breaks or other control characters, none without a width, and \
     none that turns the direction of a text"
)]
pub struct BadName {
    longest: usize,
}

pub(super) fn user(name: &str) -> Result<String, BadName> {
    checked(name, LONGEST_USER)
}

pub(super) fn group(name: &str) -> Result<String, BadName> {
    checked(name, LONGEST_GROUP)
}

/// Reads a user's name, or another short text that is shown, from a file.
pub(super) fn read_user<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    user(&String::deserialize(from)?).map_err(D::Error::custom)
}

/// Reads groups' names from a file.
pub(super) fn read_groups<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let groups = Vec::<String>::deserialize(from)?;
    groups.iter().map(|name| group(name).map_err(D::Error::custom)).collect()
}

fn checked(name: &str, longest: usize) -> Result<String, BadName> {
    // Not trimmed: who is called "ada " elsewhere must not be "ada" here.
    let right = name == name.trim()
        && !name.is_empty()
        && name.chars().count() <= longest
        && name.chars().all(is_shown);
    if right { Ok(name.to_owned()) } else { Err(BadName { longest }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_what_cannot_be_seen_are_refused() {
        for bad in [
            '\u{ad}',
            '\u{a0}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{180e}',
            '\u{200b}',
            '\u{200c}',
            '\u{200d}',
            '\u{200e}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{202f}',
            '\u{2060}',
            '\u{2066}',
            '\u{2069}',
            '\u{3000}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{fff9}',
            '\u{e0041}',
            '\u{e0100}',
            '\u{85}',
            '\u{7f}',
        ] {
            assert!(user(&format!("a{bad}b")).is_err(), "{bad:?}");
            assert!(group(&format!("a{bad}b")).is_err(), "{bad:?}");
        }
        for good in ["Ada Löwe", "Łukasz|7", "علي", "שרה", "नेहा", "山田 太郎", "a@b.example", "x–y"]
        {
            assert_eq!(user(good).as_deref(), Ok(good));
        }
    }

    #[test]
    fn names_that_look_like_others_or_could_forge_a_log_line_are_refused() {
        assert_eq!(user("Ada Löwe|7"), Ok("Ada Löwe|7".to_owned()));
        for bad in ["", "  ", "ada ", "\u{a0}ada", "a\nb", "a\u{1b}[2J", "a\u{0}"] {
            assert!(user(bad).is_err(), "{bad:?}");
        }
        assert!(user(&"ä".repeat(256)).is_ok() && user(&"a".repeat(257)).is_err());
        assert!(group(&"a".repeat(129)).is_err());
    }
}
