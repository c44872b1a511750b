//! How a media process ends: what is waited for, and who is told.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{Task, now, read_printed};
use crate::{
    cause::{Cause, Exit, Reason},
    commands::{Command, Inbox, NoAnswer},
    conduct::Breach,
    last_words::LastWords,
    memory::Group,
    placement::ProcessNumber,
    registry::Registry,
};

/// How long a process that has closed its link, or was killed, may take to be gone before its
/// connections are told.
const GONE_WITHIN: Duration = Duration::from_secs(1);

/// A process could not be started.
pub(super) fn never_began(registry: &Registry, number: ProcessNumber, why: String, inbox: Inbox) {
    let cause = Cause::new(number, Reason::NotStarted(why), &LastWords::default());
    tell(registry, cause, 0, inbox);
}

/// Tells everybody but the connections. What was still to be opened is not.
fn tell(registry: &Registry, cause: Cause, connections: usize, mut inbox: Inbox) -> Arc<Cause> {
    let refused = registry.ended(&cause, now());
    log(&cause, connections);
    for party in refused {
        let user = party.trim_start();
        tracing::warn!(
            user,
            "refused for ten minutes: too many of their media processes have ended"
        );
    }
    let cause = Arc::new(cause);
    for command in inbox.close() {
        if let Command::Open(open) = command {
            let _ = open.answer.send(Err(NoAnswer::Unsent(Arc::clone(&cause))));
        }
    }
    cause
}

fn log(cause: &Cause, connections: usize) {
    let process = cause.process.0;
    match &cause.reason {
        Reason::NotNeeded => tracing::debug!(process, "{cause}"),
        Reason::NotStarted(_) => tracing::error!(process, "{cause}"),
        _ => tracing::warn!(process, connections, kind = cause.name(), "{cause}"),
    }
}

impl Task {
    /// Its link is closed: it has ended, or is about to.
    pub(super) async fn wait_for_exit(&mut self) -> Reason {
        match self.exited_within(GONE_WITHIN).await {
            Some(exit) => Reason::Died(exit),
            None => Reason::Breach(Breach::HungUp),
        }
    }

    /// Waits so long for its exit, while what it prints is read, to the last of it.
    async fn exited_within(&mut self, time: Duration) -> Option<Exit> {
        if self.exit.is_none() {
            let exit = async {
                loop {
                    tokio::select! {
                        biased;
                        bytes = read_printed(&mut self.printed, &mut self.piece) => {
                            self.hear_printed(bytes);
                        }
                        exit = self.process.wait() => return exit,
                    }
                }
            };
            self.exit = timeout(time, exit).await.ok();
        }
        self.exit.clone()
    }

    /// Ends the process, tells everybody, and waits until nothing is left of it.
    pub(super) async fn end(mut self, reason: Reason) {
        if matches!(reason, Reason::NotNeeded) {
            self.link.close();
            self.let_it_end().await;
        }
        self.process.kill();
        let is_gone = self.exited_within(GONE_WITHIN).await.is_some();
        self.journal.end(now());
        let reason = self.as_seen_from_outside(reason);
        let cause = Cause::new(self.number, reason, self.journal.words());
        let Self { registry, inbox, link, printed, mut connections, mut process, group, .. } = self;
        link.end().await;
        drop(printed);
        let cause = tell(&registry, cause, connections.len(), inbox);
        connections.gone(&cause);
        if !is_gone {
            process.wait().await;
        }
        drop(group);
    }

    /// It is not needed any more, and has a while to see so.
    async fn let_it_end(&mut self) {
        let deadline = now() + self.config.end_within;
        let read = async { while let Ok(Some(_)) = self.link.next().await {} };
        let _ = timeout(self.config.end_within, read).await;
        let left = deadline.saturating_duration_since(now());
        let _ = self.exited_within(left).await;
    }

    /// Whatever ended one that was not ready, nobody's video did.
    fn as_seen_from_outside(&self, reason: Reason) -> Reason {
        match reason {
            Reason::NotNeeded | Reason::NotStarted(_) => reason,
            Reason::Died(_) if self.group.as_ref().is_some_and(Group::was_out_of_memory) => {
                Reason::OutOfMemory
            }
            Reason::Died(exit) if !self.is_ready => Reason::NotStarted(exit.to_string()),
            Reason::Breach(breach) if !self.is_ready => Reason::NotStarted(breach.to_string()),
            _ => reason,
        }
    }
}
