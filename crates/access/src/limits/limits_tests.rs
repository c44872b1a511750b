use super::*;

const USER: &str = "alice";

/// A process that began at noon of a day.
struct Scene {
    limits: Limits,
    noon: Now,
}

impl Scene {
    fn new() -> Self {
        let utc = UNIX_EPOCH + Duration::from_secs(20_000 * DAY + DAY / 2);
        let noon = Now { monotonic: Instant::now(), utc };
        Self { limits: Limits::new(noon), noon }
    }

    /// This many milliseconds after noon.
    fn at(&self, ms: u64) -> Now {
        let after = Duration::from_millis(ms);
        Now { monotonic: self.noon.monotonic + after, utc: self.noon.utc + after }
    }

    fn admit(&self, rules: &Rules, ms: u64) -> Result<(), LimitReached> {
        self.limits.admit_question(USER, rules, self.at(ms))
    }
}

fn per_minute(questions_per_minute: u32) -> Rules {
    Rules { questions_per_minute, ..Rules::default() }
}

#[test]
fn a_question_a_second_is_always_within_sixty_a_minute() {
    let scene = Scene::new();
    for second in 0..600 {
        scene.admit(&per_minute(60), second * 1000).unwrap();
    }
}

#[test]
fn five_may_come_at_once_and_then_one_a_second() {
    let scene = Scene::new();
    let rules = per_minute(60);
    for _ in 0..5 {
        scene.admit(&rules, 0).unwrap();
    }
    let reached = LimitReached {
        limit: Limit::QuestionsPerMinute,
        value: 60,
        retry_after: Duration::from_secs(1),
    };
    assert_eq!(scene.admit(&rules, 0), Err(reached));
    let rest = LimitReached { retry_after: Duration::from_millis(1), ..reached };
    assert_eq!(scene.admit(&rules, 999), Err(rest));
    scene.admit(&rules, 1000).unwrap();
    assert_eq!(scene.admit(&rules, 1000), Err(reached));
    // Nobody else is kept waiting.
    scene.limits.admit_question("bob", &rules, scene.at(1000)).unwrap();
}

#[test]
fn one_a_minute_is_one_a_minute() {
    let scene = Scene::new();
    scene.admit(&per_minute(1), 0).unwrap();
    let reached = scene.admit(&per_minute(1), 1).unwrap_err();
    assert_eq!(reached.retry_after, Duration::from_millis(59_999));
    scene.admit(&per_minute(1), 60_000).unwrap();
}

#[test]
fn a_rate_that_changes_holds_from_the_next_question_on() {
    let scene = Scene::new();
    scene.admit(&per_minute(1), 0).unwrap();
    assert!(scene.admit(&per_minute(1), 1).is_err());
    scene.admit(&per_minute(60), 1).unwrap();
    for _ in 0..1000 {
        scene.admit(&per_minute(0), 1).unwrap();
    }
}

#[test]
fn a_day_ends_at_midnight_utc() {
    let scene = Scene::new();
    let rules = Rules { questions_per_day: 2, ..per_minute(0) };
    let midnight = DAY / 2 * 1000;
    scene.admit(&rules, 0).unwrap();
    scene.admit(&rules, 1).unwrap();
    let reached = LimitReached {
        limit: Limit::QuestionsPerDay,
        value: 2,
        retry_after: Duration::from_secs(1),
    };
    assert_eq!(scene.admit(&rules, midnight - 1000), Err(reached));
    scene.admit(&rules, midnight).unwrap();
    let used = scene.limits.used_today(USER, scene.at(midnight));
    assert_eq!(used, Used { questions: 1, tokens: 0 });
}

#[test]
fn a_clock_that_is_set_back_does_not_give_a_day_twice() {
    let scene = Scene::new();
    let rules = Rules { questions_per_day: 1, ..per_minute(0) };
    scene.admit(&rules, 0).unwrap();
    let yesterday = Now { utc: scene.noon.utc - Duration::from_secs(DAY), ..scene.at(1) };
    assert!(scene.limits.admit_question(USER, &rules, yesterday).is_err());
}

