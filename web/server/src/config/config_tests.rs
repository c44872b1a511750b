use std::{fs, path::Path, time::Duration};

use clap::Parser;
use live_vlm_config::Slots;

use super::*;

const FILE: &str = "/etc/live-vlm.toml";

fn options(line: &str) -> Options {
    Cli::try_parse_from(line.split_whitespace()).unwrap().serve
}

fn flags(line: &str) -> Config {
    Config::without_file(&options(line)).unwrap()
}

fn load(line: &str, file: &str) -> Result<Config, BadConfig> {
    Config::from_source(&options(line), &Source::new(Path::new(FILE), file.to_owned()))
}

/// The errors of a file, each with its line.
fn errors(file: &str) -> Vec<String> {
    let errors = load("live-vlm", file).unwrap_err();
    errors.0.iter().map(ToString::to_string).collect()
}

fn error(file: &str) -> String {
    let errors = errors(file);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors[0].clone()
}

#[test]
fn the_command_line_of_live_vlm_webui_is_understood() {
    let config = flags(
        "live-vlm --host 127.0.0.1 --port 9000 --auto-port --model m --api-base \
         http://localhost:8000/v1 --api-key EMPTY --prompt hello --process-every 60 --no-ssl",
    );
    assert_eq!((config.server.port, config.server.auto_port), (9000, true));
    assert!(!config.server.tls);
    assert_eq!(config.vlm.interval(), Duration::from_secs(2));
    let [backend] = &config.backends[..] else { panic!("{:?}", config.backends) };
    assert_eq!(backend.endpoint.base(), "http://localhost:8000/v1");
    assert!(!backend.endpoint.has_key());
    let config = flags("live-vlm --ssl-cert c.pem --ssl-key k.pem");
    assert_eq!(config.server.certificate.unwrap().key, Path::new("k.pem"));
}

#[test]
fn without_anything_the_documented_defaults_are_in_force() {
    let config = flags("live-vlm");
    assert_eq!((config.server.host.to_string().as_str(), config.server.port), ("0.0.0.0", 8090));
    assert!(config.server.tls && config.backends.is_empty());
    assert_eq!((config.vlm.process_every, config.vlm.max_tokens), (30, 512));
    let limits = ServerLimits { max_sessions: 200, connections_per_address: 10 };
    assert_eq!(config.limits, limits);
    assert_eq!(
        config.all_rules.rules_for("anybody", &[]),
        live_vlm_access::rules::Rules::default()
    );
}

#[test]
fn a_flag_overrides_the_file_and_the_file_the_default() {
    let file = "
        [server]
        host = '127.0.0.1'
        port = 1000
        auto_port = true
        tls = false
        trusted_proxies = ['10.0.0.1']
        [vlm]
        process_every = 60
        [limits]
        max_sessions = 5
        [rules]
        questions_per_minute = 7
        offers_per_minute = 5
        sessions = 0
    ";
    let config = load("live-vlm", file).unwrap();
    assert_eq!((config.server.port, config.server.auto_port), (1000, true));
    assert!(!config.server.tls && config.server.trusted_proxies.contains([10, 0, 0, 1].into()));
    assert_eq!((config.vlm.process_every, config.limits.max_sessions), (60, 5));
    let rules = config.all_rules.rules_for("alice", &[]);
    assert_eq!((rules.questions_per_minute, rules.sessions), (7, 0));
    assert_eq!(rules.offers_per_minute, 5);

    let line = "live-vlm --port 2000 --auto-port=false --no-ssl=false --process-every 3 \
                --trusted-proxy 10.0.0.2 --trusted-proxy 192.0.2.0/24 --max-sessions 0 \
                --questions-per-minute 8 --sessions-per-user 9 --offers-per-minute 0";
    let config = load(line, file).unwrap();
    assert_eq!((config.server.port, config.server.auto_port), (2000, false));
    assert_eq!(config.server.host.to_string(), "127.0.0.1");
    assert!(config.server.tls && !config.server.trusted_proxies.contains([10, 0, 0, 1].into()));
    assert!(config.server.trusted_proxies.contains([192, 0, 2, 9].into()));
    assert_eq!((config.vlm.process_every, config.limits.max_sessions), (3, 0));
    let rules = config.all_rules.rules_for("alice", &[]);
    assert_eq!((rules.questions_per_minute, rules.sessions), (8, 9));
    assert_eq!(rules.offers_per_minute, 0);
}

