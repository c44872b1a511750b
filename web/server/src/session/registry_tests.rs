use live_vlm_access::{
    limits::{Limits, Now},
    user::User,
};
use live_vlm_backends::own::{Askers, OwnEndpoints};
use live_vlm_dispatch::{Dispatcher, DispatcherConfig};
use live_vlm_media_link::{Answered, FromMedia, Reader, SandboxParts, ToMedia, VERSION, Writer};
use live_vlm_media_processes::{
    Codec, Config as MediaConfig, MediaProcesses, NetworkOptions, launcher::InProcess,
    placement::Bounds,
};
use live_vlm_observe::Observer;
use live_vlm_observe::{
    metrics::{Format, Metrics},
    overload::{Overload, Overloaded},
    usage::{self, Usage, UsageDb},
};
use tokio::{
    net::UnixStream,
    runtime,
    sync::{oneshot, watch},
};
use vlm_client::{Client, Endpoint};

use super::{
    super::{
        command::Offer, outbox::Outbox, prepare::Decoders, presence::Offerer, settings::Defaults,
    },
    *,
};
use crate::{
    config::{Config, Options},
    live::Live,
    network::VideoOptions,
    protocol::{ClientMessage, FramesMode},
    refusal_log::RefusalLog,
    relay::Relays,
};

/// Media processes that answer each offer in the same way, and then do nothing.
fn media() -> MediaProcesses {
    let bounds = Bounds { wanted: 9, most: 9, connections: 9 };
    let config = MediaConfig { keeps_spare: false, ..MediaConfig::new(bounds) };
    MediaProcesses::new(config, InProcess::new(answer_offers))
}

async fn answer_offers(link: UnixStream) {
    let (read, write) = link.into_split();
    let (mut reader, mut writer) = (Reader::<_, ToMedia>::new(read), Writer::new(write));
    while let Ok(Some(received)) = reader.next().await {
        let reply = match received.message {
            ToMedia::Hello { .. } => {
                let sandbox = SandboxParts::default();
                FromMedia::Ready { version: VERSION, codecs: vec![Codec::Vp8], sandbox }
            }
            ToMedia::Ping { number } => FromMedia::Pong { number },
            ToMedia::Offer { connection, .. } => {
                let sdp = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n".to_owned();
                let answered =
                    Answered { sdp, codec: Codec::Vp8, found_all: true, goes_back: false };
                FromMedia::Answered { connection, result: Ok(answered) }
            }
            ToMedia::Stop { connection } => FromMedia::Stopped { connection },
            _ => continue,
        };
        writer.send(reply).await.unwrap();
    }
}

fn sessions(reached: watch::Receiver<Option<Overloaded>>) -> Sessions {
    let client = Client::new().unwrap();
    let runtime = runtime::Handle::current();
    let metrics = Metrics::new(false);
    let off = usage::Config { usage_db: Some(UsageDb::Off), ..usage::Config::default() };
    Sessions::new(Services {
        defaults: Arc::new(Defaults {
            endpoint: Endpoint::new("http://localhost:9/v1", None).unwrap(),
            model: String::new(),
            stand_in: false,
            prompt: "?".into(),
            max_tokens: 9,
            interval: Duration::from_secs(1),
        }),
        dispatcher: Dispatcher::new(DispatcherConfig::default(), client, &runtime),
        media: media(),
        video: VideoOptions::default(),
        decoders: Decoders::default(),
        network: NetworkOptions::default(),
        relays: Relays::default(),
        own_endpoints: OwnEndpoints::new(Askers::Anybody, &[]),
        live: Live::new((&Config::without_file(&Options::default()).unwrap()).into()),
        limits: Limits::new(Now::read()),
        grace: Duration::from_secs(60),
        refusals: RefusalLog::new(metrics.clone()),
        observer: Observer {
            overload: Overload::told(reached),
            traces: None,
            usage: Usage::start(&off).unwrap(),
            metrics,
        },
    })
}

