//! From what was said to what is in force: flags and environment over file over defaults.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use live_vlm_config::{Address, BadConfig, Given, IceUrl, LogFilter, Problem, Source, Step};

use super::{
    Certificate, Config, FileConfig, LogConfig, LogFormat, Options, ServerConfig, ServerLimits,
    VideoConfig, VlmConfig, backends,
    cli::{LimitsTable, LogTable, RuleTable, ServerTable, VideoTable, VlmTable},
};
use crate::{
    forwarded::TrustedProxies,
    observe,
    policy::Policy,
    turn::{GivenTurnSecret, Turn, TurnSecret},
};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const PORT: u16 = 8090;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
const PROMPT: &str = "Describe what you see in this image in one sentence.";
const PROCESS_EVERY: u32 = 30;
const MAX_TOKENS: u32 = 512;
const MAX_SESSIONS: u32 = 200;
const CONNECTIONS_PER_ADDRESS: u32 = 10;

/// Says what is wrong with a key of the file.
type At<'a> = &'a dyn Fn(&[Step<'_>], &str) -> Problem;

pub(super) fn resolve(
    options: &Options,
    file: FileConfig,
    source: Option<&Source>,
) -> Result<Config, BadConfig> {
    let at = |steps: &[Step<'_>], message: &str| match source {
        Some(source) => source.at(steps, message),
        None => Problem::new(message),
    };
    let mut problems = Vec::new();
    let backends = backends::pool(&options.vlm, &file, source, &mut problems);
    let server = server(&options.server, &file.server, &at, &mut problems);
    let video = video(&options.video, &file.video, &at, &mut problems);
    check_groups(&file, &at, &mut problems);
    if file.sign_in.jwt_keys.is_some() && file.sign_in.jwt_jwks_url.is_some() {
        let message = "give either this or jwt_keys";
        problems.push(at(&["sign_in".into(), "jwt_jwks_url".into()], message));
    }
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.line);
        return Err(BadConfig(problems));
    }
    Ok(Config {
        file: source.map(|source| source.path().to_owned()),
        warnings: source.map(|source| file.warnings(source)).unwrap_or_default(),
        server,
        vlm: vlm(&options.vlm, &file.vlm),
        backends,
        video,
        limits: limits(&options.limits, &file.limits),
        policy: Policy::new(&rules(&options.rules, file.rules), file.groups, file.users),
        sign_in: options.sign_in.over(&file.sign_in),
        observe: observe::Config {
            metrics: options.observe.metrics.clone().or(file.metrics),
            traces: options.observe.traces.clone().or(file.traces),
            usage: options.observe.usage.clone().or(file.usage),
            overload: options.observe.overload.clone().or(file.overload),
        },
        log: log(&options.log, &file.log),
    })
}

fn server(
    flags: &ServerTable,
    file: &ServerTable,
    at: At<'_>,
    problems: &mut Vec<Problem>,
) -> ServerConfig {
    let in_file = |key: &'static str, message: &str| at(&["server".into(), key.into()], message);
    let pair = |table: &ServerTable| match (&table.ssl_cert, &table.ssl_key) {
        (Some(cert), Some(key)) => Some(Certificate { cert: cert.clone(), key: key.clone() }),
        _ => None,
    };
    match (&file.ssl_cert, &file.ssl_key) {
        (Some(_), None) => problems.push(in_file("ssl_cert", "needs ssl_key beside it")),
        (None, Some(_)) => problems.push(in_file("ssl_key", "needs ssl_cert beside it")),
        (Some(_), Some(_)) if file.tls == Some(false) => {
            problems.push(in_file("ssl_cert", "contradicts tls = false"));
        }
        _ => {}
    }
    let given = pair(flags);
    // A certificate on the command line says that TLS is wanted.
    let tls = match (flags.no_ssl, &given) {
        (Some(no_ssl), _) => !no_ssl,
        (None, Some(_)) => true,
        (None, None) => file.tls.unwrap_or(true),
    };
    let drain_timeout = flags.drain_timeout.or(file.drain_timeout);
    let proxies = flags.trusted_proxies.as_ref().or(file.trusted_proxies.as_ref());
    ServerConfig {
        host: flags.host.or(file.host).map_or(HOST, Address::get),
        port: flags.port.or(file.port).map_or(PORT, |port| port.get() as u16),
        auto_port: flags.auto_port.or(file.auto_port).unwrap_or_default(),
        tls,
        certificate: given.or_else(|| pair(file)).filter(|_| tls),
        drain_timeout: drain_timeout.map_or(DRAIN_TIMEOUT, |s| Duration::from_secs(s.get())),
        trusted_proxies: TrustedProxies::new(
            proxies.into_iter().flatten().map(|network| network.get()).collect(),
        ),
    }
}

