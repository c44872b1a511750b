use std::{collections::HashMap, fs, path::PathBuf};

use live_vlm_media_processes::Codec;

use super::support::{Started, config, picture};

/// What the kernel says of each thread of a process.
fn threads(pid: u32) -> Vec<HashMap<String, String>> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let status = |path: PathBuf| {
        // It may have ended meanwhile.
        let text = fs::read_to_string(path.join("status")).ok()?;
        let lines = text.lines().filter_map(|line| line.split_once(":\t"));
        Some(lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    };
    threads.filter_map(|thread| status(thread.ok()?.path())).collect()
}

#[tokio::test]
async fn every_thread_of_a_media_process_is_in_the_sandbox() {
    let started = Started::new(config());
    let (sender, mut answered) = started.meet("ada", Codec::Vp8).await;
    picture(&mut answered.turns).await;
    let threads = threads(started.pid(&answered));
    assert!(threads.len() > 5, "{}", threads.len());
    for thread in threads {
        let is = |name: &str| thread.get(name).map_or("", |value| value.trim());
        assert_eq!((is("Seccomp"), is("NoNewPrivs")), ("2", "1"), "{thread:?}");
        assert_eq!(u64::from_str_radix(is("CapEff"), 16), Ok(0), "{thread:?}");
        assert!(!is("Uid").starts_with("0\t"), "{thread:?}");
    }
    sender.vanish().await;
}
