//! A key goes only to the endpoint that it was given for, and is never shown.

use live_vlm_tests::{
    client::{Client, new_id},
    process::Process,
    server::{Server, config},
    socket::Socket,
    vlm::{Asked, Reply, Vlm},
};
use serde_json::{Value, json};

use super::{OFTEN, PROGRAM};

const SERVERS: &str = "sk-of-the-server-41f6";
const SESSIONS: &str = "sk-of-the-session-9b2e";
const POSTED: &str = "sk-of-a-body-55d0";

fn bearer(key: &str) -> Option<String> {
    Some(format!("Bearer {key}"))
}

async fn choose(socket: &mut Socket, model: &str, base: &str, key: &str) -> Value {
    let message = json!({"type": "update_model", "model": model, "api_base": base, "api_key": key});
    socket.ask(&message).await
}

/// The VLM of the server, and one that a session brings.
struct Scene {
    own: Vlm,
    theirs: Vlm,
    server: Server,
    page: Client,
}

impl Scene {
    async fn new() -> Self {
        let own = Vlm::saying(&["own-vl"], "Own.").await;
        let theirs = Vlm::saying(&["their-vl"], "Theirs.").await;
        let arguments = ["--api-base", own.base(), "--api-key", SERVERS];
        let server = Server::start(&[OFTEN, &arguments].concat()).await;
        let page = server.browser().await;
        Self { own, theirs, server, page }
    }
}

#[tokio::test]
async fn the_servers_key_goes_to_its_own_vlm_only() {
    let scene = Scene::new().await;
    let id = new_id();
    let (mut socket, _) = scene.page.open(&id).await;
    let sender = scene.page.send_video(&id).await.unwrap();
    scene.own.asked(Asked::is_question).await;

    let updated = choose(&mut socket, "their-vl", scene.theirs.base(), "").await;
    assert_eq!(updated["type"], "model_updated");
    scene.theirs.asked(Asked::is_question).await;
    let listed = format!("/models?api_base={}", scene.theirs.base());
    assert_eq!(scene.page.get_json(&listed).await["models"][0]["id"], "their-vl");
    let listed = format!("/models?api_base={}&api_key={SESSIONS}", scene.theirs.base());
    scene.page.get(&listed).await;
    // In a body, it is in no log of a proxy.
    let which = json!({"api_base": scene.theirs.base(), "api_key": POSTED}).to_string();
    let listed: Value = scene.page.post("/models", which).await.json().await.unwrap();
    assert_eq!(listed["models"][0]["id"], "their-vl", "{listed}");
    for own in ["{}", r#"{"api_base": null}"#, r#"{"api_base": "", "api_key": "sk-for-nobody"}"#] {
        let listed: Value = scene.page.post("/models", own).await.json().await.unwrap();
        assert_eq!(listed["models"][0]["id"], "own-vl", "{listed}");
    }

    // Back to the server's own: its key is used again.
    let before = scene.own.questions().len();
    let updated = choose(&mut socket, "own-vl", "", "").await;
    assert_eq!(updated["api_base"], scene.own.base());
    live_vlm_tests::until("more questions", || scene.own.questions().len() > before).await;
    sender.vanish().await;
    assert_eq!(scene.own.authorizations(), [bearer(SERVERS)]);
    assert_eq!(scene.theirs.authorizations(), [None, bearer(POSTED), bearer(SESSIONS)]);
    let with_key = |asked: &Asked| asked.authorization.is_some();
    assert!(!scene.theirs.questions().iter().any(with_key));
    scene.server.stop().await;
}

#[tokio::test]
async fn a_sessions_key_goes_to_its_own_vlm_only() {
    let scene = Scene::new().await;
    let third = Vlm::saying(&["third-vl"], "Third.").await;
    let id = new_id();
    let (mut socket, _) = scene.page.open(&id).await;
    choose(&mut socket, "their-vl", scene.theirs.base(), SESSIONS).await;
    let sender = scene.page.send_video(&id).await.unwrap();
    scene.theirs.asked(Asked::is_question).await;
    choose(&mut socket, "third-vl", third.base(), "").await;
    third.asked(Asked::is_question).await;
    choose(&mut socket, "own-vl", "", "").await;
    scene.own.asked(Asked::is_question).await;
    // A key without an address is nobody's.
    choose(&mut socket, "own-vl", "", SESSIONS).await;
    sender.vanish().await;

    // Another session that names the same VLM does not get the first one's key.
    let other_id = new_id();
    let other = scene.server.browser().await;
    let (mut others_socket, _) = other.open(&other_id).await;
    let before = scene.theirs.requests().len();
    choose(&mut others_socket, "their-vl", scene.theirs.base(), "").await;
    let sender = other.send_video(&other_id).await.unwrap();
    live_vlm_tests::until("a question of the other session", || {
        scene.theirs.requests()[before..].iter().any(Asked::is_question)
    })
    .await;
    sender.vanish().await;

    let requests = scene.theirs.requests();
    let (mine, others) = requests.split_at(before);
    assert!(mine.iter().all(|asked| asked.key() == Some(SESSIONS)), "{mine:?}");
    assert!(others.iter().all(|asked| asked.authorization.is_none()), "{others:?}");
    assert_eq!(third.authorizations(), [None]);
    assert_eq!(scene.own.authorizations(), [bearer(SERVERS)]);
    scene.server.stop().await;
}

