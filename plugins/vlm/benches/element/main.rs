//! What `vlmanalyze` costs: time on the streaming thread, CPU, memory. Beside it in the same run
//! `identity`, which does nothing, and the ways in which other elements work.
//!
//! `cargo bench -p gst-plugin-vlm --bench element -- --seconds 10` for shorter measurements than
//! those that docs/performance.md quotes; `--only memory` for one of them: stalled, holding,
//! questions, pictures, overlay, memory.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    reason = "a program that prints a table"
)]

mod bench;
mod vlm;

use std::time::Duration;

use bench::{Bench, Picture, Times, at_rate, cpu, resident_kb};
use gst::prelude::*;
use vlm::{Takes, Vlm};

const DEFAULT_SECONDS: u64 = 30;
const QUESTIONS: u64 = 10_000;
const PICTURES: u64 = 500;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    if let Some(takes) = after(vlm::ARGUMENT) {
        return vlm::serve(takes);
    }
    let seconds = after("--seconds").and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_SECONDS);
    gst::init().expect("GStreamer starts");
    gstvlm::register_static().expect("the plugin registers");
    let picture = Picture::full_hd();
    println!("| what | figure | `identity` |\n|---|---|---|");
    let only = after("--only").map(String::as_str);
    let is_wanted = |name: &str| only.is_none_or(|only| only == name);
    if is_wanted("stalled") {
        stalled(&picture, seconds);
    }
    if is_wanted("holding") {
        holding(&picture, seconds.min(10));
    }
    if is_wanted("questions") {
        questions(&picture, seconds);
    }
    if is_wanted("pictures") {
        pictures(if seconds < DEFAULT_SECONDS { PICTURES / 5 } else { PICTURES });
    }
    if is_wanted("overlay") {
        overlay(&picture, seconds);
    }
    if is_wanted("memory") {
        memory(&picture, if seconds < DEFAULT_SECONDS { QUESTIONS / 10 } else { QUESTIONS });
    }
}

fn element(name: &str, properties: &[(&str, &str)]) -> gst::Element {
    let element = gst::ElementFactory::make(name).build().expect("the element is installed");
    properties.iter().for_each(|(name, value)| element.set_property_from_str(name, value));
    element
}

fn vlmanalyze(vlm: &Vlm, properties: &[(&str, &str)]) -> gst::Element {
    let own = [("api-base", vlm.base.as_str()), ("model", "m")];
    element("vlmanalyze", &[&own, properties].concat())
}

/// Time on the streaming thread and pace of the stream while the VLM does not answer.
fn stalled(picture: &Picture, seconds: u64) {
    let vlm = Vlm::start(Takes::Forever);
    let ours = Bench::new(vlmanalyze(&vlm, &[]), &picture.caps, false);
    let identity = Bench::new(element("identity", &[]), &picture.caps, false);
    let (mut our_times, mut times, mut late) =
        (Times::default(), Times::default(), Times::default());
    let began = std::time::Instant::now();
    at_rate(60, seconds, |number, pts| {
        late.add(began.elapsed().saturating_sub(pts));
        // Whoever comes first finds the caches cold.
        if number % 2 == 0 {
            our_times.add(ours.push(picture.frame(pts)));
            times.add(identity.push(picture.frame(pts)));
        } else {
            times.add(identity.push(picture.frame(pts)));
            our_times.add(ours.push(picture.frame(pts)));
        }
    });
    let (questions, frames) = (ours.stat("questions"), ours.passed());
    assert_eq!(ours.passed(), identity.passed(), "frames were lost");
    println!(
        "| time of a frame through the element, 1080p60, VLM stalled for {seconds} s: p50, p99 | \
         {:.1} us, {:.1} us | {:.1} us, {:.1} us |",
        our_times.quantile(0.5),
        our_times.quantile(0.99),
        times.quantile(0.5),
        times.quantile(0.99)
    );
    let (ours_ns, identity_ns) = (back_to_back(&ours, picture), back_to_back(&identity, picture));
    println!(
        "| the same, one frame straight after another: mean | {:.2} us | {:.2} us |",
        ours_ns / 1e3,
        identity_ns / 1e3
    );
    println!(
        "| frames that came out, questions asked meanwhile; p99 of how late a frame came | \
         {frames}, {questions}; {:.0} us | {frames} |",
        late.quantile(0.99)
    );
}

/// Nanoseconds a frame, with warm caches.
fn back_to_back(bench: &Bench, picture: &Picture) -> f64 {
    const FRAMES: u32 = 100_000;
    let frame = picture.frame(Duration::from_secs(3600));
    let total: Duration = (0..FRAMES).map(|_| bench.push(frame.clone())).sum();
    total.as_secs_f64() * 1e9 / f64::from(FRAMES)
}