#[test]
fn every_error_is_told_with_its_line_and_what_is_allowed() {
    let file = "\
[server]
port = 70000
host = 'here'
prot = 8090
trusted_proxies = ['10.0.0.0/33']

[vlm]
api_base = 'ftp://host'
process_every = 0
max_tokens = 'many'
slots = 'some'

[[backends]]
api_base = 'http://gpu:8000/v1'

[[backends]]
objective = 'two words'
fairness_header = 1

[users.alice]
weight = 1001
interval = 0.01

[log]
level = 'live_vlm=loud'
format = 'xml'

[serve]
";
    let errors = errors(file);
    let expected = [
        (2, "server.port: must be a whole number, 0 to 65535"),
        (3, "server.host: must be an IP address such as 0.0.0.0 or 127.0.0.1"),
        (4, "server.prot: unknown field `prot`, expected one of `host`, `port`"),
        (5, "server.trusted_proxies: must be an address or a network such as 10.0.0.0/8"),
        (8, "vlm.api_base: the scheme \"ftp\" cannot be asked; use http:// or https://"),
        (9, "vlm.process_every: must be a whole number, 1 to 3600"),
        (10, "vlm.max_tokens: must be a whole number, 1 to 32768"),
        (11, "vlm.slots: must be \"auto\" or a whole number, 1 to 65535"),
        (17, "backends[1].objective: must be 1 to 256 visible ASCII characters"),
        (18, "backends[1].fairness_header: invalid type: integer `1`, expected a boolean"),
        (21, "users.alice.weight: must be a whole number, 1 to 1000"),
        (22, "users.alice.interval: must be seconds, 0.1 to 3600"),
        (25, "log.level: must be error, warn, info, debug or trace"),
        (26, "log.format: unknown variant `xml`, expected `text` or `json`"),
        (28, "serve: unknown field `serve`, expected one of `server`, `vlm`"),
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for (error, (line, message)) in errors.iter().zip(expected) {
        let expected = format!("{FILE}:{line}: {message}");
        assert!(error.starts_with(&expected), "{error}\n{expected}");
    }
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let error = error("[server]\nport = \n");
    assert!(error.starts_with(&format!("{FILE}:2: ")), "{error}");
    assert!(errors("[server]\nport = 1\nport = 2\n")[0].starts_with(&format!("{FILE}:3: ")));
}

#[test]
fn a_contradiction_is_told_with_its_line() {
    for (file, expected) in [
        ("[server]\nssl_cert = 'c'", "2: server.ssl_cert: needs ssl_key beside it"),
        ("[server]\nssl_key = 'c'", "2: server.ssl_key: needs ssl_cert beside it"),
        (
            "[server]\ntls = false\nssl_key = 'k'\nssl_cert = 'c'",
            "4: server.ssl_cert: contradicts tls = false",
        ),
        (
            "[video]\nmin_rtp_port = 9\nmax_rtp_port = 8",
            "3: video.max_rtp_port: must be at least min_rtp_port",
        ),
        ("[rules]\ngroups = ['a']", "2: rules.groups: only [users.NAME] has groups"),
        ("[groups.a]\ngroups = ['a']", "2: groups.a.groups: only [users.NAME] has groups"),
        (
            "[users.bob]\ngroups = ['staff']",
            "2: users.bob.groups[0]: there is no group \"staff\", as there is no [groups.NAME]",
        ),
        (
            "[groups.a]\n[groups.b]\n[users.'bob@x.org']\ngroups = [\n 'a',\n 'c',\n]",
            "6: users.bob@x.org.groups[1]: there is no group \"c\", only a, b",
        ),
        (
            "[vlm]\napi_base = 'http://a'\n[[backends]]\napi_base = 'http://b'",
            "2: vlm.api_base: give either this or [[backends]]",
        ),
        ("[vlm]\napi_key = 'k'", "2: vlm.api_key: needs api_base: say which server the key is for"),
        ("[[backends]]\nslots = 1", "1: backends[0].api_base: a backend needs one"),
        (
            "[[backends]]\napi_base = 'http://a/'\n[[backends]]\napi_base = 'http://a'",
            "4: backends[1].api_base: is in the pool already",
        ),
        (
            "[[backends]]\napi_base = 'http://a'\napi_key = 'k'\napi_key_env = 'K'",
            "4: backends[0].api_key_env: give one of api_key, api_key_env and api_key_file",
        ),
        (
            "[vlm]\napi_base = 'http://a'\napi_key_env = 'LIVE_VLM_TEST_UNSET'",
            "3: vlm.api_key_env: the environment variable LIVE_VLM_TEST_UNSET must be set",
        ),
        (
            "[vlm]\napi_base = 'http://a'\napi_key_file = '/nowhere/key'",
            "3: vlm.api_key_file: /nowhere/key cannot be read",
        ),
    ] {
        let error = error(file);
        assert!(error.starts_with(&format!("{FILE}:{expected}")), "{error}\n{file}");
    }
}

#[test]
fn bad_flags_are_refused() {
    for line in [
        "live-vlm --ssl-cert c.pem",
        "live-vlm --process-every 0",
        "live-vlm --ssl-cert c --ssl-key k --no-ssl",
        "live-vlm --min-rtp-port 1000",
        "live-vlm --trusted-proxy proxy",
        "live-vlm --log live_vlm=loud",
    ] {
        assert!(Cli::try_parse_from(line.split_whitespace()).is_err(), "{line}");
    }
    let ports = options("live-vlm --min-rtp-port 9 --max-rtp-port 8");
    assert!(Config::without_file(&ports).is_err());
    let base = options("live-vlm --api-base nowhere");
    let error = Config::without_file(&base).unwrap_err().to_string();
    assert!(error.starts_with("--api-base: \"nowhere\" is not a URL"), "{error}");
}

#[test]
fn a_key_for_no_server_is_refused() {
    let error = Config::without_file(&options("live-vlm --api-key sk-1")).unwrap_err();
    assert_eq!(error.0.len(), 1);
    assert!(error.to_string().starts_with("--api-key needs --api-base"), "{error}");
}

#[test]
fn the_files_key_goes_to_the_files_server_alone() {
    let file = "[vlm]\napi_base = 'http://a/v1'\napi_key = 'sk-file'";
    let backend = |line: &str| load(line, file).unwrap().backends.remove(0).endpoint;
    assert!(backend("live-vlm").has_key());
    assert!(backend("live-vlm --api-base http://a/v1").has_key());
    // However it is written.
    assert!(backend("live-vlm --api-base http://A:80/v1/").has_key());
    assert!(!backend("live-vlm --api-base http://b/v1").has_key());
    assert!(backend("live-vlm --api-base http://b/v1 --api-key sk-flag").has_key());
    // A key of the environment's for the file's server is the usual way.
    let own = load("live-vlm --api-key sk-flag", "[vlm]\napi_base = 'http://a/v1'").unwrap();
    assert!(own.backends[0].endpoint.has_key());
}

#[test]
fn a_key_may_stand_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, "sk-1\n").unwrap();
    let path = path.to_str().unwrap();
    let file = format!("[[backends]]\napi_base = 'http://a'\napi_key_file = '{path}'");
    assert!(load("live-vlm", &file).unwrap().backends[0].endpoint.has_key());
    let line = format!("live-vlm --api-base http://a --api-key-file {path}");
    assert!(flags(&line).backends[0].endpoint.has_key());
    let error = Config::without_file(&options("live-vlm --api-base http://a --api-key-file /no"));
    assert!(error.unwrap_err().to_string().starts_with("--api-key-file: /no cannot be read"));
}

