//! The end of the stream waits for answers that are on their way, and for nothing else.

use crate::support::{Bench, LONG, Slots, Vlm, init, nobody};

#[test]
fn the_end_waits_for_the_question_in_flight() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    let order = bench.log_order();
    bench.push(0);
    let mut asked = vlm.asked();
    asked.say("a ");
    let ended = bench.end_aside();
    asked.say("ball");
    asked.finish();
    assert!(ended.recv_timeout(LONG).unwrap());
    assert_eq!(order.try_iter().collect::<Vec<_>>(), ["answer", "end"]);
}

#[test]
fn the_end_waits_for_a_sample_whose_turn_is_to_come() {
    init();
    let vlm = Vlm::start();
    let slots = Slots::new(1, &vlm);
    let mut other = slots.join();
    let turn =
        slots.runtime.block_on(other.turn(live_vlm_dispatch::Want::default(), || ())).unwrap();
    let mut bench = slots.bench(&vlm, &[]);
    let order = bench.log_order();
    bench.push(0);
    let ended = bench.end_aside();
    drop(turn);
    vlm.asked().answer("one");
    assert!(ended.recv_timeout(LONG).unwrap());
    assert_eq!(order.try_iter().collect::<Vec<_>>(), ["answer", "end"]);
}

#[test]
fn the_end_does_not_wait_for_a_vlm_that_is_left_alone() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("interval", &0u64), ("api-base", &nobody())]);
    bench.push(0);
    bench.error();
    bench.push(20);
    assert!(bench.end_aside().recv_timeout(LONG).unwrap());
    assert_eq!(bench.count("errors"), 1, "it was not asked again");
}

#[test]
fn a_failure_is_told_before_the_end() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    let order = bench.log_order();
    bench.push(0);
    let asked = vlm.asked();
    let ended = bench.end_aside();
    asked.reply(500, &[], "");
    assert!(ended.recv_timeout(LONG).unwrap());
    assert_eq!(order.try_iter().collect::<Vec<_>>(), ["error", "end"]);
}

#[test]
fn the_end_waits_for_the_question_that_is_asked_again() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    let order = bench.log_order();
    bench.push(0);
    let asked = vlm.asked();
    let ended = bench.end_aside();
    bench.set("prompt", "Why?");
    asked.hung_up();
    vlm.asked().answer("Because.");
    assert!(ended.recv_timeout(LONG).unwrap());
    assert_eq!(order.try_iter().collect::<Vec<_>>(), ["answer", "end"]);
}
