//! What an asker is told meanwhile.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells an asker of what has changed. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    senders: Arc<Senders>,
}

/// Each counts what has happened.
#[derive(Debug, Default)]
struct Senders {
    question: watch::Sender<u64>,
    schedule: watch::Sender<u64>,
    now: watch::Sender<u64>,
}

impl Signals {
    /// An answer in flight has become worthless.
    pub fn question_changed(&self) {
        count(&self.senders.question);
    }

    /// When to ask has changed, or whether.
    pub fn schedule_changed(&self) {
        count(&self.senders.schedule);
    }

    /// Somebody wants the next question at once.
    pub fn wanted_now(&self) {
        count(&self.senders.now);
    }

    /// What is told from now on.
    pub fn changes(&self) -> Changes {
        Changes {
            question: self.senders.question.subscribe(),
            schedule: self.senders.schedule.subscribe(),
            now: self.senders.now.subscribe(),
            _senders: Arc::clone(&self.senders),
        }
    }
}

fn count(sender: &watch::Sender<u64>) {
    sender.send_modify(|changes| *changes += 1);
}

/// What an asker hears.
#[derive(Debug)]
pub struct Changes {
    /// An answer in flight has become worthless.
    pub question: watch::Receiver<u64>,
    /// When to ask has changed, or whether.
    pub schedule: watch::Receiver<u64>,
    /// Somebody wants the next question at once.
    pub now: watch::Receiver<u64>,
    /// A receiver whose sender is gone would say at once, and always, that something has changed.
    _senders: Arc<Senders>,
}
