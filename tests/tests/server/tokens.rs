//! Signing in with tokens (JWT) that somebody else has made.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{Router, extract::State, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use live_vlm_tests::{
    client::{Refused, new_id},
    process::{Process, home},
    server::Server,
    vlm::Vlm,
};
use rcgen::{KeyPair, PublicKeyData};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::PROGRAM;

const ISSUER: &str = "https://id.example";
/// As far as clocks may be apart.
const LEEWAY_S: u64 = 30;

/// A key of an issuer.
struct Signer {
    pair: KeyPair,
    kid: &'static str,
}

impl Signer {
    fn new(kid: &'static str) -> Self {
        Self { pair: KeyPair::generate().unwrap(), kid }
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.kid.into()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &EncodingKey::from_ec_der(&self.pair.serialize_der())).unwrap()
    }

    fn jwk(&self) -> Value {
        // A point of P-256: 4, and two coordinates.
        let point = self.pair.der_bytes();
        let coordinate = |at: usize| URL_SAFE_NO_PAD.encode(&point[at..at + 32]);
        json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.kid,
            "x": coordinate(1), "y": coordinate(33),
        })
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "live-vlm", "sub": "ada", "groups": ["staff"], "exp": now() + 600})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

/// Where an issuer publishes its keys, and how often it was asked for them.
#[derive(Clone)]
struct Published {
    url: String,
    keys: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
}

impl Published {
    async fn start(signer: &Signer) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let keys = Arc::new(Mutex::new(vec![signer.jwk()]));
        let published = Self { url, keys, asked: Arc::default() };
        let answer = async |State(published): State<Self>| {
            published.asked.fetch_add(1, Ordering::SeqCst);
            json!({"keys": *published.keys.lock().unwrap()}).to_string()
        };
        let router = Router::new().route("/keys", get(answer)).with_state(published.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        published
    }

    async fn server(&self, vlm: &Vlm) -> Server {
        let arguments = ["--jwt-jwks-url", &self.url, "--api-base", vlm.base()];
        Server::start(&[&arguments[..], &RULES].concat()).await
    }
}

const RULES: [&str; 6] =
    ["--jwt-issuer", ISSUER, "--jwt-audience", "live-vlm", "--jwt-algorithms", "ES256"];

#[tokio::test]
async fn a_good_token_signs_in_and_every_bad_one_is_refused_alike() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let signer = Signer::new("1");
    let folder = home();
    let pem = folder.path().join("issuer.pem");
    std::fs::write(&pem, signer.pair.public_key_pem()).unwrap();
    let key = format!("1={}", pem.to_str().unwrap());
    let arguments = ["--jwt-key", &key, "--api-base", vlm.base()];
    let server = Server::start(&[&arguments[..], &RULES].concat()).await;

    let good = signer.sign(&claims());
    let script = server.script().with_bearer(&good);
    let who = json!({"sign_in": "on", "user": "ada", "groups": ["staff"]});
    assert_eq!(script.get_json("/who-am-i").await, who);
    let page = server.browser().await.sign_in(&good).await.unwrap();
    assert_eq!(page.get_json("/who-am-i").await, who);
    page.open(&new_id()).await;

    // The public key, which everybody has, as the secret of an HMAC.
    let secret = EncodingKey::from_secret(signer.pair.public_key_pem().as_bytes());
    let hmac = Header { kid: Some("1".into()), ..Header::new(Algorithm::HS256) };
    let encoded = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = encoded(json!({"alg": "none", "kid": "1"}));
    let mut same = None;
    for (what, token) in [
        ("expired", signer.sign(&with("exp", json!(now() - LEEWAY_S - 1)))),
        ("of the future", signer.sign(&with("nbf", json!(now() + LEEWAY_S + 60)))),
        ("for another audience", signer.sign(&with("aud", json!("another")))),
        ("of another issuer", signer.sign(&with("iss", json!("https://evil.example")))),
        ("signed by nobody", format!("{none}.{}.", encoded(claims()))),
        ("signed with the public key", encode(&hmac, &claims(), &secret).unwrap()),
        ("signed with another's key", Signer::new("1").sign(&claims())),
        ("of an unknown key", Signer::new("2").sign(&claims())),
    ] {
        let response = server.script().with_bearer(&token).get("/models").await;
        let challenge = response.headers()["www-authenticate"].to_str().unwrap().to_owned();
        assert_eq!(challenge, "Bearer error=\"invalid_token\"", "{what}");
        let why = Refused::of(response).await;
        assert_eq!((why.status, why.about().0), (401, "sign_in_failed"), "{what}");
        assert_eq!(*same.get_or_insert_with(|| why.clone()), why, "{what}");
    }
    let why = server.browser().await.sign_in(&with("sub", json!("a")).to_string()).await;
    assert_eq!(why.unwrap_err(), same.unwrap());
}

