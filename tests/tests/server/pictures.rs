//! Pages that send pictures in place of video.

use base64::{Engine, prelude::BASE64_STANDARD};
use image::{DynamicImage, load_from_memory};
use live_vlm_tests::{
    client::{Client, new_id},
    pictures::{asked_about, jpeg, message},
    server::Server,
    socket::Socket,
    vlm::{Reply, Vlm},
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

use super::asking;

/// A server, and a page that sends pictures to it.
struct Scene {
    server: Server,
    vlm: Vlm,
    page: Client,
    id: String,
    socket: Socket,
}

impl Scene {
    async fn new(vlm: Vlm) -> Self {
        let server = Server::start(&asking(&vlm)).await;
        let (page, id) = (server.browser().await, new_id());
        let (mut socket, _) = page.open(&id).await;
        socket.begin_pictures().await;
        Self { server, vlm, page, id, socket }
    }

    async fn answering() -> Self {
        Self::new(Vlm::saying(&["llava:7b"], "A grey wall.").await).await
    }

    /// Sends what is no good. What it is refused with.
    async fn refused(&mut self, message: Message) -> Value {
        self.socket.send_raw(message).await;
        self.socket.next_of(&["error"]).await
    }
}

/// The pictures of all questions so far.
fn seen(vlm: &Vlm) -> Vec<Vec<u8>> {
    let questions = vlm.questions();
    let urls = questions.iter().flat_map(|question| asked_about(&question.body));
    let decode = |url: String| {
        let data = url.strip_prefix("data:image/jpeg;base64,").expect("a JPEG");
        BASE64_STANDARD.decode(data).unwrap()
    };
    urls.map(decode).collect()
}

fn picture(jpeg: &[u8]) -> DynamicImage {
    load_from_memory(jpeg).unwrap()
}

/// A JPEG with a segment more, behind its start.
fn with_segment(jpeg: &[u8], marker: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xFF, marker], &length[..], body, &jpeg[2..]].concat()
}

#[tokio::test]
async fn a_page_that_sends_pictures_is_answered_about_them() {
    let mut scene = Scene::answering().await;
    let sent = jpeg(64, 48, 90);
    let wanted = scene.socket.give_picture(&sent).await;
    assert_eq!(
        wanted,
        json!({"type": "frame_wanted", "seq": 1, "frames": 1, "spacing": 0.0, "max_size": 768})
    );
    let status = scene.socket.next_of(&["status"]).await;
    assert_eq!(
        (&status["status"], &status["text"]),
        (&json!("Live"), &json!("Live, by single pictures"))
    );
    for _ in 0..3 {
        let answer = scene.socket.next_with_pictures(&["vlm_response"], &sent).await;
        assert_eq!(answer["text"], "A grey wall.");
        assert!(answer["metrics"]["age_ms"].as_f64().unwrap() < 5000.0, "{answer}");
    }
    // As they came.
    assert!(seen(&scene.vlm).iter().all(|seen| *seen == sent));
    // A page that comes back goes on as it was.
    let (mut again, _) = scene.page.open(&scene.id).await;
    assert_eq!(again.next().await, json!({"type": "frames", "mode": "pictures"}));
    assert_eq!(again.next().await["type"], "history");
    let answer = again.next_with_pictures(&["vlm_response"], &sent).await;
    assert_eq!(answer["text"], "A grey wall.");
    again.send(&json!({"type": "hang_up"})).await;
    while again.next_with_pictures(&["status"], &sent).await["status"] != "Stopped" {}
    scene.server.stop().await;
}

#[tokio::test]
async fn the_vlm_gets_no_more_of_a_picture_than_is_to_be_seen_and_that_upright() {
    let mut scene = Scene::answering().await;
    let mut tiff = b"Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0".to_vec();
    let plain = jpeg(64, 48, 90);
    let upright = with_segment(&with_segment(&plain, 0xFE, b"at home"), 0xED, b"Photoshop 3.0");
    scene.socket.give_picture(&upright).await;
    scene.socket.next_with_pictures(&["vlm_response"], &upright).await;
    assert_eq!(seen(&scene.vlm)[0], plain);

    tiff.extend(b"GPS");
    let lying = with_segment(&plain, 0xE1, &tiff);
    loop {
        scene.socket.next_with_pictures(&["vlm_response"], &lying).await;
        let seen = seen(&scene.vlm);
        let newest = picture(seen.last().unwrap());
        if (newest.width(), newest.height()) == (48, 64) {
            break;
        }
    }
    scene.server.stop().await;
}

