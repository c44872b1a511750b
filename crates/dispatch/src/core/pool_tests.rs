//! Users, weights, and several backends.

use super::{
    testing::{ORDINARY, User, drain, ms, play},
    *,
};

/// R. Jain, D. Chiu, W. Hawe, "A Quantitative Measure of Fairness", 1984.
fn jain(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    sum * sum / (squares * shares.len() as f64)
}

#[test]
fn many_sessions_quick_questions_and_long_answers_get_no_more_than_their_share() {
    let mut users = vec![ORDINARY; 8];
    users.push(User { sessions: 20, ..ORDINARY });
    users.push(User { rest: Duration::ZERO, takes: ms(100), ..ORDINARY });
    users.push(User { takes: ms(8000), ..ORDINARY });
    for slots in [&[1][..], &[4], &[2, 2], &[1, 1, 1]] {
        let used = play(&users, slots, Duration::from_secs(2000)).used;
        // One session asks one question at a time, so nobody of one session can have more than
        // a slot; all that is left goes to whoever has more sessions.
        let fair: Vec<f64> = used.iter().copied().filter(|used| *used < 1900.0).collect();
        assert!(jain(&fair) > 0.99, "{slots:?}: {used:?}");
    }
}

#[test]
fn a_user_alone_gets_every_slot_and_owes_nothing_for_it() {
    let greedy = User { sessions: 8, rest: Duration::ZERO, ..ORDINARY };
    let used = play(&[greedy], &[4], Duration::from_secs(1000)).used;
    assert!(used[0] > 3990.0, "{used:?}");

    let now = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let backend = core.add_backend(Slots::Fixed(1));
    let route = core.add_route(&[backend], "m");
    let [old, new] = [(); 2].map(|()| core.add_user());
    let alone = core.join(old, 1, route).unwrap();
    let mut time = now;
    for _ in 0..1000 {
        core.want(alone, false, None, time);
        time += ms(1000);
        drain(&mut core, time);
        core.rest(alone, Verdict::Good, None, time);
    }
    let other = core.join(new, 1, route).unwrap();
    let mut turns = HashMap::from([(alone, 0), (other, 0)]);
    core.want(other, false, None, time);
    core.want(alone, false, None, time);
    for _ in 0..100 {
        for event in drain(&mut core, time) {
            let Event::Turn(member, _) = event else { continue };
            *turns.get_mut(&member).unwrap() += 1;
            time += ms(1000);
            core.rest_and_want(member, Verdict::Good, None, time);
        }
    }
    assert!((45..=55).contains(&turns[&alone]), "{turns:?}");
}

#[test]
fn a_user_who_was_away_has_saved_up_no_turns() {
    let mut core = Core::new(CoreConfig::default());
    let backend = core.add_backend(Slots::Fixed(1));
    let route = core.add_route(&[backend], "m");
    let [stayed, was_away] = [(); 2].map(|()| {
        let user = core.add_user();
        core.join(user, 1, route).unwrap()
    });
    let mut time = Instant::now();
    let mut turns = HashMap::from([(stayed, 0), (was_away, 0)]);
    core.want(stayed, false, None, time);
    for turn in 0..300 {
        if turn == 200 {
            turns = HashMap::from([(stayed, 0), (was_away, 0)]);
            core.want(was_away, false, None, time);
        }
        for event in drain(&mut core, time) {
            let Event::Turn(member, _) = event else { continue };
            *turns.get_mut(&member).unwrap() += 1;
            time += ms(1000);
            core.rest_and_want(member, Verdict::Good, None, time);
        }
    }
    assert!((45..=55).contains(&turns[&was_away]), "{turns:?}");
}

#[test]
fn a_weight_of_three_gets_three_times_the_share() {
    let heavy = User { weight: 3, sessions: 4, rest: Duration::ZERO, ..ORDINARY };
    let light = User { weight: 1, ..heavy };
    let used = play(&[heavy, light], &[2], Duration::from_secs(1000)).used;
    let ratio = used[0] / used[1];
    assert!((2.9..=3.1).contains(&ratio), "{used:?}");
}

