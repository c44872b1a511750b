//! How long a media process takes to start, and a picture from one that has it ready to whoever asks
//! for it: without the media, which is another's. `cargo bench -p live-vlm-media-processes`.

#![expect(clippy::print_stdout, reason = "what was measured is for whoever started it")]

use std::time::{Duration, Instant};

use live_vlm_media_processes::{
    Config, MediaProcesses, OfferOptions, Outcome, Owner,
    conduct::Allowance,
    launcher::{Executable, Forking, Program},
    placement::Bounds,
};

const STARTS: usize = 100;
const TURNS: usize = 2000;
/// Bytes of a picture of 640x480, of 1920x1080, and of a clip.
const PICTURES: [usize; 3] = [64_000, 300_000, 4_000_000];

#[tokio::main]
async fn main() {
    println!("| what | p50 | p99 |\n|---|---|---|");
    starts("start of a program, to the answer", MediaProcesses::new(config(), program(&[]))).await;
    let zygote = Forking::new(program(&["zygote"]).0);
    starts("start from a zygote, to the answer", MediaProcesses::new(config(), zygote)).await;
    for bytes in PICTURES {
        turns(bytes).await;
    }
}

fn config() -> Config {
    let bounds = Bounds { wanted: 4 * STARTS, most: 4 * STARTS, connections: 8 };
    // One turn after the other is more than anybody has a reason to send.
    let allowance = Allowance { messages_a_second: 1_000_000, ..Allowance::default() };
    Config { keeps_spare: false, allowance, ..Config::new(bounds) }
}

fn program(arguments: &[&str]) -> Executable {
    Executable(Program {
        path: env!("CARGO_BIN_EXE_fake-media-process").into(),
        arguments: arguments.iter().map(Into::into).collect(),
        environment: Vec::new(),
    })
}

async fn starts(what: &str, processes: MediaProcesses) {
    let mut times = Vec::new();
    for start in 0..=STARTS {
        let (owner, began) = (Owner::signed_in(&start.to_string()), Instant::now());
        let options = OfferOptions::default();
        let answered = processes.offer(&owner, "one", &options).await.expect("an answer");
        // The first one starts the zygote, too.
        if start > 0 {
            times.push(began.elapsed());
        }
        answered.peer.stop().await;
    }
    processes.shut_down().await;
    tell(what, times);
}

async fn turns(bytes: usize) {
    let processes = MediaProcesses::new(config(), program(&[]));
    let (owner, options) = (Owner::signed_in("ada"), OfferOptions::default());
    let sdp = format!("pictures of {bytes}");
    let mut answered = processes.offer(&owner, &sdp, &options).await.expect("an answer");
    let mut times = Vec::new();
    for _ in 0..TURNS {
        let mut want = answered.turns.want().await.expect("a want");
        let began = Instant::now();
        let question = want.turn().await.expect("a question");
        times.push(began.elapsed());
        assert_eq!(question.pictures[0].jpeg.len(), bytes);
        want.end(Outcome::Done);
    }
    processes.shut_down().await;
    tell(&format!("turn, to the picture of {} kB", bytes / 1000), times);
}

fn tell(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let [half, most] = [50, 99].map(|percent| times[times.len() * percent / 100]);
    println!("| {what} | {half:.1?} | {most:.1?} |");
}
