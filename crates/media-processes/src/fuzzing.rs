//! What `cargo fuzz` calls; see `docs/fuzzing.md`. The tests replay its corpus.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::BufMut;
use live_vlm_media_link::{
    ConnectionId, Decoder, FromMedia, LinkError, MAX_ATTACHMENT, NetworkOptions, Outcome,
    PeerTimeouts, Received, SamplingSettings, ToMedia,
};

use crate::{
    ask::Question,
    conduct::{Allowance, Breach, Conduct, Verdict},
    deadlines::{LOOK, Patience},
};

/// Lines of one input that are read.
const MOST_LINES: usize = 500;

/// What happens between live-vlm and a media process, line by line: `> turn 1` is a message of ours,
/// `+ 1500` is time that passes, in milliseconds, and any other line is the JSON of a message of
/// theirs, which comes with as many bytes of pictures as it announces. They are judged up to the
/// first breach.
///
/// # Panics
/// When something counts that is out of order, or more is kept than there may be.
pub fn media_conduct(data: &[u8]) {
    judge(data);
}

/// The number of the line that ended it, counted from 0.
fn judge(data: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(data).ok()?;
    let mut scene = Scene::new();
    for (number, line) in text.lines().take(MOST_LINES).enumerate() {
        let step = match line.split_once(' ') {
            Some((">", message)) => scene.send(message),
            Some(("+", time)) => scene.pass(time),
            _ => scene.hear(line),
        };
        if step.is_err() {
            return Some(number);
        }
    }
    None
}

/// No more is judged.
struct Over;

/// What is known of a connection without looking at how it is judged.
#[derive(Debug, Default)]
struct Known {
    wants: u32,
    turns: u32,
    questions: u32,
    ends: u32,
    is_stopping: bool,
}

struct Scene {
    conduct: Conduct,
    decoder: Decoder<FromMedia>,
    now: Instant,
    connections: BTreeMap<ConnectionId, Known>,
}

impl Scene {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            conduct: Conduct::new(Allowance::default(), Patience::default(), now),
            decoder: Decoder::default(),
            now,
            connections: BTreeMap::new(),
        }
    }

    fn send(&mut self, message: &str) -> Result<(), Over> {
        let Some(message) = ours(message) else { return Ok(()) };
        let Some(connection) = message.connection() else {
            self.conduct.sends(&message, self.now);
            return Ok(());
        };
        let was_there = self.connections.contains_key(&connection);
        let is_sent = self.conduct.sends(&message, self.now);
        assert_eq!(self.conduct.has(connection), was_there || is_sent);
        if !is_sent {
            return Ok(());
        }
        let known = self.connections.entry(connection).or_default();
        assert!(!known.is_stopping, "it gets no message any more");
        match message {
            ToMedia::Offer { .. } => assert!(!was_there),
            ToMedia::Turn { .. } => known.turns += 1,
            ToMedia::Ended { .. } => known.ends += 1,
            ToMedia::Stop { .. } => known.is_stopping = true,
            _ => {}
        }
        known.check();
        Ok(())
    }

    fn pass(&mut self, time: &str) -> Result<(), Over> {
        let time = time.parse().unwrap_or(0).min(100_000);
        self.now += Duration::from_millis(time);
        let overdue = self.conduct.overdue(self.now);
        assert!(self.conduct.next_look() <= self.now + LOOK);
        overdue.map_or(Ok(()), |_| Err(Over))
    }

    fn hear(&mut self, json: &str) -> Result<(), Over> {
        let received = match self.decode(json) {
            Ok(Some(received)) => received,
            // Nothing of the next line belongs to it.
            Ok(None) => return Err(Over),
            Err(error) => {
                assert!(Breach::of_link(&error).is_some(), "{error} is nobody's fault");
                return Err(Over);
            }
        };
        let Received { message, attachment } = received;
        let verdict = self.conduct.hears(&message, json.len() as u64, self.now);
        let Ok(verdict) = verdict else { return Err(Over) };
        if let FromMedia::Question { pictures, .. } = &message {
            let question = Question::new(pictures.clone(), attachment.clone(), self.now);
            let bytes: usize = question.pictures.iter().map(|picture| picture.jpeg.len()).sum();
            assert_eq!(bytes, attachment.len());
            assert!(question.pictures.iter().all(|picture| picture.captured <= self.now));
        }
        self.follow(&message, verdict);
        Ok(())
    }

    fn follow(&mut self, message: &FromMedia, verdict: Verdict) {
        let is_about_one = !matches!(message, FromMedia::Log { .. });
        let Some(connection) = message.connection().filter(|_| is_about_one) else { return };
        let known = self.connections.get_mut(&connection).expect("one that was offered");
        let is_last = match message {
            FromMedia::Stopped { .. } => true,
            FromMedia::Answered { result, .. } => result.is_err(),
            _ => false,
        };
        let counts = verdict == Verdict::Counts;
        assert!(!known.is_stopping || counts == is_last, "of what ends only the end counts");
        match message {
            FromMedia::Want { .. } if counts => known.wants += 1,
            FromMedia::Question { .. } | FromMedia::NoQuestion { .. } if counts => {
                known.questions += 1;
            }
            _ => {}
        }
        known.check();
        if is_last {
            self.connections.remove(&connection);
        }
        assert_eq!(self.conduct.has(connection), !is_last);
    }

    fn decode(&mut self, json: &str) -> Result<Option<Received<FromMedia>>, LinkError> {
        let attachment = announced(json);
        let lengths = [json.len(), attachment].map(|length| length as u32);
        self.feed(&lengths.map(u32::to_le_bytes).concat())?;
        if attachment > MAX_ATTACHMENT {
            return self.decoder.next();
        }
        self.feed(json.as_bytes())?;
        self.feed(&vec![b'x'; attachment])?;
        self.decoder.next()
    }

    fn feed(&mut self, mut bytes: &[u8]) -> Result<(), LinkError> {
        while !bytes.is_empty() {
            let mut room = self.decoder.room();
            let taken = room.remaining_mut().min(bytes.len());
            room.put_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if !bytes.is_empty() {
                // It makes room for the next part, and no message is complete yet.
                assert!(self.decoder.next()?.is_none());
            }
        }
        Ok(())
    }
}

