//! Who a session belongs to.

use std::sync::Arc;

use uuid::{Uuid, Variant};

use crate::{
    refusal::{Code, Refusal},
    requester::Requester,
};

/// A session's id: a UUID of version 4 (RFC 9562), 122 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionId(Uuid);

/// A random UUID has about 14 different digits of 16. With fewer than this somebody typed it.
const FEWEST_DIGITS: u32 = 7;

impl SessionId {
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Reads an id that a client brought.
    ///
    /// # Errors
    /// When it is no UUID of version 4, or looks made up.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let refused = || {
            Refusal::new(
                Code::BadSessionId,
                "this session_id can be guessed; bring a random UUID of version 4 \
                 (crypto.randomUUID()), or none to be given one",
            )
            .about("session_id")
            .allowing("a random UUID of version 4")
        };
        let uuid = Uuid::try_parse(text).map_err(|_| refused())?;
        let digits = uuid
            .simple()
            .to_string()
            .chars()
            .fold(0_u32, |seen, digit| seen | 1 << digit.to_digit(16).unwrap_or(0));
        let random = uuid.get_version_num() == 4
            && uuid.get_variant() == Variant::RFC4122
            && digits.count_ones() >= FEWEST_DIGITS;
        if random { Ok(Self(uuid)) } else { Err(refused()) }
    }

    /// The first digits, for logs: enough to follow a session, too few to take it over.
    pub(crate) fn short(self) -> String {
        self.0.simple().to_string().chars().take(8).collect()
    }
}

impl std::fmt::Display for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// The user who brought a session's id first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner(Arc<str>);

impl Owner {
    /// The owner of a session that this requester opens.
    pub(crate) fn of(requester: &Requester) -> Self {
        Self(Arc::clone(&requester.user.id))
    }

    /// Whether this requester is the owner.
    pub(crate) fn is(&self, requester: &Requester) -> bool {
        self.0 == requester.user.id
    }
}

#[cfg(test)]
mod tests {
    use live_vlm_access::user::User;

    use super::*;

    #[test]
    fn random_ids_are_taken_and_written_as_they_were_brought() {
        for _ in 0..1000 {
            let id = SessionId::random();
            assert_eq!(SessionId::parse(&id.to_string()).unwrap(), id);
        }
    }

    #[test]
    fn short_typed_and_foreign_ids_are_refused() {
        for id in [
            "",
            "1",
            "my-session",
            "00000000-0000-4000-8000-000000000000",
            "11111111-2222-4333-8444-111111111111",
            "3f2b8c1e-9d4a-1c6b-8e21-5a7d0f9b6c3d",
            "3f2b8c1e-9d4a-4c6b-ce21-5a7d0f9b6c3d",
            "3f2b8c1e9d4a4c6b8e215a7d0f9b6c3d-more",
        ] {
            assert_eq!(SessionId::parse(id).unwrap_err().code, Code::BadSessionId, "{id}");
        }
    }

    fn requester(user: User, address: [u8; 4]) -> Requester {
        Requester { user, address: address.into(), credential: None }
    }

    #[test]
    fn a_session_belongs_to_the_browser_that_brought_it_wherever_it_goes() {
        let home = requester(User::browser("a"), [192, 0, 2, 1]);
        let away = requester(User::browser("a"), [192, 0, 2, 9]);
        let other = requester(User::browser("b"), [192, 0, 2, 1]);
        let script = requester(User::address(home.address), [192, 0, 2, 1]);
        let owner = Owner::of(&home);
        assert!(owner.is(&home) && owner.is(&away));
        assert!(!owner.is(&other) && !owner.is(&script));
    }

    #[test]
    fn without_a_cookie_the_address_owns() {
        let script = requester(User::address([192, 0, 2, 1].into()), [192, 0, 2, 1]);
        let elsewhere = requester(User::address([192, 0, 2, 2].into()), [192, 0, 2, 2]);
        let owner = Owner::of(&script);
        assert!(owner.is(&script));
        assert!(!owner.is(&elsewhere));
    }

    #[test]
    fn a_session_belongs_to_the_user_who_signed_in_on_whatever_device() {
        let phone = requester(User::signed_in("ada", Vec::new()), [192, 0, 2, 1]);
        let laptop = requester(User::signed_in("ada", vec!["staff".into()]), [192, 0, 2, 2]);
        let other = requester(User::signed_in("bob", Vec::new()), [192, 0, 2, 1]);
        let owner = Owner::of(&phone);
        assert!(owner.is(&laptop) && !owner.is(&other));
    }
}
