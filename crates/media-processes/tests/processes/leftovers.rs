use std::{collections::BTreeSet, fs, os::fd::AsRawFd, path::Path};

use live_vlm_media_processes::{Config, MediaProcesses, OfferFailure};
use tokio::task::JoinSet;

use super::support::{STARTED, config, fakes, forked, gone, is_undisturbed, offer, soon};

/// Those that are waited for are fewer.
const CRASHES: [&str; 10] =
    ["crash", "abort", "kill", "memory", "hang", "crash", "abort", "kill", "memory", "loop"];
const AT_ONCE: usize = 6;

/// What this process has: others that it started, dead or alive, open files, and what lies in the folder for
/// temporary ones.
#[derive(Debug, PartialEq, Eq)]
struct Possessions {
    processes: BTreeSet<String>,
    files: usize,
    threads: usize,
    temporary: BTreeSet<String>,
}

fn entries(folder: impl AsRef<Path>) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect()
}

impl Possessions {
    fn now() -> Self {
        let processes = entries("/proc").into_iter().filter(|process| is_ours(process)).collect();
        // Others write there too; what is of media processes has their name.
        let temporary = entries(std::env::temp_dir());
        let temporary = temporary.into_iter().filter(|name| name.contains("media")).collect();
        let [files, threads] = ["fd", "task"].map(|of| entries(format!("/proc/self/{of}")).len());
        Self { processes, files, threads, temporary }
    }
}

/// Whether it comes from this process, through whichever others.
fn is_ours(process: &str) -> bool {
    let this = std::process::id().to_string();
    let mut process = process.to_owned();
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

async fn crash(processes: MediaProcesses, number: usize) {
    let user = format!("eve {number}");
    match offer(&processes, &user, CRASHES[number % CRASHES.len()]).await {
        Ok(mut answered) => assert!(gone(&mut answered).await.is_blamed()),
        Err(OfferFailure::Gone(cause)) => assert!(cause.is_blamed()),
        Err(other) => panic!("{other:?}"),
    }
}

async fn crash_a_hundred_times(processes: MediaProcesses) {
    let mut ada = offer(&processes, "ada", "one").await.unwrap();
    let before = Possessions::now();
    let mut crashing = JoinSet::new();
    for number in 0..100 {
        if crashing.len() == AT_ONCE {
            soon(crashing.join_next()).await.unwrap().unwrap();
        }
        crashing.spawn(crash(processes.clone(), number));
    }
    while let Some(crashed) = soon(crashing.join_next()).await {
        crashed.unwrap();
    }
    assert_eq!(processes.figures().ended.values().sum::<u64>(), 100);
    assert_eq!(Possessions::now(), before);
    let process = ada.peer.process();
    is_undisturbed(&mut ada, process).await;
    soon(processes.shut_down()).await;
}

#[tokio::test]
async fn a_hundred_crashes_leave_no_process_file_or_socket_and_disturb_nobody() {
    crash_a_hundred_times(fakes(config())).await;
    assert_eq!(Possessions::now().processes, BTreeSet::new());
}

#[tokio::test]
async fn a_hundred_crashes_of_forked_processes_leave_nothing_either() {
    crash_a_hundred_times(forked(config())).await;
}

#[tokio::test]
async fn nothing_of_a_process_is_left_when_its_end_is_told() {
    let processes = fakes(config());
    let _ada = offer(&processes, "ada", "one").await.unwrap();
    let before = Possessions::now();
    for crash in ["kill", "abort", "closes", "garbage"] {
        let mut eve = offer(&processes, crash, crash).await.unwrap();
        gone(&mut eve).await;
        assert_eq!(Possessions::now(), before, "{crash}");
    }
}

#[tokio::test]
async fn a_spare_process_that_ends_is_not_taken() {
    let processes = fakes(Config { keeps_spare: true, ..config() });
    let spare = loop {
        // It is being started.
        tokio::task::yield_now().await;
        if let Some(spare) = Possessions::now().processes.pop_first() {
            break spare;
        }
    };
    // SAFETY: it takes numbers only.
    unsafe {
        libc::kill(spare.parse().unwrap(), libc::SIGKILL);
    }
    soon(processes.wait_for(|figures| figures.processes == 0)).await;
    let ada = offer(&processes, "ada", "one").await.unwrap();
    assert_eq!(ada.peer.process().0, 2);
}

#[tokio::test]
async fn a_process_inherits_its_link_and_its_log_and_nothing_else() {
    let secret = fs::File::open("/proc/self/status").unwrap();
    // As C libraries leave files: open for whatever is started.
    // SAFETY: it takes a number only.
    let copy = unsafe { libc::dup(secret.as_raw_fd()) };
    assert!(copy > 3);
    for (start, arguments) in STARTED.into_iter().zip(["[]", "[\"zygote\"]"]) {
        let processes = start(config());
        let inspected = offer(&processes, "ada", "inspect").await.unwrap().sdp;
        let files = "[\"/dev/null\", \"/dev/null\", \"pipe\", \"socket\"]";
        let expected = format!("files {files} environment [\"GST_DEBUG=2\"] arguments {arguments}");
        assert_eq!(inspected, expected);
    }
}
