use std::{path::PathBuf, time::Duration};

use live_vlm_media_processes::{
    Cause, Config, MediaProcesses, OfferAnswered, OfferFailure, OfferOptions, Outcome, Owner,
    PeerEvent, Turns,
    deadlines::Patience,
    launcher::{Executable, Forking, Program},
    placement::{Bounds, ProcessNumber},
};
use tokio::time::timeout;

/// No test waits longer for anything.
const LONGEST: Duration = Duration::from_secs(9);

/// What ends a process that does nothing is waited for this long, so that tests are quick.
pub(crate) const SHORT: Duration = Duration::from_secs(1);

/// As a server has it, but for times that tests would wait for.
pub(crate) fn config() -> Config {
    let patience = Patience {
        pong: SHORT,
        answer: SHORT,
        question: SHORT,
        stopped: SHORT,
        ..Patience::default()
    };
    Config {
        patience,
        ping_every: Duration::from_millis(200),
        keep_empty: Duration::from_millis(50),
        keeps_spare: false,
        ..Config::new(Bounds { wanted: 8, most: 16, connections: 8 })
    }
}

fn program(arguments: &[&str]) -> Program {
    Program {
        path: PathBuf::from(env!("CARGO_BIN_EXE_fake-media-process")),
        arguments: arguments.iter().map(Into::into).collect(),
        environment: vec![("GST_DEBUG".into(), "2".into())],
    }
}

pub(crate) fn fake(arguments: &[&str]) -> Executable {
    Executable(program(arguments))
}

pub(crate) fn fakes(config: Config) -> MediaProcesses {
    MediaProcesses::new(config, fake(&[]))
}

pub(crate) fn forked(config: Config) -> MediaProcesses {
    MediaProcesses::new(config, Forking::new(program(&["zygote"])))
}

/// Each way to start processes that has processes.
pub(crate) const STARTED: [fn(Config) -> MediaProcesses; 2] = [fakes, forked];

/// Has an offer of this user answered, who does with it what it says.
pub(crate) async fn offer(
    processes: &MediaProcesses,
    user: &str,
    sdp: &str,
) -> Result<OfferAnswered, OfferFailure> {
    let options = OfferOptions { session: user.into(), ..OfferOptions::default() };
    soon(processes.offer(&Owner::signed_in(user), sdp, &options)).await
}

/// What comes of this, which must not take long.
pub(crate) async fn soon<T>(of: impl Future<Output = T>) -> T {
    timeout(LONGEST, of).await.expect("it takes too long")
}

/// Has a question asked.
pub(crate) async fn ask(turns: &mut Turns) {
    let mut want = soon(turns.want()).await.expect("a connection that goes on");
    let question = soon(want.turn()).await.expect("something to ask about");
    assert_eq!(question.pictures[0].jpeg, "a picture");
    want.end(Outcome::Done);
}

/// Waits until the process has ended, and says why.
pub(crate) async fn gone(answered: &mut OfferAnswered) -> Cause {
    loop {
        match soon(answered.events.next()).await {
            Some(PeerEvent::Gone(cause)) => return Cause::clone(&cause),
            Some(_) => {}
            None => panic!("the connection ended, and not by its process"),
        }
    }
}

/// Whatever was done, this one goes on in its process, and nothing was told of it.
pub(crate) async fn is_undisturbed(answered: &mut OfferAnswered, process: ProcessNumber) {
    assert_eq!(answered.peer.process(), process);
    ask(&mut answered.turns).await;
    for expected in [PeerEvent::Connected, PeerEvent::FirstFrame] {
        assert_eq!(soon(answered.events.next()).await, Some(expected));
    }
    let next = timeout(Duration::from_millis(1), answered.events.next()).await;
    assert!(next.is_err(), "{next:?}");
}
