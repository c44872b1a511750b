//! Points in time, as they are written.

use std::time::{Duration, SystemTime};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Numbers from here on count from 1970: a span is never that long.
const LONG_AGO: f64 = 1e9;
const LONG_AGO_MS: f64 = 1e12;

/// A date of HTTP (RFC 9110, section 5.6.7), also with UTC in the place of GMT, or one of RFC 3339.
pub(super) fn date(text: &str) -> Option<SystemTime> {
    let gmt = text.strip_suffix("UTC").map(|start| format!("{start}GMT"));
    let of_http = httpdate::parse_http_date(gmt.as_deref().unwrap_or(text)).ok();
    of_http.or_else(|| rfc3339(text))
}

/// What a number means that counts seconds or milliseconds from 1970; `None` if it is too small to.
pub(super) fn since_1970(number: f64) -> Option<SystemTime> {
    let seconds = match number {
        _ if number >= LONG_AGO_MS => number / 1000.0,
        _ if number >= LONG_AGO => number,
        _ => return None,
    };
    SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}

/// `2026-11-26T04:42:48Z`, `2026-11-26 05:42:48.5+01:00`. Nothing before 1970.
fn rfc3339(text: &str) -> Option<SystemTime> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    Some(time.into()).filter(|time| *time >= SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Option<SystemTime> {
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn dates_are_read_as_they_are_written() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "1994-11-06T08:49:37Z",
            "1994-11-06t08:49:37.000z",
            "1994-11-06 09:49:37+01:00",
            "1994-11-06T03:19:37-05:30",
        ] {
            assert_eq!(date(text), at(784_111_777), "{text}");
        }
        assert_eq!(
            date("1994-11-06T08:49:37.5Z"),
            at(784_111_777).map(|time| time + Duration::from_millis(500))
        );
        assert_eq!(date("1970-01-01T00:00:00Z"), at(0));
        assert_eq!(date("2024-02-29T00:00:00Z"), at(1_709_164_800));
        assert_eq!(date("2000-03-01T00:00:00Z"), at(951_868_800));
        for none in [
            "",
            "soon",
            "1994-11-06",
            "1994-11-06T08:49:37",
            "1994-13-06T08:49:37Z",
            "1994-11-06T25:49:37Z",
            "1969-12-31T23:59:59Z",
            "1994-11-06T08:49:37+1",
            "1994-11-06T08:49:37+ä:00",
            "1994-11-06Ö08:49:37Z",
        ] {
            assert_eq!(date(none), None, "{none}");
        }
    }

    #[test]
    fn large_numbers_count_from_1970() {
        assert_eq!(since_1970(1_764_132_160.0), at(1_764_132_160));
        assert_eq!(since_1970(1_764_132_160_000.0), at(1_764_132_160));
        for number in [0.0, 86_400.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX] {
            assert_eq!(since_1970(number), None, "{number}");
        }
    }
}
