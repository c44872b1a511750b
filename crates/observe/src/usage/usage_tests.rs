use std::path::{Path, PathBuf};

use super::*;
use crate::example::report;

fn options(path: &Path) -> Config {
    Config { usage_db: Some(UsageDb::File(path.to_owned())), usage_keep_days: None }
}

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("usage.db")
}

/// What `live-vlm usage --json` says of this user.
fn told(path: &Path, user: &str) -> serde_json::Value {
    let command = UsageCommand {
        user: Some(user.into()),
        json: true,
        usage_db: Some(UsageDb::File(path.to_owned())),
        ..UsageCommand::default()
    };
    let text = command.run(Config::default()).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap()["total"].take()
}

#[tokio::test]
async fn what_was_used_is_in_the_file_and_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let usage = Usage::start(&options(&path)).unwrap();
    usage.question_ended("ada", &report(QuestionOutcome::Answered));
    usage.question_ended("ada", &report(QuestionOutcome::Cancelled));
    usage.question_ended("ada", &report(QuestionOutcome::Nothing));
    usage.question_ended("bob", &report(QuestionOutcome::Failed { kind: "timeout" }));
    let ada = Counts { questions: 2, answers: 1, tokens_in: 300, tokens_out: 60, slot_ms: 3000 };
    assert_eq!(usage.today("ada"), ada);
    usage.close().await;

    let again = Usage::start(&options(&path)).unwrap();
    assert_eq!(again.today("ada"), ada);
    assert_eq!(again.today("nobody"), Counts::default());
    again.question_ended("ada", &report(QuestionOutcome::Answered));
    assert_eq!(again.today("ada").questions, 3);
    again.close().await;
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1, "what was written is in the file, not beside it");
    let told = told(&path, "ada");
    assert_eq!((&told["questions"], &told["slot_s"]), (&3.into(), &4.0.into()));
}

#[tokio::test]
async fn the_file_can_be_read_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let usage = Usage::start(&options(&path)).unwrap();
    for expected in [1, 2] {
        usage.question_ended("ada", &report(QuestionOutcome::Answered));
        assert!(usage.flush().await);
        assert_eq!(told(&path, "ada")["answers"], expected);
    }
    usage.close().await;
}

#[tokio::test]
async fn a_file_that_cannot_be_written_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let usage = Usage::start(&options(&path)).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("ALTER TABLE usage RENAME TO away").unwrap();
    usage.question_ended("ada", &report(QuestionOutcome::Answered));
    usage.flush().await;
    assert_eq!(usage.today("ada").answers, 1);
    other.execute_batch("ALTER TABLE away RENAME TO usage").unwrap();
    usage.question_ended("ada", &report(QuestionOutcome::Answered));
    usage.close().await;
    assert_eq!(told(&path, "ada")["answers"], 2);
}

#[tokio::test]
async fn what_is_too_old_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder);
    let keep = Config { usage_keep_days: Some(30), ..options(&path) };
    let usage = Usage::start(&keep).unwrap();
    let today = Day::today();
    for days in [31, 30, 0] {
        usage.record(today.before(days), "ada", &report(QuestionOutcome::Answered));
    }
    usage.close().await;
    assert_eq!(told(&path, "ada")["answers"], 2);
}

#[tokio::test]
async fn without_a_file_usage_is_counted_all_the_same() {
    let off = Config { usage_db: Some(UsageDb::Off), usage_keep_days: None };
    let usage = Usage::start(&off).unwrap();
    usage.question_ended("ada", &report(QuestionOutcome::Answered));
    assert_eq!(usage.today("ada").answers, 1);
    assert!(!usage.flush().await);
    usage.close().await;
    let command = UsageCommand { usage_db: Some(UsageDb::Off), ..UsageCommand::default() };
    assert!(matches!(command.run(Config::default()), Err(ReportError::Off)));
}
