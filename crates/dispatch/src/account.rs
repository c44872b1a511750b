//! Who pays for questions, as the dispatcher sees them.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use crate::QuestionReport;

/// A user whose sessions share one place in the queue. Given to a dispatcher with
/// [`Dispatcher::for_account`](crate::Dispatcher::for_account).
///
/// Its methods are called from the tasks that ask; they must not block.
pub trait Account: fmt::Debug + Send + Sync {
    /// Tells the user from others. It is never sent to a VLM server as it is.
    fn user(&self) -> &str;

    /// The user's share of a contended VLM, compared with those of others; 1 or more. Default 1.
    fn weight(&self) -> u32 {
        1
    }

    /// Whether one more question may be asked now, and counts it if so.
    ///
    /// # Errors
    /// Names the limit that was reached.
    fn admit(&self) -> Result<(), Denied> {
        Ok(())
    }

    /// A turn has ended. Called once for each.
    fn ended(&self, _question: &QuestionReport) {}
}

/// A limit keeps a question from being asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Denied {
    /// Which limit, by the name of its setting.
    pub limit: &'static str,
    /// Its value.
    pub value: u64,
    /// When to try again.
    pub retry_after: Duration,
    /// All of that in words.
    pub message: String,
}

/// A name for a user that says nothing of the user, the same for as long as this program's
/// version is.
pub(crate) fn pseudonym(user: &str) -> String {
    let mut hasher = DefaultHasher::new();
    user.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
