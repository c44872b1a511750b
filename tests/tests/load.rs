//! The load tool's commands in small, so that it does not rot: each finds what it is for.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use clap::Parser;
use live_vlm_load::{Cli, Report, run};
use live_vlm_tests::until;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_live-vlm-under-test");
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Measures with small pictures.
async fn measure(command: &str) -> Value {
    let Report { text, figures } = try_measure(command).await.unwrap();
    assert!(text.lines().count() > 2, "{text}");
    figures
}

async fn try_measure(command: &str) -> Result<Report, live_vlm_load::Failure> {
    let video = format!("{ROOT}/tests/browser/media/big-buck-bunny.webm");
    let common = ["--server", PROGRAM, "--video", &video, "--size", "160x120", "--clip", "5"];
    let line = ["live-vlm-load"].into_iter().chain(command.split_whitespace()).chain(common);
    run(Cli::try_parse_from(line).unwrap_or_else(|error| panic!("{error}"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn cost_finds_cpu_memory_and_readable_pictures() {
    // Which each viewer encodes for itself; the other tests send the clip.
    let found = measure("cost --sessions 1 --seconds 2 --interval 0.5 --codec VP9").await;
    assert!(found["per_session"]["cpu"].as_f64().unwrap() > 0.0, "{found}");
    assert!(found["answers_per_session_and_second"].as_f64().unwrap() > 0.5, "{found}");
    assert_eq!(found["unreadable"], 0, "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_in_place_of_video_are_readable_too() {
    let found = measure("cost --frames pictures --sessions 1 --seconds 2 --interval 0.5").await;
    assert!(found["answers_per_session_and_second"].as_f64().unwrap() > 0.5, "{found}");
    assert_eq!(found["unreadable"], 0, "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn leaks_looks_before_and_after() {
    let found = measure("leaks --cycles 1 --quiet 0").await;
    let cycles: Vec<_> = found["looks"].as_array().unwrap().iter().map(|l| &l["cycles"]).collect();
    assert_eq!(cycles, [0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn freshness_finds_ages_of_a_turn_and_a_little_more() {
    let found = measure("freshness --ratios 1,2 --latency 200 --interval 0.2 --seconds 1").await;
    let runs = found["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    for run in runs {
        let age = run["age_p50_per_latency"].as_f64().unwrap();
        assert!((1.0..4.0).contains(&age), "{run}");
        assert_eq!(run["most_at_once"], 1, "{run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn age_finds_every_sessions_answers() {
    let found = measure("age --sessions 2 --slots 2 --latency 100 --seconds 2").await;
    let answers = found["answers_per_session"].as_array().unwrap();
    assert!(answers.len() == 2 && answers.iter().all(|n| n.as_u64().unwrap() > 0), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_fresh_though_nobody_says_how_many_questions_the_vlm_takes() {
    let vlm = "--slots 1 --latency 200 --vlm-streams --server-slots auto";
    let found = measure(&format!("age --sessions 4 {vlm} --interval 0.2 --seconds 3")).await;
    // With the four of them at the VLM at once it would be 800.
    assert!(found["age_p50_ms"].as_f64().unwrap() < 350.0, "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fairness_tells_users_apart_and_says_how_fair_it_was() {
    let users = "--user ordinary:2,interval=0.2 --user many:1,sessions=2,interval=0.2";
    let found = measure(&format!("fairness {users} --slots 1 --latency 100 --seconds 2")).await;
    let users = found["users"].as_array().unwrap();
    let names: Vec<_> = users.iter().map(|user| user["user"].as_str().unwrap()).collect();
    assert_eq!(names, ["ordinary-1", "ordinary-2", "many"]);
    for user in users {
        assert!(user["vlm_s"].as_f64().unwrap() > 0.1, "{user}");
        assert!(user["age_p50_ms"].as_f64().unwrap() >= 100.0, "{user}");
    }
    let jain = found["jain"].as_f64().unwrap();
    assert!((1.0 / 3.0..=1.0).contains(&jain), "{found}");
    assert!(found["slots_idle_while_waiting"].as_f64().unwrap() < 1.0, "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn scale_finds_that_all_are_answered_on_time() {
    let found = measure("scale --sessions 2 --interval 1 --latency 50 --seconds 3").await;
    assert!(found["fewest_answers"].as_u64().unwrap() >= 2, "{found}");
    assert_eq!((&found["frozen_sessions"], &found["errors"]), (&0.into(), &0.into()), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_finds_connections_that_the_vlm_closed_and_no_error() {
    let idle = "idle --interval 0.2 --idle 0.1 --delay 500 --latency 20 --seconds 3";
    let found = measure(idle).await;
    assert!(found["answers"].as_u64().unwrap() > 5, "{found}");
    assert!(found["closed_while_a_question_came"].as_u64().unwrap() > 1, "{found}");
    assert_eq!(found["errors"], 0, "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_finds_that_sessions_come_back_and_others_lose_nothing() {
    let found = measure("crash --users 2 --sessions 1 --interval 0.5 --seconds 2").await;
    assert_eq!(found["back_s"].as_array().unwrap().len(), 1, "{found}");
    assert!(found["back_s"][0].as_f64().unwrap() > 0.0, "{found}");
    assert_eq!(found["others_errors"], 0, "{found}");
    assert!(found["others_longest_gap_s"].as_f64().unwrap() > 0.4, "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn attack_finds_that_others_are_undisturbed() {
    let line = "attack --users 1 --sessions 2 --interval 0.5 --crashes 3";
    let found = measure(line).await;
    assert_eq!((&found["crashes"], &found["others"]), (&3.into(), &2.into()), "{found}");
    assert_eq!(found["others_errors"], 0, "{found}");
    assert!(found["others_longest_gap_s"].as_f64().unwrap() > 0.4, "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn churn_finds_what_is_left_and_counts_every_end() {
    let found = measure("churn --rate 5 --stay 0.5 --seconds 2 --every 0.5 --quiet 0").await;
    let ends = ["hung_up", "vanished", "failed"].map(|end| found[end].as_u64().unwrap());
    assert!(ends[0] + ends[1] > 2 && ends[2] == 0, "{found}");
    assert!(found["samples"].as_array().unwrap().len() >= 3, "{found}");
    assert!(found["after"]["threads"].as_u64().unwrap() > 0, "{found}");
}

/// Real Chromium, as `./test.sh` installs it.
#[tokio::test(flavor = "multi_thread")]
async fn webui_compares_a_server_that_it_starts() {
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (vlm, server) = (free(), free());
    let json = tempfile::NamedTempFile::new().unwrap();
    let line = format!(
        "live-vlm-load webui --sessions 1 --latency 100 --seconds 2 --vlm-port {vlm} \
         --video {ROOT}/tests/browser/media/big-buck-bunny.webm --url http://127.0.0.1:{server} --pages {ROOT}/tests/browser/load/pages.mjs --json {} \
         -- {PROGRAM} --host 127.0.0.1 --port {server} --no-ssl --slots 1 \
         --api-base http://127.0.0.1:{vlm}/v1",
        json.path().display()
    );
    run(Cli::try_parse_from(line.split_whitespace()).unwrap()).await.unwrap();
    let found: Value = serde_json::from_slice(&std::fs::read(json.path()).unwrap()).unwrap();
    assert!(found["age_p50_ms"].as_f64().unwrap() >= 100.0, "{found}");
    assert!(found["first_answer_p50_ms"].as_f64().unwrap() > 0.0, "{found}");
    assert!(found["answers"].as_u64().unwrap() >= 1, "{found}");
    assert_eq!(found["unreadable"], 0, "{found}");
}

fn fuzz_offers(options: &str, server: &Path) -> Cli {
    let server = server.to_str().unwrap();
    let line = ["live-vlm-load", "fuzz-offers", "--server", server];
    Cli::try_parse_from(line.into_iter().chain(options.split_whitespace())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_offer_of_a_short_hunt_ends_the_server_or_leaves_anything_behind() {
    let kept = tempfile::tempdir().unwrap();
    let options = format!("--seconds 6 --quiet 0 --seed 1 --keep {}", kept.path().display());
    let Report { text, figures } = run(fuzz_offers(&options, Path::new(PROGRAM))).await.unwrap();
    assert!(figures["cases"].as_u64().unwrap() > 100, "{text}");
    // Changes that are refused and changes that are not.
    let replies = figures["replies"].as_object().unwrap();
    assert!(replies.contains_key("200 ") && replies.contains_key("400 bad_offer"), "{text}");
    assert_eq!(std::fs::read_dir(kept.path()).unwrap().count(), 0);
}

/// The server as it is, whose process ids are kept in a file: one line each time that it starts.
fn server_that_tells_its_id(folder: &Path) -> PathBuf {
    let script = folder.join("server");
    let text = format!("#!/bin/sh\necho $$ >> {}/ids\nexec {PROGRAM} \"$@\"\n", folder.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
    script
}

/// Whether a server has a session: one of its processes has a UDP socket.
fn has_session(id: &str) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let children = threads
        .map(|thread| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    let children: String = children.collect();
    has_udp_socket(id) || children.split_whitespace().any(has_session)
}

fn has_udp_socket(id: &str) -> bool {
    let sockets = std::fs::read_to_string(format!("/proc/{id}/net/udp")).unwrap_or_default();
    let sockets: Vec<_> = sockets
        .lines()
        .filter_map(|line| Some(format!("socket:[{}]", line.split_whitespace().nth(9)?)))
        .collect();
    let files = std::fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
    let mut targets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    targets.any(|target| sockets.iter().any(|socket| target == Path::new(socket)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_in_a_hunt_is_noticed_and_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = server_that_tells_its_id(folder.path());
    let ids = || std::fs::read_to_string(folder.path().join("ids")).unwrap_or_default();
    let options = format!("--seconds 8 --quiet 0 --workers 1 --keep {}", folder.path().display());
    let kill = async {
        until("the server's start", || ids().ends_with('\n')).await;
        let id = ids().trim().to_owned();
        // The first session is there to see whether offers are answered at all.
        until("its first session", || has_session(&id)).await;
        until("the end of that", || !has_session(&id)).await;
        until("another one", || has_session(&id)).await;
        assert!(Command::new("kill").args(["-ABRT", &id]).status().unwrap().success());
    };
    let (found, ()) = tokio::join!(run(fuzz_offers(&options, &server)), kill);
    let found = found.unwrap_err().to_string();
    assert!(found.contains("the server or a media process died 1 times"), "{found}");
    assert!(found.contains("signal 6: it does not say why"), "{found}");
    assert!(found.contains("none of these did it alone"), "{found}");
    assert!(ids().lines().count() > 2, "one to find out why, and one to hunt on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_case_is_done_again() {
    let case = tempfile::NamedTempFile::new().unwrap();
    let steps = json!({"steps": [{"offer": "v=0\r\n"}, {"say": {"type": "hang_up"}}]});
    std::fs::write(case.path(), steps.to_string()).unwrap();
    let options = format!("--replay {}", case.path().display());
    let Report { figures, .. } = run(fuzz_offers(&options, Path::new(PROGRAM))).await.unwrap();
    assert_eq!(figures, json!({"replies": ["400 no_video"], "criticals": 0}));
}

#[tokio::test]
async fn a_missing_server_or_video_is_named() {
    let line = "live-vlm-load leaks --cycles 0 --live --server /no/such/server";
    let error = run(Cli::try_parse_from(line.split_whitespace()).unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/server"), "{error}");
    let line = "live-vlm-load leaks --cycles 0 --video /no/such/video.webm";
    let error = run(Cli::try_parse_from(line.split_whitespace()).unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/video.webm"), "{error}");
}