#[test]
fn leaving_and_coming_back_does_not_clear_a_debt() {
    let mut time = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let backend = core.add_backend(Slots::Fixed(1));
    let route = core.add_route(&[backend], "m");
    let [fair, sly] = [(); 2].map(|()| core.add_user());
    let stays = core.join(fair, 1, route).unwrap();
    let mut used = HashMap::from([(fair, 0.0), (sly, 0.0)]);
    let mut comes = core.join(sly, 1, route).unwrap();
    core.want(stays, false, None, time);
    core.want(comes, false, None, time);
    for _ in 0..400 {
        for event in drain(&mut core, time) {
            let Event::Turn(member, _) = event else { continue };
            let (user, took) = if member == stays { (fair, 1.0) } else { (sly, 8.0) };
            *used.get_mut(&user).unwrap() += took;
            time += Duration::from_secs_f64(took);
            if user == sly {
                core.leave(member, time);
                comes = core.join(sly, 1, route).unwrap();
                core.want(comes, false, None, time);
            } else {
                core.rest_and_want(member, Verdict::Good, None, time);
            }
        }
    }
    assert!(used[&sly] / used[&fair] < 1.2, "{used:?}");
}

#[test]
fn an_urgent_question_goes_before_its_users_others_and_not_before_other_peoples() {
    let now = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let backend = core.add_backend(Slots::Fixed(1));
    let route = core.add_route(&[backend], "m");
    let [mine, theirs] = [(); 2].map(|()| core.add_user());
    let busy = core.join(theirs, 1, route).unwrap();
    let first = core.join(mine, 1, route).unwrap();
    let urgent = core.join(mine, 1, route).unwrap();
    let later = core.join(theirs, 1, route).unwrap();
    core.want(busy, false, None, now);
    core.want(later, false, None, now);
    core.want(first, false, None, now);
    core.want(urgent, false, None, now);
    core.want(urgent, true, None, now);
    assert_eq!(drain(&mut core, now), [Event::Turn(busy, backend)]);
    let mut order = Vec::new();
    let mut asking = busy;
    for turn in 1..4 {
        let now = now + ms(1000 * turn);
        core.rest(asking, Verdict::Good, None, now);
        for event in drain(&mut core, now) {
            if let Event::Turn(member, _) = event {
                order.push(member);
                asking = member;
            }
        }
    }
    // They have had one turn, so it is my user's, and of mine the urgent one; then theirs.
    assert_eq!(order, [urgent, later, first]);
}

#[test]
fn a_route_uses_all_its_backends_and_the_idlest_first() {
    let now = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let [a, b] = [1, 4].map(|slots| core.add_backend(Slots::Fixed(slots)));
    let route = core.add_route(&[a, b], "m");
    let mut at = Vec::new();
    for _ in 0..6 {
        let user = core.add_user();
        let member = core.join(user, 1, route).unwrap();
        core.want(member, false, None, now);
        at.extend(drain(&mut core, now).into_iter().filter_map(|event| match event {
            Event::Turn(_, backend) => Some(backend),
            _ => None,
        }));
    }
    assert_eq!(at, [a, b, b, b, b]);
}

#[test]
fn a_backend_that_fails_is_replaced_by_another_and_tried_again_later() {
    let start = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let [bad, good] = [1, 1].map(|slots| core.add_backend(Slots::Fixed(slots)));
    let route = core.add_route(&[bad, good], "m");
    let user = core.add_user();
    let member = core.join(user, 1, route).unwrap();
    let ask = |core: &mut Core, avoid, now| {
        core.want(member, false, avoid, now);
        let given = drain(core, now).into_iter().find_map(|event| match event {
            Event::Turn(_, backend) => Some(backend),
            _ => None,
        });
        given.unwrap()
    };
    assert_eq!(ask(&mut core, None, start), bad);
    core.rest(member, Verdict::Bad { scope: Scope::Server, retry_after: None }, None, start);
    assert!(core.has_other(member, bad, start));
    assert_eq!(ask(&mut core, Some(bad), start), good, "it has just failed");
    core.rest(member, Verdict::Good, None, start);
    for _ in 0..2 {
        assert_eq!(ask(&mut core, None, start), bad);
        core.rest(member, Verdict::Bad { scope: Scope::Server, retry_after: None }, None, start);
    }
    assert!(matches!(core.state(bad), Some(BackendState::Open { .. })));
    assert_eq!(ask(&mut core, None, start), good, "the other is left alone");
    core.rest(member, Verdict::Good, None, start);
    let later = start + ms(1000);
    assert_eq!(ask(&mut core, None, later), bad, "on trial");
    core.rest(member, Verdict::Good, None, later);
    assert_eq!(core.state(bad), Some(BackendState::Up));
}

