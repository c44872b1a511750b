use std::{
    env,
    ffi::OsString,
    fs, io,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use live_vlm_media_processes::{
    Cause, Codec, Config, MediaProcesses, NetworkOptions, OfferAnswered, OfferOptions, Outcome,
    Owner, PeerEvent, SamplingSettings, Turns,
    launcher::{Forking, Launched, Launcher, Program},
    placement::{Bounds, ProcessNumber},
};
use live_vlm_sandbox::environment;
use live_vlm_sender::{Sender, SenderError, SenderOptions};
use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything takes on a busy machine; no test waits for it when all is well.
const LIMIT: Duration = Duration::from_secs(20);

/// What comes of this, which must not take long.
pub(crate) async fn soon<T>(of: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, of).await.expect("it takes too long")
}

/// A number from the environment.
pub(crate) fn setting(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// As a server has them, each user in one of their own.
pub(crate) fn config() -> Config {
    let bounds = Bounds { wanted: 8, most: 16, connections: 8 };
    Config { keeps_spare: false, ..Config::new(bounds) }
}

/// Media processes of this program, and what the kernel calls them.
pub(crate) struct Started {
    pub(crate) processes: MediaProcesses,
    numbers: Numbers,
}

/// By their number here.
type Numbers = Arc<Mutex<Vec<(ProcessNumber, u32)>>>;

/// Notes what the kernel calls those that are started.
struct Noting {
    launcher: Forking,
    numbers: Numbers,
}

#[async_trait]
impl Launcher for Noting {
    async fn launch(&self, number: ProcessNumber) -> io::Result<Launched> {
        let launched = self.launcher.launch(number).await?;
        let pid = launched.process.id().expect("a process");
        self.numbers.lock().unwrap().push((number, pid));
        Ok(launched)
    }
}

impl Started {
    pub(crate) fn new(config: Config) -> Self {
        Self::by(config, env::vars_os())
    }

    /// By a process with this environment.
    pub(crate) fn by(
        config: Config,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        Self::of(env!("CARGO_BIN_EXE_live-vlm-media"), config, variables)
    }

    /// Those that misbehave when they get a signal.
    pub(crate) fn faulty(config: Config) -> Self {
        Self::of(env!("CARGO_BIN_EXE_faulty-media-process"), config, env::vars_os())
    }

    fn of(
        path: &str,
        config: Config,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let program = Program {
            path: PathBuf::from(path),
            arguments: vec!["on".into()],
            environment: environment(variables),
        };
        let numbers = Numbers::default();
        let launcher = Noting { launcher: Forking::new(program), numbers: numbers.clone() };
        Self { processes: MediaProcesses::new(config, launcher), numbers }
    }

    /// Has this user's offer answered. Nobody connects.
    pub(crate) async fn answer(&self, user: &str) -> OfferAnswered {
        let (sender, answered) = self.connect(user, SenderOptions::default()).await.unwrap();
        sender.vanish().await;
        answered
    }

    /// Connects a sender of this user, whose frames come.
    pub(crate) async fn meet(&self, user: &str, codec: Codec) -> (Sender, OfferAnswered) {
        let sending = SenderOptions { codec, ..SenderOptions::default() };
        let (sender, mut answered) = self.connect(user, sending).await.unwrap();
        for expected in [PeerEvent::Connected, PeerEvent::FirstFrame] {
            assert_eq!(soon(answered.events.next()).await, Some(expected));
        }
        (sender, answered)
    }

    pub(crate) async fn connect(
        &self,
        user: &str,
        sending: SenderOptions,
    ) -> Result<(Sender, OfferAnswered), SenderError> {
        let options = OfferOptions {
            session: user.into(),
            network: NetworkOptions {
                bind: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                ..NetworkOptions::default()
            },
            settings: SamplingSettings {
                interval: Duration::from_millis(100),
                ..SamplingSettings::default()
            },
            ..OfferOptions::default()
        };
        let mut kept = None;
        let sender = Sender::connect(sending, async |sdp: String| {
            let owner = Owner::signed_in(user);
            let offered = self.processes.offer(&owner, &sdp, &options);
            let answered = soon(offered).await.map_err(|failure| failure.to_string())?;
            let sdp = answered.sdp.clone();
            kept = Some(answered);
            Ok::<_, String>(sdp)
        });
        let sender = sender.await?;
        Ok((sender, kept.expect("it was answered")))
    }

    /// What the kernel calls the process of this connection.
    pub(crate) fn pid(&self, answered: &OfferAnswered) -> u32 {
        let numbers = self.numbers.lock().unwrap();
        let process = answered.peer.process();
        numbers.iter().find(|(number, _)| *number == process).unwrap().1
    }

    /// What the kernel calls their zygote.
    pub(crate) fn zygote(&self) -> u32 {
        let pid = self.numbers.lock().unwrap()[0].1;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        status.lines().find_map(|line| line.strip_prefix("PPid:\t")).unwrap().parse().unwrap()
    }
}

/// Has a question asked, and gives its picture.
pub(crate) async fn picture(turns: &mut Turns) -> Vec<u8> {
    loop {
        let mut want = soon(turns.want()).await.expect("a connection that goes on");
        let question = soon(want.turn()).await;
        want.end(Outcome::Done);
        if let Ok(question) = question {
            return question.pictures[0].jpeg.to_vec();
        }
    }
}

/// Has questions asked until this is so, and gives the longest time between two pictures. Nothing may
/// happen to the connection meanwhile.
pub(crate) async fn is_served_until(
    answered: &mut OfferAnswered,
    is_so: impl Fn() -> bool,
) -> Duration {
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    while !is_so() {
        tokio::select! {
            picture = picture(&mut answered.turns) => drop(picture),
            event = answered.events.next() => panic!("{event:?}"),
        }
        longest = longest.max(last.elapsed());
        last = Instant::now();
    }
    longest
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

pub(crate) fn send_signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), signal).unwrap();
}

/// Whether such a process is there, dead or alive.
pub(crate) fn is_there(pid: u32) -> bool {
    fs::metadata(format!("/proc/{pid}")).is_ok()
}
