//! Pages of other sites are kept out, and the page itself is bound to its own site.

use live_vlm_tests::{
    client::{Client, Refused, new_id},
    process::{Process, home},
    server::Server,
    socket::Socket,
    vlm::Vlm,
};
use reqwest::{Method, header};
use serde_json::json;

use super::PROGRAM;

#[tokio::test]
async fn other_sites_pages_are_refused_and_our_own_is_not() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&["--api-base", vlm.base()]).await;
    let page = server.browser().await;
    let own = format!("http://{}", server.address());
    let url = |id: &str| format!("ws://{}/ws?session_id={id}", server.address());
    let foreign =
        ["https://evil.example", "null", &format!("{own}.evil.example"), "http://127.0.0.1"];
    for origin in foreign {
        let refused = Socket::open(&url(&new_id()), None, Some(origin)).await.unwrap_err();
        assert_eq!((refused.status, refused.about().0), (403, "foreign_origin"), "{origin}");
        for (method, path) in
            [(Method::POST, "/offer"), (Method::GET, "/models"), (Method::GET, "/")]
        {
            let request = page.request(method, path).header(header::ORIGIN, origin);
            let refused = Refused::of(request.body("{}").send().await.unwrap()).await;
            assert_eq!((refused.status, refused.about().0), (403, "foreign_origin"), "{origin}");
        }
    }
    assert_eq!(server.sessions().count(), 0);

    let mut socket = Socket::open(&url(&new_id()), None, Some(&own)).await.unwrap();
    socket.greeting().await;
    let request = page.request(Method::POST, "/offer").header(header::ORIGIN, &own);
    let body = json!({"type": "offer", "sdp": "hello"}).to_string();
    let refused = Refused::of(request.body(body).send().await.unwrap()).await;
    assert_eq!(refused.about(), ("bad_offer", "sdp"));
}

#[tokio::test]
async fn the_page_may_load_and_run_only_what_is_its_own() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&["--api-base", vlm.base()]).await;
    let response = server.script().get("/").await;
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(header("referrer-policy"), "no-referrer");
    assert_eq!(header("cross-origin-opener-policy"), "same-origin");
    let permissions = header("permissions-policy");
    for part in ["camera=(self)", "display-capture=(self)", "microphone=()", "geolocation=()"] {
        assert!(permissions.contains(part), "{permissions}");
    }
    let cookie = header("set-cookie");
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    assert!(!cookie.contains("Secure"), "{cookie}");
    let html = response.text().await.unwrap();
    for inline in ["<script>", "<style", " style=", " onclick=", " onload=", "javascript:"] {
        assert!(!html.contains(inline), "{inline}");
    }
    // A browser that is known keeps its cookie.
    let known = server.browser().await.get("/").await;
    assert!(!known.headers().contains_key("set-cookie"));
}

#[tokio::test]
async fn every_answer_is_taken_for_what_it_is_and_shown_in_no_other_page() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let metrics =
        ["--metrics-token", "a-token-of-this-test-alone", "--metrics-listen", "127.0.0.1:0"];
    let server = Server::start(&[&["--api-base", vlm.base()][..], &metrics].concat()).await;
    let page = server.browser().await;
    let own = Client::script(&format!("http://{}", server.metrics_address().unwrap()));
    let evil = page.clone().with_header("origin", "https://evil.example");
    for (who, method, path, status, kept) in [
        (&page, Method::GET, "/", 200, "no-cache"),
        (&page, Method::GET, "/page.js", 200, "no-cache"),
        (&page, Method::POST, "/", 405, "no-store"),
        (&page, Method::GET, "/nothing", 404, "no-store"),
        (&page, Method::GET, "/offer", 405, "no-store"),
        (&page, Method::POST, "/offer", 400, "no-store"),
        (&page, Method::GET, "/ws", 400, "no-store"),
        (&page, Method::GET, "/models", 200, "no-store"),
        (&page, Method::GET, "/who-am-i", 200, "no-store"),
        (&page, Method::POST, "/sign-in", 200, "no-store"),
        (&page, Method::POST, "/sign-out", 204, "no-store"),
        (&page, Method::GET, "/api/rtsp/status", 501, "no-store"),
        (&page, Method::GET, "/healthz", 200, "no-store"),
        (&page, Method::GET, "/readyz", 200, "no-store"),
        (&page, Method::GET, "/metrics", 401, "no-store"),
        (&own, Method::GET, "/metrics", 401, "no-store"),
        (&own, Method::GET, "/", 404, "no-store"),
        (&evil, Method::GET, "/", 403, "no-store"),
    ] {
        let response = who.request(method.clone(), path).body("{}").send().await.unwrap();
        assert_eq!(response.status(), status, "{method} {path}");
        let header = |name: &str| {
            let value = response.headers().get(name).unwrap_or_else(|| panic!("{name} of {path}"));
            value.to_str().unwrap()
        };
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("cache-control"), kept, "{method} {path}");
        let policy = header("content-security-policy");
        for part in ["default-src 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
    }
}

