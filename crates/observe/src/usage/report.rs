//! `live-vlm usage`.

use std::{fmt::Write, path::PathBuf};

use serde_json::{Value, json};

use super::{
    Config, Counts, Day, UsageDb, UsageError,
    store::{Line, Query, Store},
};

/// `live-vlm usage`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct UsageCommand {
    /// From this day on, such as 2026-11-01 (UTC)
    #[arg(long, value_name = "DATE")]
    pub since: Option<Day>,
    /// Up to and including this day
    #[arg(long, value_name = "DATE")]
    pub until: Option<Day>,
    /// This user only
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
    /// File where the server records usage [default: $XDG_STATE_HOME/live-vlm/usage.db]
    #[arg(long, env = "LIVE_VLM_USAGE_DB", value_name = "FILE")]
    pub usage_db: Option<UsageDb>,
    /// Configuration file of that server
    #[arg(long, env = "LIVE_VLM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// `off`.
    #[error("usage is not recorded; say which file with --usage-db")]
    Off,
    /// The file.
    #[error(transparent)]
    Store(#[from] UsageError),
}

impl UsageCommand {
    /// The text to print. The configuration file may say where usage is recorded.
    ///
    /// # Errors
    /// When there is no file, or it cannot be read.
    pub fn run(&self, file: Config) -> Result<String, ReportError> {
        let options = Config { usage_db: self.usage_db.clone(), ..Config::default() }.or(file);
        let file = options.file().ok_or(ReportError::Off)?;
        let query = Query { since: self.since, until: self.until, user: self.user.clone() };
        let lines = Store::open_to_read(&file)?.sums(&query)?;
        Ok(if self.json { as_json(&lines) } else { as_table(&lines) })
    }
}

fn total(lines: &[Line]) -> Counts {
    let mut total = Counts::default();
    lines.iter().for_each(|line| total += line.counts);
    total
}

fn as_json(lines: &[Line]) -> String {
    let counts = |counts: Counts| {
        let mut value = json!(counts);
        value["slot_s"] = json!(counts.slot_ms as f64 / 1000.0);
        if let Some(object) = value.as_object_mut() {
            object.remove("slot_ms");
        }
        value
    };
    let users: Vec<Value> = lines
        .iter()
        .map(|line| {
            let mut value = counts(line.counts);
            value["user"] = json!(line.user);
            value["first_day"] = json!(line.days.0.to_string());
            value["last_day"] = json!(line.days.1.to_string());
            value
        })
        .collect();
    format!("{:#}\n", json!({"users": users, "total": counts(total(lines))}))
}

const HEADINGS: [&str; 8] = [
    "user",
    "first day",
    "last day",
    "questions",
    "answers",
    "tokens in",
    "tokens out",
    "VLM time",
];
/// How many of them hold text, which stands to the left.
const TEXTS: usize = 3;

fn as_table(lines: &[Line]) -> String {
    if lines.is_empty() {
        return "Nothing was used.\n".to_owned();
    }
    let cells = |texts: [String; TEXTS], counts: Counts| {
        let [user, first, last] = texts;
        let numbers = [counts.questions, counts.answers, counts.tokens_in, counts.tokens_out];
        let [questions, answers, tokens_in, tokens_out] = numbers.map(|n| n.to_string());
        [user, first, last, questions, answers, tokens_in, tokens_out, clock(counts.slot_ms)]
    };
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(lines.iter().map(|line| {
        // A name may be anything, also what moves a terminal's cursor.
        let user = line.user.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        cells([user, line.days.0.to_string(), line.days.1.to_string()], line.counts)
    }));
    let days = (lines.iter().map(|line| line.days.0).min(), lines.iter().map(|l| l.days.1).max());
    let shown = |day: Option<Day>| day.map(|day| day.to_string()).unwrap_or_default();
    rows.push(cells(["total".to_owned(), shown(days.0), shown(days.1)], total(lines)));

    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..HEADINGS.len()).map(|c| width(c).unwrap_or_default()).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        if number == 1 || number == rows.len() - 1 {
            let whole: usize = widths.iter().sum::<usize>() + 2 * (widths.len() - 1);
            let _ = writeln!(text, "{}", "-".repeat(whole));
        }
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            let _ = match column {
                0..TEXTS => write!(line, "{gap}{cell:<width$}"),
                _ => write!(line, "{gap}{cell:>width$}"),
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// As 12:34:56, hours growing as they must.
fn clock(ms: u64) -> String {
    let seconds = (ms + 500) / 1000;
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(user: &str, questions: u64) -> Line {
        let counts = Counts {
            questions,
            answers: questions - 1,
            tokens_in: 1000 * questions,
            tokens_out: 7,
            slot_ms: 1_234_500,
        };
        let days = ("2026-11-01".parse().unwrap(), "2026-11-24".parse().unwrap());
        Line { days, user: user.into(), counts }
    }

    #[test]
    fn the_table_ends_with_totals() {
        let expected = "\
user   first day   last day    questions  answers  tokens in  tokens out  VLM time
----------------------------------------------------------------------------------
ada    2026-11-01  2026-11-24         12       11      12000           7   0:20:35
bob    2026-11-01  2026-11-24          3        2       3000           7   0:20:35
----------------------------------------------------------------------------------
total  2026-11-01  2026-11-24         15       13      15000          14   0:41:09
";
        assert_eq!(as_table(&[line("ada", 12), line("bob", 3)]), expected);
        assert_eq!(as_table(&[]), "Nothing was used.\n");
    }

    #[test]
    fn a_name_cannot_write_to_the_terminal() {
        assert!(!as_table(&[line("a\u{1b}[2J", 1)]).contains('\u{1b}'));
    }

    #[test]
    fn json_has_the_same_in_seconds() {
        let read: Value = serde_json::from_str(&as_json(&[line("ada", 12)])).unwrap();
        assert_eq!(
            read["users"][0],
            json!({
                "user": "ada", "first_day": "2026-11-01", "last_day": "2026-11-24",
                "questions": 12, "answers": 11, "tokens_in": 12000, "tokens_out": 7,
                "slot_s": 1234.5,
            })
        );
        assert_eq!(read["total"]["questions"], 12);
    }
}
