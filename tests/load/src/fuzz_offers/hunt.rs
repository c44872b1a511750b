//! Many cases at once, and which of them it was when the server died.

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use live_vlm_offers::Case;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{sleep, sleep_until},
};

use super::{
    AFTERWARDS,
    child::Child,
    findings::{Deaths, Findings, POOLED},
    http, shrink,
    visit::{Reply, play},
};
use crate::{
    Failure,
    process::{self, Look},
    vlm::Vlm,
};

/// The last cases that are remembered: one of them it was.
const REMEMBERED: usize = 64;
/// How long each cause of death is looked into, the first time that it is seen.
const INVESTIGATION: Duration = Duration::from_secs(40);
/// Causes that are looked into; the others are counted.
const CAUSES: usize = 8;
/// Sessions that nobody hung up end after 15 s, and 10 s later what media processes keep, and idle
/// threads of pools. A host that is busy takes longer.
const REST: Duration = Duration::from_secs(60);
/// For a session's end to be over before the first look.
const SETTLED: Duration = Duration::from_secs(1);

pub(super) struct Plan {
    pub(super) server: PathBuf,
    pub(super) window: Duration,
    pub(super) seed: u64,
    pub(super) workers: usize,
    /// Before the last look. The server gives memory back to the system every 5 s.
    pub(super) quiet: Duration,
    pub(super) keep: PathBuf,
}

/// What the workers share.
struct Work {
    http: reqwest::Client,
    address: String,
    seed: u64,
    next: Arc<AtomicU64>,
    over: AtomicBool,
    /// Numbers of cases, those begun last at the end.
    begun: Mutex<VecDeque<u64>>,
}

/// Goes on until time is up, with a new server whenever one has died.
pub(super) async fn hunt(plan: &Plan, vlm: &Vlm) -> Result<Findings, Failure> {
    let next = Arc::new(AtomicU64::new(0));
    let mut findings = Findings::default();
    let mut until = None;
    loop {
        let (mut server, before) = start(plan, vlm).await?;
        let until = until.get_or_insert_with(|| Instant::now() + plan.window);
        let work = Arc::new(Work {
            http: http()?,
            address: server.address.clone(),
            seed: plan.seed,
            next: next.clone(),
            over: AtomicBool::new(false),
            begun: Mutex::default(),
        });
        let death = work.clone().go_on(plan.workers, &mut server, *until, &mut findings).await?;
        let Some(cause) = death else {
            findings.looks = Some((before, rest(&server, &before, plan.quiet).await?));
            findings.add_complaints(server.complaints());
            findings.cases = next.load(Ordering::Relaxed);
            return Ok(findings);
        };
        findings.add_complaints(server.complaints());
        let causes = findings.deaths.len();
        let deaths = findings.deaths.entry(cause.clone()).or_default();
        deaths.count += 1;
        if deaths.count == 1 && causes < CAUSES {
            let began = Instant::now();
            investigate(plan, vlm, &cause, &work.begun(), deaths).await?;
            *until += began.elapsed();
        }
    }
}

impl Work {
    /// Has so many clients at once play cases until the server dies or time is up: what it died of.
    async fn go_on(
        self: Arc<Self>,
        workers: usize,
        server: &mut Child,
        until: Instant,
        findings: &mut Findings,
    ) -> Result<Option<String>, Failure> {
        let mut playing = JoinSet::new();
        for _ in 0..workers {
            playing.spawn(self.clone().play());
        }
        let death = tokio::select! {
            death = server.death() => Some(death?),
            () = sleep_until(until.into()) => None,
        };
        self.over.store(true, Ordering::Relaxed);
        while let Some(replies) = playing.join_next().await {
            for reply in replies? {
                *findings.replies.entry(reply).or_default() += 1;
            }
        }
        Ok(match death {
            Some(cause) => Some(cause),
            // It may have died of the last ones.
            None => server.dies_within(AFTERWARDS).await,
        })
    }

