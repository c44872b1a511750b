//! A connection leaves nothing behind.

mod common;

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use gst::prelude::*;
use tokio::time::timeout;

use common::{LIMIT, Meeting, Wanted, options, poll};
use live_vlm_pipelines::{Codec, PeerConnection, warm_up};
use live_vlm_sender::SenderOptions;

/// What this process has, by what it is called.
#[derive(Debug)]
struct Held {
    threads: BTreeMap<String, usize>,
    descriptors: BTreeMap<String, usize>,
}

impl Held {
    fn now() -> Self {
        // Those that GLib keeps for later work do not count.
        gst::glib::ThreadPool::stop_unused_threads();
        let name = |thread: &Path| fs::read_to_string(thread.join("comm")).ok();
        let target = |file: &Path| Some(fs::read_link(file).ok()?.to_string_lossy().into_owned());
        Self {
            threads: named("/proc/self/task", name),
            descriptors: named("/proc/self/fd", target),
        }
    }

    fn is_within(&self, other: &Self) -> bool {
        let count = |names: &BTreeMap<_, usize>| names.values().sum::<usize>();
        count(&self.threads) <= count(&other.threads)
            && count(&self.descriptors) <= count(&other.descriptors)
    }

    /// Waits until no more is left than this. GStreamer's shared worker threads end a moment after
    /// their last task.
    async fn wait_until_no_more_stays(self) {
        let all = poll(|| Self::now().is_within(&self));
        let in_time = timeout(LIMIT / 2, all).await;
        assert!(in_time.is_ok(), "{:?} of {self:?}", Self::now());
    }
}

/// How many there are of each name in a folder, without those that are gone meanwhile.
fn named(folder: &str, name: impl Fn(&Path) -> Option<String>) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        if let Some(name) = name(&entry.unwrap().path()) {
            *names.entry(name.trim().to_owned()).or_default() += 1;
        }
    }
    names
}

async fn visit(number: usize) {
    let codec = Codec::ALL[number % Codec::ALL.len()];
    let options = SenderOptions { codec, ..SenderOptions::default() };
    let mut meeting = Meeting::start(options, Wanted::slow()).await;
    meeting.first_frame().await;
    let Meeting { connection, sender, analyzer, .. } = meeting;
    // The connection's pipeline holds this element: one is freed with the other.
    let element = analyzer.downgrade();
    drop(analyzer);
    // Who leaves first makes no difference, nor does dropping instead of stopping.
    match number % 3 {
        0 => {
            sender.vanish().await;
            connection.stop().await;
            assert!(element.upgrade().is_none(), "stop returned before all was freed");
        }
        1 => {
            connection.stop().await;
            assert!(element.upgrade().is_none(), "stop returned before all was freed");
            sender.vanish().await;
        }
        _ => {
            drop(connection);
            drop(sender);
            poll(|| element.upgrade().is_none()).await;
        }
    }
}

/// One thread, and one for blocking work, so that the runtime's own threads do not vary.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn twenty_visits_leave_no_thread_or_descriptor() {
    runtime().block_on(async {
        warm_up().await.unwrap();
        for number in 0..3 {
            visit(number).await;
        }
        let settled = Held::now();
        for number in 0..20 {
            visit(number).await;
        }
        settled.wait_until_no_more_stays().await;
    });
}

#[test]
fn a_client_that_leaves_at_any_moment_of_the_negotiation_leaves_nothing_behind() {
    runtime().block_on(async {
        warm_up().await.unwrap();
        visit(0).await;
        let settled = Held::now();
        for after in (0..100).map(|quarter| Duration::from_micros(250 * quarter)) {
            let (options, analyzer, _) = options(&Wanted::slow());
            let element = analyzer.downgrade();
            drop(analyzer);
            let offer = include_str!("offers/chromium.sdp");
            drop(timeout(after, PeerConnection::accept_offer(offer, options, |_| {})).await);
            poll(|| element.upgrade().is_none()).await;
        }
        settled.wait_until_no_more_stays().await;
    });
}
