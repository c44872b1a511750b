use std::time::Duration;

use live_vlm_media_processes::{MediaProcesses, Usage, launcher::InProcess};
use tokio::time::sleep;

use super::support::{STARTED, config, gone, offer, soon};

/// Waits until so much CPU time was used.
async fn used(processes: &MediaProcesses, cpu: Duration) {
    while processes.usage().cpu < cpu {
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_processes_use_counts_while_they_run_and_their_time_when_they_have_ended() {
    for start in STARTED {
        let processes = start(config());
        assert_eq!(processes.usage(), Usage::default());
        let _ada = offer(&processes, "ada", "one").await.unwrap();
        let quiet = processes.usage();
        assert!(quiet.resident > 100_000 && quiet.threads > 0, "{quiet:?}");
        let mut eve = offer(&processes, "eve", "loop").await.unwrap();
        soon(used(&processes, quiet.cpu + Duration::from_millis(100))).await;
        let busy = processes.usage();
        gone(&mut eve).await;
        let after = processes.usage();
        assert!(busy.threads > quiet.threads && busy.resident > quiet.resident, "{busy:?}");
        assert!(after.cpu >= busy.cpu && after.threads < busy.threads, "{busy:?} {after:?}");
    }
}

#[tokio::test]
async fn tasks_of_this_process_are_not_counted_as_others() {
    let processes = MediaProcesses::new(config(), InProcess::new(|_| async {}));
    let _ = offer(&processes, "ada", "one").await;
    assert_eq!(processes.usage(), Usage::default());
}
