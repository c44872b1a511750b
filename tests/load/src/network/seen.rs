//! What a page has told of itself while it was watched. Reads and computes; times are ms since 1970
//! by the one clock of this host.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::vlm::ANSWER;

/// An answer that has reached the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) at_ms: u64,
    /// When its picture was captured.
    pub(crate) captured_ms: u64,
}

/// What stands on the page from then on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) at_ms: u64,
    pub(crate) state: String,
    pub(crate) problems: Vec<String>,
}

impl Said {
    /// Whether it tells that something is wrong, and not only that one must wait.
    fn is_trouble(&self) -> bool {
        const WELL: [&str; 4] = ["", "Live", "Ready", "Connecting…"];
        let waits = self.state.starts_with("Waiting");
        !self.problems.is_empty() || !(waits || WELL.contains(&self.state.as_str()))
    }

    /// One line of it.
    pub(crate) fn line(&self) -> String {
        [&[self.state.clone()][..], &self.problems].concat().join(" | ")
    }

    /// Whether it is the same but for figures, as those that count down are.
    fn is_like(&self, other: &Self) -> bool {
        let words = |said: &Self| said.line().replace(|letter: char| letter.is_ascii_digit(), "");
        words(self) == words(other)
    }
}

/// What connections have counted so far, of all that the page has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counted {
    pub(crate) requests: u64,
    /// `None` where the browser does not count them.
    pub(crate) key_frames: Option<u64>,
    pub(crate) nacks: u64,
    pub(crate) bytes: u64,
    pub(crate) resent: u64,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// When Play was pressed.
    pub(crate) pressed_ms: Option<u64>,
    /// As they came, each picture's once.
    pub(crate) answers: Vec<Answer>,
    pub(crate) said: Vec<Said>,
    pub(crate) uncaught: Vec<String>,
    /// The newest connection's codec, size of picture, and path.
    pub(crate) sends: String,
    peers: BTreeMap<u64, Counted>,
    counted: Vec<(u64, Counted)>,
    known: BTreeSet<u64>,
}

