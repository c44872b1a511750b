//! Public keys of those who issue tokens: from files, or as their issuer publishes them (JWKS,
//! RFC 7517). Those change, so a task keeps them fresh; whoever verifies a token only reads.

use std::{path::Path, pin::pin, sync::Arc, time::Duration};

use futures_util::StreamExt;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, jwk::Jwk};
use serde_json::Value;
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use url::Url;
use vlm_client::is_this_host;

use super::{
    SignInError,
    jwt::{KeySet, VerifyingKey},
};

/// An unknown `kid` makes us look for new keys, but not more often than this: anybody can send one.
pub(super) const ASK_PAUSE: Duration = Duration::from_secs(30);
const REFRESH: Duration = Duration::from_secs(600);
const RETRY: Duration = Duration::from_secs(30);
/// For how long keys are good when newer ones are not to be had.
pub(super) const STALE: Duration = Duration::from_secs(24 * 3600);
const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_BODY: usize = 512 << 10;
const MAX_KEYS: usize = 64;
const SMALLEST_RSA_BYTES: usize = 256;
/// How many may wait for a look; further ones have the keys that there are.
const WAITING: usize = 64;

/// The keys that an issuer publishes, as they were when they were last to be had.
#[derive(Debug)]
pub(super) struct Jwks {
    fetched: watch::Receiver<Fetched>,
    asks: mpsc::Sender<oneshot::Sender<()>>,
    waiting: Semaphore,
    _task: AbortOnDropHandle<()>,
}

#[derive(Debug, Clone, Default)]
struct Fetched {
    keys: Arc<KeySet>,
    at: Option<Instant>,
}

impl Jwks {
    /// Begins to keep keys fresh, which `fetch` gets.
    pub(super) fn start<F>(fetch: impl Fn() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<KeySet, String>> + Send + 'static,
    {
        let (to, fetched) = watch::channel(Fetched::default());
        let (asks, asked) = mpsc::channel(WAITING);
        let task = tokio::spawn(keep_fresh(fetch, to, asked));
        let waiting = Semaphore::new(WAITING);
        Self { fetched, asks, waiting, _task: AbortOnDropHandle::new(task) }
    }

    /// Waits for the first keys, for as long as a fetch may take.
    pub(super) async fn ready(&self) {
        let mut fetched = self.fetched.clone();
        let _ = timeout(TIMEOUT, fetched.wait_for(|fetched| fetched.at.is_some())).await;
    }

    /// The keys; none when they are too old to be trusted.
    pub(super) fn keys(&self) -> Arc<KeySet> {
        let fetched = self.fetched.borrow();
        let good = fetched.at.is_some_and(|at| at.elapsed() < STALE);
        if good { Arc::clone(&fetched.keys) } else { Arc::default() }
    }

    /// Looks for new keys, unless that was done just before or many wait for it already. Returns
    /// when [`keys`](Self::keys) has what there is, or the time for one fetch is over.
    pub(super) async fn look_again(&self) {
        let Ok(_place) = self.waiting.try_acquire() else { return };
        let (done, answer) = oneshot::channel();
        if self.asks.try_send(done).is_ok() {
            // An error is the answer that nothing was done, or not in time.
            let _ = timeout(TIMEOUT, answer).await;
        }
    }
}

async fn keep_fresh<F>(
    fetch: impl Fn() -> F,
    to: watch::Sender<Fetched>,
    mut asked: mpsc::Receiver<oneshot::Sender<()>>,
) where
    F: Future<Output = Result<KeySet, String>>,
{
    let mut next = Instant::now();
    let mut looked: Option<Instant> = None;
    let mut failing = false;
    loop {
        let mut waiting = Vec::new();
        tokio::select! {
            () = sleep_until(next) => {}
            ask = asked.recv() => match ask {
                None => return,
                Some(_) if looked.is_some_and(|at| at.elapsed() < ASK_PAUSE) => continue,
                Some(ask) => {
                    looked = Some(Instant::now());
                    waiting.push(ask);
                }
            },
        }
        match fetch_while_asked(fetch(), &mut asked, &mut waiting).await {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "the keys of tokens were fetched");
                failing = false;
                next = Instant::now() + REFRESH;
                to.send_replace(Fetched { keys: Arc::new(keys), at: Some(Instant::now()) });
            }
            Err(error) => {
                // Once, and not every 30 s until it is well again.
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "the keys of tokens cannot be fetched; trying again");
                }
                next = Instant::now() + RETRY;
            }
        }
        for ask in waiting {
            let _ = ask.send(());
        }
    }
}

