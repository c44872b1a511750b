use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use rcgen::KeyPair;
use serde_json::json;

use super::*;

fn key(kid: &str) -> VerifyingKey {
    VerifyingKey { kid: Some(kid.into()), algorithm: None, key: DecodingKey::from_ec_der(&[4; 65]) }
}

/// An issuer whose answers the test decides, and who counts the questions.
#[derive(Clone, Default)]
struct Issuer {
    publishes: Arc<Mutex<Option<String>>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    fn publish(&self, kid: Option<&str>) {
        *self.publishes.lock().unwrap() = kid.map(str::to_owned);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn start(&self) -> Jwks {
        let issuer = self.clone();
        let jwks = Jwks::start(move || {
            issuer.asked.fetch_add(1, Ordering::SeqCst);
            let kid = issuer.publishes.lock().unwrap().clone();
            async move { Ok(vec![key(&kid.ok_or("it is down")?)]) }
        });
        jwks.ready().await;
        jwks
    }
}

fn kids(jwks: &Jwks) -> Vec<String> {
    jwks.keys().iter().filter_map(|key| key.kid.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn unknown_keys_are_looked_for_at_once_and_then_no_more_than_each_30_s() {
    let issuer = Issuer::default();
    issuer.publish(Some("1"));
    let jwks = issuer.start().await;
    assert_eq!((kids(&jwks), issuer.asked()), (vec!["1".to_owned()], 1));
    issuer.publish(Some("2"));
    jwks.look_again().await;
    assert_eq!((kids(&jwks), issuer.asked()), (vec!["2".to_owned()], 2));
    for _ in 0..1000 {
        jwks.look_again().await;
    }
    assert_eq!(issuer.asked(), 2);
    tokio::time::advance(ASK_PAUSE).await;
    jwks.look_again().await;
    jwks.look_again().await;
    assert_eq!(issuer.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_one_fetch_for_an_issuer_that_is_slow() {
    let fetches = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&fetches);
    let jwks = Arc::new(Jwks::start(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async {
            tokio::time::sleep(TIMEOUT).await;
            Err::<KeySet, _>("it takes too long".into())
        }
    }));
    // In the middle of the fetch that its own clock began.
    tokio::time::sleep(TIMEOUT / 2).await;
    let ask = || {
        let jwks = Arc::clone(&jwks);
        tokio::spawn(async move {
            let began = Instant::now();
            jwks.look_again().await;
            began.elapsed()
        })
    };
    let mut waited = Vec::new();
    for asked in (0..100).map(|_| ask()).collect::<Vec<_>>() {
        waited.push(asked.await.unwrap());
    }
    assert_eq!(waited.iter().filter(|waited| !waited.is_zero()).count(), WAITING);
    assert!(waited.iter().all(|waited| *waited <= TIMEOUT / 2), "{waited:?}");
    assert_eq!(fetches.load(Ordering::SeqCst), 1);

    // Whoever asks afterwards causes one, which the next one shares.
    let first = ask();
    tokio::time::sleep(TIMEOUT / 4).await;
    let second = ask();
    assert_eq!(first.await.unwrap(), TIMEOUT);
    assert_eq!(second.await.unwrap(), TIMEOUT * 3 / 4);
    assert_eq!(fetches.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_fetch_that_does_not_end() {
    let jwks = Jwks::start(std::future::pending::<Result<KeySet, String>>);
    let began = Instant::now();
    jwks.look_again().await;
    assert_eq!(began.elapsed(), TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn keys_stay_good_for_a_day_while_their_issuer_does_not_answer() {
    let issuer = Issuer::default();
    issuer.publish(Some("1"));
    let jwks = issuer.start().await;
    issuer.publish(None);
    tokio::time::sleep(STALE.checked_sub(Duration::from_secs(1)).unwrap()).await;
    assert_eq!(kids(&jwks), ["1"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(kids(&jwks).is_empty());
    issuer.publish(Some("2"));
    tokio::time::sleep(RETRY).await;
    assert_eq!(kids(&jwks), ["2"]);
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_again_every_ten_minutes() {
    let issuer = Issuer::default();
    issuer.publish(Some("1"));
    let jwks = issuer.start().await;
    issuer.publish(Some("2"));
    tokio::time::sleep(REFRESH + Duration::from_millis(1)).await;
    assert_eq!((kids(&jwks), issuer.asked()), (vec!["2".to_owned()], 2));
    drop(jwks);
    tokio::time::sleep(10 * REFRESH).await;
    assert_eq!(issuer.asked(), 2, "the task outlives its owner");
}

#[test]
fn of_a_set_only_strong_public_keys_for_signatures_are_taken() {
    let ec = json!({"kty": "EC", "crv": "P-256", "x": "A".repeat(43), "y": "A".repeat(43)});
    let with = |name: &str, value: &str| {
        let mut key = ec.clone();
        key[name] = json!(value);
        key
    };
    let rsa = |length: usize| json!({"kty": "RSA", "n": "w".repeat(length), "e": "AQAB"});
    let set = |key: &Value| parse(json!({"keys": [key]}).to_string().as_bytes());
    for good in [ec.clone(), with("use", "sig"), with("alg", "ES256"), rsa(342)] {
        assert_eq!(set(&good).map(|keys| keys.len()), Ok(1), "{good}");
    }
    // 1024 bits, and zeros before them.
    let padded = json!({"kty": "RSA", "n": "A".repeat(200) + &"w".repeat(170), "e": "AQAB"});
    let secret = json!({"kty": "oct", "k": "c2VjcmV0"});
    let bad = [with("use", "enc"), with("alg", "none"), with("kty", "?"), rsa(171), padded, secret];
    for bad in &bad {
        assert!(set(bad).is_err(), "{bad}");
        let both = json!({"keys": [bad, with("kid", "good")]}).to_string();
        assert_eq!(parse(both.as_bytes()).unwrap()[0].kid.as_deref(), Some("good"));
    }
    for bad in ["", "[]", "{}", r#"{"keys":7}"#, r#"{"keys":[]}"#] {
        assert!(parse(bad.as_bytes()).is_err(), "{bad}");
    }
    let many = json!({"keys": vec![ec; 2 * MAX_KEYS]}).to_string();
    assert_eq!(parse(many.as_bytes()).unwrap().len(), MAX_KEYS);
}

#[test]
fn keys_are_fetched_by_https_or_from_this_host() {
    for good in [
        "https://id.example/keys",
        "http://127.0.0.1:1/keys",
        "http://localhost/keys",
        "http://localhost./keys",
        "http://0.0.0.0/keys",
        "http://[::ffff:127.0.0.1]/keys",
    ] {
        assert!(Source::new(good).is_ok(), "{good}");
    }
    for bad in ["http://id.example/keys", "file:///keys", "keys", "https://a:b@id.example/keys"] {
        let error = Source::new(bad).unwrap_err().to_string();
        assert!(error.starts_with("--jwt-jwks-url: "), "{error}");
    }
}

#[test]
fn a_public_key_is_read_from_pem_and_a_private_one_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pair = KeyPair::generate().unwrap();
    let read = |contents: &str, algorithm| {
        let path = folder.path().join("key.pem");
        std::fs::write(&path, contents).unwrap();
        from_pem(&path, Some("1".into()), &[algorithm]).map_err(|error| error.to_string())
    };
    let key = read(&pair.public_key_pem(), Algorithm::ES256).unwrap();
    assert_eq!((key.kid.as_deref(), key.key.family()), (Some("1"), AlgorithmFamily::Ec));
    let wrong = read(&pair.public_key_pem(), Algorithm::RS256).unwrap_err();
    assert!(wrong.contains("--jwt-algorithms"), "{wrong}");
    let private = read(&pair.serialize_pem(), Algorithm::ES256).unwrap_err();
    assert!(private.contains("key.pem") && private.contains("private"), "{private}");
    assert!(read("garbage", Algorithm::ES256).unwrap_err().contains("no public key"));
    let missing = from_pem(&folder.path().join("none.pem"), None, &[Algorithm::ES256]);
    assert!(missing.unwrap_err().to_string().contains("none.pem"));
}
