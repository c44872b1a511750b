//! Simulated VLM servers, and sessions that ask them.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use super::{SlotCount, Slots};
use crate::core::MemberId;

/// Seconds from one look at a server's metrics to the next, out of step with its answers.
const METRICS_EVERY: f64 = 0.93;

/// How a server answers. Times are in seconds.
#[derive(Debug, Clone)]
pub(super) struct Server {
    /// Questions that it works on at once, from when on; the others wait, the oldest first.
    pub(super) room: Vec<(f64, usize)>,
    /// How much slower it is for each further question that it works on.
    pub(super) slower: f64,
    /// Until the first token, and from there to the end, of a question alone.
    pub(super) prompt: f64,
    pub(super) rest: f64,
    /// By how much answers differ in length: the standard deviation, as a share of the mean.
    pub(super) differ: f64,
    pub(super) streams: bool,
    /// Whether it says how many questions wait.
    pub(super) has_metrics: bool,
}

impl Server {
    /// Takes a second for an answer, a tenth of it until the first token.
    pub(super) fn with_room(room: usize) -> Self {
        Self {
            room: vec![(0.0, room)],
            slower: 0.0,
            prompt: 0.1,
            rest: 0.9,
            differ: 0.0,
            streams: true,
            has_metrics: false,
        }
    }
}

/// Sessions that ask again as soon as they may.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand {
    pub(super) sessions: usize,
    /// From one question's turn to the next, in seconds, at least.
    pub(super) interval: f64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    /// When it was complete, and how old its picture was, in seconds.
    pub(super) at: f64,
    pub(super) age: f64,
}

#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) answers: Vec<Answer>,
    /// Number of slots from when on, and after how many answers.
    pub(super) slots: Vec<(f64, usize, usize)>,
}

impl Run {
    /// Answers a second.
    pub(super) fn rate(&self, from: f64, to: f64) -> f64 {
        self.within(from, to).count() as f64 / (to - from)
    }

    pub(super) fn age(&self, part: f64, from: f64, to: f64) -> f64 {
        let mut ages: Vec<f64> = self.within(from, to).map(|answer| answer.age).collect();
        ages.sort_by(f64::total_cmp);
        ages.get((ages.len() as f64 * part) as usize).copied().unwrap_or(f64::INFINITY)
    }

    fn within(&self, from: f64, to: f64) -> impl Iterator<Item = &Answer> {
        self.answers.iter().filter(move |answer| answer.at >= from && answer.at < to)
    }

    pub(super) fn last_slots(&self) -> usize {
        self.slots.last().map_or(0, |(_, slots, _)| *slots)
    }

    /// How many slots there are when so many answers have come.
    pub(super) fn slots_after(&self, answers: usize) -> usize {
        self.slots.iter().rfind(|step| step.2 <= answers).map_or(0, |step| step.1)
    }
}

struct Working {
    member: MemberId,
    prompt: f64,
    rest: f64,
}

struct World<'a> {
    server: &'a Server,
    demand: Demand,
    start: Instant,
    now: f64,
    count: SlotCount,
    began: BTreeMap<MemberId, f64>,
    tokens: BTreeMap<MemberId, u64>,
    waiting: VecDeque<MemberId>,
    /// Who wants the next turn when.
    resting: Vec<(f64, MemberId)>,
    queue: VecDeque<Working>,
    working: Vec<Working>,
    random: u64,
    run: Run,
}

/// What answers and their ages are like for so many seconds.
pub(super) fn play(seed: u64, slots: Slots, server: &Server, demand: Demand, seconds: f64) -> Run {
    let mut world = World {
        server,
        demand,
        start: Instant::now(),
        now: 0.0,
        count: SlotCount::new(slots),
        began: BTreeMap::new(),
        tokens: BTreeMap::new(),
        waiting: (0..demand.sessions as u64).map(MemberId).collect(),
        resting: Vec::new(),
        queue: VecDeque::new(),
        working: Vec::new(),
        random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        run: Run::default(),
    };
    let mut told = METRICS_EVERY;
    world.give_turns();
    while world.now < seconds {
        let step = world.next_in().min(told - world.now).max(0.0);
        world.advance(step);
        if server.has_metrics && told - world.now < 1e-9 {
            let waiting = world.queue.len() as u64;
            let now = world.instant();
            world.count.told(waiting, now);
        }
        if told - world.now < 1e-9 {
            told += METRICS_EVERY;
        }
        world.give_turns();
    }
    world.run
}

