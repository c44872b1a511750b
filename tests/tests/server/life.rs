//! Signs of life: whom the server asks for, and when it takes somebody for gone.

use std::time::{Duration, Instant};

use gst::prelude::*;
use live_vlm::times::Times;
use live_vlm_sender::{SenderOptions, VideoSource};
use live_vlm_tests::{
    cable::Cable,
    client::{Client, new_id, small_video},
    server::Server,
    until,
    vlm::{Asked, Reply, Vlm},
};
use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::asking;

const BEAT: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_millis(2400);
/// How much later than it should something may be, as machines are busy.
const LATE: Duration = Duration::from_secs(2);

/// A server whose signs of life are five times as frequent as a user's.
async fn lively(vlm: &Vlm, grace: Duration) -> Server {
    let times = Times { beat: BEAT, silence: SILENCE, grace, ..Times::default() };
    Server::start_with_times(&asking(vlm), times).await
}

/// As a browser makes the requests of a page.
fn as_page(client: Client, server: &Server) -> Client {
    let origin = format!("http://{}", server.address());
    client.with_header("origin", Box::leak(origin.into_boxed_str()))
}

#[tokio::test]
async fn a_page_that_waits_hears_from_the_server_once_a_beat() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = lively(&vlm, Times::default().grace).await;
    let (mut socket, _) = server.browser().await.open(&new_id()).await;
    for _ in 0..2 {
        let began = Instant::now();
        assert_eq!(socket.next().await, json!({"type": "alive"}));
        let waited = began.elapsed();
        assert!((BEAT * 4 / 5..BEAT * 2).contains(&waited), "{waited:?}");
    }
    // And whenever it asks.
    let began = Instant::now();
    for _ in 0..3 {
        socket.send(&json!({"type": "alive"})).await;
        assert_eq!(socket.next().await, json!({"type": "alive"}));
    }
    assert!(began.elapsed() < BEAT * 4 / 5, "{:?}", began.elapsed());
    server.stop().await;
}

