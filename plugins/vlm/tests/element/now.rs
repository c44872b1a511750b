//! Questions that somebody waits for.

use gst::glib::prelude::*;

use crate::support::{Bench, Slots, Vlm, init};

const FAR: u64 = 60_000_000_000;

fn asks_at_once(on_demand: bool) {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("interval", &FAR), ("on-demand", &on_demand)]);
    bench.push(0);
    vlm.asked().answer("first");
    bench.done();
    bench.element.emit_by_name::<()>("analyze-now", &[]);
    bench.push_until_asked(20);
    vlm.asked().answer("second");
    assert_eq!(bench.done().text, "second");
}

#[test]
fn analyze_now_asks_about_the_next_frame_whatever_the_interval() {
    asks_at_once(false);
}

#[test]
fn analyze_now_asks_for_a_frame_where_they_come_on_demand() {
    asks_at_once(true);
}

#[test]
fn while_it_waits_for_its_turn_it_keeps_its_place() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(1, &vlm);
    let mut other = slots.join();
    let turn =
        slots.runtime.block_on(other.turn(live_vlm_dispatch::Want::default(), || ())).unwrap();
    let mut bench = slots.bench(&vlm, &[]);
    bench.push(0);
    slots.wait_for_load((1, 1));
    bench.element.emit_by_name::<()>("analyze-now", &[]);
    drop(turn);
    vlm.asked().answer("now");
    assert_eq!(bench.done().seq, 1);
}
