//! One who has a page's name and password, and tries what else a relay lets them do.

use std::{
    io::{ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use stun::{
    agent::TransactionId,
    attributes::{ATTR_DATA, ATTR_NONCE, ATTR_REALM, ATTR_USERNAME},
    error_code::ErrorCodeAttribute,
    integrity::MessageIntegrity,
    message::{
        BINDING_REQUEST, CLASS_ERROR_RESPONSE, CLASS_INDICATION, CLASS_REQUEST, Getter,
        METHOD_ALLOCATE, METHOD_CHANNEL_BIND, METHOD_CONNECT, METHOD_CREATE_PERMISSION,
        METHOD_SEND, Message, MessageType, Method, Setter,
    },
    textattrs::TextAttribute,
};
use turn::proto::{
    PROTO_UDP, Protocol, channum::ChannelNumber, peeraddr::PeerAddress,
    reqfamily::REQUESTED_FAMILY_IPV6, reqtrans::RequestedTransport,
};

use live_vlm_tests::LIMIT;

/// Of TCP, in REQUESTED-TRANSPORT.
const PROTO_TCP: Protocol = Protocol(6);
/// After so long a request is sent once more, as RFC 8489 has it.
const AGAIN: Duration = Duration::from_millis(500);
/// The first channel there is.
const CHANNEL: u16 = 0x4000;

/// What a relay answers: nothing more, or an error's code.
pub(super) type Answer = Result<(), u16>;

/// Whether a relay says anything by UDP.
pub(super) fn hears_udp(relay: SocketAddr) -> bool {
    let mut request = Message::new();
    request.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId::new())]).unwrap();
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect(relay).unwrap();
    socket.set_read_timeout(Some(AGAIN)).unwrap();
    socket.send(&request.raw).is_ok() && socket.recv(&mut [0; 2048]).is_ok()
}

/// A client of a relay.
pub(super) struct Probe {
    way: Way,
    name: String,
    password: String,
    /// What the relay wants to hear again.
    realm_and_nonce: Option<(String, String)>,
}

enum Way {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Probe {
    /// One that reaches the relay by UDP.
    pub(super) fn by_udp(relay: SocketAddr, name: &str, password: &str) -> Self {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        socket.connect(relay).unwrap();
        socket.set_read_timeout(Some(AGAIN)).unwrap();
        Self::new(Way::Udp(socket), name, password)
    }

    /// One that reaches the relay by TCP.
    pub(super) fn by_tcp(relay: SocketAddr, name: &str, password: &str) -> Self {
        let stream = TcpStream::connect(relay).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self::new(Way::Tcp(stream), name, password)
    }

    fn new(way: Way, name: &str, password: &str) -> Self {
        let (name, password) = (name.to_owned(), password.to_owned());
        Self { way, name, password, realm_and_nonce: None }
    }

    /// Asks for an address at the relay from which it sends UDP.
    pub(super) fn allocate(&mut self) -> Answer {
        self.ask(METHOD_ALLOCATE, &[&RequestedTransport { protocol: PROTO_UDP }])
    }

    /// The same for an IPv6 address (RFC 6156).
    pub(super) fn allocate_ipv6(&mut self) -> Answer {
        let udp = RequestedTransport { protocol: PROTO_UDP };
        self.ask(METHOD_ALLOCATE, &[&udp, &REQUESTED_FAMILY_IPV6])
    }

    /// Asks for an address at the relay from which it makes TCP connections (RFC 6062).
    pub(super) fn allocate_tcp(&mut self) -> Answer {
        self.ask(METHOD_ALLOCATE, &[&RequestedTransport { protocol: PROTO_TCP }])
    }

    /// Asks to be let through to an address, on any port.
    pub(super) fn permit(&mut self, peer: IpAddr) -> Answer {
        self.ask(METHOD_CREATE_PERMISSION, &[&PeerAddress { ip: peer, port: 9 }])
    }

    /// Asks for a channel to an address, which is a permission too.
    pub(super) fn bind(&mut self, peer: IpAddr) -> Answer {
        let channel = ChannelNumber(CHANNEL);
        self.ask(METHOD_CHANNEL_BIND, &[&channel, &PeerAddress { ip: peer, port: 9 }])
    }

