//! A session leaves nothing behind.

mod common;

use std::time::Duration;

use gst::prelude::*;
use tokio::time::timeout;

use common::{Meeting, Wanted, options, poll};
use live_vlm_pipelines::{BrowserSession, Codec, SenderOptions, warm_up};

/// Without those that GLib keeps for later work.
fn threads() -> usize {
    gst::glib::ThreadPool::stop_unused_threads();
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

async fn visit(number: usize) {
    let codec = Codec::ALL[number % Codec::ALL.len()];
    let options = SenderOptions { codec, ..SenderOptions::default() };
    let mut meeting = Meeting::start(options, Wanted::slow()).await;
    meeting.first_frame().await;
    let Meeting { session, sender, analyzer, .. } = meeting;
    // The session's pipeline holds this element: one is freed with the other.
    let element = analyzer.downgrade();
    drop(analyzer);
    // Who leaves first makes no difference, nor does dropping instead of stopping.
    match number % 3 {
        0 => {
            sender.vanish().await;
            session.stop().await;
            assert!(element.upgrade().is_none(), "stop returned before all was freed");
        }
        1 => {
            session.stop().await;
            assert!(element.upgrade().is_none(), "stop returned before all was freed");
            sender.vanish().await;
        }
        _ => {
            drop(session);
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
        let settled = (threads(), descriptors());
        for number in 0..20 {
            visit(number).await;
        }
        // GStreamer's shared worker threads end a moment after their last task.
        poll(|| threads() <= settled.0 && descriptors() <= settled.1).await;
    });
}

#[test]
fn a_client_that_leaves_at_any_moment_of_the_negotiation_leaves_nothing_behind() {
    runtime().block_on(async {
        warm_up().await.unwrap();
        visit(0).await;
        let settled = (threads(), descriptors());
        for after in (0..100).map(|quarter| Duration::from_micros(250 * quarter)) {
            let (options, analyzer, _) = options(&Wanted::slow());
            let element = analyzer.downgrade();
            drop(analyzer);
            let offer = include_str!("offers/chromium.sdp");
            drop(timeout(after, BrowserSession::answer(offer, options, |_| {})).await);
            poll(|| element.upgrade().is_none()).await;
        }
        poll(|| threads() <= settled.0 && descriptors() <= settled.1).await;
    });
}
