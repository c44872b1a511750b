//! The network.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};

use live_vlm_sandbox::Wall;

use super::{NOT_PERMITTED, Row, WORKS};
use crate::call::{at, call, number, socket};

const SECCOMP: Option<Wall> = Some(Wall::SystemCalls);

pub(super) const TCP: Row = Row {
    what: "connect or listen by TCP, to the VLM server, the metrics or the page say",
    gets: NOT_PERMITTED,
    needs: SECCOMP,
    tries: &[
        || socket(libc::AF_INET, libc::SOCK_STREAM, 0),
        || socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, libc::IPPROTO_TCP),
        || socket(libc::AF_INET6, libc::SOCK_STREAM, 0),
    ],
    anybody: true,
};

pub(super) const LOCAL: Row = Row {
    what: "reach another program by a local socket (the system's log, a database, a container)",
    gets: NOT_PERMITTED,
    needs: SECCOMP,
    tries: &[
        || socket(libc::AF_UNIX, libc::SOCK_STREAM, 0),
        || socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0),
        || socket(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0),
        // Of a pair of these each could send to others.
        || {
            let [family, kind] =
                [libc::AF_UNIX, libc::SOCK_DGRAM].map(|value| value.cast_unsigned() as usize);
            let pair = [0_i32; 2];
            call(libc::SYS_socketpair, [family, kind, 0, at(&pair), 0, 0])
        },
    ],
    anybody: true,
};

pub(super) const OTHER: Row = Row {
    what: "use any other kind of socket: raw, packets, ping, netfilter, cryptography, virtual machines",
    gets: NOT_PERMITTED,
    needs: SECCOMP,
    tries: &[
        || socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
        || socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP),
        || socket(libc::AF_INET, libc::SOCK_SEQPACKET, libc::IPPROTO_SCTP),
        || socket(libc::AF_PACKET, libc::SOCK_RAW, 0),
        || socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER),
        || socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_KOBJECT_UEVENT),
        || socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0),
        || socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0),
        || socket(libc::AF_BLUETOOTH, libc::SOCK_RAW, 0),
    ],
    anybody: false,
};

pub(super) const SERVING: Row = Row {
    what: "accept connections",
    gets: NOT_PERMITTED,
    needs: SECCOMP,
    tries: &[|| crate::call::bare(libc::SYS_listen), || crate::call::bare(libc::SYS_accept4)],
    anybody: false,
};

pub(super) const OPTIONS: Row = Row {
    what: "attach a program to a socket, or bind it to an interface",
    gets: NOT_PERMITTED,
    needs: SECCOMP,
    tries: &[
        || option(libc::SO_ATTACH_FILTER),
        || option(libc::SO_ATTACH_BPF),
        || option(libc::SO_BINDTODEVICE),
    ],
    anybody: false,
};

fn option(name: i32) -> crate::call::Gave {
    let [level, name] = [libc::SOL_SOCKET, name].map(|value| value.cast_unsigned() as usize);
    call(libc::SYS_setsockopt, [0, level, name, 0, 0, 0])
}

pub(super) const UDP: Row = Row {
    what: "send and receive UDP, to any address and at any port above 1023",
    gets: WORKS,
    needs: None,
    tries: &[
        || number(udp((Ipv4Addr::LOCALHOST, 0).into())),
        || match number(udp((Ipv6Addr::LOCALHOST, 0).into())) {
            // A host without IPv6.
            Err(libc::EADDRNOTAVAIL | libc::EAFNOSUPPORT) => Ok(0),
            other => other,
        },
    ],
    anybody: true,
};

fn udp(address: std::net::SocketAddr) -> std::io::Result<()> {
    let (one, other) = (UdpSocket::bind(address)?, UdpSocket::bind(address)?);
    one.send_to(b"x", other.local_addr()?)?;
    other.recv_from(&mut [0]).map(drop)
}

pub(super) const ADDRESSES: Row = Row {
    what: "ask for the host's interfaces and addresses",
    gets: WORKS,
    needs: None,
    tries: &[|| socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)],
    anybody: true,
};