#[test]
fn several_backends_are_a_pool_unless_a_flag_names_one() {
    let file = "
        [vlm]
        slots = 2
        [[backends]]
        api_base = 'http://a/v1'
        api_key = 'sk-a'
        models = ['qwen*', 'llava:7b']
        slots = 'auto'
        fairness_header = true
        objective = 'interactive'
        [[backends]]
        api_base = 'http://b/v1'
    ";
    let pool = load("live-vlm", file).unwrap().backends;
    assert_eq!(pool.len(), 2);
    assert_eq!(pool[0].models, ["qwen*", "llava:7b"]);
    assert_eq!((pool[0].slots, pool[0].fairness_header), (Some(Slots::Auto), true));
    assert_eq!(pool[0].objective.as_deref(), Some("interactive"));
    assert!(pool[0].endpoint.has_key() && !pool[1].endpoint.has_key());
    assert_eq!(pool[1].slots, Some("2".parse().unwrap()));
    let pool = load("live-vlm --api-base http://c/v1", file).unwrap().backends;
    assert_eq!((pool.len(), pool[0].endpoint.base()), (1, "http://c/v1"));
}

#[test]
fn no_error_and_no_summary_shows_a_key() {
    for file in [
        "[vlm]\napi_key = 4711\napi_base = 'http://a'",
        "[vlm]\napi_key = ['sk-4711']\napi_base = 'http://a'",
        "[vlm]\napi_key = 'sk-4711\napi_base = 'http://a'",
        "[vlm]\napi_kye = 'sk-4711'",
        "[vlm]\napi_base = 'http://user:sk-4711@host/v1'",
        "[[backends]]\napi_base = 'http://a'\napi_key = 4711",
        "[[backends]]\napi_key = 'sk-4711'",
        "[vlm]\napi_base = 'http://a'\napi_key = \"sk\\n4711\"",
        "[vlm]\napi_base = 'http://a'\nheaders = {x = 4711}",
        "[[backends]]\napi_base = 'http://a'\nheaders = {x = \"sk\\n4711\"}",
    ] {
        let errors = errors(file);
        assert!(!errors.is_empty() && !format!("{errors:?}").contains("4711"), "{errors:?}");
    }
    let error = Config::without_file(&options("live-vlm --api-base http://u:sk-4711@host"));
    assert!(!error.unwrap_err().to_string().contains("4711"));
    let config = load("live-vlm", "[vlm]\napi_base = 'http://a/v1'\napi_key = 'sk-4711'").unwrap();
    let shown = config.in_force();
    assert!(!shown.contains("4711") && !format!("{config:?}").contains("4711"), "{shown}");
    assert!(shown.contains("api_key = \"(set)\""), "{shown}");
    assert!(flags("live-vlm --api-base http://a").in_force().contains("\"(unset)\""));
    let file = "[vlm]\napi_base = 'http://a/v1'\nheaders = {X-Key = 'sk-4711'}";
    let config = load("live-vlm", file).unwrap();
    let shown = config.in_force();
    assert!(!shown.contains("4711") && !format!("{config:?}").contains("4711"), "{shown}");
    assert!(shown.contains("x-key = \"(set)\""), "{shown}");
    assert!(load("live-vlm", &shown).is_ok(), "{shown}");
}

