//! Who may come in, and whose a session is. Tokens have a file of their own: `tokens.rs`.

use std::{os::unix::fs::PermissionsExt, sync::Arc};

use live_vlm_tests::{
    client::{Client, Refused, new_id},
    process::{Process, home},
    server::Server,
    socket::Socket,
    vlm::Vlm,
};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::PROGRAM;

/// A file of keys, changed as an operator changes it.
pub(super) struct Keys {
    home: Arc<TempDir>,
}

pub(super) struct Key {
    pub(super) key: String,
    id: String,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self { home: home() }
    }

    pub(super) fn file(&self) -> String {
        self.home.path().join("keys.toml").to_str().unwrap().to_owned()
    }

    async fn run(&self, arguments: &[&str]) -> String {
        let file = self.file();
        let arguments = [&["keys", "--keys-file", &file], arguments].concat();
        let ended = Process::start(PROGRAM, &arguments).ended().await;
        assert!(ended.status.success(), "{arguments:?}: {}", ended.stderr);
        ended.stdout
    }

    pub(super) async fn add(&self, user: &str, more: &[&str]) -> Key {
        let shown = self.run(&[&["add", "--user", user], more].concat()).await;
        let key = shown.lines().next().unwrap().to_owned();
        let id = shown.rsplit("its ID is ").next().unwrap().trim().trim_end_matches('.');
        Key { key, id: id.to_owned() }
    }

    async fn revoke(&self, key: &Key) {
        self.run(&["revoke", &key.id]).await;
    }
}

/// A server with keys for Ada and Bob.
struct Scene {
    keys: Keys,
    ada: Key,
    bob: Key,
    vlm: Vlm,
    server: Server,
}

impl Scene {
    async fn new() -> Self {
        let keys = Keys::new();
        let ada = keys.add("ada", &["--group", "staff"]).await;
        let bob = keys.add("bob", &[]).await;
        let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
        let file = keys.file();
        let server = Server::start(&["--keys-file", &file, "--api-base", vlm.base()]).await;
        Self { keys, ada, bob, vlm, server }
    }

    /// A server for the same people, behind a proxy that ends TLS.
    async fn behind_tls(&self) -> Server {
        let file = self.keys.file();
        let proxy = ["--trusted-proxy", "127.0.0.1"];
        let arguments = ["--keys-file", &file, "--api-base", self.vlm.base()];
        Server::start(&[&arguments[..], &proxy].concat()).await
    }
}

fn refused(refused: &Refused) -> (u16, &str) {
    (refused.status, refused.about().0)
}

