//! How the program starts: the port, and the VLM that answers.

use live_vlm::discover::SERVICES;
use live_vlm_tests::{client::new_id, process::Process, server::Server, vlm::Vlm};
use tokio::net::{TcpListener, TcpStream};

use super::PROGRAM;

/// A port that is taken as long as the listener lives, and so is no other.
async fn taken() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_says_what_to_do() {
    let (_listener, port) = taken().await;
    let arguments = ["--host", "127.0.0.1", "--no-ssl", "--port", &port.to_string()];
    let ended = Process::start(PROGRAM, &arguments).ended().await;
    assert_eq!(ended.status.code(), Some(1));
    let expected = format!("cannot listen on 127.0.0.1:{port}");
    assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    assert!(ended.stderr.contains("--port") && ended.stderr.contains("--auto-port"));
    assert_eq!(ended.stdout, "");
}

#[tokio::test]
async fn auto_port_takes_the_next() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let (_listener, port) = taken().await;
    let arguments = ["--auto-port", "--api-base", vlm.base(), "--port", &port.to_string()];
    let server = Server::start(&arguments).await;
    let got = server.address().port();
    assert!(got > port && got <= port + 20, "{got} after {port}");
    server.browser().await;
}

#[tokio::test]
async fn the_vision_model_of_the_named_vlm_is_chosen() {
    let vlm = Vlm::saying(&["llama3", "nomic-embed-text", "qwen2.5vl:3b"], "Yes.").await;
    let server = Server::start(&["--api-base", vlm.base()]).await;
    let config = server.browser().await.settings(&new_id()).await;
    assert_eq!(config["model"], "qwen2.5vl:3b");
    assert_eq!((&config["stand_in"], &config["api_base"]), (&false.into(), &vlm.base().into()));

    let named = Server::start(&["--api-base", vlm.base(), "--model", "llama3"]).await;
    assert_eq!(named.browser().await.settings(&new_id()).await["model"], "llama3");
}

#[tokio::test]
async fn the_built_in_stand_in_answers_where_no_vlm_is_found() {
    for service in SERVICES {
        let there = TcpStream::connect(("localhost", service.port)).await.is_ok();
        assert!(!there, "this test needs a host without a server on port {}", service.port);
    }
    let server = Server::start(super::OFTEN).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, config) = page.open(&id).await;
    assert_eq!((&config["stand_in"], &config["model"]), (&true.into(), &"demo-vlm".into()));
    let models = page.get_json("/models").await;
    assert_eq!(models["models"][0]["id"], "demo-vlm");
    assert_eq!(models["models"][0]["current"], true);
    let sender = page.send_video(&id).await.unwrap();
    let response = socket.next_of(&["vlm_response"]).await;
    assert!(response["text"].as_str().unwrap().contains("stand-in"), "{response}");
    sender.vanish().await;
    server.stop().await;
}
