use super::*;

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deeper/usage.db");
    (folder, path)
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn used(questions: u64) -> Counts {
    Counts { questions, answers: 1, tokens_in: 10, tokens_out: 5, slot_ms: 1500 }
}

fn add(store: &mut Store, lines: &[(&str, &str, u64)]) {
    let lines = lines.iter().map(|(on, user, questions)| (day(on), *user, used(*questions)));
    store.add(lines).unwrap();
}

#[test]
fn only_its_owner_may_read_the_file_and_those_beside_it() {
    let (_folder, path) = folder();
    let mut store = Store::open(&path).unwrap();
    add(&mut store, &[("2026-11-24", "ada", 1)]);
    let mut names = Vec::new();
    for entry in fs::read_dir(path.parent().unwrap()).unwrap().map(Result::unwrap) {
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["usage.db", "usage.db-shm", "usage.db-wal"]);
}

#[test]
fn a_file_that_others_may_read_is_taken_from_them() {
    let (_folder, path) = folder();
    drop(Store::open(&path).unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(Store::open(&path).unwrap());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn counts_of_a_day_add_up_and_sums_are_by_user() {
    let (_folder, path) = folder();
    let mut store = Store::open(&path).unwrap();
    add(&mut store, &[("2026-11-23", "ada", 2), ("2026-11-24", "ada", 3)]);
    add(&mut store, &[("2026-11-24", "ada", 4), ("2026-11-24", "bob", 1)]);
    let sums = store.sums(&Query::default()).unwrap();
    assert_eq!(sums.len(), 2);
    assert_eq!(sums[0].user, "ada");
    assert_eq!(sums[0].days, (day("2026-11-23"), day("2026-11-24")));
    assert_eq!(sums[0].counts.questions, 9);
    assert_eq!(sums[0].counts.slot_ms, 4500);
    let of_day = store.of_day(day("2026-11-24"), 9).unwrap();
    let of_day: Vec<_> = of_day.iter().map(|(user, counts)| (&**user, counts.questions)).collect();
    assert_eq!(of_day, [("ada", 7), ("bob", 1)]);
    assert_eq!(store.of_day(day("2026-11-24"), 1).unwrap().len(), 1);
}

#[test]
fn sums_are_of_the_days_and_the_user_asked_for() {
    let (_folder, path) = folder();
    let mut store = Store::open(&path).unwrap();
    let lines = [("2026-11-22", "ada", 1), ("2026-11-23", "ada", 2), ("2026-11-24", "bob", 4)];
    add(&mut store, &lines);
    let questions = |since: Option<&str>, until: Option<&str>, user: Option<&str>| -> u64 {
        let query =
            Query { since: since.map(day), until: until.map(day), user: user.map(str::to_owned) };
        store.sums(&query).unwrap().iter().map(|line| line.counts.questions).sum()
    };
    assert_eq!(questions(None, None, None), 7);
    assert_eq!(questions(Some("2026-11-23"), None, None), 6);
    assert_eq!(questions(None, Some("2026-11-23"), None), 3);
    assert_eq!(questions(None, None, Some("bob")), 4);
    assert_eq!(questions(None, None, Some("x' OR '1'='1")), 0);
}

#[test]
fn old_days_are_forgotten() {
    let (_folder, path) = folder();
    let mut store = Store::open(&path).unwrap();
    add(&mut store, &[("2025-10-20", "ada", 1), ("2025-10-21", "ada", 1)]);
    assert_eq!(store.forget_before(day("2025-10-21")).unwrap(), 1);
    assert_eq!(store.sums(&Query::default()).unwrap()[0].days.0, day("2025-10-21"));
}

#[test]
fn a_file_of_an_earlier_schema_is_migrated_and_keeps_what_it_has() {
    let (_folder, path) = folder();
    add(&mut Store::open(&path).unwrap(), &[("2026-11-24", "ada", 3)]);
    let later = [MIGRATIONS[0], "ALTER TABLE usage ADD COLUMN more INTEGER NOT NULL DEFAULT 7"];
    let store = Store::connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    store.migrate(&later).unwrap();
    store.migrate(&later).unwrap();
    let more: i64 =
        store.connection.query_row("SELECT more FROM usage", [], |row| row.get(0)).unwrap();
    assert_eq!(more, 7);
    assert_eq!(store.sums(&Query::default()).unwrap()[0].counts.questions, 3);
    let error = Store::open(&path).unwrap_err();
    assert!(matches!(error, UsageError::Newer { found: 2, known: 1, .. }), "{error}");
}

#[test]
fn a_migration_that_fails_leaves_all_as_it_was() {
    let (_folder, path) = folder();
    let store = Store::open(&path).unwrap();
    let broken = [MIGRATIONS[0], "CREATE TABLE half (a INTEGER); CREATE TABLE usage (b INTEGER)"];
    assert!(store.migrate(&broken).is_err());
    drop(store);
    let store = Store::open(&path).unwrap();
    let tables: i64 = store
        .connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'half'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 0);
}

#[test]
fn what_is_no_database_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    fs::write(
        &path,
        "Dear Ada, this is much longer than the header of a database would be.".repeat(9),
    )
    .unwrap();
    let error = Store::open(&path).unwrap_err().to_string();
    assert!(error.contains("letter.txt") && error.contains("--usage-db"), "{error}");
    let error = Store::open_to_read(&folder.path().join("none.db")).unwrap_err().to_string();
    assert!(error.contains("none.db"), "{error}");
    assert!(!folder.path().join("none.db").exists());
    let error = Store::open(Path::new("/proc/usage.db")).unwrap_err().to_string();
    assert!(error.contains("/proc/usage.db"), "{error}");
}
