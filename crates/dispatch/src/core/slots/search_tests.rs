//! The search against simulated servers.

use std::time::{Duration, Instant};

use super::{
    MemberId, SlotCount, Slots,
    simulated::{Demand, Run, Server, play},
};

/// Numbers among which the best fixed one is.
const FIXED: [usize; 15] = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96];
/// Other lengths of answers for each.
const SEEDS: [u64; 4] = [1, 2, 3, 4];

/// Seconds.
type Span = (f64, f64);

/// Twice as many sessions as there is room for, 4 at least, which ask again at once.
fn crowd(room: usize) -> Demand {
    Demand { sessions: (2 * room).max(4), interval: 0.0 }
}

/// The most answers a second that a fixed number brings.
fn best(server: &Server, seed: u64, demand: Demand, (from, to): Span) -> f64 {
    let most = FIXED.iter().filter(|slots| **slots <= 2 * demand.sessions);
    let rates = most.map(|slots| play(seed, Slots::Fixed(*slots), server, demand, to));
    rates.map(|run| run.rate(from, to)).fold(0.0, f64::max)
}

/// That what is found brings at least this share of the most, for the lengths of each seed.
fn brings(share: f64, server: &Server, first: usize, demand: Demand, span: Span) -> Vec<Run> {
    let seeds = if server.differ == 0.0 { &SEEDS[..1] } else { &SEEDS };
    let each = seeds.iter().map(|seed| {
        let run = play(*seed, Slots::Auto(first), server, demand, span.1);
        let (rate, best) = (run.rate(span.0, span.1), best(server, *seed, demand, span));
        let slots = &run.slots;
        assert!(rate >= share * best, "{rate:.2} of {best:.2}: {server:?}, {slots:?}");
        run
    });
    each.collect()
}

/// That half of the answers are of pictures so old at most, in seconds.
fn are_fresh(runs: &[Run], age: f64, (from, to): Span) {
    for run in runs {
        let found = run.age(0.5, from, to);
        assert!(found <= age, "{found:.2} s: {:?}", run.slots);
    }
}

#[test]
fn after_ten_answers_the_room_of_a_server_that_streams_is_found() {
    for room in [1, 2, 3, 4, 5, 8] {
        let run = play(1, Slots::Auto(1), &Server::with_room(room), crowd(room), 30.0);
        assert_eq!(run.slots_after(10), room, "{:?}", run.slots);
    }
}

#[test]
fn a_batching_server_is_filled_within_ten_seconds() {
    for first in [1, 8] {
        let run = play(1, Slots::Auto(first), &Server::with_room(64), crowd(64), 30.0);
        assert!(run.rate(10.0, 30.0) >= 0.95 * 64.0, "{:?}", run.slots);
    }
}

#[test]
fn what_is_found_brings_what_the_best_number_brings_and_fresh_answers() {
    let span = (15.0, 75.0);
    for room in [1, 2, 3, 5, 8, 12, 64] {
        for streams in [true, false] {
            let server = Server { streams, ..Server::with_room(room) };
            let runs = brings(0.95, &server, 1, crowd(room), span);
            are_fresh(&runs, 1.1, span);
        }
    }
}

#[test]
fn four_sessions_on_one_slot_get_fresh_answers_after_fifteen_seconds() {
    for streams in [true, false] {
        for first in [1, 4] {
            let demand = Demand { sessions: 4, interval: 1.0 };
            let server = Server { streams, ..Server::with_room(1) };
            let run = play(1, Slots::Auto(first), &server, demand, 55.0);
            let (p50, p95) = (run.age(0.5, 15.0, 55.0), run.age(0.95, 15.0, 55.0));
            assert!(p50 <= 1.1, "{streams} {first}: {p50:.2} {p95:.2} {:?}", run.slots);
        }
    }
}

#[test]
fn answers_may_differ_in_length() {
    let span = (40.0, 160.0);
    for room in [1, 2, 8, 64] {
        let server = Server { differ: 0.25, ..Server::with_room(room) };
        for first in [1, 8] {
            let runs = brings(0.95, &server, first, crowd(room), span);
            are_fresh(&runs, 1.15, span);
        }
    }
}

#[test]
fn answers_that_come_whole_may_differ_in_length_too() {
    let span = (60.0, 240.0);
    for room in [1, 2, 8, 64] {
        let server = Server { differ: 0.25, streams: false, ..Server::with_room(room) };
        brings(0.9, &server, 1, crowd(room), span);
    }
}

fn batching(slower: f64, room: usize) -> Server {
    Server { slower, prompt: 0.3, rest: 0.7, ..Server::with_room(room) }
}

#[test]
fn a_batch_is_enlarged_for_as_long_as_that_pays() {
    let span = (15.0, 115.0);
    for (slower, room) in [(0.03, 32), (0.1, 8), (0.02, 64)] {
        for first in [1, 8] {
            for has_metrics in [false, true] {
                let server = Server { has_metrics, ..batching(slower, room) };
                brings(0.95, &server, first, crowd(room), span);
            }
        }
    }
}

#[test]
fn a_batch_is_enlarged_though_answers_differ_in_length() {
    for (slower, room) in [(0.03, 32), (0.1, 8), (0.02, 64)] {
        for has_metrics in [false, true] {
            let server = Server { differ: 0.25, has_metrics, ..batching(slower, room) };
            brings(0.95, &server, 1, crowd(room), (60.0, 240.0));
        }
    }
}