/// Fetches; whoever asks meanwhile waits for this fetch and causes no other.
async fn fetch_while_asked(
    fetch: impl Future<Output = Result<KeySet, String>>,
    asked: &mut mpsc::Receiver<oneshot::Sender<()>>,
    waiting: &mut Vec<oneshot::Sender<()>>,
) -> Result<KeySet, String> {
    let mut fetch = pin!(fetch);
    loop {
        tokio::select! {
            fetched = &mut fetch => return fetched,
            Some(ask) = asked.recv() => {
                waiting.retain(|ask| !ask.is_closed());
                waiting.push(ask);
            }
        }
    }
}

/// Where an issuer's keys are, and how they are got.
#[derive(Debug, Clone)]
pub(super) struct Source {
    url: Url,
    http: reqwest::Client,
}

impl Source {
    /// # Errors
    /// When it is no address that can be trusted.
    pub(super) fn new(url: &str) -> Result<Self, SignInError> {
        let bad = |reason: &str| SignInError::JwksUrl { reason: reason.to_owned() };
        let url = Url::parse(url).map_err(|error| bad(&error.to_string()))?;
        let here = url.host().is_some_and(|host| is_this_host(&host));
        match url.scheme() {
            "https" => {}
            "http" if here => {}
            _ => {
                return Err(bad("it must begin with https://, or anybody between could give keys"));
            }
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("a name and a password have no place in it"));
        }
        // reqwest asks for the process' provider; whoever installed one before us keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .user_agent(concat!("live-vlm/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            // Who may say which keys are good was decided by whoever gave the address.
            .redirect(reqwest::redirect::Policy::none());
        let builder = if here { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|error| bad(&error.to_string()))?;
        Ok(Self { url, http })
    }

    /// # Errors
    /// Says why there are no keys.
    pub(super) async fn fetch(self) -> Result<KeySet, String> {
        let response = self.http.get(self.url).send().await.map_err(why)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(format!("it answers with {}", response.status()));
        }
        let mut body = Vec::new();
        let mut stream = response.bytes_stream();
        while let Some(piece) = stream.next().await {
            body.extend_from_slice(&piece.map_err(why)?);
            if body.len() > MAX_BODY {
                return Err(format!("it sends more than {MAX_BODY} bytes"));
            }
        }
        parse(&body)
    }
}

fn why(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// The keys of a set that verify signatures. Others may stand beside them.
fn parse(body: &[u8]) -> Result<KeySet, String> {
    let set: Value = serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
    let keys = set.get("keys").and_then(Value::as_array).ok_or("it has no list of keys")?;
    let keys: KeySet = keys.iter().take(MAX_KEYS).filter_map(verifying_key).collect();
    if keys.is_empty() { Err("it has no key that verifies signatures".into()) } else { Ok(keys) }
}

fn verifying_key(jwk: &Value) -> Option<VerifyingKey> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let algorithm = match text("alg") {
        Some(name) => Some(name.parse::<Algorithm>().ok()?),
        None => None,
    };
    let parsed: Jwk = serde_json::from_value(jwk.clone()).ok()?;
    let key = DecodingKey::from_jwk(&parsed).ok()?;
    is_strong(&key).then(|| VerifyingKey { kid: text("kid").map(str::to_owned), algorithm, key })
}

/// Whether it is a public key, and too long to be broken.
fn is_strong(key: &DecodingKey) -> bool {
    match (key.family(), key.kind()) {
        (AlgorithmFamily::Hmac, _) => false,
        (AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, .. }) => {
            n.iter().skip_while(|byte| **byte == 0).count() >= SMALLEST_RSA_BYTES
        }
        // Modulus, exponent and a few bytes around them.
        (AlgorithmFamily::Rsa, DecodingKeyKind::SecretOrDer(der)) => der.len() > SMALLEST_RSA_BYTES,
        _ => true,
    }
}

/// Reads a public key from a PEM file.
///
/// # Errors
/// When it is none, or is for none of these algorithms.
pub(super) fn from_pem(
    path: &Path,
    kid: Option<String>,
    algorithms: &[Algorithm],
) -> Result<VerifyingKey, SignInError> {
    let bad = |reason: String| SignInError::PublicKey { path: path.to_owned(), reason };
    let pem = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    if String::from_utf8_lossy(&pem).contains("PRIVATE KEY") {
        return Err(bad("it is a private key, which belongs to the issuer alone".into()));
    }
    let key = DecodingKey::from_rsa_pem(&pem)
        .or_else(|_| DecodingKey::from_ec_pem(&pem))
        .or_else(|_| DecodingKey::from_ed_pem(&pem))
        .map_err(|_| bad("it is no public key (RSA, EC or Ed25519) in PEM".into()))?;
    if !is_strong(&key) {
        return Err(bad("an RSA key must have at least 2048 bits".into()));
    }
    if !algorithms.iter().any(|algorithm| algorithm.family() == key.family()) {
        return Err(bad("it is for none of the algorithms that --jwt-algorithms names".into()));
    }
    Ok(VerifyingKey { kid, algorithm: None, key })
}

#[cfg(test)]
#[path = "jwks_tests.rs"]
mod tests;
