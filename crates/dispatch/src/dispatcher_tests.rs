use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use tokio::time::{advance, timeout};

use vlm_client::{ApiKey, ErrorKind, Failure, Listed, Reach, ServerKind};

use super::*;
use crate::{
    Denied, NoTurn, QuestionOutcome, QuestionReport, Slots, Want,
    core::{BackendState, CoreConfig, Verdict, testing::ms},
};

fn endpoint(name: &str) -> Endpoint {
    Endpoint::new(&format!("http://{name}.invalid/v1"), None).unwrap()
}

fn dispatcher(slots: usize) -> Dispatcher {
    let default_slots = Some(Slots::Fixed(slots));
    let config = DispatcherConfig { default_slots, ..DispatcherConfig::default() };
    Dispatcher::new(config, Client::new().unwrap(), &Handle::current())
}

const ANY: Want = Want { urgent: false, avoid: None, near: None };

fn no_near() {}

#[tokio::test(start_paused = true)]
async fn a_free_slot_is_given_without_waiting() {
    let dispatcher = dispatcher(1);
    let mut member = dispatcher.join(&endpoint("a"), "m").unwrap();
    assert!(member.turn(ANY, no_near).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_ends_wakes_the_next_session() {
    let dispatcher = dispatcher(1);
    let mut first = dispatcher.join(&endpoint("a"), "m").unwrap();
    let mut second = dispatcher.join(&endpoint("a"), "m").unwrap();
    let turn = first.turn(ANY, no_near).await.unwrap();
    let waiting = tokio::spawn(async move {
        let _turn = second.turn(ANY, no_near).await.unwrap();
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
    let mut first = dispatcher.join(&endpoint("a"), "m").unwrap();
    let mut second = dispatcher.join(&endpoint("a"), "m").unwrap();
    let turn = first.turn(ANY, no_near).await.unwrap();
    assert!(timeout(Duration::from_millis(5), second.turn(ANY, no_near)).await.is_err());
    assert_eq!(dispatcher.load(&endpoint("a")), (1, 0));
    drop(turn);
    assert!(second.turn(ANY, no_near).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_cancelled_in_the_middle_of_its_turn_frees_the_slot() {
    let dispatcher = dispatcher(1);
    let mut first = dispatcher.join(&endpoint("a"), "m").unwrap();
    let mut second = dispatcher.join(&endpoint("a"), "m").unwrap();
    let asking = tokio::spawn(async move {
        let _turn = first.turn(ANY, no_near).await.unwrap();
        std::future::pending::<()>().await;
    });
    tokio::task::yield_now().await;
    asking.abort();
    let _turn = timeout(Duration::from_secs(1), second.turn(ANY, no_near)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_waiting_session_hears_that_its_turn_is_near() {
    let dispatcher = dispatcher(1);
    let mut first = dispatcher.join(&endpoint("a"), "m").unwrap();
    let mut second = dispatcher.join(&endpoint("a"), "m").unwrap();
    let mut turn = first.turn(ANY, no_near).await.unwrap();
    advance(Duration::from_secs(1)).await;
    turn.answered(None, None);
    drop(turn);

    let _turn = first.turn(ANY, no_near).await.unwrap();
    let began = tokio::time::Instant::now();
    let (told, near) = tokio::sync::oneshot::channel();
    let waiting = tokio::spawn(async move {
        let mut told = Some(told);
        let _turn = second.turn(ANY, || told.take().unwrap().send(()).unwrap()).await;
    });
    near.await.unwrap();
    let after = began.elapsed();
    assert!(after.abs_diff(Duration::from_millis(850)) <= Duration::from_millis(2), "{after:?}");
    waiting.abort();
}

#[tokio::test(start_paused = true)]
async fn a_server_nobody_asks_is_forgotten_unless_it_was_added() {
    let dispatcher = dispatcher(1);
    dispatcher.add_backend(Backend::new(endpoint("kept"), Slots::Fixed(7)));
    drop(dispatcher.join(&endpoint("kept"), "m").unwrap());
    drop(dispatcher.join(&endpoint("gone"), "m").unwrap());
    let state = dispatcher.shared.lock();
    assert!(state.pool.backend_at(&endpoint("kept")).is_some());
    assert!(state.pool.backend_at(&endpoint("gone")).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_a_turn_is_for_has_the_bounds_of_what_the_session_named() {
    let reach = Arc::new(Reach::Public(Vec::new()));
    let foreign = Endpoint::foreign("https://a.invalid/v1", ApiKey::new("sk-own"), reach).unwrap();
    let dispatcher = dispatcher(1);
    let mut member = dispatcher.join(&foreign, "m").unwrap();
    assert_eq!(member.turn(ANY, no_near).await.unwrap().endpoint(), &foreign);
}

#[tokio::test(start_paused = true)]
async fn a_full_dispatcher_says_so() {
    let config = DispatcherConfig {
        core: CoreConfig { max_members: 1, ..CoreConfig::default() },
        ..DispatcherConfig::default()
    };
    let dispatcher = Dispatcher::new(config, Client::new().unwrap(), &Handle::current());
    let _member = dispatcher.join(&endpoint("a"), "m").unwrap();
    assert_eq!(dispatcher.join(&endpoint("b"), "m").unwrap_err(), Full { members: 1 });
}

/// A user who may ask so many questions, and hears of each.
#[derive(Debug)]
struct Payer {
    name: &'static str,
    left: Mutex<u32>,
    weight: AtomicU32,
    reports: Mutex<Vec<QuestionReport>>,
}

impl Payer {
    fn new(name: &'static str, questions: u32) -> Arc<Self> {
        Arc::new(Self {
            name,
            left: Mutex::new(questions),
            weight: AtomicU32::new(1),
            reports: Mutex::default(),
        })
    }
}

impl Account for Payer {
    fn user(&self) -> &str {
        self.name
    }

    fn weight(&self) -> u32 {
        self.weight.load(Ordering::Relaxed)
    }

    fn admit(&self) -> Result<(), Denied> {
        let mut left = self.left.lock().unwrap();
        *left = left.checked_sub(1).ok_or(Denied {
            limit: "questions-per-minute",
            value: 1,
            retry_after: Duration::from_secs(60),
            message: "enough".into(),
        })?;
        Ok(())
    }

    fn ended(&self, question: &QuestionReport) {
        self.reports.lock().unwrap().push(question.clone());
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_hears_of_each_turn_and_how_it_ended() {
    let payer = Payer::new("ann", 9);
    let dispatcher = dispatcher(1).for_account(Arc::<Payer>::clone(&payer));
    let mut member = dispatcher.join(&endpoint("a"), "m").unwrap();
    let mut turn = member.turn(ANY, no_near).await.unwrap();
    advance(Duration::from_millis(10)).await;
    turn.sent("m2", Instant::now());
    advance(Duration::from_millis(30)).await;
    turn.token();
    turn.token();
    turn.answered(Some(700), None);
    drop(turn);
    drop(member.turn(ANY, no_near).await.unwrap());
    let mut turn = member.turn(ANY, no_near).await.unwrap();
    turn.sent("m", Instant::now());
    turn.failed(&Error::new("b", ErrorKind::NoModel));
    drop(turn);
    let reports = payer.reports.lock().unwrap();
    let [answered, nothing, failed] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!(answered.outcome, QuestionOutcome::Answered);
    assert_eq!((answered.model.as_str(), answered.tokens_in, answered.tokens_out), ("m2", 700, 2));
    let (sent, first) = (answered.sent.unwrap(), answered.first_token.unwrap());
    assert_eq!((sent - answered.began, first - sent), (ms(10), ms(30)));
    assert_eq!(nothing.outcome, QuestionOutcome::Nothing);
    assert_eq!(failed.outcome, QuestionOutcome::Failed { kind: "no-model" });
}

#[tokio::test(start_paused = true)]
async fn a_user_at_a_limit_is_told_which_and_holds_no_slot() {
    let payer = Payer::new("ann", 1);
    let dispatcher = dispatcher(1);
    let mut other = dispatcher.join(&endpoint("a"), "m").unwrap();
    let mut member = dispatcher.for_account(payer).join(&endpoint("a"), "m").unwrap();
    drop(member.turn(ANY, no_near).await.unwrap());
    let Err(NoTurn::Denied(denied)) = member.turn(ANY, no_near).await.map(drop) else {
        panic!("not denied")
    };
    assert_eq!((denied.limit, denied.retry_after), ("questions-per-minute", ms(60_000)));
    assert!(other.turn(ANY, no_near).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn whoever_means_a_server_of_the_pool_gets_any_that_has_the_model() {
    let dispatcher = dispatcher(1);
    let named = |name: &str, models: &[&str]| Backend {
        models: Some(models.iter().map(|&model| model.to_owned()).collect()),
        ..Backend::new(endpoint(name), Slots::Fixed(1))
    };
    dispatcher.add_backend(named("a", &["x"]));
    dispatcher.add_backend(named("b", &["x", "y"]));
    let [mut first, mut second, mut third] =
        ["x", "x", "y"].map(|model| dispatcher.join(&endpoint("a"), model).unwrap());
    let at_a = first.turn(ANY, no_near).await.unwrap();
    assert_eq!(at_a.endpoint().base(), endpoint("a").base());
    let at_b = second.turn(ANY, no_near).await.unwrap();
    assert_eq!(at_b.endpoint().base(), endpoint("b").base());
    assert!(third.turn(ANY, no_near).now_or_never().is_none());
    drop(at_b);
    assert_eq!(third.turn(ANY, no_near).await.unwrap().endpoint().base(), endpoint("b").base());
}

#[tokio::test(start_paused = true)]
async fn a_key_of_the_pool_goes_with_its_server_and_another_key_with_nobody_elses() {
    let dispatcher = dispatcher(2);
    let with_key = |key: &str| Endpoint::new(endpoint("a").base(), ApiKey::new(key)).unwrap();
    dispatcher.add_backend(Backend::new(with_key("sk-pool"), Slots::Fixed(4)));
    dispatcher.add_backend(Backend::new(endpoint("b"), Slots::Fixed(4)));
    for mine in [with_key("sk-mine"), endpoint("a")] {
        let mut member = dispatcher.join(&mine, "m").unwrap();
        let turn = member.turn(ANY, no_near).await.unwrap();
        assert_eq!(*turn.endpoint(), mine, "neither the pool's key nor another server");
    }
    let mut member = dispatcher.join(&with_key("sk-pool"), "m").unwrap();
    assert!(member.turn(ANY, no_near).await.unwrap().endpoint().has_key());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_is_left_alone_and_those_who_want_it_are_told_until_when() {
    let dispatcher = dispatcher(1);
    dispatcher.add_backend(Backend::new(endpoint("a"), Slots::Fixed(1)));
    let mut member = dispatcher.join(&endpoint("a"), "m").unwrap();
    for _ in 0..3 {
        let mut turn = member.turn(ANY, no_near).await.unwrap();
        turn.failed(&Error::new("there", ErrorKind::Refused));
    }
    let no_turn = member.turn(ANY, no_near).await.map(drop).unwrap_err();
    assert!(matches!(no_turn, NoTurn::Unavailable { retry_after, .. } if retry_after == ms(1000)));
    assert!(no_turn.to_string().contains("connection refused"), "{no_turn}");
    assert!(matches!(dispatcher.pool()[0].state, BackendState::Open { .. }));
    advance(ms(1000)).await;
    member.turn(ANY, no_near).await.unwrap().answered(None, None);
    let after = &dispatcher.pool()[0];
    assert_eq!((after.state, after.last_error.as_deref()), (BackendState::Up, None));
}

#[tokio::test(start_paused = true)]
async fn urgency_makes_a_waiting_question_the_users_next() {
    let payer = Payer::new("ann", 9);
    let dispatcher = dispatcher(1).for_account(payer);
    let [mut busy, mut first, mut second] =
        [(); 3].map(|()| dispatcher.join(&endpoint("a"), "m").unwrap());
    let urgency = second.urgency();
    urgency.make_urgent();
    assert_eq!(dispatcher.load(&endpoint("a")), (0, 0), "who does not wait is not made to");
    let turn = busy.turn(ANY, no_near).await.unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut waiting = Vec::new();
    for (name, member) in [("first", &mut first), ("second", &mut second)] {
        let order = Arc::clone(&order);
        waiting.push(async move {
            let _turn = member.turn(ANY, no_near).await.unwrap();
            order.lock().unwrap().push(name);
        });
    }
    let all = futures_util::future::join_all(waiting);
    tokio::pin!(all);
    assert!((&mut all).now_or_never().is_none());
    urgency.make_urgent();
    drop(turn);
    all.await;
    assert_eq!(*order.lock().unwrap(), ["second", "first"]);
}

#[tokio::test(start_paused = true)]
async fn a_users_weight_is_their_share_and_may_change_while_they_ask() {
    let dispatcher = dispatcher(1);
    let (heavy, light) = (Payer::new("heavy", 1000), Payer::new("light", 1000));
    heavy.weight.store(3, Ordering::Relaxed);
    for payer in [&heavy, &light] {
        let dispatcher = dispatcher.for_account(Arc::<Payer>::clone(payer));
        tokio::spawn(async move {
            let mut member = dispatcher.join(&endpoint("a"), "m").unwrap();
            loop {
                let mut turn = member.turn(ANY, no_near).await.unwrap();
                tokio::time::sleep(ms(100)).await;
                turn.answered(None, None);
                turn.again();
            }
        });
    }
    let turns = |payer: &Payer| payer.reports.lock().unwrap().len();
    tokio::time::sleep(ms(4050)).await;
    assert_eq!(turns(&heavy) + turns(&light), 40);
    assert!((29..=31).contains(&turns(&heavy)), "{}", turns(&heavy));
    heavy.weight.store(1, Ordering::Relaxed);
    let before = turns(&heavy);
    tokio::time::sleep(ms(4000)).await;
    let since = turns(&heavy) - before;
    assert!((18..=22).contains(&since), "{since}");
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_nobody_waits_for_any_more_holds_no_slot() {
    let dispatcher = dispatcher(1);
    let mut first = dispatcher.join(&endpoint("a"), "m").unwrap();
    let mut second = dispatcher.join(&endpoint("a"), "m").unwrap();
    let mut turn = first.turn(ANY, no_near).await.unwrap();
    turn.again();
    drop(turn);
    // It got its turn at once, and is given up before it was looked at.
    drop(first.turn(ANY, no_near));
    assert_eq!(dispatcher.load(&endpoint("a")), (0, 0));
    assert!(second.turn(ANY, no_near).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_a_server_says_to_a_strangers_key_concerns_nobody_else() {
    let dispatcher = dispatcher(1);
    let of = |key: &str| Endpoint::new("http://a.invalid/v1", ApiKey::new(key)).unwrap();
    let pooled =
        Backend { models: Some(vec!["m".into()]), ..Backend::new(of("pool"), Slots::Fixed(1)) };
    dispatcher.add_backend(pooled);
    let mut stranger = dispatcher.join(&of("mine"), "m").unwrap();
    let base = "http://a.invalid/v1";
    let reason = || "no".to_owned();
    let unauthorized = Error::new(base, Failure::Unauthorized { status: 401, reason: reason() });
    let retry_after = Some(Duration::from_secs(300));
    let used_up = Error::new(base, Failure::RateLimited { reason: reason(), retry_after });
    for error in [&unauthorized, &unauthorized, &unauthorized, &used_up] {
        let mut turn = stranger.turn(ANY, no_near).await.unwrap();
        turn.sent("m", Instant::now());
        turn.failed(error);
    }
    assert_eq!(dispatcher.pool()[0].state, BackendState::Up);
    assert_eq!(dispatcher.pool()[0].last_error, None);
    // They share its one slot all the same.
    let turn = stranger.turn(ANY, no_near).await.unwrap();
    let mut member = dispatcher.join(&of("pool"), "m").unwrap();
    assert!(member.turn(ANY, no_near).now_or_never().is_none());
    drop(turn);
    // With the pool's key it is another matter.
    let mut turn = member.turn(ANY, no_near).await.unwrap();
    turn.sent("m", Instant::now());
    turn.failed(&used_up);
    drop(turn);
    assert_ne!(dispatcher.pool()[0].state, BackendState::Up);
}

#[tokio::test(start_paused = true)]
async fn a_server_of_ones_own_is_another_for_each_key() {
    let dispatcher = dispatcher(1);
    let of = |key: &str| Endpoint::new("http://a.invalid/v1", ApiKey::new(key)).unwrap();
    let mut mine = dispatcher.join(&of("mine"), "m").unwrap();
    let mut yours = dispatcher.join(&of("yours"), "m").unwrap();
    let turn = mine.turn(ANY, no_near).await.unwrap();
    assert!(yours.turn(ANY, no_near).now_or_never().is_some());
    drop(turn);
}

#[tokio::test(start_paused = true)]
async fn draining_gives_no_more_turns_and_waits_for_those_in_flight() {
    let dispatcher = dispatcher(1);
    let mut asking = dispatcher.join(&endpoint("a"), "m").unwrap();
    let mut waiting = dispatcher.join(&endpoint("a"), "m").unwrap();
    let turn = asking.turn(ANY, no_near).await.unwrap();
    assert!(!dispatcher.drain(ms(100)).await);
    let drained = tokio::spawn({
        let dispatcher = dispatcher.clone();
        async move { dispatcher.drain(ms(10_000)).await }
    });
    tokio::task::yield_now().await;
    drop(turn);
    assert!(drained.await.unwrap());
    assert!(timeout(ms(1000), waiting.turn(ANY, no_near)).await.is_err());
    assert!(dispatcher.drain(ms(1)).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_one_model_is_neither_told_nor_felt_by_those_who_ask_another() {
    let dispatcher = dispatcher(1);
    let models = Some(vec!["bad".into(), "good".into()]);
    dispatcher.add_backend(Backend { models, ..Backend::new(endpoint("a"), Slots::Fixed(1)) });
    let [mut eve, mut ann, mut bob] =
        ["bad", "good", "bad"].map(|model| dispatcher.join(&endpoint("a"), model).unwrap());
    let mut turn = eve.turn(ANY, no_near).await.unwrap();
    turn.sent("bad", Instant::now());
    let reason = "eve's account is used up".to_owned();
    let retry_after = Some(ms(7000));
    turn.failed(&Error::new("b", Failure::RateLimited { reason, retry_after }));
    drop(turn);
    ann.turn(ANY, no_near).await.unwrap().answered(None, None);
    let told = bob.turn(ANY, no_near).await.map(drop).unwrap_err();
    assert!(matches!(told, NoTurn::Unavailable { retry_after, .. } if retry_after == ms(7000)));
    assert!(told.to_string().contains("used up"), "{told}");
    assert_eq!(dispatcher.pool()[0].state, BackendState::Up);
    // Of a server that has no other model it is the server that is left alone.
    let mut turn = ann.turn(ANY, no_near).await.unwrap();
    turn.sent("good", Instant::now());
    turn.failed(&Error::new("b", Failure::RateLimited { reason: "enough".into(), retry_after }));
    drop(turn);
    assert!(matches!(dispatcher.pool()[0].state, BackendState::Open { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_failure_at_somebodys_own_server_is_their_models_too() {
    let dispatcher = dispatcher(1);
    let [mut bad, mut good] =
        ["bad", "good"].map(|model| dispatcher.join(&endpoint("a"), model).unwrap());
    let mut turn = bad.turn(ANY, no_near).await.unwrap();
    turn.sent("bad", Instant::now());
    let retry_after = Some(ms(7000));
    turn.failed(&Error::new("b", Failure::RateLimited { reason: "enough".into(), retry_after }));
    drop(turn);
    assert!(bad.turn(ANY, no_near).await.is_err());
    assert!(good.turn(ANY, no_near).now_or_never().is_some_and(|turn| turn.is_ok()));
}

#[tokio::test(start_paused = true)]
async fn who_waits_after_a_failure_hears_that_the_server_is_back() {
    let dispatcher = dispatcher(1);
    dispatcher.add_backend(Backend::new(endpoint("a"), Slots::Fixed(1)));
    let mut member = dispatcher.join(&endpoint("a"), "m").unwrap();
    let observe = |verdict| {
        dispatcher.shared.decide(|state, now| {
            let id = state.pool.backend_at(&endpoint("a")).unwrap();
            state.core.observe(id, verdict, now);
        });
    };
    let mut turn = member.turn(ANY, no_near).await.unwrap();
    turn.failed(&Error::new("there", ErrorKind::Refused));
    drop(turn);
    assert!(member.back().now_or_never().is_none());
    observe(Verdict::Good);
    assert!(member.back().now_or_never().is_some());
    assert!(member.back().now_or_never().is_none(), "once");
    // What was said before the turn counts no more after it.
    let mut turn = member.turn(ANY, no_near).await.unwrap();
    turn.failed(&Error::new("there", ErrorKind::Refused));
    drop(turn);
    observe(Verdict::Good);
    let mut turn = member.turn(ANY, no_near).await.unwrap();
    turn.failed(&Error::new("there", ErrorKind::Refused));
    drop(turn);
    assert!(member.back().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn slots_come_from_what_a_server_says_that_it_is_unless_somebody_has_said_how_many() {
    let dispatcher = dispatcher(1);
    dispatcher.add_backend(Backend::new(endpoint("a"), Slots::Auto(2)));
    dispatcher.add_backend(Backend::new(endpoint("b"), Slots::Fixed(4)));
    let slots = || dispatcher.pool().iter().map(|server| server.slots).collect::<Vec<_>>();
    let listed = |name: &str, kind| {
        let models = vec![Model { id: "m".into(), vision: true }];
        dispatcher.shared.decide(|state, now| {
            let id = state.pool.backend_at(&endpoint(name)).unwrap();
            state.pool.checked(&mut state.core, id, Ok(Listed { models, kind }), now);
            state.pool.shows_figures(id, false)
        })
    };
    assert!(listed("a", None) && !listed("b", None), "figures are asked for where they matter");
    assert_eq!(slots(), [2, 4]);
    for name in ["a", "b"] {
        listed(name, Some(ServerKind::Vllm));
    }
    assert_eq!(slots(), [8, 4]);
    listed("a", Some(ServerKind::LlamaCpp));
    assert_eq!(slots(), [1, 4]);
}
