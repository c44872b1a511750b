use super::*;
use crate::colour::{Hue, Shade};

const RED: Colour = Colour { hue: Hue::Red, shade: Shade::Plain };
const DARK_BLUE: Colour = Colour { hue: Hue::Blue, shade: Shade::Dark };
const WHITE: Colour = Colour { hue: Hue::White, shade: Shade::Plain };

fn found() -> Measurements {
    let mut regions = [Some(RED); 9];
    regions[0] = Some(DARK_BLUE);
    Measurements {
        width: 640,
        height: 480,
        colours: vec![(RED, 0.8), (DARK_BLUE, 0.2)],
        regions,
        brightness: 34.4,
        contrast: 60.0,
        sharpness: Sharpness::Sharp,
        codes: Vec::new(),
    }
}

fn changed(share: f32, cells: &[usize]) -> Change {
    let mut regions = Cells::default();
    cells.iter().for_each(|&cell| regions[cell] = true);
    Change { share, regions, brightness: (50.0, 50.0) }
}

/// The long answer without what every long answer begins with.
fn facts(prompt: &str, found: &Measurements, comparison: &Comparison) -> String {
    let answer = long(prompt, found, comparison);
    let rest = answer.strip_prefix(DISCLOSURE).unwrap();
    let stop = if prompt.ends_with(['.', '!', '?']) { "" } else { "." };
    let quote = format!("You asked: \"{prompt}\"{stop}");
    rest.trim_start().strip_prefix(&quote).unwrap_or(rest).trim_start().to_owned()
}

#[test]
fn a_general_question_gets_a_general_description() {
    assert_eq!(
        long("Describe  the\nscene.", &found(), &Comparison::First),
        "I am demo-vlm, a stand-in, not a vision language model: I only measure pixels. \
         You asked: \"Describe the scene.\" \
         The picture is 640 by 480 pixels and mostly red; the top left is dark blue. \
         It is dim (34% brightness) with high contrast (60%). It is sharp."
    );
}

#[test]
fn without_a_prompt_nothing_is_quoted() {
    assert!(!long(" ", &found(), &Comparison::First).contains("You asked"));
}

#[test]
fn a_long_prompt_is_quoted_in_part() {
    let answer = long(&"é".repeat(121), &found(), &Comparison::First);
    assert!(answer.contains(&format!("\"{}…\"", "é".repeat(120))));
    let answer = long(&"é".repeat(120), &found(), &Comparison::First);
    assert!(answer.contains(&format!("\"{}\"", "é".repeat(120))));
}

#[test]
fn the_answer_leads_with_what_was_asked() {
    let first = Comparison::First;
    for (prompt, lead) in [
        ("What colour is it?", "The picture is 640 by 480"),
        ("How bright is it?", "It is dim"),
        ("Is it blurred?", "It is sharp."),
        ("Read the text.", "I find no QR code"),
        ("What happened?", "I cannot say what changed"),
    ] {
        assert!(facts(prompt, &found(), &first).starts_with(lead), "{prompt}");
    }
}

#[test]
fn colours_are_placed_and_merged() {
    let mut found = found();
    assert!(colours(&found).ends_with("mostly red; the top left is dark blue."));
    found.regions = [Some(RED); 9];
    for at in [0, 3, 6] {
        found.regions[at] = Some(WHITE);
    }
    found.regions[2] = Some(DARK_BLUE);
    found.regions[8] = Some(DARK_BLUE);
    found.regions[5] = None;
    assert!(colours(&found).ends_with(
        "mostly red; the left is white, the top right and the bottom right are dark blue."
    ));
}

