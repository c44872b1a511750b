//! Names of users and groups, which stand in logs, metrics and messages.

/// The longest name of a user, in characters.
const LONGEST_USER: usize = 256;
const LONGEST_GROUP: usize = 128;
/// Further groups of a token are left out.
pub(super) const MOST_GROUPS: usize = 64;

/// Why something is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name has 1 to {longest} characters, no spaces around it, and no line breaks or other \
     control characters"
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

fn checked(name: &str, longest: usize) -> Result<String, BadName> {
    // Not trimmed: who is called "ada " elsewhere must not be "ada" here.
    let right = name == name.trim()
        && !name.is_empty()
        && name.chars().count() <= longest
        && !name.chars().any(char::is_control);
    if right { Ok(name.to_owned()) } else { Err(BadName { longest }) }
}

#[cfg(test)]
mod tests {
    use super::*;

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
