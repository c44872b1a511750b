//! What comes of what was seen, in figures.

use serde_json::{Value, json};

use super::{conditions::Wanted, seen::Seen};
use crate::{report::figure, stats::percentile, vlm::Asked};

/// When what happened, in ms since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// What is measured lies between these.
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Something was done to a page that got answers.
    pub(crate) event: Option<u64>,
    /// From then on answers could come again.
    pub(crate) over: Option<u64>,
}

/// The figures of one page in one condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    /// Seconds from Play to the first answer.
    pub(crate) first: Option<f64>,
    /// Answers a second; `None` where something happened meanwhile.
    pub(crate) rate: Option<f64>,
    /// Milliseconds from capture to arrival at the VLM.
    pub(crate) age_p50: Option<f64>,
    pub(crate) age_p95: Option<f64>,
    /// The most seconds without a new answer.
    pub(crate) gap: f64,
    /// Key-frame requests that the browser got, and key frames that it made, a second.
    pub(crate) requests: f64,
    pub(crate) key_frames: Option<f64>,
    /// NACKs that the browser got, a second.
    pub(crate) nacks: f64,
    pub(crate) kbits: f64,
    /// Seconds until an answer about a picture from after what happened.
    pub(crate) back: Option<f64>,
    /// Seconds from Play, or from what happened, until the page told of trouble.
    pub(crate) told: Option<f64>,
    pub(crate) answers: usize,
    /// Questions at the VLM, and those with another prompt than the page's.
    pub(crate) asked: usize,
    pub(crate) asked_otherwise: usize,
}

/// Works the figures out. `interval` is the seconds between two questions.
pub(crate) fn found(
    seen: &Seen,
    asked: &[Asked],
    prompt: &str,
    interval: f64,
    times: Times,
) -> Found {
    let Times { from, to, event, over } = times;
    let seconds = span(from, to);
    let within = |ms: u64| (from..=to).contains(&ms);
    let first = seen.pressed_ms.and_then(|pressed| {
        let first = seen.answers.iter().find(|answer| answer.at_ms >= pressed)?;
        Some(span(pressed, first.at_ms))
    });
    let answers: Vec<u64> =
        seen.answers.iter().map(|answer| answer.at_ms).filter(|at| within(*at)).collect();
    let before = seen.answers.iter().map(|answer| answer.at_ms).filter(|at| *at < from).max();
    let asked: Vec<&Asked> = asked.iter().filter(|asked| within(asked.at_ms)).collect();
    let ages: Vec<f64> =
        asked.iter().filter_map(|asked| Some(asked.at_ms as f64 - asked.number? as f64)).collect();
    let (begin, end) = (seen.counted_at(from), seen.counted_at(to));
    let per_second = |begin: u64, end: u64| end.saturating_sub(begin) as f64 / seconds;
    let since = |from: u64| move |at: u64| span(from, at);
    Found {
        first,
        rate: event.is_none().then(|| rate(before.unwrap_or(from), &answers, to, interval)),
        age_p50: percentile(&ages, 0.5),
        age_p95: percentile(&ages, 0.95),
        gap: gap(before.unwrap_or(from), &answers, to),
        requests: per_second(begin.requests, end.requests),
        key_frames: end.key_frames.map(|frames| per_second(begin.key_frames.unwrap_or(0), frames)),
        nacks: per_second(begin.nacks, end.nacks),
        kbits: per_second(begin.bytes, end.bytes) * 8.0 / 1000.0,
        back: over
            .and_then(|over| seen.answered_since(over).map(|answer| span(over, answer.at_ms))),
        told: event.or(seen.pressed_ms).and_then(|at| seen.trouble_since(at).map(since(at))),
        answers: answers.len(),
        asked: asked.len(),
        asked_otherwise: asked.iter().filter(|asked| asked.prompt != prompt).count(),
    }
}

fn span(from: u64, to: u64) -> f64 {
    (to as f64 - from as f64) / 1000.0
}

/// From the answer before to the last one, so that it does not matter where in an interval the time
/// begins and ends; an answer that is overdue at the end counts as missing.
fn rate(before: u64, answers: &[u64], to: u64, interval: f64) -> f64 {
    let last = answers.last().copied().unwrap_or(before);
    let until = if span(last, to) > 1.5 * interval { to } else { last };
    answers.len() as f64 / span(before, until).max(interval)
}

fn gap(before: u64, answers: &[u64], to: u64) -> f64 {
    let all: Vec<u64> = [before].into_iter().chain(answers.iter().copied()).chain([to]).collect();
    all.windows(2).map(|pair| span(pair[0], pair[1])).fold(0.0, f64::max)
}

