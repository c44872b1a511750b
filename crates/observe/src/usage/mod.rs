//! What each user has used on each day (UTC), in memory for limits and in a file for whoever pays.
//!
//! Whoever records only adds to the ledger; one thread writes what is new every few seconds.
//! A slow or full disk therefore holds nobody up: counts merge in memory until it takes them.
//!
//! Locking: the ledger's mutex is a leaf, held for a few additions, never while the file is used.

mod day;
mod ledger;
mod options;
mod report;
mod store;

#[cfg(test)]
#[path = "usage_tests.rs"]
mod tests;

use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use live_vlm_dispatch::{QuestionOutcome, QuestionReport};
use tokio::{sync::oneshot, time::timeout};

pub use self::{
    day::{Day, NoDay},
    ledger::Counts,
    options::{Config, UsageDb},
    report::{ReportError, UsageCommand},
    store::UsageError,
};
use self::{
    ledger::{Ledger, Saving},
    store::Store,
};
use crate::lock::lock;

/// Users of a day that are told apart; the rest is `other`.
const USERS: usize = 10_000;
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// For the last write when the server ends.
const LAST_FLUSH: Duration = Duration::from_secs(1);

/// Records usage. Cheap to clone; what is left is written when the last clone goes.
#[derive(Debug, Clone)]
pub struct Usage {
    shared: Arc<Shared>,
    writer: Option<SyncSender<Order>>,
}

#[derive(Debug)]
struct Shared {
    ledger: Mutex<Ledger>,
    /// Whether it was said that there are too many users.
    said_full: AtomicBool,
}

/// What the writing thread is told, besides writing from time to time.
#[derive(Debug)]
enum Order {
    Write(oneshot::Sender<()>),
    Stop(oneshot::Sender<()>),
}

impl Usage {
    /// Opens the file and begins to write. With `off` usage is counted in memory only.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn start(options: &Config) -> Result<Self, UsageError> {
        let today = Day::today();
        let mut ledger = Ledger::new(today, USERS, Saving::InMemory);
        let mut store = None;
        if let Some(path) = options.file() {
            let opened = Store::open(&path)?;
            ledger = Ledger::new(today, USERS, Saving::InFile);
            for (user, counts) in opened.of_day(today, USERS)? {
                ledger.load(today, &user, counts);
            }
            store = Some((opened, path));
        }
        let ledger = Mutex::new(ledger);
        let shared = Arc::new(Shared { ledger, said_full: AtomicBool::new(false) });
        let mut writer = None;
        if let Some((store, path)) = store {
            let (orders, inbox) = sync_channel(4);
            let writing = Writer {
                shared: Arc::clone(&shared),
                store,
                keep_days: options.keep_days(),
                cleared: None,
                failing: false,
            };
            thread::Builder::new()
                .name("usage".into())
                .spawn(move || writing.run(&inbox))
                .map_err(|source| UsageError::File { path, source })?;
            writer = Some(orders);
        }
        Ok(Self { shared, writer })
    }

    /// A question of this user had its turn and is over. Never waits.
    pub fn question_ended(&self, user: &str, report: &QuestionReport) {
        self.record(Day::today(), user, report);
    }

    fn record(&self, day: Day, user: &str, report: &QuestionReport) {
        let counts = Counts {
            questions: u64::from(report.outcome != QuestionOutcome::Nothing),
            answers: u64::from(report.outcome == QuestionOutcome::Answered),
            tokens_in: report.tokens_in,
            tokens_out: report.tokens_out,
            slot_ms: u64::try_from(report.held().as_millis()).unwrap_or(u64::MAX),
        };
        let found_room = self.shared.ledger().record(day, user, counts);
        if !found_room && !self.shared.said_full.swap(true, Ordering::Relaxed) {
            tracing::warn!("more than {USERS} users in a day: further ones count as one, `other`");
        }
    }

    /// What this user has used today, before a restart too.
    pub fn today(&self, user: &str) -> Counts {
        self.shared.ledger().of(Day::today(), user)
    }

    /// Writes what is new now. False when there is no file, or writing does not end in time.
    pub async fn flush(&self) -> bool {
        self.order(Order::Write).await
    }

    /// Writes the last and closes the file.
    pub async fn close(self) {
        if self.writer.is_some() && !self.order(Order::Stop).await {
            tracing::warn!("the last of the usage was not written in time");
        }
    }

    async fn order(&self, order: impl FnOnce(oneshot::Sender<()>) -> Order) -> bool {
        let Some(writer) = &self.writer else { return false };
        let (done, written) = oneshot::channel();
        let taken = writer.try_send(order(done)).is_ok();
        taken && matches!(timeout(LAST_FLUSH, written).await, Ok(Ok(())))
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }
}

/// The thread that writes.
struct Writer {
    shared: Arc<Shared>,
    store: Store,
    keep_days: Option<u32>,
    /// The day on which old days were last forgotten.
    cleared: Option<Day>,
    failing: bool,
}

impl Writer {
    fn run(mut self, orders: &Receiver<Order>) {
        let stopped = loop {
            match orders.recv_timeout(FLUSH_EVERY) {
                Ok(Order::Write(done)) => {
                    self.write();
                    let _ = done.send(());
                }
                Ok(Order::Stop(done)) => {
                    self.write();
                    break Some(done);
                }
                Err(RecvTimeoutError::Timeout) => self.write(),
                Err(RecvTimeoutError::Disconnected) => {
                    self.write();
                    break None;
                }
            }
        };
        // Closing merges the write-ahead log into the file, and then the program may end.
        drop(self.store);
        if let Some(done) = stopped {
            let _ = done.send(());
        }
    }

    fn write(&mut self) {
        let unsaved = self.shared.ledger().unsaved();
        let written = self.try_write(&unsaved);
        if let Err(error) = &written
            && !self.failing
        {
            tracing::warn!(%error, "usage cannot be written; it is kept in memory and tried again");
        }
        self.failing = written.is_err();
        if written.is_ok() {
            self.shared.ledger().mark_saved(unsaved);
        }
    }

    fn try_write(&mut self, unsaved: &ledger::Unsaved) -> rusqlite::Result<()> {
        if !unsaved.is_empty() {
            self.store.add(unsaved.iter().map(|(day, user, counts)| (*day, &**user, *counts)))?;
        }
        let today = Day::today();
        if let Some(days) = self.keep_days
            && self.cleared != Some(today)
        {
            // What is new is written already: failing here must not have it written twice.
            match self.store.forget_before(today.before(days)) {
                Ok(_) => self.cleared = Some(today),
                Err(error) => tracing::warn!(%error, "old usage cannot be forgotten"),
            }
        }
        Ok(())
    }
}
