use super::{
    testing::{ORDINARY, User, drain, ms, play},
    *,
};

/// A backend, and a route to it alone.
fn one(core: &mut Core, slots: usize) -> (BackendId, RouteId) {
    let backend = core.add_backend(Slots::Fixed(slots));
    (backend, core.add_route(&[backend], "m"))
}

/// A session of a user of its own.
fn join(core: &mut Core, route: RouteId) -> MemberId {
    let user = core.add_user();
    core.join(user, 1, route).unwrap()
}

fn want(core: &mut Core, member: MemberId, now: Instant) {
    core.want(member, false, None, now);
}

fn rest(core: &mut Core, member: MemberId, now: Instant) {
    core.rest(member, Verdict::Good, None, now);
}

#[test]
fn two_thousand_sessions_get_equal_turns_and_no_slot_idles() {
    let users = vec![User { rest: ms(1), takes: ms(500), ..ORDINARY }; 2000];
    let turns = play(&users, &[8], Duration::from_secs(1000)).turns;
    let (least, most) = (turns.iter().min(), turns.iter().max());
    assert_eq!(turns.iter().sum::<u32>(), 16_008, "8 slots, 1000 s, 0.5 s each");
    assert!(most.unwrap() - least.unwrap() <= 1, "turns from {least:?} to {most:?}");
}

#[test]
fn who_takes_longer_gets_fewer_turns_but_the_same_time() {
    let takes = |at: usize| if at.is_multiple_of(10) { ms(4000) } else { ms(500) };
    let user = |at| User { rest: Duration::ZERO, takes: takes(at), ..ORDINARY };
    let users: Vec<_> = (0..1000).map(user).collect();
    let outcome = play(&users, &[4], Duration::from_secs(5000));
    let (long, short) = (outcome.used[0], outcome.used[1]);
    assert!((long / short - 1.0).abs() < 0.3, "slot seconds: long {long}, short {short}");
    assert!(outcome.turns[0] * 4 < outcome.turns[1]);
}

#[test]
fn a_session_that_asks_rarely_is_served_before_those_that_always_ask() {
    let mut users = vec![User { rest: Duration::ZERO, takes: ms(100), ..ORDINARY }; 1000];
    users[0].rest = Duration::from_secs(60);
    let outcome = play(&users, &[1], Duration::from_secs(2000));
    let rare = outcome.longest_wait[0];
    let greedy = outcome.longest_wait[1];
    assert!(rare <= greedy, "rare waited {rare:?}, greedy {greedy:?}");
    assert!(outcome.turns[0] >= 10);
}

#[test]
fn one_session_alone_gets_every_turn() {
    let alone = User { rest: Duration::ZERO, takes: ms(100), ..ORDINARY };
    assert_eq!(play(&[alone], &[4], Duration::from_secs(10)).turns, [101]);
}

#[test]
fn a_session_that_joins_late_neither_starves_others_nor_waits_for_what_it_missed() {
    let now = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let (backend, route) = one(&mut core, 1);
    let old = join(&mut core, route);
    let mut time = now;
    for _ in 0..1000 {
        want(&mut core, old, time);
        assert_eq!(drain(&mut core, time), [Event::Turn(old, backend)]);
        time += ms(100);
        rest(&mut core, old, time);
    }
    let new = join(&mut core, route);
    let mut turns = HashMap::from([(old, 0_u32), (new, 0)]);
    want(&mut core, old, time);
    want(&mut core, new, time);
    for _ in 0..100 {
        for event in drain(&mut core, time) {
            let Event::Turn(member, _) = event else { continue };
            *turns.get_mut(&member).unwrap() += 1;
            time += ms(100);
            rest(&mut core, member, time);
            want(&mut core, member, time);
        }
    }
    assert!(turns[&old].abs_diff(turns[&new]) <= 1, "{turns:?}");
}

#[test]
fn leaving_frees_the_slot_at_once() {
    let now = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let (backend, route) = one(&mut core, 1);
    let [first, second] = [(); 2].map(|()| join(&mut core, route));
    want(&mut core, first, now);
    want(&mut core, second, now);
    assert_eq!(drain(&mut core, now), [Event::Turn(first, backend)]);
    core.leave(first, now);
    assert_eq!(drain(&mut core, now), [Event::Turn(second, backend)]);
    assert_eq!(core.members(), 1);
}

#[test]
fn who_left_while_waiting_or_before_hearing_of_its_turn_gets_none() {
    let now = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let (backend, route) = one(&mut core, 1);
    let [first, second, third] = [(); 3].map(|()| join(&mut core, route));
    want(&mut core, first, now);
    want(&mut core, second, now);
    want(&mut core, third, now);
    core.leave(second, now);
    core.leave(first, now);
    assert_eq!(drain(&mut core, now), [Event::Turn(third, backend)]);
}

