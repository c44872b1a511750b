//! API keys. A key is shown once, when it is made; what is kept is its hash.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConstantTimeEq};
use time::OffsetDateTime;

use super::names;

/// What every key begins with, so that people and secret scanners know one when they see it.
pub(super) const PREFIX: &str = "lvk_";
const SECRET_BYTES: usize = 32;

/// There is no randomness to be had from the system.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

/// A random text of 256 bits.
pub(super) fn random_secret() -> Result<SecretString, NoRandomness> {
    let mut bytes = [0; SECRET_BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes).into())
}

/// A new key.
pub(super) fn new_key() -> Result<SecretString, NoRandomness> {
    Ok(format!("{PREFIX}{}", random_secret()?.expose_secret()).into())
}

/// What is kept of a secret of 256 random bits. One round of SHA-256 is right for those: slow
/// hashes such as Argon2 make up for passwords that can be guessed, and nobody guesses 256 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct SecretHash([u8; 32]);

impl SecretHash {
    pub(super) fn of(secret: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
        Self(hash)
    }

    /// Whether it is of this secret; in constant time.
    pub(super) fn is_of(&self, secret: &str) -> bool {
        bool::from(self.0.ct_eq(&Self::of(secret).0))
    }

    /// A few digits, to tell things apart in logs.
    pub(super) fn short(&self) -> String {
        self.0[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretHash({}…)", self.short())
    }
}

impl TryFrom<String> for SecretHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = URL_SAFE_NO_PAD.decode(&text).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or("a hash has 43 characters")
    }
}

impl From<SecretHash> for String {
    fn from(hash: SecretHash) -> Self {
        URL_SAFE_NO_PAD.encode(hash.0)
    }
}

/// What is kept of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyRecord {
    /// What `keys revoke` is told.
    #[serde(deserialize_with = "names::read_user")]
    pub id: String,
    /// Whose it is.
    #[serde(deserialize_with = "names::read_user")]
    pub user: String,
    #[serde(default, deserialize_with = "names::read_groups")]
    pub groups: Vec<String>,
    pub sha256: SecretHash,
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<OffsetDateTime>,
}

impl KeyRecord {
    /// Whether it is valid for good.
    pub(super) fn is_valid_at(&self, now: OffsetDateTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// The record of a key. Every record is compared, each in constant time, so that how long it
/// takes tells nothing about any of them.
pub(super) fn find(records: &[Arc<KeyRecord>], key: &str) -> Option<Arc<KeyRecord>> {
    let hash = SecretHash::of(key);
    let mut found = None;
    for record in records {
        let same: Choice = record.sha256.0.ct_eq(&hash.0);
        if bool::from(same) {
            found = Some(Arc::clone(record));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, expires: Option<OffsetDateTime>) -> KeyRecord {
        KeyRecord {
            id: "1".into(),
            user: "ada".into(),
            groups: Vec::new(),
            sha256: SecretHash::of(key),
            created: OffsetDateTime::UNIX_EPOCH,
            expires,
        }
    }

    #[test]
    fn a_key_has_256_random_bits_and_is_never_printed() {
        let (one, other) = (new_key().unwrap(), new_key().unwrap());
        assert_ne!(one.expose_secret(), other.expose_secret());
        let random = one.expose_secret().strip_prefix(PREFIX).unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(random).unwrap().len(), 32);
        assert!(!format!("{one:?}").contains(random));
    }

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-4's example.
        let known = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
        assert_eq!(String::from(SecretHash::of("abc")), known);
        assert_eq!(SecretHash::try_from(known.to_owned()), Ok(SecretHash::of("abc")));
        assert!(SecretHash::try_from("short".to_owned()).is_err());
    }

    #[test]
    fn a_key_is_found_by_all_of_itself() {
        let records = ["lvk_a", "lvk_b"].map(|key| Arc::new(record(key, None)));
        assert_eq!(find(&records, "lvk_b"), Some(Arc::clone(&records[1])));
        for key in ["lvk_", "lvk_b ", "lvk_c", ""] {
            assert_eq!(find(&records, key), None, "{key}");
        }
    }

    #[test]
    fn a_key_is_valid_until_it_expires() {
        let now = OffsetDateTime::UNIX_EPOCH + time::Duration::days(1);
        let second = time::Duration::SECOND;
        assert!(record("k", None).is_valid_at(now));
        assert!(record("k", Some(now + second)).is_valid_at(now));
        assert!(!record("k", Some(now)).is_valid_at(now));
    }
}