impl World<'_> {
    fn instant(&self) -> Instant {
        self.start + Duration::from_secs_f64(self.now)
    }

    fn room(&self) -> usize {
        let rooms = self.server.room.iter().filter(|(from, _)| *from <= self.now);
        rooms.max_by(|one, other| one.0.total_cmp(&other.0)).map_or(1, |(_, room)| *room)
    }

    fn speed(&self) -> f64 {
        1.0 / (1.0 + self.server.slower * self.working.len().saturating_sub(1) as f64)
    }

    fn length(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let part = (self.random >> 11) as f64 / (1_u64 << 53) as f64;
        // Evenly between two ends that far apart.
        1.0 + self.server.differ * 12_f64.sqrt() * (part - 0.5)
    }

    /// Seconds until something happens.
    fn next_in(&self) -> f64 {
        let speed = self.speed();
        let working = self.working.iter();
        let work = working.map(|it| if it.prompt > 0.0 { it.prompt } else { it.rest } / speed);
        let wants = self.resting.iter().map(|(at, _)| at - self.now);
        let rooms = self.server.room.iter().map(|(at, _)| at - self.now).filter(|at| *at > 0.0);
        work.chain(wants).chain(rooms).fold(f64::INFINITY, f64::min)
    }

    fn advance(&mut self, seconds: f64) {
        let done = seconds * self.speed();
        self.now += seconds;
        let now = self.instant();
        let mut ended = Vec::new();
        for it in &mut self.working {
            if it.prompt > 0.0 {
                it.prompt -= done;
                if it.prompt < 1e-9 {
                    it.prompt = 0.0;
                    if self.server.streams {
                        self.count.first_token(it.member, now);
                    }
                }
            } else {
                it.rest -= done;
                if it.rest < 1e-9 {
                    ended.push(it.member);
                }
            }
        }
        self.working.retain(|it| !ended.contains(&it.member));
        for member in ended {
            self.end(member, now);
            self.give_turns();
        }
        let (wants, rest): (Vec<_>, Vec<_>) =
            self.resting.drain(..).partition(|(at, _)| *at <= self.now + 1e-9);
        self.resting = rest;
        self.waiting.extend(wants.into_iter().map(|(_, member)| member));
    }

    fn end(&mut self, member: MemberId, now: Instant) {
        let tokens = if self.server.streams { self.tokens.remove(&member) } else { None };
        self.count.end(member, Some(tokens.unwrap_or(0)), now);
        let began = self.began[&member];
        self.run.answers.push(Answer { at: self.now, age: self.now - began });
        self.resting.push((self.now.max(began + self.demand.interval), member));
        let due = self.now.max(began + self.demand.interval);
        if due <= self.now + 1e-9 {
            self.resting.pop();
            self.waiting.push_back(member);
        }
    }

    fn give_turns(&mut self) {
        let slots = self.count.get();
        if self.run.last_slots() != slots {
            self.run.slots.push((self.now, slots, self.run.answers.len()));
        }
        while self.queue.len() + self.working.len() < slots {
            let Some(member) = self.waiting.pop_front() else { break };
            let now = self.instant();
            self.count.begin(member, now);
            self.count.sent(member, now);
            self.began.insert(member, self.now);
            let length = self.length();
            self.tokens.insert(member, (100.0 * length) as u64);
            let prompt = self.server.prompt * (1.0 + (self.length() - 1.0) / 2.0);
            let rest = self.server.rest * length;
            self.queue.push_back(Working { member, prompt, rest });
        }
        while self.working.len() < self.room() {
            let Some(next) = self.queue.pop_front() else { break };
            self.working.push(next);
        }
    }
}
