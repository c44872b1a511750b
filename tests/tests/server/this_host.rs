//! A server for this host alone (`--host 127.0.0.1`).

use std::{collections::BTreeSet, net::IpAddr, sync::OnceLock};

use live_vlm::addresses;
use live_vlm_pipelines::NetworkOptions;
use live_vlm_sender::{Sender, SenderOptions};
use live_vlm_tests::{
    client::{new_id, small_video},
    server::Server,
    vlm::Vlm,
};
use serde_json::json;

use super::asking;

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_offers_no_loopback_address_connects() {
    let own: BTreeSet<IpAddr> = addresses::of_this_host().into_iter().collect();
    assert!(
        !own.is_empty(),
        "this test needs an address besides loopback, as its peer has no other way to connect; \
         give this host or container a network, without internet if you like"
    );
    let vlm = Vlm::saying(&["llava:7b"], "Here.").await;
    let server = Server::start(&asking(&vlm)).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _config) = page.open(&id).await;
    let answered = OnceLock::new();
    // As libnice does by itself, and as Firefox does: every address but loopback.
    let options = SenderOptions { network: NetworkOptions::default(), ..small_video() };
    let sender = Sender::connect(options, async |sdp| {
        assert!(!addresses_of(&sdp).iter().any(IpAddr::is_loopback), "{sdp}");
        let offer = json!({"sdp": sdp, "type": "offer", "session_id": id});
        let answer = page.offer(&offer).await.map_err(|refused| format!("{refused:?}"))?;
        let answer = answer["sdp"].as_str().unwrap().to_owned();
        answered.set(addresses_of(&answer)).unwrap();
        Ok::<_, String>(answer)
    })
    .await
    .unwrap();
    sender.connected().await.unwrap();
    assert_eq!(socket.next_of(&["vlm_response"]).await["text"], "Here.");

    let (loopback, others): (Vec<IpAddr>, Vec<IpAddr>) =
        answered.get().unwrap().iter().partition(|address| address.is_loopback());
    assert_eq!(loopback, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
    assert_eq!(others.len(), 1, "no more is opened than is needed: {others:?}");
    assert!(own.contains(&others[0]), "{others:?} of {own:?}");
    sender.vanish().await;
    server.stop().await;
}

/// Those of an SDP's candidates (RFC 8839, section 5.1).
fn addresses_of(sdp: &str) -> BTreeSet<IpAddr> {
    sdp.lines()
        .filter(|line| line.starts_with("a=candidate:"))
        .map(|line| line.split(' ').nth(4).unwrap().parse().unwrap())
        .collect()
}
