//! The pool of VLM servers, and whose key goes where.

use std::{env, fs, path::Path};

use serde::{Serialize, Serializer, ser::SerializeStruct};
use vlm_client::{ApiKey, Endpoint};

use super::{
    cli::VlmTable,
    file::{BackendTable, FileConfig, Source, Step},
    problem::Problem,
    value::{GivenKey, Slots},
};

/// One VLM server of the pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendConfig {
    /// Where it is, and its key.
    pub endpoint: Endpoint,
    /// Its models; empty = those that it lists.
    pub models: Vec<String>,
    /// Questions that it takes at once; none = by its kind.
    pub slots: Option<Slots>,
    /// Whether it is told whom a question is for (`x-llm-d-inference-fairness-id`).
    pub fairness_header: bool,
    /// What it is told about the objective of questions (`x-llm-d-inference-objective`).
    pub objective: Option<String>,
}

/// A key is said to be set, and no more.
impl Serialize for BackendConfig {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut fields = to.serialize_struct("backend", 6)?;
        fields.serialize_field("api_base", self.endpoint.base())?;
        let key = if self.endpoint.has_key() { "(set)" } else { "(unset)" };
        fields.serialize_field("api_key", key)?;
        fields.serialize_field("models", &self.models)?;
        fields.serialize_field("slots", &self.slots)?;
        fields.serialize_field("fairness_header", &self.fairness_header)?;
        fields.serialize_field("objective", &self.objective)?;
        fields.end()
    }
}

/// A backend as somebody named it, and how to say what is wrong with it.
struct Named<'a> {
    api_base: Option<&'a str>,
    api_key: Option<&'a GivenKey>,
    api_key_env: Option<&'a str>,
    api_key_file: Option<&'a Path>,
    problem: &'a dyn Fn(&str, &str) -> Problem,
}

impl Named<'_> {
    fn key(&self) -> Result<Option<ApiKey>, Problem> {
        match (self.api_key, self.api_key_env, self.api_key_file) {
            (None, None, None) => Ok(None),
            (Some(key), None, None) => Ok(key.0.clone()),
            (None, Some(name), None) => match env::var(name) {
                Ok(key) => Ok(ApiKey::new(&key)),
                Err(_) => {
                    let message = format!("the environment variable {name} must be set, to a text");
                    Err((self.problem)("api_key_env", &message))
                }
            },
            (None, None, Some(path)) => match fs::read_to_string(path) {
                Ok(key) => Ok(ApiKey::new(&key)),
                Err(error) => {
                    let message = format!("{} cannot be read: {error}", path.display());
                    Err((self.problem)("api_key_file", &message))
                }
            },
            _ => {
                let last = if self.api_key_file.is_some() { "api_key_file" } else { "api_key_env" };
                let message = "give one of api_key, api_key_env and api_key_file";
                Err((self.problem)(last, message))
            }
        }
    }

    fn endpoint(&self, base: &str) -> Result<Endpoint, Problem> {
        let key = self.key()?;
        Endpoint::new(base, key).map_err(|error| (self.problem)("api_base", &error.to_string()))
    }
}

