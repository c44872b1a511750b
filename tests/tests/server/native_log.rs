//! What native libraries say is in the server's own log, and nobody fills a disk by it.

use std::{
    env,
    process::{Command, Output},
};

use gst::glib::{self, ffi};
use live_vlm::native_log::NativeLog;
use live_vlm_tests::{
    client::new_id,
    process::{Process, home},
    vlm::Vlm,
};
use serde_json::Value;
use tracing_subscriber::filter::LevelFilter;

use super::PROGRAM;

/// What a child of this test does when it is told so.
const ACT: &str = "NATIVE_LOG_TEST_ACT";

/// Runs the test below as a process of its own, and gives what it wrote.
fn child(act: &str) -> Output {
    Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "native_log::a_child_that_native_libraries_complain_in"])
        .arg("--nocapture")
        .env(ACT, act)
        .env_remove("G_DEBUG")
        .env_remove("NEXTEST")
        .output()
        .unwrap()
}

fn complain() {
    glib::g_warning!("our-library", "something is wrong");
}

#[tokio::test]
#[ignore = "it is run by the tests beside it"]
async fn a_child_that_native_libraries_complain_in() {
    let act = env::var(ACT).unwrap();
    let level = if act == "fail quietly" { LevelFilter::OFF } else { LevelFilter::INFO };
    tracing_subscriber::fmt().json().with_max_level(level).with_writer(std::io::stderr).init();
    let log = NativeLog::begin();
    match act.as_str() {
        "flood" => {
            let threads: Vec<_> =
                (0..4).map(|_| std::thread::spawn(|| (0..500).for_each(|_| complain()))).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            drop(log);
        }
        "fail" | "fail quietly" => {
            (0..100).for_each(|_| complain());
            glib::g_error!("our-library", "nothing works");
        }
        "assert" => {
            let text = |text: &'static std::ffi::CStr| text.as_ptr();
            (0..100).for_each(|_| glib::g_printerr!("something is wrong\n"));
            // SAFETY: all texts end with a zero.
            unsafe {
                ffi::g_assertion_message_expr(
                    text(c"our-library"),
                    text(c"our.c"),
                    7,
                    text(c"our_function"),
                    text(c"it != that"),
                );
            }
        }
        other => panic!("{other}"),
    }
}

/// The log's lines, of which each is JSON.
fn lines(stderr: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(stderr);
    let line = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{text}"))
    };
    text.lines().filter(|line| line.starts_with('{')).map(line).collect()
}

fn message(line: &Value) -> &str {
    line["fields"]["message"].as_str().unwrap()
}

#[test]
fn a_flood_of_warnings_is_ten_lines_and_a_count() {
    let output = child("flood");
    let lines = lines(&output.stderr);
    assert!(output.status.success(), "{lines:#?}");
    assert_eq!(lines.len(), 11, "{lines:#?}");
    for line in &lines[..10] {
        assert_eq!((line["level"].as_str(), message(line)), (Some("WARN"), "something is wrong"));
        assert_eq!(
            (&line["target"], &line["fields"]["domain"]),
            (&"native".into(), &"our-library".into())
        );
    }
    assert_eq!(message(&lines[10]), "further lines were left out");
    assert_eq!(lines[10]["fields"]["lines"], 1990);
}

#[test]
fn what_ends_the_server_is_logged_before_it_does() {
    for (act, says) in
        [("fail", "nothing works"), ("assert", "our_function: assertion failed: (it != that)")]
    {
        let output = child(act);
        assert!(!output.status.success(), "{act}");
        let lines = lines(&output.stderr);
        let last = lines.last().unwrap();
        assert_eq!(last["level"], "ERROR", "{last}");
        assert!(message(last).contains(says), "{last}");
        assert!(message(last).ends_with("this ends the server"), "{last}");
        assert_eq!(lines.len(), 11, "{lines:#?}");
    }
}

#[test]
fn what_ends_the_server_is_said_even_where_nothing_is_logged() {
    let output = child("fail quietly");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.lines().collect::<Vec<_>>(), ["live-vlm: our-library: nothing works"]);
}

#[tokio::test]
async fn what_an_operator_asks_of_native_libraries_is_in_the_log_and_in_its_form() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let arguments = ["--host", "127.0.0.1", "--port", "0", "--no-ssl", "--api-base", vlm.base()];
    let arguments = [&arguments[..], &["--log-format", "json"]].concat();
    let asking: [&[(&str, &str)]; 2] = [
        &[],
        &[("GST_DEBUG", "webrtcbin:6"), ("G_MESSAGES_DEBUG", "libnice"), ("NICE_DEBUG", "all")],
    ];
    for environment in asking {
        let process = Process::start_at(&home(), PROGRAM, &arguments, environment);
        let page = process.browser().await;
        let id = new_id();
        let (mut socket, _) = page.open(&id).await;
        let sender = page.send_video(&id).await.unwrap();
        socket.next_of(&["vlm_response"]).await;
        sender.vanish().await;
        process.signal("TERM").await;
        let ended = process.ended().await;
        let other = ended.stderr.lines().find(|line| !line.starts_with('{'));
        assert_eq!(other, None);
        let lines = lines(ended.stderr.as_bytes());
        let of = |domain: &str, level: &str| {
            let is = |line: &&Value| line["fields"]["domain"] == domain && line["level"] == level;
            lines.iter().filter(is).count()
        };
        let found = (of("webrtcbin", "DEBUG"), of("libnice", "DEBUG"));
        if environment.is_empty() {
            assert_eq!(found, (0, 0));
        } else {
            // More than a minute's worth of what nobody asked for.
            assert!(found.0 > 10 && found.1 > 10, "{found:?}");
        }
    }
}
