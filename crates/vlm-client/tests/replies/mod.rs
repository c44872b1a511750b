//! What servers write, as they write it, and what must come of it. The element's tests read it too.
#![allow(dead_code, reason = "not all who read it need all of it")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use serde::Deserialize;
use serde_json::Value;

/// A reply, and what must come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reply {
    pub(crate) name: String,
    #[serde(default = "ok")]
    status: String,
    headers: Option<Vec<String>>,
    body: String,
    /// Each character of the body is sent as one byte.
    #[serde(default)]
    is_latin1: bool,
    /// `gzip`, `zlib` or `deflate`.
    packed: Option<String>,
    /// The connection stays open behind the body.
    #[serde(default)]
    pub(crate) stays_open: bool,
    /// It is given as long as a question has this field, which is not `false`; others are answered.
    refuses: Option<String>,
    /// The whole answer.
    pub(crate) answer: Option<String>,
    /// A part of it.
    pub(crate) answer_contains: Option<String>,
    /// Whether something was thought.
    pub(crate) thinks: Option<bool>,
    /// The answer as JSON.
    pub(crate) json: Option<String>,
    /// Words of the error.
    pub(crate) error_says: Option<Vec<String>>,
    /// Its kind.
    pub(crate) kind: Option<String>,
    /// Whether it is asked again soon.
    pub(crate) is_retried: Option<bool>,
    /// When, between the two.
    pub(crate) retry_in_ms: Option<[u64; 2]>,
    /// The model that must be asked for, if this is a list.
    pub(crate) model: Option<String>,
}

fn ok() -> String {
    "200 OK".to_owned()
}

#[derive(Deserialize)]
struct Replies {
    reply: Vec<Reply>,
}

/// The replies in a file of this folder.
pub(crate) fn replies(file: &str) -> Vec<Reply> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/vlm-client/tests/replies");
    let text = fs::read_to_string(folder.join(file)).unwrap();
    toml::from_str::<Replies>(&text).unwrap_or_else(|error| panic!("{file}: {error}")).reply
}

impl Reply {
    /// The bytes of the response.
    fn bytes(&self, content_type: &str) -> Vec<u8> {
        let body = match self.is_latin1 {
            true => self.body.chars().map(|c| u8::try_from(c).unwrap()).collect(),
            false => self.body.clone().into_bytes(),
        };
        let level = Compression::default();
        let body = match self.packed.as_deref() {
            None => body,
            Some("gzip") => written(GzEncoder::new(Vec::new(), level), &body, GzEncoder::finish),
            Some("zlib") => {
                written(ZlibEncoder::new(Vec::new(), level), &body, ZlibEncoder::finish)
            }
            Some("deflate") => {
                written(DeflateEncoder::new(Vec::new(), level), &body, DeflateEncoder::finish)
            }
            Some(other) => panic!("{other}"),
        };
        let headers = match &self.headers {
            Some(headers) => headers.clone(),
            None => vec![format!("Content-Type: {content_type}")],
        };
        let mut head = format!("HTTP/1.1 {}\r\nConnection: close\r\n", self.status);
        for header in headers {
            head += &format!("{header}\r\n");
        }
        [format!("{head}\r\n").into_bytes(), body].concat()
    }
}

fn written<W: Write>(
    mut writer: W,
    body: &[u8],
    finish: impl FnOnce(W) -> std::io::Result<Vec<u8>>,
) -> Vec<u8> {
    writer.write_all(body).unwrap();
    finish(writer).unwrap()
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n\
    {\"choices\":[{\"message\":{\"content\":\"A red ball.\"},\"finish_reason\":\"stop\"}]}";
const LIST: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n\
    {\"data\":[{\"id\":\"m\"}]}";

/// A server that gives one reply, as often as it is asked. It ends with the test's process.
pub(crate) struct Server {
    pub(crate) base: String,
    /// The bodies of the questions that it was asked.
    pub(crate) asked: Receiver<String>,
}

impl Server {
    /// One that gives this reply to questions, and lists the model `m`.
    pub(crate) fn answering(reply: &Reply) -> Self {
        let answer = reply.bytes("text/event-stream");
        Self::start(answer, LIST.as_bytes().to_vec(), reply.stays_open, reply.refuses.clone())
    }

    /// One that gives this reply when asked for its models, and answers `A red ball.`
    pub(crate) fn listing(reply: &Reply) -> Self {
        let list = reply.bytes("application/json");
        Self::start(ANSWER.as_bytes().to_vec(), list, false, None)
    }

    fn start(answer: Vec<u8>, list: Vec<u8>, stays_open: bool, refuses: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let (sender, asked) = channel();
        thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming().flatten() {
                if serve(&stream, &answer, &list, &sender, refuses.as_deref()).is_some()
                    && stays_open
                {
                    kept.push(stream);
                }
            }
        });
        Self { base, asked }
    }
}

fn serve(
    mut stream: &TcpStream,
    answer: &[u8],
    list: &[u8],
    asked: &Sender<String>,
    refuses: Option<&str>,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? <= 2 {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head += &line;
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).ok()?;
    let is_question = head.starts_with("POST ");
    let question: Value = serde_json::from_slice(&body).unwrap_or_default();
    let has = |field: &str| !matches!(question[field], Value::Null | Value::Bool(false));
    let answer = if refuses.is_none_or(has) { answer } else { ANSWER.as_bytes() };
    if is_question {
        let _ = asked.send(String::from_utf8_lossy(&body).into_owned());
    }
    stream.write_all(if is_question { answer } else { list }).ok()
}
