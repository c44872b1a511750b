//! Questions, and what becomes of them.

use std::sync::atomic::Ordering;

use live_vlm_ask::{Outcome, Signals};
use live_vlm_dispatch::Want;

use crate::{
    both,
    camera::{Camera, asker, dispatcher, load},
    soon,
    vlm::Vlm,
};

#[tokio::test]
async fn a_question_is_sent_and_its_answer_told() {
    let mut vlm = Vlm::start().await;
    let dispatcher = dispatcher();
    let (mut asker, mut camera) = (asker(&dispatcher), Camera::new(&vlm.endpoint));
    let mut changes = Signals::default().changes();
    let server = async {
        let mut asked = vlm.asked().await;
        let body = asked.body.clone();
        asked.say("It");
        asked.answer(" is a cat");
        body
    };
    let (outcome, body) = both(asker.ask(&mut camera, &mut changes), server).await;
    assert!(matches!(outcome, Outcome::Answered { again: false }), "{outcome:?}");
    let log = camera.log();
    assert_eq!(log[..3], ["choose", "1 asked", "1 so far It +It"]);
    assert_eq!(log.last().unwrap(), "1 complete It is a cat (stop)");
    assert_eq!((body["model"].as_str(), body["user"].as_str()), (Some("m"), Some("somebody")));
    let content = &body["messages"][0]["content"];
    assert_eq!(content[0]["text"], "What is it?");
    assert_eq!(content[1]["image_url"]["url"], "data:image/jpeg;base64,/9g=");
    load(&dispatcher, &vlm.endpoint, (0, 0)).await;
}

#[tokio::test]
async fn nothing_is_chosen_before_the_turn() {
    let mut vlm = Vlm::start().await;
    let dispatcher = dispatcher();
    let (mut asker, mut camera) = (asker(&dispatcher), Camera::new(&vlm.endpoint));
    let mut changes = Signals::default().changes();
    let mut other = dispatcher.join(&vlm.endpoint, "m").unwrap();
    let turn = other.turn(Want::default(), || ()).await.unwrap();
    let seen = camera.clone();
    let elsewhere = async {
        load(&dispatcher, &vlm.endpoint, (1, 1)).await;
        assert!(seen.log().iter().all(|line| line == "near"));
        drop(turn);
        vlm.asked().await.answer("yes");
    };
    let (outcome, ()) = both(asker.ask(&mut camera, &mut changes), elsewhere).await;
    assert!(matches!(outcome, Outcome::Answered { .. }), "{outcome:?}");
    assert!(camera.log().contains(&"choose".to_owned()));
}

#[tokio::test]
async fn a_turn_without_anything_to_ask_about_is_given_up() {
    let mut vlm = Vlm::start().await;
    let dispatcher = dispatcher();
    let (mut asker, mut camera) = (asker(&dispatcher), Camera::new(&vlm.endpoint));
    camera.sees = false;
    let outcome = soon(asker.ask(&mut camera, &mut Signals::default().changes())).await;
    assert!(matches!(outcome, Outcome::Nothing), "{outcome:?}");
    assert_eq!(dispatcher.load(&vlm.endpoint), (0, 0));
    assert_eq!((camera.log(), asker.seq()), (vec!["choose".to_owned()], 0));
    assert!(vlm.is_idle());
}

#[tokio::test]
async fn a_changed_question_cancels_the_one_in_flight() {
    let mut vlm = Vlm::start().await;
    let dispatcher = dispatcher();
    let (mut asker, mut camera) = (asker(&dispatcher), Camera::new(&vlm.endpoint));
    let signals = Signals::default();
    let mut changes = signals.changes();
    let seen = camera.clone();
    let elsewhere = async {
        let mut asked = vlm.asked().await;
        asked.say("It");
        soon(async {
            while !seen.log().iter().any(|line| line.contains("so far")) {
                tokio::task::yield_now().await;
            }
        })
        .await;
        signals.question_changed();
        asked.hung_up().await;
    };
    let (outcome, ()) = both(asker.ask(&mut camera, &mut changes), elsewhere).await;
    assert!(matches!(outcome, Outcome::Cancelled), "{outcome:?}");
    assert_eq!(camera.log(), ["1 cancelled It (cancelled)", "put back"]);
    assert_eq!(dispatcher.load(&vlm.endpoint), (0, 0));
}

#[tokio::test]
async fn whoever_asks_no_more_gives_up_the_wait_for_a_turn() {
    let vlm = Vlm::start().await;
    let dispatcher = dispatcher();
    let (mut asker, mut camera) = (asker(&dispatcher), Camera::new(&vlm.endpoint));
    let signals = Signals::default();
    let mut changes = signals.changes();
    let mut other = dispatcher.join(&vlm.endpoint, "m").unwrap();
    let _turn = other.turn(Want::default(), || ()).await.unwrap();
    let asks = camera.asks.clone();
    let elsewhere = async {
        load(&dispatcher, &vlm.endpoint, (1, 1)).await;
        asks.store(false, Ordering::Relaxed);
        signals.schedule_changed();
    };
    let (outcome, ()) = both(asker.ask(&mut camera, &mut changes), elsewhere).await;
    assert!(matches!(outcome, Outcome::Cancelled), "{outcome:?}");
    load(&dispatcher, &vlm.endpoint, (1, 0)).await;
}

#[tokio::test]
async fn a_question_that_is_due_already_keeps_its_place_in_the_line() {
    let mut vlm = Vlm::start().await;
    let dispatcher = dispatcher();
    let (mut asker, mut camera) = (asker(&dispatcher), Camera::new(&vlm.endpoint));
    camera.is_due = true;
    let mut changes = Signals::default().changes();
    let server = async { vlm.asked().await.answer("yes") };
    let (outcome, ()) = both(asker.ask(&mut camera, &mut changes), server).await;
    assert!(matches!(outcome, Outcome::Answered { again: true }), "{outcome:?}");
    // It has the only slot already.
    assert_eq!(dispatcher.load(&vlm.endpoint), (1, 0));
    drop(asker);
    assert_eq!(dispatcher.load(&vlm.endpoint), (0, 0));
}

#[tokio::test]
async fn the_place_in_the_line_is_given_up_when_the_next_question_does_not_come() {
    let mut vlm = Vlm::start().await;
    let dispatcher = dispatcher();
    let (mut asker, mut camera) = (asker(&dispatcher), Camera::new(&vlm.endpoint));
    camera.is_due = true;
    let mut changes = Signals::default().changes();
    let server = async { vlm.asked().await.answer("yes") };
    both(asker.ask(&mut camera, &mut changes), server).await;
    asker.give_place_up();
    assert_eq!(dispatcher.load(&vlm.endpoint), (0, 0));
}
