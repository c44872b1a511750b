use std::collections::BTreeMap;

use super::{
    checked::{self, Family},
    *,
};
use crate::example::{BACKEND, report};

#[path = "shown_tests.rs"]
mod shown;

fn backend(name: &str, state: BackendHealth) -> BackendFigures {
    let models = vec!["qwen".to_owned()];
    BackendFigures {
        name: name.into(),
        models,
        state,
        slots: 8,
        asking: 3,
        waiting: 5,
        trouble: None,
    }
}

fn media() -> MediaFigures {
    MediaFigures {
        processes: 3,
        connections: 7,
        started: 9,
        ended: [("not_needed", 5), ("signal", 1)].into(),
        users_refused: 2,
        cpu_seconds: 1.5,
        resident: 4096,
        threads: 11,
        sandbox_lacking: 1,
    }
}

/// Metrics to which everything has happened once.
fn busy() -> Metrics {
    let metrics = Metrics::new(true);
    metrics.watch_pool(|| vec![backend(BACKEND, BackendHealth::Up)]);
    metrics.watch_media(media);
    metrics.question_ended("ada", &report(QuestionOutcome::Answered));
    metrics.question_ended("ada", &report(QuestionOutcome::Failed { kind: "timeout" }));
    metrics.question_ended("bob", &report(QuestionOutcome::Cancelled));
    metrics.session_started().video_lost("no_media");
    metrics.limit_reached("questions_per_minute");
    metrics
}

fn read(metrics: &Metrics) -> BTreeMap<String, Family> {
    checked::read(&metrics.exposition(Format::OpenMetrics), true)
}

fn value(metrics: &Metrics, family: &str, series: &str) -> f64 {
    let families = read(metrics);
    let family = families.get(family).unwrap_or_else(|| panic!("no {family}"));
    *family.samples.get(series).unwrap_or_else(|| panic!("no {series} in {family:?}"))
}

#[test]
fn both_formats_are_valid_and_say_the_same() {
    let metrics = busy();
    let open = read(&metrics);
    let older = checked::read(&metrics.exposition(Format::Prometheus), false);
    assert_eq!(open.keys().collect::<Vec<_>>(), older.keys().collect::<Vec<_>>());
    // The order of labels and the way of writing numbers are each format's own.
    let said = |family: &Family| {
        let values: f64 = family.samples.values().sum();
        (family.help.clone(), family.labels.clone(), family.samples.len(), values)
    };
    for (name, family) in open.iter().filter(|(name, _)| name.starts_with("live_vlm_")) {
        assert_eq!(said(family), said(&older[name]), "{name}");
    }
}

#[test]
fn a_fresh_server_has_valid_figures_too() {
    let families = read(&Metrics::new(false));
    assert!(families.contains_key("live_vlm_sessions_started_total"));
    assert!(families.keys().all(|name| !name.contains("user")));
}

#[test]
fn units_are_in_the_names() {
    for (name, family) in read(&busy()) {
        if family.kind == "histogram" {
            assert!(name.ends_with("_seconds"), "{name}");
        }
        assert_eq!(name.ends_with("_total"), family.kind == "counter", "{name}");
        assert!(name.starts_with("live_vlm_") || name.starts_with("process_"), "{name}");
    }
}

#[test]
fn a_question_is_told_in_all_its_figures() {
    let metrics = Metrics::new(false);
    metrics.question_ended("ada", &report(QuestionOutcome::Answered));
    let of_model = |name: &str| format!("{name}{{model=\"qwen\"}}");
    for (family, expected) in [
        ("live_vlm_answer_age_seconds", 1.05),
        ("live_vlm_first_token_seconds", 0.4),
        ("live_vlm_question_duration_seconds", 0.95),
    ] {
        let sum = value(&metrics, family, &of_model(&format!("{family}_sum")));
        assert!((sum - expected).abs() < 1e-9, "{family}: {sum}");
    }
    let wait = "live_vlm_queue_wait_seconds";
    assert!((value(&metrics, wait, "live_vlm_queue_wait_seconds_sum") - 0.25).abs() < 1e-9);
    let slot = "live_vlm_slot_seconds_total";
    assert!((value(&metrics, slot, slot) - 1.0).abs() < 1e-9);
    let tokens = "live_vlm_tokens_total";
    let of = |direction| format!("{tokens}{{direction=\"{direction}\",model=\"qwen\"}}");
    assert_eq!(value(&metrics, tokens, &of("in")), 100.0);
    assert_eq!(value(&metrics, tokens, &of("out")), 20.0);
    let questions = "live_vlm_questions_total";
    let answered = format!("{questions}{{outcome=\"answered\",model=\"qwen\"}}");
    assert_eq!(value(&metrics, questions, &answered), 1.0);
}

#[test]
fn a_failure_has_a_kind_and_no_age() {
    let metrics = Metrics::new(false);
    metrics.question_ended("ada", &report(QuestionOutcome::Failed { kind: "timeout" }));
    let failures = "live_vlm_question_failures_total";
    assert_eq!(value(&metrics, failures, &format!("{failures}{{kind=\"timeout\"}}")), 1.0);
    assert!(!read(&metrics).contains_key("live_vlm_answer_age_seconds"));
}

