//! Bad input gets an error that names the field and what is allowed. Nothing else changes, and
//! nobody else notices.

use live_vlm_tests::{
    client::{Client, Refused, about, new_id},
    server::Server,
    socket::Socket,
    vlm::Vlm,
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

const MEGABYTES: usize = 10_000_000;

/// A server with somebody else's session, which must notice nothing.
struct Scene {
    server: Server,
    vlm: Vlm,
    bystander: Socket,
    page: Client,
    id: String,
}

impl Scene {
    async fn new() -> Self {
        let vlm = Vlm::saying(&["llava:7b", "qwen2.5vl:3b"], "Yes.").await;
        let server = Server::start(&["--api-base", vlm.base()]).await;
        let (bystander, _) = server.browser().await.open(&new_id()).await;
        let page = server.browser().await;
        Self { server, vlm, bystander, page, id: new_id() }
    }

    /// Sends a bad message; the settings must be as before.
    async fn refused(&self, message: Message) -> Value {
        let (mut socket, before) = self.page.open(&self.id).await;
        socket.send_raw(message.clone()).await;
        let error = socket.next().await;
        assert_eq!(error["type"], "error", "{message:.200}");
        assert!(!error["message"].as_str().unwrap_or_default().is_empty(), "{error}");
        assert_eq!(self.page.settings(&self.id).await, before, "{message:.200}");
        error
    }

    async fn refused_json(&self, message: Value) -> Value {
        self.refused(Message::Text(message.to_string().into())).await
    }

    async fn refused_offer(&self, body: impl Into<reqwest::Body>) -> Refused {
        let response = self.page.post("/offer", body).await;
        let refused = Refused::of(response).await;
        assert!((400..500).contains(&refused.status), "{refused:?}");
        assert_eq!(refused.body["type"], "error", "{refused:?}");
        refused
    }

    /// Nothing came to the other session, and the server still takes new ones.
    async fn nobody_noticed(mut self) {
        assert_eq!(self.bystander.so_far().await, [] as [Value; 0]);
        let (mut socket, _) = self.page.open(&new_id()).await;
        let prompt = json!({"type": "update_prompt", "prompt": "Still there?"});
        assert_eq!(socket.ask(&prompt).await["type"], "prompt_updated");
        self.server.stop().await;
    }
}

/// What a browser would send, with the given media sections.
fn sdp(media: &str) -> String {
    let hash = vec!["AB"; 32].join(":");
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
         a=fingerprint:sha-256 {hash}\r\na=setup:actpass\r\n{media}"
    )
}

fn video_section(codec: &str) -> String {
    format!(
        "m=video 9 UDP/TLS/RTP/SAVPF 45\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\n\
         a=rtcp-mux\r\na=rtpmap:45 {codec}/90000\r\n"
    )
}