#[test]
fn a_key_that_cannot_be_one_is_refused_by_name_wherever_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, "sk-1\nsk-2\n").unwrap();
    let path = path.to_str().unwrap();
    let error = error("[vlm]\napi_base = 'http://a'\napi_key = \"sk-1\\nsk-2\"");
    assert!(
        error.starts_with(&format!("{FILE}:3: vlm.api_key: the key has a line break")),
        "{error}"
    );
    let error = self::error(&format!("[vlm]\napi_base = 'http://a'\napi_key_file = '{path}'"));
    assert!(error.starts_with(&format!("{FILE}:3: vlm.api_key_file: the key has a")), "{error}");
    let given = Cli::try_parse_from(["live-vlm", "--api-base", "http://a", "--api-key", "a\nb"]);
    let error = Config::without_file(&given.unwrap().serve).unwrap_err().to_string();
    assert!(error.starts_with("--api-key: the key has a line break"), "{error}");
    let bearer = load("live-vlm", "[vlm]\napi_base = 'http://a'\napi_key = 'Bearer sk-1'").unwrap();
    let plain = load("live-vlm", "[vlm]\napi_base = 'http://a'\napi_key = 'sk-1'").unwrap();
    assert_eq!(bearer.backends, plain.backends);
}

#[test]
fn what_one_server_wants_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let made = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap();
    fs::write(&path, made.cert.pem()).unwrap();
    let path = path.to_str().unwrap();
    let file = format!(
        "[[backends]]
        api_base = 'https://a/v1'
        ca_file = '{path}'
        headers = {{x-provider = 'openai'}}
        extra_body = {{chat_template_kwargs = {{enable_thinking = false}}}}
        [[backends]]
        api_base = 'http://b/v1'
        extra_body = '{{\"stream_options\": null}}'"
    );
    let pool = load("live-vlm", &file).unwrap().backends;
    let [first, second] = &pool[..] else { panic!("{pool:?}") };
    assert_eq!(first.endpoint.authority().unwrap().file(), Path::new(path));
    assert_eq!(first.endpoint.headers().names().collect::<Vec<_>>(), ["x-provider"]);
    let fields = r#"{"chat_template_kwargs":{"enable_thinking":false}}"#;
    assert_eq!(first.extra_body.to_string(), fields);
    assert_eq!(second.extra_body.to_string(), r#"{"stream_options":null}"#);
    assert!(second.endpoint.authority().is_none() && second.endpoint.headers().is_empty());

    let file = format!("[vlm]\napi_base = 'https://a/v1'\nca_file = '{path}'");
    let backend = |line: &str| load(line, &file).unwrap().backends.remove(0).endpoint;
    assert!(backend("live-vlm").authority().is_some());
    assert!(backend("live-vlm --api-base https://b/v1").authority().is_none());
    let line = format!("live-vlm --api-base https://b/v1 --api-ca-file {path}");
    assert!(flags(&line).backends[0].endpoint.authority().is_some());

    for (file, expected) in [
        ("[vlm]\nheaders = {a = 'b'}", "2: vlm.headers: needs api_base"),
        ("[vlm]\nca_file = 'x'", "2: vlm.ca_file: needs api_base"),
        (
            "[[backends]]\napi_base = 'http://a'\nca_file = '/nowhere/ca.pem'",
            "3: backends[0].ca_file: /nowhere/ca.pem cannot be read",
        ),
        (
            "[[backends]]\napi_base = 'http://a'\nheaders = {host = 'b'}",
            "3: backends[0].headers: \"host\" may not be set",
        ),
        (
            "[[backends]]\napi_base = 'http://a'\nextra_body = {model = 'b'}",
            "3: backends[0].extra_body: it may not have \"model\"",
        ),
    ] {
        let error = error(file);
        assert!(error.starts_with(&format!("{FILE}:{expected}")), "{error}\n{file}");
    }
}