#[tokio::test]
async fn what_a_browser_marks_as_another_sites_is_refused_on_every_route_for_users() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let asked = Vlm::saying(&["their-vl"], "Yes.").await;
    let server = Server::start(&["--api-base", vlm.base()]).await;
    let page = server.browser().await;
    let named = format!("/models?api_base={}&api_key=chosen", asked.base());
    let own = format!("http://{}", server.address());
    let routes = [
        (Method::GET, named.as_str()),
        (Method::POST, "/models"),
        (Method::GET, "/detect-services"),
        (Method::GET, "/who-am-i"),
        (Method::GET, "/api/rtsp/status"),
        (Method::GET, "/ws"),
        (Method::POST, "/offer"),
        (Method::POST, "/sign-in"),
    ];
    for site in ["cross-site", "same-site", "anything-else"] {
        for (method, path) in &routes {
            let request = page.request(method.clone(), path).header("sec-fetch-site", site);
            let refused = Refused::of(request.body("{}").send().await.unwrap()).await;
            let why = (refused.status, refused.about().0);
            assert_eq!(why, (403, "foreign_origin"), "{site} {path}");
        }
        // An origin that is ours does not say more than the browser itself.
        let request = page.request(Method::POST, "/offer").header(header::ORIGIN, &own);
        let request = request.header("sec-fetch-site", site).body("{}");
        let refused = Refused::of(request.send().await.unwrap()).await;
        assert_eq!((refused.status, refused.about().0), (403, "foreign_origin"), "{site}");
        let browser = page.clone().with_header("sec-fetch-site", site);
        let refused = browser.try_open(Some(&new_id())).await.unwrap_err();
        assert_eq!((refused.status, refused.about().0), (403, "foreign_origin"), "{site}");
        // A link leads to the page, and to nothing else.
        for path in ["/", "/page.js", "/healthz"] {
            assert_eq!(browser.get(path).await.status(), 200, "{site} {path}");
        }
    }
    assert_eq!(asked.requests().len(), 0);
    for site in ["same-origin", "none"] {
        let browser = page.clone().with_header("sec-fetch-site", site);
        browser.open(&new_id()).await;
        assert_eq!(browser.get("/models").await.status(), 200, "{site}");
        let bad = browser.offer(&json!({"type": "offer", "sdp": "hello"})).await.unwrap_err();
        assert_eq!(bad.about(), ("bad_offer", "sdp"), "{site}");
    }
}

#[tokio::test]
async fn a_page_of_the_same_name_without_tls_is_another_sites() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let home = home();
    let arguments = ["--host", "127.0.0.1", "--port", "0", "--api-base", vlm.base()];
    let process = Process::start_at(&home, PROGRAM, &arguments, &[]);
    let (plain, secure) = (process.address("http").await, process.address("https").await);
    let offer = async |to: &str, origin: &str| {
        let request = Client::script(to).request(Method::POST, "/offer");
        let request = request.header(header::ORIGIN, origin).body("{}").send().await.unwrap();
        Refused::of(request).await.about().0.to_owned()
    };
    assert_eq!(offer(&secure, &secure).await, "bad_field");
    assert_eq!(offer(&plain, &plain).await, "bad_field");
    assert_eq!(offer(&secure, &plain).await, "foreign_origin");
    assert_eq!(offer(&plain, &secure).await, "foreign_origin");
}

#[tokio::test]
async fn a_host_or_origin_that_is_no_text_is_foreign_and_not_absent() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&["--api-base", vlm.base()]).await;
    let script = server.script();
    let unreadable = || header::HeaderValue::from_bytes(b"evil\xff").unwrap();
    for name in [header::HOST, header::ORIGIN] {
        let request = script.request(Method::GET, "/models").header(&name, unreadable());
        let refused = Refused::of(request.send().await.unwrap()).await;
        assert_eq!((refused.status, refused.about().0), (403, "foreign_origin"), "{name}");
    }
}

#[tokio::test]
async fn a_page_whose_name_was_made_to_lead_to_this_machine_is_kept_out() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&["--api-base", vlm.base()]).await;
    let script = server.script();
    let evil = format!("evil.example:{}", server.address().port());
    for (method, path) in [(Method::GET, "/"), (Method::GET, "/models"), (Method::POST, "/offer")] {
        let request = script.request(method, path).header(header::HOST, &evil);
        let request = request.header(header::ORIGIN, format!("http://{evil}"));
        let refused = Refused::of(request.body("{}").send().await.unwrap()).await;
        assert_eq!((refused.status, refused.about().0), (403, "foreign_origin"), "{path}");
    }
    let local = format!("localhost:{}", server.address().port());
    let request = script.request(Method::GET, "/models").header(header::HOST, local);
    assert_eq!(request.send().await.unwrap().status(), 200);
    // A server for others is known by names that nobody told it.
    let open = ["--api-base", vlm.base(), "--host", "0.0.0.0", "--sign-in", "off"];
    let server = Server::start(&open).await;
    let request = server.script().request(Method::GET, "/models").header(header::HOST, "box:8090");
    assert_eq!(request.send().await.unwrap().status(), 200);
}
