//! What an operator sees: metrics, readiness, usage.

use std::os::unix::fs::PermissionsExt;

use live_vlm_sender::SenderOptions;
use live_vlm_tests::{
    client::{Client, Refused, new_id, small_video},
    process::{Process, home},
    server::Server,
    until,
    vlm::Vlm,
    within,
};
use reqwest::{Method, StatusCode, header};
use serde_json::json;

use super::{PROGRAM, asking};

const TOKEN: &str = "a-token-of-this-test-alone";
const PROMPT: &str = "Is the kettle boiling?";

async fn scrape(client: &Client, token: &str) -> (StatusCode, String) {
    let request = client.request(Method::GET, "/metrics");
    let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    let response = request.send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

async fn figures(client: &Client) -> String {
    let (status, text) = scrape(client, TOKEN).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    text
}

/// The value of a series, 0 if it is not there.
fn value(figures: &str, series: &str) -> f64 {
    let line = figures.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

#[tokio::test]
async fn without_a_token_or_an_address_there_are_no_metrics() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    assert_eq!(server.script().get("/metrics").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_main_port_shows_metrics_to_whoever_has_the_token() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let arguments = [&asking(&vlm)[..], &["--metrics-token", TOKEN]].concat();
    let server = Server::start(&arguments).await;
    let script = server.script();
    let response = script.get("/metrics").await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer realm=\"metrics\"");
    for wrong in ["", "a-token-of-this-test-alonE", "a-token-of-this-test-alone-and-more"] {
        let (status, text) = scrape(&script, wrong).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{wrong}");
        assert!(!text.contains("live_vlm_"), "{text}");
    }
    assert!(figures(&script).await.contains("live_vlm_build_info"));
}

#[tokio::test]
async fn an_address_of_its_own_serves_metrics_and_nothing_else() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let arguments = [&asking(&vlm)[..], &["--metrics-listen", "127.0.0.1:0"]].concat();
    let server = Server::start(&arguments).await;
    let own = Client::script(&format!("http://{}", server.metrics_address().unwrap()));
    let response = own.get("/metrics").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    for path in ["/", "/healthz", "/models", "/ws"] {
        assert_eq!(own.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(server.script().get("/metrics").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_token_is_asked_for_at_the_own_address_too() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let door = ["--metrics-listen", "127.0.0.1:0", "--metrics-token", TOKEN];
    let server = Server::start(&[&asking(&vlm)[..], &door].concat()).await;
    let own = Client::script(&format!("http://{}", server.metrics_address().unwrap()));
    assert_eq!(own.get("/metrics").await.status(), StatusCode::UNAUTHORIZED);
    assert!(figures(&own).await.contains("live_vlm_build_info"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_up_and_falling_silent_are_told_apart() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&[&asking(&vlm)[..], &["--metrics-token", TOKEN]].concat()).await;
    for (data_channel, status, reason) in
        [(true, "Stopped", "hung_up"), (false, "Failed", "no_media")]
    {
        let (page, id) = (server.browser().await, new_id());
        let (mut socket, _) = page.open(&id).await;
        let video = SenderOptions { data_channel, ..small_video() };
        let sender = page.send(&id, video).await.unwrap();
        socket.next_of(&["vlm_response"]).await;
        if data_channel {
            sender.hang_up().await;
        } else {
            sender.vanish().await;
        }
        let ended = loop {
            let told = socket.next_of(&["status"]).await;
            if told["status"] == "Stopped" || told["status"] == "Failed" {
                break told;
            }
        };
        assert_eq!(ended["status"], status, "{ended}");
        let figures = figures(&page).await;
        let lost = format!("live_vlm_videos_lost_total{{reason=\"{reason}\"}}");
        assert_eq!(value(&figures, &lost), 1.0, "{figures}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_session_is_in_the_figures_while_it_lives_and_its_secrets_never_are() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let options = ["--metrics-token", TOKEN, "--metrics-by-user", "--api-key", "sk-key-of-the-vlm"];
    let server = Server::start(&[&asking(&vlm)[..], &options].concat()).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    socket.ask(&json!({"type": "update_prompt", "prompt": PROMPT, "max_tokens": 7})).await;
    let sender = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;

    // Frames are told once a second.
    let during = within("the frames in the figures", async {
        loop {
            let during = figures(&page).await;
            if value(&during, "live_vlm_frames_asked_total") >= 1.0 {
                return during;
            }
        }
    })
    .await;
    assert_eq!(value(&during, "live_vlm_sessions{state=\"live\"}"), 1.0, "{during}");
    assert_eq!(value(&during, "live_vlm_websocket_connections"), 1.0);
    let frames = |figures: &str| {
        ["received", "decoded", "asked"]
            .map(|what| value(figures, &format!("live_vlm_frames_{what}_total")))
    };
    let [received, decoded, asked] = frames(&during);
    assert!(received >= decoded && decoded >= asked && asked >= 1.0, "{during}");
    assert_eq!(
        value(
            &during,
            "live_vlm_backend_state{backend=\"BASE\",state=\"up\"}"
                .replace("BASE", vlm.base())
                .as_str()
        ),
        1.0,
        "{during}"
    );
    for series in [
        "live_vlm_questions_total{outcome=\"answered\",model=\"llava:7b\"}",
        "live_vlm_answer_age_seconds_count{model=\"llava:7b\"}",
        "live_vlm_first_token_seconds_count{model=\"llava:7b\"}",
        "live_vlm_queue_wait_seconds_count",
        "live_vlm_tokens_total{direction=\"out\",model=\"llava:7b\"}",
    ] {
        assert!(value(&during, series) >= 1.0, "{series}\n{during}");
    }
    assert!(during.contains("live_vlm_user_questions_total{user=\"browser:"), "{during}");
    for secret in [&*id, &id[..8], PROMPT, "kettle", "sk-key", TOKEN] {
        assert!(!during.contains(secret), "{secret} in {during}");
    }

    socket.send(&json!({"type": "hang_up"})).await;
    socket.close().await;
    until("the session's end", || server.sessions().count() == 0).await;
    drop(sender);
    let ended = "live_vlm_sessions_ended_total{reason=\"left\"}";
    // The list forgets a session before its video is stopped.
    let after = within("the session's end in the figures", async {
        loop {
            let after = figures(&page).await;
            if value(&after, ended) == 1.0 {
                return after;
            }
        }
    })
    .await;
    for state in ["ready", "connecting", "live", "stopped", "failed"] {
        assert_eq!(value(&after, &format!("live_vlm_sessions{{state=\"{state}\"}}")), 0.0);
    }
    assert_eq!(value(&after, "live_vlm_sessions_started_total"), 1.0);
    assert_eq!(value(&after, "live_vlm_websocket_connections"), 0.0);
    assert!(frames(&after).iter().zip([received, decoded, asked]).all(|(now, then)| *now >= then));
    server.stop().await;
}

#[tokio::test]
async fn an_overloaded_server_takes_no_session_and_says_when_to_try_again() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    // This process has more than a megabyte already.
    let options = ["--metrics-token", TOKEN, "--max-memory", "1"];
    let server = Server::start(&[&asking(&vlm)[..], &options].concat()).await;
    let page = server.browser().await;
    let reached = || server.app().observer.overload.reached().is_some();
    until("the first look at the memory", reached).await;
    let ready = page.get("/readyz").await;
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body: serde_json::Value = ready.json().await.unwrap();
    assert_eq!(body, json!({"ready": false, "reasons": ["overloaded"]}));
    assert_eq!(page.get("/healthz").await.status(), StatusCode::OK);

    let Err(refused) = page.try_open(Some(&new_id())).await else { panic!("a session was opened") };
    let Refused { status, retry_after, .. } = &refused;
    assert_eq!(
        (*status, retry_after.as_deref(), refused.about().0),
        (503, Some("10"), "overloaded")
    );
    let message = refused.body["message"].as_str().unwrap();
    assert!(message.contains("at most 1 may be"), "{message}");
    let figures = figures(&page).await;
    assert_eq!(value(&figures, "live_vlm_limits_reached_total{limit=\"max_memory\"}"), 1.0);
    assert_eq!(value(&figures, "live_vlm_overloaded"), 1.0);
}

#[tokio::test]
async fn usage_is_kept_for_its_owner_and_shown_by_a_command() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let home = home();
    let usage = |arguments: &[&str]| {
        Process::start_at(&home, PROGRAM, &[&["usage"], arguments].concat(), &[]).ended()
    };
    let file = home.path().join("state/live-vlm/usage.db");
    let ended = usage(&[]).await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains(file.to_str().unwrap()), "{}", ended.stderr);

    let arguments = [&asking(&vlm)[..], &["--host", "127.0.0.1", "--port", "0"]].concat();
    let server = Process::start_at(&home, PROGRAM, &arguments, &[]);
    server.browser().await;
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let ended = usage(&["--since", "2026-01-01"]).await;
    assert_eq!((ended.status.code(), &*ended.stdout), (Some(0), "Nothing was used.\n"));
    let ended = usage(&["--json"]).await;
    let read: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&read["users"], &read["total"]["questions"]), (&json!([]), &json!(0)));
    let ended = usage(&["--since", "yesterday"]).await;
    assert!(ended.stderr.contains("YYYY-MM-DD"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_question_is_traced_to_the_collector_that_is_configured() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let collector = Vlm::saying(&[], "").await;
    let endpoint = collector.base().strip_suffix("/v1").unwrap().to_owned();
    let arguments = [&asking(&vlm)[..], &["--otlp-endpoint", &endpoint]].concat();
    let server = Server::start(&arguments).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    let sent = collector.asked(|asked| asked.path == "/v1/traces").await;
    let contains =
        |text: &str| sent.bytes.windows(text.len()).any(|window| window == text.as_bytes());
    for span in ["question", "wait for turn", "encode", "first token", "answer"] {
        assert!(contains(span), "{span}");
    }
    assert!(contains("llava:7b") && !contains(&id) && !contains("Yes."));
    sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn every_line_of_a_json_log_is_json_and_those_of_a_session_name_it() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let listen = ["--host", "127.0.0.1", "--port", "0"];
    let log = ["--log", "live_vlm=debug", "--log-format", "json"];
    let process = Process::start(PROGRAM, &[&asking(&vlm)[..], &listen, &log].concat());
    let (page, id) = (process.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    socket.send(&json!({"type": "no_such_thing"})).await;
    socket.next_of(&["error"]).await;
    socket.close().await;
    sender.hang_up().await;
    process.signal("TERM").await;
    let ended = process.ended().await;
    let lines: Vec<serde_json::Value> =
        ended.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for said in ["session begins", "offer answered", "refused", "session ended"] {
        let line = lines.iter().find(|line| line["fields"]["message"] == said);
        let line = line.unwrap_or_else(|| panic!("{said}: {}", ended.stderr));
        assert_eq!(line["fields"]["session"], id[..8], "{line}");
    }
    assert!(!ended.stderr.contains(&id), "a whole id is a secret");
}

#[tokio::test]
async fn what_is_refused_over_and_over_is_logged_once() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let arguments = ["--host", "127.0.0.1", "--port", "0", "--api-base", vlm.base()];
    let process =
        Process::start(PROGRAM, &[&arguments[..], &["--sessions-per-user", "1"]].concat());
    let (page, id) = (process.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let foreign = page.clone().with_header("origin", "https://evil.example");
    for _ in 0..3 {
        assert_eq!(process.browser().await.try_open(Some(&id)).await.unwrap_err().status, 403);
        assert_eq!(foreign.get("/models").await.status(), 403);
        assert_eq!(page.try_open(None).await.unwrap_err().status, 429);
        assert_eq!(page.offer(&json!({"type": "offer"})).await.unwrap_err().status, 400);
        let bad = json!({"type": "update_model", "model": "x", "api_base": "file:///etc/passwd"});
        assert_eq!(socket.ask(&bad).await["type"], "error");
    }
    process.signal("TERM").await;
    let log = process.ended().await.stderr;
    for (said, times) in [
        ("code=SessionTaken", 1),
        ("code=ForeignOrigin", 1),
        ("limit=\"sessions_per_user\"", 1),
        ("field=\"sdp\"", 1),
        ("field=\"api_base\"", 1),
        ("session begins", 1),
    ] {
        assert_eq!(log.matches(said).count(), times, "{said}\n{log}");
    }
}