#[tokio::test]
async fn a_picture_that_is_too_large_for_the_vlm_is_made_smaller() {
    let mut scene = Scene::answering().await;
    for (max_size, size, expected) in [
        (768, (1536, 512), (768, 256)),
        (768, (300, 900), (256, 768)),
        (320, (640, 480), (320, 240)),
    ] {
        scene.socket.send(&json!({"type": "update_settings", "max_size": max_size})).await;
        let large = jpeg(size.0, size.1, 90);
        loop {
            scene.socket.next_with_pictures(&["vlm_response"], &large).await;
            let newest = picture(seen(&scene.vlm).last().unwrap());
            if (newest.width(), newest.height()) == expected {
                break;
            }
        }
    }
    scene.server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_by_name_and_the_session_goes_on() {
    let mut scene = Scene::answering().await;
    let wanted = scene.socket.next_of(&["frame_wanted"]).await;
    let seq = wanted["seq"].as_u64().unwrap();
    let good = jpeg(64, 48, 90);
    let mut progressive = good.clone();
    let at = good.windows(2).position(|two| two == [0xFF, 0xC0]).unwrap();
    progressive[at + 1] = 0xC2;
    let mut wide = good.clone();
    wide[at + 7..at + 9].copy_from_slice(&u16::to_be_bytes(5000));
    for (bad, code, said) in [
        (Message::binary(vec![0, 0, 0]), "not_a_picture", "after 8 bytes"),
        (message(seq, 0, b""), "not_a_picture", "no JPEG"),
        (message(seq, 0, b"\x89PNG\r\n"), "not_a_picture", "no JPEG"),
        (message(seq, 0, &good[..good.len() - 9]), "not_a_picture", "ends before"),
        (message(seq, 0, &progressive), "not_a_picture", "send a baseline JPEG"),
        (message(seq, 0, &wide), "too_large", "5000x48"),
        (message(seq, 0, &vec![0; (2 << 20) + 1]), "too_large", "2097152 bytes"),
        (message(seq + 7, 0, &good), "unasked", "the number"),
    ] {
        let error = scene.refused(bad).await;
        assert_eq!(error["code"], code, "{error}");
        assert!(error["message"].as_str().unwrap().contains(said), "{error}");
    }
    // It is still waited for, once.
    scene.socket.send_raw(message(seq, u32::MAX, &good)).await;
    scene.socket.next_with_pictures(&["vlm_response"], &good).await;
    assert_eq!(scene.refused(message(seq, 0, &good)).await["code"], "unasked");
    scene.socket.next_with_pictures(&["vlm_response"], &good).await;
    scene.server.stop().await;
}

#[tokio::test]
async fn a_picture_that_has_to_be_decoded_and_cannot_be_is_refused() {
    let mut scene = Scene::answering().await;
    let mut broken = jpeg(1000, 16, 90);
    // Without the tables of its codes.
    let at = broken.windows(2).position(|two| two == [0xFF, 0xC4]).unwrap();
    broken[at + 1] = 0xDB;
    scene.socket.give_picture(&broken).await;
    let error = scene.socket.next_of(&["error"]).await;
    assert_eq!(error["code"], "not_a_picture", "{error}");
    assert!(error["message"].as_str().unwrap().contains("cannot be decoded"), "{error}");
    scene.socket.next_with_pictures(&["vlm_response"], &jpeg(64, 48, 90)).await;
    scene.server.stop().await;
}

#[tokio::test]
async fn a_picture_that_nobody_asked_for_is_refused_and_a_flood_ends_the_connection() {
    let scene = Scene::answering().await;
    let (mut bystander, _) = scene.server.browser().await.open(&new_id()).await;
    let (mut socket, _) = scene.server.browser().await.open(&new_id()).await;
    let good = jpeg(640, 480, 90);
    socket.send_raw(message(1, 0, &good)).await;
    let error = socket.next().await;
    assert_eq!(error["code"], "unasked", "{error}");
    assert!(error["message"].as_str().unwrap().contains("takes no pictures"), "{error}");
    for _ in 0..300 {
        if socket.try_send(message(1, 0, &good)).await.is_err() {
            break;
        }
    }
    loop {
        let error = socket.next_of(&["error"]).await;
        if error["code"] == "limit_reached" {
            assert_eq!(error["limit"], "messages_per_second");
            break;
        }
        assert_eq!(error["code"], "unasked", "{error}");
    }
    let close = socket.closed().await.expect("a close frame");
    assert_eq!(close.code, CloseCode::Policy, "{close:?}");
    assert_eq!(bystander.so_far().await, [] as [Value; 0]);
    scene.server.stop().await;
}

#[tokio::test]
async fn pictures_of_changing_size_and_late_ones_are_taken() {
    let mut scene = Scene::answering().await;
    // The first is only answered when it is asked for again.
    let first = scene.socket.next_of(&["frame_wanted"]).await;
    let second = scene.socket.next_of(&["frame_wanted"]).await;
    assert!(second["seq"].as_u64() > first["seq"].as_u64());
    scene.socket.send_picture(&second, &jpeg(64, 48, 90)).await;
    scene.socket.send_picture(&first, &jpeg(32, 24, 90)).await;
    for (width, height) in [(1, 1), (768, 16), (33, 700), (640, 480)] {
        let sent = jpeg(width, height, 90);
        loop {
            let message = scene.socket.next_with_pictures(&["vlm_response", "error"], &sent).await;
            assert_eq!(message["type"], "vlm_response", "{message}");
            if seen(&scene.vlm).last().unwrap() == &sent {
                break;
            }
        }
    }
    scene.server.stop().await;
}

#[tokio::test]
async fn a_page_that_sends_no_picture_takes_no_turns_from_the_others() {
    let mut scene = Scene::answering().await;
    let sent = jpeg(64, 48, 90);
    let (mut silent, _) = scene.server.browser().await.open(&new_id()).await;
    silent.begin_pictures().await;
    // It sends one picture, and then none.
    silent.give_picture(&sent).await;
    silent.next_of(&["vlm_response"]).await;
    let mut waiting = false;
    let mut answers = 0;
    while !waiting {
        tokio::select! {
            status = silent.next_of(&["status"]) => waiting = status["status"] == "Waiting",
            answer = scene.socket.next_with_pictures(&["vlm_response"], &sent) => {
                answers += 1;
                let waited = answer["metrics"]["age_ms"].as_f64().unwrap();
                assert!(waited < 1500.0, "{answer}");
            }
        }
    }
    // Ten a second, as they are asked for.
    assert!(answers >= 10, "{answers}");
    let asked = silent.next_of(&["frame_wanted"]).await;
    silent.send_picture(&asked, &sent).await;
    while silent.next_of(&["status"]).await["status"] != "Live" {}
    silent.next_with_pictures(&["vlm_response"], &sent).await;
    scene.server.stop().await;
}

#[tokio::test]
async fn nothing_is_asked_while_the_picture_stays_the_same() {
    let mut scene = Scene::answering().await;
    let (same, other) = (jpeg(64, 48, 90), jpeg(64, 48, 200));
    scene.socket.send(&json!({"type": "update_settings", "min_change": 0.1})).await;
    scene.socket.next_with_pictures(&["vlm_response"], &same).await;
    scene.socket.send(&json!({"type": "update_settings", "prompt": "And now?"})).await;
    scene.socket.next_with_pictures(&["vlm_response"], &same).await;
    let asked = scene.vlm.questions().len();
    let mut saved = 0;
    while saved < 5 {
        let status = scene.socket.next_with_pictures(&["status"], &same).await;
        saved = status["unchanged"].as_u64().unwrap();
    }
    // One more may have been asked about before it was known how the first one looks.
    assert!(scene.vlm.questions().len() <= asked + 1);
    let before = scene.vlm.questions().len();
    let answer = scene.socket.next_with_pictures(&["vlm_response"], &other).await;
    assert_eq!(seen(&scene.vlm).last().unwrap(), &other);
    assert!(answer["metrics"]["unchanged"].as_u64().unwrap() >= saved, "{answer}");
    assert!(scene.vlm.questions().len() > before);
    scene.server.stop().await;
}

#[tokio::test]
async fn from_video_to_pictures_and_back_no_answer_is_lost() {
    let vlm = Vlm::start(&["llava:7b"], |_| Reply::Held("Held back.".into())).await;
    let server = Server::start(&asking(&vlm)).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    let video = page.send_video(&id).await.unwrap();
    vlm.asked(live_vlm_tests::vlm::Asked::is_question).await;
    socket.begin_pictures().await;
    vlm.release();
    let answer = socket.next_of(&["vlm_response"]).await;
    assert_eq!(
        (&answer["text"], &answer["metrics"]["finish_reason"]),
        (&json!("Held back."), &json!("stop"))
    );
    drop(video);

    let sent = jpeg(64, 48, 90);
    let asked = vlm.questions().len();
    socket.give_picture(&sent).await;
    vlm.asked(|asked| asked.is_question() && asked_about(&asked.body) == [data_url(&sent)]).await;
    let _video = page.send_video(&id).await.unwrap();
    vlm.release();
    let answer = socket.next_of(&["vlm_response"]).await;
    assert_eq!(
        (&answer["text"], &answer["metrics"]["finish_reason"]),
        (&json!("Held back."), &json!("stop"))
    );
    assert_eq!(answer["seq"], asked + 1);
    // And the video is asked about.
    vlm.asked(|asked| asked.is_question() && asked_about(&asked.body) != [data_url(&sent)]).await;
    server.stop().await;
}

fn data_url(jpeg: &[u8]) -> String {
    format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(jpeg))
}

