//! A peer's video is asked about, by the real element and a real VLM server.

use crate::common::next;
use live_vlm_pipelines::{
    Choices, OfferError, PeerConnection, PeerEvent, PeerOptions, PeerSettings,
};
use live_vlm_sender::{Sender, SenderOptions};
use std::{sync::Mutex, time::Duration};
use tokio::sync::{mpsc, oneshot};
use vlm_client::Endpoint;

async fn answers_every(interval: Duration) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(demo_vlm::serve(listener, demo_vlm::Options::default(), async {
        drop(stopped.await)
    }));

    gst::init().unwrap();
    let mut options = PeerOptions::new(PeerSettings {
        model: demo_vlm::MODEL.to_owned(),
        choices: Choices {
            prompt: "What do you see?".to_owned(),
            interval: interval.into(),
            ..Choices::default()
        },
        endpoint: Some(Endpoint::new(&base, None).unwrap()),
        ..PeerSettings::default()
    })
    .unwrap();
    options.network.bind = Some([127, 0, 0, 1].into());
    let (tell, mut events) = mpsc::unbounded_channel();
    let connection = Mutex::new(None);
    let sender = Sender::connect(SenderOptions::default(), |offer| async {
        let tell = move |event| drop(tell.send(event));
        let (own, answer) = PeerConnection::accept_offer(&offer, options, tell).await?;
        *connection.lock().unwrap() = Some(own);
        drop(offer);
        Ok::<_, OfferError>(answer)
    })
    .await
    .unwrap();

    let mut complete = 0;
    while complete < 2 {
        match next(&mut events).await {
            PeerEvent::Answer(answer) if answer.done => {
                assert!(answer.text.contains("640"), "it describes the picture: {}", answer.text);
                complete += 1;
            }
            PeerEvent::AnswerError(error) => panic!("{error:?}"),
            PeerEvent::Lost(reason) => panic!("{reason}"),
            _ => {}
        }
    }
    let connection = connection.into_inner().unwrap().unwrap();
    connection.stop().await;
    sender.hang_up().await;
    drop(stop);
    server.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn key_frames_on_demand_are_answered() {
    answers_every(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fast_interval_is_answered() {
    answers_every(Duration::from_millis(200)).await;
}