#[test]
fn what_is_in_force_is_shown_as_a_file_would_say_it() {
    let file = "
        [rules]
        questions_per_day = 100
        interval = 2.5
        [groups.staff]
        weight = 3
        [users.alice]
        groups = ['staff']
        models = ['qwen*']
    ";
    let line = "live-vlm --port 7 --trusted-proxy 10.0.0.0/8 --ssl-cert c --ssl-key k";
    let config = load(line, file).unwrap();
    let again = load("live-vlm", &config.in_force()).unwrap();
    assert_eq!(again.in_force(), config.in_force());
    assert_eq!(config.differences(&again), [] as [&str; 0]);
    assert_eq!(again.server.port, 7);
    let names = flags("live-vlm --port 8").differences(&flags("live-vlm --port 7 --log debug"));
    assert_eq!(names, ["log.level", "server.port"]);
}

#[test]
fn only_a_server_for_this_host_alone_keeps_video_on_it() {
    assert_eq!(flags("live-vlm").network().bind, None);
    let local = flags("live-vlm --host 127.0.0.1").network();
    assert_eq!(local.bind, Some([127, 0, 0, 1].into()));
}

#[test]
fn the_example_file_is_a_configuration() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/live-vlm.example.toml"));
    let text = fs::read_to_string(path).unwrap();
    let source = Source::new(path, text.clone());
    let config = Config::from_source(&options("live-vlm"), &source);
    let config = config.unwrap_or_else(|error| panic!("{error}"));
    // As it stands it changes nothing.
    assert_eq!(config.differences(&flags("live-vlm")), [] as [&str; 0]);

    // And what it has in comments is right, too.
    let is_key = |line: &str| {
        let key = line.split('=').next().unwrap_or_default().trim();
        let word = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        (line.starts_with('[') && line.ends_with(']'))
            || (line.contains(" = ") && word && !key.is_empty())
    };
    let all: Vec<&str> = text
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| is_key(rest)).unwrap_or(line))
        // The pool stands beside the single server, public keys in files beside published ones,
        // and files are not there.
        .filter(|line| {
            !line.starts_with("api_key")
                && !line.starts_with("ca_file")
                && !line.starts_with("turn_")
                && !line.starts_with("jwt_keys")
                && *line != "api_base = \"http://localhost:8000/v1\""
        })
        .collect();
    let source = Source::new(path, all.join("\n"));
    let full = Config::from_source(&options("live-vlm"), &source);
    let full = full.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(full.backends.len(), 2);
    assert_eq!(full.all_rules.rules_for("alice@example.org", &[]).weight, 10);
}

