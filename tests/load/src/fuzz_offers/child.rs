//! The server as a child, and what it says as it or one of its media processes dies.

use std::{
    collections::{BTreeMap, VecDeque},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child as Process, ChildStderr},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

use crate::{
    Failure,
    process::{self, Look},
    server,
    vlm::Vlm,
};

/// What it wrote last; an abort explains itself in a line or two.
const LAST_LINES: usize = 100;
/// Different complaints that are told apart.
const COMPLAINTS: usize = 50;
/// With what the server's log ends the message that a library ends it with.
const LAST: &str = "; this ends the server";
/// A pipe whose other end is gone is at its end at once, unless somebody inherited it.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A server without limits. It is killed when this is dropped.
pub(super) struct Child {
    process: Process,
    pub(super) address: String,
    said: Arc<Mutex<Said>>,
    /// What media processes died of: the first one that nobody has heard of yet.
    media_deaths: mpsc::Receiver<String>,
    reader: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Said {
    last: VecDeque<String>,
    complaints: BTreeMap<String, usize>,
}

impl Child {
    pub(super) async fn start(path: &Path, vlm: &Vlm) -> Result<Self, Failure> {
        let mut command = server::command(path, vlm);
        // As a user has it: a complaint is no end.
        command.env_remove("G_DEBUG").env("LIVE_VLM_LOG_FORMAT", "json").stderr(Stdio::piped());
        let (mut process, address) = server::listen(command, path).await?;
        let said = Arc::new(Mutex::new(Said::default()));
        let stderr = process.stderr.take().ok_or("the server has no error output")?;
        let (tell, media_deaths) = mpsc::channel(1);
        let reader = tokio::spawn(follow(stderr, said.clone(), tell));
        Ok(Self { process, address, said, media_deaths, reader })
    }

    pub(super) fn look(&self) -> Result<Look, Failure> {
        process::look(self.process.id().ok_or("the server has ended")?)
    }

    /// Waits for its end or a media process's, and says what that died of. May be dropped and called
    /// again.
    pub(super) async fn death(&mut self) -> Result<String, Failure> {
        let status = tokio::select! {
            Some(cause) = self.media_deaths.recv() => return Ok(cause),
            status = self.process.wait() => status?,
        };
        let _ = timeout(LAST_WORDS, &mut self.reader).await;
        Ok(cause(self.said().last.iter(), status))
    }

    /// As [`death`](Self::death), if it comes within this time.
    pub(super) async fn dies_within(&mut self, time: Duration) -> Option<String> {
        timeout(time, self.death()).await.ok()?.ok()
    }

