//! Clients that want to do harm: each is refused or cut off, logged once, and nobody else notices.

use std::{net::SocketAddr, time::Duration};

use futures_util::future::join_all;
use live_vlm::times::Times;
use live_vlm_listen::ConnectionTimes;
use live_vlm_sender::Sender;
use live_vlm_tests::{
    client::{Refused, about, new_id},
    process::Process,
    server::Server,
    socket::Socket,
    until,
    vlm::Vlm,
    within,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

use super::{PROGRAM, asking};

const MEGABYTE: usize = 1 << 20;
/// What sockets of both sides hold at the most.
const IN_FLIGHT: usize = 8 * MEGABYTE;

/// A server, and somebody whose answers go on coming whatever is done to it.
struct Scene {
    server: Server,
    _vlm: Vlm,
    bystander: Socket,
    sender: Sender,
}

impl Scene {
    async fn new() -> Self {
        Self::with_times(Times::default()).await
    }

    /// One whose server waits as long as this for its clients.
    async fn with_times(times: Times) -> Self {
        let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
        let server = Server::start_with_times(&asking(&vlm), times).await;
        let (page, id) = (server.browser().await, new_id());
        let (mut bystander, _) = page.open(&id).await;
        let sender = page.send_video(&id).await.unwrap();
        bystander.next_of(&["vlm_response"]).await;
        Self { server, _vlm: vlm, bystander, sender }
    }

    /// A connection that has sent `head`.
    async fn connection(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.server.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    /// A WebSocket that has been opened, to be written to byte by byte.
    async fn raw_socket(&self) -> TcpStream {
        open_raw(self.server.address()).await
    }

    /// Answers go on coming, and the server takes new sessions.
    async fn nobody_noticed(mut self) {
        self.bystander.so_far().await;
        for _ in 0..3 {
            let next =
                self.bystander.next_of(&["vlm_response", "vlm_error", "error", "status"]).await;
            assert_eq!(next["type"], "vlm_response", "{next}");
        }
        let (mut socket, _) = self.server.browser().await.open(&new_id()).await;
        let prompt = json!({"type": "update_prompt", "prompt": "Still there?"});
        assert_eq!(socket.ask(&prompt).await["type"], "prompt_updated");
        self.sender.vanish().await;
        self.server.stop().await;
    }
}

async fn open_raw(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET /ws HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    stream
}

/// A frame as a client sends it, masked with zeros (RFC 6455, section 5.2).
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[first, 0x80 | 126], &length[..], &[0; 4], payload].concat()
}

/// Sends `piece` over and over. How many bytes went through before the server hung up, and what
/// it said last.
async fn flood(stream: TcpStream, piece: &[u8]) -> (usize, Vec<u8>) {
    let (mut from, mut to) = stream.into_split();
    let heard = tokio::spawn(async move {
        let mut heard = Vec::new();
        let _ = from.read_to_end(&mut heard).await;
        heard
    });
    let block = piece.repeat((64 << 10) / piece.len() + 1);
    let mut sent = 0;
    within("the end of a flood", async {
        while !heard.is_finished() && sent < 1024 * MEGABYTE {
            // Where the last write left off: it is the flood that is to be refused, not its form.
            match to.write(&block[sent % block.len()..]).await {
                Ok(written) => sent += written,
                Err(_) => break,
            }
        }
    })
    .await;
    (sent, within("the server's hanging up", heard).await.unwrap())
}

