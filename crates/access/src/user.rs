//! Who asks something of the server.

use std::{net::IpAddr, sync::Arc};

use ring::digest::{SHA256, digest};

use crate::limits::AddressKey;

/// Who asks: a person or a program that signed in, or, where nobody needs to, a browser or an
/// address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Who: the name that a key or a token gives, or else `browser:` with a hash of the browser's
    /// cookie, or `address:` with an address. At most 256 characters, none a control character.
    pub id: Arc<str>,
    /// The groups that a key or a token puts them in.
    pub groups: Vec<String>,
    /// Whether they signed in, and `id` is a name.
    pub signed_in: bool,
}

impl User {
    /// One who signed in.
    pub fn signed_in(id: &str, groups: Vec<String>) -> Self {
        Self { id: id.into(), groups, signed_in: true }
    }

    /// A browser, which its cookie tells from others, wherever it goes.
    pub fn browser(cookie: &str) -> Self {
        // The cookie is a secret, and ids stand in logs.
        Self::nameless(&format!("browser:{}", short_hash(cookie)))
    }

    /// A client without a cookie; of IPv6, all clients of its network of 64 bits.
    pub fn address(address: IpAddr) -> Self {
        Self::nameless(&format!("address:{}", AddressKey::from(address)))
    }

    fn nameless(id: &str) -> Self {
        Self { id: id.into(), groups: Vec::new(), signed_in: false }
    }
}

/// A hash by which a secret is told from others where people read it.
fn short_hash(secret: &str) -> String {
    let hash = digest(&SHA256, secret.as_bytes());
    hash.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_itself_wherever_it_goes_and_its_cookie_is_not_shown() {
        let cookie = "0123456789abcdef0123456789abcdef";
        let one = User::browser(cookie);
        assert_eq!(one, User::browser(cookie));
        assert_ne!(one, User::browser("0123456789abcdef0123456789abcdee"));
        assert!(!format!("{one:?}").contains("0123456789"), "{one:?}");
        assert!(!one.signed_in);
    }

    #[test]
    fn an_address_is_the_same_in_both_its_forms() {
        let mapped = User::address("::ffff:192.0.2.1".parse().unwrap());
        assert_eq!(&*mapped.id, "address:192.0.2.1");
        let [one, two] =
            ["2001:db8::1", "2001:db8::2"].map(|text| User::address(text.parse().unwrap()));
        assert_eq!((&*one.id, &one), ("address:2001:db8::/64", &two));
    }
}