#[test]
fn stun_and_turn_addresses_are_taken_as_browsers_and_gstreamer_write_them() {
    let stun = |url: &str| flags(&format!("live-vlm --stun-server {url}")).network().stun_server;
    for (given, taken) in [
        ("stun:stun.example", "stun://stun.example:3478"),
        ("stun:stun.example:19302", "stun://stun.example:19302"),
        ("stun://stun.example", "stun://stun.example:3478"),
        ("stun://stun.example:5349", "stun://stun.example:5349"),
        ("STUN:Stun.Example:1", "stun://stun.example:1"),
        ("stun:192.0.2.7", "stun://192.0.2.7:3478"),
        ("stun:[2001:db8::7]", "stun://[2001:db8::7]:3478"),
        ("stun://[2001:db8::7]:7", "stun://[2001:db8::7]:7"),
    ] {
        assert_eq!(stun(given).as_deref(), Some(taken), "{given}");
        let file = load("live-vlm", &format!("[video]\nstun_server = ' {given} '")).unwrap();
        assert_eq!(file.network().stun_server.as_deref(), Some(taken), "{given}");
    }
    for (given, taken) in [
        ("turn:turn.example", "turn:turn.example:3478"),
        ("turn://turn.example", "turn:turn.example:3478"),
        ("turn:turn.example:80", "turn:turn.example:80"),
        ("turn:turn.example?transport=tcp", "turn:turn.example:3478?transport=tcp"),
        ("turn://192.0.2.7:80?transport=udp", "turn:192.0.2.7:80?transport=udp"),
        ("turns:turn.example", "turns:turn.example:5349"),
        ("turns://turn.example:443", "turns:turn.example:443"),
        ("turns:[2001:db8::7]:443?transport=tcp", "turns:[2001:db8::7]:443?transport=tcp"),
    ] {
        let line = format!("live-vlm --turn-secret s --turn-server {given}");
        assert_eq!(flags(&line).video.relays.urls, [taken], "{given}");
        let file = format!("[video]\nturn_servers = ['{given}', 'turn:b']");
        let file = load("live-vlm --turn-secret s", &file).unwrap();
        assert_eq!(file.video.relays.urls, [taken, "turn:b:3478"], "{given}");
    }
}