/// The pool: what `--api-base` names, or else the file's `[vlm]`, or else its `[[backends]]`.
pub(super) fn pool(
    flags: &VlmTable,
    file: &FileConfig,
    source: Option<&Source>,
    problems: &mut Vec<Problem>,
) -> Vec<BackendConfig> {
    let at_vlm = |key: &str, message: &str| at(source, &["vlm".into(), key.into()], message);
    if file.vlm.api_base.is_some() && !file.backends.is_empty() {
        problems.push(at_vlm("api_base", "give either this or [[backends]]"));
        return Vec::new();
    }
    let by_flags = |key: &str, message: &str| Problem::new(format!("{}: {message}", flag(key)));
    let flags_base = flags.api_base.as_ref().and_then(|base| base.get());
    let file_base = file.vlm.api_base.as_ref().and_then(|base| base.get());
    let flags_have_key =
        flags.api_key.as_ref().is_some_and(|key| key.0.is_some()) || flags.api_key_file.is_some();
    let of_file = Named {
        api_base: file_base,
        api_key: file.vlm.api_key.as_ref(),
        api_key_env: file.vlm.api_key_env.as_deref(),
        api_key_file: file.vlm.api_key_file.as_deref(),
        problem: &at_vlm,
    };
    let of_flags = Named {
        api_base: flags_base.or(file_base),
        api_key: flags.api_key.as_ref().filter(|key| key.0.is_some()),
        api_key_env: None,
        api_key_file: flags.api_key_file.as_deref(),
        problem: &by_flags,
    };
    // The file's key is for the file's server alone.
    let plain = |base: &str| Endpoint::new(base, None).ok();
    let other_server = flags_base.is_some_and(|base| {
        file_base.is_none_or(|own| plain(base).is_none() || plain(base) != plain(own))
    });
    let chosen = if flags_have_key || other_server { of_flags } else { of_file };
    let has_key = chosen.api_key.is_some_and(|key| key.0.is_some())
        || chosen.api_key_env.is_some()
        || chosen.api_key_file.is_some();
    let (models, slots) = (Vec::new(), flags.slots.or(file.vlm.slots));
    match chosen.api_base {
        Some(base) => match chosen.endpoint(base) {
            Ok(endpoint) => {
                let (fairness_header, objective) = (false, None);
                vec![BackendConfig { endpoint, models, slots, fairness_header, objective }]
            }
            Err(problem) => {
                problems.push(problem);
                Vec::new()
            }
        },
        None if flags_have_key => {
            let message = "--api-key needs --api-base: say which server the key is for";
            problems.push(Problem::new(message));
            Vec::new()
        }
        None if has_key => {
            let key = [("api_key", file.vlm.api_key.is_some())]
                .into_iter()
                .chain([("api_key_env", file.vlm.api_key_env.is_some())])
                .find_map(|(key, is)| is.then_some(key))
                .unwrap_or("api_key_file");
            problems.push(at_vlm(key, "needs api_base: say which server the key is for"));
            Vec::new()
        }
        None => several(file, slots, source, problems),
    }
}

fn several(
    file: &FileConfig,
    slots: Option<Slots>,
    source: Option<&Source>,
    problems: &mut Vec<Problem>,
) -> Vec<BackendConfig> {
    let mut pool: Vec<BackendConfig> = Vec::new();
    for (index, table) in file.backends.iter().enumerate() {
        let problem = |key: &str, message: &str| {
            at(source, &["backends".into(), index.into(), key.into()], message)
        };
        match one(table, slots, &problem) {
            Ok(one) if pool.iter().any(|other| other.endpoint.base() == one.endpoint.base()) => {
                problems.push(problem("api_base", "is in the pool already"));
            }
            Ok(one) => pool.push(one),
            Err(problem) => problems.push(problem),
        }
    }
    pool
}

fn one(
    table: &BackendTable,
    slots: Option<Slots>,
    problem: &dyn Fn(&str, &str) -> Problem,
) -> Result<BackendConfig, Problem> {
    let named = Named {
        api_base: table.api_base.as_ref().and_then(|base| base.get()),
        api_key: table.api_key.as_ref(),
        api_key_env: table.api_key_env.as_deref(),
        api_key_file: table.api_key_file.as_deref(),
        problem,
    };
    let Some(base) = named.api_base else {
        return Err(problem("api_base", "a backend needs one, such as http://gpu:8000/v1"));
    };
    Ok(BackendConfig {
        endpoint: named.endpoint(base)?,
        models: table.models.iter().flatten().map(|name| name.0.clone()).collect(),
        slots: table.slots.or(slots),
        fairness_header: table.fairness_header.unwrap_or_default(),
        objective: table.objective.as_ref().map(|text| text.0.clone()),
    })
}

fn at(source: Option<&Source>, steps: &[Step<'_>], message: &str) -> Problem {
    source.map_or_else(|| Problem::new(message), |source| source.at(steps, message))
}

fn flag(key: &str) -> String {
    format!("--{}", key.replace('_', "-"))
}
