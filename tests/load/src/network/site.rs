//! A network with a server, its VLM and a page in it, and what happens to them in one condition.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use live_vlm_network::{Host, Network, Plan, Side, Signal};
use tempfile::TempDir;
use tokio::process::Child;

use super::{
    addresses::{NEW_ADDRESS, OUTER, PAGE_PORT, STUN_PORT},
    browser::Browser,
    conditions::{Condition, Event},
    coturn::{self, Relay},
    figures::{Found, Times, found},
    page::{Page, Visit},
    seen::Seen,
    stun::Stun,
};
use crate::{
    Failure,
    process::{self, Look},
    server::{self, METRICS_TOKEN},
    timecode::now_ms,
    vlm::Vlm,
};

const VLM_LATENCY: Duration = Duration::from_millis(300);
const VLM_SLOTS: usize = 8;
/// What the page asks, and the server does not by itself.
const PROMPT: &str = "What time is it in the picture?";
/// Where the server tells its figures, to its own host.
const METRICS: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 9090);
/// How long a first answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is measured.
pub(crate) struct Task<'a> {
    pub(crate) condition: &'a Condition,
    pub(crate) browser: Browser,
    pub(crate) server: &'a Path,
    pub(crate) script: &'a Path,
    pub(crate) durations: Durations,
    pub(crate) seed: u64,
    /// Where logs are kept.
    pub(crate) logs: Option<&'a Path>,
}

/// How long what takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Durations {
    /// From the first answer until it is measured.
    pub(crate) settle: Duration,
    /// How long a page is measured to which nothing happens.
    pub(crate) window: Duration,
    /// From the first answer until something happens.
    pub(crate) calm: Duration,
    /// How long a page is watched on when answers have come again.
    pub(crate) after: Duration,
}

/// What was found.
pub(crate) struct Outcome {
    pub(crate) found: Found,
    /// Of a core, while it was measured.
    pub(crate) cpu: f64,
    /// What the page said, with the seconds since Play, or since something happened to it.
    pub(crate) said: Vec<(f64, String)>,
    /// Codec, size and path of the video.
    pub(crate) sends: String,
    /// Videos that the server has lost, by reason.
    pub(crate) lost: Vec<String>,
    pub(crate) uncaught: Vec<String>,
}

/// Ends in the order of its fields: the network kills what is left in it, and then the files go.
struct Site {
    page: Page,
    server: Child,
    logs: Logs,
    vlm: Vlm,
    _third: Third,
    network: Network,
    _home: TempDir,
}

/// What is on the third host. Both say to everybody what address they have.
enum Third {
    Stun { _server: Stun },
    Relay(Box<Relay>),
}

/// When it was, what the server had used until then.
type Moment = (u64, Look);

/// Sets everything up, does what the condition says, and takes everything down.
pub(crate) async fn measure(task: &Task<'_>) -> Result<Outcome, Failure> {
    let mut site = Site::new(task).await?;
    let Condition { event, watch, interval, .. } = task.condition;
    let Durations { settle, window, calm, after } = task.durations;
    let played = site.play(task.condition).await?;
    let (begin, end, event_ms, over) = if site.page.seen.answers.is_empty() {
        (played, site.moment()?, None, None)
    } else if let Some(event) = event {
        site.wait(calm).await?;
        let begin = site.moment()?;
        let over = site.meet(event).await?;
        let back = |seen: &Seen| {
            let again = over.and_then(|over| seen.answered_since(over));
            again.is_some_and(|answer| now_ms() > answer.at_ms + after.as_millis() as u64)
        };
        site.page.watch(Instant::now() + *watch, back).await?;
        (begin, site.moment()?, Some(begin.0), over)
    } else {
        site.wait(settle).await?;
        let begin = site.moment()?;
        site.wait(window).await?;
        (begin, site.moment()?, None, None)
    };
    let times = Times { from: begin.0, to: end.0, event: event_ms, over };
    let seen = &site.page.seen;
    let zero = event_ms.or(seen.pressed_ms).unwrap_or(begin.0);
    let since = |at: u64| (at as f64 - zero as f64) / 1000.0;
    let outcome = Outcome {
        found: found(seen, &site.vlm.asked(), PROMPT, *interval, times),
        cpu: (end.1.cpu - begin.1.cpu).as_secs_f64() / ((end.0 - begin.0) as f64 / 1000.0),
        said: seen.said_since(zero).map(|said| (since(said.at_ms), said.line())).collect(),
        sends: seen.sends.clone(),
        lost: site.lost()?,
        uncaught: seen.uncaught.clone(),
    };
    site.page.end().await?;
    Ok(outcome)
}