#[test]
fn sessions_are_counted_by_state_and_leave_with_their_reason() {
    let metrics = Metrics::new(false);
    let in_state = |state: &str| {
        let series = format!("live_vlm_sessions{{state=\"{state}\"}}");
        value(&metrics, "live_vlm_sessions", &series)
    };
    let ended = |reason: &str| {
        let family = "live_vlm_sessions_ended_total";
        value(&metrics, family, &format!("{family}{{reason=\"{reason}\"}}"))
    };
    let mut one = metrics.session_started();
    let other = metrics.session_started();
    one.set_state(SessionState::Live);
    assert_eq!((in_state("live"), in_state("ready")), (1.0, 1.0));
    one.end(EndReason::Left);
    drop(other);
    assert_eq!((in_state("live"), in_state("ready")), (0.0, 0.0));
    assert_eq!((ended("left"), ended("closed"), ended("crashed")), (1.0, 0.0, 1.0));
}

#[test]
fn a_connection_counts_while_it_lives() {
    let metrics = Metrics::new(false);
    let family = "live_vlm_websocket_connections";
    let (a, b) = (metrics.connection(), metrics.connection());
    assert_eq!(value(&metrics, family, family), 2.0);
    drop((a, b));
    assert_eq!(value(&metrics, family, family), 0.0);
}

#[test]
fn a_backend_is_in_exactly_one_state() {
    let metrics = Metrics::new(false);
    metrics.watch_pool(|| {
        vec![backend("b", BackendHealth::Open), backend("a", BackendHealth::HalfOpen)]
    });
    let family = "live_vlm_backend_state";
    let samples = read(&metrics).remove(family).unwrap().samples;
    let on: Vec<_> = samples.iter().filter(|(_, v)| **v == 1.0).map(|(name, _)| name).collect();
    assert_eq!(
        on,
        [
            "live_vlm_backend_state{backend=\"a\",state=\"half_open\"}",
            "live_vlm_backend_state{backend=\"b\",state=\"open\"}",
        ]
    );
    let slots = "live_vlm_backend_slots";
    assert_eq!(value(&metrics, slots, &format!("{slots}{{backend=\"a\"}}")), 8.0);
}

#[test]
fn users_beyond_the_two_hundredth_are_others() {
    let metrics = Metrics::new(true);
    for user in 0..250 {
        metrics.question_ended(&format!("user-{user}"), &report(QuestionOutcome::Answered));
    }
    let family = "live_vlm_user_questions_total";
    assert_eq!(read(&metrics)[family].samples.len(), USERS + 1);
    let others = format!("{family}{{user=\"other\",outcome=\"answered\"}}");
    assert_eq!(value(&metrics, family, &others), 50.0);
}

#[test]
fn models_that_clients_make_up_are_others_and_leave_room_for_the_operators() {
    let metrics = Metrics::new(false);
    metrics.watch_pool(|| vec![backend(BACKEND, BackendHealth::Up)]);
    for model in 0..100 {
        let made_up = QuestionReport {
            model: format!("made-up-{model}\n\"\\"),
            ..report(QuestionOutcome::Answered)
        };
        metrics.question_ended("ada", &made_up);
    }
    metrics.question_ended("ada", &report(QuestionOutcome::Answered));
    let family = "live_vlm_questions_total";
    assert_eq!(read(&metrics)[family].samples.len(), MODELS + 2);
    let own = format!("{family}{{outcome=\"answered\",model=\"qwen\"}}");
    assert_eq!(value(&metrics, family, &own), 1.0);
}

#[test]
fn users_are_not_told_unless_the_operator_wants_it() {
    let metrics = Metrics::new(false);
    metrics.question_ended("ada@example.com", &report(QuestionOutcome::Answered));
    assert!(!metrics.exposition(Format::OpenMetrics).contains("ada"));
}

#[test]
fn media_processes_are_told_in_all_their_figures() {
    let metrics = Metrics::new(false);
    assert_eq!(metrics.media(), None);
    metrics.watch_media(media);
    for (series, expected) in [
        ("live_vlm_media_processes", 3.0),
        ("live_vlm_media_connections", 7.0),
        ("live_vlm_media_processes_started_total", 9.0),
        ("live_vlm_media_processes_ended_total{cause=\"not_needed\"}", 5.0),
        ("live_vlm_media_processes_ended_total{cause=\"signal\"}", 1.0),
        ("live_vlm_media_users_refused_total", 2.0),
        ("live_vlm_media_cpu_seconds_total", 1.5),
        ("live_vlm_media_resident_memory_bytes", 4096.0),
        ("live_vlm_media_threads", 11.0),
        ("live_vlm_sandbox_parts_lacking", 1.0),
    ] {
        let family = series.split('{').next().unwrap();
        assert!((value(&metrics, family, series) - expected).abs() < 1e-9, "{series}");
    }
}