#[tokio::test]
async fn nobodys_vlm_is_asked_for_a_page_that_has_vanished_and_its_session_ends() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let grace = Duration::from_secs(1);
    let server = lively(&vlm, grace).await;
    let cable = Cable::to(server.address()).await;
    let (page, id) = (server.browser().await, new_id());
    let by_cable = page.clone().with_base(&format!("http://{}", cable.address()));
    let (mut socket, _) = by_cable.open(&id).await;
    let sender = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;

    cable.cut();
    let cut = Instant::now();
    until("the session's end", || server.sessions().count() == 0).await;
    let ended = cut.elapsed();
    assert!(ended < SILENCE + grace + LATE, "it ended after {ended:?}");
    // The page left one ping unanswered, sent at most a beat after the cut, for a beat.
    let asked = vlm.questions().last().unwrap().at.duration_since(cut);
    assert!(asked < 2 * BEAT + LATE, "the VLM was asked after {asked:?}");
    assert!(ended - asked > grace, "{asked:?} and {ended:?}");
    sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn nobodys_vlm_is_asked_while_a_page_is_away_and_the_same_is_when_it_is_back() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    socket.ask(&json!({"type": "update_prompt", "prompt": "Mine?"})).await;
    let sender = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    socket.close().await;
    // One may have been on its way.
    let mut before = vlm.questions().len();
    let mut since = Instant::now();
    until("a second without a question", || {
        let now = vlm.questions().len();
        if now != before {
            (before, since) = (now, Instant::now());
        }
        since.elapsed() > Duration::from_secs(1)
    })
    .await;
    let (mut socket, config) = page.open(&id).await;
    assert_eq!(config["prompt"], "Mine?");
    assert_eq!(socket.next_of(&["vlm_response"]).await["prompt"], "Mine?");
    while socket.next_of(&["vlm_response"]).await["metrics"]["total_inferences"] == 1 {}
    sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn a_session_that_had_a_page_is_not_reborn_by_an_offer_alone() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let grace = Duration::from_secs(1);
    let server = lively(&vlm, grace).await;
    let (page, id) = (as_page(server.browser().await, &server), new_id());
    let (mut socket, _) = page.open(&id).await;
    socket.ask(&json!({"type": "update_prompt", "prompt": "Mine?"})).await;
    let sender = page.send_video(&id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    sender.hang_up().await;
    socket.close().await;
    until("the session's end", || server.sessions().count() == 0).await;

    let sender = page.send_video(&id).await.unwrap();
    let offered = Instant::now();
    assert_eq!(server.sessions().count(), 1);
    until("the session's end", || server.sessions().count() == 0).await;
    assert!(offered.elapsed() < grace + LATE, "{:?}", offered.elapsed());
    sender.vanish().await;
    // Offers that come again and again keep it no longer.
    let sender = page.send_video(&id).await.unwrap();
    let again = page.send_video(&id).await.unwrap();
    until("the session's end", || server.sessions().count() == 0).await;
    sender.vanish().await;
    again.vanish().await;
    let prompts: Vec<String> = vlm.questions().iter().map(Asked::prompt).collect();
    assert!(prompts.iter().all(|prompt| prompt.contains("Mine?")), "{prompts:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_page_that_comes_to_its_video_has_its_own_question_asked_and_no_other() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let (page, id) = (as_page(server.browser().await, &server), new_id());
    let sender = page.send_video(&id).await.unwrap();
    let (mut socket, _) = page.open(&id).await;
    socket.ask(&json!({"type": "update_prompt", "prompt": "Mine?"})).await;
    assert_eq!(socket.next_of(&["vlm_response"]).await["prompt"], "Mine?");
    // One that has nothing to say is asked for a moment later.
    let other = new_id();
    let others = page.send_video(&other).await.unwrap();
    let (mut waits, _) = page.open(&other).await;
    waits.next_of(&["vlm_response"]).await;
    assert!(vlm.questions()[0].prompt().contains("Mine?"));
    sender.vanish().await;
    others.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn before_its_first_question_a_pages_own_model_is_waited_for() {
    let house = Vlm::saying(&["llava:7b"], "House.").await;
    let own = Vlm::start(&["own-vl"], |asked: &Asked| match asked.is_question() {
        true => Reply::Text("Own.".into()),
        // As slow as a server may be that lists its models.
        false => Reply::Held(String::new()),
    })
    .await;
    let server = Server::start(&asking(&house)).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let model = json!({"type": "update_model", "model": "own-vl", "api_base": own.base()});
    socket.send(&model).await;
    own.asked(|asked| !asked.is_question()).await;
    let sender = page.send_video(&id).await.unwrap();
    while socket.next_of(&["status"]).await["status"] != "Live" {}
    let live = Instant::now();
    assert_eq!(socket.next_of(&["vlm_response"]).await["text"], "Own.");
    assert!(own.questions()[0].at > live, "the model was known before there was a picture");
    assert_eq!(house.questions().len(), 0);
    sender.vanish().await;
    server.stop().await;
}

/// Video that can be held up without its peer's leaving.
fn video_with_valve() -> (SenderOptions, gst::Element) {
    gst::init().unwrap();
    let line = "videotestsrc is-live=true pattern=ball ! \
                video/x-raw,format=I420,width=160,height=120,framerate=15/1 ! valve name=valve";
    let bin = gst::parse::bin_from_description(line, true).unwrap();
    let valve = bin.by_name("valve").unwrap();
    let source = VideoSource::Element(bin.upcast());
    (SenderOptions { source, ..small_video() }, valve)
}

#[tokio::test]
async fn a_page_is_told_when_no_picture_comes_and_when_one_does_again() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let (video, valve) = video_with_valve();
    let sender = page.send(&id, video).await.unwrap();
    while socket.next_of(&["status"]).await["status"] != "Live" {}
    valve.set_property("drop", true);
    let held = Instant::now();
    let waiting = json!({"type": "status", "status": "Waiting", "text": "Waiting for a picture", "unchanged": 0});
    assert_eq!(socket.next_of(&["status"]).await, waiting);
    let told = held.elapsed().as_secs_f64();
    assert!((2.0..8.0).contains(&told), "{told}");
    valve.set_property("drop", false);
    assert_eq!(socket.next_of(&["status"]).await["status"], "Live");
    sender.vanish().await;
    server.stop().await;
}

#[tokio::test]
async fn an_unread_connection_is_ended_and_the_page_finds_its_session_on_another() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = lively(&vlm, Times::default().grace).await;
    let cable = Cable::to(server.address()).await;
    let (page, id) = (server.browser().await, new_id());
    let by_cable = page.clone().with_base(&format!("http://{}", cable.address()));
    let (mut socket, _) = by_cable.open(&id).await;
    socket.ask(&json!({"type": "update_prompt", "prompt": "Mine?"})).await;
    cable.cut();
    let cut = Instant::now();
    until("the connection's end", || server.connections() == 0).await;
    assert!(cut.elapsed() < SILENCE + LATE, "{:?}", cut.elapsed());
    assert_eq!(server.sessions().count(), 1);
    let config = page.settings(&id).await;
    assert_eq!(config["prompt"], "Mine?");
    cable.mend();
    // What the dead one is told in the end is of no use to it.
    let close = socket.closed().await;
    assert!(close.is_none_or(|close| close.code == CloseCode::Away));
    server.stop().await;
}