#[tokio::test]
async fn overload_keeps_new_sessions_out_and_leaves_running_ones_alone() {
    let (tell, reached) = watch::channel(None);
    let sessions = sessions(reached);
    let (user, address) = (User::signed_in("ada", Vec::new()), [192, 0, 2, 1].into());
    let ada = Requester { user, address, credential: None };
    let running = sessions.open(None, &ada).unwrap().id().to_string();
    tell.send_replace(Some(Overloaded::Cpu { used: 0.95, most: 0.9 }));

    let refusal = sessions.open(None, &ada).unwrap_err();
    assert_eq!((refusal.code, refusal.retry_after_s), (Code::Overloaded, Some(10.0)));
    assert!(refusal.message.contains("95%") && refusal.message.contains("90%"), "{refusal:?}");
    assert_eq!(sessions.open(Some(&running), &ada).unwrap().id().to_string(), running);
    assert_eq!(sessions.count(), 1);

    tell.send_replace(None);
    sessions.open(None, &ada).unwrap();
    sessions.close(Duration::from_secs(9)).await;
}

#[tokio::test]
async fn a_session_that_panics_ends_alone_and_its_id_can_be_used_again() {
    let (_tell, reached) = watch::channel(None);
    let sessions = sessions(reached);
    let (user, address) = (User::signed_in("ada", Vec::new()), [192, 0, 2, 1].into());
    let ada = Requester { user, address, credential: None };
    let (broken, other) = (sessions.open(None, &ada).unwrap(), sessions.open(None, &ada).unwrap());
    broken.commands.send(Command::Panic).await.ok().unwrap();
    broken.commands.closed().await;
    assert_eq!(sessions.count(), 1);
    let again = sessions.open(Some(&broken.id().to_string()), &ada).unwrap();
    assert!(!again.commands.is_closed() && !other.commands.is_closed());
    let figures = sessions.shared.services.observer.metrics.exposition(Format::Prometheus);
    let crashed = "live_vlm_sessions_ended_total{reason=\"crashed\"} 1\n";
    assert!(figures.contains(crashed), "{figures}");
    sessions.close(Duration::from_secs(9)).await;
    assert!(sessions.shared.services.limits.is_unused());
}

#[tokio::test]
async fn an_offer_that_was_given_up_while_it_waited_costs_no_pipeline() {
    let (_tell, reached) = watch::channel(None);
    let sessions = sessions(reached);
    let (user, address) = (User::signed_in("ada", Vec::new()), [192, 0, 2, 1].into());
    let ada = Requester { user, address, credential: None };
    let session = sessions.open(None, &ada).unwrap();
    let (outbox, mut inbound) = Outbox::new();
    assert!(session.attach(outbox).await);
    let offer = || {
        let sdp = include_str!("../../../../pipelines/tests/offers/chromium.sdp").to_owned();
        let (reply, answer) = oneshot::channel();
        let offer = Offer { sdp, of: Offerer::Page, frames_on_demand: true };
        (Command::Offer { offer, reply }, answer)
    };
    for _ in 0..3 {
        let (given_up, _) = offer();
        session.commands.send(given_up).await.ok().unwrap();
    }
    let debug = ClientMessage::SetDebug { debug: true };
    assert!(session.message(Ok(debug)).await);
    let mut told = Vec::new();
    while told.last().is_none_or(|last: &String| !last.contains("debug_updated")) {
        told.push(inbound.next().await.unwrap());
    }
    assert!(!told.iter().any(|message| message.contains("Connecting")), "{told:?}");
    // One that is waited for is answered as ever.
    let (wanted, answer) = offer();
    session.commands.send(wanted).await.ok().unwrap();
    let reply = answer.await.unwrap().unwrap();
    assert!(reply.sdp.contains("m=video"));
    assert_eq!(reply.frames, Some(FramesMode::OnDemand));
    assert!(inbound.next().await.unwrap().contains("Connecting"));
    sessions.close(Duration::from_secs(9)).await;
}

#[tokio::test]
async fn an_offer_to_a_session_that_ends_is_refused_as_such_and_is_no_fault_of_ours() {
    let (_tell, reached) = watch::channel(None);
    let sessions = sessions(reached);
    let (user, address) = (User::signed_in("ada", Vec::new()), [192, 0, 2, 1].into());
    let ada = Requester { user, address, credential: None };
    let session = sessions.open(None, &ada).unwrap();
    session.commands.send(Command::Close).await.ok().unwrap();

    let offer = Offer { sdp: "v=0".into(), of: Offerer::Page, frames_on_demand: false };
    let refusal = session.answer_offer(offer).await.unwrap_err();
    assert_eq!((refusal.code, refusal.retry_after_s), (Code::SessionEnded, Some(2.0)));
    sessions.close(Duration::from_secs(9)).await;
}