fn video(
    flags: &VideoTable,
    file: &VideoTable,
    at: At<'_>,
    problems: &mut Vec<Problem>,
) -> VideoConfig {
    let in_file = |key: &'static str, message: &str| at(&["video".into(), key.into()], message);
    match (file.min_rtp_port, file.max_rtp_port) {
        (Some(_), None) => problems.push(in_file("min_rtp_port", "needs max_rtp_port beside it")),
        (None, Some(_)) => problems.push(in_file("max_rtp_port", "needs min_rtp_port beside it")),
        (Some(min), Some(max)) if min.get() > max.get() => {
            problems.push(in_file("max_rtp_port", "must be at least min_rtp_port"));
        }
        _ => {}
    }
    if let (Some(min), Some(max)) = (flags.min_rtp_port, flags.max_rtp_port)
        && min.get() > max.get()
    {
        problems.push(Problem::new("--max-rtp-port must be at least --min-rtp-port"));
    }
    let from = if flags.min_rtp_port.is_some() { flags } else { file };
    let (by_flag, by_file) = (flags.stun_server.as_slice(), file.stun_server.as_slice());
    let mut stun = addresses("--stun-server", by_flag, by_file, problems);
    VideoConfig {
        stun_server: stun.pop().map(|url| url.get().to_owned()),
        turn: turn(flags, file, &in_file, problems),
        min_rtp_port: from.min_rtp_port.map(|port| port.get() as u16),
        max_rtp_port: from.max_rtp_port.map(|port| port.get() as u16),
    }
}

/// The addresses that a flag gives, or else the file. What is wrong in a file was told when it was
/// read.
fn addresses<T: IceUrl + Clone>(
    flag: &str,
    by_flag: &[Given<T>],
    in_file: &[Given<T>],
    problems: &mut Vec<Problem>,
) -> Vec<T> {
    let mut read = |given: &[Given<T>]| -> Vec<T> {
        let mut urls = Vec::new();
        for given in given {
            match given.get() {
                Ok(url) => urls.extend(url.cloned()),
                Err(bad) => problems.push(Problem::new(format!("{flag}: {bad}"))),
            }
        }
        urls
    };
    let urls = read(by_flag);
    if urls.is_empty() { read(in_file) } else { urls }
}

