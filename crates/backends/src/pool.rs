//! The pool of VLM servers, and whose key goes where.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use live_vlm_config::{
    Base, GivenFields, GivenHeaders, GivenKey, HeaderText, Name, Problem, Problems, Slots, Source,
    Step,
};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};
use vlm_client::{ApiKey, Authority, Endpoint, ExtraBody};

use crate::config::Config;

/// `[[backends]]`: one VLM server of several.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackendTable {
    /// Its base address.
    pub api_base: Option<Base>,
    /// Its key.
    pub api_key: Option<GivenKey>,
    /// Name of the environment variable that has its key.
    pub api_key_env: Option<String>,
    /// File that has its key.
    pub api_key_file: Option<PathBuf>,
    /// File with the certificate of the authority that has signed its own.
    pub ca_file: Option<PathBuf>,
    /// Headers for each request.
    pub headers: Option<GivenHeaders>,
    /// Fields for each request.
    pub extra_body: Option<GivenFields>,
    /// Its models; without it what it lists.
    pub models: Option<Vec<Name>>,
    /// Questions that it takes at once.
    pub slots: Option<Slots>,
    /// Whether it is told whom a question is for.
    pub fairness_header: Option<bool>,
    /// What it is told about the objective of questions.
    pub objective: Option<HeaderText>,
}

/// One VLM server of the pool.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendConfig {
    /// Where it is, its key and headers, and who vouches for it.
    pub endpoint: Endpoint,
    /// Fields for each request to it.
    pub extra_body: ExtraBody,
    /// Its models; empty = those that it lists.
    pub models: Vec<String>,
    /// Questions that it takes at once; none = found out.
    pub slots: Option<Slots>,
    /// Whether it is told whom a question is for (`x-llm-d-inference-fairness-id`).
    pub fairness_header: bool,
    /// What it is told about the objective of questions (`x-llm-d-inference-objective`).
    pub objective: Option<String>,
}

/// A key or a header is said to be set, and no more.
impl Serialize for BackendConfig {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut fields = to.serialize_struct("backend", 9)?;
        fields.serialize_field("api_base", self.endpoint.base())?;
        let key = if self.endpoint.has_key() { "(set)" } else { "(unset)" };
        fields.serialize_field("api_key", key)?;
        if let Some(authority) = self.endpoint.authority() {
            fields.serialize_field("ca_file", authority.file())?;
        }
        if !self.extra_body.is_empty() {
            // TOML has no null.
            fields.serialize_field("extra_body", &self.extra_body.to_string())?;
        }
        fields.serialize_field("models", &self.models)?;
        fields.serialize_field("slots", &self.slots)?;
        fields.serialize_field("fairness_header", &self.fairness_header)?;
        fields.serialize_field("objective", &self.objective)?;
        let headers = self.endpoint.headers().names().map(|name| (name, "(set)"));
        let headers: BTreeMap<&str, &str> = headers.collect();
        if !headers.is_empty() {
            fields.serialize_field("headers", &headers)?;
        }
        fields.end()
    }
}

/// A backend as somebody named it, and how to say what is wrong with it.
#[derive(Clone, Copy)]
struct Named<'a> {
    api_base: Option<&'a str>,
    api_key: Option<&'a GivenKey>,
    api_key_env: Option<&'a str>,
    api_key_file: Option<&'a Path>,
    ca_file: Option<&'a Path>,
    headers: Option<&'a GivenHeaders>,
    extra_body: Option<&'a GivenFields>,
    problem: &'a dyn Fn(&str, &str) -> Problem,
}

