use std::{collections::BTreeSet, fs, os::fd::AsRawFd, path::Path};

use live_vlm_media_processes::{MediaProcesses, OfferFailure};
use tokio::task::JoinSet;

use super::support::{config, fake, fakes, gone, is_undisturbed, offer, soon};

const CRASHES: [&str; 6] = ["crash", "abort", "kill", "hang", "loop", "memory"];
const AT_ONCE: usize = 6;

/// What this process has: children, dead or alive, open files, and what lies in the folder for
/// temporary ones.
#[derive(Debug, PartialEq, Eq)]
struct Possessions {
    children: BTreeSet<String>,
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
        let children = entries("/proc").into_iter().filter(|process| is_child(process)).collect();
        // Others write there too; what is of media processes has their name.
        let temporary = entries(std::env::temp_dir());
        let temporary = temporary.into_iter().filter(|name| name.contains("media")).collect();
        let [files, threads] = ["fd", "task"].map(|of| entries(format!("/proc/self/{of}")).len());
        Self { children, files, threads, temporary }
    }
}

fn is_child(process: &str) -> bool {
    let parent = std::process::id().to_string();
    let Ok(status) = fs::read_to_string(format!("/proc/{process}/stat")) else { return false };
    // The name, which is in brackets, may have spaces in it.
    let after_name = status.rsplit(')').next().unwrap_or_default();
    after_name.split_whitespace().nth(1) == Some(&parent)
}

async fn crash(processes: MediaProcesses, number: usize) {
    let user = format!("eve {number}");
    match offer(&processes, &user, CRASHES[number % CRASHES.len()]).await {
        Ok(mut answered) => assert!(gone(&mut answered).await.is_blamed()),
        Err(OfferFailure::Gone(cause)) => assert!(cause.is_blamed()),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_hundred_crashes_leave_no_process_file_or_socket_and_disturb_nobody() {
    let processes = fakes(config());
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
    assert_eq!(Possessions::now().children, BTreeSet::new());
}

#[tokio::test]
async fn a_process_inherits_its_link_and_its_log_and_nothing_else() {
    let secret = fs::File::open("/proc/self/status").unwrap();
    // As C libraries leave files: open for whatever is started.
    // SAFETY: it takes a number only.
    let copy = unsafe { libc::dup(secret.as_raw_fd()) };
    assert!(copy > 3);
    let mut launcher = fake(&["an argument"]);
    launcher.environment = vec![("GST_DEBUG".into(), "2".into())];
    let processes = MediaProcesses::new(config(), launcher);
    let inspected = offer(&processes, "ada", "inspect").await.unwrap().sdp;
    let expected = "files [\"0\", \"1\", \"2\", \"3\"] environment [\"GST_DEBUG=2\"] arguments \
                    [\"an argument\"]";
    assert_eq!(inspected, expected);
}
