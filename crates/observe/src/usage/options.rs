use std::{convert::Infallible, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize, Serializer};

/// `[usage]`: where usage is recorded.
#[derive(Debug, Clone, Default, clap::Args, Deserialize, Serialize)]
#[group(skip)]
#[command(next_help_heading = "Usage")]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// File where the server records usage by user and day, or `off` [default:
    /// $XDG_STATE_HOME/live-vlm/usage.db]
    #[arg(long, env = "LIVE_VLM_USAGE_DB", value_name = "FILE")]
    #[serde(rename = "db")]
    pub usage_db: Option<UsageDb>,
    /// Days for which usage is kept; 0 = for ever [default: 400]
    #[arg(long, env = "LIVE_VLM_USAGE_KEEP_DAYS", value_name = "DAYS")]
    #[serde(rename = "keep_days")]
    pub usage_keep_days: Option<u32>,
}

/// A file, or none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum UsageDb {
    /// Nothing is recorded.
    Off,
    /// Here.
    File(PathBuf),
}

/// A year, and a month to look at it.
const KEEP_DAYS: u32 = 400;

impl Config {
    /// The same with what the file says where the command line and environment say nothing.
    #[must_use]
    pub fn or(self, file: Self) -> Self {
        Self {
            usage_db: self.usage_db.or(file.usage_db),
            usage_keep_days: self.usage_keep_days.or(file.usage_keep_days),
        }
    }

    /// The file; `None` when nothing is to be recorded, or there is no folder for it.
    pub fn file(&self) -> Option<PathBuf> {
        match &self.usage_db {
            Some(UsageDb::Off) => None,
            Some(UsageDb::File(path)) => Some(path.clone()),
            None => {
                let folders = directories::ProjectDirs::from("", "", "live-vlm")?;
                Some(folders.state_dir()?.join("usage.db"))
            }
        }
    }

    /// Days that usage is kept; `None` = for ever.
    pub fn keep_days(&self) -> Option<u32> {
        Some(self.usage_keep_days.unwrap_or(KEEP_DAYS)).filter(|days| *days > 0)
    }
}

impl Serialize for UsageDb {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => to.serialize_str("off"),
            Self::File(path) => path.serialize(to),
        }
    }
}

impl From<String> for UsageDb {
    fn from(text: String) -> Self {
        if text == "off" { Self::Off } else { Self::File(text.into()) }
    }
}

impl FromStr for UsageDb {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.to_owned().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_is_no_file_and_the_command_line_goes_before_the_file() {
        let file: Config = toml::from_str("db = 'a.db'\nkeep_days = 0").unwrap();
        let options = Config { usage_db: "off".parse().ok(), usage_keep_days: None };
        let options = options.or(file.clone());
        assert_eq!((options.file(), options.keep_days()), (None, None));
        let options = Config::default().or(file);
        assert_eq!(options.file(), Some("a.db".into()));
    }

    #[test]
    fn usage_is_kept_for_400_days_in_the_state_folder() {
        let options = Config::default();
        assert_eq!(options.keep_days(), Some(400));
        assert!(options.file().unwrap().ends_with("live-vlm/usage.db"));
    }
}