#[test]
fn when_nothing_is_up_those_who_wait_are_told_until_when() {
    let now = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let backend = core.add_backend(Slots::Fixed(1));
    let route = core.add_route(&[backend], "m");
    let [first, second] = [(); 2].map(|()| {
        let user = core.add_user();
        core.join(user, 1, route).unwrap()
    });
    core.want(first, false, None, now);
    core.want(second, false, None, now);
    drain(&mut core, now);
    let retry_after = Some(ms(7000));
    core.rest(first, Verdict::Bad { scope: Scope::Server, retry_after }, None, now);
    let until = now + ms(7000);
    assert_eq!(drain(&mut core, now), [Event::Unavailable(second, until)]);
    core.want(first, false, None, now + ms(10));
    assert_eq!(drain(&mut core, now + ms(10)), [Event::Unavailable(first, until)]);
    core.want(first, false, None, until);
    core.want(second, false, None, until);
    assert_eq!(drain(&mut core, until), [Event::Turn(first, backend)], "one on trial");
    core.rest(first, Verdict::Good, None, until);
    assert_eq!(drain(&mut core, until), [Event::Turn(second, backend)]);
}

#[test]
fn a_backend_that_can_be_tried_again_is_given_to_whoever_waits_for_another() {
    let now = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let [a, b] = [(); 2].map(|()| core.add_backend(Slots::Fixed(1)));
    let route = core.add_route(&[a, b], "m");
    let members = [(); 2].map(|()| {
        let user = core.add_user();
        core.join(user, 1, route).unwrap()
    });
    core.observe(a, Verdict::Bad { scope: Scope::Server, retry_after: Some(ms(1000)) }, now);
    members.iter().for_each(|member| core.want(*member, false, None, now));
    assert_eq!(drain(&mut core, now), [Event::Turn(members[0], b)]);
    assert_eq!(core.next_timeout(), Some(now + ms(1000)));
    assert_eq!(drain(&mut core, now + ms(1000)), [Event::Turn(members[1], a)]);
}

#[test]
fn a_model_that_comes_to_a_server_brings_its_sessions_there() {
    let now = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let [a, b] = [(); 2].map(|()| core.add_backend(Slots::Fixed(1)));
    let (to_a, to_both) = (core.add_route(&[a], "m"), core.add_route(&[a], "m"));
    let [first, second] = [to_a, to_both].map(|route| {
        let user = core.add_user();
        core.join(user, 1, route).unwrap()
    });
    core.want(first, false, None, now);
    core.want(second, false, None, now);
    assert_eq!(drain(&mut core, now), [Event::Turn(first, a)]);
    core.set_route(to_both, &[a, b], now);
    assert_eq!(drain(&mut core, now), [Event::Turn(second, b)]);
    core.set_route(to_both, &[b], now);
    core.rest(first, Verdict::Good, None, now);
    core.rest(second, Verdict::Good, None, now);
    core.want(second, false, None, now);
    core.want(first, false, None, now);
    assert_eq!(drain(&mut core, now), [Event::Turn(second, b), Event::Turn(first, a)]);
}