#[tokio::test]
async fn pictures_can_be_stopped_and_begun_again() {
    let mut scene = Scene::answering().await;
    let sent = jpeg(64, 48, 90);
    scene.socket.next_with_pictures(&["vlm_response"], &sent).await;
    scene.socket.send(&json!({"type": "send_pictures", "on": false})).await;
    let frames = scene.socket.next_with_pictures(&["frames"], &sent).await;
    assert_eq!(frames, json!({"type": "frames", "mode": "all"}));
    assert_eq!(scene.refused(message(1, 0, &sent)).await["code"], "unasked");
    scene.socket.send(&json!({"type": "send_pictures", "on": true})).await;
    let status = scene.socket.next().await;
    assert_eq!(status["status"], "Connecting", "{status}");
    assert_eq!(scene.socket.next().await, json!({"type": "frames", "mode": "pictures"}));
    scene.socket.next_with_pictures(&["vlm_response"], &sent).await;
    scene.server.stop().await;
}

#[tokio::test]
async fn an_operator_may_want_pictures_only_or_none() {
    let vlm = Vlm::saying(&["llava:7b"], "A grey wall.").await;
    let arguments = [asking(&vlm), vec!["--video-mode", "pictures"]].concat();
    let server = Server::start(&arguments).await;
    let (page, id) = (server.browser().await, new_id());
    let (mut socket, _) = page.open(&id).await;
    assert_eq!(socket.next().await, json!({"type": "frames", "mode": "pictures"}));
    let offer = json!({"sdp": "v=0", "type": "offer", "session_id": id});
    let refused = page.offer(&offer).await.unwrap_err();
    assert_eq!((refused.status, refused.about()), (403, ("pictures_only", "")));
    socket.begin_pictures().await;
    socket.next_with_pictures(&["vlm_response"], &jpeg(64, 48, 90)).await;
    server.stop().await;

    let arguments = [asking(&vlm), vec!["--video-mode", "webrtc"]].concat();
    let server = Server::start(&arguments).await;
    let (mut socket, _) = server.browser().await.open(&new_id()).await;
    for refused in [
        Message::text(json!({"type": "send_pictures", "on": true}).to_string()),
        message(1, 0, &jpeg(64, 48, 90)),
    ] {
        socket.send_raw(refused).await;
        let error = socket.next().await;
        assert_eq!((&error["code"], &error["field"]), (&json!("not_allowed"), &json!("type")));
    }
    // What is too long for a text is too long for a picture then.
    let _ = socket.try_send(message(1, 0, &vec![0; 400_000])).await;
    assert_eq!(socket.closed().await.expect("a close frame").code, CloseCode::Size);
    server.stop().await;
}

#[tokio::test]
async fn an_operator_says_how_large_a_picture_may_be() {
    let vlm = Vlm::saying(&["llava:7b"], "A grey wall.").await;
    let arguments = [asking(&vlm), vec!["--max-picture-kb", "64"]].concat();
    let server = Server::start(&arguments).await;
    let (mut socket, _) = server.browser().await.open(&new_id()).await;
    socket.begin_pictures().await;
    socket.send_raw(message(1, 0, &vec![0; 65_537])).await;
    let error = socket.next_of(&["error"]).await;
    assert_eq!(
        (&error["code"], &error["allowed"]),
        (&json!("too_large"), &json!("up to 65536 bytes"))
    );
    server.stop().await;
}
