//! ICE candidates that are in order, and others.

use fastrand::Rng;
use serde_json::{Value, json};

/// `candidate:...` as a peer on this host has it. Nobody is there.
pub(crate) fn plain(random: &mut Rng) -> String {
    let (foundation, port) = (random.u32(1..), random.u16(20_000..30_000));
    format!("candidate:{foundation} 1 udp {} 127.0.0.1 {port} typ host", random.u32(..))
}

/// A candidate that is odd in one or several of its fields, or not at all.
pub(crate) fn odd(random: &mut Rng) -> String {
    let foundations = ["1", "0", "", "a/b", "é", "4234997325"];
    let components = ["1", "1", "1", "0", "2", "256", "65535", "65536", "-1", "x"];
    let transports = ["udp", "udp", "UDP", "tcp", "TCP", "ssltcp", "dccp", ""];
    let priorities = ["2122260223", "0", "4294967295", "4294967296", "-5", "1e9"];
    let addresses = [
        "127.0.0.1",
        "127.0.0.1",
        "127.0.0.1",
        "127.5.6.7",
        "::1",
        "fe80::1%lo",
        "0.0.0.0",
        "224.0.0.251",
        "ff02::fb",
        "255.255.255.255",
        "::ffff:127.0.0.1",
        "3f1c6a9e-aaaa-bbbb-cccc-000000000000.local",
        "nobody.invalid",
        "127.1",
        "0x7f000001",
        "",
    ];
    let ports = ["9", "1", "18753", "0", "65535", "65536", "-1", "port"];
    let kinds = ["host", "host", "host", "srflx", "prflx", "relay", "hose", ""];
    let tails = [
        "",
        "",
        " generation 0",
        " raddr 0.0.0.0 rport 0",
        " raddr nobody.local rport 70000",
        " tcptype active",
        " tcptype so",
        " ufrag abcd network-id 1 network-cost 999",
        " generation",
        " a\tb",
    ];
    let mut one = |all: &[&'static str]| all[random.usize(..all.len())];
    format!(
        "candidate:{} {} {} {} {} {} typ {}{}",
        one(&foundations),
        one(&components),
        one(&transports),
        one(&priorities),
        one(&addresses),
        one(&ports),
        one(&kinds),
        one(&tails)
    )
}

/// The message of the WebSocket that trickles one.
pub(crate) fn message(random: &mut Rng) -> Value {
    let candidate = match random.u8(..8) {
        0 => String::new(),
        1 => "candidate:".to_owned(),
        2..5 => plain(random),
        _ => odd(random),
    };
    let prefix = ["", "", "", "a=", " "][random.usize(..5)];
    let candidate = format!("{prefix}{candidate}");
    let mid = ["0", "1", "video", "", "none", "0\r\na=x"][random.usize(..6)];
    let line = [0, 0, 0, 1, 2, 7, 255, 256, -1][random.usize(..9)];
    let kind = "ice_candidate";
    match random.u8(..6) {
        0 => json!({"type": kind, "candidate": candidate, "sdp_mid": mid}),
        1 => json!({"type": kind, "candidate": candidate, "sdpMid": mid}),
        2 => json!({"type": kind, "candidate": {
            "candidate": candidate, "sdpMid": mid, "sdpMLineIndex": line, "usernameFragment": "abcd",
        }}),
        3 => {
            json!({"type": kind, "candidate": candidate, "sdp_mid": mid, "sdp_m_line_index": line})
        }
        4 => json!({"type": kind, "candidate": null, "sdp_m_line_index": line}),
        _ => json!({"type": kind, "candidate": candidate, "sdp_m_line_index": line}),
    }
}