impl Found {
    /// What of `wanted` was not reached, in words.
    pub(crate) fn missed(&self, wanted: &Wanted) -> Vec<String> {
        let least = |what: &str, got: Option<f64>, least: Option<f64>| {
            let least = least?;
            let missed = got.is_none_or(|got| got < least);
            missed.then(|| format!("{what} {}, at least {least} wanted", figure(got, 2)))
        };
        let most = |what: &str, got: Option<f64>, most: Option<f64>| {
            let most = most?;
            let missed = got.is_none_or(|got| got > most);
            missed.then(|| format!("{what} {}, at most {most} wanted", figure(got, 2)))
        };
        [
            least("answers a second", self.rate, wanted.rate),
            most("key-frame requests a second", Some(self.requests), wanted.requests),
            most("seconds to the first answer", self.first, wanted.first),
            most("seconds until answers came again", self.back, wanted.back),
            most("seconds until the page said so", self.told, wanted.told),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "first_answer_s": self.first,
            "answers_per_second": self.rate,
            "age_p50_ms": self.age_p50,
            "age_p95_ms": self.age_p95,
            "longest_gap_s": self.gap,
            "key_frame_requests_per_second": self.requests,
            "key_frames_per_second": self.key_frames,
            "nacks_per_second": self.nacks,
            "kbit_per_second": self.kbits,
            "back_s": self.back,
            "told_s": self.told,
            "answers": self.answers,
            "questions": self.asked,
            "questions_with_another_prompt": self.asked_otherwise,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEADY: Times = Times { from: 10_000, to: 20_000, event: None, over: None };

    /// A page that pressed Play at 1 s and gets answers at these times, about pictures that were
    /// captured 400 ms before.
    fn seen(answers: impl IntoIterator<Item = u64>) -> Seen {
        let answers: Vec<_> = answers
            .into_iter()
            .map(|at| json!({"at": at, "text": format!("number {}", at - 400)}))
            .collect();
        let mut seen = Seen::default();
        seen.add(&json!({"event": "news", "pressed": 1000, "answers": answers}));
        seen
    }

    fn asked(at_ms: u64, age: u64, prompt: &str) -> Asked {
        Asked { at_ms, number: Some(at_ms - age), prompt: prompt.to_owned() }
    }

    fn of(seen: &Seen, times: Times) -> Found {
        found(seen, &[], "?", 1.0, times)
    }

    #[test]
    fn an_answer_each_second_is_one_wherever_the_time_begins() {
        for phase in [0, 300, 999] {
            let found = of(&seen((2..30).map(|n| n * 1000 + phase)), STEADY);
            assert_eq!((found.rate, found.gap), (Some(1.0), 1.0), "{phase}");
        }
        assert_eq!(of(&seen((2..30).map(|n| n * 1000)), STEADY).first, Some(1.0));
    }

    #[test]
    fn missing_answers_lower_the_rate_also_at_the_end() {
        let half = of(&seen((1..15).map(|n| n * 2000)), STEADY);
        assert_eq!((half.rate, half.gap), (Some(0.5), 2.0));
        let found = of(&seen((2..=15).map(|n| n * 1000)), STEADY);
        // 10 s to 15 s: six of eleven seconds, as the answer at 9 s is the one before.
        assert_eq!((found.answers, found.gap), (6, 5.0));
        assert_eq!(found.rate, Some(6.0 / 11.0));
        assert_eq!(of(&seen([]), STEADY).rate, Some(0.0));
        assert_eq!(of(&seen([]), STEADY).first, None);
    }

    #[test]
    fn back_counts_from_the_end_of_what_happened_and_only_new_pictures() {
        let times = Times { event: Some(12_000), over: Some(15_000), ..STEADY };
        let found = of(&seen([11_000, 15_300, 16_500, 17_500]), times);
        assert_eq!((found.back, found.rate), (Some(1.5), None));
        assert_eq!(of(&seen([11_000, 15_300]), times).back, None);
    }

    #[test]
    fn ages_and_foreign_prompts_are_those_of_questions_in_the_time() {
        let asked = [
            asked(9_000, 5_000, "mine"),
            asked(11_000, 100, "mine"),
            asked(12_000, 300, "default"),
            asked(13_000, 200, "mine"),
        ];
        let found = found(&seen([]), &asked, "mine", 1.0, STEADY);
        assert_eq!((found.age_p50, found.age_p95), (Some(200.0), Some(300.0)));
        assert_eq!((found.asked, found.asked_otherwise), (3, 1));
    }

    #[test]
    fn requests_and_frames_are_counted_in_the_time_only() {
        let mut seen = seen([]);
        for (at, requests, key_frames) in [(9_900, 7, 8), (20_000, 27, 18), (25_000, 99, 99)] {
            let peer = json!({
                "number": 0, "requests": requests, "key_frames": key_frames, "bytes": at * 100,
            });
            seen.add(&json!({"event": "news", "at": at, "peers": [peer]}));
        }
        let found = of(&seen, STEADY);
        assert_eq!((found.requests, found.key_frames), (2.0, Some(1.0)));
        assert_eq!(found.kbits, 808.0);
    }

    #[test]
    fn what_is_missed_is_said_with_what_was_wanted() {
        let wanted =
            Wanted { rate: Some(0.9), first: Some(2.0), told: Some(6.0), ..Wanted::default() };
        let missed = of(&seen((1..15).map(|n| n * 2000)), STEADY).missed(&wanted);
        let expected = [
            "answers a second 0.50, at least 0.9 wanted",
            "seconds until the page said so -, at most 6 wanted",
        ];
        assert_eq!(missed, expected);
    }
}
