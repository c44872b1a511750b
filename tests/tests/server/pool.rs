//! Several VLM servers: who is asked, what happens when one fails, and what pages are told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use live_vlm::times::Times;
use live_vlm_tests::{
    client::{Client, new_id},
    server::Server,
    until,
    vlm::{Asked, Reply, Vlm},
    within,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::interval;

use super::OFTEN;

/// A configuration with these `[[backends]]`.
fn pool(backends: &[(&Vlm, &str)]) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let tables: Vec<String> = backends
        .iter()
        .map(|(vlm, more)| format!("[[backends]]\napi_base = '{}'\n{more}\n", vlm.base()))
        .collect();
    std::fs::write(&path, tables.concat()).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// A server that looks at those of its pool often.
async fn start(config: &str) -> Server {
    let times = Times { check_every: Duration::from_millis(250), ..Times::default() };
    Server::start_with_times(&[OFTEN, &["--config", config]].concat(), times).await
}

/// A VLM that says this, or fails while `broken`.
async fn breakable(models: &[&str], text: &'static str, broken: &Arc<AtomicBool>) -> Vlm {
    let broken = Arc::clone(broken);
    Vlm::start(models, move |_| match broken.load(Ordering::Relaxed) {
        true => Reply::Refuse(500, "out of order".into()),
        false => Reply::Text(text.into()),
    })
    .await
}

#[tokio::test]
async fn when_one_server_fails_another_answers_and_the_page_is_told_which() {
    let broken = Arc::new(AtomicBool::new(false));
    let first = breakable(&["qwen-vl"], "First.", &broken).await;
    let second = Vlm::saying(&["qwen-vl"], "Second.").await;
    // The second has room for nobody until the first is out of order.
    let (_folder, config) = pool(&[(&first, "slots = 1"), (&second, "slots = 1")]);
    let server = start(&config).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    broken.store(true, Ordering::Relaxed);
    let from_second = async {
        loop {
            let message = socket.next_of(&["vlm_response", "vlm_error", "error"]).await;
            assert_eq!(message["type"], "vlm_response", "nobody notices the failure: {message}");
            if message["text"] == "Second." {
                return message;
            }
        }
    };
    let message = within("an answer of the second", from_second).await;
    assert_eq!(message["api_base"], second.base());
    let down = || {
        let pool = server.app().dispatcher.pool();
        pool.iter().any(|backend| {
            backend.base == first.base() && backend.state != live_vlm_dispatch::BackendState::Up
        })
    };
    until("the first server to be left alone", down).await;
    assert_eq!(page.get("/readyz").await.status(), StatusCode::OK);
    sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn a_model_is_asked_of_the_server_that_has_it_with_the_key_of_that_server() {
    let first = Vlm::saying(&["llava:7b"], "First.").await;
    let second = Vlm::saying(&["qwen-vl", "qwen-vl-large"], "Second.").await;
    let second_has = "models = ['qwen-vl']\napi_key = 'sk-second'\nslots = 'auto'";
    let (_folder, config) = pool(&[(&first, "api_key = 'sk-first'"), (&second, second_has)]);
    let server = start(&config).await;
    let (page, id) = (server.browser().await, new_id());
    let listed = page.get_json("/models").await;
    let ids: Vec<&str> =
        listed["models"].as_array().unwrap().iter().filter_map(|m| m["id"].as_str()).collect();
    assert_eq!(ids, ["llava:7b", "qwen-vl"]);
    let (mut socket, before) = page.open(&id).await;
    assert_eq!(before["model"], "llava:7b");
    let hidden = socket.ask(&json!({"type": "update_model", "model": "qwen-vl-large"})).await;
    assert_eq!(hidden["type"], "error", "{hidden}");
    let chosen = socket.ask(&json!({"type": "update_model", "model": "qwen-vl"})).await;
    assert_eq!((&chosen["type"], &chosen["model"]), (&json!("model_updated"), &json!("qwen-vl")));
    let sender = page.send_video(&id).await.unwrap();
    let answer = socket.next_of(&["vlm_response"]).await;
    assert_eq!((&answer["text"], &answer["api_base"]), (&json!("Second."), &json!(second.base())));
    assert!(second.questions().iter().all(|asked| asked.key() == Some("sk-second")));
    assert_eq!(first.questions().len(), 0);
    assert!(first.authorizations().iter().all(|key| key.as_deref() == Some("Bearer sk-first")));
    sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn headers_for_routers_are_ours_and_name_nobody() {
    let vlm = Vlm::saying(&["qwen-vl"], "Yes.").await;
    let (_folder, config) = pool(&[(&vlm, "fairness_header = true\nobjective = 'live'")]);
    let server = start(&config).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let page = server.browser().await.with_header("x-llm-d-inference-fairness-id", "evil");
        let page = page.with_header("x-llm-d-inference-objective", "evil");
        let id = new_id();
        let (mut socket, _) = page.open(&id).await;
        let sender = page.send_video(&id).await.unwrap();
        socket.next_of(&["vlm_response"]).await;
        let asked = vlm.questions();
        let asked: &Asked = asked.last().unwrap();
        assert_eq!(asked.header("x-llm-d-inference-objective"), Some("live"));
        let fairness = asked.header("x-llm-d-inference-fairness-id").unwrap().to_owned();
        assert!(!fairness.contains("browser"), "{fairness}");
        ids.push(fairness);
        sender.hang_up().await;
        socket.close().await;
        until("the session's end", || server.sessions().count() == 0).await;
    }
    assert_ne!(ids[0], ids[1], "each user has one of their own");
    server.stop().await;
}

/// What `/readyz` says as soon as the server is ready, or is not.
async fn readiness(page: &Client, is_ready: bool) -> Value {
    let wanted = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut tick = interval(Duration::from_millis(20));
    loop {
        tick.tick().await;
        let response = page.get("/readyz").await;
        if response.status() == wanted {
            return response.json().await.unwrap();
        }
    }
}

#[tokio::test]
async fn without_a_server_that_answers_it_is_not_ready_and_recovers_by_itself() {
    let broken = Arc::new(AtomicBool::new(true));
    let vlm = breakable(&["qwen-vl"], "Back.", &broken).await;
    let (_folder, config) = pool(&[(&vlm, "")]);
    let server = start(&config).await;
    let page = server.browser().await;
    let told = within("the failure to be noticed", readiness(&page, false)).await;
    assert_eq!(told, json!({"ready": false, "reasons": ["no_backend"]}));
    broken.store(false, Ordering::Relaxed);
    within("the recovery to be noticed", readiness(&page, true)).await;
    server.stop().await;
}

#[tokio::test]
async fn without_being_configured_no_header_for_routers_is_sent() {
    let vlm = Vlm::saying(&["qwen-vl"], "Yes.").await;
    let (_folder, config) = pool(&[(&vlm, "")]);
    let server = start(&config).await;
    let page = server.browser().await.with_header("x-llm-d-inference-fairness-id", "evil");
    let id = new_id();
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    for asked in vlm.questions() {
        assert!(asked.headers.iter().all(|(name, _)| !name.starts_with("x-llm-d")), "{asked:?}");
    }
    sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn a_key_of_ones_own_at_the_pools_address_harms_nobody_elses_questions() {
    let vlm = Vlm::start(&["qwen-vl"], |asked| match asked.key() {
        Some("sk-pool") => Reply::Text("Yes.".into()),
        _ => Reply::Refuse(429, "your account is used up".into()),
    })
    .await;
    let (_folder, config) = pool(&[(&vlm, "api_key = 'sk-pool'")]);
    let server = start(&config).await;
    let (other, other_id) = (server.browser().await, new_id());
    let (mut theirs, _) = other.open(&other_id).await;
    let own = json!({
        "type": "update_model", "model": "qwen-vl", "api_base": vlm.base(), "api_key": "sk-mine"
    });
    assert_eq!(theirs.ask(&own).await["type"], "model_updated");
    let their_sender = other.send_video(&other_id).await.unwrap();
    // With answers to others in between, a few failures would not close a server to anybody.
    for _ in 0..4 {
        assert_eq!(theirs.next_of(&["vlm_error"]).await["kind"], "rate-limited");
    }
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    let first = socket.next_of(&["vlm_response", "vlm_error"]).await;
    assert_eq!(first["type"], "vlm_response", "{first}");
    sender.vanish().await;
    their_sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn what_waits_inside_a_server_by_its_own_metrics_takes_a_slot_from_it() {
    let vlm = Vlm::start(&["qwen-vl"], |asked| match asked.path.as_str() {
        "/metrics" => Reply::Plain("vllm:num_requests_waiting{model_name=\"qwen-vl\"} 3\n".into()),
        _ => Reply::Text("Yes.".into()),
    })
    .await;
    let (_folder, config) = pool(&[(&vlm, "slots = 'auto'\napi_key = 'sk-pool'")]);
    let server = start(&config).await;
    let slots = || server.app().dispatcher.pool()[0].slots;
    until("a slot to be taken back", || slots() < 4).await;
    let looked = vlm.asked(|asked| asked.path == "/metrics").await;
    assert_eq!(looked.key(), Some("sk-pool"), "llama.cpp shows nothing without");
    server.stop().await;
}

/// The worst that three users do to another at a gateway, by choosing a model that fails so.
async fn undisturbed_by(failing: impl Fn() -> Reply + Send + Sync + 'static) {
    let gateway = Vlm::start(&["good-vl", "bad-vl"], move |asked| match asked.model() {
        "bad-vl" => failing(),
        _ => Reply::Text("Yes.".into()),
    })
    .await;
    let (_folder, config) = pool(&[(&gateway, "api_key = 'sk-gateway'\nslots = 2")]);
    let server = start(&config).await;
    let mut others = Vec::new();
    for _ in 0..3 {
        let (other, id) = (server.browser().await, new_id());
        let (mut socket, _) = other.open(&id).await;
        let bad = json!({"type": "update_model", "model": "bad-vl"});
        assert_eq!(socket.ask(&bad).await["type"], "model_updated");
        let sender = other.send_video(&id).await.unwrap();
        others.push((socket, sender));
    }
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    // Their model is left alone after a few failures, and this one never.
    for _ in 0..3 {
        for (theirs, _) in &mut others {
            let told = theirs.next_of(&["vlm_error"]).await;
            assert_ne!(told["message"], "", "{told}");
        }
        for _ in 0..4 {
            let mine = socket.next_of(&["vlm_response", "vlm_error", "error"]).await;
            assert_eq!(mine["type"], "vlm_response", "{mine}");
        }
    }
    let pool = server.app().dispatcher.pool();
    assert_eq!(pool[0].state, live_vlm_dispatch::BackendState::Up);
    assert_eq!(page.get("/readyz").await.status(), StatusCode::OK);
    sender.vanish().await;
    for (_, sender) in others {
        sender.vanish().await;
    }
    server.stop().await;
}

#[tokio::test]
async fn who_chooses_a_model_that_asks_for_patience_stops_nobody_elses_answers() {
    undisturbed_by(|| Reply::Later(429, "used up".into(), 1)).await;
}

#[tokio::test]
async fn who_chooses_a_model_that_fails_stops_nobody_elses_answers() {
    undisturbed_by(|| Reply::Refuse(500, "out of memory".into())).await;
}

#[tokio::test]
async fn what_a_server_wants_beside_the_questions_goes_to_it_and_to_no_other() {
    let first = Vlm::saying(&["qwen-vl"], "First.").await;
    let second = Vlm::saying(&["llava"], "Second.").await;
    let wants = "headers = {x-gateway-key = 'gw-secret'}\nextra_body = {top_p = 0.5}";
    let (_folder, config) = pool(&[(&first, wants), (&second, "")]);
    let server = start(&config).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    let asked = first.questions().remove(0);
    assert_eq!(asked.header("x-gateway-key"), Some("gw-secret"));
    assert_eq!(asked.body["top_p"], 0.5);
    let other = json!({"type": "update_model", "model": "llava"});
    assert_eq!(socket.ask(&other).await["type"], "model_updated");
    let asked = second.asked(Asked::is_question).await;
    assert_eq!((asked.header("x-gateway-key"), &asked.body["top_p"]), (None, &Value::Null));
    sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn a_key_that_the_only_server_refuses_makes_it_not_ready_until_it_is_taken() {
    let refused = Arc::new(AtomicBool::new(true));
    let script = Arc::clone(&refused);
    let vlm = Vlm::start(&["qwen-vl"], move |_| match script.load(Ordering::Relaxed) {
        true => Reply::Refuse(401, "who are you".into()),
        false => Reply::Text("Yes.".into()),
    })
    .await;
    for (key, reason) in [("api_key = 'sk-1'", "key_refused"), ("", "no_key")] {
        refused.store(true, Ordering::Relaxed);
        let (_folder, config) = pool(&[(&vlm, key)]);
        let server = start(&config).await;
        let page = server.browser().await;
        let told = within("the refusal to be noticed", readiness(&page, false)).await;
        assert_eq!(told["reasons"], json!(["no_backend", reason]));
        refused.store(false, Ordering::Relaxed);
        within("the key to be taken", readiness(&page, true)).await;
        server.stop().await;
    }
}

#[tokio::test]
async fn a_server_that_lists_no_models_is_ready_if_it_takes_questions() {
    let vlm = Vlm::start(&[], |asked| match (asked.is_question(), asked.model()) {
        (false, _) => Reply::Refuse(404, "no such page".into()),
        (true, "") => Reply::Refuse(400, "no model".into()),
        (true, _) => Reply::Text("Yes.".into()),
    })
    .await;
    let server =
        Server::start(&[OFTEN, &["--api-base", vlm.base(), "--model", "m"]].concat()).await;
    let page = server.browser().await;
    vlm.asked(|asked| asked.is_question() && asked.model().is_empty()).await;
    assert_eq!(page.get("/readyz").await.status(), StatusCode::OK);
    server.stop().await;
}
