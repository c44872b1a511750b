//! That documentation and dashboard speak of the metrics that there are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::Value;

use super::{super::Format, busy, checked};

fn repository(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Each metric with what stands in the table: type, labels, meaning.
fn metrics() -> BTreeMap<String, String> {
    let families = checked::read(&busy().exposition(Format::OpenMetrics), true);
    let row = |(name, family): (String, checked::Family)| {
        let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let help = family.help.trim_end_matches('.');
        (name, format!("{} | {} | {help}", family.kind, labels.join(", ")))
    };
    families.into_iter().map(row).collect()
}

#[test]
fn every_metric_is_documented_as_it_is() {
    let text = repository("docs/observability.md");
    let table = text
        .split_once("<!-- metrics:begin -->")
        .and_then(|(_, rest)| rest.split_once("<!-- metrics:end -->"))
        .map(|(table, _)| table)
        .expect("docs/observability.md has <!-- metrics:begin --> and <!-- metrics:end -->");
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeMap<String, String> = rows
        .map(|row| {
            let (name, rest) = row.split_once("` | ").unwrap_or_else(|| panic!("{row}"));
            (name.to_owned(), rest.trim_end_matches(" |").to_owned())
        })
        .collect();
    let written = |metrics: &BTreeMap<String, String>| -> Vec<String> {
        metrics.iter().map(|(name, rest)| format!("| `{name}` | {rest} |")).collect()
    };
    let (expected, found) = (written(&metrics()), written(&documented));
    assert_eq!(found, expected, "the table should be\n{}", expected.join("\n"));
}

/// The names of metrics in a query, without what Prometheus adds to a histogram's.
fn names(query: &str) -> BTreeSet<String> {
    let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = words.filter(|word| word.starts_with("live_vlm_") || word.starts_with("process_"));
    ours.map(|word| word.strip_suffix("_bucket").unwrap_or(word).to_owned()).collect()
}

fn dashboard() -> Value {
    serde_json::from_str(&repository("deploy/dashboards/live-vlm.json")).unwrap()
}

fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().unwrap()
}

#[test]
fn the_dashboard_shows_all_metrics_and_no_others() {
    let dashboard = dashboard();
    let queries = panels(&dashboard).iter().filter_map(|panel| panel["targets"].as_array());
    let queries = queries.flatten().map(|target| target["expr"].as_str().unwrap());
    let shown: BTreeSet<_> = queries.flat_map(names).collect();
    let there: BTreeSet<_> = metrics().into_keys().collect();
    assert_eq!(shown, there);
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let used = names(variable["definition"].as_str().unwrap_or_default());
        assert!(used.is_subset(&there), "{used:?}");
    }
}

#[test]
fn labels_that_the_dashboard_names_are_there() {
    let families = checked::read(&busy().exposition(Format::OpenMetrics), true);
    let of_scrapes = ["job", "instance", "le"].map(str::to_owned);
    for panel in panels(&dashboard()).iter().filter(|panel| panel["type"] != "row") {
        for target in panel["targets"].as_array().unwrap() {
            let expr = target["expr"].as_str().unwrap();
            let mut known: BTreeSet<String> = BTreeSet::from(of_scrapes.clone());
            known.extend(names(expr).iter().flat_map(|name| families[name].labels.clone()));
            let grouped = expr.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
            let grouped = grouped.flat_map(|labels| labels.split(", "));
            let shown = target["legendFormat"].as_str().unwrap().split("{{").skip(1);
            let shown = shown.filter_map(|rest| rest.split("}}").next());
            for label in grouped.chain(shown) {
                assert!(known.contains(label), "{label} of {}: {expr}", panel["title"]);
            }
        }
    }
}

#[test]
fn the_dashboard_is_in_rows_and_nothing_covers_anything() {
    let dashboard = dashboard();
    let rows = panels(&dashboard).iter().filter(|panel| panel["type"] == "row");
    let titles: Vec<_> = rows.map(|row| row["title"].as_str().unwrap()).collect();
    let expected =
        ["At a glance", "Answers", "VLM backends", "Sessions", "Media processes", "Cost", "Limits"];
    assert_eq!(titles, expected);
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels(&dashboard) {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{}", panel["title"]);
        let [x, y, w, h] =
            ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{}", panel["title"]);
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "{} covers another", panel["title"]);
        }
    }
}
