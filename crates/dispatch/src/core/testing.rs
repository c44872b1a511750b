//! Simulated users, and what else the tests of the core have in common.

use super::*;

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn drain(core: &mut Core, now: Instant) -> Vec<Event> {
    std::iter::from_fn(|| core.next(now)).collect()
}

/// A user of a simulation.
#[derive(Clone, Copy)]
pub(super) struct User {
    pub(super) weight: u32,
    pub(super) sessions: usize,
    /// From the end of an answer to the next question.
    pub(super) rest: Duration,
    /// How long an answer takes.
    pub(super) takes: Duration,
}

pub(super) const ORDINARY: User = User { weight: 1, sessions: 1, rest: ms(50), takes: ms(1000) };

/// What became of each user.
pub(super) struct Outcome {
    pub(super) turns: Vec<u32>,
    /// Their slot time, in seconds.
    pub(super) used: Vec<f64>,
    /// The longest wait of one of their sessions.
    pub(super) longest_wait: Vec<Duration>,
}

/// Joins the sessions of these users; which of them each belongs to.
fn join(core: &mut Core, route: RouteId, users: &[User]) -> HashMap<MemberId, usize> {
    let mut user_of = HashMap::new();
    for (at, user) in users.iter().enumerate() {
        let id = core.add_user();
        for _ in 0..user.sessions {
            user_of.insert(core.join(id, user.weight, route).unwrap(), at);
        }
    }
    user_of
}

/// Plays `run` of simulated time on one route over backends with these slots. No slot may be given
/// twice, or idle while somebody waits.
pub(super) fn play(users: &[User], slots: &[usize], run: Duration) -> Outcome {
    let start = Instant::now();
    let mut core = Core::new(CoreConfig::default());
    let backends: Vec<_> = slots.iter().map(|n| core.add_backend(Slots::Fixed(*n))).collect();
    let route = core.add_route(&backends, "m");
    let user_of = join(&mut core, route, users);
    // When, who, and whether its turn ends or it wants one.
    let mut agenda: BTreeSet<_> = user_of.keys().map(|member| (start, *member, false)).collect();
    let mut outcome = Outcome {
        turns: vec![0; users.len()],
        used: vec![0.0; users.len()],
        longest_wait: vec![Duration::ZERO; users.len()],
    };
    let mut wanted = HashMap::new();
    while let Some((now, member, ends)) = agenda.pop_first() {
        if now > start + run {
            break;
        }
        let rest = users[user_of[&member]].rest;
        if ends && !rest.is_zero() {
            core.rest(member, Verdict::Good, None, now);
            agenda.insert((now + rest, member, false));
        } else {
            wanted.insert(member, now);
            if ends {
                core.rest_and_want(member, Verdict::Good, None, now);
            } else {
                core.want(member, false, None, now);
            }
        }
        while let Some(event) = core.next(now) {
            let Event::Turn(member, _) = event else { continue };
            let at = user_of[&member];
            let User { takes, .. } = users[at];
            outcome.turns[at] += 1;
            outcome.used[at] += takes.as_secs_f64();
            outcome.longest_wait[at] = outcome.longest_wait[at].max(now - wanted[&member]);
            agenda.insert((now + takes, member, true));
        }
        for (backend, slots) in backends.iter().zip(slots) {
            let (asking, waiting) = core.load(*backend);
            assert!(asking <= *slots, "more questions than slots");
            assert!(waiting == 0 || asking == *slots, "a slot idles while somebody waits");
        }
    }
    outcome
}