#[test]
fn users_who_share_a_server_for_different_models_share_it_fairly() {
    let start = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let backend = core.add_backend(Slots::Fixed(1));
    let routes = [core.add_route(&[backend], "m"), core.add_route(&[backend], "m")];
    let mut turns = HashMap::new();
    for (route, users) in routes.into_iter().zip([1, 3]) {
        for _ in 0..users {
            let user = core.add_user();
            let member = core.join(user, 1, route).unwrap();
            turns.insert(member, 0_u32);
            core.want(member, false, None, start);
        }
    }
    let mut time = start;
    for _ in 0..400 {
        for event in drain(&mut core, time) {
            let Event::Turn(member, _) = event else { continue };
            *turns.get_mut(&member).unwrap() += 1;
            time += ms(1000);
            core.rest_and_want(member, Verdict::Good, None, time);
        }
    }
    assert!(turns.values().all(|turns| turns.abs_diff(100) <= 1), "{turns:?}");
}

fn model_fails(retry_after: Option<Duration>) -> Verdict {
    Verdict::Bad { scope: Scope::Model, retry_after }
}

/// A gateway, and one member of a user of their own for each of these models.
fn gateway<const N: usize>(models: [&str; N]) -> (Core, BackendId, [MemberId; N]) {
    let mut core = Core::new(CoreConfig::default());
    let backend = core.add_backend(Slots::Fixed(1));
    let members = models.map(|model| {
        let route = core.add_route(&[backend], model);
        let user = core.add_user();
        core.join(user, 1, route).unwrap()
    });
    (core, backend, members)
}

#[test]
fn a_model_that_is_used_up_is_left_alone_and_others_there_are_asked() {
    let now = Instant::now();
    let (mut core, backend, [used_up, also, good]) = gateway(["used up", "used up", "good"]);
    core.want(used_up, false, None, now);
    core.want(also, false, None, now);
    core.want(good, false, None, now);
    assert_eq!(drain(&mut core, now), [Event::Turn(used_up, backend)]);
    core.rest(used_up, model_fails(Some(ms(7000))), None, now);
    // Who waits for the same model is told; who waits for another has the slot at once.
    let until = now + ms(7000);
    let told = [Event::Unavailable(also, until), Event::Turn(good, backend)];
    assert_eq!(drain(&mut core, now), told);
    assert_eq!(core.state(backend), Some(BackendState::Up));
    assert_eq!(core.state_for(backend, "used up"), Some(BackendState::Open { until }));
    core.rest_and_want(good, Verdict::Good, None, now);
    assert_eq!(drain(&mut core, now), [Event::Turn(good, backend)]);
    core.rest(good, Verdict::Good, None, now);
    // Then one question tries it, and meanwhile the other model is asked as ever.
    core.set_slots(backend, Slots::Fixed(3), until);
    core.want(used_up, false, None, until);
    core.want(also, false, None, until);
    core.want(good, false, None, until);
    let given = [Event::Turn(used_up, backend), Event::Turn(good, backend)];
    let is_turn = |event: &Event| matches!(event, Event::Turn(..));
    let events = drain(&mut core, until).into_iter().filter(is_turn);
    assert_eq!(events.collect::<Vec<_>>(), given);
    core.rest(used_up, Verdict::Good, None, until);
    assert_eq!(drain(&mut core, until), [Event::Turn(also, backend)]);
}

#[test]
fn however_often_a_model_fails_no_question_to_another_is_kept_waiting() {
    let mut now = Instant::now();
    let (mut core, backend, [failing, good]) = gateway(["failing", "good"]);
    let mut failures = 0;
    for _ in 0..100 {
        now += ms(1000);
        core.want(failing, false, None, now);
        for event in drain(&mut core, now) {
            if event == Event::Turn(failing, backend) {
                failures += 1;
                core.rest(failing, model_fails(None), None, now);
            }
        }
        core.want(good, false, None, now);
        assert!(drain(&mut core, now).contains(&Event::Turn(good, backend)));
        core.rest(good, Verdict::Good, None, now);
    }
    assert!((4..=12).contains(&failures), "it is left alone longer and longer: {failures}");
}

