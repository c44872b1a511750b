//! Questions to a VLM server that closes idle connections: is one lost when its goodbye and the
//! question pass each other?

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use clap::Args;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::{
    Failure, Report, Tool,
    spec::{millis, seconds, time},
    viewer::{Browser, Viewer, Wish},
    vlm::Vlm,
};

const BUFFER: usize = 64 << 10;

#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// Seconds between two questions
    #[arg(long, default_value_t = 1.0)]
    pub(crate) interval: f64,
    /// Seconds after which the VLM closes a connection
    #[arg(long, default_value = "1.0", value_parser = time)]
    pub(crate) idle: Duration,
    /// Milliseconds until the server hears of that: a question that it sends meanwhile is lost
    #[arg(long, default_value = "100", value_parser = millis)]
    pub(crate) delay: Duration,
    /// Milliseconds that the VLM takes for an answer
    #[arg(long, value_name = "LATENCY", default_value = "10", value_parser = millis)]
    pub(crate) latency: Duration,
    /// How long to ask, in seconds
    #[arg(long = "seconds", value_name = "SECONDS", default_value = "600", value_parser = seconds)]
    pub(crate) window: Duration,
}

/// Connections before the VLM's, which are closed when they are idle. Ends with the process.
struct Closing {
    address: SocketAddr,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    opened: AtomicUsize,
    closed: AtomicUsize,
    /// Of those, how many met a question on the way.
    crossed: AtomicUsize,
}

impl Closing {
    async fn start(vlm: SocketAddr, idle: Duration, delay: Duration) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let counts = Arc::<Counts>::default();
        let own = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let counts = Arc::clone(&own);
                counts.opened.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    if !relay(&mut client, vlm, idle).await.unwrap_or(false) {
                        return;
                    }
                    counts.closed.fetch_add(1, Ordering::Relaxed);
                    // What comes now reaches nobody any more.
                    let crossed = timeout(delay, client.read(&mut [0; 1])).await;
                    if matches!(crossed, Ok(Ok(1))) {
                        counts.crossed.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Ok(Self { address, counts })
    }
}

/// Passes bytes on in both directions; true if the connection was idle for too long.
async fn relay(client: &mut TcpStream, vlm: SocketAddr, idle: Duration) -> std::io::Result<bool> {
    let mut vlm = TcpStream::connect(vlm).await?;
    let (mut asked, mut answered) = (vec![0; BUFFER], vec![0; BUFFER]);
    loop {
        let passed = async {
            tokio::select! {
                read = client.read(&mut asked) => {
                    let read = read?;
                    vlm.write_all(&asked[..read]).await?;
                    Ok::<usize, std::io::Error>(read)
                }
                read = vlm.read(&mut answered) => {
                    let read = read?;
                    client.write_all(&answered[..read]).await?;
                    Ok(read)
                }
            }
        };
        match timeout(idle, passed).await {
            Ok(Ok(0)) => return Ok(false),
            Ok(passed) => passed?,
            Err(_) => return Ok(true),
        };
    }
}

pub(crate) async fn measure(tool: &Tool, plan: &Plan) -> Result<Report, Failure> {
    if plan.latency >= plan.idle {
        return Err("an answer must come before the connection is idle for too long".into());
    }
    let mut vlm = Vlm::start(1, plan.latency).await?;
    let closing = Closing::start(vlm.address()?, plan.idle, plan.delay).await?;
    vlm.base = format!("http://{}/v1", closing.address);
    let server = tool.serve(&vlm).await?;
    let wish = Wish { interval: plan.interval, ..Wish::default() };
    let browser = Browser::visit(tool, &server.address).await?;
    let mut viewer = Viewer::connect(&browser, &tool.video, &wish).await?;
    viewer.answer().await?;
    sleep(plan.window).await;
    let answers = viewer.take_answers().len();
    let (errors, last) = viewer.trouble();
    viewer.hang_up().await;
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let Counts { opened, closed, crossed } = &*closing.counts;
    let (opened, closed, crossed) = (count(opened), count(closed), count(crossed));
    if errors > 0 {
        let last = last.unwrap_or_default();
        return Err(format!("{errors} errors beside {answers} answers, the last: {last}").into());
    }
    let text = format!(
        "idle: a question every {interval} s for {seconds:.0} s, VLM of {latency} ms that closes \
         connections after {idle} s, {delay} ms away\n\
         answers               {answers}; no error was told\n\
         connections           {opened} opened, {closed} closed by the VLM, of which {crossed} met \
         a question on the way\n",
        interval = plan.interval,
        seconds = plan.window.as_secs_f64(),
        latency = plan.latency.as_millis(),
        idle = plan.idle.as_secs_f64(),
        delay = plan.delay.as_millis(),
    );
    let figures = json!({
        "answers": answers,
        "errors": errors,
        "connections_opened": opened,
        "connections_closed_by_vlm": closed,
        "closed_while_a_question_came": crossed,
    });
    Ok(Report { text, figures })
}
