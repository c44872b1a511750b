//! Nothing is left of media processes, however they end.

use std::{collections::BTreeSet, env, fs, path::Path, sync::Arc, time::Duration};

use live_vlm_media_processes::{Codec, Config, deadlines::Patience};
use rustix::process::Signal;
use tokio::task::JoinSet;

use super::support::{Started, config, gone, is_served_until, send_signal, setting, soon};

/// What is sent to a process, and what may be said of its end. Those that must be waited for are fewer.
const CRASHES: [(Signal, &[&str]); 8] = [
    (Signal::HUP, &["ended by SIGSEGV"]),
    (Signal::ABORT, &["ended by SIGABRT"]),
    (Signal::KILL, &["ended by SIGKILL"]),
    // It hangs.
    (Signal::STOP, &[SILENT]),
    (Signal::HUP, &["ended by SIGSEGV"]),
    // It loops.
    (Signal::USR1, &[SILENT]),
    (Signal::KILL, &["ended by SIGKILL"]),
    // It takes 4 GB of memory, which takes some time.
    (Signal::USR2, &["it said: memory allocation of 67108864 bytes failed", SILENT]),
];
const SILENT: &str = "gave no sign of life within 1s";
/// How many there are, unless `CRASHES` says otherwise.
const FEW: u64 = 8;
const AT_ONCE: usize = 3;

/// What this process has: others that come from it, dead or alive, open files and sockets, and files
/// that lie where temporary ones do.
#[derive(Debug, PartialEq, Eq)]
struct Possessions {
    processes: BTreeSet<String>,
    files: usize,
    temporary: BTreeSet<String>,
}

impl Possessions {
    fn now() -> Self {
        let processes = entries("/proc").into_iter().filter(|process| is_ours(process)).collect();
        let temporary = entries(env::temp_dir()).into_iter().chain(entries("/dev/shm"));
        // Others write there, too. What GStreamer and Orc make is called so.
        let is_of_one = |name: &String| ["gst", "orc"].iter().any(|of| name.contains(of));
        let files = entries("/proc/self/fd").len();
        Self { processes, files, temporary: temporary.filter(is_of_one).collect() }
    }
}

fn entries(folder: impl AsRef<Path>) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Whether it comes from this process, through whichever others.
fn is_ours(process: &str) -> bool {
    let (this, mut process) = (std::process::id().to_string(), process.to_owned());
    while let Some(parent) = parent(&process) {
        if parent == this {
            return true;
        }
        process = parent;
    }
    false
}

fn parent(process: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, which is in brackets, may have spaces in it.
    let (_, after_name) = status.rsplit_once(')')?;
    after_name.split_whitespace().nth(1).map(str::to_owned)
}

/// A user's process crashes while their video comes.
async fn crash(started: &Started, number: u64) {
    let (sender, mut answered) = started.meet(&format!("eve {number}"), Codec::Vp8).await;
    let (signal, said) = CRASHES[usize::try_from(number).unwrap() % CRASHES.len()];
    send_signal(started.pid(&answered), signal);
    let cause = gone(&mut answered).await;
    let is_said = said.iter().any(|said| cause.to_string().ends_with(said));
    assert!(cause.is_blamed() && is_said, "{signal:?}: {cause}");
    sender.vanish().await;
}

async fn crashes(started: Arc<Started>, numbers: std::ops::Range<u64>) {
    let mut crashing = JoinSet::new();
    for number in numbers {
        if crashing.len() == AT_ONCE {
            crashing.join_next().await.unwrap().unwrap();
        }
        let started = Arc::clone(&started);
        crashing.spawn(async move { crash(&started, number).await });
    }
    while let Some(crashed) = crashing.join_next().await {
        crashed.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "what was found is for whoever started it for longer")]
async fn crashes_one_after_the_other_leave_nothing_behind_and_disturb_nobody() {
    let short = Duration::from_secs(1);
    let patience = Patience { pong: short, stopped: short, ..Patience::default() };
    let ping_every = Duration::from_millis(200);
    let started = Arc::new(Started::faulty(Config { patience, ping_every, ..config() }));
    let (sender, mut ada) = started.meet("ada", Codec::Vp8).await;
    // What is made once is there.
    crashes(Arc::clone(&started), 0..1).await;
    let before = Possessions::now();
    let most = setting("CRASHES").unwrap_or(FEW);
    let crashing = tokio::spawn(crashes(Arc::clone(&started), 1..most + 1));
    let longest = is_served_until(&mut ada, || crashing.is_finished()).await;
    crashing.await.unwrap();
    println!("after {most} crashes; the longest wait for a picture was {longest:?}");
    assert!(longest < Duration::from_secs(2), "{longest:?}");
    assert_eq!(Possessions::now(), before);
    let figures = started.processes.figures();
    assert_eq!((figures.ended.values().sum::<u64>(), figures.processes), (most + 1, 1));
    sender.vanish().await;
    soon(started.processes.shut_down()).await;
}