#[test]
fn shares_choose_the_words_for_the_whole() {
    let with = |colours: &[(Colour, f32)]| {
        let colours = colours.to_vec();
        overall(&Measurements { colours, ..found() })
    };
    assert_eq!(with(&[(RED, 1.0)]), "entirely red");
    assert_eq!(with(&[(RED, 0.9), (WHITE, 0.1)]), "almost entirely red");
    assert_eq!(with(&[(RED, 0.5), (WHITE, 0.5)]), "mostly red");
    assert_eq!(
        with(&[(RED, 0.4), (WHITE, 0.35), (DARK_BLUE, 0.25)]),
        "a mix of red (40%), white (35%) and dark blue (25%)"
    );
}

#[test]
fn brightness_and_contrast_are_named_with_their_percent() {
    let with = |brightness, contrast| light(&Measurements { brightness, contrast, ..found() });
    assert_eq!(with(3.0, 5.0), "It is dark (3% brightness) with low contrast (5%).");
    assert_eq!(
        with(50.0, 30.0),
        "It is moderately bright (50% brightness) with moderate contrast (30%)."
    );
    assert_eq!(with(90.0, 55.0), "It is bright (90% brightness) with high contrast (55%).");
}

#[test]
fn a_change_since_the_last_picture_is_told_unasked() {
    let told =
        |share, cells: &[usize]| change(&Comparison::Since(changed(share, cells)), false).unwrap();
    assert_eq!(told(0.0, &[]), "Nothing has changed since the last picture.");
    assert_eq!(
        told(0.04, &[0]),
        "A little (4%) has changed since the last picture, mainly in the top left."
    );
    assert_eq!(
        told(0.3, &[0, 1, 2]),
        "Part of the picture (30%) has changed since the last picture, mainly in the top."
    );
    assert_eq!(
        told(0.78, &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        "Most of the picture (78%) has changed since the last picture."
    );
}

#[test]
fn a_change_of_brightness_is_told_with_it() {
    let change = Change { brightness: (60.0, 20.0), ..changed(0.9, &[4]) };
    assert!(difference("x", &change).ends_with("; it is darker now (60% before, 20% now)"));
}

#[test]
fn without_a_picture_to_compare_the_reason_is_told_only_when_asked() {
    for comparison in [Comparison::First, Comparison::NoConversation] {
        assert_eq!(change(&comparison, false), None);
        assert!(change(&comparison, true).unwrap().starts_with("I cannot say what changed"));
    }
}

#[test]
fn pictures_of_one_request_are_compared_with_each_other() {
    let within = |changes: &[Change]| change(&Comparison::Within(changes.to_vec()), false).unwrap();
    assert_eq!(
        within(&[changed(0.04, &[8])]),
        "A little (4%) has changed since the first of the two pictures, mainly in the bottom right."
    );
    assert_eq!(
        within(&[changed(0.0, &[]), changed(0.25, &[4])]),
        "Across the 3 pictures the largest change is from number 2 to number 3: 25% of the \
         picture, mainly in the centre."
    );
    assert_eq!(
        within(&[changed(0.0, &[]), changed(0.0, &[])]),
        "Nothing changes across the 3 pictures."
    );
}

#[test]
fn qr_codes_are_told_unasked() {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    assert_eq!(codes(&[], false), None);
    assert_eq!(codes(&texts(&["a"]), false).unwrap(), "There is a QR code that says \"a\".");
    assert_eq!(
        codes(&texts(&["a", "b"]), false).unwrap(),
        "There are 2 QR codes, which say \"a\" and \"b\"."
    );
}

#[test]
fn the_brief_answer_is_one_marked_line_that_leads_with_what_was_asked() {
    let since = Comparison::Since(changed(0.0, &[]));
    for (prompt, expected) in [
        ("Describe it.", "Mostly red, dim (34%) (stand-in)"),
        ("Is it sharp?", "Sharp, mostly red (stand-in)"),
        ("Did anything move?", "Nothing changed, mostly red (stand-in)"),
        ("Read the QR code", "No QR code, mostly red (stand-in)"),
        ("Colour and light?", "Mostly red, dim (34%) (stand-in)"),
    ] {
        assert_eq!(brief(prompt, &found(), &since), expected, "{prompt}");
    }
}
