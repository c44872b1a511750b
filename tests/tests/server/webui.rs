//! What live-vlm-webui 0.4.0's own page and its users' scripts send works unchanged.

use live_vlm::choices::Choices;
use live_vlm_sender::Sender;
use live_vlm_tests::{
    client::{Client, new_id, small_video},
    server::Server,
    socket::Socket,
    vlm::Vlm,
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::asking;

const MODELS: &[&str] = &["llama3", "llava:7b", "qwen2.5vl:3b"];

async fn page_and_socket(server: &Server) -> (Client, String, Socket, Value) {
    let page = server.browser().await;
    let id = new_id();
    let (socket, config) = page.open(&id).await;
    (page, id, socket, config)
}

#[tokio::test]
async fn a_connection_begins_with_status_and_server_config() {
    let vlm = Vlm::saying(MODELS, "A cup.").await;
    let server = Server::start(&["--api-base", vlm.base(), "--prompt", "What is there?"]).await;
    let page = server.browser().await;
    let id = new_id();
    let mut socket = page.try_open(Some(&id)).await.unwrap();
    let status = socket.next().await;
    let ready =
        json!({"type": "status", "text": "Connected to server", "status": "Ready", "unchanged": 0});
    assert_eq!(status, ready);
    let config = socket.next().await;
    assert_eq!(
        config,
        json!({
            "type": "server_config", "session_id": id, "model": "llava:7b", "api_base": vlm.base(),
            "prompt": "What is there?", "system_prompt": "", "max_tokens": 512, "interval": 1.0,
            "process_every": 30, "max_latency": 0.0, "min_change": 0.0, "max_size": 768,
            "ice_servers": [], "stand_in": false,
            "bounds": Choices::BOUNDS, "version": env!("CARGO_PKG_VERSION"),
        })
    );
}

#[tokio::test]
async fn an_offer_is_answered_and_answers_come_with_their_metrics() {
    let vlm = Vlm::saying(MODELS, "A cup of tea.").await;
    let server = Server::start(&asking(&vlm)).await;
    let (page, id, mut socket, _) = page_and_socket(&server).await;

    let sender = Sender::connect(small_video(), async |sdp| {
        let offer = json!({"sdp": sdp, "type": "offer", "session_id": id});
        let answer = page.offer(&offer).await.map_err(|refused| format!("{refused:?}"))?;
        assert_eq!((&answer["type"], &answer["session_id"]), (&json!("answer"), &json!(id)));
        Ok::<_, String>(answer["sdp"].as_str().unwrap().to_owned())
    })
    .await
    .unwrap();
    sender.connected().await.unwrap();

    for status in ["Connecting", "Live"] {
        assert_eq!(socket.next_of(&["status"]).await["status"], status);
    }
    let response = socket.next_of(&["vlm_response"]).await;
    assert_eq!(response["text"], "A cup of tea.");
    let metrics = &response["metrics"];
    for number in ["last_latency_ms", "avg_latency_ms"] {
        assert!(metrics[number].is_number(), "{number}: {response}");
    }
    assert_eq!(metrics["total_inferences"], 1);
    assert!(metrics["is_processing"].is_boolean());
    let second = socket.next_of(&["vlm_response"]).await;
    assert_eq!(second["metrics"]["total_inferences"], 2);
    sender.hang_up().await;
    let stopped =
        json!({"type": "status", "text": "The peer hung up", "status": "Stopped", "unchanged": 0});
    assert_eq!(socket.next_of(&["status"]).await, stopped);
    server.stop().await;
}

#[tokio::test]
async fn a_prompt_with_and_without_max_tokens_is_confirmed_and_asked() {
    let vlm = Vlm::saying(MODELS, "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let (page, id, mut socket, _) = page_and_socket(&server).await;
    let updated = socket
        .ask(&json!({"type": "update_prompt", "prompt": "Is it red?", "max_tokens": 77}))
        .await;
    assert_eq!(
        updated,
        json!({"type": "prompt_updated", "prompt": "Is it red?", "max_tokens": 77,
               "system_prompt": ""})
    );
    let updated = socket.ask(&json!({"type": "update_prompt", "prompt": "Is it blue?"})).await;
    assert_eq!((&updated["prompt"], &updated["max_tokens"]), (&json!("Is it blue?"), &json!(77)));

    let sender = page.send_video(&id).await.unwrap();
    let asked = vlm.asked(|asked| asked.prompt().contains("Is it blue?")).await;
    assert_eq!(asked.body["max_tokens"], 77);
    let response = socket.next_of(&["vlm_response"]).await;
    assert_eq!(response["prompt"], "Is it blue?");
    // While the video runs, too.
    socket.ask(&json!({"type": "update_prompt", "prompt": "Is it green?", "max_tokens": 9})).await;
    let asked = vlm.asked(|asked| asked.prompt().contains("Is it green?")).await;
    assert_eq!(asked.body["max_tokens"], 9);
    sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn a_model_is_chosen_with_the_empty_address_and_key_that_the_page_sends() {
    let vlm = Vlm::saying(MODELS, "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let (page, id, mut socket, _) = page_and_socket(&server).await;
    let updated = socket
        .ask(&json!({
            "type": "update_model", "model": "qwen2.5vl:3b", "api_base": "", "api_key": ""
        }))
        .await;
    assert_eq!(
        updated,
        json!({"type": "model_updated", "model": "qwen2.5vl:3b", "api_base": vlm.base(),
               "stand_in": false})
    );
    let sender = page.send_video(&id).await.unwrap();
    let asked = vlm.asked(live_vlm_tests::vlm::Asked::is_question).await;
    assert_eq!(asked.model(), "qwen2.5vl:3b");
    sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn interval_latency_and_debug_are_confirmed() {
    let vlm = Vlm::saying(MODELS, "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let (page, id, mut socket, _) = page_and_socket(&server).await;
    for (message, expected) in [
        (
            json!({"type": "update_processing", "process_every": 60}),
            json!({"type": "processing_updated", "process_every": 60, "interval": 2.0}),
        ),
        // The value of a page's control is a text.
        (
            json!({"type": "update_processing", "process_every": "45"}),
            json!({"type": "processing_updated", "process_every": 45, "interval": 1.5}),
        ),
        (
            json!({"type": "update_max_latency", "max_latency": 2.5}),
            json!({"type": "max_latency_updated", "max_latency": 2.5}),
        ),
        (
            json!({"type": "set_debug", "debug": true}),
            json!({"type": "debug_updated", "debug": true}),
        ),
        (
            json!({"type": "update_processing", "interval": 0.1}),
            json!({"type": "processing_updated", "process_every": 3, "interval": 0.1}),
        ),
    ] {
        assert_eq!(socket.ask(&message).await, expected, "{message}");
    }
    let sender = page.send_video(&id).await.unwrap();
    let debug = socket.next_of(&["debug"]).await;
    assert!(debug["text"].as_str().unwrap().contains("llava:7b"), "{debug}");
    sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn models_and_services_are_listed() {
    let vlm = Vlm::saying(MODELS, "Yes.").await;
    let server = Server::start(&["--api-base", vlm.base()]).await;
    let script = server.script();
    let listed = script.get_json("/models").await;
    let models: Vec<_> = listed["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| (model["id"].as_str().unwrap(), model["name"].as_str().unwrap()))
        .collect();
    assert_eq!(models, MODELS.iter().map(|id| (*id, *id)).collect::<Vec<_>>());
    let current: Vec<_> =
        listed["models"].as_array().unwrap().iter().map(|model| &model["current"]).collect();
    assert_eq!(current, [&json!(false), &json!(true), &json!(false)]);

    let other = Vlm::saying(&["other-vl"], "Yes.").await;
    let listed = script.get_json(&format!("/models?api_base={}&api_key=", other.base())).await;
    assert_eq!(listed["models"][0]["id"], "other-vl");
    assert_eq!(listed["models"][0]["current"], false);

    let services = script.get_json("/detect-services").await;
    let detected = services["detected"].as_array().unwrap();
    assert!(!detected.is_empty());
    for service in detected {
        assert!(service["name"].is_string() && service["url"].is_string(), "{service}");
    }
    assert_eq!(services["default"], detected[0]);
}

#[tokio::test]
async fn the_page_is_served_and_rtsp_is_refused_until_it_is_built() {
    let vlm = Vlm::saying(MODELS, "Yes.").await;
    let server = Server::start(&["--api-base", vlm.base()]).await;
    let script = server.script();
    let page = script.get("/").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(page.text().await.unwrap().contains("<html"));
    assert_eq!(script.get("/healthz").await.text().await.unwrap(), "ok\n");
    assert_eq!(script.get_json("/readyz").await, json!({"ready": true}));

    for path in ["/api/rtsp/start", "/api/rtsp/stop"] {
        let response = script.post(path, r#"{"rtsp_url":"rtsp://camera/1"}"#).await;
        assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED, "{path}");
    }
    let response = script.get("/api/rtsp/status").await;
    assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "not_implemented");
    let offer = json!({"sdp": "", "type": "offer", "rtsp_url": "rtsp://camera/1"});
    let refused = script.offer(&offer).await.unwrap_err();
    assert_eq!((refused.status, refused.about()), (501, ("not_implemented", "rtsp_url")));
    assert_eq!(server.sessions().count(), 0);
}

#[tokio::test]
async fn an_offer_and_a_socket_without_a_session_id_get_one() {
    let vlm = Vlm::saying(MODELS, "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let script = server.script();
    let mut given = String::new();
    let sender = Sender::connect(small_video(), async |sdp| {
        let answer = script.offer(&json!({"sdp": sdp, "type": "offer"})).await.unwrap();
        given = answer["session_id"].as_str().unwrap().to_owned();
        Ok::<_, String>(answer["sdp"].as_str().unwrap().to_owned())
    })
    .await
    .unwrap();
    sender.connected().await.unwrap();
    // The id that was given is good for the socket of the same session.
    let (mut socket, _) = script.open(&given).await;
    assert_eq!(socket.next_of(&["vlm_response"]).await["text"], "Yes.");

    let mut other = script.try_open(None).await.unwrap();
    let config = other.greeting().await;
    let id = config["session_id"].as_str().unwrap();
    assert!(uuid::Uuid::try_parse(id).is_ok() && id != given, "{config}");
    assert_eq!(server.sessions().count(), 2);
    sender.vanish().await;
    server.stop().await;
}
