//! Who makes a request. `routes/identify.rs` finds it out.

use std::{net::IpAddr, sync::Arc};

use live_vlm_access::{limits::Party, sign_in::Credential, user::User};
use live_vlm_media_processes::Owner;

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Requester {
    pub(crate) user: User,
    /// Where the request came from.
    pub(crate) address: IpAddr,
    /// What the user signed in by; `None` where nobody signs in.
    pub(crate) credential: Option<Credential>,
}

impl Requester {
    /// Whom the request counts for.
    pub(crate) fn party(&self) -> Party {
        match self.user.signed_in {
            true => Party::User(Arc::clone(&self.user.id)),
            false => Party::Address(self.address.into()),
        }
    }

    /// Whose a video of theirs is, and who is blamed if it ends a media process.
    pub(crate) fn owner_of_videos(&self) -> Owner {
        let user = &self.user.id;
        match self.user.signed_in {
            true => Owner::signed_in(user),
            // No name of a user begins with a space.
            false => {
                let address = format!(" {}", User::address(self.address).id);
                Owner::at_address(user, &address)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requester(user: User, address: [u8; 4]) -> Requester {
        Requester { user, address: address.into(), credential: None }
    }

    #[test]
    fn requests_count_for_whoever_signed_in_and_else_for_their_address() {
        let [phone, laptop] = [[192, 0, 2, 1], [192, 0, 2, 2]]
            .map(|address| requester(User::signed_in("ada", Vec::new()), address));
        assert_eq!(phone.party(), laptop.party());
        let other = requester(User::signed_in("bob", Vec::new()), [192, 0, 2, 1]);
        assert_ne!(phone.party(), other.party());
        // Cookies are invented easily, and so are names that look like an address.
        let [one, two] = ["a", "b"].map(|cookie| requester(User::browser(cookie), [192, 0, 2, 1]));
        assert_eq!(one.party(), two.party());
        assert_ne!(one.party(), requester(User::browser("a"), [192, 0, 2, 2]).party());
        let named = requester(User::signed_in("address:192.0.2.1", Vec::new()), [192, 0, 2, 9]);
        assert_ne!(one.party(), named.party());
    }
}