impl Site {
    async fn new(task: &Task<'_>) -> Result<Self, Failure> {
        let condition = task.condition;
        let home = TempDir::with_prefix("live-vlm-network-")?;
        let plan = Plan { mtu: condition.mtu, access: condition.access.clone(), seed: task.seed };
        let network = Network::new(plan)?;
        let logs = Logs::new(task, home.path())?;
        let third = network.of(Host::Third);
        let third = if let Some(server) = condition.relay {
            let log = logs.file("relay")?;
            Third::Relay(Box::new(coturn::start(third, server, home.path(), log).await?))
        } else {
            let socket = third.run(|| UdpSocket::bind((Host::Third.address(), STUN_PORT)))??;
            Third::Stun { _server: Stun::start(socket)? }
        };
        let listener = network.of(Host::Server).run(|| TcpListener::bind("127.0.0.1:0"))??;
        let vlm = Vlm::start_on(listener, VLM_SLOTS, VLM_LATENCY)?;
        let (server, url) = start(task, &network, &vlm, home.path(), &logs).await?;
        let visit = Visit {
            script: task.script,
            browser: task.browser,
            url: &url,
            prompt: PROMPT,
            trusted: match &third {
                Third::Relay(relay) => Some(&relay.key),
                Third::Stun { .. } => None,
            },
            home: home.path(),
            log: logs.file("page")?,
        };
        let page = Page::open(network.of(Host::Client), visit).await;
        let page = page.map_err(|error| logs.failed("page", &error))?;
        Ok(Self { page, server, logs, vlm, _third: third, network, _home: home })
    }

    /// Makes the line what it is to be, presses Play, and waits for a first answer.
    async fn play(&mut self, condition: &Condition) -> Result<Moment, Failure> {
        for side in [Side::Up, Side::Down] {
            self.network.impair(side, condition.of(side));
        }
        self.network.rule(condition.rules.clone());
        let moment = self.moment()?;
        self.page.play().await?;
        let answered = |seen: &Seen| !seen.answers.is_empty();
        self.page.watch(Instant::now() + PATIENCE, answered).await?;
        Ok(moment)
    }

    async fn wait(&mut self, time: Duration) -> Result<(), Failure> {
        self.page.watch(Instant::now() + time, |_| false).await
    }

    /// Has `event` happen; gives the time from which on answers can come again.
    async fn meet(&mut self, event: &Event) -> Result<Option<u64>, Failure> {
        match event {
            Event::Rules(rules, until) => {
                self.network.rule(rules.clone());
                let Some(until) = until else { return Ok(None) };
                self.wait(*until).await?;
                self.network.rule(Vec::new());
            }
            Event::NewAddress(without) => {
                let old = Host::Client.address();
                if without.is_zero() {
                    self.network.add_address(NEW_ADDRESS)?;
                    self.network.remove_address(old)?;
                } else {
                    self.network.remove_address(old)?;
                    self.wait(*without).await?;
                    self.network.add_address(NEW_ADDRESS)?;
                }
            }
        }
        Ok(Some(now_ms()))
    }

    fn moment(&mut self) -> Result<Moment, Failure> {
        if let Some(status) = self.server.try_wait()? {
            let last = self.logs.last("server").unwrap_or_default();
            return Err(format!("the server has ended, {status}: {last}").into());
        }
        let pid = self.server.id().ok_or("the server has ended")?;
        Ok((now_ms(), process::look(pid)?))
    }

    /// What the server's metrics say of videos that it has lost.
    fn lost(&self) -> Result<Vec<String>, Failure> {
        let text = self.network.of(Host::Server).run(|| {
            let mut stream = TcpStream::connect(METRICS)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            let key = format!("Authorization: Bearer {METRICS_TOKEN}");
            write!(
                stream,
                "GET /metrics HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{key}\r\n\r\n"
            )?;
            let mut text = String::new();
            stream.read_to_string(&mut text)?;
            Ok::<_, std::io::Error>(text)
        })??;
        Ok(lost(&text))
    }
}

