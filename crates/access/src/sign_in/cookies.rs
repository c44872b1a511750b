//! Browsers that signed in, by their cookie. What is kept of a cookie is its hash.

use std::collections::HashMap;

use secrecy::{ExposeSecret, SecretString};
use time::{Duration, OffsetDateTime};

use super::{
    Pass,
    keys::{self, NoRandomness, SecretHash},
};

/// For how long a browser stays signed in, at most.
pub(super) const LASTS: Duration = Duration::hours(12);
const MOST: usize = 10_000;
/// A further one of the same user ends their oldest.
const MOST_PER_USER: usize = 100;

/// Why a browser cannot be signed in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRemembered {
    /// Everybody may come in.
    #[error("nobody signs in here")]
    Off,
    /// The system.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// There are too many.
    #[error("{MOST} browsers are signed in already")]
    Full,
}

/// A cookie to be set.
#[derive(Debug)]
pub struct NewCookie {
    /// Its value, a secret.
    pub value: SecretString,
    /// How long it lasts.
    pub lasts: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Cookies {
    signed_in: HashMap<SecretHash, SignedIn>,
    count: u64,
}

#[derive(Debug)]
struct SignedIn {
    pass: Pass,
    until: OffsetDateTime,
    number: u64,
}

impl Cookies {
    /// Signs a browser in.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn remember(
        &mut self,
        pass: Pass,
        now: OffsetDateTime,
    ) -> Result<NewCookie, NotRemembered> {
        let until = pass.credential.until.map_or(now + LASTS, |until| until.min(now + LASTS));
        let own = self.signed_in.iter().filter(|(_, other)| other.pass.user.id == pass.user.id);
        let mut own: Vec<_> = own.map(|(hash, other)| (other.number, *hash)).collect();
        own.sort_unstable_by_key(|(number, _)| *number);
        for (_, oldest) in own.iter().rev().skip(MOST_PER_USER - 1) {
            self.signed_in.remove(oldest);
        }
        if self.signed_in.len() >= MOST {
            self.retain(now, |_| true);
        }
        if self.signed_in.len() >= MOST {
            return Err(NotRemembered::Full);
        }
        let value = keys::random_secret()?;
        let hash = SecretHash::of(value.expose_secret());
        self.count += 1;
        self.signed_in.insert(hash, SignedIn { pass, until, number: self.count });
        Ok(NewCookie { value, lasts: until - now })
    }

    /// Who has this cookie.
    pub(super) fn find(&self, cookie: &str, now: OffsetDateTime) -> Option<Pass> {
        let hash = SecretHash::of(cookie);
        let found = self.signed_in.get(&hash).filter(|found| now < found.until)?;
        let mut pass = found.pass.clone();
        pass.credential.cookie = Some(hash);
        pass.credential.until = Some(found.until);
        Some(pass)
    }

    pub(super) fn has(&self, cookie: &SecretHash) -> bool {
        self.signed_in.contains_key(cookie)
    }

    /// Signs a browser out.
    pub(super) fn forget(&mut self, cookie: &str) {
        self.signed_in.remove(&SecretHash::of(cookie));
    }

    /// Forgets those whose time is over, and those that are not to be kept.
    pub(super) fn retain(&mut self, now: OffsetDateTime, mut keep: impl FnMut(&Pass) -> bool) {
        self.signed_in.retain(|_, one| now < one.until && keep(&one.pass));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sign_in::{Credential, Root},
        user::User,
    };

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn pass(user: &str, until: Option<OffsetDateTime>) -> Pass {
        Pass {
            user: User::signed_in(user, Vec::new()),
            credential: Credential { root: Root::Token(user.into()), until, cookie: None },
        }
    }

    #[test]
    fn a_browser_is_signed_in_for_twelve_hours_or_until_it_signs_out() {
        let mut cookies = Cookies::default();
        let new = cookies.remember(pass("ada", None), NOW).unwrap();
        assert_eq!(new.lasts, Duration::hours(12));
        let cookie = new.value.expose_secret();
        let found = cookies.find(cookie, NOW + LASTS - Duration::SECOND).unwrap();
        assert_eq!((&*found.user.id, found.credential.until), ("ada", Some(NOW + LASTS)));
        assert!(cookies.find(cookie, NOW + LASTS).is_none());
        assert!(cookies.find("another", NOW).is_none());
        assert!(cookies.has(&found.credential.cookie.unwrap()));
        cookies.forget(cookie);
        assert!(cookies.find(cookie, NOW).is_none());
    }

    #[test]
    fn a_browser_is_signed_in_no_longer_than_its_token_is_valid() {
        let mut cookies = Cookies::default();
        let until = NOW + Duration::MINUTE;
        let new = cookies.remember(pass("ada", Some(until)), NOW).unwrap();
        assert_eq!(new.lasts, Duration::MINUTE);
        assert!(cookies.find(new.value.expose_secret(), until).is_none());
    }

    #[test]
    fn one_user_cannot_take_the_place_of_all() {
        let mut cookies = Cookies::default();
        let bob = cookies.remember(pass("bob", None), NOW).unwrap();
        let mut adas = Vec::new();
        for _ in 0..3 * MOST_PER_USER {
            adas.push(cookies.remember(pass("ada", None), NOW).unwrap());
        }
        assert_eq!(cookies.signed_in.len(), MOST_PER_USER + 1);
        assert!(cookies.find(bob.value.expose_secret(), NOW).is_some());
        let kept = adas.iter().map(|new| cookies.find(new.value.expose_secret(), NOW).is_some());
        assert!(kept.eq((0..3 * MOST_PER_USER).map(|at| at >= 2 * MOST_PER_USER)));
    }

    #[test]
    fn when_all_places_are_taken_those_whose_time_is_over_make_room() {
        let mut cookies = Cookies::default();
        for number in 0..MOST {
            let until = Some(NOW + Duration::HOUR);
            cookies.remember(pass(&number.to_string(), until), NOW).unwrap();
        }
        assert_eq!(cookies.remember(pass("ada", None), NOW).err(), Some(NotRemembered::Full));
        cookies.remember(pass("ada", None), NOW + Duration::HOUR).unwrap();
        assert_eq!(cookies.signed_in.len(), 1);
    }
}