    /// Asks for a TCP connection (RFC 6062).
    pub(super) fn connect(&mut self, peer: SocketAddr) -> Answer {
        self.ask(METHOD_CONNECT, &[&PeerAddress { ip: peer.ip(), port: peer.port() }])
    }

    /// Has the relay send this, if it lets it through. There is no answer to that.
    pub(super) fn send(&mut self, peer: SocketAddr, data: &[u8]) {
        let mut message = empty();
        let kind = MessageType::new(METHOD_SEND, CLASS_INDICATION);
        let peer = PeerAddress { ip: peer.ip(), port: peer.port() };
        for part in [&kind as &dyn Setter, &TransactionId::new(), &peer] {
            part.add_to(&mut message).unwrap();
        }
        message.add(ATTR_DATA, data);
        self.write(&message.raw);
    }

    fn ask(&mut self, method: Method, parts: &[&dyn Setter]) -> Answer {
        let mut answer = self.exchange(method, parts);
        // Who says nothing of themselves yet is told the realm and a nonce with the refusal.
        if self.realm_and_nonce.is_none() && code_of(&answer) == Some(401) {
            let text = |kind| TextAttribute::get_from_as(&answer, kind).unwrap().text;
            self.realm_and_nonce = Some((text(ATTR_REALM), text(ATTR_NONCE)));
            answer = self.exchange(method, parts);
        }
        code_of(&answer).map_or(Ok(()), Err)
    }

    fn exchange(&mut self, method: Method, parts: &[&dyn Setter]) -> Message {
        let mut request = empty();
        let kind = MessageType::new(method, CLASS_REQUEST);
        let id = TransactionId::new();
        for part in [&kind as &dyn Setter, &id].iter().chain(parts) {
            part.add_to(&mut request).unwrap();
        }
        if let Some((realm, nonce)) = &self.realm_and_nonce {
            let (name, password) = (self.name.clone(), self.password.clone());
            let texts = [(ATTR_USERNAME, &name), (ATTR_REALM, realm), (ATTR_NONCE, nonce)];
            for (kind, text) in texts {
                TextAttribute::new(kind, text.clone()).add_to(&mut request).unwrap();
            }
            let integrity =
                MessageIntegrity::new_long_term_integrity(name, realm.clone(), password);
            integrity.add_to(&mut request).unwrap();
        }
        let since = Instant::now();
        while since.elapsed() < LIMIT {
            self.write(&request.raw);
            while let Some(message) = self.read() {
                let mut answer = Message::new();
                answer.unmarshal_binary(&message).unwrap();
                if answer.transaction_id == request.transaction_id {
                    return answer;
                }
            }
        }
        panic!("the relay does not answer");
    }

    fn write(&mut self, message: &[u8]) {
        match &mut self.way {
            Way::Udp(socket) => assert_eq!(socket.send(message).unwrap(), message.len()),
            Way::Tcp(stream) => stream.write_all(message).unwrap(),
        }
    }

    /// `None` when it is time to say it again by UDP, which may lose it.
    fn read(&mut self) -> Option<Vec<u8>> {
        let mut message = vec![0; 2048];
        let length = match &mut self.way {
            Way::Udp(socket) => match socket.recv(&mut message) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => panic!("{error}"),
            },
            Way::Tcp(stream) => {
                stream.read_exact(&mut message[..20]).unwrap();
                let length = 20 + usize::from(u16::from_be_bytes([message[2], message[3]]));
                stream.read_exact(&mut message[20..length]).unwrap();
                length
            }
        };
        message.truncate(length);
        Some(message)
    }
}

fn empty() -> Message {
    let mut message = Message::new();
    message.write_header();
    message
}

fn code_of(answer: &Message) -> Option<u16> {
    (answer.typ.class == CLASS_ERROR_RESPONSE).then(|| {
        let mut error = ErrorCodeAttribute::default();
        error.get_from(answer).unwrap();
        error.code.0
    })
}
