//! From measurements to English.

use crate::colour::Colour;
use crate::measure::{Change, Measurements, Sharpness};
use crate::regions::{self, Cells};
use crate::topics::{Topic, topics};

const DISCLOSURE: &str =
    "I am demo-vlm, a stand-in, not a vision language model: I only measure pixels.";
const MARKER: &str = "(stand-in)";
const LONGEST_QUOTE: usize = 120;

/// Shares below which a change is nothing, little, or a part.
const NOTHING: f32 = 0.01;
const LITTLE: f32 = 0.1;
const HALF: f32 = 0.5;

/// What the newest picture is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Comparison {
    /// The request names no conversation.
    NoConversation,
    /// It is the first picture of its conversation.
    First,
    /// The last picture of the conversation.
    Since(Change),
    /// Each picture of the request with the one before it.
    Within(Vec<Change>),
}

/// Answers a prompt in several sentences.
pub(crate) fn long(prompt: &str, found: &Measurements, comparison: &Comparison) -> String {
    let mut sentences = vec![DISCLOSURE.to_owned()];
    if let Some(quote) = quote(prompt) {
        let stop = if quote.ends_with(['.', '!', '?', '…']) { "" } else { "." };
        sentences.push(format!("You asked: \"{quote}\"{stop}"));
    }
    let asked = topics(prompt);
    let others = Topic::ALL.into_iter().filter(|topic| !asked.contains(topic));
    for topic in asked.iter().copied().chain(others) {
        let wanted = asked.contains(&topic);
        sentences.extend(match topic {
            Topic::Colour => Some(colours(found)),
            Topic::Light => Some(light(found)),
            Topic::Sharpness => Some(sharpness(found.sharpness).to_owned()),
            Topic::Change => change(comparison, wanted),
            Topic::Codes => codes(&found.codes, wanted),
        });
    }
    sentences.join(" ")
}

/// Answers a prompt in one short line.
pub(crate) fn brief(prompt: &str, found: &Measurements, comparison: &Comparison) -> String {
    let asked = topics(prompt);
    let mut facts: Vec<_> =
        asked.iter().map(|&topic| brief_fact(topic, found, comparison)).collect();
    for topic in [Topic::Colour, Topic::Light] {
        if facts.len() < 2 && !asked.contains(&topic) {
            facts.push(brief_fact(topic, found, comparison));
        }
    }
    format!("{} {MARKER}", capitalised(&facts.join(", ")))
}

fn brief_fact(topic: Topic, found: &Measurements, comparison: &Comparison) -> String {
    match topic {
        Topic::Colour => overall(found),
        Topic::Light => format!("{} ({:.0}%)", brightness(found.brightness), found.brightness),
        Topic::Sharpness => match found.sharpness {
            Sharpness::Sharp => "sharp",
            Sharpness::Soft => "soft",
            Sharpness::Blurred => "blurred",
            Sharpness::Plain => "too plain to be sharp",
        }
        .to_owned(),
        Topic::Change => match comparison {
            Comparison::NoConversation | Comparison::First => "nothing to compare with".to_owned(),
            Comparison::Since(change) => brief_change(change),
            Comparison::Within(changes) => most(changes).map_or_else(String::new, brief_change),
        },
        Topic::Codes if found.codes.is_empty() => "no QR code".to_owned(),
        Topic::Codes => format!("QR code {}", quoted(&found.codes)),
    }
}

fn brief_change(change: &Change) -> String {
    if change.share < NOTHING {
        "nothing changed".to_owned()
    } else {
        format!("{:.0}% changed", change.share * 100.0)
    }
}

fn quote(prompt: &str) -> Option<String> {
    let words: Vec<_> = prompt.split_whitespace().collect();
    let prompt = words.join(" ");
    let mut quote: String = prompt.chars().take(LONGEST_QUOTE).collect();
    if quote.len() < prompt.len() {
        quote.push('…');
    }
    (!quote.is_empty()).then_some(quote)
}

fn colours(found: &Measurements) -> String {
    let mut text =
        format!("The picture is {} by {} pixels and {}", found.width, found.height, overall(found));
    let main = found.colours.first().map(|(colour, _)| *colour);
    let mut places: Vec<(Colour, Cells)> = Vec::new();
    for (at, colour) in found.regions.iter().enumerate() {
        let Some(colour) = colour.filter(|colour| Some(*colour) != main) else { continue };
        match places.iter_mut().find(|(known, _)| *known == colour) {
            Some((_, cells)) => cells[at] = true,
            None => {
                let mut cells = Cells::default();
                cells[at] = true;
                places.push((colour, cells));
            }
        }
    }
    let places: Vec<_> = places
        .iter()
        .map(|(colour, cells)| {
            let names = regions::names(cells);
            let verb = if names.len() == 1 { "is" } else { "are" };
            format!("{} {verb} {colour}", regions::list(&names))
        })
        .collect();
    if !places.is_empty() {
        text.push_str("; ");
        text.push_str(&places.join(", "));
    }
    text.push('.');
    text
}