#[tokio::test]
async fn a_sessions_own_key_for_the_servers_vlm_is_used_for_its_questions_alone() {
    let scene = Scene::new().await;
    let mut running = Vec::new();
    for (prompt, key) in [("Mine?", SESSIONS), ("Ours?", "")] {
        let (page, id) = (scene.server.browser().await, new_id());
        let (mut socket, _) = page.open(&id).await;
        socket.ask(&json!({"type": "update_prompt", "prompt": prompt})).await;
        choose(&mut socket, "own-vl", scene.own.base(), key).await;
        running.push((page.send_video(&id).await.unwrap(), socket));
    }
    let by = |prompt: &str| {
        let questions = scene.own.questions();
        questions.into_iter().filter(|asked| asked.prompt() == prompt).collect::<Vec<_>>()
    };
    live_vlm_tests::until("questions of both", || by("Mine?").len() >= 3 && by("Ours?").len() >= 3)
        .await;
    for (sender, _) in running {
        sender.vanish().await;
    }
    assert!(by("Mine?").iter().all(|asked| asked.key() == Some(SESSIONS)));
    assert!(by("Ours?").iter().all(|asked| asked.key() == Some(SERVERS)));
    scene.server.stop().await;
}

#[tokio::test]
async fn no_key_is_ever_shown() {
    // A VLM that refuses and quotes the key, as some do.
    let quoting = |asked: &Asked| {
        Reply::Refuse(401, format!("bad key: {}", asked.authorization.as_deref().unwrap_or("")))
    };
    let quoter = Vlm::start(&[], quoting).await;
    let server_vlm = Vlm::start(&["own-vl"], move |asked| match asked.is_question() {
        true => quoting(asked),
        false => Reply::Text(String::new()),
    })
    .await;
    let common = ["--host", "127.0.0.1", "--port", "0", "--log", "trace"];
    let own = ["--api-base", server_vlm.base(), "--process-every", "3"];
    let arguments = [&common[..], &own].concat();
    let environment = [("LIVE_VLM_API_KEY", SERVERS)];
    let home = live_vlm_tests::process::home();
    let process = Process::start_at(&home, PROGRAM, &arguments, &environment);
    let page = process.browser().await;
    let id = new_id();
    let (mut socket, config) = page.open(&id).await;
    let mut shown = vec![config];
    let sender = page.send_video(&id).await.unwrap();
    shown.push(socket.next_of(&["vlm_error"]).await);
    choose(&mut socket, "x", quoter.base(), SESSIONS).await;
    quoter.asked(Asked::is_question).await;
    shown.push(socket.next_of(&["vlm_error"]).await);
    // Keys where none belongs, and one that no header can carry.
    shown.push(choose(&mut socket, "x", "no url", SESSIONS).await);
    shown.push(choose(&mut socket, "x", &format!("http://u:{SESSIONS}@host/v1"), "").await);
    shown.push(choose(&mut socket, "x", quoter.base(), &format!("a\n{SESSIONS}")).await);
    shown.extend(socket.so_far().await);
    let base = quoter.base();
    for path in [
        "/models".to_owned(),
        format!("/models?api_base={base}&api_key={SESSIONS}"),
        format!("/models?api_base={base}&api_key=a%0a{SESSIONS}"),
        format!("/models?api_base=nowhere&api_key={SESSIONS}"),
        "/detect-services".to_owned(),
    ] {
        shown.push(Value::String(page.get(&path).await.text().await.unwrap()));
    }
    for body in [
        json!({"api_base": base, "api_key": SESSIONS}).to_string(),
        json!({"api_base": "nowhere", "api_key": SESSIONS}).to_string(),
        json!({"api_base": SESSIONS, "api_key": [SESSIONS]}).to_string(),
        format!("{{\"api_key\": \"{SESSIONS}"),
    ] {
        shown.push(Value::String(page.post("/models", body).await.text().await.unwrap()));
    }
    sender.hang_up().await;
    socket.close().await;
    process.logged("session ended").await;
    process.signal("TERM").await;
    let ended = process.ended().await;
    assert!(server_vlm.questions().iter().all(|asked| asked.key() == Some(SERVERS)));
    assert_eq!(quoter.questions()[0].key(), Some(SESSIONS));

    // The log does say what happened, or it proves nothing.
    assert!(ended.stderr.contains("TRACE") && ended.stderr.contains("session begins"));
    for key in [SERVERS, SESSIONS] {
        for message in &shown {
            assert!(!message.to_string().contains(key), "{message}");
        }
        let line = ended.stderr.lines().find(|line| line.contains(key));
        assert_eq!(line, None);
        assert!(!ended.stdout.contains(key), "{}", ended.stdout);
    }
}

#[tokio::test]
async fn help_and_debug_output_show_no_key() {
    let home = live_vlm_tests::process::home();
    let environment = [("LIVE_VLM_API_KEY", SERVERS)];
    let help = Process::start_at(&home, PROGRAM, &["--help"], &environment).ended().await;
    assert!(help.status.success() && help.stdout.contains("--api-key"));
    assert!(!help.stdout.contains(SERVERS), "{}", help.stdout);
    // Nor does a start that fails, whatever its reason.
    let wrong = Process::start_at(&home, PROGRAM, &["--port", "x"], &environment).ended().await;
    assert!(!wrong.status.success() && !wrong.stderr.contains(SERVERS), "{}", wrong.stderr);
    let homeless = Process::start_at(&home, PROGRAM, &["--no-ssl"], &environment).ended().await;
    assert!(homeless.stderr.contains("--api-key needs --api-base"), "{}", homeless.stderr);
    assert!(!homeless.stderr.contains(SERVERS), "{}", homeless.stderr);

    let given = config(&["--api-base", "http://host/v1", "--api-key", SERVERS]);
    assert!(!format!("{given:?}").contains(SERVERS));
}
