//! What users may ask, by their rules; and limits on their questions.

use std::{fs, path::PathBuf};

use live_vlm_tests::{
    client::{Client, about, new_id},
    process::{Process, home},
    server::Server,
    vlm::{Reply, Vlm},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{OFTEN, PROGRAM, asking, sign_in::Keys};

/// A configuration file in a folder of its own.
struct Rules {
    _folder: TempDir,
    path: PathBuf,
}

impl Rules {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, text).unwrap();
        Self { _folder: folder, path }
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

/// Answers that come, in the order in which they do, until there are `count` or a limit is told.
async fn until_limit(page: &Client, id: &str) -> (usize, Value) {
    let (mut socket, _) = page.open(id).await;
    let _sender = page.send_video(id).await.unwrap();
    let mut answers = 0;
    loop {
        let message = socket.next_of(&["vlm_response", "error"]).await;
        if message["type"] == "error" {
            return (answers, message);
        }
        answers += 1;
    }
}

#[tokio::test]
async fn questions_beyond_the_rate_wait_and_the_page_is_told_which_limit() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let arguments = [&asking(&vlm)[..], &["--questions-per-minute", "120"]].concat();
    let server = Server::start(&arguments).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    let mut answers = 0;
    let error = loop {
        let message = socket.next_of(&["vlm_response", "error", "vlm_error"]).await;
        match message["type"].as_str() {
            Some("vlm_response") => answers += 1,
            _ => break message,
        }
    };
    assert!(answers >= 5, "a burst of five is allowed, and {answers} came");
    assert_eq!(error["code"], "limit_reached", "{error}");
    assert_eq!((&error["limit"], &error["value"]), (&json!("questions_per_minute"), &json!(120)));
    let wait = error["retry_after_s"].as_f64().unwrap();
    assert!(wait > 0.0 && wait <= 0.5, "{error}");
    // Nobody else's, and it goes on.
    let (other, other_id) = (server.browser().await, new_id());
    let (mut theirs, _) = other.open(&other_id).await;
    let their_sender = other.send_video(&other_id).await.unwrap();
    assert_eq!(theirs.next_of(&["vlm_response", "error"]).await["type"], "vlm_response");
    assert_eq!(socket.next_of(&["vlm_response"]).await["text"], "Yes.");
    sender.vanish().await;
    their_sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn a_days_questions_are_remembered_over_a_restart() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let home = home();
    let keys = Keys::new();
    let ada = keys.add("ada", &[]).await;
    let file = keys.file();
    let limits = ["--questions-per-day", "4", "--questions-per-minute", "0", "--keys-file", &file];
    let listen = ["--host", "127.0.0.1", "--port", "0", "--no-ssl"];
    let arguments = [&asking(&vlm)[..], &limits, &listen].concat();
    let mut asked = 0;
    for allowed in [4, 0] {
        let process = Process::start_at(&home, PROGRAM, &arguments, &[]);
        let page = process.browser().await.sign_in(&ada.key).await.unwrap();
        let (answers, error) = until_limit(&page, &new_id()).await;
        assert_eq!(answers, allowed, "{error}");
        assert_eq!((&error["limit"], &error["value"]), (&json!("questions_per_day"), &json!(4)));
        asked += answers;
        assert_eq!(vlm.questions().len(), asked);
        process.signal("TERM").await;
        assert!(process.ended().await.status.success());
    }
    let ended = Process::start_at(&home, PROGRAM, &["usage", "--json"], &[]).ended().await;
    let usage: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(
        (&usage["users"][0]["user"], &usage["total"]["answers"]),
        (&json!("ada"), &json!(4))
    );
}

