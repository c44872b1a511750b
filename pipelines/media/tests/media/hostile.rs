//! Peers who prove who they are and then send what no encoder makes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use live_vlm_media_processes::{Codec, Outcome, PeerEvent};
use live_vlm_sender::{SenderOptions, Tamper, VideoSource};
use tokio::{task::JoinSet, time::timeout_at};

use super::{
    mutation::Mutation,
    support::{Started, config, is_served_until, setting, soon},
};

/// How long hostile peers go on, unless `HOSTILE_SECONDS` says otherwise.
const SECONDS: u64 = 4;
/// How long one is given.
const EACH: Duration = Duration::from_millis(1500);
const AT_ONCE: usize = 3;
/// Many small frames: most of what is to be found is in their headers.
const SOURCE: &str = "videotestsrc is-live=true pattern=zone-plate kx2=8 ky2=8 kt=4 ! \
    capsfilter caps=video/x-raw,format=I420,width=160,height=120,framerate=200/1";

/// One hostile peer, and what became of their connection, in a few words.
async fn visit(started: &Started, number: u64, tampered: Arc<AtomicUsize>) -> String {
    let codec = Codec::ALL[usize::try_from(number).unwrap() % Codec::ALL.len()];
    let mutation = Mutex::new(Mutation::new(number));
    let tamper = Tamper::new(move |packet| {
        let changed = mutation.lock().unwrap().change(packet);
        tampered.fetch_add(usize::from(changed), Ordering::Relaxed);
    });
    let options = SenderOptions {
        codec,
        source: VideoSource::Description(SOURCE.to_owned()),
        tamper: Some(tamper),
        ..SenderOptions::default()
    };
    let (sender, mut answered) = match started.connect(&format!("eve {number}"), options).await {
        Ok(connected) => connected,
        Err(error) => return format!("{codec} {error}"),
    };
    let until = tokio::time::Instant::now() + EACH;
    let mut became = "goes on".to_owned();
    loop {
        let event = tokio::select! {
            event = timeout_at(until, answered.events.next()) => event,
            Some(mut want) = answered.turns.want() => {
                let _ = timeout_at(until, want.turn()).await;
                want.end(Outcome::Done);
                continue;
            }
        };
        match event {
            Ok(Some(PeerEvent::Gone(cause))) => became = format!("{number}: {cause}"),
            Ok(Some(PeerEvent::Lost(reason))) => became = without_numbers(&reason.to_string()),
            Ok(Some(_)) => continue,
            Ok(None) | Err(_) => {}
        }
        break;
    }
    sender.vanish().await;
    soon(answered.peer.stop()).await;
    format!("{codec} {became}")
}

/// So that what differs only in them is counted as the same.
fn without_numbers(text: &str) -> String {
    let words = text.split(' ').filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()));
    words.collect::<Vec<_>>().join(" ")
}

/// Hostile peers one after the other, and what became of how many.
async fn visits(started: Arc<Started>, until: Instant, first: u64) -> BTreeMap<String, usize> {
    let tampered = Arc::<AtomicUsize>::default();
    let (mut visiting, mut became, mut number) = (JoinSet::new(), BTreeMap::new(), first);
    loop {
        while visiting.len() < AT_ONCE && Instant::now() < until {
            let (started, tampered) = (Arc::clone(&started), Arc::clone(&tampered));
            visiting.spawn(async move { visit(&started, number, tampered).await });
            number += 1;
        }
        let Some(visited) = visiting.join_next().await else { break };
        *became.entry(visited.unwrap()).or_default() += 1;
    }
    became.insert("changed packets".to_owned(), tampered.load(Ordering::Relaxed));
    became
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "what was found is for whoever started it for longer")]
async fn what_no_encoder_makes_disturbs_nobody_else() {
    let seconds = Duration::from_secs(setting("HOSTILE_SECONDS").unwrap_or(SECONDS));
    let first = setting("HOSTILE_FIRST").unwrap_or(0);
    let started = Arc::new(Started::new(config()));
    let (sender, mut ada) = started.meet("ada", Codec::Vp8).await;
    let visits = tokio::spawn(visits(Arc::clone(&started), Instant::now() + seconds, first));
    let longest = is_served_until(&mut ada, || visits.is_finished()).await;
    let became = visits.await.unwrap();
    println!("the longest wait for a picture was {longest:?}; of those who sent it: {became:#?}");
    assert!(became["changed packets"] > 50, "{became:#?}");
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    soon(started.processes.wait_for(|figures| figures.connections == 1)).await;
    sender.vanish().await;
}