impl Named<'_> {
    fn key(&self) -> Result<Option<ApiKey>, Problem> {
        let parsed = |of: &str, key: &str| {
            ApiKey::parse(key).map_err(|error| (self.problem)(of, &error.to_string()))
        };
        match (self.api_key, self.api_key_env, self.api_key_file) {
            (None, None, None) => Ok(None),
            (Some(key), None, None) => {
                key.get().map_err(|error| (self.problem)("api_key", &error.to_string()))
            }
            (None, Some(name), None) => match env::var(name) {
                Ok(key) => parsed("api_key_env", &key),
                Err(_) => {
                    let message =
                        format!("the environment variable {name} must be set to a text in UTF-8");
                    Err((self.problem)("api_key_env", &message))
                }
            },
            (None, None, Some(path)) => match fs::read_to_string(path) {
                Ok(key) => parsed("api_key_file", &key),
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
        let authority = self.ca_file.map(Authority::read).transpose();
        let authority = authority.map_err(|error| (self.problem)("ca_file", &error.to_string()))?;
        let headers = self.headers.map(|headers| headers.get().clone()).unwrap_or_default();
        let endpoint = Endpoint::new(base, key);
        let endpoint = endpoint.map_err(|error| (self.problem)("api_base", &error.to_string()))?;
        Ok(endpoint.with_headers(headers).with_authority(authority.map(Arc::new)))
    }

    fn has_key(&self) -> bool {
        self.api_key.is_some_and(GivenKey::is_given)
            || self.api_key_env.is_some()
            || self.api_key_file.is_some()
    }

    /// The server at this address, of which nothing else is said.
    fn backend(&self, base: &str, slots: Option<Slots>) -> Result<BackendConfig, Problem> {
        Ok(BackendConfig {
            endpoint: self.endpoint(base)?,
            extra_body: self.extra_body.map(|fields| fields.get().clone()).unwrap_or_default(),
            models: Vec::new(),
            slots,
            fairness_header: false,
            objective: None,
        })
    }
}

/// The pool: what `--api-base` names, or else the file's `[vlm]`, or else its `[[backends]]`.
pub fn pool(
    flags: &Config,
    file: &Config,
    tables: &[BackendTable],
    problems: &mut Problems<'_>,
) -> Vec<BackendConfig> {
    let source = problems.source();
    let in_file = |key: &str, message: &str| at(source, &["vlm".into(), key.into()], message);
    let in_flags = |key: &str, message: &str| Problem::new(format!("{}: {message}", flag(key)));
    if file.api_base.is_some() && !tables.is_empty() {
        problems.add(in_file("api_base", "give either this or [[backends]]"));
        return Vec::new();
    }
    let chosen = choose(flags, file, &in_flags, &in_file);
    let slots = flags.slots.or(file.slots);
    match chosen.api_base {
        Some(base) => match chosen.backend(base, slots) {
            Ok(one) => vec![one],
            Err(problem) => {
                problems.add(problem);
                Vec::new()
            }
        },
        None if lacks_base(flags, file, &chosen, problems) => Vec::new(),
        None => several(tables, slots, problems),
    }
}

/// What goes to the one server that flags or `[vlm]` name.
fn choose<'a>(
    flags: &'a Config,
    file: &'a Config,
    in_flags: &'a dyn Fn(&str, &str) -> Problem,
    in_file: &'a dyn Fn(&str, &str) -> Problem,
) -> Named<'a> {
    let flags_base = flags.api_base.as_ref().and_then(Base::get);
    let file_base = file.api_base.as_ref().and_then(Base::get);
    let of_file = Named {
        api_base: file_base,
        api_key: file.api_key.as_ref(),
        api_key_env: file.api_key_env.as_deref(),
        api_key_file: file.api_key_file.as_deref(),
        ca_file: file.ca_file.as_deref(),
        headers: file.headers.as_ref(),
        extra_body: file.extra_body.as_ref(),
        problem: in_file,
    };
    let of_flags = Named {
        api_base: flags_base.or(file_base),
        api_key: flags.api_key.as_ref().filter(|key| key.is_given()),
        api_key_env: None,
        api_key_file: flags.api_key_file.as_deref(),
        ca_file: None,
        headers: None,
        extra_body: None,
        problem: in_flags,
    };
    // The file's key is for the file's server alone, and so is all that goes with it.
    let plain = |base: &str| Endpoint::new(base, None).ok();
    let other_server = flags_base.is_some_and(|base| {
        file_base.is_none_or(|own| plain(base).is_none() || plain(base) != plain(own))
    });
    let mut chosen = if have_key(flags) || other_server { of_flags } else { of_file };
    if !other_server {
        let Named { ca_file, headers, extra_body, .. } = of_file;
        chosen = Named { ca_file, headers, extra_body, ..chosen };
    }
    chosen.ca_file = flags.ca_file.as_deref().or(chosen.ca_file);
    chosen
}

