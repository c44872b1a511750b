//! Signing in: by a key that `live-vlm keys` made, or by a token (JWT) of somebody who is trusted
//! to say who people are. A browser gets a cookie for it.
//!
//! Locking order: the keys, then the cookies.

mod attempts;
mod commands;
mod cookies;
mod jwks;
mod jwt;
mod key_file;
mod keys;
mod names;
mod options;
mod trust;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant as Moment},
};

use governor::clock::MonotonicClock;
use secrecy::{ExposeSecret, SecretString};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep_until};

use self::{
    attempts::{Attempts, TooMany},
    cookies::Cookies,
    jwks::{Jwks, Source},
    jwt::{BadToken, KeySet, TokenRules},
    key_file::Stamp,
    keys::{KeyRecord, SecretHash},
};
pub use self::{
    commands::{KeysAction, KeysCommand, KeysError},
    cookies::{NewCookie, NotRemembered},
    key_file::KeyFileError,
    keys::NoRandomness,
    names::BadName,
    options::{Mode, PublicKeyFile, SignInOptions, SignInTable, TokenAlgorithm},
    trust::Untrusted,
};
use crate::{
    limits::{Limit, LimitReached},
    lock::lock,
    log_limit::{LogLimit, Site},
    user::User,
};

/// Who signs in with the key that the server makes when it has no other.
const RUNS_USER: &str = "operator";
/// Every failure takes this long, so that it does not tell what was wrong. Only looking for the
/// keys of an issuer, twice a minute at most, can take longer: by one fetch at most.
const FAILURE_TAKES: Duration = Duration::from_millis(250);

/// Why nobody could sign in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// The file of keys.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// The system.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// A public key.
    #[error("--jwt-key {}: {reason}", .path.display())]
    PublicKey {
        /// Its file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Where keys are published.
    #[error("--jwt-jwks-url: {reason}")]
    JwksUrl {
        /// Why.
        reason: String,
    },
    /// Tokens need more.
    #[error("tokens (JWT) need {flag}: without it, a token that was made for others would do")]
    Missing {
        /// What is missing.
        flag: &'static str,
    },
}

/// Whether people sign in, and who did. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SignIn {
    active: Option<Arc<ActiveSignIn>>,
}

#[derive(Debug)]
struct ActiveSignIn {
    /// The key that was made for this run, if there is no other way in.
    run: Option<SecretHash>,
    key_file: PathBuf,
    keys: Mutex<Keys>,
    tokens: Option<Tokens>,
    cookies: Mutex<Cookies>,
    attempts: Attempts,
    log: LogLimit<(NotSignedIn, Site)>,
}

#[derive(Debug)]
struct Keys {
    records: Vec<Arc<KeyRecord>>,
    stamp: Stamp,
}

#[derive(Debug)]
struct Tokens {
    rules: TokenRules,
    keys: Issuer,
}

#[derive(Debug)]
enum Issuer {
    Files(Arc<KeySet>),
    Published(Jwks),
}

/// One who signed in, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// Who.
    pub user: User,
    /// By what.
    pub credential: Credential,
}

/// What somebody signed in by. Sessions that were opened by it end with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    root: Root,
    until: Option<OffsetDateTime>,
    cookie: Option<SecretHash>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Root {
    /// The key that was made for this run.
    Run,
    /// A key of the file, as it was then.
    Key(Arc<KeyRecord>),
    /// A token that names this user.
    Token(Arc<str>),
}

/// Why somebody is not let in. It does not say what was wrong: that helps only those who guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CannotSignIn {
    /// What was shown signs nobody in.
    #[error("this key or token does not sign anybody in")]
    Wrong,
    /// Too many have failed from this address.
    #[error(transparent)]
    TooOften(#[from] LimitReached),
}

/// Why nobody is signed in by this. It goes to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
enum NotSignedIn {
    #[error("there is no such key")]
    NoSuchKey,
    #[error("the key has expired")]
    KeyExpired,
    #[error("tokens are not taken here, as there is neither --jwt-key nor --jwt-jwks-url")]
    NoTokens,
    #[error("a token: {0}")]
    Token(#[from] BadToken),
    #[error(
        "a token: its user has the name of one who has a key here; give that key to another name \
         (live-vlm keys list, revoke, add), as a name is one user's"
    )]
    NameOfKey,
}

impl SignIn {
    /// Everybody may come in.
    pub fn off() -> Self {
        Self { active: None }
    }