    /// What GLib called critical, and how often.
    pub(super) fn complaints(&self) -> BTreeMap<String, usize> {
        self.said().complaints.clone()
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        lock(&self.said)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn lock(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn follow(stderr: ChildStderr, said: Arc<Mutex<Said>>, media_deaths: mpsc::Sender<String>) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    while stderr.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        if let Some(death) = media_death(&text) {
            // The first one is enough.
            let _ = media_deaths.try_send(death);
        }
        let mut said = lock(&said);
        let room = said.complaints.len() < COMPLAINTS;
        if let Some(complaint) =
            complaint(&text).filter(|complaint| room || said.complaints.contains_key(complaint))
        {
            *said.complaints.entry(complaint).or_default() += 1;
        }
        if said.last.len() == LAST_LINES {
            said.last.pop_front();
        }
        said.last.push_back(text);
    }
}

/// What a media process died of, if this line of the server's log says so.
fn media_death(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let is_fault = line["level"] == "WARN" || line["level"] == "ERROR";
    let (_, after) = line["fields"]["message"].as_str()?.split_once("media process ")?;
    let (_, words) = after.split_once(' ')?;
    let is_end = line["target"].as_str()?.ends_with("::process::ending");
    (is_fault && is_end).then(|| format!("a media process {}", timeless(words)))
}

/// What a library of a media process complains of: its assertions, as GLib writes them.
fn media_complaint(line: &Value) -> Option<String> {
    let (text, from) = (line["fields"]["message"].as_str()?, &line["fields"]["from"]);
    let is_assertion = text.contains("assertion '") && text.ends_with("' failed");
    (line["target"] == "media" && from == "printed" && is_assertion).then(|| timeless(text))
}

/// A line of the server's log about a native library; `None` when it is about anything else.
fn native(line: &str) -> Option<(Value, String)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let text = line["fields"]["message"].as_str()?.trim_end_matches(LAST).to_owned();
    (line["target"] == "native").then_some((line, text))
}

/// What a line that GLib calls critical complains of, without what differs from time to time.
fn complaint(line: &str) -> Option<String> {
    if let Some(complaint) = serde_json::from_str(line).ok().and_then(|line| media_complaint(&line))
    {
        return Some(complaint);
    }
    let Some((line, text)) = native(line) else {
        // As GLib itself writes it.
        let (_, words) = line.split_once("CRITICAL")?;
        return Some(timeless(words.trim_start_matches([' ', '*', ':'])));
    };
    let is_last = line["fields"]["message"].as_str().is_some_and(|text| text.ends_with(LAST));
    (line["level"] == "ERROR" && !is_last).then(|| timeless(&text))
}

/// Without the time that GLib begins with, and without pointers.
fn timeless(words: &str) -> String {
    let words = match words.split_once(": ") {
        Some((time, rest)) if time.starts_with(|c: char| c.is_ascii_digit()) => rest,
        _ => words,
    };
    let without_pointer =
        |word: &str| if word.starts_with("0x") { "0x..".into() } else { word.into() };
    words.split(' ').map(without_pointer).collect::<Vec<String>>().join(" ")
}

/// What a process died of: the last line that says so, or the signal.
fn cause<'a>(lines: impl DoubleEndedIterator<Item = &'a String>, status: ExitStatus) -> String {
    const SIGNS: [&str; 7] = [
        LAST,
        "ERROR:",
        "-ERROR **",
        "assertion failed",
        "panicked at",
        "Assertion `",
        "corrupted",
    ];
    let explains = |line: &&String| SIGNS.iter().any(|sign| line.contains(sign));
    let words = match lines.rev().find(explains) {
        Some(line) => match native(line) {
            Some((_, text)) => timeless(&text),
            None => timeless(line.rsplit_once(" **: ").map_or(line.as_str(), |(_, words)| words)),
        },
        None => "it does not say why".to_owned(),
    };
    match status.signal() {
        Some(signal) => format!("signal {signal}: {words}"),
        None => format!("{status}: {words}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn deaths_of_one_cause_read_alike() {
        let aborted = ExitStatus::from_raw(6);
        let lines =
            |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let said = lines(&[
            "WARN live_vlm: something else",
            "**",
            "ERROR:../ext/webrtc/gstwebrtcbin.c:59:_connect: assertion failed: (stream)",
            "Bail out!",
        ]);
        let expected =
            "signal 6: ERROR:../ext/webrtc/gstwebrtcbin.c:59:_connect: assertion failed: (stream)";
        assert_eq!(cause(said.iter(), aborted), expected);
        let one = lines(&["(a:12): GLib-ERROR **: 08:00:00.123: Creating pipes: Too many"]);
        assert_eq!(cause(one.iter(), aborted), "signal 6: Creating pipes: Too many");
        let logged = json!({"level": "ERROR", "target": "native", "fields": {
            "message": "ERROR:x.c:1:f: assertion failed: (x); this ends the server",
        }});
        let logged = lines(&[&logged.to_string(), "{\"fields\": {\"message\": \"later\"}}"]);
        assert_eq!(cause(logged.iter(), aborted), "signal 6: ERROR:x.c:1:f: assertion failed: (x)");
        assert_eq!(cause([].iter(), aborted), "signal 6: it does not say why");
    }

    #[test]
    fn complaints_are_told_apart_by_their_words() {
        let line =
            "(a:1): GStreamer-CRITICAL **: 07:38:17.807: gst_x: assertion 'x != 0x12ab' failed";
        assert_eq!(complaint(line).unwrap(), "gst_x: assertion 'x != 0x.. failed");
        let line = |level: &str, target: &str, text: &str| {
            json!({"level": level, "target": target, "fields": {"message": text}}).to_string()
        };
        let said = line("ERROR", "native", "gst_x: assertion 'x' failed");
        assert_eq!(complaint(&said).unwrap(), "gst_x: assertion 'x' failed");
        for other in [
            line("WARN", "native", "further lines were left out"),
            line("ERROR", "live_vlm", "a session failed"),
            line("ERROR", "native", "ERROR:x.c:1: assertion failed; this ends the server"),
            "WARN an offer was refused".to_owned(),
        ] {
            assert_eq!(complaint(&other), None, "{other}");
        }
    }

    /// A line of the log as the server writes it.
    fn logged(level: &str, target: &str, fields: &Value) -> String {
        json!({"level": level, "target": target, "fields": fields}).to_string()
    }

    #[test]
    fn deaths_of_media_processes_read_alike_whichever_died() {
        let of = "live_vlm_media_processes::process::ending";
        let died = |number: u32| {
            let message = format!("media process {number} ended by SIGABRT; it said: x at 0x12ab");
            json!({"process": number, "kind": "signal", "message": message})
        };
        let expected = "a media process ended by SIGABRT; it said: x at 0x..";
        assert_eq!(media_death(&logged("WARN", of, &died(1))).unwrap(), expected);
        assert_eq!(media_death(&logged("WARN", of, &died(20))).unwrap(), expected);
        let refused = json!({"message": "refused for ten minutes: two media processes have ended"});
        for other in [
            logged("DEBUG", of, &json!({"message": "media process 1 was not needed any more"})),
            logged("WARN", "media", &died(1)),
            logged("WARN", of, &refused),
            "media process 1 ended by SIGABRT".to_owned(),
        ] {
            assert_eq!(media_death(&other), None, "{other}");
        }
    }

    #[test]
    fn assertions_of_libraries_in_media_processes_are_complaints() {
        let printed = |text: &str| json!({"process": 1, "from": "printed", "message": text});
        let assertion = printed("GStreamer: gst_x: assertion 'x != 0x12ab' failed");
        let said = complaint(&logged("WARN", "media", &assertion)).unwrap();
        assert_eq!(said, "GStreamer: gst_x: assertion 'x != 0x.. failed");
        for other in ["GStreamer: odd", "ERROR:x.c:1:f: assertion failed: (x)"] {
            assert_eq!(complaint(&logged("WARN", "media", &printed(other))), None, "{other}");
        }
    }
}
