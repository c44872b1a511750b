use std::{
    fmt,
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
};

use time::{Date, Duration, Month};

/// A day by UTC, written as 2026-11-24.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(Date);

/// Not a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a day is written YYYY-MM-DD, such as 2026-11-24")]
pub struct NoDay;

impl Day {
    /// The day of this time.
    pub fn of(at: SystemTime) -> Self {
        let days = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
        let days = Duration::days(i64::try_from(days).unwrap_or_default());
        Self(time::OffsetDateTime::UNIX_EPOCH.date().checked_add(days).unwrap_or(Date::MAX))
    }

    /// Today.
    pub fn today() -> Self {
        Self::of(SystemTime::now())
    }

    /// So many days before.
    #[must_use]
    pub fn before(self, days: u32) -> Self {
        Self(self.0.checked_sub(Duration::days(days.into())).unwrap_or(Date::MIN))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.0.to_calendar_date();
        write!(f, "{year:04}-{:02}-{day:02}", u8::from(month))
    }
}

impl FromStr for Day {
    type Err = NoDay;

    fn from_str(text: &str) -> Result<Self, NoDay> {
        let digits = |c: char| c.is_ascii_digit();
        let mut parts =
            text.splitn(3, '-').map(|part| Some(part).filter(|p| p.chars().all(digits)));
        let mut part = |length: usize| parts.next().flatten().filter(|part| part.len() == length);
        let date = (|| {
            let year = part(4)?.parse().ok()?;
            let month: u8 = part(2)?.parse().ok()?;
            let day = part(2)?.parse().ok()?;
            Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()
        })();
        date.map(Self).ok_or(NoDay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Day {
        Day::of(UNIX_EPOCH + std::time::Duration::from_secs(seconds))
    }

    #[test]
    fn a_day_ends_at_midnight_by_utc() {
        assert_eq!(at(1_795_564_799).to_string(), "2026-11-24");
        assert_eq!(at(1_795_564_800).to_string(), "2026-11-25");
        assert_eq!(at(0).to_string(), "1970-01-01");
        assert_eq!(at(1_795_564_800).before(330).to_string(), "2025-12-30");
    }

    #[test]
    fn days_are_read_as_they_are_written_and_nothing_else_is() {
        for day in ["2026-11-24", "2024-02-29", "0001-01-01"] {
            assert_eq!(day.parse::<Day>().unwrap().to_string(), day);
        }
        for bad in [
            "",
            "today",
            "2026-02-29",
            "2026-13-01",
            "26-01-01",
            "2026-1-1",
            "2026-01-01 ",
            "-999-01-01",
        ] {
            assert_eq!(bad.parse::<Day>(), Err(NoDay), "{bad}");
        }
    }
}
