//! TLS, and plain HTTP for this host only, on one port.

use std::{fs, net::IpAddr};

use live_vlm::addresses;
use live_vlm_tests::{
    client::{Client, new_id},
    process::{Process, home},
    vlm::Vlm,
};
use reqwest::{Method, StatusCode, header};

use super::PROGRAM;

#[tokio::test]
async fn https_with_the_kept_certificate_and_plain_http_work_on_one_port() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let home = home();
    let arguments = ["--host", "127.0.0.1", "--port", "0", "--api-base", vlm.base()];
    let mut certificates = Vec::new();
    for _ in 0..2 {
        let process = Process::start_at(&home, PROGRAM, &arguments, &[]);
        let plain = process.browser().await;
        plain.open(&new_id()).await;
        let secure = Client::script(&process.address("https").await);
        let page = secure.get("/").await;
        assert_eq!(page.status(), StatusCode::OK);
        let cookie = page.headers()["set-cookie"].to_str().unwrap();
        for flag in ["HttpOnly", "SameSite=Strict", "Secure"] {
            assert!(cookie.contains(flag), "{cookie}");
        }
        assert_eq!(secure.get_json("/models").await["models"][0]["id"], "llava:7b");
        certificates.push(fs::read(home.path().join("live-vlm/cert.pem")).unwrap());
        process.signal("TERM").await;
        assert!(process.ended().await.status.success());
    }
    assert_eq!(certificates[0], certificates[1]);
}

#[tokio::test]
async fn plain_http_from_elsewhere_is_sent_to_https() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let process = Process::start(PROGRAM, &["--port", "0", "--api-base", vlm.base()]);
    let here = process.address("http").await;
    assert_eq!(Client::script(&here).get("/").await.status(), StatusCode::OK);
    let port = here.rsplit(':').next().unwrap();
    // A host without a network has nobody elsewhere.
    for address in addresses::of_this_host().into_iter().filter(IpAddr::is_ipv4) {
        let elsewhere = format!("{address}:{port}");
        let plain = Client::script(&format!("http://{elsewhere}"));
        for path in ["/", "/models?a=b", "/healthz"] {
            let response = plain.get(path).await;
            assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT, "{path}");
            assert_eq!(response.headers()["location"], format!("https://{elsewhere}{path}"));
            assert!(!response.headers().contains_key("set-cookie"));
            // Where somebody else's Host led once, nobody else is led.
            assert_eq!(response.headers()["cache-control"], "no-store");
        }
        let secure = Client::script(&format!("https://{elsewhere}"));
        assert_eq!(secure.get("/").await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn https_is_asked_for_from_now_on_at_a_name_with_a_certificate_of_its_own() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let home = home();
    let arguments = ["--port", "0", "--api-base", vlm.base()];
    let made = Process::start_at(&home, PROGRAM, &arguments, &[]);
    let asked = async |process: &Process, scheme: &str, host: &str| {
        let request = Client::script(&process.address(scheme).await).request(Method::GET, "/");
        let response = request.header(header::HOST, host).send().await.unwrap();
        response.headers().get(header::STRICT_TRANSPORT_SECURITY).cloned()
    };
    // Browsers would not let anybody past their warning any more.
    assert_eq!(asked(&made, "https", "vlm.example").await, None);
    let path = |name: &str| home.path().join("live-vlm").join(name).to_str().unwrap().to_owned();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let given = [&arguments[..], &["--ssl-cert", &cert, "--ssl-key", &key]].concat();
    let given = Process::start_at(&home, PROGRAM, &given, &[]);
    let told = asked(&given, "https", "vlm.example").await.unwrap();
    assert_eq!(told, "max-age=15768000");
    // It would hold for the other ports of the name, too.
    assert_eq!(asked(&given, "https", "vlm.example:8090").await, None);
    assert_eq!(asked(&given, "http", "vlm.example").await, None);
}

#[tokio::test]
async fn a_bad_certificate_is_an_error_that_names_the_file_and_no_fallback() {
    let home = home();
    let path = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("garbage.pem"), "garbage").unwrap();
    let (garbage, missing) = (path("garbage.pem"), path("missing.pem"));
    for (cert, key, named) in
        [(&garbage, &garbage, "garbage.pem"), (&missing, &garbage, "missing.pem")]
    {
        let arguments =
            ["--host", "127.0.0.1", "--port", "0", "--ssl-cert", cert, "--ssl-key", key];
        let ended = Process::start_at(&home, PROGRAM, &arguments, &[]).ended().await;
        assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains("TLS") && ended.stderr.contains(named), "{}", ended.stderr);
        // It never said that it is open, nor at which address.
        assert_eq!(ended.stdout, "");
    }
    // A kept one that was damaged is not silently replaced either.
    fs::create_dir(home.path().join("live-vlm")).unwrap();
    for file in ["live-vlm/cert.pem", "live-vlm/key.pem"] {
        fs::write(path(file), "damaged").unwrap();
    }
    let arguments = ["--host", "127.0.0.1", "--port", "0"];
    let ended = Process::start_at(&home, PROGRAM, &arguments, &[]).ended().await;
    assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("cert.pem"), "{}", ended.stderr);
}
