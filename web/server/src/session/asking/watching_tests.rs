use live_vlm_change::{HEIGHT, WIDTH};

use super::*;

const SCHEDULE: Schedule =
    Schedule { interval: Duration::from_secs(1), max_age: Duration::ZERO, min_change: 0.0 };
const ON_CHANGES: Schedule = Schedule { min_change: 0.1, ..SCHEDULE };

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A grey picture that came then.
fn picture(arrived: Instant, grey: u8) -> Arc<Picture> {
    let thumbnail = Some(Thumbnail::of_points(&[grey; WIDTH * HEIGHT]));
    Arc::new(Picture { jpeg: Vec::new(), arrived, captured: arrived - ms(10), thumbnail })
}

/// Wants a turn and has it at once, with a picture that came just now. The answer comes 100 ms
/// later.
fn ask(watching: &mut Watching, now: Instant, grey: u8) {
    watching.wants_turn(now);
    watching.has_turn(now);
    watching.came(&picture(now, grey));
    let taken = watching.on_turn(now, now + PATIENCE, &SCHEDULE);
    assert!(matches!(taken, OnTurn::Take(_)), "{taken:?}");
    watching.answered(now + ms(100));
}

/// Of a page whose pictures take 30 ms, after a question at that time.
fn quick(now: Instant) -> Watching {
    let mut watching = Watching::default();
    for n in (0..20).rev() {
        let at = now - ms(n * 1000);
        watching.wished(at - ms(30));
        ask(&mut watching, at, 90);
    }
    watching
}

#[test]
fn the_first_picture_is_wanted_at_once_and_no_turn_before_it() {
    let now = Instant::now();
    let mut watching = Watching::default();
    assert_eq!(watching.step(now, &SCHEDULE), Step::Wish);
    watching.wished(now);
    let Step::Wait(Some(again)) = watching.step(now, &SCHEDULE) else { panic!("no reminder") };
    assert!(again > now && again <= now + ms(1000));
    assert_eq!(watching.step(again, &SCHEDULE), Step::Wish);
    watching.came(&picture(again, 90));
    assert_eq!(watching.step(again, &SCHEDULE), Step::Ask);
}

#[test]
fn a_picture_is_wanted_as_long_before_the_question_is_due_as_it_takes_to_come() {
    let now = Instant::now();
    let mut watching = quick(now);
    let Step::Wait(Some(wish)) = watching.step(now + ms(200), &SCHEDULE) else { panic!("no wait") };
    let before = now + SCHEDULE.interval - wish;
    assert!(before >= ms(30) && before < ms(50), "{before:?}");
    assert_eq!(watching.step(wish, &SCHEDULE), Step::Wish);
    watching.wished(wish);
    watching.came(&picture(wish + ms(30), 90));
    assert_eq!(watching.step(now + SCHEDULE.interval, &SCHEDULE), Step::Ask);
}

#[test]
fn who_waits_for_turns_wants_a_picture_when_its_turn_is_near() {
    let now = Instant::now();
    let mut watching = quick(now);
    watching.wants_turn(now + ms(1000));
    watching.has_turn(now + ms(3000));
    watching.came(&picture(now + ms(3000), 90));
    watching.on_turn(now + ms(3000), now + ms(3120), &SCHEDULE);
    watching.answered(now + ms(3500));
    assert_eq!(watching.next_wish(now + ms(3990), &SCHEDULE), None);
    watching.wants_turn(now + ms(4000));
    assert_eq!(watching.next_wish(now + ms(4500), &SCHEDULE), None);
    watching.turn_is_near();
    assert!(watching.next_wish(now + ms(4500), &SCHEDULE).unwrap() <= now + ms(4500));
}

