//! The product's own page in a browser of its own, driven by `tests/browser/load/network.mjs`.

use std::{
    fs::File,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use live_vlm_network::{Namespace, Signal};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
    time::{timeout, timeout_at},
};

use super::{browser::Browser, seen::Seen};
use crate::Failure;

/// For a browser to start and to load the page.
const START: Duration = Duration::from_secs(60);
/// For it to end; it is killed then.
const END: Duration = Duration::from_secs(10);

/// What a page is opened with.
pub(crate) struct Visit<'a> {
    pub(crate) script: &'a Path,
    pub(crate) browser: Browser,
    pub(crate) url: &'a str,
    pub(crate) prompt: &'a str,
    /// The key of a certificate that the browser is to trust; Chromium alone can.
    pub(crate) trusted: Option<&'a str>,
    /// For the files of the browser.
    pub(crate) home: &'a Path,
    pub(crate) log: File,
}

/// A page. Its browser ends with it, or else with its namespace.
pub(crate) struct Page {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    pub(crate) seen: Seen,
}

impl Page {
    /// Opens it, has it ask by the prompt, and waits until it is ready.
    pub(crate) async fn open(namespace: &Namespace, visit: Visit<'_>) -> Result<Self, Failure> {
        // It ends its browser when it is told to end.
        let mut command = namespace.command("node", Signal::TERM)?;
        command
            .arg(visit.script)
            .args(["--url", visit.url, "--prompt", visit.prompt])
            .args(visit.browser.arguments())
            .args(visit.trusted.map(|key| format!("--trusted={key}")))
            .env("TMPDIR", visit.home)
            .env("HOME", visit.home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(visit.log)
            .kill_on_drop(true);
        let child = command.spawn();
        let mut child = child.map_err(|error| format!("node: {error}"))?;
        let stdin = child.stdin.take().ok_or("the page takes no orders")?;
        let stdout = child.stdout.take().ok_or("the page tells nothing")?;
        let lines = BufReader::new(stdout).lines();
        let mut page = Self { child, stdin, lines, seen: Seen::default() };
        let ready = async {
            loop {
                if page.next().await?["event"] == "ready" {
                    return Ok::<_, Failure>(());
                }
            }
        };
        timeout(START, ready).await.map_err(|_| "the page was not ready in time")??;
        Ok(page)
    }

    /// Presses Play.
    pub(crate) async fn play(&mut self) -> Result<(), Failure> {
        self.tell("play\n").await
    }

    /// Reads what it tells until `enough` says so, or else until then.
    pub(crate) async fn watch(
        &mut self,
        until: Instant,
        mut enough: impl FnMut(&Seen) -> bool,
    ) -> Result<(), Failure> {
        while !enough(&self.seen) {
            let Ok(told) = timeout_at(until.into(), self.next()).await else { break };
            self.seen.add(&told?);
        }
        Ok(())
    }

    /// Closes page and browser.
    pub(crate) async fn end(mut self) -> Result<(), Failure> {
        self.tell("end\n").await?;
        // What it still has to say is read, or it would wait with it.
        let rest = async { while let Ok(Some(_)) = self.lines.next_line().await {} };
        // Whoever is late ends with the namespace.
        let _ = timeout(END, async { tokio::join!(rest, self.child.wait()) }).await;
        Ok(())
    }

    async fn tell(&mut self, what: &str) -> Result<(), Failure> {
        let told = self.stdin.write_all(what.as_bytes()).await;
        told.map_err(|error| format!("the page takes no orders any more: {error}").into())
    }

    async fn next(&mut self) -> Result<Value, Failure> {
        let line = self
            .lines
            .next_line()
            .await?
            .ok_or("the page ended by itself (./test.sh installs what it needs)")?;
        let told: Value = serde_json::from_str(&line)
            .map_err(|error| format!("the page said {line:?}: {error}"))?;
        if told["event"] == "failed" {
            let why = told["message"].as_str().unwrap_or_default();
            return Err(format!("the page failed: {why}").into());
        }
        Ok(told)
    }
}