/// Video from nowhere.
fn an_offer() -> String {
    let hash = ["AB"; 32].join(":");
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\n\
         a=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 {hash}\r\n\
         a=setup:actpass\r\na=mid:0\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n"
    )
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn a_hundred_thousand_messages_end_in_one_error_and_a_closed_socket() {
    let scene = Scene::new().await;
    let (mut socket, _) = scene.server.browser().await.open(&new_id()).await;
    let candidate = json!({"type": "ice_candidate", "candidate": "x", "sdp_m_line_index": 0});
    let message = Message::text(candidate.to_string());
    for _ in 0..100_000 {
        if socket.try_send(message.clone()).await.is_err() {
            break;
        }
    }
    let error = socket.next_of(&["error"]).await;
    assert_eq!(error["code"], "limit_reached", "{error}");
    assert_eq!((&error["limit"], &error["value"]), (&json!("messages_per_second"), &json!(50)));
    let close = socket.closed().await.expect("a close frame");
    assert_eq!(close.code, CloseCode::Policy, "{close:?}");
    until("the end of its session", || scene.server.sessions().count() == 1).await;
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn a_flood_of_pings_is_cut_off() {
    let scene = Scene::new().await;
    let (sent, heard) = flood(scene.raw_socket().await, &frame(0x89, b"ping")).await;
    assert!(sent < 64 * MEGABYTE, "{sent} bytes went through");
    assert!(contains(&heard, "limit_reached") && contains(&heard, "too many messages"));
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn a_message_of_64_megabytes_is_cut_off_at_its_beginning() {
    let scene = Scene::new().await;
    let mut stream = scene.raw_socket().await;
    let length = (64 * MEGABYTE as u64).to_be_bytes();
    stream.write_all(&[&[0x81, 0x80 | 127], &length[..], &[0; 4]].concat()).await.unwrap();
    let (sent, heard) = flood(stream, &[b'x'; 4096]).await;
    assert!(sent <= IN_FLIGHT, "{sent} bytes went through");
    assert!(contains(&heard, "at most 65536 bytes"));
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn fragments_without_an_end_are_cut_off() {
    let scene = Scene::new().await;
    let mut stream = scene.raw_socket().await;
    stream.write_all(&frame(0x01, b"x")).await.unwrap();
    let (sent, heard) = flood(stream, &frame(0x00, &[b'x'; 1000])).await;
    assert!(sent <= MEGABYTE + IN_FLIGHT, "{sent} bytes went through");
    assert!(contains(&heard, "at most 65536 bytes"));
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn frames_that_break_the_protocol_are_cut_off() {
    let scene = Scene::new().await;
    let unmasked = b"\x81\x02hi".to_vec();
    for bad in [unmasked, frame(0xC1, b"x"), frame(0x83, b"x"), frame(0x80, b"x"), vec![b'x'; 4096]]
    {
        let (sent, heard) = flood(scene.raw_socket().await, &bad).await;
        assert!(sent <= IN_FLIGHT, "{sent} bytes went through");
        assert!(contains(&heard, "no WebSocket message"), "{bad:.8?}");
    }
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn whoever_sends_slowly_is_not_waited_for() {
    let soon = Duration::from_secs(1);
    let connections = ConnectionTimes { handshake: soon, head: soon, ..Default::default() };
    let scene = Scene::with_times(Times { offer: soon, connections, ..Times::default() }).await;
    let offer = "POST /offer HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let heads = [
        // A connection that says nothing, and heads without an end.
        String::new(),
        "GET / HTTP/1.1\r\nx-a: ".to_owned(),
        "GET /ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n".to_owned(),
        // Bodies without an end.
        format!("{offer}content-length: 1000\r\n\r\n{{"),
        format!("{offer}transfer-encoding: chunked\r\n\r\n1\r\n{{\r\n"),
    ];
    let slow = heads.iter().map(async |head| {
        let (mut from, mut to) = scene.connection(head).await.into_split();
        let drip = async {
            let mut tick = tokio::time::interval(Duration::from_millis(100));
            loop {
                tick.tick().await;
                if head.is_empty() || to.write_all(b"1").await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let mut heard = Vec::new();
        let ended = within("the server's hanging up", async {
            tokio::select! {
                _ = from.read_to_end(&mut heard) => {}
                () = drip => {}
            }
        });
        ended.await;
        String::from_utf8_lossy(&heard).into_owned()
    });
    let heard = join_all(slow).await;
    for heard in &heard[3..] {
        assert!(
            heard.starts_with("HTTP/1.1 4") && heard.contains("did not arrive in time"),
            "{heard}"
        );
    }
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn whoever_does_not_take_what_it_asked_for_is_cut_off() {
    let connections = ConnectionTimes { stall: Duration::from_secs(1), ..Default::default() };
    let scene = Scene::with_times(Times { connections, ..Times::default() }).await;
    let mut stream = scene.connection("").await;
    let request = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1000);
    // More is asked for than fits between the two; nothing of it is read.
    let cut_off = async { while stream.write_all(request.as_bytes()).await.is_ok() {} };
    within("the server's hanging up", cut_off).await;
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn a_head_without_an_end_is_cut_off() {
    let scene = Scene::new().await;
    for piece in ["x-header: 0123456789abcdef\r\n".to_owned(), "x".repeat(1024)] {
        let stream = scene.connection("GET / HTTP/1.1\r\n").await;
        let (sent, heard) = flood(stream, piece.as_bytes()).await;
        assert!(sent <= MEGABYTE + IN_FLIGHT, "{sent} bytes went through");
        assert!(heard.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&heard));
    }
    let stream = scene.connection("GET /").await;
    let (sent, _) = flood(stream, b"xxxxxxxxxxxxxxxxxxxxxxxx").await;
    assert!(sent <= MEGABYTE + IN_FLIGHT, "{sent} bytes went through");
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn an_offer_without_an_end_is_cut_off() {
    let scene = Scene::new().await;
    let head = "POST /offer HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
    let (sent, heard) = flood(scene.connection(head).await, chunk.as_bytes()).await;
    assert!(sent <= MEGABYTE + IN_FLIGHT, "{sent} bytes went through");
    assert!(heard.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&heard));
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn connections_that_come_and_go_leave_nothing_behind() {
    let scene = Scene::new().await;
    for _ in 0..10 {
        let streams = join_all((0..100).map(|_| scene.connection("GET /"))).await;
        drop(streams);
    }
    assert_eq!(scene.server.sessions().count(), 1);
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn a_flood_is_logged_once() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let arguments = ["--host", "127.0.0.1", "--port", "0", "--no-ssl", "--api-base", vlm.base()];
    let process = Process::start(PROGRAM, &arguments);
    let address = process.address("http").await.replace("http://", "");
    let stream = open_raw(address.replace("localhost", "127.0.0.1").parse().unwrap()).await;
    let (_, heard) = flood(stream, &frame(0x81, b"{\"type\":\"reboot\"}")).await;
    assert!(contains(&heard, "limit_reached"));
    process.logged("session ended").await;
    process.signal("TERM").await;
    let ended = process.ended().await;
    let limited = "limit=\"messages_per_second\"";
    assert_eq!(ended.stderr.matches(limited).count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.lines().count() < 20, "{}", ended.stderr);
}

#[tokio::test]
async fn offers_without_an_end_cost_few_pipelines_and_leave_few_lines() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let here = ["--host", "127.0.0.1", "--port", "0", "--no-ssl", "--api-base", vlm.base()];
    let limits = ["--connections-per-address", "1", "--offers-per-minute", "1"];
    let process = Process::start(PROGRAM, &[&here[..], &limits].concat());
    let (page, id) = (process.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let offer = json!({"type": "offer", "sdp": an_offer(), "session_id": id});
    let answers = join_all((0..20).map(|_| page.offer(&offer))).await;
    let limited = |answer: &Result<Value, Refused>| {
        let refused = answer.as_ref().err()?;
        refused.body["limit"].as_str().map(|limit| (refused.status, limit.to_owned()))
    };
    let refused: Vec<_> = answers.iter().filter_map(limited).collect();
    assert_eq!(refused, vec![(429, "offers_per_minute".to_owned()); 10]);
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 10);
    // The session that it was done to lives on.
    let prompt = json!({"type": "update_prompt", "prompt": "Still there?"});
    socket.send(&prompt).await;
    socket.next_of(&["prompt_updated"]).await;
    process.signal("TERM").await;
    let ended = process.ended().await;
    for said in ["offer answered", "limit=\"offers_per_minute\""] {
        assert_eq!(ended.stderr.matches(said).count(), 1, "{said}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn messages_within_the_limit_are_all_obeyed() {
    let scene = Scene::new().await;
    let (mut socket, _) = scene.server.browser().await.open(&new_id()).await;
    for _ in 0..150 {
        socket.send(&json!({"type": "set_debug", "debug": "yes"})).await;
    }
    for _ in 0..150 {
        assert_eq!(about(&socket.next().await), ("bad_field", "debug"));
    }
    scene.nobody_noticed().await;
}

#[tokio::test]
async fn servers_that_never_list_their_models_keep_only_those_waiting_who_brought_them() {
    let keys = super::sign_in::Keys::new();
    let [ada, bob, eve] =
        [keys.add("ada", &[]).await, keys.add("bob", &[]).await, keys.add("eve", &[]).await];
    let own = Vlm::saying(&["own-vl"], "Own.").await;
    let bobs = Vlm::saying(&["bobs-vl"], "Bob's.").await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let file = keys.file();
    let arguments =
        ["--keys-file", &file, "--allow-api-base", "127.0.0.1", "--api-base", own.base()];
    let server = Server::start(&arguments).await;
    let list = |key: &str, base: &str| {
        let script = server.script().with_bearer(key);
        let body = json!({"api_base": base}).to_string();
        async move { script.post("/models", body).await.json::<Value>().await.unwrap() }
    };
    let base = format!("http://{}/v1", silent.local_addr().unwrap());
    let eves: Vec<_> = (0..16).map(|_| tokio::spawn(list(&eve.key, &base))).collect();
    let asked = [
        within("a question for models", silent.accept()).await.unwrap(),
        within("another one", silent.accept()).await.unwrap(),
    ];
    assert_eq!(list(&ada.key, "").await["models"][0]["id"], "own-vl");
    assert_eq!(list(&bob.key, bobs.base()).await["models"][0]["id"], "bobs-vl");
    assert!(eves.iter().all(|list| !list.is_finished()));
    // Hers are asked two at a time.
    assert!(tokio::time::timeout(Duration::ZERO, silent.accept()).await.is_err());
    eves.iter().for_each(JoinHandle::abort);
    drop(asked);
    server.stop().await;
}

/// What a section of an offer begins with, and what every section has.
fn section(media: &str, own: &[&str]) -> String {
    let hash = ["AB"; 32].join(":");
    let own: String = own.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{media}\r\na=fingerprint:sha-256 {hash}\r\na=setup:actpass\r\n{own}")
}

const VIDEO: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96";
const DATA: &str = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel";
const VP8: &str = "a=rtpmap:96 VP8/90000";
const UFRAG: &str = "a=ice-ufrag:abcd";
const PASSWORD: &str = "a=ice-pwd:abcdefghijklmnopqrstuvwx";

/// Each of these has an assertion of webrtcbin 1.22 fail, which ends the process.
#[tokio::test]
async fn offers_that_webrtcbin_dies_of_never_get_there() {
    let scene = Scene::new().await;
    let mut offers = Vec::new();
    for (twice, once) in [(UFRAG, PASSWORD), (PASSWORD, UFRAG)] {
        // The session has one credential twice, and the section the other.
        let video = section(VIDEO, &["a=mid:0", "a=sendonly", once, VP8]);
        offers.push(format!("v=0\r\n{twice}\r\n{twice}\r\n{video}"));
        offers.push(format!("v=0\r\n{twice}\r\n{twice}\r\n{once}\r\n{video}"));
    }
    // The section that BUNDLE is tagged by is not the first one, as it need not be (RFC 9143).
    for (group, data_mid, video_mid) in
        [("0 1", "1", "0"), ("1 2 0", "0", "1"), ("video data", "data", "video"), ("1", "0", "1")]
    {
        let mid = format!("a=mid:{data_mid}");
        let data = section(DATA, &[UFRAG, PASSWORD, &mid, "a=sctp-port:5000"]);
        for direction in ["a=sendonly", "a=sendrecv"] {
            let mid = format!("a=mid:{video_mid}");
            let video = section(VIDEO, &[UFRAG, PASSWORD, &mid, direction, VP8]);
            offers.push(format!("v=0\r\na=group:BUNDLE {group}\r\n{data}{video}"));
        }
    }
    for sdp in offers {
        let (page, id) = (scene.server.browser().await, new_id());
        let (mut socket, _) = page.open(&id).await;
        let offer = json!({"type": "offer", "sdp": sdp, "session_id": id});
        if let Err(refused) = page.offer(&offer).await {
            assert_eq!(
                (refused.status, &refused.body["code"]),
                (400, &json!("bad_offer")),
                "{sdp}"
            );
        }
        // An abort may come a moment after the answer: the session goes on being there.
        socket.send(&json!({"type": "hang_up"})).await;
        let prompt = json!({"type": "update_prompt", "prompt": "Still there?"});
        socket.send(&prompt).await;
        socket.next_of(&["prompt_updated"]).await;
        socket.close().await;
    }
    until("the end of every other session", || scene.server.sessions().count() == 1).await;
    scene.nobody_noticed().await;
}

/// Threads that the whole process shares, and that come and go with the work.
const POOLED: usize = 3;

#[tokio::test]
async fn names_in_candidates_leave_no_thread_and_no_file_behind() {
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let here = ["--host", "127.0.0.1", "--port", "0", "--no-ssl", "--api-base", vlm.base()];
    let process = Process::start(PROGRAM, &[&here[..], &["--offers-per-minute", "0"]].concat());
    let (page, id) = (process.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let offer = |candidates: &str| {
        let sdp = an_offer() + candidates;
        json!({"type": "offer", "sdp": sdp, "session_id": id})
    };
    // The first one leaves behind what the process keeps for the next ones.
    let hang_up = json!({"type": "hang_up"});
    page.offer(&offer("")).await.unwrap();
    let begun = process.threads_and_files();
    socket.send(&hang_up).await;
    until("the first video's end", || process.threads_and_files().1 < begun.1).await;
    let before = process.threads_and_files();
    // White space before the name of an attribute is skipped by GStreamer. Looking a name up that
    // nobody answers for keeps an ICE agent for good.
    let blanks = ["", " ", "\t", "  "];
    for number in 0..300 {
        let candidates: String = (0..10)
            .map(|line| {
                let (blank, port) = (blanks[line % blanks.len()], 20_000 + number);
                format!(
                    "a={blank}candidate:{line} 1 udp 1 p{number}-{line}.local {port} typ host\r\n"
                )
            })
            .collect();
        // Whether it is answered or refused.
        let _ = page.offer(&offer(&candidates)).await;
    }
    socket.send(&hang_up).await;
    until("the end of all that it took", || {
        let now = process.threads_and_files();
        now.0 <= before.0 + POOLED && now.1 <= before.1
    })
    .await;
    socket.send(&json!({"type": "update_prompt", "prompt": "Still there?"})).await;
    socket.next_of(&["prompt_updated"]).await;
    process.signal("TERM").await;
    assert!(process.ended().await.status.success());
}