/// What a stream does that waits for a VLM of half a second, as elements do that ask on the
/// streaming thread.
fn holding(picture: &Picture, seconds: u64) {
    let vlm = Vlm::start(Takes::Ms(500));
    let ours = Bench::new(vlmanalyze(&vlm, &[("busy", "wait")]), &picture.caps, false);
    let mut times = Times::default();
    at_rate(60, seconds, |_, pts| times.add(ours.push(picture.frame(pts))));
    println!(
        "| the same with `busy=wait`, a question a second, VLM of 500 ms: p50, longest | \
         {:.1} us, {:.0} us | |",
        times.quantile(0.5),
        times.quantile(1.0)
    );
}

/// CPU, of which the test's own is in both.
fn cpu_share(bench: &Bench, picture: &Picture, seconds: u64) -> f64 {
    let before = cpu();
    at_rate(30, seconds, |_, pts| {
        bench.push(picture.frame(pts));
    });
    100.0 * (cpu() - before).as_secs_f64() / seconds as f64
}

fn questions(picture: &Picture, seconds: u64) {
    let vlm = Vlm::start(Takes::Ms(300));
    let ours = Bench::new(vlmanalyze(&vlm, &[]), &picture.caps, false);
    let share = cpu_share(&ours, picture, seconds);
    let answers = ours.stat("answers");
    let carrying = back_to_back(&ours, picture);
    drop(ours);
    let identity = Bench::new(element("identity", &[]), &picture.caps, false);
    let nothing = cpu_share(&identity, picture, seconds);
    println!(
        "| CPU of 1080p30, a question a second ({answers} answers in {seconds} s), of a core | \
         {share:.2}% | {nothing:.2}% |"
    );
    println!(
        "| a frame that carries an answer, one straight after another: mean | {:.2} us | |",
        carrying / 1e3
    );
}

/// CPU time of a question, most of which is making its picture, by what the frames are.
fn pictures(questions: u64) {
    let vlm = Vlm::start(Takes::Ms(0));
    for caps in [
        "format=I420,width=1920,height=1080",
        "format=I420,width=1920,height=1080,colorimetry=bt709",
        "format=NV12,width=1920,height=1080,colorimetry=bt709",
        "format=YUY2,width=1280,height=720,colorimetry=bt709",
        "format=I420,width=640,height=480",
        "format=I420,width=640,height=480,colorimetry=(string)1:4:0:0",
        "format=BGRx,width=1920,height=1080",
        "format=P010_10LE,width=1920,height=1080,colorimetry=bt2100-pq",
    ] {
        let picture = Picture::new(caps);
        let ours = Bench::new(vlmanalyze(&vlm, &[("interval", "0")]), &picture.caps, false);
        let mut ask = |question| {
            ours.push(picture.frame(Duration::from_secs(question)));
            assert!(ours.wait_for("answers", question), "there is no answer");
        };
        ask(1);
        let before = cpu();
        (2..=questions + 1).for_each(&mut ask);
        let each = (cpu() - before).as_secs_f64() * 1e3 / questions as f64;
        println!("| CPU of a question about {caps} | {each:.2} ms | |");
    }
}

/// A text that stays, over frames that nobody asks about any more.
fn overlay(picture: &Picture, seconds: u64) {
    let vlm = Vlm::start(Takes::Ms(10));
    let mut shares = Vec::new();
    for mode in ["off", "attach", "blend"] {
        let properties = [("overlay", mode), ("interval", "3600000000000")];
        let bench = Bench::new(vlmanalyze(&vlm, &properties), &picture.caps, mode == "attach");
        bench.push(picture.frame(Duration::ZERO));
        assert!(bench.wait_for("answers", 1), "there is no answer");
        let share = cpu_share(&bench, picture, seconds * 2);
        shares.push((share, bench.stat("overlay-rendered")));
    }
    let [(off, _), (attach, attached), (blend, blended)] = shares[..] else { return };
    println!(
        "| CPU of 1080p30 with an unchanged overlay for {} s: attached, blended; times rendered | \
         {attach:.2}%, {blend:.2}%; {attached}, {blended} | off: {off:.2}% |",
        seconds * 2
    );
}

fn memory(picture: &Picture, questions: u64) {
    let vlm = Vlm::start(Takes::Ms(0));
    let ours = Bench::new(vlmanalyze(&vlm, &[("interval", "0")]), &picture.caps, false);
    let mut figures = Vec::new();
    for part in 1..=10 {
        while ours.stat("answers") < questions * part / 10 {
            ours.push(picture.frame(Duration::from_millis(ours.passed())));
            std::thread::sleep(Duration::from_micros(200));
        }
        figures.push(resident_kb() as f64 / 1024.0);
    }
    println!(
        "| memory after {}, {}, {} and {questions} questions | {:.1}, {:.1}, {:.1}, {:.1} MB | |",
        questions / 10,
        questions / 5,
        questions / 2,
        figures[0],
        figures[1],
        figures[4],
        figures[9]
    );
}