#[tokio::test]
async fn messages_that_are_none_are_refused() {
    let scene = Scene::new().await;
    for text in ["", "{", "null", "[]", "7", "\"update_prompt\"", "{\"type\":"] {
        let error = scene.refused(Message::text(text)).await;
        assert_eq!(error["code"], "bad_json", "{text}");
    }
    let error = scene.refused(Message::binary(vec![0, 1, 2, 255])).await;
    assert_eq!(error["code"], "not_a_picture");
    for message in [json!({"type": "reboot"}), json!({"type": 7}), json!({}), json!({"a": 1})] {
        let error = scene.refused_json(message.clone()).await;
        assert_eq!(about(&error), ("unknown_type", "type"), "{message}");
        assert!(error["allowed"].as_str().unwrap().contains("update_prompt, "), "{error}");
    }
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn bad_values_are_refused_with_the_field_and_what_is_allowed() {
    let scene = Scene::new().await;
    let long = "x".repeat(8001);
    for (message, field) in [
        (json!({"type": "update_processing", "process_every": 0}), "process_every"),
        (json!({"type": "update_processing", "process_every": -1}), "process_every"),
        (json!({"type": "update_processing", "process_every": 1e9}), "process_every"),
        (json!({"type": "update_processing", "process_every": "x"}), "process_every"),
        (json!({"type": "update_processing", "process_every": 1.5}), "process_every"),
        (json!({"type": "update_processing"}), "process_every"),
        (json!({"type": "update_processing", "interval": 0}), "interval"),
        (json!({"type": "update_processing", "interval": "NaN"}), "interval"),
        (json!({"type": "update_processing", "interval": 3601}), "interval"),
        (json!({"type": "update_max_latency", "max_latency": -1}), "max_latency"),
        (json!({"type": "update_max_latency", "max_latency": 11}), "max_latency"),
        (json!({"type": "update_prompt"}), "prompt"),
        (json!({"type": "update_prompt", "prompt": ""}), "prompt"),
        (json!({"type": "update_prompt", "prompt": "  "}), "prompt"),
        (json!({"type": "update_prompt", "prompt": long}), "prompt"),
        (json!({"type": "update_prompt", "prompt": ["a"]}), "prompt"),
        (json!({"type": "update_prompt", "prompt": "a", "max_tokens": 0}), "max_tokens"),
        (json!({"type": "update_prompt", "prompt": "a", "max_tokens": 32769}), "max_tokens"),
        (json!({"type": "update_prompt", "prompt": "a", "max_tokens": 1.5}), "max_tokens"),
        (json!({"type": "update_prompt", "prompt": "a", "system_prompt": 1}), "system_prompt"),
        (json!({"type": "update_model"}), "model"),
        (json!({"type": "update_model", "model": ""}), "model"),
        (json!({"type": "update_model", "model": "m", "api_base": "no url"}), "api_base"),
        (json!({"type": "update_model", "model": "m", "api_base": "ftp://host/v1"}), "api_base"),
        (json!({"type": "update_model", "model": "m", "api_base": "http://a:b@host"}), "api_base"),
        (json!({"type": "update_model", "model": "m", "api_base": 7}), "api_base"),
        (json!({"type": "set_debug", "debug": "yes"}), "debug"),
        (json!({"type": "ice_candidate", "sdp_m_line_index": "x"}), "sdp_m_line_index"),
    ] {
        let error = scene.refused_json(message.clone()).await;
        assert_eq!(about(&error), ("bad_field", field), "{message:.100}");
        assert!(error["message"].as_str().unwrap().contains(field), "{error}");
        assert!(!error["allowed"].as_str().unwrap_or_default().is_empty(), "{error}");
    }
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn a_model_that_does_not_exist_is_refused_with_those_that_do() {
    let scene = Scene::new().await;
    let own = json!({"type": "update_model", "model": "gone", "api_base": "", "api_key": ""});
    let error = scene.refused_json(own).await;
    assert_eq!(about(&error), ("bad_field", "model"));
    assert!(error["allowed"].as_str().unwrap().contains("llava:7b, qwen2.5vl:3b"), "{error}");
    let named = json!({"type": "update_model", "model": "gone", "api_base": scene.vlm.base()});
    assert_eq!(about(&scene.refused_json(named).await), ("bad_field", "model"));
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn offers_that_cannot_be_used_are_refused() {
    let scene = Scene::new().await;
    let offer = |sdp: &str| json!({"sdp": sdp, "type": "offer"}).to_string();
    let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\n";
    for (body, status, code, field) in [
        ("{".to_owned(), 400, "bad_json", ""),
        (String::new(), 400, "bad_json", ""),
        ("[]".to_owned(), 400, "bad_field", "type"),
        (json!({"type": "answer", "sdp": "v=0"}).to_string(), 400, "bad_field", "type"),
        (json!({"type": "offer"}).to_string(), 400, "bad_field", "sdp"),
        (json!({"type": "offer", "sdp": ["v=0"]}).to_string(), 400, "bad_field", "sdp"),
        (offer("hello"), 400, "bad_offer", "sdp"),
        (offer(&sdp("")), 400, "no_video", "sdp"),
        (offer(&sdp(audio)), 400, "no_video", "sdp"),
        (offer(&sdp(&video_section("AV1"))), 415, "unsupported_codec", "sdp"),
    ] {
        let refused = scene.refused_offer(body.clone()).await;
        assert_eq!((refused.status, refused.about()), (status, (code, field)), "{body:.200}");
    }
    let refused = scene.refused_offer(offer(&sdp(&video_section("AV1")))).await;
    assert!(refused.body["allowed"].as_str().unwrap().contains("VP8"), "{refused:?}");
    // The sessions that were opened for them are gone: only the bystander's is left.
    live_vlm_tests::until("the end of refused sessions", || scene.server.sessions().count() == 1)
        .await;
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn ten_megabytes_of_offer_are_refused_with_words() {
    let scene = Scene::new().await;
    let huge = json!({"sdp": "v=0\r\n".repeat(MEGABYTES / 5), "type": "offer"}).to_string();
    let large = json!({"sdp": "x".repeat(65_537), "type": "offer"}).to_string();
    for body in [huge, "x".repeat(MEGABYTES), large] {
        let refused = scene.refused_offer(body).await;
        assert_eq!((refused.status, refused.about()), (413, ("too_large", "sdp")));
        assert!(refused.body["allowed"].as_str().unwrap().contains("65536"), "{refused:?}");
    }
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn large_messages_are_refused_and_huge_ones_end_the_connection() {
    let scene = Scene::new().await;
    let message = json!({"type": "update_prompt", "prompt": "x".repeat(100_000)});
    let error = scene.refused_json(message).await;
    assert_eq!(error["code"], "too_large");
    assert!(error["allowed"].as_str().unwrap().contains("65536"), "{error}");

    for huge in [Message::text("x".repeat(MEGABYTES)), Message::binary(vec![0; MEGABYTES])] {
        let (mut socket, before) = scene.page.open(&scene.id).await;
        // The server need not read it all.
        let _ = socket.try_send(huge).await;
        let close = socket.closed().await.expect("a close frame");
        assert_eq!(close.code, CloseCode::Size, "{close:?}");
        assert_eq!(scene.page.settings(&scene.id).await, before);
    }
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn ids_that_can_be_guessed_are_refused() {
    let scene = Scene::new().await;
    for id in [
        "1",
        "my-session",
        "00000000-0000-4000-8000-000000000000",
        "11111111-1111-4111-8111-111111111111",
        // Version 1: made of the time and the machine.
        "c232ab00-9414-11ec-b3c8-9f6bdeced846",
    ] {
        let refused = scene.page.try_open(Some(id)).await.unwrap_err();
        assert_eq!((refused.status, refused.about()), (400, ("bad_session_id", "session_id")));
        assert!(refused.body["allowed"].as_str().unwrap().contains("UUID"), "{refused:?}");
        let offer = json!({"sdp": "v=0", "type": "offer", "session_id": id}).to_string();
        let refused = scene.refused_offer(offer).await;
        assert_eq!(refused.about(), ("bad_session_id", "session_id"));
    }
    let number = json!({"sdp": "v=0", "type": "offer", "session_id": 7}).to_string();
    assert_eq!(scene.refused_offer(number).await.about(), ("bad_field", "session_id"));
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn a_session_that_belongs_to_somebody_else_is_refused() {
    let scene = Scene::new().await;
    let (mut owner, before) = scene.page.open(&scene.id).await;
    let strangers = [
        scene.server.browser().await,
        scene.server.script(),
        scene.server.script().with_cookie("live_vlm=short"),
    ];
    for stranger in &strangers {
        let refused = stranger.try_open(Some(&scene.id)).await.unwrap_err();
        assert_eq!((refused.status, refused.about()), (403, ("session_taken", "session_id")));
        let offer = json!({"sdp": "v=0", "type": "offer", "session_id": scene.id});
        let refused = stranger.offer(&offer).await.unwrap_err();
        assert_eq!((refused.status, refused.about()), (403, ("session_taken", "session_id")));
    }
    assert_eq!(owner.so_far().await, [] as [Value; 0]);
    assert_eq!(scene.page.settings(&scene.id).await, before);

    // The other way round: a script's session is none of a browser's.
    let id = new_id();
    let (mut script, _) = scene.server.script().open(&id).await;
    assert_eq!(scene.page.try_open(Some(&id)).await.unwrap_err().status, 403);
    assert_eq!(script.so_far().await, [] as [Value; 0]);
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn requests_that_no_route_takes_are_refused_with_words() {
    let scene = Scene::new().await;
    for (path, status) in [
        ("/nothing", 404),
        ("/ws", 400),
        ("/models?api_base=ftp://host", 400),
        ("/models?api_base=%ff", 400),
        ("/models?api_key=a&api_key=b", 400),
        ("/ws?session_id=1&session_id=2", 400),
    ] {
        let refused = Refused::of(scene.page.get(path).await).await;
        assert_eq!(refused.status, status, "{path}");
        assert_eq!(refused.body["type"], "error", "{path}: {refused:?}");
    }
    let refused = Refused::of(scene.page.get("/offer").await).await;
    assert_eq!(refused.status, 405);
    for (body, status, about) in [
        ("", 400, ("bad_json", "")),
        ("{", 400, ("bad_json", "")),
        (r#"{"api_base": 7}"#, 400, ("bad_field", "api_base")),
        (r#"{"api_key": ["a"]}"#, 400, ("bad_field", "api_key")),
        (r#"{"api_base": "ftp://host"}"#, 400, ("bad_field", "api_base")),
        (&"a".repeat(MEGABYTES), 413, ("too_large", "")),
    ] {
        let refused = Refused::of(scene.page.post("/models", body.to_owned()).await).await;
        assert_eq!((refused.status, refused.about()), (status, about), "{body:.40}");
    }
    scene.nobody_noticed().await;
}
