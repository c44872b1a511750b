//! An IP camera: as much of RTSP 1.0 (RFC 2326) as one viewer over TCP needs.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread::JoinHandle,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use gst::prelude::*;

pub(crate) const USER: &str = "viewer";
pub(crate) const PASSWORD: &str = "a \"good\" one";
const FRAMES: usize = 45;

/// Shows red to one viewer who signs in, and then hangs up.
pub(crate) struct Camera {
    pub(crate) uri: String,
    thread: JoinHandle<()>,
}

impl Camera {
    pub(crate) const SIGN_IN: [(&'static str, &'static str); 2] =
        [("RTSP_USER", USER), ("RTSP_PASSWORD", PASSWORD)];

    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let uri = format!("rtsp://{}/stream", listener.local_addr().unwrap());
        let thread = std::thread::spawn({
            let uri = uri.clone();
            move || serve(listener.accept().unwrap().0, &uri)
        });
        Self { uri, thread }
    }

    /// Whether all went as it should.
    pub(crate) fn finish(self) {
        self.thread.join().unwrap();
    }
}

struct Request {
    method: String,
    uri: String,
    headers: Vec<(String, String)>,
}

impl Request {
    fn read(from: &mut impl BufRead) -> Self {
        let mut lines = from.lines().map(Result::unwrap).take_while(|line| !line.is_empty());
        let first = lines.next().expect("the viewer should go on until it plays");
        let (method, rest) = first.split_once(' ').unwrap();
        let uri = rest.split(' ').next().unwrap();
        let headers = lines
            .filter_map(|line| line.split_once(": ").map(|(n, v)| (n.to_lowercase(), v.to_owned())))
            .collect();
        Self { method: method.to_owned(), uri: uri.to_owned(), headers }
    }

    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }
}

fn serve(mut stream: TcpStream, uri: &str) {
    let mut requests = BufReader::new(stream.try_clone().unwrap());
    let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}")));
    // A microphone first: nobody should take it for the picture.
    let sdp = format!(
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\na=control:*\r\n\
         m=audio 0 RTP/AVP 0\r\na=control:{uri}/audio\r\n\
         m=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=control:{uri}/video\r\n"
    );
    let (mut audio, mut video) = (0, 0);
    loop {
        let request = Request::read(&mut requests);
        let transport = request.header("transport");
        let (status, headers, body) = match request.method.as_str() {
            "OPTIONS" => ("200 OK", "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n".into(), ""),
            _ if request.header("authorization") != expected => {
                let wanted = "WWW-Authenticate: Basic realm=\"camera\"\r\n".to_owned();
                ("401 Unauthorized", wanted, "")
            }
            "DESCRIBE" => ("200 OK", "Content-Type: application/sdp\r\n".to_owned(), &*sdp),
            "SETUP" => {
                let channels = transport.split_once("interleaved=").unwrap().1;
                let channel = channels.split('-').next().unwrap().parse().unwrap();
                *if request.uri.ends_with("audio") { &mut audio } else { &mut video } = channel;
                ("200 OK", format!("Transport: {transport}\r\nSession: 1\r\n"), "")
            }
            "PLAY" => ("200 OK", "Session: 1\r\nRange: npt=0.000-\r\n".to_owned(), ""),
            method => panic!("{method} is more than this camera knows"),
        };
        let (seq, length) = (request.header("cseq"), body.len());
        let reply = format!(
            "RTSP/1.0 {status}\r\nCSeq: {seq}\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(reply.as_bytes()).unwrap();
        if request.method == "PLAY" {
            break;
        }
    }
    for number in 0..10 {
        send(&mut stream, audio, &silence(number));
    }
    play(&mut stream, video);
    // What the viewer says meanwhile is read to the end, so that its connection is not reset.
    stream.shutdown(Shutdown::Write).unwrap();
    let _ = std::io::copy(&mut requests, &mut std::io::sink());
}

/// 20 ms of silence in PCMU, as RTP.
fn silence(number: u8) -> Vec<u8> {
    let mut packet = vec![0x80, 0, 0, number, 0, 0, 0, 0, 0, 0, 0, 1];
    packet[4..8].copy_from_slice(&(u32::from(number) * 160).to_be_bytes());
    packet.extend([0xff; 160]);
    packet
}

/// Sends a packet on a channel of the connection.
fn send(stream: &mut TcpStream, channel: u8, packet: &[u8]) {
    let [high, low] = u16::try_from(packet.len()).unwrap().to_be_bytes();
    stream.write_all(&[b'$', channel, high, low]).unwrap();
    stream.write_all(packet).unwrap();
}

/// Sends the picture as RTP packets on a channel of the connection.
fn play(stream: &mut TcpStream, channel: u8) {
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc is-live=true pattern=red num-buffers={FRAMES} \
         ! video/x-raw,width=320,height=240,framerate=15/1 \
         ! vp8enc deadline=1 keyframe-max-dist=15 ! rtpvp8pay pt=96 ! appsink name=out sync=false"
    ))
    .unwrap()
    .downcast::<gst::Pipeline>()
    .unwrap();
    let out = pipeline.by_name("out").unwrap().downcast::<gst_app::AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    while let Some(sample) = out.try_pull_sample(gst::ClockTime::from_seconds(10)) {
        let packet = sample.buffer().unwrap().map_readable().unwrap();
        send(stream, channel, &packet);
    }
    assert!(out.is_eos(), "the camera should have shown all its frames");
    pipeline.set_state(gst::State::Null).unwrap();
}
