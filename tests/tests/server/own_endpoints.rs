//! A VLM server that somebody brings is asked only where everybody may ask, or where the operator
//! allows it; except by the person at the machine itself.

use live_vlm_backends::own::{Askers, OwnEndpoints};
use live_vlm_tests::{
    client::{Client, Refused, about, new_id},
    process::Process,
    server::Server,
    vlm::{Asked, Reply, Vlm},
};
use serde_json::{Value, json};

use super::{OFTEN, PROGRAM};

const SERVERS: &str = "sk-of-the-server-77c1";

/// Ways to write an address that is none of a stranger's business, and names that lead to one.
const INSIDE: [&str; 16] = [
    "http://169.254.169.254/latest/meta-data",
    "http://169.254.169.254.:80/v1",
    "http://[fd00:ec2::254]/v1",
    "http://100.100.100.200/v1",
    "http://127.0.0.1:22/v1",
    "http://2130706433/v1",
    "http://0x7f.1/v1",
    "http://0177.0.0.1/v1",
    "http://[::1]/v1",
    "http://[::ffff:127.0.0.1]/v1",
    "http://[::ffff:a9fe:a9fe]/v1",
    "http://[64:ff9b::a9fe:a9fe]/v1",
    "http://localhost:11434/v1",
    "http://0.0.0.0/v1",
    "http://10.0.0.1/v1",
    "http://192.168.1.1/v1",
];

/// A server that other hosts can reach, and a VLM of its own.
async fn open_server(vlm: &Vlm, arguments: &[&str]) -> Server {
    let listen = ["--host", "0.0.0.0", "--sign-in", "off"];
    let own = ["--api-base", vlm.base(), "--api-key", SERVERS];
    Server::start(&[OFTEN, &listen, &own, arguments].concat()).await
}

async fn choose(page: &Client, base: &str) -> Value {
    let (mut socket, before) = page.open(&new_id()).await;
    let answer =
        socket.ask(&json!({"type": "update_model", "model": "their-vl", "api_base": base})).await;
    if answer["type"] == "error" {
        let prompt = json!({"type": "update_prompt", "prompt": before["prompt"]});
        assert_eq!(socket.ask(&prompt).await["type"], "prompt_updated");
    }
    answer
}

async fn list(page: &Client, base: &str) -> Result<Value, Refused> {
    let response = page.get(&format!("/models?api_base={base}")).await;
    match response.status().as_u16() {
        200 => Ok(response.json().await.unwrap()),
        _ => Err(Refused::of(response).await),
    }
}