    async fn play(self: Arc<Self>) -> Vec<Reply> {
        let mut replies = Vec::new();
        while !self.over.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            self.remember(number);
            let case = Case::generate(self.seed, number);
            let said = play(&self.http, &self.address, &case).await;
            let gone = said.contains(&Reply::Gone);
            replies.extend(said);
            if gone {
                // The server is dead, or will soon be found to be.
                sleep(Duration::from_millis(20)).await;
            }
        }
        replies
    }

    fn begun(&self) -> VecDeque<u64> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, number: u64) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.len() == REMEMBERED {
            begun.pop_front();
        }
        begun.push_back(number);
    }
}

/// A server that has had its first session, and what it takes at rest.
async fn start(plan: &Plan, vlm: &Vlm) -> Result<(Child, Look), Failure> {
    let server = Child::start(&plan.server, vlm).await?;
    let processes = server.look()?.processes;
    let replies = play(&http()?, &server.address, &Case::ordinary()).await;
    if replies != [Reply::Said(200, String::new())] {
        return Err(format!("the server does not answer an ordinary offer: {replies:?}").into());
    }
    sleep(SETTLED).await;
    let look = process::without_more(processes, || server.look()).await?;
    Ok((server, look))
}

/// Waits this long, and then until threads and files are what they were, or for as long as that may
/// take.
async fn rest(server: &Child, before: &Look, quiet: Duration) -> Result<Look, Failure> {
    let until = Instant::now() + REST;
    sleep(quiet).await;
    loop {
        let look = server.look()?;
        let rests = look.threads <= before.threads + POOLED && look.files <= before.files;
        if rests || Instant::now() >= until {
            return Ok(look);
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// Finds the case that it was, makes it smaller, and keeps it in a file.
async fn investigate(
    plan: &Plan,
    vlm: &Vlm,
    cause: &str,
    begun: &VecDeque<u64>,
    deaths: &mut Deaths,
) -> Result<(), Failure> {
    let until = Instant::now() + INVESTIGATION;
    let mut scene = Scene { plan, vlm, http: http()?, server: None };
    let mut culprit = None;
    for number in begun.iter().rev() {
        let case = Case::generate(plan.seed, *number);
        if Instant::now() > until {
            break;
        }
        if scene.kills(&case).await {
            culprit = Some(case);
            break;
        }
    }
    let (file, note) = match culprit {
        Some(case) => {
            let small = shrink::case(&case, until, async |case| scene.kills(case).await).await;
            let mut file = small.json();
            file["cause"] = json!(cause);
            (file, format!("case {} of seed {}, made smaller", case.number, plan.seed))
        }
        None => {
            let suspects: Vec<_> =
                begun.iter().map(|number| Case::generate(plan.seed, *number).json()).collect();
            let note = "none of these did it alone".to_owned();
            (json!({"cause": cause, "suspects": suspects}), note)
        }
    };
    deaths.kept = Some(keep(&plan.keep, cause, &serde_json::to_string_pretty(&file)?)?);
    deaths.note = note;
    Ok(())
}

/// A server for one case after another, for as long as it lives.
struct Scene<'a> {
    plan: &'a Plan,
    vlm: &'a Vlm,
    http: reqwest::Client,
    server: Option<Child>,
}

impl Scene<'_> {
    /// Whether a server dies of this case.
    async fn kills(&mut self, case: &Case) -> bool {
        let mut server = match self.server.take() {
            Some(server) => server,
            None => match Child::start(&self.plan.server, self.vlm).await {
                Ok(server) => server,
                Err(_) => return false,
            },
        };
        play(&self.http, &server.address, case).await;
        let died = server.dies_within(AFTERWARDS / 2).await.is_some();
        if !died {
            self.server = Some(server);
        }
        died
    }
}

fn keep(folder: &Path, cause: &str, text: &str) -> Result<PathBuf, Failure> {
    let said = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(said)?;
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = cause.chars().rev().take(60).map(plain).collect();
    let name: String = name.chars().rev().collect();
    let path = folder.join(format!("{}.json", name.trim_matches('-')));
    fs::write(&path, text.to_owned() + "\n").map_err(said)?;
    Ok(path)
}
