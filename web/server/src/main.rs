//! The program `live-vlm`.

use std::{
    io::{IsTerminal, Write, stderr, stdout},
    process::ExitCode,
    time::{Duration, SystemTime},
};

use live_vlm::{
    config::{Cli, Command, Config, ConfigCommand, Options},
    log,
    run::Server,
};
use live_vlm_access::sign_in::KeysCommand;
use live_vlm_config::LogFilter;
use live_vlm_observe::usage::{self, UsageCommand};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, filter_fn},
    layer::SubscriberExt,
    reload,
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
    let cli = Cli::of_process();
    match cli.command {
        Some(Command::DemoVlm(options)) => {
            let log = Config::log_without_file(&cli.serve);
            match begin(&log) {
                Ok((signals, _)) => demo_vlm(options, signals).await,
                Err(error) => fail(&error),
            }
        }
        Some(Command::Config(ConfigCommand::Check(options))) => check(&options),
        Some(Command::Usage(command)) => print(show_usage(&command)),
        Some(Command::Keys(command)) => print(keys(&command)),
        None => match serve(cli.serve).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        },
    }
}

fn begin(log: &log::Options) -> Result<(StopSignals, SetLog), String> {
    let set_log = start_logging(log)?;
    let signals =
        StopSignals::new().map_err(|error| format!("cannot listen for signals: {error}"))?;
    Ok((signals, set_log))
}

async fn serve(options: Options) -> Result<(), String> {
    let config = Config::load(&options).map_err(|error| error.to_string())?;
    let (signals, set_log) = begin(&config.log)?;
    let hang_up = signal(SignalKind::hangup())
        .map_err(|error| format!("cannot listen for signals: {error}"))?;
    let server = Server::prepare(&config).await.map_err(|error| error.to_string())?;
    // Whoever pipes it away does not need to read it.
    let _ = stdout().write_all(server.summary().as_bytes());
    let reloader = server.reloader(options, config);
    let media = server.media().clone();
    let set_log = move |filter: &LogFilter| {
        media.set_log(filter.text());
        set_log(filter)
    };
    let reloading = tokio::spawn(reloader.run(hang_up, set_log));
    server.serve(signals.stop()).await;
    reloading.abort();
    Ok(())
}

/// Says what is in force, or everything that is wrong.
fn check(options: &Options) -> ExitCode {
    match Config::load(options) {
        Ok(config) => {
            let file = config.file.as_ref().map(|file| format!(" {}", file.display()));
            let file = file.unwrap_or_else(|| " (no file)".to_owned());
            for warning in &config.warnings {
                let _ = writeln!(stderr(), "warning: {warning}");
            }
            let _ = write!(stdout(), "ok:{file}\n\n{}", config.in_force());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn show_usage(command: &UsageCommand) -> Result<String, String> {
    let configured = match &command.usage_db {
        Some(_) => usage::Config::default(),
        None => {
            let file = Config::file(command.config.as_deref());
            file.map_err(|error| error.to_string())?.usage
        }
    };
    command.run(configured).map_err(|error| error.to_string())
}

fn keys(command: &KeysCommand) -> Result<String, String> {
    let configured = match &command.keys_file {
        Some(_) => None,
        None => {
            let file = Config::file(command.config.as_deref());
            file.map_err(|error| error.to_string())?.sign_in.keys_file
        }
    };
    command.run(configured, SystemTime::now()).map_err(|error| error.to_string())
}

async fn demo_vlm(options: demo_vlm::Options, signals: StopSignals) -> ExitCode {
    let listener = match options.bind().await {
        Ok(listener) => listener,
        Err(error) => {
            let (host, port) = (&options.host, options.port);
            return fail(&format!(
                "cannot listen on {host}:{port}: {error}; choose another --port"
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

/// Changes what is logged.
type SetLog = Box<dyn Fn(&LogFilter) -> Result<(), String> + Send>;

fn start_logging(log: &log::Options) -> Result<SetLog, String> {
    let read = |filter: &LogFilter| log::filter(filter).map_err(|error| error.to_string());
    let (filter, handle) = reload::Layer::new(read(&log.level)?);
    // Nobody can be told that nobody can be told.
    let logs = tracing_subscriber::fmt::layer().with_writer(stderr).log_internal_errors(false);
    // At its lower levels tungstenite writes out whole messages, and with them people's keys.
    let no_messages = filter_fn(|record| {
        *record.level() <= LevelFilter::WARN || !record.target().starts_with("tungstenite")
    });
    let logs = match log.format {
        log::Format::Text => logs.with_ansi(stderr().is_terminal()).boxed(),
        log::Format::Json => logs.json().boxed(),
    };
    tracing_subscriber::registry().with(filter).with(no_messages).with(logs).init();
    Ok(Box::new(move |filter| handle.reload(read(filter)?).map_err(|error| error.to_string())))
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

/// What a command that ends at once has to say.
fn print(said: Result<String, String>) -> ExitCode {
    match said {
        Ok(text) => {
            let _ = stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

fn fail(why: &str) -> ExitCode {
    let _ = writeln!(stderr(), "live-vlm: {why}");
    ExitCode::FAILURE
}
