use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{advance, timeout};

use super::*;

fn endpoint(name: &str) -> Endpoint {
    Endpoint::new(&format!("http://{name}.invalid/v1"), None).unwrap()
}

fn dispatcher(slots: usize) -> Dispatcher {
    let config = DispatcherConfig { default_slots: slots, ..DispatcherConfig::default() };
    Dispatcher::new(config, Client::new().unwrap(), &Handle::current())
}

fn no_near() {}

#[tokio::test(start_paused = true)]
async fn a_free_slot_is_granted_without_waiting() {
    let dispatcher = dispatcher(1);
    let mut member = dispatcher.join(&endpoint("a")).unwrap();
    assert!(member.turn(no_near).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_ends_wakes_the_next_session() {
    let dispatcher = dispatcher(1);
    let mut first = dispatcher.join(&endpoint("a")).unwrap();
    let mut second = dispatcher.join(&endpoint("a")).unwrap();
    let turn = first.turn(no_near).await;
    let waiting = tokio::spawn(async move {
        let _turn = second.turn(no_near).await;
    });
    tokio::task::yield_now().await;
    assert_eq!(dispatcher.load(&endpoint("a")), (1, 1));
    drop(turn);
    timeout(Duration::from_secs(1), waiting).await.unwrap().unwrap();
    assert_eq!(dispatcher.load(&endpoint("a")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn giving_up_waiting_leaves_the_queue() {
    let dispatcher = dispatcher(1);
    let mut first = dispatcher.join(&endpoint("a")).unwrap();
    let mut second = dispatcher.join(&endpoint("a")).unwrap();
    let turn = first.turn(no_near).await;
    assert!(timeout(Duration::from_millis(5), second.turn(no_near)).await.is_err());
    assert_eq!(dispatcher.load(&endpoint("a")), (1, 0));
    drop(turn);
    assert!(second.turn(no_near).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_cancelled_in_the_middle_of_its_turn_frees_the_slot() {
    let dispatcher = dispatcher(1);
    let mut first = dispatcher.join(&endpoint("a")).unwrap();
    let mut second = dispatcher.join(&endpoint("a")).unwrap();
    let asking = tokio::spawn(async move {
        let _turn = first.turn(no_near).await;
        std::future::pending::<()>().await;
    });
    tokio::task::yield_now().await;
    asking.abort();
    let _turn = timeout(Duration::from_secs(1), second.turn(no_near)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_waiting_session_hears_that_its_turn_is_near() {
    let dispatcher = dispatcher(1);
    let mut first = dispatcher.join(&endpoint("a")).unwrap();
    let mut second = dispatcher.join(&endpoint("a")).unwrap();
    let turn = first.turn(no_near).await;
    advance(Duration::from_secs(1)).await;
    drop(turn);

    let _turn = first.turn(no_near).await;
    let began = tokio::time::Instant::now();
    let (told, near) = tokio::sync::oneshot::channel();
    let waiting = tokio::spawn(async move {
        let mut told = Some(told);
        let _turn = second.turn(|| told.take().unwrap().send(()).unwrap()).await;
    });
    near.await.unwrap();
    let after = began.elapsed();
    assert!(after.abs_diff(Duration::from_millis(850)) <= Duration::from_millis(2), "{after:?}");
    waiting.abort();
}

#[tokio::test(start_paused = true)]
async fn a_backend_nobody_asks_is_forgotten_unless_its_slots_were_set() {
    let dispatcher = dispatcher(1);
    dispatcher.set_slots(&endpoint("kept"), 7);
    drop(dispatcher.join(&endpoint("kept")).unwrap());
    drop(dispatcher.join(&endpoint("gone")).unwrap());
    let state = dispatcher.shared.lock();
    assert!(state.backends.contains_key(endpoint("kept").base()));
    assert!(!state.backends.contains_key(endpoint("gone").base()));
}

#[tokio::test(start_paused = true)]
async fn a_full_dispatcher_says_so() {
    let config = DispatcherConfig {
        core: CoreConfig { max_members: 1, ..CoreConfig::default() },
        ..DispatcherConfig::default()
    };
    let dispatcher = Dispatcher::new(config, Client::new().unwrap(), &Handle::current());
    let _member = dispatcher.join(&endpoint("a")).unwrap();
    assert_eq!(dispatcher.join(&endpoint("b")).unwrap_err(), Full { members: 1 });
}
