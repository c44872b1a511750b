//! A relay (TURN) that lets those in whom a shared secret vouches for.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::hmac;
use tokio::net::UdpSocket;
use turn::{
    Error,
    auth::{AuthHandler, generate_auth_key},
    relay::relay_static::RelayAddressGeneratorStatic,
    server::{
        Server,
        config::{ConnConfig, ServerConfig},
    },
};
use webrtc_util::vnet::net::Net;

const HOST: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// The relay, on this host only.
pub struct Relay {
    server: Server,
    address: SocketAddr,
}

/// Names are a time and a text; passwords are a MAC of the name.
struct SharedSecret(String);

impl AuthHandler for SharedSecret {
    fn auth_handle(&self, name: &str, realm: &str, _: SocketAddr) -> Result<Vec<u8>, Error> {
        let until = name.split(':').next().and_then(|until| until.parse().ok());
        let until = Duration::from_secs(until.ok_or(Error::ErrFakeErr)?);
        if SystemTime::now() > UNIX_EPOCH + until {
            return Err(Error::ErrFakeErr);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.0.as_bytes());
        let password = STANDARD.encode(hmac::sign(&key, name.as_bytes()));
        Ok(generate_auth_key(name, realm, &password))
    }
}

impl Relay {
    /// A relay with this secret.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(secret: &str) -> Self {
        match Self::try_start(secret).await {
            Ok(relay) => relay,
            Err(error) => panic!("the relay does not start: {error}"),
        }
    }

    async fn try_start(secret: &str) -> Result<Self, Error> {
        let socket = Arc::new(UdpSocket::bind((HOST, 0)).await?);
        let address = socket.local_addr()?;
        let relays = RelayAddressGeneratorStatic {
            relay_address: IpAddr::V4(HOST),
            address: HOST.to_string(),
            net: Arc::new(Net::new(None)),
        };
        let server = Server::new(ServerConfig {
            conn_configs: vec![ConnConfig { conn: socket, relay_addr_generator: Box::new(relays) }],
            realm: "live-vlm.test".to_owned(),
            auth_handler: Arc::new(SharedSecret(secret.to_owned())),
            channel_bind_timeout: Duration::ZERO,
            alloc_close_notify: None,
        })
        .await?;
        Ok(Self { server, address })
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("turn:{}", self.address)
    }

    /// The same as an element takes it, for who has been given this name and password.
    pub fn url_for(&self, name: &str, password: &str) -> String {
        url_for(self.address, name, password)
    }

    /// How many allocations there are.
    ///
    /// # Panics
    /// When it has been closed.
    pub async fn allocations(&self) -> usize {
        match self.server.get_allocations_info(None).await {
            Ok(allocations) => allocations.len(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// A relay's address as an element takes it, for who has been given this name and password.
pub fn url_for(relay: SocketAddr, name: &str, password: &str) -> String {
    let encoded = |text: &str| {
        text.bytes().fold(String::new(), |text, byte| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => text + &char::from(byte).to_string(),
            _ => format!("{text}%{byte:02X}"),
        })
    };
    format!("turn://{}:{}@{relay}", encoded(name), encoded(password))
}
