//! The program `live-vlm`.

use std::{
    io::{IsTerminal, Write, stderr, stdout},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use live_vlm::{
    config::{Cli, Command, LogFormat},
    run::Server,
    usage::UsageTable,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::{
    EnvFilter,
    filter::{LevelFilter, filter_fn},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

fn main() -> ExitCode {
    live_vlm::memory::keep_flat();
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let code = runtime.block_on(run());
            // A look-up of a name may hang; nobody waits for it any more.
            runtime.shutdown_timeout(Duration::from_millis(200));
            code
        }
        Err(error) => fail(&format!("cannot start threads: {error}")),
    }
}

async fn run() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = start_logging(&cli.serve.log, cli.serve.log_format) {
        return fail(&format!("--log {:?}: {error}", cli.serve.log));
    }
    let signals = match StopSignals::new() {
        Ok(signals) => signals,
        Err(error) => return fail(&format!("cannot listen for signals: {error}")),
    };
    match cli.command {
        Some(Command::DemoVlm(options)) => demo_vlm(options, signals).await,
        Some(Command::Usage(command)) => match command.run(&UsageTable::default()) {
            Ok(text) => {
                let _ = stdout().write_all(text.as_bytes());
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error.to_string()),
        },
        None => match Server::prepare(&cli.serve).await {
            Ok(server) => {
                // Whoever pipes it away does not need to read it.
                let _ = stdout().write_all(server.summary().as_bytes());
                server.serve(signals.stop()).await;
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error.to_string()),
        },
    }
}

async fn demo_vlm(options: demo_vlm::Options, signals: StopSignals) -> ExitCode {
    let listener = match options.bind().await {
        Ok(listener) => listener,
        Err(error) => {
            let at = (&options.host, options.port);
            return fail(&format!(
                "cannot listen on {}:{}: {error}; choose another --port",
                at.0, at.1
            ));
        }
    };
    let address = listener.local_addr().map_or_else(|_| String::new(), |at| at.to_string());
    let _ = writeln!(
        stdout(),
        "\n  demo-vlm, a stand-in for a VLM\n\n  API:     http://{address}/v1\n  Models:  {}, {}\n\n  \
         Stop with Ctrl-C.\n",
        demo_vlm::MODEL,
        demo_vlm::BRIEF_MODEL
    );
    match demo_vlm::serve(listener, options, signals.stop()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn start_logging(filter: &str, format: LogFormat) -> Result<(), String> {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(filter)
        .map_err(|error| error.to_string())?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    // At its lower levels tungstenite writes out whole messages, and with them people's keys.
    let no_messages = filter_fn(|record| {
        *record.level() <= LevelFilter::WARN || !record.target().starts_with("tungstenite")
    });
    match format {
        LogFormat::Text => {
            logs.with_ansi(stderr().is_terminal()).finish().with(no_messages).init();
        }
        LogFormat::Json => logs.json().finish().with(no_messages).init(),
    }
    Ok(())
}

/// SIGTERM and Ctrl-C, heard from the moment this is made.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Waits for the first one. A second one ends the program at once.
    async fn stop(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            std::process::exit(130);
        });
    }
}

fn fail(why: &str) -> ExitCode {
    let _ = writeln!(stderr(), "live-vlm: {why}");
    ExitCode::FAILURE
}
