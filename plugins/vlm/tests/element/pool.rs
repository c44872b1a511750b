//! Several servers, users, and their limits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use gst::prelude::*;
use gstvlm::context::context;
use live_vlm_dispatch::{Account, Backend, Denied, Dispatcher, Slots as SlotCount};
use vlm_client::Endpoint;

use crate::support::{Bench, Slots, Vlm, init, nobody, vlmanalyze};

const FAR: u64 = 60_000_000_000;

fn add(dispatcher: &Dispatcher, base: &str) {
    let endpoint = Endpoint::new(base, None).unwrap();
    dispatcher.add_backend(Backend {
        models: Some(vec!["m".into()]),
        ..Backend::new(endpoint, SlotCount::Fixed(1))
    });
}

#[test]
fn a_server_that_is_not_there_is_replaced_by_the_next_within_the_question() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(1, &vlm);
    let gone = nobody();
    add(&slots.dispatcher, &gone);
    add(&slots.dispatcher, vlm.base());
    let mut bench = slots.bench(&vlm, &[("interval", &FAR), ("api-base", &gone)]);
    bench.push(7);
    vlm.asked().answer("from the other");
    let answer = bench.done();
    assert_eq!((answer.text.as_str(), answer.api_base.as_str()), ("from the other", vlm.base()));
    assert_eq!(answer.pts, Some(gst::ClockTime::from_mseconds(7)), "about the same frame");
    assert_eq!(bench.count("errors"), 0);
}

#[test]
fn an_answer_that_breaks_off_is_not_begun_anew_elsewhere() {
    init();
    let [first, second] = [Vlm::start(), Vlm::start()];
    let slots = Slots::new(1, &first);
    add(&slots.dispatcher, first.base());
    add(&slots.dispatcher, second.base());
    let mut bench = slots.bench(&first, &[("interval", &FAR)]);
    bench.push(0);
    let mut asked = first.asked();
    asked.say("It");
    assert_eq!(bench.answer().text, "It");
    asked.cut();
    assert_eq!(bench.error().kind, "cut");
    assert!(second.is_idle());
}

/// May ask so many questions, and counts how often it was one too many.
#[derive(Debug, Default)]
struct Payer {
    left: AtomicU32,
    denied: AtomicU32,
}

impl Account for Payer {
    fn user(&self) -> &str {
        "ann"
    }

    fn admit(&self) -> Result<(), Denied> {
        let spend = |left: u32| left.checked_sub(1);
        let spent = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend);
        spent.map(drop).map_err(|_| {
            self.denied.fetch_add(1, Ordering::Relaxed);
            Denied {
                limit: "questions-per-minute",
                value: 1,
                retry_after: Duration::from_millis(200),
                message: "one question a minute; the next in a moment".into(),
            }
        })
    }
}

#[test]
fn a_limit_is_told_of_once_however_often_it_is_reached() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(1, &vlm);
    let payer = Arc::new(Payer { left: AtomicU32::new(1), ..Payer::default() });
    let element = vlmanalyze(&vlm);
    element.set_context(&context(&slots.dispatcher.for_account(Arc::<Payer>::clone(&payer))));
    let mut bench = Bench::with(element, &[("interval", &0_u64)]);
    bench.push(0);
    vlm.asked().answer("one");
    bench.done();
    bench.push(20);
    let error = bench.error();
    assert_eq!((error.kind.as_str(), error.retry_in_ms), ("limit", 200));
    assert_eq!(error.limit, Some(("questions-per-minute".to_owned(), 1)));
    let mut pts = 40;
    while payer.denied.load(Ordering::Relaxed) < 3 {
        pts += 1;
        bench.push(pts);
    }
    payer.left.store(1, Ordering::Relaxed);
    bench.push_until_asked(pts);
    vlm.asked().answer("two");
    assert_eq!(bench.done().text, "two", "no second error in between");
}

#[test]
fn when_its_server_is_seen_again_a_session_asks_at_once_however_long_it_was_to_wait() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(1, &vlm);
    add(&slots.dispatcher, vlm.base());
    let mut bench = slots.bench(&vlm, &[("interval", &FAR)]);
    // A list that was asked for is good for a second.
    let look_until = |well: bool| {
        let is_well = || {
            let error = slots.dispatcher.pool().remove(0).last_error.unwrap_or_default();
            !error.contains("503")
        };
        while is_well() != well {
            let _ = slots.runtime.block_on(slots.dispatcher.models(Duration::from_secs(20)));
        }
    };
    bench.push(0);
    let asked = vlm.asked();
    vlm.refuse_list(Some(503));
    look_until(false);
    asked.reply(401, &[], "who are you");
    assert_eq!(bench.error().retry_in_ms, 30_000);
    let failed = std::time::Instant::now();
    vlm.refuse_list(None);
    look_until(true);
    bench.push_until_asked(1);
    assert!(failed.elapsed() < Duration::from_secs(20), "{:?}", failed.elapsed());
    vlm.asked().answer("fine");
    assert_eq!(bench.done().text, "fine");
}
