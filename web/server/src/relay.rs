//! Relays (TURN, RFC 8656) for browsers that do not reach this server by UDP.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

/// How long a page can begin to use what it is given. Connections outlive it.
const LASTS: Duration = Duration::from_secs(12 * 3600);

/// Relays, and how pages are let in.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Relays {
    /// Their addresses, such as `turns:turn.example:5349`.
    #[serde(rename = "turn_servers")]
    pub urls: Vec<String>,
    /// One user for all pages; without it each is given a name of its own.
    #[serde(rename = "turn_username")]
    pub username: Option<String>,
    /// That user's password, or else the secret that this server shares with the relays.
    #[serde(rename = "turn_secret")]
    pub secret: Option<RelaySecret>,
}

/// Why no relay was of use to a page whose video did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelayFailure {
    /// None answered.
    Silent,
    /// One refused it, with this error code of STUN or TURN (RFC 8489, RFC 8656) if it is known.
    Refused {
        /// 400 to 699.
        code: Option<u16>,
    },
    /// One let it in, and the video did not arrive all the same.
    NoWay,
}

impl RelayFailure {
    /// The relay's error code, if there is one.
    pub fn code(self) -> Option<u16> {
        match self {
            Self::Refused { code } => code,
            Self::Silent | Self::NoWay => None,
        }
    }

    /// What happened and what to look at, for whoever operates the server.
    pub fn words(self) -> &'static str {
        match self {
            Self::Silent => {
                "no relay answers a page: do they run at these addresses, and let their firewalls \
                 browsers through?"
            }
            // Unauthorized, and wrong credentials.
            Self::Refused { code: None | Some(401 | 441) } => {
                "a relay refuses the name and password that this server gives to pages: has it the \
                 same secret (coturn: static-auth-secret), and are both clocks right?"
            }
            Self::Refused { .. } => "a relay refuses a page: its own log says why",
            Self::NoWay => {
                "a page reaches a relay, and this server not through it: does the relay let this \
                 server's address through (coturn: allowed-peer-ip; of a server behind NAT the \
                 outer one, which stun_server tells it), and do packets of both reach each other?"
            }
        }
    }
}

/// A secret that cannot be printed.
#[derive(Clone)]
pub struct RelaySecret(SecretString);

/// The secret for relays as it was given.
#[derive(Debug, Clone)]
pub struct GivenRelaySecret(Option<RelaySecret>);

impl FromStr for GivenRelaySecret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(RelaySecret::new(text)))
    }
}

impl GivenRelaySecret {
    /// The secret, if it is not blank.
    pub fn get(&self) -> Option<&RelaySecret> {
        self.0.as_ref()
    }
}

/// What a page gives to its browser, as `RTCIceServer` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// Where.
    pub urls: Vec<String>,
    /// Who the page is there.
    pub username: Option<String>,
    /// How it proves it.
    pub credential: Option<RelayCredential>,
}

/// A password for a relay. It is written into messages, and nowhere else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayCredential(String);

impl Relays {
    /// What to give to a page that asks now, whose session has this number among others.
    ///
    /// With a shared secret the name is the time at which it ceases to be good, and the password a
    /// MAC of it: J. Uberti, "A REST API For Access To TURN Services" (draft-uberti-behave-turn-rest),
    /// which coturn calls `use-auth-secret`.
    pub fn for_page(&self, session: &str, now: SystemTime) -> Vec<IceServer> {
        if self.urls.is_empty() {
            return Vec::new();
        }
        let (username, credential) = match (&self.username, &self.secret) {
            (Some(name), Some(password)) => {
                (Some(name.clone()), Some(RelayCredential(password.0.expose_secret().to_owned())))
            }
            (None, Some(secret)) => {
                let until = now.duration_since(UNIX_EPOCH).unwrap_or_default() + LASTS;
                let name = format!("{}:{session}", until.as_secs());
                let password = secret.mac(&name);
                (Some(name), Some(RelayCredential(password)))
            }
            (name, None) => (name.clone(), None),
        };
        vec![IceServer { urls: self.urls.clone(), username, credential }]
    }
}

impl RelaySecret {
    /// The secret in this text; `None` if it is blank.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.into()))
    }

    fn mac(&self, text: &str) -> String {
        let secret = self.0.expose_secret().as_bytes();
        // The algorithm is the relays' choice; as a MAC, SHA-1 is still good.
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
        STANDARD.encode(hmac::sign(&key, text.as_bytes()))
    }
}

impl PartialEq for RelaySecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl fmt::Debug for RelaySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelaySecret(…)")
    }
}

impl fmt::Debug for RelayCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RelayCredential(…)")
    }
}

/// That it is set, and no more.
impl Serialize for RelaySecret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("(set)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: &str = "turn:turn.example:3478";

    fn relays(username: Option<&str>) -> Relays {
        let secret = RelaySecret::new(" north \n");
        Relays { urls: vec![RELAY.to_owned()], username: username.map(str::to_owned), secret }
    }

    #[test]
    fn a_page_gets_a_name_that_ends_and_a_mac_of_it() {
        let now = UNIX_EPOCH + Duration::from_secs(1_433_895_918 - 12 * 3600);
        let given = relays(None).for_page("alice", now);
        let server = &given[0];
        assert_eq!(server.urls, [RELAY]);
        assert_eq!(server.username.as_deref(), Some("1433895918:alice"));
        // printf %s 1433895918:alice | openssl dgst -sha1 -hmac north -binary | base64
        let expected = RelayCredential("RqMvcGPYTJMGThVLSi4amT4zFtI=".into());
        assert_eq!(server.credential.as_ref(), Some(&expected));
        assert!(!format!("{given:?}{:?}", relays(None)).contains("north"));
    }

    #[test]
    fn with_a_user_the_secret_is_the_password() {
        let given = relays(Some("team")).for_page("alice", UNIX_EPOCH);
        assert_eq!(given[0].username.as_deref(), Some("team"));
        assert_eq!(given[0].credential, Some(RelayCredential("north".into())));
    }

    #[test]
    fn without_relays_there_is_nothing_to_give() {
        assert_eq!(Relays::default().for_page("alice", UNIX_EPOCH), []);
    }
}
