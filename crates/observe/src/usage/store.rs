//! The file: SQLite, so that it survives a crash and anybody's tools read it.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, Row, named_params};

use super::{Counts, Day};

/// Another process may read while we write, and hardly ever writes.
const BUSY: Duration = Duration::from_secs(2);
/// What each schema version adds to the one before; `user_version` says how many are applied.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE usage (
        day TEXT NOT NULL,
        user TEXT NOT NULL,
        questions INTEGER NOT NULL,
        answers INTEGER NOT NULL,
        tokens_in INTEGER NOT NULL,
        tokens_out INTEGER NOT NULL,
        slot_ms INTEGER NOT NULL,
        PRIMARY KEY (day, user)
    ) STRICT, WITHOUT ROWID;
"];

/// Why usage cannot be recorded or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UsageError {
    /// The file or its folder.
    #[error("{path}: {source}; choose another --usage-db, or `off`", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is there and is no database of ours, or it cannot be written.
    #[error("{path}: {source}; choose another --usage-db, or `off`", path = path.display())]
    Database {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// Written by a later version.
    #[error(
        "{path} was written by a later version of live-vlm (schema {found}, this one knows \
         {known}); use that version, or another --usage-db", path = path.display()
    )]
    Newer {
        /// Which.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: usize,
    },
}

/// A user's counts of one day, or of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The first and the last day.
    pub(super) days: (Day, Day),
    /// Whose.
    pub(super) user: String,
    /// What was used.
    pub(super) counts: Counts,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    /// From this day on.
    pub(super) since: Option<Day>,
    /// Up to this day, and on it.
    pub(super) until: Option<Day>,
    /// This user's only.
    pub(super) user: Option<String>,
}

#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
    path: PathBuf,
}

impl Store {
    /// Opens the file for writing, after making or migrating it if need be. Nobody else may read
    /// it.
    pub(super) fn open(path: &Path) -> Result<Self, UsageError> {
        make_private(path).map_err(|source| UsageError::File { path: path.to_owned(), source })?;
        let store = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        store.prepare().map_err(|source| store.error(source))?;
        store.migrate(MIGRATIONS)?;
        Ok(store)
    }

    /// Opens the file for reading, while a server may be writing it.
    pub(super) fn open_to_read(path: &Path) -> Result<Self, UsageError> {
        if let Err(source) = fs::metadata(path) {
            return Err(UsageError::File { path: path.to_owned(), source });
        }
        // Write-ahead logs cannot be read without being able to write beside them.
        let store = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        store.migrate(MIGRATIONS)?;
        Ok(store)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, UsageError> {
        let failed = |source| UsageError::Database { path: path.to_owned(), source };
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        Ok(Self { connection, path: path.to_owned() })
    }

    fn prepare(&self) -> rusqlite::Result<()> {
        // Losing the last seconds to a power cut is fine; a broken file would not be.
        self.connection.pragma_update(None, "journal_mode", "wal")?;
        self.connection.pragma_update(None, "synchronous", "normal")
    }

    /// Applies what is new, each step wholly or not at all.
    fn migrate(&self, migrations: &[&str]) -> Result<(), UsageError> {
        let failed = |source| self.error(source);
        let version = |connection: &Connection| -> rusqlite::Result<i64> {
            connection.pragma_query_value(None, "user_version", |row| row.get(0))
        };
        let current = migrations.len() as i64;
        if version(&self.connection).map_err(failed)? == current {
            return Ok(());
        }
        // The lock of a transaction keeps two processes from migrating at once.
        let transaction = rusqlite::Transaction::new_unchecked(
            &self.connection,
            rusqlite::TransactionBehavior::Immediate,
        )
        .map_err(failed)?;
        let version = version(&transaction).map_err(failed)?;
        let applied = usize::try_from(version).unwrap_or(usize::MAX);
        let Some(new) = migrations.get(applied..) else {
            let (path, known) = (self.path.clone(), migrations.len());
            return Err(UsageError::Newer { path, found: version, known });
        };
        for migration in new {
            transaction.execute_batch(migration).map_err(failed)?;
        }
        transaction.pragma_update(None, "user_version", current).map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    /// Adds to what is there, all of it or nothing.
    pub(super) fn add<'a>(
        &mut self,
        lines: impl Iterator<Item = (Day, &'a str, Counts)>,
    ) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut add = transaction.prepare(
                "INSERT INTO usage (day, user, questions, answers, tokens_in, tokens_out, slot_ms)
                 VALUES (:day, :user, :questions, :answers, :tokens_in, :tokens_out, :slot_ms)
                 ON CONFLICT (day, user) DO UPDATE SET
                    questions = questions + excluded.questions,
                    answers = answers + excluded.answers,
                    tokens_in = tokens_in + excluded.tokens_in,
                    tokens_out = tokens_out + excluded.tokens_out,
                    slot_ms = slot_ms + excluded.slot_ms",
            )?;
            for (day, user, counts) in lines {
                add.execute(named_params! {
                    ":day": day.to_string(),
                    ":user": user,
                    ":questions": signed(counts.questions),
                    ":answers": signed(counts.answers),
                    ":tokens_in": signed(counts.tokens_in),
                    ":tokens_out": signed(counts.tokens_out),
                    ":slot_ms": signed(counts.slot_ms),
                })?;
            }
        }
        transaction.commit()
    }

