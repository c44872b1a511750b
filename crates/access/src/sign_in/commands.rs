//! `live-vlm keys`.

use std::{path::PathBuf, time::SystemTime};

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{
    key_file::{self, KeyFileError},
    keys::{self, KeyRecord, NoRandomness, SecretHash},
    names::{self, BadName},
};

/// Makes, lists and revokes the keys with which people and programs sign in.
#[derive(Debug, Args)]
pub struct KeysCommand {
    /// File with the keys [default: keys.toml in the configuration folder]
    #[arg(long, env = "LIVE_VLM_KEYS_FILE", value_name = "FILE", global = true)]
    pub keys_file: Option<PathBuf>,
    /// Configuration file that names the keys file
    #[arg(long, env = "LIVE_VLM_CONFIG", value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub action: KeysAction,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeysAction {
    /// Make a key and show it once
    Add {
        /// The user who gets it
        #[arg(long, value_name = "NAME")]
        user: String,
        /// A group that the user is in. May be given several times
        #[arg(long = "group", value_name = "NAME")]
        groups: Vec<String>,
        /// Days for which it is valid [default: for ever]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..))]
        expires: Option<u16>,
    },
    /// List who has a key, without the keys themselves
    List,
    /// Revoke a key. A running server ends its sessions within about a second
    Revoke {
        /// Its ID in the list
        id: String,
    },
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The file.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The system.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The user's or a group's name.
    #[error("{flag}: {source}")]
    Name {
        /// Where it was given.
        flag: &'static str,
        /// Why.
        source: BadName,
    },
    /// There is no such key.
    #[error("there is no key {0:?}; `live-vlm keys list` shows those that there are")]
    Unknown(String),
}

impl KeysCommand {
    /// Carries it out, and gives what to print. `configured` is the file of keys that the
    /// configuration names.
    ///
    /// # Errors
    /// When the file cannot be changed, or there is no such key.
    pub fn run(&self, configured: Option<PathBuf>, now: SystemTime) -> Result<String, KeysError> {
        let now = OffsetDateTime::from(now);
        let path = match &self.keys_file {
            Some(path) => path.clone(),
            None => match configured {
                Some(path) => path,
                None => key_file::default_path()?,
            },
        };
        match &self.action {
            KeysAction::Add { user, groups, expires } => {
                let bad = |flag| move |source| KeysError::Name { flag, source };
                let named = groups.iter().map(|group| names::group(group));
                let key = keys::new_key()?;
                let created = now.replace_nanosecond(0).unwrap_or(now);
                let record = KeyRecord {
                    id: Uuid::new_v4().simple().to_string()[..8].to_owned(),
                    user: names::user(user).map_err(bad("--user"))?,
                    groups: named.collect::<Result<_, _>>().map_err(bad("--group"))?,
                    sha256: SecretHash::of(key.expose_secret()),
                    created,
                    expires: expires.map(|days| created + Duration::days(i64::from(days))),
                };
                let about = describe(&record);
                key_file::change(&path, |keys| keys.push(record))?;
                Ok(format!(
                    "{}\n\nThis is the only time that it is shown. {about}\n",
                    key.expose_secret()
                ))
            }
            KeysAction::List => Ok(list(&key_file::load(&path)?.0, now)),
            KeysAction::Revoke { id } => {
                let revoked = key_file::change(&path, |keys| {
                    let at = keys.iter().position(|key| key.id == *id)?;
                    Some(keys.remove(at))
                })?;
                let revoked = revoked.ok_or_else(|| KeysError::Unknown(id.clone()))?;
                Ok(format!("Revoked the key {} of {}.\n", revoked.id, revoked.user))
            }
        }
    }
}

fn describe(record: &KeyRecord) -> String {
    let groups = match &record.groups[..] {
        [] => String::new(),
        groups => format!(" in {}", groups.join(", ")),
    };
    let until = record.expires.map_or_else(|| "for good".into(), |at| format!("until {}", day(at)));
    format!("It signs {}{groups} in {until}; its ID is {}.", record.user, record.id)
}

fn list(records: &[KeyRecord], now: OffsetDateTime) -> String {
    if records.is_empty() {
        return "There are no keys. Make one: live-vlm keys add --user NAME\n".to_owned();
    }
    let mut text = format!("{:8}  {:20}  {:10}  {:18}  GROUPS\n", "ID", "USER", "MADE", "VALID");
    for record in records {
        let valid = match record.expires {
            None => "for good".to_owned(),
            Some(at) if at <= now => format!("until {} (over)", day(at)),
            Some(at) => format!("until {}", day(at)),
        };
        let groups = record.groups.join(", ");
        let (id, user, made) = (&record.id, &record.user, day(record.created));
        text += format!("{id:8}  {user:20}  {made:10}  {valid:18}  {groups}").trim_end();
        text.push('\n');
    }
    text
}

fn day(time: OffsetDateTime) -> String {
    time.date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::days(day)
    }

    fn run(path: &std::path::Path, action: KeysAction, day: i64) -> Result<String, KeysError> {
        let keys_file = Some(path.to_owned());
        KeysCommand { keys_file, config: None, action }.run(None, at(day).into())
    }

    fn add(user: &str, groups: &[&str], expires: Option<u16>) -> KeysAction {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        KeysAction::Add { user: user.into(), groups, expires }
    }

    #[test]
    fn a_key_is_shown_once_and_listed_without_itself_until_it_is_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        let shown = run(&path, add("ada", &["staff", "night"], Some(30)), 0).unwrap();
        let key = shown.lines().next().unwrap();
        assert!(key.starts_with("lvk_") && key.len() == 47, "{shown}");
        assert!(shown.contains("It signs ada in staff, night in until 1970-01-31"), "{shown}");
        run(&path, add("bob", &[], None), 0).unwrap();

        let (records, _) = key_file::load(&path).unwrap();
        let ada = records.iter().find(|record| record.sha256 == SecretHash::of(key)).unwrap();
        assert_eq!(ada.user, "ada");
        assert!(!std::fs::read_to_string(&path).unwrap().contains(key));
        let listed = run(&path, KeysAction::List, 31).unwrap();
        assert!(!listed.contains(key), "{listed}");
        assert!(listed.contains("until 1970-01-31 (over)"), "{listed}");
        assert!(listed.contains("for good\n"), "{listed}");

        let id = ada.id.clone();
        run(&path, KeysAction::Revoke { id: id.clone() }, 31).unwrap();
        assert!(!run(&path, KeysAction::List, 31).unwrap().contains("ada"));
        let again = run(&path, KeysAction::Revoke { id }, 31).unwrap_err();
        assert!(matches!(again, KeysError::Unknown(_)), "{again}");
    }

    #[test]
    fn bad_names_are_refused_with_their_flag_and_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.toml");
        let bad = run(&path, add("a\nb", &[], None), 0).unwrap_err().to_string();
        assert!(bad.starts_with("--user: "), "{bad}");
        let bad = run(&path, add("ada", &[""], None), 0).unwrap_err().to_string();
        assert!(bad.starts_with("--group: "), "{bad}");
        assert!(!path.exists());
    }
}