#[tokio::test]
async fn keys_that_their_issuer_changes_are_fetched_but_not_for_every_unknown_one() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let (old, new) = (Signer::new("2025"), Signer::new("2026"));
    let published = Published::start(&old).await;
    let server = published.server(&vlm).await;
    let by = |token: &str| server.script().with_bearer(token);
    assert_eq!(by(&old.sign(&claims())).get("/who-am-i").await.status(), StatusCode::OK);
    assert_eq!(published.asked.load(Ordering::SeqCst), 1);

    *published.keys.lock().unwrap() = vec![new.jwk()];
    assert_eq!(by(&new.sign(&claims())).get("/who-am-i").await.status(), StatusCode::OK);
    assert_eq!(published.asked.load(Ordering::SeqCst), 2);
    let old = by(&old.sign(&claims())).get("/who-am-i").await;
    assert_eq!(old.status(), StatusCode::UNAUTHORIZED);
    for _ in 0..3 {
        let unknown = Signer::new("none").sign(&claims());
        assert_eq!(by(&unknown).get("/who-am-i").await.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(published.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn whoever_has_the_name_of_a_keys_user_does_not_become_them_by_a_token() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let signer = Signer::new("1");
    let published = Published::start(&signer).await;
    let keys = super::sign_in::Keys::new();
    let ada = keys.add("ada", &[]).await;
    let file = keys.file();
    let arguments = ["--keys-file", &file, "--jwt-jwks-url", &published.url];
    let arguments = [&arguments[..], &["--api-base", vlm.base()], &RULES].concat();
    let server = Server::start(&arguments).await;
    let by = |secret: &str| server.script().with_bearer(secret);
    assert_eq!(by(&ada.key).get_json("/who-am-i").await["user"], "ada");
    let refused = by(&signer.sign(&claims())).get("/who-am-i").await;
    assert_eq!(Refused::of(refused).await.about().0, "sign_in_failed");

    let bobs = signer.sign(&with("sub", json!("bob")));
    let page = server.browser().await.sign_in(&bobs).await.unwrap();
    let (mut socket, _) = page.open(&new_id()).await;
    // From now on it is another's name.
    let bob = keys.add("bob", &[]).await;
    assert_eq!(socket.next_of(&["error"]).await["code"], "sign_in_required");
    for request in [page.get("/who-am-i").await, by(&bobs).get("/who-am-i").await] {
        assert_eq!(request.status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(by(&bob.key).get_json("/who-am-i").await["user"], "bob");
}

#[tokio::test]
async fn a_session_ends_with_the_token_that_opened_it() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let signer = Signer::new("1");
    let published = Published::start(&signer).await;
    let server = published.server(&vlm).await;
    let brief = signer.sign(&with("exp", json!(now() - LEEWAY_S + 3)));
    let (mut by_token, _) = server.script().with_bearer(&brief).open(&new_id()).await;
    let page = server.browser().await.sign_in(&brief).await.unwrap();
    let (mut by_cookie, _) = page.open(&new_id()).await;
    for socket in [&mut by_token, &mut by_cookie] {
        let told = socket.next().await;
        assert_eq!(told["code"], "sign_in_required", "{told}");
        assert!(socket.closed().await.is_some());
    }
    assert_eq!(page.get("/who-am-i").await.status(), StatusCode::UNAUTHORIZED);
    // A new token goes on where the old one ended.
    assert!(page.sign_in(&signer.sign(&claims())).await.is_ok());
}

#[tokio::test]
async fn tokens_that_anybody_could_make_are_an_error_at_the_start() {
    let folder = home();
    let pem = folder.path().join("issuer.pem");
    let pair = KeyPair::generate().unwrap();
    std::fs::write(&pem, pair.public_key_pem()).unwrap();
    let private = folder.path().join("private.pem");
    std::fs::write(&private, pair.serialize_pem()).unwrap();
    let (pem, private) = (pem.to_str().unwrap(), private.to_str().unwrap());
    let whole = RULES.as_slice();
    for (arguments, says) in [
        ([&["--jwt-key", pem], &RULES[2..]].concat(), "--jwt-issuer"),
        ([&["--jwt-key", pem], &RULES[..2]].concat(), "--jwt-audience"),
        ([&["--jwt-key", pem], &RULES[..4]].concat(), "--jwt-algorithms"),
        ([&["--jwt-key", private], whole].concat(), "belongs to the issuer"),
        ([&["--jwt-key", "/none.pem"], whole].concat(), "/none.pem"),
        ([&["--jwt-jwks-url", "http://id.example/keys"], whole].concat(), "https://"),
    ] {
        let arguments =
            [&["--host", "127.0.0.1", "--port", "0", "--no-ssl"], &arguments[..]].concat();
        let ended = Process::start(PROGRAM, &arguments).ended().await;
        assert_eq!(ended.status.code(), Some(1), "{arguments:?}");
        assert!(ended.stderr.contains(says), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
}
