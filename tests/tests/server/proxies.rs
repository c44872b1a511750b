//! Behind a proxy: the client's address and encryption are what a trusted proxy says, and nobody
//! else.

use futures_util::future::join_all;
use live_vlm_tests::{
    client::{Client, new_id},
    process::Process,
    server::Server,
    vlm::Vlm,
};
use reqwest::{Method, StatusCode, header};
use serde_json::json;

use super::PROGRAM;

/// An address by which a client is known.
const CLIENT: &str = "203.0.113.7";
const OTHER: &str = "203.0.113.8";

/// Asks for one's session by an offer that is refused, but for no other reason than the offer.
async fn offer(script: &Client, id: &str, header: (&str, &str)) -> (u16, String) {
    let body = json!({"type": "offer", "sdp": "hello", "session_id": id}).to_string();
    let request = script.request(Method::POST, "/offer").header(header.0, header.1).body(body);
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body: serde_json::Value = response.json().await.unwrap();
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

async fn owner_is_known_by(
    arguments: &[&str],
    header: &str,
    with: impl Fn(&str) -> String,
) -> bool {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server =
        Server::start(&[&["--sign-in", "off", "--api-base", vlm.base()], arguments].concat()).await;
    let script = server.script();
    let id = new_id();
    // The session is this test's own, by its socket from 127.0.0.1.
    let (_socket, _) = script.open(&id).await;
    let refused = offer(&script, &id, (header, &with(CLIENT))).await;
    let told = refused == (403, "session_taken".to_owned());
    assert!(told || refused == (400, "bad_offer".to_owned()), "{refused:?}");
    assert_eq!(offer(&script, &id, (header, &with(OTHER))).await.0, refused.0);
    told
}

#[tokio::test]
async fn clients_of_a_trusted_proxy_are_told_apart_by_their_addresses() {
    let trusted = ["--trusted-proxy", "127.0.0.0/8"];
    assert!(owner_is_known_by(&trusted, "x-forwarded-for", str::to_owned).await);
    let standard = |address: &str| format!("for={address};proto=https");
    assert!(owner_is_known_by(&trusted, "forwarded", standard).await);
}

#[tokio::test]
async fn what_anybody_else_writes_is_ignored() {
    for arguments in [&[][..], &["--trusted-proxy", "192.0.2.1"]] {
        assert!(!owner_is_known_by(arguments, "x-forwarded-for", str::to_owned).await);
        assert!(!owner_is_known_by(arguments, "forwarded", |at| format!("for={at}")).await);
    }
}

#[tokio::test]
async fn limits_are_of_the_client_and_not_of_the_proxy() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let arguments =
        ["--sessions-per-user", "1", "--trusted-proxy", "127.0.0.1", "--sign-in", "off"];
    let server = Server::start(&[&arguments, &["--api-base", vlm.base()][..]].concat()).await;
    let script = server.script();
    let (_socket, _) = script.open(&new_id()).await;
    let second = new_id();
    let own = offer(&script, &second, ("accept", "*/*")).await;
    assert_eq!(own, (429, "limit_reached".to_owned()));
    let clients = offer(&script, &second, ("x-forwarded-for", CLIENT)).await;
    assert_eq!(clients, (400, "bad_offer".to_owned()));
}

#[tokio::test]
async fn the_cookie_is_for_encrypted_connections_when_the_client_has_one() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let arguments = ["--api-base", vlm.base(), "--sign-in", "off", "--trusted-proxy", "127.0.0.1"];
    for (arguments, secure) in [(&arguments[..], true), (&arguments[..4], false)] {
        let server = Server::start(arguments).await;
        let script = server.script();
        let request = script.request(Method::GET, "/").header("x-forwarded-for", CLIENT);
        let page = request.header("x-forwarded-proto", "https").send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        let cookie = page.headers()[header::SET_COOKIE].to_str().unwrap();
        assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
    }
}

#[tokio::test]
async fn sockets_and_failures_are_counted_for_the_client_whom_a_trusted_proxy_names() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let keys = super::sign_in::Keys::new();
    let ada = keys.add("ada", &[]).await;
    let file = keys.file();
    let arguments = ["--api-base", vlm.base(), "--keys-file", &file];
    let arguments = [&arguments[..], &["--connections-per-address", "1"]].concat();
    for (more, trusted) in [(&["--trusted-proxy", "127.0.0.1"][..], true), (&[], false)] {
        let server = Server::start(&[&arguments[..], more].concat()).await;
        let script = server.script();
        let client = script.clone().with_header("x-forwarded-for", CLIENT);
        let other = script.clone().with_header("x-forwarded-for", OTHER);
        let (_first, _) = client.clone().with_bearer(&ada.key).open(&new_id()).await;
        let second = other.clone().with_bearer(&ada.key).try_open(Some(&new_id())).await;
        match second {
            Ok(_) => assert!(trusted),
            Err(refused) => {
                assert!(!trusted, "{refused:?}");
                assert_eq!(refused.body["limit"], "connections_per_address");
            }
        }
        for n in 0..11 {
            let refused = client.sign_in("lvk_wrong").await.unwrap_err();
            assert_eq!(refused.status, if n < 10 { 401 } else { 429 }, "{n}");
        }
        let others = other.sign_in("lvk_wrong").await.unwrap_err();
        assert_eq!(others.status, if trusted { 401 } else { 429 });
        server.stop().await;
    }
}

#[tokio::test]
async fn a_site_of_ipv6_fails_as_one_and_is_a_line_of_the_log_a_minute() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let here = ["--host", "127.0.0.1", "--port", "0", "--no-ssl", "--sign-in", "on"];
    let more = ["--trusted-proxy", "127.0.0.1", "--api-base", vlm.base()];
    let process = Process::start(PROGRAM, &[&here[..], &more].concat());
    let script = Client::script(&process.address("http").await);
    let of_network = async |site: u32, network: u32| {
        let address = format!("2001:db8:{site:x}:{network:x}::1");
        let request = script.request(Method::GET, "/models").header("x-forwarded-for", address);
        let request = request.header(header::AUTHORIZATION, "Bearer lvk_wrong");
        request.send().await.unwrap().status().as_u16()
    };
    let statuses = join_all((0..100).map(|network| of_network(2, network))).await;
    let count = |status| statuses.iter().filter(|own| **own == status).count();
    assert_eq!((count(401), count(429)), (60, 40));
    assert_eq!(of_network(3, 0).await, 401);
    process.signal("TERM").await;
    let log = process.ended().await.stderr;
    assert_eq!(log.matches("somebody could not sign in").count(), 2, "{log}");
}