fn overall(found: &Measurements) -> String {
    match found.colours.as_slice() {
        [] => "without any colour".to_owned(),
        [(colour, share), ..] if *share >= 0.995 => format!("entirely {colour}"),
        [(colour, share), ..] if *share >= 0.85 => format!("almost entirely {colour}"),
        [(colour, share), ..] if *share >= 0.5 => format!("mostly {colour}"),
        colours => {
            let parts: Vec<_> = colours
                .iter()
                .take(3)
                .map(|(colour, share)| format!("{colour} ({:.0}%)", share * 100.0))
                .collect();
            format!("a mix of {}", regions::list(&parts))
        }
    }
}

fn light(found: &Measurements) -> String {
    let contrast = match found.contrast {
        contrast if contrast < 20.0 => "low",
        contrast if contrast < 55.0 => "moderate",
        _ => "high",
    };
    format!(
        "It is {} ({:.0}% brightness) with {contrast} contrast ({:.0}%).",
        brightness(found.brightness),
        found.brightness,
        found.contrast
    )
}

fn brightness(percent: f32) -> &'static str {
    match percent {
        percent if percent < 20.0 => "dark",
        percent if percent < 40.0 => "dim",
        percent if percent < 65.0 => "moderately bright",
        _ => "bright",
    }
}

fn sharpness(sharpness: Sharpness) -> &'static str {
    match sharpness {
        Sharpness::Sharp => "It is sharp.",
        Sharpness::Soft => "It is a little soft.",
        Sharpness::Blurred => "It is blurred.",
        Sharpness::Plain => "It is too plain to tell whether it is sharp.",
    }
}

/// A sentence about what changed, or why there is none if one is wanted.
fn change(comparison: &Comparison, wanted: bool) -> Option<String> {
    match comparison {
        Comparison::NoConversation => wanted.then(|| {
            "I cannot say what changed, since the request names no `user` whose last picture I \
             could compare."
                .to_owned()
        }),
        Comparison::First => wanted.then(|| {
            "I cannot say what changed, since this is the first picture of the conversation."
                .to_owned()
        }),
        Comparison::Since(change) => Some(format!("{}.", difference("the last picture", change))),
        Comparison::Within(changes) => {
            let most = most(changes)?;
            let count = changes.len() + 1;
            let at = changes.iter().position(|change| change == most).unwrap_or_default() + 1;
            Some(if count == 2 {
                format!("{}.", difference("the first of the two pictures", most))
            } else if most.share < NOTHING {
                format!("Nothing changes across the {count} pictures.")
            } else {
                format!(
                    "Across the {count} pictures the largest change is from number {at} to \
                     number {}: {:.0}% of the picture, {}.",
                    at + 1,
                    most.share * 100.0,
                    place(&most.regions)
                )
            })
        }
    }
}

fn most(changes: &[Change]) -> Option<&Change> {
    changes.iter().reduce(|most, change| if change.share > most.share { change } else { most })
}

fn difference(before: &str, change: &Change) -> String {
    let percent = change.share * 100.0;
    let place = place(&change.regions);
    let mut text = match change.share {
        share if share < NOTHING => return format!("Nothing has changed since {before}"),
        share if share < LITTLE => {
            format!("A little ({percent:.0}%) has changed since {before}, {place}")
        }
        share if share < HALF => {
            format!("Part of the picture ({percent:.0}%) has changed since {before}, {place}")
        }
        _ => format!("Most of the picture ({percent:.0}%) has changed since {before}"),
    };
    let (from, to) = change.brightness;
    if (to - from).abs() >= 5.0 {
        let way = if to > from { "brighter" } else { "darker" };
        text.push_str(&format!("; it is {way} now ({from:.0}% before, {to:.0}% now)"));
    }
    text
}

fn place(regions: &Cells) -> String {
    if regions.iter().filter(|&&region| region).count() >= 7 {
        "all over".to_owned()
    } else {
        format!("mainly in {}", regions::list(&regions::names(regions)))
    }
}

fn codes(codes: &[String], wanted: bool) -> Option<String> {
    match codes {
        [] => wanted
            .then(|| "I find no QR code, and other text is beyond what I can read.".to_owned()),
        [one] => Some(format!("There is a QR code that says \"{one}\".")),
        many => Some(format!("There are {} QR codes, which say {}.", many.len(), quoted(many))),
    }
}

fn quoted(texts: &[String]) -> String {
    let quoted: Vec<_> = texts.iter().map(|text| format!("\"{text}\"")).collect();
    regions::list(&quoted)
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map(|first| first.to_uppercase().chain(characters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
#[path = "describe_tests.rs"]
mod tests;
