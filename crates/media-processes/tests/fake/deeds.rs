//! Crashes and lies.

#![expect(clippy::print_stderr, reason = "what is printed is taken for a log")]

use std::{hint, ptr, thread, time::Duration};

use live_vlm_media_link::{ConnectionId, FromMedia, LogLevel, LostReason, PictureInfo};

use super::{PICTURE, link::Link};

/// More than any media process may have.
const TOO_MUCH: usize = 4 << 30;
/// What one may have, as the sandbox would see to.
const ALLOWED: u64 = 512 << 20;

pub(crate) fn hang() {
    loop {
        thread::park();
    }
}

/// Does what the offer says, if it says something that is no honest conduct.
pub(crate) fn does(offer: &str, connection: ConnectionId, link: &mut Link) {
    match offer {
        "crash" => segfault(),
        "abort" => abort(),
        "kill" => raise(libc::SIGKILL),
        "kill-zygote" => kill_parent(),
        "exit" => std::process::exit(3),
        "hang" => hang(),
        "loop" => loop {
            hint::spin_loop();
        },
        "memory" => use_up_memory(),
        "closes" => {
            link.close();
            hang();
        }
        "cut" => {
            link.write(&[200, 0, 0, 0]);
            std::process::exit(0);
        }
        "drips" => {
            link.write(&[200, 0, 0, 0]);
            hang();
        }
        _ => lies(offer, connection, link),
    }
}

fn lies(offer: &str, connection: ConnectionId, link: &mut Link) {
    let other = ConnectionId(connection.0 + 1);
    match offer {
        "other-session" => {
            link.send(FromMedia::Want { connection: other, urgent: true, lead: Duration::ZERO })
        }
        "huge-picture" => link.write(&[2, 0, 0, 0, 0, 0, 0, 64, b'{', b'}']),
        "huge-json" => link.write(&[0, 0, 0, 64, 0, 0, 0, 0]),
        "announces-more" => announce_more(connection, link),
        "garbage" => link.write(&[4, 0, 0, 0, 0, 0, 0, 0, b'\xff', b'o', b'h', b'!']),
        "unknown-message" => {
            let json = br#"{"type":"give_me_the_key"}"#;
            link.write(&[json.len() as u8, 0, 0, 0, 0, 0, 0, 0]);
            link.write(json);
        }
        "two-first-frames" => link.send(FromMedia::FirstFrame { connection }),
        "two-losses" => {
            for reason in [LostReason::HungUp, LostReason::NoMedia] {
                link.send(FromMedia::Lost { connection, reason });
            }
        }
        "unasked-question" => {
            let picture = PictureInfo {
                bytes: PICTURE.len() as u32,
                label: String::new(),
                captured_ago: Default::default(),
            };
            link.send_with(FromMedia::Question { connection, pictures: vec![picture] }, PICTURE);
        }
        "unasked-end" => link.send(FromMedia::Stopped { connection }),
        "pong" => link.send(FromMedia::Pong { number: 1 << 40 }),
        "flood" => loop {
            log(link, LogLevel::Debug, "x");
        },
        "long-flood" => loop {
            log(link, LogLevel::Debug, &"x".repeat(4000));
        },
        "forges" => {
            let rest = "x".repeat(3000);
            log(link, LogLevel::Info, &format!("a\nERROR media: forged\u{1b}[2J{rest}"));
        }
        "noise" => (0..5000).for_each(|line| eprintln!("line {line} of noise")),
        _ => {}
    }
}

fn log(link: &mut Link, level: LogLevel, text: &str) {
    let (target, message) = ("fake".to_owned(), text.to_owned());
    link.send(FromMedia::Log { level, target, connection: None, message });
}

/// A message whose pictures are longer than what comes with it.
fn announce_more(connection: ConnectionId, link: &mut Link) {
    let connection = connection.0;
    let json = format!(
        r#"{{"type":"question","connection":{connection},"pictures":[{{"bytes":4000000000,"label":"","captured_ago_us":0}}]}}"#
    );
    link.write(&[json.len() as u8, 0, 0, 0, 1, 0, 0, 0]);
    link.write(json.as_bytes());
    link.write(b"x");
}

fn segfault() {
    // SAFETY: none; that is what it is for.
    unsafe { ptr::without_provenance_mut::<u8>(8).write_volatile(1) }
}

fn abort() {
    eprintln!("gstvp8dec.c:12:decode:<vp8dec0> a bad frame");
    eprintln!("ERROR:gstvp8dec.c:99:decode: assertion failed: (size > 0)");
    std::process::abort();
}

fn raise(signal: i32) {
    // SAFETY: it takes no pointers.
    unsafe {
        libc::raise(signal);
    }
}

fn kill_parent() {
    // SAFETY: they take no pointers.
    unsafe {
        libc::kill(libc::getppid(), libc::SIGKILL);
    }
    hang();
}

fn use_up_memory() {
    let limit = libc::rlimit { rlim_cur: ALLOWED, rlim_max: ALLOWED };
    // SAFETY: it reads a limit that is there.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) };
    assert_eq!(set, 0);
    let memory = vec![1_u8; TOO_MUCH];
    hint::black_box(memory);
}
