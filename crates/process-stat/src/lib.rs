//! What the kernel says of a process: whose child it is, and what CPU time and memory it uses.
//!
//! ```
//! let stat = live_vlm_process_stat::Stat::read(std::process::id())?;
//! assert_eq!(stat.parent, std::os::unix::process::parent_id());
//! assert!(stat.threads > 0 && stat.resident > 0);
//! # Ok::<(), live_vlm_process_stat::StatError>(())
//! ```

use std::{fs, io, time::Duration};

/// What `/proc/PID/stat` says (proc_pid_stat(5)), as far as it is of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The id of its parent.
    pub parent: u32,
    /// CPU time of itself, in user and system mode together.
    pub cpu: Duration,
    /// CPU time of the children that it has waited for, and of theirs.
    pub waited_for: Duration,
    /// Threads.
    pub threads: u64,
    /// Bytes of physical memory. The kernel counts them roughly.
    pub resident: u64,
}

/// Why nothing is known of a process.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatError {
    /// There is no such process, or no `/proc`.
    #[error("/proc/{id}/stat cannot be read: {source}")]
    Read {
        /// The process.
        id: u32,
        /// Why.
        source: io::Error,
    },
    /// It is not in the form that proc_pid_stat(5) describes.
    #[error("/proc/{id}/stat is not as expected")]
    Form {
        /// The process.
        id: u32,
    },
}

/// What the kernel counts in.
#[derive(Debug, Clone, Copy)]
struct Units {
    ticks_per_second: u64,
    page: u64,
}

impl Stat {
    /// Reads it of the process with this id.
    ///
    /// # Errors
    /// When there is no such process, or no `/proc`.
    pub fn read(id: u32) -> Result<Self, StatError> {
        let text = fs::read_to_string(format!("/proc/{id}/stat"))
            .map_err(|source| StatError::Read { id, source })?;
        let units = Units { ticks_per_second: configured(libc::_SC_CLK_TCK), page: page_size() };
        Self::parse(&text, units).ok_or(StatError::Form { id })
    }

    fn parse(text: &str, units: Units) -> Option<Self> {
        // The name before it may contain anything, brackets too.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let time = |ticks: u64| {
            let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(units.ticks_per_second);
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        };
        Some(Self {
            parent: number(4)?.try_into().ok()?,
            cpu: time(number(14)?.checked_add(number(15)?)?),
            waited_for: time(number(16)?.checked_add(number(17)?)?),
            threads: number(20)?,
            resident: number(24)?.checked_mul(units.page)?,
        })
    }
}

/// Bytes in a page of memory, at least 1.
pub fn page_size() -> u64 {
    configured(libc::_SC_PAGESIZE)
}

/// A number of the system's, at least 1.
fn configured(name: libc::c_int) -> u64 {
    // SAFETY: sysconf has no preconditions; it refuses by returning -1.
    let number = unsafe { libc::sysconf(name) };
    u64::try_from(number).unwrap_or(0).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: Units = Units { ticks_per_second: 100, page: 4096 };

    #[test]
    fn the_fields_are_found_behind_any_name() {
        let text = "42 (a) b (c)) S 7 2 3 4 5 6 7 8 9 10 150 50 30 20 20 0 9 0 100 4096 25 1 2";
        let expected = Stat {
            parent: 7,
            cpu: Duration::from_secs(2),
            waited_for: Duration::from_millis(500),
            threads: 9,
            resident: 25 << 12,
        };
        assert_eq!(Stat::parse(text, UNITS), Some(expected));
        assert_eq!(Stat::parse("42 (a) S 1", UNITS), None);
        assert_eq!(Stat::parse("", UNITS), None);
    }

    #[test]
    fn an_error_names_the_process() {
        let error = Stat::read(u32::MAX).unwrap_err().to_string();
        assert!(error.starts_with("/proc/4294967295/stat cannot be read: "), "{error}");
    }
}