    /// Forgets what is older than this day.
    pub(super) fn forget_before(&self, day: Day) -> rusqlite::Result<usize> {
        self.connection.execute("DELETE FROM usage WHERE day < ?1", [day.to_string()])
    }

    /// All users' counts of one day, those with most questions first.
    pub(super) fn of_day(
        &self,
        day: Day,
        most: usize,
    ) -> Result<Vec<(String, Counts)>, UsageError> {
        let read = || {
            let mut query = self.connection.prepare(
                "SELECT user, questions, answers, tokens_in, tokens_out, slot_ms FROM usage
                 WHERE day = ?1 ORDER BY questions DESC LIMIT ?2",
            )?;
            let rows = query.query_map((day.to_string(), most as i64), |row| {
                Ok((row.get("user")?, counts(row)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|source| self.error(source))
    }

    /// Each user's counts over the days asked for, those with most slot time first.
    pub(super) fn sums(&self, query: &Query) -> Result<Vec<Line>, UsageError> {
        let read = || {
            let mut statement = self.connection.prepare(
                "SELECT user, min(day) AS first, max(day) AS last, sum(questions) AS questions,
                        sum(answers) AS answers, sum(tokens_in) AS tokens_in,
                        sum(tokens_out) AS tokens_out, sum(slot_ms) AS slot_ms
                 FROM usage
                 WHERE (:since IS NULL OR day >= :since) AND (:until IS NULL OR day <= :until)
                   AND (:user IS NULL OR user = :user)
                 GROUP BY user ORDER BY slot_ms DESC, user",
            )?;
            let parameters = named_params! {
                ":since": query.since.map(|day| day.to_string()),
                ":until": query.until.map(|day| day.to_string()),
                ":user": query.user.as_deref(),
            };
            let rows = statement.query_map(parameters, |row| {
                let days = (day(row, "first")?, day(row, "last")?);
                Ok(Line { days, user: row.get("user")?, counts: counts(row)? })
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|source| self.error(source))
    }

    fn error(&self, source: rusqlite::Error) -> UsageError {
        UsageError::Database { path: self.path.clone(), source }
    }
}

/// SQLite has no unsigned numbers.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn counts(row: &Row<'_>) -> rusqlite::Result<Counts> {
    let count = |name| row.get::<_, i64>(name).map(|count| u64::try_from(count).unwrap_or(0));
    Ok(Counts {
        questions: count("questions")?,
        answers: count("answers")?,
        tokens_in: count("tokens_in")?,
        tokens_out: count("tokens_out")?,
        slot_ms: count("slot_ms")?,
    })
}

fn day(row: &Row<'_>, name: &str) -> rusqlite::Result<Day> {
    let text: String = row.get(name)?;
    text.parse().map_err(|error| {
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(0, kind, Box::new(error))
    })
}

/// Makes the file, or takes it from everybody else. SQLite gives the files beside it the same
/// permissions.
fn make_private(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let mut permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(0o600);
        file.set_permissions(permissions)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
