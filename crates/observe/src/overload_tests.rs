use super::*;
use crate::metrics::MediaFigures;

const BOUNDS: Bounds = Bounds { cpu: Some(0.9), resident: Some(1000), available: Some(100) };
const CALM: Readings =
    Readings { cpu: 0.1, elapsed: SAMPLE, resident: 10, available: Some(10_000) };

fn whole<const LOW: u64, const HIGH: u64>(text: &str) -> Option<Whole<LOW, HIGH>> {
    text.parse().ok()
}

fn limit(guard: &mut Guard, readings: Readings) -> Option<&'static str> {
    guard.take(readings).map(|reached| match reached {
        Overloaded::Cpu { .. } => "max_cpu",
        Overloaded::Resident { .. } => "max_memory",
        Overloaded::Available { .. } => "free_memory",
    })
}

#[test]
fn a_burst_of_work_is_no_overload_and_seconds_of_it_are() {
    let mut guard = Guard::new(BOUNDS);
    let busy = Readings { cpu: 1.0, ..CALM };
    let seconds = (1..).find(|_| limit(&mut guard, busy) == Some("max_cpu")).unwrap();
    // 1 - e^(-t/5) passes 0.9 after 5 ln 10 = 11.5 s.
    assert_eq!(seconds, 12);
}

#[test]
fn smoothing_does_not_depend_on_how_often_is_measured() {
    let (mut often, mut seldom) = (Guard::new(BOUNDS), Guard::new(BOUNDS));
    let busy = Readings { cpu: 0.8, ..CALM };
    for _ in 0..4 {
        often.take(busy);
    }
    seldom.take(Readings { elapsed: 4 * SAMPLE, ..busy });
    assert!((often.cpu - seldom.cpu).abs() < 1e-9, "{} {}", often.cpu, seldom.cpu);
}

#[test]
fn what_was_reached_must_fall_well_below_again() {
    let mut guard = Guard::new(BOUNDS);
    let with = |resident| Readings { resident, ..CALM };
    for (resident, expected) in [
        (1000, None),
        (1001, Some("max_memory")),
        (950, Some("max_memory")),
        (900, None),
        (950, None),
    ] {
        assert_eq!(limit(&mut guard, with(resident)), expected, "{resident}");
    }
    let with = |available| Readings { available: Some(available), ..CALM };
    let low = Some("free_memory");
    for (available, expected) in [(100, None), (99, low), (105, low), (112, None), (105, None)] {
        assert_eq!(limit(&mut guard, with(available)), expected, "{available}");
    }
    let mut guard = Guard::new(BOUNDS);
    let with = |cpu| Readings { cpu, elapsed: Duration::from_secs(1000), ..CALM };
    for (cpu, expected) in
        [(0.9, None), (0.91, Some("max_cpu")), (0.85, Some("max_cpu")), (0.8, None), (0.85, None)]
    {
        assert_eq!(limit(&mut guard, with(cpu)), expected, "{cpu}");
    }
}

#[test]
fn without_bounds_nothing_is_reached() {
    let mut guard = Guard::new(Bounds::default());
    let all = Readings { cpu: 9.0, elapsed: SAMPLE, resident: u64::MAX, available: Some(0) };
    assert_eq!(guard.take(all), None);
    let unknown = Readings { available: None, ..CALM };
    assert_eq!(Guard::new(BOUNDS).take(unknown), None);
}

#[test]
fn bounds_come_from_the_options_or_from_the_memory_there_is() {
    let memory = Some(Memory { total: 1000 << 20, available: 0 });
    let default = Config::default().bounds(memory);
    assert_eq!(default.cpu, Some(0.9));
    assert_eq!(default.resident, Some(800 << 20));
    assert_eq!(default.available, Some(50 << 20));
    let given = Config { max_cpu: whole("0"), max_memory: whole("300") };
    assert_eq!(given.bounds(memory).cpu, None);
    assert_eq!(given.bounds(memory).resident, Some(300 << 20));
    let zero = Config { max_cpu: None, max_memory: whole("0") };
    assert_eq!(zero.bounds(memory).resident, Some(800 << 20));
    assert_eq!(zero.bounds(None), Bounds { cpu: Some(0.9), ..Bounds::default() });
}

#[test]
fn a_refusal_says_which_bound_its_value_and_how_much_is_used() {
    for (reached, words) in [
        (Overloaded::Cpu { used: 0.934, most: 0.9 }, "93% of the CPU is used, at most 90% may be"),
        (
            Overloaded::Resident { used: 801 << 20, most: 800 << 20 },
            "801 MB of memory are used, at most 800 may be",
        ),
        (
            Overloaded::Available { left: 40 << 20, least: 50 << 20 },
            "40 MB of memory are left, at least 50 must be",
        ),
    ] {
        assert_eq!(reached.to_string(), words);
    }
}

#[tokio::test(start_paused = true)]
async fn this_process_is_watched() {
    let metrics = Metrics::new(false);
    let options = Config { max_cpu: None, max_memory: whole("1") };
    let overload = Overload::start(&options, &metrics, &Handle::current());
    assert_eq!(overload.reached(), None);
    overload.reached.clone().changed().await.unwrap();
    let reached = overload.reached().unwrap();
    assert!(matches!(reached, Overloaded::Resident { most, .. } if most == 1 << 20), "{reached:?}");
    let text = metrics.exposition(crate::metrics::Format::Prometheus);
    assert!(text.contains("live_vlm_overloaded 1\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn what_media_processes_use_counts_as_the_servers() {
    let metrics = Metrics::new(false);
    let began = Instant::now();
    metrics.watch_media(move || MediaFigures {
        // Of 1000 cores.
        cpu_seconds: 1000.0 * began.elapsed().as_secs_f64(),
        resident: 1 << 40,
        ..MediaFigures::default()
    });
    // More memory than this process has, and less than media processes have.
    let options = Config { max_cpu: whole("0"), max_memory: whole("1000000") };
    let overload = Overload::start(&options, &metrics, &Handle::current());
    overload.reached.clone().changed().await.unwrap();
    let reached = overload.reached().unwrap();
    assert!(matches!(reached, Overloaded::Resident { used, .. } if used > 1 << 40), "{reached:?}");
    let options = Config { max_cpu: whole("90"), max_memory: whole("1000000000") };
    let overload = Overload::start(&options, &metrics, &Handle::current());
    let is_cpu = |reached: &Option<_>| matches!(reached, Some(Overloaded::Cpu { .. }));
    overload.reached.clone().wait_for(is_cpu).await.unwrap();
}
