//! Tokens (JWT, RFC 7519): which are taken, and whom they name.

use std::collections::HashSet;

use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, decode, decode_header, errors::ErrorKind,
};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::names;
use crate::user::User;

/// How far the issuer's clock and ours may be apart.
const LEEWAY_S: u64 = 30;
/// A longer one is no token of anybody's.
pub(super) const MAX_BYTES: usize = 16 << 10;

/// What tokens must be like.
#[derive(Debug, Clone)]
pub(super) struct TokenRules {
    pub issuer: String,
    pub audience: String,
    /// Never what a token says itself: it would choose the one that is broken.
    pub algorithms: Vec<Algorithm>,
    pub user_claim: String,
    pub groups_claim: String,
}

/// A public key by which tokens are verified.
#[derive(Debug)]
pub(super) struct VerifyingKey {
    /// Tokens that name another key are not verified by this one.
    pub kid: Option<String>,
    /// The only algorithm that it is for.
    pub algorithm: Option<Algorithm>,
    pub key: DecodingKey,
}

/// Keys by which tokens are verified.
pub(super) type KeySet = Vec<VerifyingKey>;

/// Whom a token names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verified {
    pub user: User,
    /// When it is over.
    pub until: OffsetDateTime,
}

/// Why a token is not taken. Says nothing that the token says, as it goes to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub(super) enum BadToken {
    #[error("it is no token that could be read")]
    Malformed,
    #[error("it is signed by an algorithm that --jwt-algorithms does not name")]
    Algorithm,
    #[error("it is signed with a key that is not known here")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYet,
    #[error("it is from another issuer than --jwt-issuer")]
    Issuer,
    #[error("it is for another audience than --jwt-audience")]
    Audience,
    #[error("it lacks exp, iss or aud, or has a wrong one")]
    Claims,
    #[error("the claim that --jwt-user-claim names has no name of a user")]
    User,
}

impl VerifyingKey {
    fn fits(&self, header: &Header) -> bool {
        // A key for signatures never becomes a secret for an HMAC.
        self.key.family() == header.alg.family()
            && self.algorithm.is_none_or(|algorithm| algorithm == header.alg)
            && match (&self.kid, &header.kid) {
                (Some(own), Some(named)) => own == named,
                _ => true,
            }
    }
}

/// Reads a token that one of these keys has signed. Whether it is the time of the token is asked
/// of the system's clock.
///
/// # Errors
/// When it is not to be taken.
pub(super) fn verify(
    token: &str,
    keys: &[VerifyingKey],
    rules: &TokenRules,
) -> Result<Verified, BadToken> {
    if token.len() > MAX_BYTES {
        return Err(BadToken::Malformed);
    }
    // `none` is no algorithm there, and so cannot be read.
    let header = decode_header(token).map_err(|_| BadToken::Malformed)?;
    if header.crit.is_some() {
        // RFC 7515, section 4.1.11: not to be taken by those who do not know what it demands.
        return Err(BadToken::Malformed);
    }
    if !rules.algorithms.contains(&header.alg) {
        return Err(BadToken::Algorithm);
    }
    let mut failed = BadToken::UnknownKey;
    for key in keys.iter().filter(|key| key.fits(&header)) {
        match decode::<Map<String, Value>>(token, &key.key, &validation(key, rules)) {
            Ok(data) => return read(&data.claims, rules),
            // Without a name of the key, the right one may be another, or not be known yet.
            Err(error) if is_signature(error.kind()) && header.kid.is_none() => {}
            Err(error) if is_signature(error.kind()) => failed = BadToken::Signature,
            Err(error) => return Err(reason(error.kind())),
        }
    }
    Err(failed)
}

fn validation(key: &VerifyingKey, rules: &TokenRules) -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.algorithms = rules.algorithms.clone();
    validation.algorithms.retain(|algorithm| algorithm.family() == key.key.family());
    validation.leeway = LEEWAY_S;
    validation.validate_nbf = true;
    validation.required_spec_claims = HashSet::from(["exp", "iss", "aud"].map(str::to_owned));
    validation.set_issuer(&[&rules.issuer]);
    validation.set_audience(&[&rules.audience]);
    validation
}

fn is_signature(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidSignature
            | ErrorKind::InvalidRsaKey(_)
            | ErrorKind::InvalidEcdsaKey
            | ErrorKind::InvalidEddsaKey
            | ErrorKind::InvalidKeyFormat
    )
}

fn reason(kind: &ErrorKind) -> BadToken {
    match kind {
        ErrorKind::ExpiredSignature => BadToken::Expired,
        ErrorKind::ImmatureSignature => BadToken::NotYet,
        ErrorKind::InvalidIssuer => BadToken::Issuer,
        ErrorKind::InvalidAudience => BadToken::Audience,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => BadToken::Claims,
        ErrorKind::InvalidAlgorithm => BadToken::Algorithm,
        _ => BadToken::Malformed,
    }
}

fn read(claims: &Map<String, Value>, rules: &TokenRules) -> Result<Verified, BadToken> {
    // One issuer has made it (RFC 7519, section 4.1.1); a list that has the right one, too, is not
    // refused before.
    if claims.get("iss").and_then(Value::as_str) != Some(&rules.issuer) {
        return Err(BadToken::Issuer);
    }
    let until = claims.get("exp").and_then(Value::as_f64).map(|exp| exp as i64);
    let until = until.and_then(|exp| exp.checked_add(LEEWAY_S as i64));
    let until = until.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    let user = claim(claims, &rules.user_claim).and_then(Value::as_str);
    let user = names::user(user.unwrap_or_default()).map_err(|_| BadToken::User)?;
    let groups = match claim(claims, &rules.groups_claim) {
        Some(Value::String(group)) => vec![group.as_str()],
        Some(Value::Array(groups)) => groups.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let groups = groups.into_iter().filter_map(|group| names::group(group).ok());
    let groups = groups.take(names::MOST_GROUPS).collect();
    Ok(Verified { user: User::signed_in(&user, groups), until: until.ok_or(BadToken::Claims)? })
}

/// The claim of this name, or the one that its parts lead to: `realm_access.roles`.
fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    claim(claims.get(first)?.as_object()?, rest)
}

#[cfg(test)]
#[path = "jwt_tests.rs"]
mod tests;