    /// Gets ready for a server that listens on `host`. Gives the key to get in by too, if the
    /// server had to make one.
    ///
    /// # Errors
    /// When keys cannot be read.
    pub async fn prepare(
        options: &SignInOptions,
        host: IpAddr,
        behind_proxy: bool,
    ) -> Result<(Self, Option<SecretString>), SignInError> {
        if !options.is_on(host, behind_proxy) {
            if behind_proxy || !host.to_canonical().is_loopback() {
                tracing::warn!(
                    %host,
                    "sign-in is off: everybody who reaches this address may open sessions, and \
                     spend the VLM's time and whatever its key pays for"
                );
            }
            return Ok((Self::off(), None));
        }
        let key_file = match &options.keys_file {
            Some(path) => path.clone(),
            None => key_file::default_path()?,
        };
        let keys = Keys::load(&key_file)?;
        let tokens = if options.wants_tokens() { Some(Tokens::new(options).await?) } else { None };
        let now = OffsetDateTime::now_utc();
        let nobody = tokens.is_none() && !keys.records.iter().any(|key| key.is_valid_at(now));
        let run = if nobody { Some(keys::new_key()?) } else { None };
        let active = ActiveSignIn {
            run: run.as_ref().map(|key| SecretHash::of(key.expose_secret())),
            key_file,
            keys: Mutex::new(keys),
            tokens,
            cookies: Mutex::default(),
            attempts: Attempts::new(MonotonicClock),
            log: LogLimit::new(1),
        };
        Ok((Self { active: Some(Arc::new(active)) }, run))
    }

    /// Whether people sign in.
    pub fn is_on(&self) -> bool {
        self.active.is_some()
    }

    /// Who has this key or token.
    ///
    /// # Errors
    /// When nobody has, or anybody may come in and there is nothing to check. The answer is the
    /// same, and takes as long, whatever was wrong.
    pub async fn check(&self, secret: &str, address: IpAddr) -> Result<Pass, CannotSignIn> {
        let began = Instant::now();
        let Some(active) = &self.active else { return Err(CannotSignIn::Wrong) };
        let why = match active.check(secret).await {
            Ok(pass) => return Ok(pass),
            Err(why) => why,
        };
        // The right key still gets in: with 256 bits there is nothing to guess, and so nobody can
        // shut others out who share their address.
        let error = match active.attempts.failed(address) {
            Ok(()) => {
                if let Some(before) = active.log.due((why, address.into()), Moment::now()) {
                    tracing::warn!(%address, %why, before, "somebody could not sign in");
                }
                CannotSignIn::Wrong
            }
            Err(TooMany { most, wait: retry_after }) => {
                let (limit, value) = (Limit::FailuresPerMinute, most.into());
                LimitReached { limit, value, retry_after }.into()
            }
        };
        sleep_until(began + FAILURE_TAKES).await;
        Err(error)
    }

    /// Signs the browser in that showed this pass.
    ///
    /// # Errors
    /// When there are too many, or nobody signs in here.
    pub fn remember(&self, pass: Pass) -> Result<NewCookie, NotRemembered> {
        let active = self.active.as_ref().ok_or(NotRemembered::Off)?;
        lock(&active.cookies).remember(pass, OffsetDateTime::now_utc())
    }

    /// Who has this cookie.
    pub fn by_cookie(&self, cookie: &str) -> Option<Pass> {
        let now = OffsetDateTime::now_utc();
        let pass = lock(&self.active.as_ref()?.cookies).find(cookie, now)?;
        self.holds(&pass.credential).then_some(pass)
    }

    /// Signs a browser out.
    pub fn forget(&self, cookie: &str) {
        if let Some(active) = &self.active {
            lock(&active.cookies).forget(cookie);
        }
    }

    /// Whether this still signs its user in: it has not expired, nor been revoked, nor has its
    /// browser signed out.
    pub fn holds(&self, credential: &Credential) -> bool {
        let Some(active) = &self.active else { return true };
        let now = OffsetDateTime::now_utc();
        credential.until.is_none_or(|until| now < until)
            && active.has(&credential.root)
            && credential.cookie.is_none_or(|cookie| lock(&active.cookies).has(&cookie))
    }