impl Known {
    fn check(&self) {
        let Self { wants, turns, questions, ends, .. } = *self;
        assert!(ends <= wants && wants <= ends + 1, "each want has one end: {self:?}");
        assert!(turns <= wants && questions <= turns, "no question without a turn: {self:?}");
    }
}

/// A message of ours.
fn ours(text: &str) -> Option<ToMedia> {
    let (kind, number) = text.split_once(' ')?;
    let number: u64 = number.parse().ok()?;
    let connection = ConnectionId(number);
    Some(match kind {
        "ping" => ToMedia::Ping { number },
        "offer" => ToMedia::Offer {
            connection,
            sdp: String::new(),
            network: NetworkOptions::default(),
            timeouts: PeerTimeouts::default(),
            settings: SamplingSettings::default(),
        },
        "near" => ToMedia::TurnNear { connection },
        "turn" => ToMedia::Turn { connection },
        "end" => ToMedia::Ended { connection, outcome: Outcome::Done },
        "stop" => ToMedia::Stop { connection },
        "now" => ToMedia::AskNow { connection },
        _ => return None,
    })
}

/// How many bytes of pictures a message announces, if it can be read.
fn announced(json: &str) -> usize {
    match serde_json::from_str(json) {
        Ok(FromMedia::Question { pictures, .. }) => {
            let lengths = pictures.iter().map(|picture| picture.bytes as usize);
            lengths.fold(0, usize::saturating_add).min(u32::MAX as usize)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    #[test]
    fn the_corpus_is_judged_as_it_should_be() {
        for (name, ended_by) in [
            ("honest", None),
            ("crossing", None),
            ("refused", Some(6)),
            ("silent", Some(5)),
            ("huge", Some(4)),
            ("wishes", Some(43)),
        ] {
            let data = fs::read(live_vlm_corpus::folder("media_conduct").join(name)).unwrap();
            assert_eq!(super::judge(&data), ended_by, "{name}");
        }
        live_vlm_corpus::replay("media_conduct", super::media_conduct);
    }
}
