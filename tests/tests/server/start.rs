//! How the program starts: the port, and the VLM that answers.

use live_vlm_backends::discover::SERVICES;
use live_vlm_tests::{
    client::new_id,
    process::Process,
    server::Server,
    vlm::{Reply, Vlm},
};
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

#[tokio::test]
async fn what_keeps_the_named_vlm_from_being_asked_is_told_apart() {
    let refuses = Vlm::start(&[], |_| Reply::Refuse(401, "who are you".into())).await;
    let has_no_api = Vlm::start(&[], |_| Reply::Refuse(404, "no such page".into())).await;
    let plain = has_no_api.base().replace("http://", "https://");
    // A certificate that nobody vouches for.
    let other = Process::start(PROGRAM, &["--host", "127.0.0.1", "--port", "0"]);
    let untrusted = format!("{}/v1", other.address("https").await);
    let gone = {
        let (_listener, port) = taken().await;
        format!("http://127.0.0.1:{port}/v1")
    };
    for (base, key, words) in [
        (refuses.base(), "sk-1", "it refuses the key"),
        (refuses.base(), "", "it wants a key, and none was given"),
        (has_no_api.base(), "", "it has no OpenAI-compatible API at this address"),
        (&plain, "", "there is no secure connection to it"),
        (&untrusted, "", "there is no secure connection to it"),
        (&gone, "", "it cannot be reached yet"),
    ] {
        let here = ["--host", "127.0.0.1", "--port", "0", "--no-ssl", "--model", "m"];
        let vlm = ["--api-base", base, "--api-key", key];
        let server = Process::start(PROGRAM, &[&here[..], &vlm].concat());
        server.address("http").await;
        server.logged(words).await;
        server.signal("TERM").await;
        let ended = server.ended().await;
        assert!(ended.stdout.contains(&format!("{base} ({words})")), "{}", ended.stdout);
        // Said once, with the server's address, by us and not by a library that knows of none.
        let lines: Vec<&str> = ended.stderr.lines().filter(|line| line.contains(words)).collect();
        assert_eq!(lines.len(), 1, "{}", ended.stderr);
        assert!(lines[0].contains(base), "{}", lines[0]);
        assert!(!ended.stderr.contains("rustls"), "{}", ended.stderr);
    }
}