    /// Reads the keys again if their file has changed, and forgets browsers whose time is over.
    /// To be called every second or so.
    pub async fn refresh(&self) {
        let Some(active) = self.active.clone() else { return };
        // Folders can be far away.
        let _ = tokio::task::spawn_blocking(move || active.refresh()).await;
    }
}

impl ActiveSignIn {
    async fn check(&self, secret: &str) -> Result<Pass, NotSignedIn> {
        if !secret.starts_with(keys::PREFIX) {
            let tokens = self.tokens.as_ref().ok_or(NotSignedIn::NoTokens)?;
            let pass = tokens.check(secret).await?;
            // Whoever the issuer gives the name of somebody here must not become them.
            return if self.has(&pass.credential.root) {
                Ok(pass)
            } else {
                Err(NotSignedIn::NameOfKey)
            };
        }
        if self.run.is_some_and(|run| run.is_of(secret)) {
            let user = User::signed_in(RUNS_USER, Vec::new());
            return Ok(Pass { user, credential: Credential::new(Root::Run, None) });
        }
        let record = keys::find(&lock(&self.keys).records, secret);
        let record = record.ok_or(NotSignedIn::NoSuchKey)?;
        if !record.is_valid_at(OffsetDateTime::now_utc()) {
            return Err(NotSignedIn::KeyExpired);
        }
        let user = User::signed_in(&record.user, record.groups.clone());
        let until = record.expires;
        Ok(Pass { user, credential: Credential::new(Root::Key(record), until) })
    }

    fn has(&self, root: &Root) -> bool {
        lock(&self.keys).let_in(root, OffsetDateTime::now_utc())
    }

    fn refresh(&self) {
        let stamp = Stamp::now(&self.key_file);
        if lock(&self.keys).stamp != stamp {
            match Keys::load(&self.key_file) {
                Ok(keys) => {
                    tracing::info!(keys = keys.records.len(), "the keys have changed");
                    *lock(&self.keys) = keys;
                }
                Err(error) => {
                    tracing::error!(%error, "the keys have changed, and the old ones stay valid");
                    lock(&self.keys).stamp = stamp;
                }
            }
        }
        let now = OffsetDateTime::now_utc();
        let keys = lock(&self.keys);
        lock(&self.cookies).retain(now, |pass| keys.let_in(&pass.credential.root, now));
    }
}

impl Keys {
    /// Whether whoever signed in by this still may come in, as far as keys say.
    fn let_in(&self, root: &Root, now: OffsetDateTime) -> bool {
        match root {
            Root::Run => true,
            Root::Key(record) => self.records.contains(record),
            // A name is one user's: theirs who has a key that is valid.
            Root::Token(user) => {
                !self.records.iter().any(|key| *key.user == **user && key.is_valid_at(now))
            }
        }
    }

    fn load(path: &Path) -> Result<Self, KeyFileError> {
        let (records, stamp) = key_file::load(path)?;
        Ok(Self { records: records.into_iter().map(Arc::new).collect(), stamp })
    }
}

impl Tokens {
    async fn new(options: &SignInOptions) -> Result<Self, SignInError> {
        let rules = options.token_rules()?;
        let keys = if let Some(url) = &options.jwt_jwks_url {
            let source = Source::new(url)?;
            let jwks = Jwks::start(move || source.clone().fetch());
            jwks.ready().await;
            Issuer::Published(jwks)
        } else {
            let files = options.jwt_keys.iter();
            let keys =
                files.map(|file| jwks::from_pem(&file.path, file.kid.clone(), &rules.algorithms));
            Issuer::Files(Arc::new(keys.collect::<Result<_, _>>()?))
        };
        Ok(Self { rules, keys })
    }

    async fn check(&self, token: &str) -> Result<Pass, BadToken> {
        let verified = match &self.keys {
            Issuer::Files(keys) => jwt::verify(token, keys, &self.rules)?,
            Issuer::Published(jwks) => match jwt::verify(token, &jwks.keys(), &self.rules) {
                Err(BadToken::UnknownKey) => {
                    jwks.look_again().await;
                    jwt::verify(token, &jwks.keys(), &self.rules)?
                }
                verified => verified?,
            },
        };
        let root = Root::Token(Arc::clone(&verified.user.id));
        let credential = Credential::new(root, Some(verified.until));
        Ok(Pass { user: verified.user, credential })
    }
}

impl Credential {
    fn new(root: Root, until: Option<OffsetDateTime>) -> Self {
        Self { root, until, cookie: None }
    }
}