fn have_key(flags: &Config) -> bool {
    flags.api_key.as_ref().is_some_and(GivenKey::is_given) || flags.api_key_file.is_some()
}

/// Whether something is for a server that nobody has named. If so, it is noted.
fn lacks_base(
    flags: &Config,
    file: &Config,
    chosen: &Named<'_>,
    problems: &mut Problems<'_>,
) -> bool {
    const KEY: &str = "needs api_base: say which server the key is for";
    const OTHER: &str = "needs api_base: say which server it is for";
    if have_key(flags) {
        problems.in_flags("--api-key needs --api-base: say which server the key is for");
        return true;
    }
    if chosen.has_key() {
        let key = match (&file.api_key, &file.api_key_env) {
            (Some(_), _) => "api_key",
            (None, Some(_)) => "api_key_env",
            (None, None) => "api_key_file",
        };
        problems.in_table("vlm", key, KEY);
        return true;
    }
    for (key, is) in [
        ("ca_file", file.ca_file.is_some()),
        ("headers", file.headers.is_some()),
        ("extra_body", file.extra_body.is_some()),
    ] {
        if is {
            problems.in_table("vlm", key, OTHER);
        }
    }
    if flags.ca_file.is_some() {
        problems.in_flags("--api-ca-file needs --api-base: say which server it is for");
    }
    false
}

fn several(
    tables: &[BackendTable],
    slots: Option<Slots>,
    problems: &mut Problems<'_>,
) -> Vec<BackendConfig> {
    let mut pool: Vec<BackendConfig> = Vec::new();
    let source = problems.source();
    for (index, table) in tables.iter().enumerate() {
        let problem = |key: &str, message: &str| {
            at(source, &["backends".into(), index.into(), key.into()], message)
        };
        match one(table, slots, &problem) {
            Ok(one) if pool.iter().any(|other| other.endpoint.base() == one.endpoint.base()) => {
                problems.add(problem("api_base", "is in the pool already"));
            }
            Ok(one) => pool.push(one),
            Err(problem) => problems.add(problem),
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
        api_base: table.api_base.as_ref().and_then(Base::get),
        api_key: table.api_key.as_ref(),
        api_key_env: table.api_key_env.as_deref(),
        api_key_file: table.api_key_file.as_deref(),
        ca_file: table.ca_file.as_deref(),
        headers: table.headers.as_ref(),
        extra_body: table.extra_body.as_ref(),
        problem,
    };
    let Some(base) = named.api_base else {
        return Err(problem("api_base", "a backend needs one, such as http://gpu:8000/v1"));
    };
    Ok(BackendConfig {
        models: table.models.iter().flatten().map(|name| name.get().to_owned()).collect(),
        fairness_header: table.fairness_header.unwrap_or_default(),
        objective: table.objective.as_ref().map(|text| text.get().to_owned()),
        ..named.backend(base, table.slots.or(slots))?
    })
}

fn at(source: Option<&Source>, steps: &[Step<'_>], message: &str) -> Problem {
    source.map_or_else(|| Problem::new(message), |source| source.at(steps, message))
}

fn flag(key: &str) -> String {
    let key = if key == "ca_file" { "api_ca_file" } else { key };
    format!("--{}", key.replace('_', "-"))
}