fn lost(metrics: &str) -> Vec<String> {
    let lines = metrics.lines().filter_map(|line| {
        let (reason, count) =
            line.strip_prefix("live_vlm_videos_lost_total{reason=\"")?.split_once("\"} ")?;
        Some(format!("{reason} {count}"))
    });
    lines.collect()
}

/// Starts the server on its host: its process, and where others open its page.
async fn start(
    task: &Task<'_>,
    network: &Network,
    vlm: &Vlm,
    home: &Path,
    logs: &Logs,
) -> Result<(Child, String), Failure> {
    let path =
        fs::canonicalize(task.server).map_err(|error| server::absent(task.server, &error))?;
    let mut command = network.of(Host::Server).command(path, Signal::KILL)?;
    server::prepare(&mut command, vlm);
    command
        .args(["--host", "0.0.0.0", "--port", &PAGE_PORT.to_string()])
        .args(["--metrics-listen", &SocketAddr::from(METRICS).to_string()])
        .args(&task.condition.arguments)
        // Its certificate is made there.
        .env("XDG_CONFIG_HOME", home)
        .env("XDG_STATE_HOME", home)
        .env("LIVE_VLM_LOG", "info")
        // What a browser sends before a handshake is complete here, as when its last packets were
        // lost, has GStreamer 1.22 warn that a packet was not read. The peer sends it again.
        .env("G_DEBUG", "fatal-criticals")
        .stderr(logs.file("server")?);
    let mut child = command.spawn()?;
    let told = server::told(&mut child, "Network: ").await;
    let url = told.map_err(|error| logs.failed("server", &error))?;
    let url = match &task.condition.access.nat {
        Some(_) => url.replace(&Host::Server.address().to_string(), &OUTER.to_string()),
        None => url,
    };
    Ok((child, url))
}

/// What the programs say beside.
struct Logs {
    folder: PathBuf,
    name: String,
}

impl Logs {
    fn new(task: &Task<'_>, home: &Path) -> Result<Self, Failure> {
        let folder = task.logs.unwrap_or(home);
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let name = format!("{}-{}", task.condition.name, task.browser);
        Ok(Self { folder: folder.to_owned(), name })
    }

    fn path(&self, of: &str) -> PathBuf {
        self.folder.join(format!("{}-{of}.log", self.name))
    }

    fn file(&self, of: &str) -> Result<File, Failure> {
        let path = self.path(of);
        File::create(&path).map_err(|error| format!("{}: {error}", path.display()).into())
    }

    /// The last lines.
    fn last(&self, of: &str) -> Option<String> {
        const LINES: usize = 5;
        let log = fs::read_to_string(self.path(of)).ok()?;
        let lines: Vec<_> = log.lines().collect();
        Some(lines[lines.len().saturating_sub(LINES)..].join("\n"))
    }

    /// What failed, and what was said of it.
    fn failed(&self, of: &str, error: &Failure) -> Failure {
        match why(&fs::read_to_string(self.path(of)).unwrap_or_default()) {
            Some(why) => format!("{error}: {why}").into(),
            None => error.to_string().into(),
        }
    }
}

/// The last line that tells of an error, or else the last.
fn why(log: &str) -> Option<&str> {
    let told = log.lines().rfind(|line| line.to_lowercase().contains("error"));
    told.or_else(|| log.lines().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_log_the_error_is_told() {
        let node =
            "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'x'\n    at here\n\nNode.js v20\n";
        assert_eq!(why(node), Some("Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'x'"));
        assert_eq!(why("What else\nit says\n"), Some("it says"));
        assert_eq!(why(""), None);
    }

    #[test]
    fn lost_videos_are_read_by_their_reason() {
        let metrics = "# TYPE live_vlm_videos_lost counter\n\
                       live_vlm_videos_lost_total{reason=\"hung_up\"} 2\n\
                       live_vlm_videos_lost_total{reason=\"ice_failed\"} 1\n\
                       live_vlm_sessions 1\n";
        assert_eq!(lost(metrics), ["hung_up 2", "ice_failed 1"]);
    }
}