#[tokio::test]
async fn addresses_inside_are_refused_with_what_to_do() {
    let vlm = Vlm::saying(&["own-vl"], "Own.").await;
    let server = open_server(&vlm, &[]).await;
    let page = server.browser().await;
    for base in INSIDE {
        let error = choose(&page, base).await;
        assert_eq!(about(&error), ("not_allowed", "api_base"), "{base}: {error}");
        assert!(error["message"].as_str().unwrap().contains("allowed_api_bases"), "{error}");
        let refused = list(&page, base).await.unwrap_err();
        assert_eq!((refused.status, refused.about()), (403, ("not_allowed", "api_base")), "{base}");
    }
    for base in ["file:///etc/passwd", "gopher://127.0.0.1/", "//127.0.0.1", "unix:/run/x.sock"] {
        assert_eq!(about(&choose(&page, base).await), ("bad_field", "api_base"), "{base}");
        assert_eq!(list(&page, base).await.unwrap_err().status, 400, "{base}");
    }
    assert_eq!(vlm.questions().len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn the_log_says_what_is_inside() {
    let vlm = Vlm::saying(&["own-vl"], "Own.").await;
    let arguments = ["--port", "0", "--no-ssl", "--sign-in", "off", "--api-base", vlm.base()];
    let process = Process::start(PROGRAM, &arguments);
    let page = process.browser().await;
    list(&page, "http://169.254.169.254/v1").await.unwrap_err();
    list(&page, "http://192.168.1.1/v1").await.unwrap_err();
    for inside in ["a cloud's metadata service", "an address of a private network"] {
        let line = process.logged(&format!("inside={inside}")).await;
        assert!(line.contains("code=NotAllowed"), "{line}");
    }
}

#[tokio::test]
async fn the_operators_own_vlm_is_asked_wherever_it_is() {
    let vlm = Vlm::saying(&["own-vl", "their-vl"], "Own.").await;
    let server = open_server(&vlm, &[]).await;
    let page = server.browser().await;
    assert_eq!(choose(&page, vlm.base()).await["type"], "model_updated");
    assert_eq!(list(&page, vlm.base()).await.unwrap()["models"][0]["id"], "own-vl");
    // The address exactly: other ports and paths of its host are as closed as any.
    let other = vlm.base().replace("/v1", "/admin");
    assert_eq!(about(&choose(&page, &other).await), ("not_allowed", "api_base"));
    server.stop().await;
}

#[tokio::test]
async fn what_the_operator_allows_is_asked_and_gets_no_key_of_ours() {
    let vlm = Vlm::saying(&["own-vl"], "Own.").await;
    let theirs = Vlm::saying(&["their-vl"], "Theirs.").await;
    let third = Vlm::saying(&["their-vl"], "Third.").await;
    let allowed = theirs.base().replace("http://", "").replace("/v1", "").parse().unwrap();
    let own = OwnEndpoints::new(Askers::Anybody, &[allowed]);
    let arguments = ["--api-base", vlm.base(), "--api-key", SERVERS];
    let server = Server::start_with_own_endpoints(&[OFTEN, &arguments].concat(), own).await;
    let page = server.browser().await;
    let id = new_id();
    let (mut socket, _) = page.open(&id).await;
    let message = json!({"type": "update_model", "model": "their-vl", "api_base": theirs.base()});
    assert_eq!(socket.ask(&message).await["type"], "model_updated");
    let sender = page.send_video(&id).await.unwrap();
    theirs.asked(Asked::is_question).await;
    sender.vanish().await;
    assert_eq!(theirs.authorizations(), [None]);
    assert_eq!(about(&choose(&page, third.base()).await), ("not_allowed", "api_base"));
    assert_eq!(third.requests().len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn a_redirect_inside_is_not_followed() {
    let vlm = Vlm::saying(&["own-vl"], "Own.").await;
    let secret = Vlm::saying(&["secret-vl"], "Secret.").await;
    let location = format!("{}/models", secret.base());
    let redirecting = Vlm::start(&[], move |_| Reply::Redirect(307, location.clone())).await;
    let pattern = redirecting.base().replace("http://", "").replace("/v1", "");
    let server = open_server(&vlm, &["--allow-api-base", &pattern]).await;
    let page = server.browser().await;
    let listed = list(&page, redirecting.base()).await.unwrap();
    assert_eq!(listed["models"], json!([]));
    assert!(listed["error"].as_str().unwrap().contains("sends us elsewhere"), "{listed}");
    assert_eq!(secret.requests().len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn a_person_at_the_machine_may_bring_any() {
    let vlm = Vlm::saying(&["own-vl"], "Own.").await;
    let theirs = Vlm::saying(&["their-vl"], "Theirs.").await;
    let server = Server::start(&["--api-base", vlm.base(), "--api-key", SERVERS]).await;
    let page = server.browser().await;
    let local = theirs.base().replace("127.0.0.1", "localhost");
    let updated = choose(&page, &local).await;
    assert_eq!((&updated["type"], &updated["api_base"]), (&json!("model_updated"), &json!(local)));
    assert_eq!(theirs.authorizations(), [None]);
    // Nobody listens there, which is another matter than not being allowed to ask.
    let listed = list(&page, "http://localhost:9/v1").await.unwrap();
    assert!(listed["error"].as_str().unwrap().contains("connection refused"), "{listed}");
    server.stop().await;
}

#[tokio::test]
async fn a_vlm_that_floods_whoever_brought_it_is_bounded_and_nobody_else_notices() {
    let vlm = Vlm::saying(&["own-vl"], "Own.").await;
    let flood = Vlm::start(&["their-vl"], |_| Reply::Flood).await;
    let arguments = ["--api-base", vlm.base()];
    let server = Server::start(&[OFTEN, &arguments].concat()).await;
    let (bystander, id) = (server.browser().await, new_id());
    let (mut calm, _) = bystander.open(&id).await;
    let calm_sender = bystander.send_video(&id).await.unwrap();
    calm.next_of(&["vlm_response"]).await;

    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let message = json!({"type": "update_model", "model": "their-vl", "api_base": flood.base()});
    assert_eq!(socket.ask(&message).await["type"], "model_updated");
    let sender = page.send_video(&id).await.unwrap();
    let error = socket.next_of(&["vlm_error", "vlm_response"]).await;
    assert_eq!(
        (&error["type"], &error["kind"]),
        (&json!("vlm_error"), &json!("protocol")),
        "{error}"
    );
    calm.so_far().await;
    for _ in 0..3 {
        let next = calm.next_of(&["vlm_response", "vlm_error", "error", "status"]).await;
        assert_eq!(next["type"], "vlm_response", "{next}");
    }
    sender.vanish().await;
    calm_sender.vanish().await;
    server.stop().await;
}