#[tokio::test]
async fn a_days_tokens_are_counted_as_the_vlm_counts_them() {
    let vlm = Vlm::start(&["llava:7b"], |_| Reply::Metered("Yes.".into(), 50, 10)).await;
    let arguments = ["--questions-per-minute", "0", "--tokens-per-day", "150"];
    let server = Server::start(&[&asking(&vlm)[..], &arguments].concat()).await;
    let (answers, error) = until_limit(&server.browser().await, &new_id()).await;
    // The third goes over, as nobody knows before how long an answer is.
    assert_eq!(answers, 3, "{error}");
    assert_eq!((&error["limit"], &error["value"]), (&json!("tokens_per_day"), &json!(150)));
    assert!(error["retry_after_s"].as_f64().unwrap() > 0.0, "{error}");
    server.stop().await;
}

#[tokio::test]
async fn a_users_rules_decide_what_their_sessions_begin_with_and_may_ask() {
    let vlm = Vlm::saying(&["big-vl", "small-vl"], "Yes.").await;
    let keys = Keys::new();
    let (ada, bob) = (keys.add("ada", &["--group", "staff"]).await, keys.add("bob", &[]).await);
    let rules = Rules::new(
        "[rules]\nmodels = ['small*']\nown_api_base = false\nprompt = 'Guest?'\n\
         [groups.staff]\nmodels = ['*']\nown_api_base = true\n\
         [users.ada]\nprompt = 'Ada?'\nmax_tokens = 9\ninterval = 0.25\n",
    );
    let file = keys.file();
    let arguments = ["--config", rules.path(), "--keys-file", &file, "--model", "big-vl"];
    let own = ["--api-base", vlm.base(), "--allow-api-base", "127.0.0.0/8"];
    let server = Server::start(&[OFTEN, &own, &arguments].concat()).await;
    let page = server.browser().await;
    let (ada, bob) = (page.sign_in(&ada.key).await.unwrap(), page.sign_in(&bob.key).await.unwrap());

    let (mut socket, config) = ada.open(&new_id()).await;
    assert_eq!((&config["prompt"], &config["max_tokens"]), (&json!("Ada?"), &json!(9)));
    assert_eq!((&config["interval"], &config["model"]), (&json!(0.25), &json!("big-vl")));
    let other = Vlm::saying(&["own-vl"], "Mine.").await;
    let own = json!({"type": "update_model", "model": "own-vl", "api_base": other.base()});
    assert_eq!(socket.ask(&own).await["type"], "model_updated");

    let id = new_id();
    let (mut socket, config) = bob.open(&id).await;
    assert_eq!((&config["prompt"], &config["model"]), (&json!("Guest?"), &json!("small-vl")));
    let big = socket.ask(&json!({"type": "update_model", "model": "big-vl"})).await;
    assert_eq!(about(&big), ("not_allowed", "model"), "{big}");
    assert_eq!(big["allowed"], "small*");
    // By the server's own address, which anybody may type, and with a key, which it may not look at.
    let keyed = json!({
        "type": "update_model", "model": "big-vl", "api_base": vlm.base(), "api_key": "x"
    });
    assert_eq!(about(&socket.ask(&keyed).await), ("not_allowed", "api_base"));
    let localhost = vlm.base().replacen("127.0.0.1", "localhost", 1);
    let aliased = json!({"type": "update_model", "model": "big-vl", "api_base": localhost});
    assert_eq!(about(&socket.ask(&aliased).await), ("not_allowed", "api_base"));
    let typed = json!({"type": "update_model", "model": "big-vl", "api_base": vlm.base()});
    assert_eq!(about(&socket.ask(&typed).await), ("not_allowed", "model"));
    let public =
        json!({"type": "update_model", "model": "x", "api_base": "https://vlm.example/v1"});
    let refused = socket.ask(&public).await;
    assert_eq!(about(&refused), ("not_allowed", "api_base"), "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("own VLM only"), "{refused}");
    let listed = bob.get_json("/models").await;
    let ids: Vec<&str> =
        listed["models"].as_array().unwrap().iter().filter_map(|m| m["id"].as_str()).collect();
    assert_eq!(ids, ["small-vl"]);
    for query in ["api_base=https://vlm.example/v1", &format!("api_base={}&api_key=x", vlm.base())]
    {
        assert_eq!(bob.get(&format!("/models?{query}")).await.status(), 403, "{query}");
    }

    let sender = bob.send_video(&id).await.unwrap();
    assert_eq!(socket.next_of(&["vlm_response"]).await["model"], "small-vl");
    assert!(vlm.questions().iter().all(|asked| asked.model() == "small-vl"));
    sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn who_may_ask_no_model_that_is_there_is_told_so() {
    let vlm = Vlm::saying(&["big-vl"], "Yes.").await;
    let rules = Rules::new("[rules]\nmodels = ['small*']\n");
    let arguments = [&asking(&vlm)[..], &["--config", rules.path()]].concat();
    let server = Server::start(&arguments).await;
    let (page, id) = (server.browser().await, new_id());
    let (_socket, _) = page.open(&id).await;
    let refused = page.offer(&json!({"sdp": "v=0", "type": "offer", "session_id": id})).await;
    let refused = refused.unwrap_err();
    assert_eq!((refused.status, refused.about()), (403, ("not_allowed", "model")));
    assert_eq!(vlm.questions().len(), 0);
    server.stop().await;
}

#[tokio::test]
async fn rules_that_change_stop_what_they_do_not_allow_any_more() {
    let vlm = Vlm::saying(&["big-vl"], "Yes.").await;
    let text = |models: &str| {
        format!(
            "[server]\nhost = '127.0.0.1'\nport = 0\n[vlm]\napi_base = '{}'\nprocess_every = 3\n\
             [rules]\nquestions_per_minute = 0\nmodels = ['{models}']\n",
            vlm.base()
        )
    };
    let home = home();
    let path = home.path().join("config.toml");
    fs::write(&path, text("*")).unwrap();
    let process = Process::start_at(&home, PROGRAM, &["--config", path.to_str().unwrap()], &[]);
    let (page, id) = (process.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    fs::write(&path, text("small*")).unwrap();
    process.signal("HUP").await;
    let error = socket.next_of(&["error"]).await;
    assert_eq!(about(&error), ("not_allowed", "model"), "{error}");
    let status = socket.next_of(&["status"]).await;
    assert_eq!(status["status"], "Stopped", "{status}");
    assert!(page.send_video(&id).await.is_err());
    sender.vanish().await;
    process.signal("TERM").await;
    assert!(process.ended().await.status.success());
}

#[tokio::test]
async fn a_session_that_is_opened_with_another_key_has_the_rights_of_that_key() {
    let vlm = Vlm::saying(&["big-vl", "small-vl"], "Yes.").await;
    let keys = Keys::new();
    let (staff, plain) = (keys.add("ada", &["--group", "staff"]).await, keys.add("ada", &[]).await);
    let rules = Rules::new("[rules]\nmodels = ['small*']\n[groups.staff]\nmodels = ['*']\n");
    let file = keys.file();
    let arguments = ["--config", rules.path(), "--keys-file", &file, "--model", "big-vl"];
    let server = Server::start(&[OFTEN, &["--api-base", vlm.base()], &arguments].concat()).await;
    let (page, id) = (server.browser().await, new_id());
    let as_staff = page.sign_in(&staff.key).await.unwrap();
    let (mut socket, _) = as_staff.open(&id).await;
    let sender = as_staff.send_video(&id).await.unwrap();
    assert_eq!(socket.next_of(&["vlm_response"]).await["model"], "big-vl");
    let as_plain = page.sign_in(&plain.key).await.unwrap();
    let mut again = as_plain.try_open(Some(&id)).await.unwrap();
    assert_eq!(about(&socket.next_of(&["error"]).await), ("not_allowed", "model"));
    assert_eq!(again.next().await["status"], "Stopped");
    assert!(as_plain.send_video(&id).await.is_err());
    sender.vanish().await;
    server.stop().await;
}
