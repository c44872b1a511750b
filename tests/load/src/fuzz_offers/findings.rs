//! What a run found, and whether that is as it should be.

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf};

use serde_json::{Value, json};

use super::visit::Reply;
use crate::process::{Look, megabytes};

/// Threads that the whole process shares, and that come and go with the work.
pub(super) const POOLED: usize = 3;

/// Deaths of one cause.
#[derive(Debug, Default)]
pub(super) struct Deaths {
    pub(super) count: usize,
    /// Where a case that does it, or those that may have, are kept.
    pub(super) kept: Option<PathBuf>,
    /// What is known of that file.
    pub(super) note: String,
}

#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) cases: u64,
    pub(super) replies: BTreeMap<Reply, usize>,
    pub(super) deaths: BTreeMap<String, Deaths>,
    pub(super) complaints: BTreeMap<String, usize>,
    /// Before the first and after the last case of the server that lived to the end.
    pub(super) looks: Option<(Look, Look)>,
}

impl Findings {
    pub(super) fn add_complaints(&mut self, more: BTreeMap<String, usize>) {
        for (complaint, count) in more {
            *self.complaints.entry(complaint).or_default() += count;
        }
    }

    /// What is wrong, in words; empty when nothing is.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let deaths: usize = self.deaths.values().map(|deaths| deaths.count).sum();
        if deaths > 0 {
            faults.push(format!("the server or a media process died {deaths} times"));
        }
        let complaints: usize = self.complaints.values().sum();
        if complaints > 0 {
            faults.push(format!("GLib called {complaints} things critical"));
        }
        let ours = self.replies.iter().filter(|(reply, _)| match reply {
            Reply::Said(status, _) => *status >= 500,
            Reply::Silence => true,
            // When it died.
            Reply::Gone => deaths == 0,
            Reply::Left => false,
        });
        faults.extend(ours.map(|(reply, count)| format!("{count} offers got \"{reply}\"")));
        let left = |(before, after): &(Look, Look)| {
            after.threads > before.threads + POOLED || after.files > before.files
        };
        if self.looks.as_ref().is_some_and(left) {
            faults.push("threads or files were left behind".to_owned());
        }
        faults
    }

    pub(super) fn text(&self, head: &str) -> String {
        let mut text = format!("{head}\ncases      {}\n", self.cases);
        // Writing to a text cannot fail.
        for (number, (reply, count)) in self.replies.iter().enumerate() {
            let name = if number == 0 { "replies" } else { "" };
            let _ = writeln!(text, "{name:<9}  {count:>7} x {reply}");
        }
        for (cause, deaths) in &self.deaths {
            let _ = writeln!(text, "death      {:>7} x {cause}", deaths.count);
            if let Some(kept) = &deaths.kept {
                let _ = writeln!(text, "           {} ({})", kept.display(), deaths.note);
            }
        }
        for (complaint, count) in &self.complaints {
            let _ = writeln!(text, "critical   {count:>7} x {complaint}");
        }
        if let Some((before, after)) = &self.looks {
            let _ = writeln!(
                text,
                "at rest    {} threads, {} files, {:.0} MB; before {}, {}, {:.0} MB",
                after.threads,
                after.files,
                megabytes(after.memory),
                before.threads,
                before.files,
                megabytes(before.memory)
            );
        }
        text
    }

    pub(super) fn figures(&self) -> Value {
        let look = |look: &Look| json!({"threads": look.threads, "files": look.files});
        json!({
            "cases": self.cases,
            "replies": self.replies.iter().map(|(reply, count)| (reply.to_string(), json!(count)))
                .collect::<serde_json::Map<_, _>>(),
            "deaths": self.deaths.values().map(|deaths| deaths.count).sum::<usize>(),
            "criticals": self.complaints.values().sum::<usize>(),
            "before": self.looks.as_ref().map(|(before, _)| look(before)),
            "after": self.looks.as_ref().map(|(_, after)| look(after)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn look(threads: usize, files: usize) -> Look {
        Look { processes: 1, cpu: Duration::ZERO, memory: 0, mapped: 0, threads, files }
    }

    #[test]
    fn only_what_is_the_servers_fault_is_one() {
        let mut findings = Findings::default();
        findings.replies.insert(Reply::Said(200, String::new()), 10);
        findings.replies.insert(Reply::Said(400, "bad_field".into()), 10);
        findings.replies.insert(Reply::Left, 10);
        findings.looks = Some((look(5, 20), look(5 + POOLED, 20)));
        assert_eq!(findings.faults(), [""; 0]);
        findings.replies.insert(Reply::Said(500, "pipeline".into()), 1);
        findings.replies.insert(Reply::Silence, 2);
        findings.replies.insert(Reply::Gone, 3);
        findings.looks = Some((look(5, 20), look(5, 21)));
        findings.add_complaints([("x".to_owned(), 2)].into());
        findings.add_complaints([("x".to_owned(), 2)].into());
        let faults = findings.faults();
        assert_eq!(faults.len(), 5, "{faults:?}");
        assert!(faults.contains(&"GLib called 4 things critical".to_owned()), "{faults:?}");
        findings.deaths.insert("why".into(), Deaths { count: 2, ..Deaths::default() });
        let faults = findings.faults();
        assert!(
            faults.contains(&"the server or a media process died 2 times".to_owned()),
            "{faults:?}"
        );
        assert!(!faults.iter().any(|fault| fault.contains("connection lost")), "{faults:?}");
    }
}