impl Seen {
    /// Takes what the page tells in one line.
    pub(crate) fn add(&mut self, told: &Value) {
        if told["event"] == "uncaught" {
            self.uncaught.extend(told["message"].as_str().map(str::to_owned));
        }
        if told["event"] != "news" {
            return;
        }
        self.pressed_ms = told["pressed"].as_u64().or(self.pressed_ms);
        for answer in list(&told["answers"]) {
            let text = answer["text"].as_str().and_then(|text| text.strip_prefix(ANSWER));
            let captured = text.and_then(|number| number.parse().ok());
            if let (Some(at_ms), Some(captured_ms)) = (answer["at"].as_u64(), captured)
                && self.known.insert(captured_ms)
            {
                self.answers.push(Answer { at_ms, captured_ms });
            }
        }
        for said in list(&told["said"]) {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let said = Said {
                at_ms: said["at"].as_u64().unwrap_or(0),
                state: text(&said["state"]),
                problems: list(&said["problems"]).iter().map(text).collect(),
            };
            if !self.said.last().is_some_and(|last| last.is_like(&said)) {
                self.said.push(said);
            }
        }
        for peer in list(&told["peers"]) {
            self.add_peer(peer);
        }
        let sum = self.peers.values().fold(Counted::default(), |sum, peer| Counted {
            requests: sum.requests + peer.requests,
            key_frames: match (sum.key_frames, peer.key_frames) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            },
            nacks: sum.nacks + peer.nacks,
            bytes: sum.bytes + peer.bytes,
            resent: sum.resent + peer.resent,
        });
        self.counted.push((told["at"].as_u64().unwrap_or(0), sum));
    }

    fn add_peer(&mut self, peer: &Value) {
        let number = |name: &str| peer[name].as_u64();
        let Some(which) = number("number") else { return };
        let counted = Counted {
            requests: number("requests").unwrap_or(0),
            key_frames: number("key_frames"),
            nacks: number("nacks").unwrap_or(0),
            bytes: number("bytes").unwrap_or(0),
            resent: number("resent").unwrap_or(0),
        };
        self.peers.insert(which, counted);
        let text = |name: &str| peer[name].as_str().unwrap_or("?").to_owned();
        let codec = text("codec").replace("video/", "");
        let size = |name: &str| number(name).map_or("?".to_owned(), |value| value.to_string());
        self.sends = format!("{codec} {}x{}, {}", size("width"), size("height"), text("path"));
    }

    /// What connections had counted at that time.
    pub(crate) fn counted_at(&self, ms: u64) -> Counted {
        let before = self.counted.iter().take_while(|(at, _)| *at <= ms).last();
        before.map_or_else(Counted::default, |(_, counted)| *counted)
    }

    /// The first answer about a picture that is not older than that.
    pub(crate) fn answered_since(&self, ms: u64) -> Option<Answer> {
        self.answers.iter().copied().find(|answer| answer.captured_ms >= ms)
    }

    /// What stood on the page then, and what it said from then until the end.
    pub(crate) fn said_since(&self, ms: u64) -> impl Iterator<Item = &Said> {
        let before = self.said.iter().take_while(|said| said.at_ms < ms).count();
        self.said.iter().skip(before.saturating_sub(1))
    }

    /// When the page first told of trouble since then.
    pub(crate) fn trouble_since(&self, ms: u64) -> Option<u64> {
        let later = self.said.iter().filter(|said| said.at_ms >= ms);
        later.filter(|said| said.is_trouble()).map(|said| said.at_ms).next()
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(news: &[Value]) -> Seen {
        let mut seen = Seen::default();
        for news in news {
            let mut news = news.clone();
            news["event"] = "news".into();
            seen.add(&news);
        }
        seen
    }

    #[test]
    fn an_answer_counts_once_however_often_it_comes() {
        let answer = |at: u64, number: u64| json!({"at": at, "text": format!("number {number}")});
        let seen = seen(&[
            json!({"answers": [answer(5000, 4000), {"at": 1, "text": "no number"}]}),
            json!({"answers": [answer(9000, 4000), answer(9000, 6000), answer(9001, 8000)]}),
        ]);
        let got: Vec<_> = seen.answers.iter().map(|a| (a.at_ms, a.captured_ms)).collect();
        assert_eq!(got, [(5000, 4000), (9000, 6000), (9001, 8000)]);
        assert_eq!(seen.answered_since(6001).map(|answer| answer.at_ms), Some(9001));
        assert_eq!(seen.answered_since(8001), None);
    }

    #[test]
    fn what_connections_count_is_summed_up_and_kept_when_they_are_closed() {
        let peer = |number: u64, requests: u64, key_frames: Option<u64>| json!({"number": number, "requests": requests, "key_frames": key_frames, "nacks": 1});
        let seen = seen(&[
            json!({"at": 1000, "peers": [peer(0, 2, Some(3))]}),
            json!({"at": 2000, "peers": [peer(0, 4, Some(5))]}),
            json!({"at": 3000, "peers": [peer(1, 1, None)]}),
            json!({"at": 4000, "peers": []}),
        ]);
        let at = |ms| {
            let counted = seen.counted_at(ms);
            (counted.requests, counted.key_frames, counted.nacks)
        };
        assert_eq!(at(999), (0, None, 0));
        assert_eq!(at(1999), (2, Some(3), 1));
        assert_eq!(at(2000), (4, Some(5), 1));
        assert_eq!(at(9999), (5, Some(5), 2));
    }

    #[test]
    fn counting_down_is_one_thing_said() {
        let said = |at: u64, state: &str, problem: &str| json!({"at": at, "state": state, "problems": [problem]});
        let seen = seen(&[json!({"said": [
            {"at": 1, "state": "Live", "problems": []},
            said(2, "The server cannot be reached. Trying again in 10 s", "Gone."),
            said(3, "The server cannot be reached. Trying again in 9 s", "Gone."),
            said(4, "Connecting…", "Gone."),
            {"at": 5, "state": "Live", "problems": []},
        ]})]);
        let at: Vec<_> = seen.said.iter().map(|said| said.at_ms).collect();
        assert_eq!(at, [1, 2, 4, 5]);
        let since = |ms| seen.said_since(ms).map(|said| said.at_ms).collect::<Vec<_>>();
        assert_eq!(since(2), [1, 2, 4, 5]);
        assert_eq!(since(3), [2, 4, 5]);
        assert_eq!(seen.trouble_since(1), Some(2));
        assert_eq!(seen.trouble_since(3), Some(4));
        assert_eq!(seen.trouble_since(5), None);
    }
}