#[test]
fn a_server_that_is_not_there_is_left_alone_for_every_model() {
    let now = Instant::now();
    let (mut core, backend, [first, second]) = gateway(["a", "b"]);
    let missing = Verdict::Bad { scope: Scope::Server, retry_after: None };
    for _ in 0..3 {
        core.want(first, false, None, now);
        drain(&mut core, now);
        core.rest(first, missing, None, now);
    }
    core.want(second, false, None, now);
    assert_eq!(drain(&mut core, now), [Event::Unavailable(second, now + ms(1000))]);
    assert!(matches!(core.state_for(backend, "b"), Some(BackendState::Open { .. })));
}

#[test]
fn the_model_of_those_who_name_none_is_the_servers_first() {
    let now = Instant::now();
    let (mut core, backend, [named, unnamed, other]) = gateway(["first", "", "other"]);
    core.set_first_model(backend, "first");
    core.want(named, false, None, now);
    drain(&mut core, now);
    core.rest(named, model_fails(Some(ms(7000))), None, now);
    core.want(unnamed, false, None, now);
    assert_eq!(drain(&mut core, now), [Event::Unavailable(unnamed, now + ms(7000))]);
    core.set_first_model(backend, "other");
    core.want(unnamed, false, None, now);
    assert_eq!(drain(&mut core, now), [Event::Turn(unnamed, backend)]);
    core.rest(unnamed, model_fails(Some(ms(7000))), None, now);
    core.want(other, false, None, now);
    assert_eq!(drain(&mut core, now), [Event::Unavailable(other, now + ms(7000))]);
}

#[test]
fn another_server_answers_for_a_model_that_fails_at_one() {
    let now = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let [a, b] = [(); 2].map(|()| core.add_backend(Slots::Fixed(1)));
    let route = core.add_route(&[a, b], "m");
    let user = core.add_user();
    let member = core.join(user, 1, route).unwrap();
    core.want(member, false, None, now);
    assert_eq!(drain(&mut core, now), [Event::Turn(member, a)]);
    core.rest(member, model_fails(Some(ms(7000))), None, now);
    assert!(core.has_other(member, a, now) && !core.has_other(member, b, now));
    core.want(member, false, None, now);
    assert_eq!(drain(&mut core, now), [Event::Turn(member, b)]);
}

#[test]
fn who_rests_because_a_server_was_not_there_is_told_once_that_it_is_back() {
    let now = Instant::now();
    let (mut core, backend, [resting, obedient, asking]) = gateway(["a", "b", "c"]);
    core.observe(backend, Verdict::Good, now);
    assert_eq!(drain(&mut core, now), [], "it was there all the time");
    core.want(obedient, false, None, now);
    drain(&mut core, now);
    core.rest(obedient, model_fails(Some(ms(60_000))), None, now);
    core.want(asking, false, None, now);
    drain(&mut core, now);
    let missing = Verdict::Bad { scope: Scope::Server, retry_after: None };
    for _ in 0..3 {
        core.observe(backend, missing, now);
    }
    assert!(matches!(core.state(backend), Some(BackendState::Open { .. })));
    core.observe(backend, Verdict::Good, now);
    assert_eq!(drain(&mut core, now), [Event::Back(resting)]);
    core.want(resting, false, None, now);
    core.rest(asking, Verdict::Unknown, None, now);
    assert_eq!(drain(&mut core, now), [Event::Turn(resting, backend)], "at once");
    core.rest(resting, Verdict::Good, None, now);
    core.observe(backend, Verdict::Good, now);
    assert_eq!(drain(&mut core, now), []);
}

#[test]
fn a_server_that_is_back_is_asked_for_models_that_had_failed_with_it() {
    let now = Instant::now();
    let (mut core, backend, [member]) = gateway(["m"]);
    let missing = Verdict::Bad { scope: Scope::Server, retry_after: None };
    for verdict in [model_fails(None); 3].into_iter().chain([missing]) {
        core.want(member, false, None, now);
        drain(&mut core, now);
        core.rest(member, verdict, None, now);
        core.observe(backend, missing, now);
    }
    core.observe(backend, Verdict::Good, now);
    assert_eq!(drain(&mut core, now), [Event::Back(member)]);
    core.want(member, false, None, now);
    assert_eq!(drain(&mut core, now), [Event::Turn(member, backend)]);
}
