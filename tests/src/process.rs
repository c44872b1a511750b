//! The program as a child process, where signals, logs or exit codes matter.

use std::{
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
};

use crate::{client::Client, within};

/// The program, its output so far, and a home of its own. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: Output,
    stderr: Output,
    readers: Vec<JoinHandle<()>>,
    home: Arc<TempDir>,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// All that it wrote to its standard output.
    pub stdout: String,
    /// All that it wrote to its standard error.
    pub stderr: String,
}

/// A folder for the program's configuration, which several runs can share.
///
/// # Panics
/// When there is no room for one.
pub fn home() -> Arc<TempDir> {
    match tempfile::tempdir() {
        Ok(home) => Arc::new(home),
        Err(error) => panic!("no temporary folder: {error}"),
    }
}

impl Process {
    /// Starts `program` (`env!("CARGO_BIN_EXE_live-vlm-under-test")`) with these arguments and no
    /// others: what the environment says to a server of the developer's does not count.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(program: &str, arguments: &[&str]) -> Self {
        Self::start_at(&home(), program, arguments, &[])
    }

    /// As [`start`](Self::start), with a configuration folder and further environment.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_at(
        home: &Arc<TempDir>,
        program: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if name_text.starts_with("LIVE_VLM_") || name_text.starts_with("OTEL_") {
                command.env_remove(name);
            }
        }
        command
            .args(arguments)
            .env("XDG_CONFIG_HOME", home.path())
            .env("XDG_STATE_HOME", home.path().join("state"))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("{program} does not start: {error}"),
        };
        let (stdout, stderr) = (Output::default(), Output::default());
        let readers = child
            .stdout
            .take()
            .map(|pipe| stdout.follow(pipe))
            .into_iter()
            .chain(child.stderr.take().map(|pipe| stderr.follow(pipe)))
            .collect();
        Self { child, stdout, stderr, readers, home: Arc::clone(home) }
    }

    /// The address with this scheme that the program says it is open at.
    ///
    /// # Panics
    /// When it says none.
    pub async fn address(&self, scheme: &str) -> String {
        // "Open:" or "Here:", whichever is said.
        let line = self.stdout.line_with(":    http").await;
        let address = line.split("://").nth(1).unwrap_or_else(|| panic!("no address: {line}"));
        // A key may follow.
        let address = address.trim().split('/').next().unwrap_or_default();
        format!("{scheme}://{address}")
    }

    /// The key in the address that the program says it is open at, if there is one.
    ///
    /// # Panics
    /// When it says no address.
    pub async fn key(&self) -> Option<String> {
        let line = self.stdout.line_with(":    http").await;
        line.split_once("/#key=").map(|(_, key)| key.trim().to_owned())
    }

    /// A browser that has opened the page by plain HTTP.
    ///
    /// # Panics
    /// When the program does not serve.
    pub async fn browser(&self) -> Client {
        Client::browser(&self.address("http").await).await
    }

    /// Waits for a line of the log with this text.
    ///
    /// # Panics
    /// When there is none in time.
    pub async fn logged(&self, text: &str) -> String {
        self.stderr.line_with(text).await
    }

    /// All of its log so far.
    pub fn log(&self) -> String {
        self.stderr.text()
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it has ended already.
    pub fn id(&self) -> u32 {
        match self.child.id() {
            Some(id) => id,
            None => panic!("the program has ended already"),
        }
    }

    /// How many threads and open files it has.
    ///
    /// # Panics
    /// When it has ended already.
    pub fn threads_and_files(&self) -> (usize, usize) {
        let count = |what: &str| {
            let path = format!("/proc/{}/{what}", self.id());
            std::fs::read_dir(&path).map_or_else(|error| panic!("{path}: {error}"), Iterator::count)
        };
        (count("task"), count("fd"))
    }

    /// The folder for its configuration.
    pub fn home(&self) -> &Arc<TempDir> {
        &self.home
    }

    /// Sends it a signal: `TERM`, `INT`.
    ///
    /// # Panics
    /// When it has ended already.
    pub async fn signal(&self, signal: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(id).status();
        match sent.await {
            Ok(status) if status.success() => {}
            other => panic!("SIG{signal} was not sent: {other:?}"),
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn ended(mut self) -> Ended {
        let status = match within("the program's end", self.child.wait()).await {
            Ok(status) => status,
            Err(error) => panic!("{error}"),
        };
        for reader in self.readers {
            let _ = reader.await;
        }
        Ended { status, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }
}

/// What a pipe gave so far.
#[derive(Debug, Clone, Default)]
struct Output {
    text: Arc<Mutex<String>>,
    grown: Arc<watch::Sender<()>>,
}

impl Output {
    fn follow(&self, pipe: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<()> {
        let output = self.clone();
        tokio::spawn(async move {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).into_owned();
                output.text.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
                output.grown.send_replace(());
                line.clear();
            }
        })
    }

    fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn line_with(&self, wanted: &str) -> String {
        let mut grown = self.grown.subscribe();
        let found = async {
            loop {
                let text = self.text();
                if let Some(line) = text.lines().find(|line| line.contains(wanted)) {
                    return line.to_owned();
                }
                let _ = grown.changed().await;
            }
        };
        match tokio::time::timeout(crate::LIMIT, found).await {
            Ok(line) => line,
            Err(_) => panic!("{wanted:?} is not in the output:\n{}", self.text()),
        }
    }
}