#[test]
fn a_turn_takes_the_newest_picture_and_asks_about_none_twice() {
    let now = Instant::now();
    let mut watching = quick(now);
    let later = now + ms(1000);
    watching.wants_turn(later);
    watching.has_turn(later);
    assert!(matches!(watching.on_turn(later, later + PATIENCE, &SCHEDULE), OnTurn::Wish));
    watching.wished(later);
    let OnTurn::Wait(_) = watching.on_turn(later, later + PATIENCE, &SCHEDULE) else {
        panic!("no wait")
    };
    let came = picture(later + ms(40), 90);
    watching.came(&came);
    let taken = watching.on_turn(later + ms(40), later + PATIENCE, &SCHEDULE);
    let OnTurn::Take(taken) = taken else { panic!("{taken:?}") };
    assert!(Arc::ptr_eq(&taken, &came) && watching.has_taken());
}

#[test]
fn a_turn_that_no_picture_comes_to_goes_on_and_none_is_wanted_before_one_comes() {
    let now = Instant::now();
    let mut watching = quick(now);
    let later = now + ms(5000);
    watching.wants_turn(later);
    watching.has_turn(later);
    let over = later + PATIENCE;
    assert!(matches!(watching.on_turn(over, over, &SCHEDULE), OnTurn::Nothing));
    watching.missed();
    assert!(!matches!(watching.step(over, &SCHEDULE), Step::Ask));
    assert!(!matches!(watching.step(over + ms(60_000), &SCHEDULE), Step::Ask));
    watching.came(&picture(over + ms(60_000), 90));
    assert_eq!(watching.step(over + ms(60_000), &SCHEDULE), Step::Ask);
}

#[test]
fn an_old_picture_is_asked_about_only_if_no_other_comes_and_within_the_oldest_age() {
    let now = Instant::now();
    let strict = Schedule { max_age: ms(300), ..SCHEDULE };
    for (schedule, takes) in [(SCHEDULE, true), (strict, false)] {
        let mut watching = quick(now);
        watching.came(&picture(now + ms(600), 90));
        let turn = now + ms(1000);
        watching.has_turn(turn);
        assert!(matches!(watching.on_turn(turn, turn + PATIENCE, &schedule), OnTurn::Wish));
        let over = turn + PATIENCE;
        let taken = matches!(watching.on_turn(over, over, &schedule), OnTurn::Take(_));
        assert_eq!(taken, takes);
    }
}

#[test]
fn a_question_is_passed_over_while_nothing_changes() {
    let now = Instant::now();
    let mut watching = quick(now);
    let due = now + ms(1000);
    let Step::Wait(Some(wish)) = watching.step(now + ms(200), &ON_CHANGES) else {
        panic!("no wait")
    };
    assert!(wish < due);
    assert_eq!(watching.step(due, &ON_CHANGES), Step::Wish);
    watching.wished(due);
    watching.came(&picture(due + ms(30), 95));
    assert_eq!(watching.step(due + ms(30), &ON_CHANGES), Step::PassedOver);
    // The next is due an interval later.
    assert!(matches!(watching.step(due + ms(40), &ON_CHANGES), Step::Wait(_)));
    let due = due + ms(1030);
    watching.came(&picture(due, 200));
    assert_eq!(watching.step(due, &ON_CHANGES), Step::Ask);
}

#[test]
fn what_is_wanted_now_or_has_changed_is_asked_whatever_the_picture_looks_like() {
    let now = Instant::now();
    let mut watching = quick(now);
    watching.came(&picture(now + ms(200), 90));
    watching.make_urgent();
    assert_eq!(watching.step(now + ms(200), &ON_CHANGES), Step::Ask);
    let mut watching = quick(now);
    watching.came(&picture(now + ms(1000), 90));
    watching.look_anyway();
    assert_eq!(watching.step(now + ms(1000), &ON_CHANGES), Step::Ask);
}

#[test]
fn the_next_question_is_due_after_the_interval_unless_it_may_be_passed_over() {
    let now = Instant::now();
    let watching = quick(now);
    assert!(!watching.is_due(now + ms(999), &SCHEDULE));
    assert!(watching.is_due(now + ms(1000), &SCHEDULE));
    assert!(!watching.is_due(now + ms(1000), &ON_CHANGES));
}