#[test]
fn a_batch_that_only_makes_every_answer_slower_is_not_enlarged() {
    let server = batching(1.0, 64);
    let run = play(1, Slots::Auto(1), &server, crowd(4), 100.0);
    are_fresh(&[run], 1.0, (15.0, 100.0));
}

#[test]
fn first_tokens_that_come_later_beside_another_answer_are_no_waiting() {
    // As vLLM with room for 2: one more makes first tokens and answers slower, and yet brings more.
    for has_metrics in [false, true] {
        let server = Server { has_metrics, ..batching(0.4, 2) };
        brings(0.95, &server, 1, crowd(2), (15.0, 75.0));
    }
}

#[test]
fn what_a_server_says_of_itself_is_exact() {
    for room in [1, 2, 8, 64] {
        for first in [1, 8] {
            let server = Server { has_metrics: true, differ: 0.25, ..Server::with_room(room) };
            let runs = brings(0.97, &server, first, crowd(room), (15.0, 115.0));
            are_fresh(&runs, 1.15, (15.0, 115.0));
        }
    }
}

#[test]
fn what_waits_inside_for_a_moment_takes_no_slot() {
    let mut count = SlotCount::new(Slots::Auto(8));
    let now = Instant::now();
    for (seconds, waiting) in [(0, 3), (1, 0), (2, 5), (3, 0), (60, 4)] {
        count.told(waiting, now + Duration::from_secs(seconds));
        assert_eq!(count.get(), 8);
    }
    count.told(2, now + Duration::from_secs(61));
    assert_eq!(count.get(), 6);
}

#[test]
fn less_room_is_noticed_within_a_minute() {
    for (before, after) in [(8, 2), (4, 1), (64, 16)] {
        for streams in [true, false] {
            let room = vec![(0.0, before), (50.0, after)];
            let server = Server { room, streams, ..Server::with_room(before) };
            let runs = brings(0.94, &server, 1, crowd(before), (110.0, 230.0));
            are_fresh(&runs, 1.1, (110.0, 230.0));
        }
    }
}

#[test]
fn more_room_is_noticed_within_two_minutes() {
    for (before, after) in [(2, 8), (1, 4), (8, 64)] {
        for streams in [true, false] {
            let room = vec![(0.0, before), (50.0, after)];
            let server = Server { room, streams, ..Server::with_room(before) };
            brings(0.94, &server, 1, crowd(after), (170.0, 290.0));
        }
    }
}

#[test]
fn with_little_demand_answers_are_fresh_and_nobody_waits_long() {
    for (sessions, room) in [(1, 1), (1, 8), (4, 1), (4, 8)] {
        for streams in [true, false] {
            let server = Server { streams, ..Server::with_room(room) };
            let demand = Demand { sessions, interval: 5.0 };
            let run = play(1, Slots::Auto(1), &server, demand, 100.0);
            let wanted = sessions as f64 / 5.0;
            assert!(run.rate(20.0, 100.0) >= 0.95 * wanted, "{:?}", run.slots);
            are_fresh(&[run], 1.0, (20.0, 100.0));
        }
    }
}

#[test]
fn a_crowd_that_comes_late_is_answered_as_well() {
    let server = Server::with_room(8);
    let mut late = Demand { sessions: 1, interval: 1.0 };
    let alone = play(1, Slots::Auto(1), &server, late, 60.0);
    assert!(alone.last_slots() <= 2, "{:?}", alone.slots);
    late.sessions = 16;
    late.interval = 0.0;
    brings(0.95, &server, alone.last_slots(), late, (15.0, 75.0));
}

#[test]
fn a_number_that_was_too_high_is_tried_ever_more_rarely_but_is_tried() {
    let run = play(1, Slots::Auto(1), &Server::with_room(1), crowd(1), 600.0);
    let tries: Vec<f64> = run.slots.iter().filter(|step| step.1 == 2).map(|step| step.0).collect();
    let apart: Vec<f64> = tries.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(apart[0] >= 30.0 && apart[1] >= 60.0, "{apart:?}");
    assert!(apart[2..].iter().all(|apart| (118.0..150.0).contains(apart)), "{apart:?}");
}

#[test]
fn a_server_that_says_what_it_is_begins_with_its_number_unless_one_was_found() {
    let mut count = SlotCount::new(Slots::Auto(1));
    count.set(Slots::Auto(8));
    assert_eq!(count.get(), 8);
    (0..2).for_each(|_| count.told(5, Instant::now()));
    count.set(Slots::Auto(4));
    assert_eq!(count.get(), 3);
    count.set(Slots::Fixed(2));
    assert_eq!(count.get(), 2);
}

#[test]
fn a_fixed_number_stays() {
    let run = play(1, Slots::Fixed(2), &Server::with_room(8), crowd(8), 60.0);
    assert_eq!(run.slots.len(), 1);
    let mut count = SlotCount::new(Slots::Fixed(2));
    (0..2).for_each(|_| count.told(5, Instant::now()));
    assert_eq!(count.get(), 2);
}

#[test]
fn what_is_given_up_or_fails_says_nothing() {
    let mut count = SlotCount::new(Slots::Auto(1));
    let mut now = Instant::now();
    for member in 0..100 {
        let member = MemberId(member);
        count.begin(member, now);
        if member.0.is_multiple_of(2) {
            count.sent(member, now);
        }
        now += Duration::from_millis(10);
        count.end(member, None, now);
    }
    assert_eq!(count.get(), 1);
}