fn turn(
    flags: &VideoTable,
    file: &VideoTable,
    in_file: &dyn Fn(&'static str, &str) -> Problem,
    problems: &mut Vec<Problem>,
) -> Turn {
    let by_flag = flags.turn_servers.as_deref().unwrap_or_default();
    let by_file = file.turn_servers.as_deref().unwrap_or_default();
    let named_by_flag = by_flag.iter().any(|given| given.get() != Ok(None));
    let urls = addresses("--turn-server", by_flag, by_file, problems);
    let urls: Vec<String> = urls.iter().map(|url| url.get().to_owned()).collect();
    let given = flags.turn_secret.as_ref().and_then(GivenTurnSecret::get).cloned();
    let (path, by_flag) = match (&given, &flags.turn_secret_file) {
        (Some(_), _) => (None, true),
        (None, Some(path)) => (Some(path), true),
        (None, None) => (file.turn_secret_file.as_ref(), false),
    };
    let problem = |message: &str| match by_flag {
        true => Problem::new(format!("--turn-secret-file: {message}")),
        false => in_file("turn_secret_file", message),
    };
    let secret = match path.map(|path| (path, fs::read_to_string(path))) {
        None => given,
        Some((_, Ok(text))) => TurnSecret::new(&text),
        Some((path, Err(error))) => {
            problems.push(problem(&format!("{} cannot be read: {error}", path.display())));
            return Turn::default();
        }
    };
    if !urls.is_empty() && secret.is_none() {
        let message = "relays need a secret: --turn-secret-file, or LIVE_VLM_TURN_SECRET";
        problems.push(match named_by_flag {
            true => Problem::new(format!("--turn-server: {message}")),
            false => in_file("turn_servers", message),
        });
    }
    let username = flags.turn_username.clone().or_else(|| file.turn_username.clone());
    Turn { urls, username: username.filter(|name| !name.trim().is_empty()), secret }
}

fn vlm(flags: &VlmTable, file: &VlmTable) -> VlmConfig {
    let number = |number: Option<u64>, default| number.map_or(default, |number| number as u32);
    let process_every = flags.process_every.or(file.process_every).map(|frames| frames.get());
    let max_tokens = flags.max_tokens.or(file.max_tokens).map(|tokens| tokens.get());
    let allowed = flags.allowed_api_bases.as_ref().or(file.allowed_api_bases.as_ref());
    let prompt = flags.prompt.as_ref().or(file.prompt.as_ref());
    VlmConfig {
        model: flags.model.clone().or_else(|| file.model.clone()).filter(|name| !name.is_empty()),
        prompt: prompt.map_or_else(|| PROMPT.to_owned(), |prompt| prompt.get().to_owned()),
        process_every: number(process_every, PROCESS_EVERY),
        max_tokens: number(max_tokens, MAX_TOKENS),
        slots: flags.slots.or(file.slots),
        allowed_api_bases: allowed.into_iter().flatten().map(|base| base.get().clone()).collect(),
    }
}

fn limits(flags: &LimitsTable, file: &LimitsTable) -> ServerLimits {
    let connections = flags.connections_per_address.or(file.connections_per_address);
    let sessions = flags.max_sessions.or(file.max_sessions);
    ServerLimits {
        max_sessions: sessions.map_or(MAX_SESSIONS, |most| most.get() as u32),
        connections_per_address: connections
            .map_or(CONNECTIONS_PER_ADDRESS, |most| most.get() as u32),
    }
}

/// The file's, with the five that have flags.
fn rules(flags: &RuleTable, file: RuleTable) -> RuleTable {
    RuleTable {
        questions_per_minute: flags.questions_per_minute.or(file.questions_per_minute),
        offers_per_minute: flags.offers_per_minute.or(file.offers_per_minute),
        sessions: flags.sessions.or(file.sessions),
        questions_per_day: flags.questions_per_day.or(file.questions_per_day),
        tokens_per_day: flags.tokens_per_day.or(file.tokens_per_day),
        ..file
    }
}

pub(super) fn log(flags: &LogTable, file: &LogTable) -> LogConfig {
    let level = flags.level.as_ref().or(file.level.as_ref());
    LogConfig {
        level: level.cloned().unwrap_or_else(LogFilter::info),
        format: flags.format.or(file.format).unwrap_or(LogFormat::Text),
    }
}

/// Only users have groups, and only those that there are.
fn check_groups(file: &FileConfig, at: At<'_>, problems: &mut Vec<Problem>) {
    const USERS_ONLY: &str = "only [users.NAME] has groups";
    if file.rules.groups.is_some() {
        problems.push(at(&["rules".into(), "groups".into()], USERS_ONLY));
    }
    for (name, _) in file.groups.iter().filter(|(_, table)| table.groups.is_some()) {
        problems.push(at(&["groups".into(), name.as_str().into(), "groups".into()], USERS_ONLY));
    }
    for (user, table) in &file.users {
        for (index, group) in table.groups.iter().flatten().enumerate() {
            if !file.groups.contains_key(group) {
                let steps = ["users".into(), user.as_str().into(), "groups".into(), index.into()];
                let there: Vec<&str> = file.groups.keys().map(String::as_str).collect();
                let message = match there[..] {
                    [] => format!("there is no group {group:?}, as there is no [groups.NAME]"),
                    _ => format!("there is no group {group:?}, only {}", there.join(", ")),
                };
                problems.push(at(&steps, &message));
            }
        }
    }
}
