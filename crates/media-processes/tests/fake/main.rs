//! A media process that has no media: what an offer says is what it does. Most of it is what no
//! honest process does.

#![allow(missing_docs)]

mod deeds;
mod link;

use std::{collections::BTreeSet, env, fs, time::Duration};

use live_vlm_media_link::{
    Answered, Codec, ConnectionId, FrameCounts, FromMedia, LogLevel, PictureInfo, SandboxParts,
    ToMedia, VERSION,
};

use self::link::Link;

/// What is sent as a picture.
const PICTURE: &[u8] = b"a picture";

fn main() {
    let argument = env::args().nth(1).unwrap_or_default();
    if argument == "zygote" {
        let child = |socket| {
            live(Link::new(socket), "");
            0
        };
        live_vlm_zygote::serve(|| Ok(()), child).expect("a zygote");
    } else {
        live(Link::of_process(), &argument);
    }
}

fn live(mut link: Link, argument: &str) {
    match argument {
        "exits" => std::process::exit(7),
        "never-ready" => deeds::hang(),
        "hurries" => link.send(FromMedia::Pong { number: 0 }),
        _ => {}
    }
    let version = if argument == "old" { VERSION - 1 } else { VERSION };
    let sandbox = SandboxParts { applied: Vec::new(), lacking: vec!["landlock".to_owned()] };
    link.send(FromMedia::Ready { version, codecs: vec![Codec::Vp8], sandbox });
    let mut fake = Fake {
        link,
        deaf_to_turns: BTreeSet::new(),
        never_stops: BTreeSet::new(),
        hangs_when_asked: BTreeSet::new(),
        picture: PICTURE.to_vec(),
    };
    while let Some(message) = fake.link.next() {
        fake.hear(message);
    }
}

struct Fake {
    link: Link,
    deaf_to_turns: BTreeSet<ConnectionId>,
    never_stops: BTreeSet<ConnectionId>,
    hangs_when_asked: BTreeSet<ConnectionId>,
    picture: Vec<u8>,
}

impl Fake {
    fn hear(&mut self, message: ToMedia) {
        match message {
            ToMedia::Ping { number } => self.link.send(FromMedia::Pong { number }),
            ToMedia::Offer { connection, sdp, .. } => self.answer(connection, &sdp),
            ToMedia::Turn { connection } if !self.deaf_to_turns.contains(&connection) => {
                self.question(connection);
            }
            ToMedia::Ended { connection, .. } => {
                self.link.send(FromMedia::Want { connection, urgent: false, lead: Duration::ZERO });
            }
            ToMedia::AskNow { connection } if self.hangs_when_asked.contains(&connection) => {
                deeds::hang();
            }
            ToMedia::AskNow { connection } => self.log(connection, "asks now"),
            ToMedia::Settings { connection, settings } => {
                self.log(connection, &format!("interval {:?}", settings.interval));
            }
            ToMedia::Stop { connection } if !self.never_stops.contains(&connection) => {
                self.link.send(FromMedia::Stopped { connection });
            }
            _ => {}
        }
    }

    fn log(&mut self, connection: ConnectionId, message: &str) {
        let (connection, message) = (Some(connection), message.to_owned());
        let target = "fake".to_owned();
        self.link.send(FromMedia::Log { level: LogLevel::Info, target, connection, message });
    }

    fn question(&mut self, connection: ConnectionId) {
        let info = PictureInfo {
            bytes: self.picture.len() as u32,
            label: String::new(),
            captured_ago: Duration::from_millis(5),
        };
        let question = FromMedia::Question { connection, pictures: vec![info] };
        self.link.send_with(question, &self.picture);
    }

    fn answer(&mut self, connection: ConnectionId, sdp: &str) {
        let answer = match sdp {
            "inspect" => inspected(),
            "no-answer" => return,
            "refuse" => {
                let result = Err(live_vlm_media_link::OfferError::NoVideo);
                return self.link.send(FromMedia::Answered { connection, result });
            }
            _ => format!("answer to {sdp}"),
        };
        let result =
            Ok(Answered { sdp: answer, codec: Codec::Vp8, found_all: true, goes_back: false });
        self.link.send(FromMedia::Answered { connection, result });
        match sdp {
            "deaf-to-turns" => drop(self.deaf_to_turns.insert(connection)),
            "hangs-when-asked" => drop(self.hangs_when_asked.insert(connection)),
            "never-stops" => drop(self.never_stops.insert(connection)),
            _ => {
                if let Some(size) = sdp.strip_prefix("pictures of ") {
                    self.picture = vec![b'x'; size.parse().expect("their size in bytes")];
                }
            }
        }
        self.link.send(FromMedia::Connected { connection });
        self.link.send(FromMedia::FirstFrame { connection });
        let counts = FrameCounts { received: 3, decoded: 2, asked: 1, unchanged: 4 };
        self.link.send(FromMedia::Frames { connection, counts });
        deeds::does(sdp, connection, &mut self.link);
        self.link.send(FromMedia::Want {
            connection,
            urgent: sdp == "urgent",
            lead: Duration::ZERO,
        });
        if sdp == "gives-up" {
            self.link.send(FromMedia::GiveUp { connection });
        }
    }
}

/// What this process has of the one that started it.
fn inspected() -> String {
    let mut files: Vec<_> = fs::read_dir("/proc/self/fd")
        .expect("the process's files")
        .filter_map(|entry| {
            let target = fs::read_link(entry.ok()?.path()).ok()?.to_string_lossy().into_owned();
            let what = target.split(':').next().unwrap_or_default().to_owned();
            // The folder itself is open while it is read.
            (!what.ends_with("/fd")).then_some(what)
        })
        .collect();
    files.sort();
    let environment: Vec<_> = env::vars().map(|(name, value)| format!("{name}={value}")).collect();
    let arguments: Vec<_> = env::args().skip(1).collect();
    format!("files {files:?} environment {environment:?} arguments {arguments:?}")
}