#[tokio::test]
async fn whatever_spends_or_tells_something_needs_a_user_and_the_page_does_not() {
    let scene = Scene::new().await;
    let page = scene.server.browser().await;
    for (method, path) in [
        (Method::POST, "/offer"),
        (Method::GET, "/ws"),
        (Method::GET, "/models"),
        (Method::GET, "/models?api_base=http://127.0.0.1:1"),
        (Method::GET, "/detect-services"),
        (Method::GET, "/who-am-i"),
        (Method::POST, "/api/rtsp/start"),
        (Method::POST, "/api/rtsp/stop"),
        (Method::GET, "/api/rtsp/status"),
    ] {
        let response = page.request(method, path).body("{}").send().await.unwrap();
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer", "{path}");
        let why = Refused::of(response).await;
        assert_eq!(refused(&why), (401, "sign_in_required"), "{path}");
    }
    let why = page.try_open(Some(&new_id())).await.unwrap_err();
    assert_eq!(refused(&why), (401, "sign_in_required"));
    for path in ["/", "/page.js", "/page.css", "/healthz", "/readyz"] {
        assert_eq!(page.get(path).await.status(), StatusCode::OK, "{path}");
    }
    assert_eq!(scene.server.sessions().count(), 0);

    let ada = page.sign_in(&scene.ada.key).await.unwrap();
    let who = ada.get_json("/who-am-i").await;
    assert_eq!(who, json!({"sign_in": "on", "user": "ada", "groups": ["staff"]}));
    assert_eq!(ada.get_json("/models").await["models"][0]["id"], "llava:7b");
    let script = scene.server.script().with_bearer(&scene.bob.key);
    assert_eq!(script.get_json("/who-am-i").await["user"], "bob");
    // What a proxy before us asked for is not for us.
    let basic = ada.request(Method::GET, "/who-am-i").header(header::AUTHORIZATION, "Basic eA==");
    assert_eq!(basic.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_signed_in_session_lives_and_answers() {
    let scene = Scene::new().await;
    let ada = scene.server.browser().await.sign_in(&scene.ada.key).await.unwrap();
    let id = new_id();
    let (mut socket, _) = ada.open(&id).await;
    let sender = ada.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    assert!(!scene.vlm.questions().is_empty());
    sender.vanish().await;
}

#[tokio::test]
async fn a_session_is_its_users_on_every_device_and_nobody_elses() {
    let scene = Scene::new().await;
    let ada = scene.server.browser().await.sign_in(&scene.ada.key).await.unwrap();
    let id = new_id();
    let (mut socket, _) = ada.open(&id).await;
    let bobs = scene.server.script().with_bearer(&scene.bob.key);
    for other in [&bobs, &scene.server.script().sign_in(&scene.bob.key).await.unwrap()] {
        let why = other.try_open(Some(&id)).await.unwrap_err();
        assert_eq!((refused(&why), why.about().1), ((403, "session_taken"), "session_id"));
        let offer = json!({"type": "offer", "sdp": "v=0", "session_id": id});
        assert_eq!(refused(&other.offer(&offer).await.unwrap_err()), (403, "session_taken"));
    }

    let script = scene.server.script().with_bearer(&scene.ada.key);
    let (_elsewhere, config) = script.open(&id).await;
    assert_eq!(config["session_id"], id);
    assert_eq!(socket.closed().await.map(|close| close.code), Some(CloseCode::Away));
}

#[tokio::test]
async fn a_revoked_key_ends_its_sessions_and_no_others() {
    let scene = Scene::new().await;
    let ada = scene.server.browser().await.sign_in(&scene.ada.key).await.unwrap();
    let by_key = scene.server.script().with_bearer(&scene.ada.key);
    let bob = scene.server.browser().await.sign_in(&scene.bob.key).await.unwrap();
    let (mut adas, _) = ada.open(&new_id()).await;
    let (mut adas_other, _) = by_key.open(&new_id()).await;
    let (mut bobs, _) = bob.open(&new_id()).await;

    scene.keys.revoke(&scene.ada).await;
    for socket in [&mut adas, &mut adas_other] {
        let told = socket.next().await;
        assert_eq!((&told["type"], &told["code"]), (&json!("error"), &json!("sign_in_required")));
        assert!(told["message"].as_str().unwrap().contains("revoked"), "{told}");
        assert_eq!(socket.closed().await.map(|close| close.code), Some(CloseCode::Away));
    }
    assert_eq!(refused(&ada.try_open(None).await.unwrap_err()), (401, "sign_in_required"));
    assert_eq!(refused(&by_key.try_open(None).await.unwrap_err()), (401, "sign_in_failed"));
    let again = scene.server.browser().await.sign_in(&scene.ada.key).await.unwrap_err();
    assert_eq!(refused(&again), (401, "sign_in_failed"));
    assert_eq!(bobs.so_far().await, Vec::<Value>::new());

    // A key that is added is noticed too.
    let eve = scene.keys.add("eve", &[]).await;
    let eve = scene.server.script().with_bearer(&eve.key);
    live_vlm_tests::within("the new key", async {
        while eve.get("/who-am-i").await.status() != StatusCode::OK {}
    })
    .await;
}

#[tokio::test]
async fn signing_out_ends_the_cookie_and_the_sessions_it_opened() {
    let scene = Scene::new().await;
    let ada = scene.server.browser().await.sign_in(&scene.ada.key).await.unwrap();
    let phone = scene.server.browser().await.sign_in(&scene.ada.key).await.unwrap();
    let (mut socket, _) = ada.open(&new_id()).await;
    let (mut phones, _) = phone.open(&new_id()).await;
    let response = ada.post("/sign-out", "").await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    for cookie in response.headers().get_all(header::SET_COOKIE) {
        assert!(cookie.to_str().unwrap().contains("Max-Age=0"), "{cookie:?}");
    }
    assert_eq!(socket.next().await["code"], "sign_in_required");
    assert!(socket.closed().await.is_some());
    assert_eq!(ada.get("/who-am-i").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(phones.so_far().await, Vec::<Value>::new());
    assert_eq!(phone.get("/who-am-i").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_cookie_is_for_this_site_alone_and_out_of_reach_of_scripts() {
    let scene = Scene::new().await;
    let page = scene.server.browser().await;
    let body = json!({"key": scene.ada.key}).to_string();
    let cookie = |response: &reqwest::Response| {
        response.headers()[header::SET_COOKIE].to_str().unwrap().to_owned()
    };
    let plain = cookie(&page.post("/sign-in", body.clone()).await);
    for part in ["live_vlm_sign_in=", "; HttpOnly", "; SameSite=Strict", "; Path=/", "=43200"] {
        assert!(plain.contains(part), "{plain}");
    }
    assert!(!plain.contains("Secure") && !plain.contains(&scene.ada.key), "{plain}");
    let value = |cookie: &str| cookie.split(['=', ';']).nth(1).unwrap().to_owned();
    assert_eq!(value(&plain).len(), 43);

    // Behind a proxy that ends TLS, the proxy tells.
    let proxied = scene.behind_tls().await;
    let secure = cookie(&over_tls(&proxied).post("/sign-in", body).await);
    assert!(secure.starts_with("__Host-live_vlm_sign_in="), "{secure}");
    assert!(secure.ends_with("; Secure"), "{secure}");
    assert_ne!(value(&plain), value(&secure));
}

/// A browser that a proxy brings, which speaks TLS with it.
fn over_tls(server: &Server) -> Client {
    let script = server.script().with_header("x-forwarded-proto", "https");
    script.with_header("x-forwarded-for", "203.0.113.7")
}

#[tokio::test]
async fn a_cookie_that_anybody_could_have_set_does_not_count_where_there_is_tls() {
    let scene = Scene::new().await;
    let server = scene.behind_tls().await;
    let browser = over_tls(&server);
    let cookie = async |key: &Key| {
        let body = json!({"key": key.key}).to_string();
        let response = browser.post("/sign-in", body).await;
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
        cookie.split(['=', ';']).nth(1).unwrap().to_owned()
    };
    let (ada, bob) = (cookie(&scene.ada).await, cookie(&scene.bob).await);
    let who = async |client: &Client, cookie: &str| {
        client.clone().with_cookie(cookie).get_json("/who-am-i").await["user"].clone()
    };
    let adas = format!("__Host-live_vlm_sign_in={ada}");
    // Set by another port, by plain HTTP, or by a site beside this one; some several times.
    let plain = format!("live_vlm_sign_in={bob}");
    let junk = "live_vlm_sign_in=a; live_vlm_sign_in=b; live_vlm_sign_in=c";
    for planted in [plain.as_str(), junk, &format!("{junk}; {plain}")] {
        for sent in [format!("{planted}; {adas}"), format!("{adas}; {planted}")] {
            assert_eq!(who(&browser, &sent).await, "ada", "{sent}");
        }
        assert_eq!(who(&browser, planted).await, Value::Null, "{planted}");
    }
    // Without TLS it is the other one that counts, however many stand before it.
    let script = server.script();
    assert_eq!(who(&script, &adas).await, Value::Null);
    assert_eq!(who(&script, &format!("{adas}; {junk}; {plain}")).await, "bob");

    // Signing out ends each that was sent.
    let sent = format!("{junk}; {plain}; {adas}");
    let response = browser.clone().with_cookie(&sent).post("/sign-out", "").await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(who(&browser, &adas).await, Value::Null);
    assert_eq!(who(&script, &plain).await, Value::Null);
}

#[tokio::test]
async fn other_sites_pages_can_neither_use_a_sign_in_nor_make_one() {
    let scene = Scene::new().await;
    let ada = scene.server.browser().await.sign_in(&scene.ada.key).await.unwrap();
    let key = json!({"key": scene.ada.key}).to_string();
    for path in ["/offer", "/sign-in", "/sign-out", "/api/rtsp/start"] {
        for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")]
        {
            let request = ada.request(Method::POST, path).header(name, value).body(key.clone());
            let why = Refused::of(request.send().await.unwrap()).await;
            assert_eq!(refused(&why), (403, "foreign_origin"), "{path} {name}");
        }
    }
    let request = ada.request(Method::GET, "/").build().unwrap();
    let cookie = request.headers()[header::COOKIE].to_str().unwrap();
    let url = format!("ws://{}/ws?session_id={}", scene.server.address(), new_id());
    let foreign = Socket::open(&url, Some(cookie), Some("https://evil.example")).await;
    assert_eq!(refused(&foreign.unwrap_err()), (403, "foreign_origin"));
    assert!(Socket::open(&url, Some(cookie), None).await.is_ok());
}

#[tokio::test]
async fn guessing_is_slowed_down_and_does_not_shut_others_out() {
    let scene = Scene::new().await;
    let script = scene.server.script();
    let wrong = format!("lvk_{}", "A".repeat(43));
    let first = script.sign_in(&wrong).await.unwrap_err();
    assert_eq!(refused(&first), (401, "sign_in_failed"));
    // By each way in, and each answered as the first.
    for _ in 0..4 {
        assert_eq!(script.sign_in(&wrong).await.unwrap_err(), first);
        let bearer = script.clone().with_bearer(&wrong).get("/models").await;
        assert_eq!(Refused::of(bearer).await, first);
    }
    assert_eq!(script.sign_in("password").await.unwrap_err(), first);
    let eleventh = script.sign_in(&wrong).await.unwrap_err();
    assert_eq!(refused(&eleventh), (429, "limit_reached"));
    assert_eq!(eleventh.body["limit"], "failures_per_minute");
    assert!(eleventh.body["message"].as_str().unwrap().contains("10 times a minute"));
    let wait: u32 = eleventh.retry_after.as_deref().unwrap().parse().unwrap();
    assert!((1..=6).contains(&wait), "{wait}");
    assert!(script.sign_in(&scene.ada.key).await.is_ok());

    for (body, code) in [("", "bad_field"), ("[]", "bad_field"), (r#"{"key":7}"#, "bad_field")] {
        let why = Refused::of(script.post("/sign-in", body).await).await;
        assert_eq!(refused(&why), (400, code), "{body}");
    }
    let why = Refused::of(script.post("/sign-in", vec![b'a'; 1 << 20]).await).await;
    assert_eq!(refused(&why), (413, "too_large"));
}

#[tokio::test]
async fn keys_that_others_could_have_made_are_refused_at_the_start_and_by_commands() {
    let keys = Keys::new();
    keys.add("ada", &[]).await;
    let file = keys.file();
    let start = ["--host", "127.0.0.1", "--port", "0", "--no-ssl", "--keys-file", &file];
    let commands = [&start[..], &["keys", "list", "--keys-file", &file]];
    let refused = async |says: &str| {
        for arguments in commands {
            let ended = Process::start(PROGRAM, arguments).ended().await;
            assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
            assert!(ended.stderr.contains(says), "{arguments:?}: {}", ended.stderr);
            assert_eq!(ended.stdout, "");
        }
    };
    let folder = keys.home.path();
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o777)).unwrap();
    refused(&format!("{0}: others may write to it; run chmod go-w {0}", folder.display())).await;
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).unwrap();

    let text = std::fs::read_to_string(&file).unwrap();
    let at = text.lines().position(|line| line.starts_with("user")).unwrap() + 1;
    std::fs::write(&file, text.replace("\"ada\"", "\"a\\u202eda\"")).unwrap();
    refused(&format!("{file}:{at}: a name has 1 to 256 characters")).await;

    std::fs::remove_file(&file).unwrap();
    let made = std::process::Command::new("mkfifo").args(["-m", "600", &file]).status().unwrap();
    assert!(made.success());
    refused(&format!("{file}: it is not a file")).await;
}

#[tokio::test]
async fn a_server_for_everybody_makes_a_key_and_tells_it_to_whoever_starts_it() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let mut keys = Vec::new();
    let home = home();
    for _ in 0..2 {
        let arguments = ["--port", "0", "--api-base", vlm.base(), "--log", "trace"];
        let process = Process::start_at(&home, PROGRAM, &arguments, &[]);
        let page = process.browser().await;
        let why = page.try_open(None).await.unwrap_err();
        assert_eq!(refused(&why), (401, "sign_in_required"));
        let key = process.key().await.expect("a key in the address");
        let own = page.sign_in(&key).await.unwrap();
        own.open(&new_id()).await;
        assert_eq!(own.get_json("/who-am-i").await["user"], "operator");
        // Over TLS too, by a cookie that plain HTTP cannot replace.
        let secure = Client::script(&process.address("https").await);
        let body = json!({"key": key}).to_string();
        let response = secure.post("/sign-in", body).await;
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(cookie.starts_with("__Host-") && cookie.ends_with("; Secure"), "{cookie}");
        process.signal("TERM").await;
        let ended = process.ended().await;
        assert!(ended.status.success() && !ended.stderr.contains(&key), "{}", ended.stderr);
        keys.push(key);
    }
    assert_ne!(keys[0], keys[1]);
    assert!(!home.path().join("live-vlm/keys.toml").exists());

    // With a key of one's own there is no need for another.
    Process::start_at(&home, PROGRAM, &["keys", "add", "--user", "ada"], &[]).ended().await;
    let arguments = ["--port", "0", "--api-base", vlm.base()];
    let process = Process::start_at(&home, PROGRAM, &arguments, &[]);
    assert_eq!(process.key().await, None);
    let why = process.browser().await.try_open(None).await.unwrap_err();
    assert_eq!(refused(&why), (401, "sign_in_required"));
}

#[tokio::test]
async fn without_sign_in_a_server_for_everybody_says_what_that_means_and_one_for_this_host_is_quiet()
 {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let open = ["--port", "0", "--no-ssl", "--api-base", vlm.base(), "--sign-in", "off"];
    let process = Process::start(PROGRAM, &open);
    process.browser().await.open(&new_id()).await;
    assert_eq!(process.key().await, None);
    let line = process.logged("sign-in is off").await;
    assert!(line.contains("WARN") && line.contains("everybody who reaches"), "{line}");

    let here = ["--host", "127.0.0.1", "--port", "0", "--api-base", vlm.base()];
    let process = Process::start(PROGRAM, &here);
    let page = process.browser().await;
    page.open(&new_id()).await;
    let who = page.get_json("/who-am-i").await;
    assert_eq!(who["sign_in"], "off");
    assert!(who["user"].as_str().unwrap().starts_with("browser:"), "{who}");
    assert_eq!(process.key().await, None);
    assert!(!process.log().contains("sign-in"), "{}", process.log());
}

#[tokio::test]
async fn no_key_token_or_cookie_is_in_the_log_and_each_kind_of_failure_is_there_once() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let keys = Keys::new();
    let ada = keys.add("ada", &[]).await;
    let file = keys.file();
    let here = ["--host", "127.0.0.1", "--port", "0", "--no-ssl", "--api-base", vlm.base()];
    let arguments = [&here[..], &["--keys-file", &file, "--log", "trace"]];
    let process = Process::start(PROGRAM, &arguments.concat());
    let page = process.browser().await;
    let wrong = "lvk_wrong-but-nobodys-business";
    let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.c2VjcmV0";
    page.sign_in(wrong).await.unwrap_err();
    page.sign_in(token).await.unwrap_err();
    page.clone().with_bearer(&format!("{wrong}2")).get("/models").await;
    page.post("/sign-in", format!(r#"{{"key": "{wrong}"#)).await;
    let own = page.sign_in(&ada.key).await.unwrap();
    let (_socket, _) = own.open(&new_id()).await;
    let script = process.browser().await.with_bearer(&ada.key);
    script.open(&new_id()).await;
    let request = own.request(Method::GET, "/").build().unwrap();
    let cookies = request.headers()[header::COOKIE].to_str().unwrap().to_owned();
    process.signal("TERM").await;
    let ended = process.ended().await;
    assert!(ended.stderr.contains("TRACE") && ended.stderr.contains("signed in user=\"ada\""));
    let failures = ended.stderr.lines().filter(|line| line.contains("could not sign in"));
    // A key that there is not, twice, and a token where none is taken.
    assert_eq!(failures.count(), 2, "{}", ended.stderr);
    let cookies = cookies.split("; ").filter_map(|cookie| cookie.split_once('='));
    for secret in [wrong, token, &ada.key].into_iter().chain(cookies.map(|(_, value)| value)) {
        let line = ended.stderr.lines().find(|line| line.contains(secret));
        assert_eq!(line, None);
        assert!(!ended.stdout.contains(secret), "{}", ended.stdout);
    }
}
