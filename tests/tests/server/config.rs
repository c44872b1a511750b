//! The configuration as a process meets it: file, environment, flags, and reading it again.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc};

use live_vlm_tests::{
    client::new_id,
    process::{Ended, Process, home},
    vlm::Vlm,
};
use tempfile::TempDir;

use super::PROGRAM;

const SECRET: &str = "sk-of-the-file-77ab";

/// A home with this as the user's own configuration.
fn home_with(text: &str) -> (Arc<TempDir>, PathBuf) {
    let home = home();
    let path = home.path().join("live-vlm/config.toml");
    fs::create_dir(home.path().join("live-vlm")).unwrap();
    fs::write(&path, text).unwrap();
    (home, path)
}

async fn check(home: &Arc<TempDir>, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let arguments = [&["config", "check"], arguments].concat();
    Process::start_at(home, PROGRAM, &arguments, environment).ended().await
}

#[tokio::test]
async fn the_users_own_file_is_in_force_under_environment_and_flags() {
    let (home, path) = home_with(&format!(
        "[server]\nport = 1001\nauto_port = true\n[vlm]\nprocess_every = 5\nmax_tokens = 5\n\
         api_base = 'http://host/v1'\napi_key = '{SECRET}'\n"
    ));
    let environment = [("LIVE_VLM_PROCESS_EVERY", "6"), ("LIVE_VLM_MAX_TOKENS", "6")];
    let ended = check(&home, &["--max-tokens", "7"], &environment).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stdout.starts_with(&format!("ok: {}\n", path.display())), "{}", ended.stdout);
    for line in [
        "port = 1001",
        "auto_port = true",
        "process_every = 6",
        "max_tokens = 7",
        "api_base = \"http://host/v1\"",
        "api_key = \"(set)\"",
        "questions_per_minute = 60",
    ] {
        assert!(ended.stdout.lines().any(|said| said == line), "{line}\n{}", ended.stdout);
    }
    assert!(!ended.stdout.contains(SECRET) && !ended.stderr.contains(SECRET));
}

#[tokio::test]
async fn a_file_with_keys_that_everybody_may_read_is_warned_of() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let with_key = format!(
        "[server]\nhost = '127.0.0.1'\nport = 0\n[[backends]]\napi_base = '{}'\n\
         api_key = '{SECRET}'\n",
        vlm.base()
    );
    let (home, path) = home_with(&with_key);
    let readable_by = |mode| fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    let warning = format!("{}: every user of this host may read it", path.display());

    readable_by(0o644);
    let ended = check(&home, &[], &[]).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    let said = &ended.stderr;
    assert!(said.contains(&warning) && said.contains("backends[0].api_key"), "{said}");
    assert!(said.contains(&format!("chmod o-r {}", path.display())), "{said}");
    assert!(!said.contains(SECRET), "{said}");
    let process = Process::start_at(&home, PROGRAM, &[], &[]);
    let line = process.logged(&warning).await;
    assert!(line.contains("WARN") && !line.contains(SECRET), "{line}");

    readable_by(0o640);
    assert_eq!(check(&home, &[], &[]).await.stderr, "");
    // Without a key there is nothing to hide.
    fs::write(&path, with_key.replace("api_key", "#")).unwrap();
    readable_by(0o644);
    assert_eq!(check(&home, &[], &[]).await.stderr, "");
}

#[tokio::test]
async fn a_file_that_is_named_takes_the_place_of_the_users_own() {
    let (home, _) = home_with("[server]\nport = 'wrong'\n");
    let named = home.path().join("named.toml");
    fs::write(&named, "[server]\nport = 1002\n").unwrap();
    let named = named.to_str().unwrap();
    let by_flag = check(&home, &["--config", named], &[]).await;
    let by_environment = check(&home, &[], &[("LIVE_VLM_CONFIG", named)]).await;
    for ended in [by_flag, by_environment] {
        assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
        assert!(ended.stdout.contains("\nport = 1002\n"), "{}", ended.stdout);
    }
    let missing = check(&home, &["--config", "/nowhere/c.toml"], &[]).await;
    assert_eq!(missing.status.code(), Some(1));
    assert!(missing.stderr.contains("/nowhere/c.toml"), "{}", missing.stderr);
}

#[tokio::test]
async fn check_and_start_tell_every_error_with_its_line() {
    let text = "[server]\nport = 70000\n\n[limits]\nmax_session = 1\n";
    let (home, path) = home_with(text);
    let checked = check(&home, &[], &[]).await;
    let started = Process::start_at(&home, PROGRAM, &[], &[]).ended().await;
    for ended in [checked, started] {
        assert_eq!(ended.status.code(), Some(1));
        assert_eq!(ended.stdout, "");
        for expected in [
            format!("{}:2: server.port: must be a whole number, 0 to 65535", path.display()),
            format!("{}:5: limits.max_session: unknown field", path.display()),
        ] {
            assert!(ended.stderr.contains(&expected), "{expected}\n{}", ended.stderr);
        }
        assert!(ended.stderr.contains("`max_sessions`"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn without_a_file_check_tells_the_defaults() {
    let ended = check(&home(), &[], &[]).await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stdout.starts_with("ok: (no file)\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("\nport = 8090\n"), "{}", ended.stdout);
}

#[tokio::test]
async fn sighup_puts_limits_and_the_logs_level_in_force_and_names_what_needs_a_restart() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let text = |more: &str| {
        let server = "[server]\nhost = '127.0.0.1'\nport = 0\n";
        format!("{server}[vlm]\napi_base = '{}'\n{more}", vlm.base())
    };
    let (home, path) = home_with(&text("[rules]\nsessions = 1\n"));
    let process = Process::start_at(&home, PROGRAM, &[], &[]);
    let page = process.browser().await;
    let first = new_id();
    let (_first, _) = page.open(&first).await;
    let sender = page.send_video(&first).await.unwrap();
    let refused = page.try_open(None).await.unwrap_err();
    assert_eq!((refused.status, &refused.body["value"]), (429, &1.into()));

    // A file with an error changes nothing.
    fs::write(&path, text("[rules]\nsessions = -1\n")).unwrap();
    process.signal("HUP").await;
    let line = process.logged("configuration not reloaded").await;
    assert!(line.contains(&format!("{}:7: rules.sessions", path.display())), "{line}");
    assert_eq!(page.try_open(None).await.unwrap_err().status, 429);

    let changed = "process_every = 9\n[rules]\nsessions = 2\n[log]\nlevel = 'live_vlm=debug'\n";
    fs::write(&path, text(changed)).unwrap();
    process.signal("HUP").await;
    let line = process.logged("configuration reloaded").await;
    assert!(line.contains("log.level, rules.sessions"), "{line}");
    let line = process.logged("only a restart").await;
    assert!(line.contains("vlm.process_every"), "{line}");
    let (_second, _) = page.open(&new_id()).await;
    assert_eq!(page.try_open(None).await.unwrap_err().body["value"], 2);
    // Nobody was thrown out, and the log says more from now on, that of media processes too.
    sender.hang_up().await;
    process.logged("media: peer connection lost").await;
    process.signal("HUP").await;
    process.logged("reading the configuration again").await;
    process.signal("TERM").await;
    assert!(process.ended().await.status.success());
}