#[test]
fn a_session_is_told_once_when_its_turn_is_near() {
    let start = Instant::now();
    let mut core = Core::new(CoreConfig { near: ms(150), ..CoreConfig::default() });
    let (backend, route) = one(&mut core, 1);
    let [first, second, third] = [(); 3].map(|()| join(&mut core, route));
    want(&mut core, first, start);
    drain(&mut core, start);
    assert_eq!(core.next_timeout(), None, "nothing is known of how long a turn takes");
    rest(&mut core, first, start + ms(1000));

    let begin = start + ms(1000);
    want(&mut core, second, begin);
    want(&mut core, first, begin);
    want(&mut core, third, begin);
    assert_eq!(drain(&mut core, begin), [Event::Turn(second, backend)]);
    assert_eq!(core.next_timeout(), Some(begin + ms(850)));
    assert_eq!(drain(&mut core, begin + ms(849)), []);
    assert_eq!(drain(&mut core, begin + ms(850)), [Event::Near(third)]);
    assert_eq!(drain(&mut core, begin + ms(900)), []);
    assert_eq!(core.next_timeout(), None, "one slot, one session to tell");
    rest(&mut core, second, begin + ms(1000));
    assert_eq!(drain(&mut core, begin + ms(1000)), [Event::Turn(third, backend)]);
}

/// A backend with one slot, whose turns take 1 s, and one that asks there from `begin` on. The others
/// wait, and are told so long before their turns.
fn waiting<const N: usize>(core: &mut Core, nears: [u64; N], begin: Instant) -> [MemberId; N] {
    let (_, route) = one(core, 1);
    let asking = join(core, route);
    want(core, asking, begin - ms(1000));
    drain(core, begin - ms(1000));
    rest(core, asking, begin);
    want(core, asking, begin);
    nears.map(|near| {
        let member = join(core, route);
        core.set_near(member, ms(near));
        want(core, member, begin);
        member
    })
}

/// Who is told that the turn is near, and after how many ms.
fn told(core: &mut Core, begin: Instant, until: u64) -> Vec<(MemberId, u64)> {
    let mut told = Vec::new();
    for after in 0..until {
        let events = drain(core, begin + ms(after));
        told.extend(events.into_iter().filter_map(|event| match event {
            Event::Near(member) => Some((member, after)),
            _ => None,
        }));
    }
    told
}

#[test]
fn each_is_told_as_long_before_its_turn_as_it_wants() {
    for (near, after) in [(20, 980), (150, 850), (700, 300), (60_000, 0)] {
        let begin = Instant::now() + ms(1000);
        let mut core = Core::new(CoreConfig::default());
        let [member, _] = waiting(&mut core, [near, 500], begin);
        assert_eq!(told(&mut core, begin, 1000), [(member, after)]);
    }
}

#[test]
fn who_goes_first_is_told_though_it_comes_after_the_others() {
    let begin = Instant::now() + ms(1000);
    let mut core = Core::new(CoreConfig::default());
    let [first, other] = waiting(&mut core, [20, 20], begin);
    assert_eq!(told(&mut core, begin, 500), []);
    core.leave(first, begin + ms(500));
    core.set_near(other, ms(300));
    assert_eq!(told(&mut core, begin + ms(500), 500), [(other, 480)], "it waited already");

    let mut core = Core::new(CoreConfig::default());
    let [first] = waiting(&mut core, [20], begin);
    assert_eq!(told(&mut core, begin, 500), []);
    core.leave(first, begin + ms(500));
    drain(&mut core, begin + ms(500));
    let route = core.members.values().next().unwrap().route;
    let late = join(&mut core, route);
    core.set_near(late, ms(300));
    want(&mut core, late, begin + ms(600));
    assert_eq!(told(&mut core, begin + ms(600), 400), [(late, 100)]);
}

#[test]
fn backends_do_not_share_slots() {
    let now = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let [(a, to_a), (b, to_b)] = [(); 2].map(|()| one(&mut core, 1));
    let [first, second] = [to_a, to_b].map(|route| join(&mut core, route));
    want(&mut core, first, now);
    want(&mut core, second, now);
    assert_eq!(drain(&mut core, now), [Event::Turn(first, a), Event::Turn(second, b)]);
}

#[test]
fn more_slots_are_used_at_once_and_fewer_as_turns_end() {
    let now = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let (backend, route) = one(&mut core, 1);
    let members = [(); 3].map(|()| join(&mut core, route));
    members.iter().for_each(|member| want(&mut core, *member, now));
    assert_eq!(drain(&mut core, now).len(), 1);
    core.set_slots(backend, Slots::Fixed(2), now);
    assert_eq!(drain(&mut core, now).len(), 1);
    core.set_slots(backend, Slots::Fixed(1), now);
    rest(&mut core, members[0], now);
    assert!(!drain(&mut core, now).contains(&Event::Turn(members[2], backend)));
    rest(&mut core, members[1], now);
    assert_eq!(drain(&mut core, now), [Event::Turn(members[2], backend)]);
}

#[test]
fn the_number_of_members_is_bounded() {
    let mut core = Core::new(CoreConfig { max_members: 2, ..CoreConfig::default() });
    let (_, route) = one(&mut core, 1);
    let first = join(&mut core, route);
    join(&mut core, route);
    let user = core.add_user();
    assert!(core.join(user, 1, route).is_none());
    core.leave(first, Instant::now());
    assert!(core.join(user, 1, route).is_some());
}

#[test]
fn routes_with_members_and_backends_with_routes_are_kept() {
    let mut core = Core::new(CoreConfig::default());
    let (backend, route) = one(&mut core, 1);
    let member = join(&mut core, route);
    assert!(!core.remove_route(route) && !core.remove_backend(backend));
    core.leave(member, Instant::now());
    assert!(!core.remove_backend(backend));
    assert!(core.remove_route(route) && core.remove_backend(backend));
    let user = core.add_user();
    assert!(core.join(user, 1, route).is_none());
}