#[test]
fn the_tokens_of_answers_count_against_the_next_question() {
    let scene = Scene::new();
    let rules = Rules { tokens_per_day: 1000, ..per_minute(0) };
    scene.admit(&rules, 0).unwrap();
    scene.limits.count_tokens(USER, &rules, 999, scene.at(1));
    scene.admit(&rules, 2).unwrap();
    scene.limits.count_tokens(USER, &rules, 500, scene.at(3));
    let reached = scene.admit(&rules, 4).unwrap_err();
    assert_eq!((reached.limit, reached.value), (Limit::TokensPerDay, 1000));
    assert_eq!(scene.limits.used_today(USER, scene.at(4)), Used { questions: 2, tokens: 1499 });
}

#[test]
fn a_question_that_a_rate_refuses_does_not_count_for_the_day() {
    let scene = Scene::new();
    let rules = Rules { questions_per_day: 100, ..per_minute(1) };
    scene.admit(&rules, 0).unwrap();
    assert!(scene.admit(&rules, 1).is_err());
    assert_eq!(scene.limits.used_today(USER, scene.at(1)).questions, 1);
}

#[test]
fn what_was_used_before_the_process_began_counts_for_its_day() {
    let scene = Scene::new();
    let rules = Rules { questions_per_day: 10, ..per_minute(0) };
    scene.limits.seed(USER, Used { questions: 9, tokens: 7 }, scene.noon);
    scene.admit(&rules, 0).unwrap();
    assert_eq!(scene.admit(&rules, 0).unwrap_err().limit, Limit::QuestionsPerDay);
    scene.admit(&rules, DAY / 2 * 1000).unwrap();
}

#[test]
fn users_who_ask_no_more_are_forgotten_unless_a_day_must_be_remembered() {
    let scene = Scene::new();
    let users = |scene: &Scene| scene.limits.asked(|asked| asked.users());
    for user in 0..100 {
        let user = format!("browser:{user}");
        scene.limits.admit_question(&user, &per_minute(60), scene.noon).unwrap();
    }
    assert_eq!(users(&scene), 100);
    for ms in 0..20 {
        scene.admit(&per_minute(0), 60_001 + ms).unwrap();
    }
    assert_eq!(users(&scene), 1);

    let limited = Rules { questions_per_day: 1, ..per_minute(0) };
    scene.limits.admit_question("bob", &limited, scene.at(70_000)).unwrap();
    scene.admit(&per_minute(0), 10_000_000).unwrap();
    assert!(scene.limits.admit_question("bob", &limited, scene.at(10_000_000)).is_err());
}

#[test]
fn no_more_users_are_remembered_than_there_is_room_for() {
    let scene = Scene::new();
    let rules = Rules { questions_per_day: 1, ..per_minute(0) };
    for user in 0..20_000 {
        scene.limits.admit_question(&format!("browser:{user}"), &rules, scene.noon).unwrap();
    }
    assert_eq!(scene.limits.asked(|asked| asked.users()), 16_384);
    // Whoever asked last is remembered.
    assert!(scene.limits.admit_question("browser:19999", &rules, scene.noon).is_err());
}

fn user(name: &str) -> Party {
    Party::User(name.into())
}

/// Offers at this many milliseconds after noon, until one is refused: how many were admitted.
fn offers(scene: &Scene, party: &Party, sessions: u32, ms: u64) -> (usize, LimitReached) {
    let rules = Rules::default();
    for admitted in 0.. {
        let offer = scene.limits.admit_offer(party.clone(), &rules, sessions, scene.at(ms));
        if let Err(reached) = offer {
            return (admitted, reached);
        }
    }
    unreachable!("there is no end to what is admitted")
}

