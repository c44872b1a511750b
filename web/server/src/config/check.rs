//! What is in force, in words.

use std::collections::BTreeMap;

use super::{Config, Options};
use crate::log;

impl Config {
    /// What is in force, as a file would say it. Of keys it says whether they are set.
    pub fn in_force(&self) -> String {
        // Plain data with text keys: there is nothing that could fail.
        toml::to_string(self).unwrap_or_default()
    }

    /// The names of all values that are not the same as in `other`, in order.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let (ours, theirs) = (self.flat(), other.flat());
        let mut names: Vec<String> = ours
            .iter()
            .filter(|(name, value)| theirs.get(*name) != Some(value))
            .map(|(name, _)| name)
            .chain(theirs.keys().filter(|name| !ours.contains_key(*name)))
            .cloned()
            .collect();
        // Keys are not among the values.
        if names.iter().all(|name| name != "backends") && self.backends != other.backends {
            names.push("backends".to_owned());
        }
        if self.video.relays.secret != other.video.relays.secret {
            names.push("video.turn_secret".to_owned());
        }
        if self.observe.metrics.metrics_token != other.observe.metrics.metrics_token {
            names.push("metrics.token".to_owned());
        }
        names.sort();
        names.dedup();
        names
    }

    /// What is logged when there is no file, for commands that need none.
    pub fn log_without_file(options: &Options) -> log::Options {
        options.log.over(&log::Config::default())
    }

    fn flat(&self) -> BTreeMap<String, toml::Value> {
        let mut flat = BTreeMap::new();
        if let Ok(table) = toml::Table::try_from(self) {
            flatten("", &table, &mut flat);
        }
        flat
    }
}

fn flatten(prefix: &str, table: &toml::Table, flat: &mut BTreeMap<String, toml::Value>) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(inner) => flatten(&name, inner, flat),
            value => {
                flat.insert(name, value.clone());
            }
        }
    }
}
