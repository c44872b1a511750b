//! The real server with its real media processes.

use std::{collections::BTreeSet, fs};

use live_vlm_sender::Sender;
use live_vlm_tests::{
    client::{Client, new_id},
    process::{Process, home},
    socket::Socket,
    until,
    vlm::Vlm,
};

use super::{PROGRAM, asking};

const KEY: &str = "sk-that-nobody-else-may-see";

/// A server, which asks this VLM often. More arguments follow.
fn start(vlm: &Vlm, arguments: &[&str]) -> Process {
    let own = ["--host", "127.0.0.1", "--port", "0", "--no-ssl", "--questions-per-minute", "0"];
    let log = ["--log", "live_vlm=debug", "--api-key", KEY];
    let arguments = [&own[..], &log, &asking(vlm), arguments].concat();
    Process::start_at(&home(), PROGRAM, &arguments, &[])
}

/// Somebody whose video is asked about.
struct Person {
    page: Client,
    id: String,
    socket: Socket,
    sender: Sender,
}

impl Person {
    async fn come(page: &Client) -> Self {
        let id = new_id();
        let (mut socket, _) = page.open(&id).await;
        let sender = page.send_video(&id).await.unwrap();
        socket.next_of(&["vlm_response"]).await;
        Self { page: page.clone(), id, socket, sender }
    }

    /// Which process receives their video, and what the kernel calls it, as the log says.
    async fn process(&self, server: &Process) -> (String, String) {
        let answered = format!("offer answered session=\"{}\"", &self.id[..8]);
        let answered = server.logged(&answered).await;
        let number = field(&answered, "process");
        let started = server.logged(&format!("media process started process={number} ")).await;
        (number, field(&started, "id"))
    }

    /// Their video has stopped: they are told, and offer it again.
    async fn offer_again(&mut self) {
        let failed = loop {
            let status = self.socket.next_of(&["status"]).await;
            if status["status"] == "Failed" {
                break status;
            }
        };
        assert_eq!(failed["text"], "The video stopped unexpectedly, connecting again");
        let again = self.page.send_video(&self.id).await.unwrap();
        std::mem::replace(&mut self.sender, again).vanish().await;
        self.socket.next_of(&["vlm_response"]).await;
    }
}

fn field(line: &str, name: &str) -> String {
    let begin = format!(" {name}=");
    let (_, value) = line.split_once(&begin).unwrap_or_else(|| panic!("no {name}: {line}"));
    value.split_whitespace().next().unwrap().to_owned()
}

fn kill(signal: &str, id: &str) {
    let sent = std::process::Command::new("kill").args([signal, id]).status().unwrap();
    assert!(sent.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_media_process_that_dies_costs_its_own_sessions_a_moment_and_others_nothing() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = start(&vlm, &["--media-processes", "4"]);
    let (ada, eve) = (server.browser().await, server.browser().await);
    let mut adas = [Person::come(&ada).await, Person::come(&ada).await];
    let mut eves = Person::come(&eve).await;
    let (process, id) = adas[0].process(&server).await;
    assert_eq!(adas[1].process(&server).await.0, process, "a user's sessions are in one process");
    assert_ne!(eves.process(&server).await.0, process, "and nobody else's");

    eves.socket.so_far().await;
    let before = eves.socket.next_of(&["vlm_response"]).await["seq"].as_u64().unwrap();
    kill("-ABRT", &id);
    for adas in &mut adas {
        adas.offer_again().await;
    }
    server.logged(&format!("media process {process} ended by SIGABRT")).await;
    for seq in before + 1..before + 9 {
        let next = eves.socket.next_of(&["vlm_response", "vlm_error", "error", "status"]).await;
        assert_eq!((&next["type"], next["seq"].as_u64()), (&"vlm_response".into(), Some(seq)));
    }

    // A second time within ten minutes. Nobody here has signed in, so the browser is blamed.
    let log = server.log();
    let answered = log
        .lines()
        .rfind(|line| line.contains(&format!("offer answered session=\"{}\"", &adas[1].id[..8])));
    let process = field(answered.unwrap(), "process");
    let started = server.logged(&format!("media process started process={process} ")).await;
    kill("-KILL", &field(&started, "id"));
    server.logged("refused for ten minutes").await;
    let refused = ada.send_video(&new_id()).await.unwrap_err();
    assert!(refused.to_string().contains("broken off unexpectedly too often"), "{refused}");
    // Others at the same address are not.
    eve.send_video(&new_id()).await.unwrap().vanish().await;
    eves.socket.so_far().await;
    eves.socket.next_of(&["vlm_response"]).await;
    for person in adas.into_iter().chain([eves]) {
        person.sender.vanish().await;
    }
}

/// This process's children, and theirs.
fn descendants(id: u32) -> BTreeSet<u32> {
    let threads = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let children = threads.flat_map(|thread| {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        children.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<u32>>()
    });
    children.flat_map(|child| descendants(child).into_iter().chain([child])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_and_no_address_of_a_vlm_reaches_a_media_process_and_none_outlives_the_server() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = start(&vlm, &[]);
    let person = Person::come(&server.browser().await).await;
    let descendants = descendants(server.id());
    assert!(descendants.len() >= 2, "what forks them, and one: {descendants:?}");
    let secrets = [KEY, vlm.base(), &person.id];
    let mut read = 0;
    for id in &descendants {
        for what in ["environ", "cmdline"] {
            // Only root may look into those that have become another user.
            let Ok(bytes) = fs::read(format!("/proc/{id}/{what}")) else { continue };
            let text = String::from_utf8_lossy(&bytes);
            assert!(!secrets.iter().any(|secret| text.contains(secret)), "{what} of {id}: {text}");
            read += 1;
        }
        for file in fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten() {
            let Ok(target) = fs::read_link(file.path()) else { continue };
            let target = target.to_string_lossy().into_owned();
            let is_own = ["socket:", "pipe:", "anon_inode:", "/dev/null", "/memfd:"];
            assert!(is_own.iter().any(|kind| target.starts_with(kind)), "{id} has {target}");
        }
    }
    assert!(read >= 2);
    person.sender.vanish().await;
    server.signal("TERM").await;
    assert!(server.ended().await.status.success());
    until("the end of all media processes", || {
        !descendants.iter().any(|id| fs::metadata(format!("/proc/{id}")).is_ok())
    })
    .await;
}

#[tokio::test]
async fn a_server_without_its_media_program_says_which_and_does_not_start() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let ended = start(&vlm, &["--media-program", "/nowhere/live-vlm-media"]).ended().await;
    assert!(!ended.status.success());
    assert!(ended.stderr.contains("/nowhere/live-vlm-media receives video"), "{}", ended.stderr);
    let ended = start(&vlm, &["--media-program", "/bin/true"]).ended().await;
    assert!(!ended.status.success());
    assert!(ended.stderr.contains("could not be started"), "{}", ended.stderr);
}