#[test]
fn what_is_no_stun_or_turn_address_is_refused_with_what_to_write() {
    const STUN: &str = "Write stun:HOST:PORT, as in stun:stun.example.org:3478";
    const TURN: &str = "Write turn:HOST:PORT, turn:HOST:PORT?transport=tcp or turns:HOST:PORT, as \
                        in turns:turn.example.org:5349";
    for (given, why) in [
        ("stun.example:3478", "it does not begin with stun:"),
        ("http://stun.example", "it does not begin with stun:"),
        ("turn:stun.example", "it does not begin with stun:"),
        ("stuns:stun.example", "STUN by TLS is not supported"),
        ("stun:", "it names no host"),
        ("stun://", "it names no host"),
        ("stun::3478", "it names no host"),
        ("stun:3478", "\"3478\" is no host"),
        ("stun:0.0.0.0", "\"0.0.0.0\" is no host"),
        ("stun:192.0.2.256", "\"192.0.2.256\" is no host"),
        ("stun:a,b", "\"a,b\" is no host"),
        ("stun:a..b", "\"a..b\" is no host"),
        ("stun:a:1,stun:b:1", "the port must be 1 to 65535"),
        ("stun:<host>:3478", "\"<host>\" is no host"),
        ("stun:a/b", "\"a/b\" is no host"),
        ("stun:[2001:db8::g]", "\"[2001:db8::g]\" is no host"),
        ("stun:2001:db8::7:3478", "an IPv6 address needs brackets, as in [2001:db8::7]"),
        ("stun:a:0", "the port must be 1 to 65535"),
        ("stun:a:", "the port must be 1 to 65535"),
        ("stun:a:65536", "the port must be 1 to 65535"),
        ("stun:a:+1", "the port must be 1 to 65535"),
        ("stun:a:1/", "the port must be 1 to 65535"),
        ("stun:[::1]1", "the port must be 1 to 65535"),
        ("stun:4711@a", "it has a name or password in it, and STUN needs none"),
        ("stun:a?transport=tcp", "nothing may follow the port"),
    ] {
        let shown = given.replace("stun:4711", "…");
        let expected = format!("\"{shown}\" is not the address of a STUN server: {why}. {STUN}");
        let by_flag = Config::without_file(&options(&format!("live-vlm --stun-server {given}")));
        assert_eq!(by_flag.unwrap_err().to_string(), format!("--stun-server: {expected}"));
        let in_file = error(&format!("[video]\n\nstun_server = '{given}'"));
        assert_eq!(in_file, format!("{FILE}:3: video.stun_server: {expected}"));
    }
    for (given, why) in [
        ("turn.example", "it does not begin with turn: or turns:"),
        ("stun:turn.example", "it does not begin with turn: or turns:"),
        ("turn:a?transport=sctp", "only ?transport=udp or ?transport=tcp may follow"),
        ("turns:a?transport=udp", "turns: does not go by UDP"),
    ] {
        let expected = format!("\"{given}\" is not the address of a relay: {why}. {TURN}");
        let line = format!("live-vlm --turn-secret s --turn-server turn:a --turn-server {given}");
        let by_flag = Config::without_file(&options(&line)).unwrap_err().to_string();
        assert_eq!(by_flag, format!("--turn-server: {expected}"));
        let in_file = error(&format!("[video]\nturn_servers = [\n'turn:a',\n'{given}']"));
        assert_eq!(in_file, format!("{FILE}:2: video.turn_servers: {expected}"));
    }
}

#[test]
fn a_password_in_the_address_of_a_relay_is_refused_and_not_repeated() {
    for given in ["turn:team:sk-4711@turn.example", "team:sk-@4711@turn.example", "turn://4711@a"] {
        let why = "its name and password go into turn_username and turn_secret_file";
        let why = if given.starts_with("turn") { why } else { "it does not begin with turn:" };
        let line = options(&format!("live-vlm --turn-secret s --turn-server {given}"));
        let by_flag = Config::without_file(&line).unwrap_err().to_string();
        let in_file = error(&format!("[video]\nturn_servers = ['{given}']"));
        for refused in [by_flag, in_file] {
            assert!(refused.contains("\"…@") && !refused.contains("4711"), "{refused}");
            assert!(refused.contains(why) && !refused.contains("sk-"), "{refused}");
        }
    }
}

#[test]
fn a_blank_stun_or_turn_address_is_none() {
    let options = Cli::try_parse_from(["live-vlm", "--stun-server", "", "--turn-server", " "]);
    let options = options.unwrap().serve;
    let alone = Config::without_file(&options).unwrap();
    assert_eq!((alone.network().stun_server, alone.video.relays.urls.len()), (None, 0));
    let with_file =
        |text: &str| Config::from_source(&options, &Source::new(Path::new(FILE), text.to_owned()));
    let stun = with_file("[video]\nstun_server = 'stun:a'").unwrap().network().stun_server;
    assert_eq!(stun.as_deref(), Some("stun://a:3478"));
    let turn = with_file("[video]\nturn_servers = ['turn:a']").unwrap_err().to_string();
    let expected = format!("{FILE}:2: video.turn_servers: relays need a secret");
    assert!(turn.starts_with(&expected), "{turn}");
}
