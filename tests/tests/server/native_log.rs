//! What native libraries say is in the server's own log.

use live_vlm_tests::{
    client::new_id,
    process::{Process, home},
    vlm::Vlm,
};
use serde_json::Value;

use super::PROGRAM;

/// The log's lines, of which each is JSON.
fn lines(stderr: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(stderr);
    let line = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{text}"))
    };
    text.lines().filter(|line| line.starts_with('{')).map(line).collect()
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
            let begin = format!("{domain}: ");
            let says = |line: &Value| {
                line["fields"]["message"].as_str().is_some_and(|text| text.starts_with(&begin))
            };
            let is = |line: &&Value| says(line) && line["level"] == level;
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
