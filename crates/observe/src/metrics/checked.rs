//! Reads an exposition back, and panics at whatever Prometheus or promtool would object to.

use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A family of samples.
#[derive(Debug, Default, Clone)]
pub(super) struct Family {
    pub(super) kind: String,
    pub(super) help: String,
    /// Labels of the samples, without `le`.
    pub(super) labels: BTreeSet<String>,
    /// Each sample's value by its name and labels as written.
    pub(super) samples: BTreeMap<String, f64>,
}

/// The families of an exposition, by the name under which their samples are queried, without
/// `_bucket`, `_sum` and `_count`.
pub(super) fn read(text: &str, open_metrics: bool) -> BTreeMap<String, Family> {
    assert_eq!(text.ends_with("# EOF\n"), open_metrics, "OpenMetrics ends with # EOF");
    let mut families = BTreeMap::<String, Family>::new();
    let mut seen = HashSet::new();
    let mut current = String::new();
    for line in text.lines() {
        if line == "# EOF" {
            continue;
        }
        if let Some(comment) = line.strip_prefix("# ") {
            let (word, rest) = comment.split_once(' ').unwrap();
            let (name, value) = rest.split_once(' ').unwrap();
            assert_name(name);
            if name != current {
                assert!(!families.contains_key(name), "{name} comes twice");
                name.clone_into(&mut current);
            }
            let family = families.entry(current.clone()).or_default();
            assert!(family.samples.is_empty(), "{line} comes after samples");
            match word {
                "HELP" => value.clone_into(&mut family.help),
                "TYPE" => value.clone_into(&mut family.kind),
                "UNIT" => assert!(name.ends_with(&format!("_{value}")), "{name} lacks {value}"),
                _ => panic!("{line}"),
            }
            continue;
        }
        let family = families.get_mut(&current).expect("a sample before its family");
        let series = read_sample(line, &current, family, open_metrics);
        assert!(seen.insert(series.to_owned()), "{series} comes twice");
    }
    families
        .into_iter()
        .map(|(name, family)| (queried(name, &family, open_metrics), family))
        .collect()
}

/// Adds the sample in this line to the family of this name, and gives its series.
fn read_sample<'a>(line: &'a str, of: &str, family: &mut Family, open_metrics: bool) -> &'a str {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
    let (name, labels) = split(series);
    let suffix = name.strip_prefix(of).unwrap_or_else(|| panic!("{line}"));
    let (suffixes, bounded): (&[&str], bool) = match (family.kind.as_str(), open_metrics) {
        ("counter", true) => (&["_total"], true),
        ("counter", false) => (&[""], true),
        ("gauge" | "unknown", _) => (&[""], false),
        ("info", _) => (&["_info"], true),
        ("histogram", _) => (&["_bucket", "_sum", "_count"], true),
        (kind, _) => panic!("{of} is a {kind}"),
    };
    assert!(suffixes.contains(&suffix), "{line}");
    assert!(!bounded || value >= 0.0, "{line} is negative");
    let has_le = labels.iter().any(|(name, _)| name == "le");
    assert_eq!(has_le, suffix == "_bucket", "{line}");
    family.labels.extend(labels.into_iter().map(|(name, _)| name).filter(|n| n != "le"));
    family.samples.insert(series.to_owned(), value);
    series
}

/// The name of the samples in queries.
fn queried(name: String, family: &Family, open_metrics: bool) -> String {
    assert!(family.help.ends_with('.') || family.help.is_empty(), "{name}: {}", family.help);
    assert!(!family.help.is_empty() && !family.samples.is_empty(), "{name} is empty");
    if family.kind == "histogram" {
        check_buckets(family);
    }
    match family.kind.as_str() {
        "counter" if open_metrics => name + "_total",
        "info" => name + "_info",
        _ => name,
    }
}

/// Buckets rise, and the last of them is the count.
fn check_buckets(family: &Family) {
    let mut series = BTreeMap::<String, Vec<(f64, f64)>>::new();
    for (sample, value) in family.samples.iter().filter(|(sample, _)| sample.contains("_bucket")) {
        let (name, labels) = split(sample);
        let (le, others): (Vec<_>, Vec<_>) = labels.into_iter().partition(|(name, _)| name == "le");
        let bound = if le[0].1 == "+Inf" { f64::INFINITY } else { le[0].1.parse().unwrap() };
        series.entry(format!("{name}{others:?}")).or_default().push((bound, *value));
    }
    for (name, mut buckets) in series {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.is_sorted_by(|a, b| a.1 <= b.1), "{name}: {buckets:?}");
        assert!(buckets.last().unwrap().0.is_infinite(), "{name} has no +Inf");
    }
    let sum_of = |part: &str| -> f64 {
        let of_part = family.samples.iter().filter(|(sample, _)| sample.contains(part));
        of_part.map(|(_, value)| value).sum()
    };
    assert_eq!(sum_of("le=\"+Inf\""), sum_of("_count"), "{:?}", family.samples);
}

/// The name of a series, and its labels.
fn split(series: &str) -> (String, Vec<(String, String)>) {
    let Some((name, rest)) = series.split_once('{') else {
        assert_name(series);
        return (series.to_owned(), Vec::new());
    };
    assert_name(name);
    let mut rest = rest.strip_suffix('}').unwrap_or_else(|| panic!("{series}"));
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let (label, quoted) = rest.split_once("=\"").unwrap_or_else(|| panic!("{series}"));
        assert_name(label);
        assert!(!label.contains(':') && !label.starts_with("__"), "{series}");
        let mut value = String::new();
        let mut letters = quoted.char_indices();
        let end = loop {
            match letters.next().unwrap_or_else(|| panic!("{series}")) {
                (at, '"') => break at,
                (_, '\\') => match letters.next().map(|(_, letter)| letter) {
                    Some('n') => value.push('\n'),
                    Some(letter @ ('"' | '\\')) => value.push(letter),
                    other => panic!("{series}: {other:?} is escaped"),
                },
                (_, letter) => value.push(letter),
            }
        };
        assert!(!labels.iter().any(|(name, _)| name == label), "{series}");
        labels.push((label.to_owned(), value));
        rest = &quoted[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    (name.to_owned(), labels)
}

fn assert_name(name: &str) {
    let first = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':');
    let rest = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
    assert!(first && rest, "{name:?} is no name");
}

#[test]
fn what_prometheus_would_refuse_is_refused_here() {
    let family = "# HELP a Help.\n# TYPE a counter\n";
    for bad in [
        "a_total 1\n# EOF\n".to_owned(),
        format!("{family}a_total 1\n"),
        format!("{family}a 1\n# EOF\n"),
        format!("{family}a_total -1\n# EOF\n"),
        format!("{family}a_total x\n# EOF\n"),
        format!("{family}a_total 1\na_total 2\n# EOF\n"),
        format!("{family}a_total{{b=\"c}} 1\n# EOF\n"),
        format!("{family}a_total{{b=\"\\c\"}} 1\n# EOF\n"),
        format!("{family}a_total{{b-c=\"d\"}} 1\n# EOF\n"),
        format!("{family}# UNIT a seconds\na_total 1\n# EOF\n"),
        "# HELP a Help.\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n\
         a_sum 1\na_count 1\n# EOF\n"
            .to_owned(),
    ] {
        let read = std::panic::catch_unwind(|| read(&bad, true));
        assert!(read.is_err(), "{bad}");
    }
    let good = format!("{family}a_total{{b=\"c\\\"d\"}} 1\n# EOF\n");
    assert_eq!(read(&good, true)["a_total"].samples.len(), 1);
}
