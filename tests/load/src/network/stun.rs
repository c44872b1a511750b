//! A STUN server: tells everybody who asks what address they come from. It knows the old form
//! (RFC 3489) too, as libnice asks by it first.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};

use tokio::task::JoinHandle;

use crate::Failure;

/// Longer than any request.
const MOST: usize = 1500;

/// It answers until it is dropped.
pub(crate) struct Stun(JoinHandle<()>);

impl Stun {
    pub(crate) fn start(socket: UdpSocket) -> Result<Self, Failure> {
        socket.set_nonblocking(true)?;
        let socket = tokio::net::UdpSocket::from_std(socket)?;
        Ok(Self(tokio::spawn(async move {
            let mut buffer = [0; MOST];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                if let Some(answer) = answer(&buffer[..length], from) {
                    // Whoever does not get it asks again.
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        })))
    }
}

impl Drop for Stun {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What marks a request of the newer form (RFC 8489, section 5).
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0, 1];
const BINDING_SUCCESS: [u8; 2] = [1, 1];
const MAPPED_ADDRESS: [u8; 2] = [0, 1];
const XOR_MAPPED_ADDRESS: [u8; 2] = [0, 0x20];
const IPV4: u8 = 1;

fn answer(request: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    let SocketAddr::V4(from) = from else { return None };
    let (header, _) = request.split_first_chunk::<20>()?;
    let (kind, transaction) = (&header[..2], &header[4..]);
    if kind != BINDING_REQUEST {
        return None;
    }
    let (attribute, shown) = if transaction.starts_with(&COOKIE) {
        (XOR_MAPPED_ADDRESS, hidden(from))
    } else {
        (MAPPED_ADDRESS, from)
    };
    // The message's length, that of its one attribute, and a byte before the family.
    let (length, value) = ([0, 12], [0, 8, 0, IPV4]);
    let (port, ip) = (shown.port().to_be_bytes(), shown.ip().octets());
    Some([&BINDING_SUCCESS[..], &length, transaction, &attribute, &value, &port, &ip].concat())
}

/// An address as gateways do not know it for one, and so leave it alone (section 14.2).
fn hidden(address: SocketAddrV4) -> SocketAddrV4 {
    let cookie = u32::from_be_bytes(COOKIE);
    let ip = Ipv4Addr::from_bits(address.ip().to_bits() ^ cookie);
    SocketAddrV4::new(ip, address.port() ^ (cookie >> 16) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSACTION: [u8; 12] = [7; 12];

    fn from() -> SocketAddr {
        "192.0.2.1:32853".parse().unwrap()
    }

    #[test]
    fn whoever_asks_is_told_their_address() {
        let request = [&[0, 1, 0, 0][..], &COOKIE, &TRANSACTION].concat();
        // The address of RFC 5769, section 2.2.
        let address = [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        let expected = [&[1, 1, 0, 12][..], &COOKIE, &TRANSACTION, &address].concat();
        assert_eq!(answer(&request, from()), Some(expected));
    }

    #[test]
    fn whoever_asks_in_the_old_form_is_told_in_it() {
        let request = [&[0, 1, 0, 0][..], &[9; 4], &TRANSACTION].concat();
        let address = [0, 1, 0, 8, 0, 1, 0x80, 0x55, 192, 0, 2, 1];
        let expected = [&[1, 1, 0, 12][..], &[9; 4], &TRANSACTION, &address].concat();
        assert_eq!(answer(&request, from()), Some(expected));
    }

    #[test]
    fn what_is_no_request_is_not_answered() {
        assert_eq!(answer(b"nothing of the kind, though long", from()), None);
        assert_eq!(answer(&[0, 1, 0, 0], from()), None);
        let answered = answer(&[0, 1].repeat(10), from()).unwrap();
        assert_eq!(answer(&answered, from()), None);
    }
}
