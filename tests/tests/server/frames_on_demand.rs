//! Pages that give single frames when the server wants one.

use std::time::Duration;

use live_vlm_sender::{Sender, SenderDirection, SenderOptions, Shutter};
use live_vlm_tests::{
    client::{Client, new_id, small_video},
    server::Server,
    socket::Socket,
    vlm::Vlm,
    within,
};
use serde_json::{Value, json};

const INTERVAL: &[&str] = &["--process-every", "12"];

/// A page that gives single frames, or could.
struct Page {
    socket: Socket,
    sender: Sender,
    shutter: Shutter,
    /// What the answer to its offer said of frames.
    frames: Value,
}

impl Page {
    async fn open(server: &Server, direction: SenderDirection) -> Self {
        let page = server.browser().await;
        let id = new_id();
        let (socket, _) = page.open(&id).await;
        Self::offer(&page, &id, socket, direction).await
    }

    async fn offer(page: &Client, id: &str, socket: Socket, direction: SenderDirection) -> Self {
        let shutter = Shutter::default();
        let options = SenderOptions { direction, shutter: shutter.clone(), ..small_video() };
        let mut frames = Value::Null;
        let sender = Sender::connect(options, async |sdp| {
            let offer =
                json!({"sdp": sdp, "type": "offer", "session_id": id, "frames_on_demand": true});
            let answer = page.offer(&offer).await.map_err(|refused| format!("{refused:?}"))?;
            frames = answer["frames"].clone();
            shutter.set_on_demand(frames == "on_demand");
            Ok::<_, String>(answer["sdp"].as_str().unwrap_or_default().to_owned())
        });
        let sender = sender.await.unwrap();
        Self { socket, sender, shutter, frames }
    }

    /// Gives a frame whenever one is wanted, until so many answers have come.
    async fn answers(&mut self, count: usize) {
        let mut answers = 0;
        while answers < count {
            let message = self.socket.next_of(&["vlm_response", "frame_wanted"]).await;
            match message["type"].as_str() {
                Some("frame_wanted") => self.shutter.release(),
                _ => answers += 1,
            }
        }
    }
}

async fn served() -> (Vlm, Server) {
    let vlm = Vlm::saying(&["llava:7b"], "A cup.").await;
    let arguments: Vec<&str> = INTERVAL.iter().copied().chain(["--api-base", vlm.base()]).collect();
    let server = Server::start(&arguments).await;
    (vlm, server)
}

#[tokio::test]
async fn a_page_that_can_sends_about_one_frame_for_each_question() {
    let (_vlm, server) = served().await;
    let mut page = Page::open(&server, SenderDirection::SendOnly).await;
    assert_eq!(page.frames, "on_demand");
    page.answers(2).await;
    let before = page.sender.stats();
    page.answers(6).await;
    let after = page.sender.stats();
    let frames = after.frames - before.frames;
    assert!((5..=12).contains(&frames), "{frames} frames for 6 questions");
    assert_eq!(after.key_frame_requests, before.key_frame_requests);
    page.sender.hang_up().await;
    server.stop().await;
}

#[tokio::test]
async fn short_intervals_and_video_that_goes_back_want_all_frames() {
    let (_vlm, server) = served().await;
    let page = Page::open(&server, SenderDirection::SendRecv).await;
    assert_eq!(page.frames, "all");
    page.sender.hang_up().await;

    let mut page = Page::open(&server, SenderDirection::SendOnly).await;
    page.answers(1).await;
    for (interval, mode) in [(0.1, "all"), (0.5, "on_demand")] {
        page.socket.send(&json!({"type": "update_processing", "interval": interval})).await;
        assert_eq!(page.socket.next_of(&["frames"]).await["mode"], mode);
        page.shutter.set_on_demand(mode == "on_demand");
        page.answers(3).await;
    }
    page.sender.hang_up().await;
    server.stop().await;
}

#[tokio::test]
async fn a_page_that_gives_no_frame_waits_alone() {
    let (_vlm, server) = served().await;
    let mut silent = Page::open(&server, SenderDirection::SendOnly).await;
    silent.answers(1).await;
    let mut other = Page::open(&server, SenderDirection::SendOnly).await;
    other.answers(5).await;
    let waiting =
        async { while silent.socket.next_of(&["status"]).await["status"] != "Waiting" {} };
    within("its status", waiting).await;
    // It is reminded, and goes on when it gives one.
    silent.answers(1).await;
    assert_eq!(silent.socket.next_of(&["status"]).await["status"], "Live");
    other.sender.hang_up().await;
    silent.sender.hang_up().await;
    server.stop().await;
}

#[tokio::test]
async fn a_page_that_sends_all_frames_unasked_is_answered() {
    let (_vlm, server) = served().await;
    let mut page = Page::open(&server, SenderDirection::SendOnly).await;
    page.shutter.set_on_demand(false);
    // Longer than it takes to notice that.
    let began = tokio::time::Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        page.socket.next_of(&["vlm_response"]).await;
    }
    page.sender.hang_up().await;
    server.stop().await;
}
