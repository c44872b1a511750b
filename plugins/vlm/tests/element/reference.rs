//! REFERENCE.md describes the element as it is.

use std::collections::BTreeSet;

use gst::{glib, prelude::*};
use gstvlm::messages::{Answer, AnswerError};

use crate::support::init;

/// The cells of each row of the table between two markers.
fn rows<const CELLS: usize>(name: &str) -> Vec<[String; CELLS]> {
    let readme = include_str!("../../REFERENCE.md");
    let table = readme
        .split_once(&format!("<!-- {name}:begin -->"))
        .and_then(|(_, rest)| rest.split_once(&format!("<!-- {name}:end -->")))
        .map(|(table, _)| table)
        .unwrap_or_else(|| panic!("REFERENCE.md has no table between the markers of {name}"));
    table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            // A bar inside a cell is written `\|`.
            let line = line.replace("\\|", "\u{1}");
            let cells: Vec<_> = line
                .trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().replace('\u{1}', "|"))
                .collect();
            cells.try_into().unwrap_or_else(|cells| panic!("not {CELLS} cells: {cells:?}"))
        })
        .collect()
}

fn unquoted(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

#[track_caller]
fn assert_same<T: Ord + std::fmt::Debug>(table: &BTreeSet<T>, element: &BTreeSet<T>) {
    let missing: Vec<_> = element.difference(table).collect();
    let wrong: Vec<_> = table.difference(element).collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "REFERENCE.md lacks {missing:#?}\nand has instead {wrong:#?}"
    );
}

/// As gst-inspect writes it.
fn default_of(property: &glib::ParamSpec) -> String {
    if !property.flags().contains(glib::ParamFlags::WRITABLE) {
        return "read-only".to_owned();
    }
    if !property.flags().contains(glib::ParamFlags::READABLE) {
        return "write-only".to_owned();
    }
    let value = property.default_value();
    if let Ok(text) = value.get::<Option<String>>() {
        return text.unwrap_or_default();
    }
    if let Some((_, value)) = glib::EnumValue::from_value(value) {
        return value.nick().to_owned();
    }
    if let Ok(number) = value.get::<f64>() {
        return number.to_string();
    }
    let text = value.transform::<String>().unwrap().get::<String>().unwrap();
    if value.is::<bool>() { text.to_uppercase() } else { text }
}

fn own_properties(element: &gst::Element) -> Vec<glib::ParamSpec> {
    let own = |property: &glib::ParamSpec| property.owner_type() == element.type_();
    element.list_properties().iter().filter(|property| own(property)).cloned().collect()
}

#[test]
fn the_reference_has_the_elements_properties_and_their_defaults() {
    init();
    let element = gst::ElementFactory::make("vlmanalyze").build().unwrap();
    let table = rows("properties").into_iter().map(|[name, meaning, default]| {
        assert!(!meaning.is_empty(), "{name} has no meaning");
        // What follows the default explains it.
        let quoted = default.strip_prefix('`').and_then(|rest| rest.split_once('`'));
        let default = quoted.map_or(default.clone(), |(quoted, _)| quoted.to_owned());
        (unquoted(&name), default)
    });
    let own = own_properties(&element);
    let element = own.iter().map(|property| (property.name().to_owned(), default_of(property)));
    assert_same(&table.collect(), &element.collect());
}

#[test]
fn each_property_says_what_it_is() {
    init();
    let element = gst::ElementFactory::make("vlmanalyze").build().unwrap();
    for property in own_properties(&element) {
        let blurb = property.blurb().unwrap_or_default();
        assert!(blurb.len() > 20 && !blurb.ends_with('.'), "{}: {blurb}", property.name());
        let is_time = property.value_type() == u64::static_type();
        assert!(!is_time || blurb.contains("in ns"), "{}: {blurb}", property.name());
    }
}

fn fields(structure: &gst::StructureRef) -> BTreeSet<(String, String)> {
    structure.iter().map(|(name, value)| (name.to_string(), value.type_().to_string())).collect()
}

fn described(table: &str) -> BTreeSet<(String, String)> {
    rows(table).into_iter().map(|[name, kind, _meaning]| (unquoted(&name), kind)).collect()
}

#[test]
fn the_reference_has_the_fields_of_an_answer() {
    init();
    let text = || "x".to_owned();
    let answer = Answer {
        retracted: true,
        reasoning: text(),
        json: text(),
        fields: Some(gst::Structure::new_empty("fields")),
        done: true,
        pts: Some(gst::ClockTime::ZERO),
        running_time: Some(gst::ClockTime::ZERO),
        first_token_ms: Some(1),
        tokens_in: Some(1),
        ..Answer::default()
    };
    assert_same(&described("vlm-answer"), &fields(&answer.to_structure()));
}

#[test]
fn the_reference_has_the_fields_of_an_error() {
    init();
    let error = AnswerError {
        seq: 1,
        kind: "schema".into(),
        message: "x".into(),
        retry_in_ms: 0,
        limit: Some(("x".into(), 1)),
        text: "x".into(),
    };
    assert_same(&described("vlm-error"), &fields(&error.to_structure()));
}

#[test]
fn the_reference_has_the_statistics() {
    init();
    let element = gst::ElementFactory::make("vlmanalyze").build().unwrap();
    let stats = element.property::<gst::Structure>("stats");
    let table = rows("stats")
        .into_iter()
        .flat_map(|[names, _meaning]| names.split(", ").map(unquoted).collect::<Vec<_>>());
    assert_same(&table.collect(), &stats.fields().map(|name| name.to_string()).collect());
}
