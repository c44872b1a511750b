//! Where the video of a server for this host alone arrives.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use live_vlm_media_processes::NetworkOptions;

use crate::addresses;

/// In networks for documentation (RFC 5737, RFC 3849), which are on no host's own. Nothing is sent
/// there.
const FAR_AWAY: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// The options for a session that begins now; the host's addresses may have changed since the one
/// before.
///
/// Firefox, like every peer that offers no loopback candidate, never reaches a server that has
/// none but loopback ones. So with loopback goes one other address of this host.
pub(crate) fn reachable(network: &NetworkOptions) -> NetworkOptions {
    let only_loopback = network.bind.is_some_and(|address| address.is_loopback());
    let also_bind = only_loopback
        .then(|| choose(FAR_AWAY.into_iter().filter_map(towards), addresses::of_this_host))
        .flatten();
    NetworkOptions { also_bind, ..network.clone() }
}

/// The first of `routed`, as browsers may be told to use the default route's address alone. A host
/// that is in no network may have `others`: IPv4 before IPv6, which peers may have switched off.
fn choose(
    routed: impl IntoIterator<Item = IpAddr>,
    others: impl FnOnce() -> Vec<IpAddr>,
) -> Option<IpAddr> {
    routed.into_iter().find(|address| !address.is_loopback()).or_else(|| {
        let others = others();
        others.iter().find(|address| address.is_ipv4()).or_else(|| others.first()).copied()
    })
}

/// This host's address from which packets to `far` leave. None is sent: a UDP socket finds its
/// route when it is connected.
fn towards(far: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match far {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((far, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    const DOCKER: IpAddr = IpAddr::V4(Ipv4Addr::new(172, 17, 0, 1));
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7));
    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn the_default_routes_address_is_taken_before_any_other() {
        assert_eq!(choose([V4, V6], || vec![DOCKER]), Some(V4));
        assert_eq!(choose([V6], || vec![DOCKER]), Some(V6));
    }

    #[test]
    fn a_host_without_a_default_route_has_its_other_addresses() {
        assert_eq!(choose([], || vec![V6, DOCKER]), Some(DOCKER));
        assert_eq!(choose([], || vec![V6]), Some(V6));
        assert_eq!(choose([LOOPBACK], || vec![DOCKER]), Some(DOCKER));
    }

    #[test]
    fn a_host_without_any_network_has_loopback_alone() {
        assert_eq!(choose([], Vec::new), None);
        assert_eq!(choose([LOOPBACK], Vec::new), None);
    }

    #[test]
    fn only_a_server_for_this_host_alone_gets_one() {
        let everywhere = NetworkOptions::default();
        assert_eq!(reachable(&everywhere), everywhere);
        let own = NetworkOptions { bind: Some(V4), ..NetworkOptions::default() };
        assert_eq!(reachable(&own), own);
        let local = NetworkOptions { bind: Some(LOOPBACK), ..NetworkOptions::default() };
        let reachable = reachable(&local);
        assert_eq!(reachable.bind, local.bind);
        assert!(reachable.also_bind.is_none_or(|address| !address.is_loopback()));
    }
}