#[test]
fn ten_offers_may_come_at_once_and_then_one_a_second() {
    let scene = Scene::new();
    let reached = LimitReached {
        limit: Limit::OffersPerMinute,
        value: 60,
        retry_after: Duration::from_secs(1),
    };
    assert_eq!(offers(&scene, &user("eve"), 1, 0), (10, reached));
    assert_eq!(offers(&scene, &user("eve"), 1, 999).0, 0);
    assert_eq!(offers(&scene, &user("eve"), 1, 1000).0, 1);
    assert_eq!(offers(&scene, &user("eve"), 1, 4000).0, 3);
    // Nobody else is kept waiting, and of those who did not sign in an address is one.
    assert_eq!(offers(&scene, &user("bob"), 1, 4000).0, 10);
    let at = |address: &str| Party::Address(address.parse::<IpAddr>().unwrap().into());
    assert_eq!(offers(&scene, &at("2001:db8::1"), 2, 0).0, 10);
    assert_eq!(offers(&scene, &at("2001:db8::2"), 2, 0).0, 0);
    assert_eq!(offers(&scene, &at("2001:db8:1::1"), 2, 0).0, 10);
}

#[test]
fn all_sessions_that_one_may_have_can_come_back_at_once() {
    for (sessions, most) in [(1, 10), (2, 10), (4, 20), (40, 200), (50, 200), (700, 700), (0, 200)]
    {
        assert_eq!(offers(&Scene::new(), &user("ada"), sessions, 0).0, most, "{sessions}");
    }
}

/// As `web/page/src/backoff.ts` waits at the least, with videos that fail at once.
#[test]
fn pages_that_try_again_and_again_never_meet_the_rate_of_offers() {
    for pages in 1..=7 {
        let scene = Scene::new();
        let mut waits = [0, 250, 500, 1000, 2000, 4000].iter().chain(std::iter::repeat(&7500));
        let mut ms = 0;
        while ms < 600_000 {
            ms += waits.next().unwrap();
            for page in 0..pages {
                let admitted =
                    scene.limits.admit_offer(user("ada"), &Rules::default(), pages, scene.at(ms));
                assert_eq!(admitted, Ok(()), "{pages} pages, page {page} after {ms} ms");
            }
        }
    }
}

#[test]
fn zero_switches_the_rate_of_offers_off() {
    let scene = Scene::new();
    let rules = Rules { offers_per_minute: 0, ..Rules::default() };
    for _ in 0..10_000 {
        scene.limits.admit_offer(user("ada"), &rules, 1, scene.noon).unwrap();
    }
}

#[test]
fn those_who_offer_no_more_are_forgotten_and_no_more_are_remembered_than_there_is_room_for() {
    let scene = Scene::new();
    let parties = |scene: &Scene| scene.limits.offered.lock().unwrap().parties();
    let offer = |scene: &Scene, n: u32, ms: u64| {
        let party = Party::Address(IpAddr::V4(n.into()).into());
        scene.limits.admit_offer(party, &Rules::default(), 1, scene.at(ms))
    };
    for n in 0..20_000 {
        offer(&scene, n, 0).unwrap();
    }
    assert_eq!(parties(&scene), 16_384);
    for n in 0..2048 {
        offer(&scene, 0, 10_000 + n).ok();
    }
    assert_eq!(parties(&scene), 1);
}

#[test]
fn sessions_are_counted_by_user_and_connections_by_address() {
    let scene = Scene::new();
    let rules = Rules { sessions: 1, ..Rules::default() };
    let first = scene.limits.session(USER, &rules).unwrap();
    let reached = scene.limits.session(USER, &rules).unwrap_err();
    assert_eq!((reached.limit, reached.value), (Limit::Sessions, 1));
    scene.limits.session("bob", &rules).unwrap();
    drop(first);
    scene.limits.session(USER, &rules).unwrap();

    let connection = |address: &str| scene.limits.connection(address.parse().unwrap(), 1);
    let guard = connection("192.0.2.1").unwrap();
    assert_eq!(connection("::ffff:192.0.2.1").unwrap_err().limit, Limit::Connections);
    connection("192.0.2.2").unwrap();
    drop(guard);
    connection("192.0.2.1").unwrap();
}

#[test]
fn an_ipv6_network_is_one_source() {
    let key = |address: &str| AddressKey::from(address.parse::<IpAddr>().unwrap());
    assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:0:0:2"));
    assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
    assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
}

#[test]
fn a_limit_has_the_same_name_in_messages_and_in_metrics() {
    for limit in Limit::ALL {
        assert_eq!(serde_json::to_value(limit).unwrap(), limit.name());
    }
}
