//! The dispatcher alone: how long a decision takes, and how much memory a session needs, with time
//! that is simulated. `cargo bench -p live-vlm-dispatch`.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cmp::Reverse,
    collections::BinaryHeap,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use live_vlm_dispatch::core::{
    BackendId, Core, CoreConfig, Event, MemberId, RouteId, Slots, Verdict,
};

const SLOTS: usize = 4;
/// Sessions that share one user.
const PER_USER: usize = 4;
/// Decisions that are measured, after a tenth as many to settle.
const DECISIONS: usize = 200_000;
/// Each session asks so often, if it can.
const INTERVAL: Duration = Duration::from_secs(5);

/// Counts the bytes in use. Everything else is the system's.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Which backends have which models.
#[derive(Clone, Copy)]
enum Shape {
    /// Every backend has the one model that is asked.
    OneModel,
    /// Each model is on five backends of its own.
    ModelsApart,
    /// Each model is on five backends, of which it shares some with others.
    ModelsOverlap,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::OneModel => "one model, all backends",
            Self::ModelsApart => "models on 5 backends each",
            Self::ModelsOverlap => "the same, overlapping",
        }
    }

    fn routes(self, backends: &[BackendId]) -> Vec<Vec<BackendId>> {
        match self {
            Self::OneModel => vec![backends.to_vec()],
            Self::ModelsApart => backends.chunks(5).map(<[_]>::to_vec).collect(),
            Self::ModelsOverlap => (0..backends.len() / 5)
                .map(|n| (0..5).map(|k| backends[(n * 5 + k * 7) % backends.len()]).collect())
                .collect(),
        }
    }
}

/// What happens next in the simulation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Wants,
    Ends,
}

struct Simulation {
    core: Core,
    now: Instant,
    due: BinaryHeap<Reverse<(Instant, Next, MemberId)>>,
    random: u64,
    decided: usize,
}

impl Simulation {
    fn new(sessions: usize, backends: usize, shape: Shape) -> Self {
        let config = CoreConfig { max_members: sessions, ..CoreConfig::default() };
        let mut core = Core::new(config);
        let backends: Vec<_> =
            (0..backends).map(|_| core.add_backend(Slots::Fixed(SLOTS))).collect();
        let routes: Vec<RouteId> =
            shape.routes(&backends).iter().map(|backends| core.add_route(backends, "m")).collect();
        let (now, due) = (Instant::now(), BinaryHeap::with_capacity(sessions));
        let mut this = Self { core, now, due, random: 0x5eed, decided: 0 };
        let mut user = this.core.add_user();
        for n in 0..sessions {
            if n % PER_USER == 0 {
                user = this.core.add_user();
            }
            let member = this.core.join(user, 1, routes[n % routes.len()]);
            let at = this.now + INTERVAL.mul_f64(this.part());
            this.due.extend(member.map(|member| Reverse((at, Next::Wants, member))));
        }
        this
    }

    /// 0 to 1, by xorshift (G. Marsaglia, 2003).
    fn part(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Runs until so many turns were given. The time that the core took.
    fn run(&mut self, decisions: usize) -> Duration {
        let (until, mut took) = (self.decided + decisions, Duration::ZERO);
        while self.decided < until {
            let Some(Reverse((at, next, member))) = self.due.pop() else { break };
            self.now = at;
            let began = Instant::now();
            match next {
                Next::Wants => self.core.want(member, false, None, at),
                Next::Ends => {
                    self.core.rest(member, Verdict::Good, Some(20), at);
                }
            }
            let mut asking = Vec::new();
            while let Some(event) = self.core.next(at) {
                if let Event::Turn(member, _) = event {
                    asking.push(member);
                }
            }
            took += began.elapsed();
            if next == Next::Ends {
                let at = at + INTERVAL.mul_f64(self.part());
                self.due.push(Reverse((at, Next::Wants, member)));
            }
            self.decided += asking.len();
            for member in asking {
                let turn = Duration::from_secs(1).mul_f64(0.5 + self.part());
                self.due.push(Reverse((at + turn, Next::Ends, member)));
            }
        }
        took
    }
}

#[expect(clippy::print_stdout, reason = "figures are read on the terminal")]
fn main() {
    println!(
        "{:<26} {:>8} {:>8} {:>12} {:>14}",
        "", "sessions", "backends", "us/decision", "bytes/session"
    );
    for shape in [Shape::OneModel, Shape::ModelsApart, Shape::ModelsOverlap] {
        for (sessions, backends) in [(100, 10), (1000, 100), (10_000, 100), (100_000, 100)] {
            let before = IN_USE.load(Ordering::Relaxed);
            let mut simulation = Simulation::new(sessions, backends, shape);
            simulation.run(DECISIONS / 10);
            let took = simulation.run(DECISIONS);
            let heap = simulation.due.capacity() * size_of::<Reverse<(Instant, Next, MemberId)>>();
            let used = IN_USE.load(Ordering::Relaxed) - before - heap;
            println!(
                "{:<26} {sessions:>8} {backends:>8} {:>12.2} {:>14}",
                shape.name(),
                took.as_secs_f64() * 1e6 / DECISIONS as f64,
                used / simulation.core.members(),
            );
        }
    }
}
