//! Answers as text over the picture.

use std::time::Instant;

use gst::{MetaAPI, glib, prelude::*};
use gst_video::{VideoInfo, VideoOverlayCompositionMeta};
use gstvlm::analyze::OverlayMode;
use serde_json::json;

use crate::support::{Asked, Bench, FORMAT, LONG, Vlm, init};

const WIDTH: usize = 160;
const HEIGHT: usize = 120;
const FEATURE: &str = "meta:GstVideoOverlayComposition";

fn caps(format: &str, features: &str) -> gst::Caps {
    format!("video/x-raw{features},format={format},width={WIDTH},height={HEIGHT},framerate=0/1")
        .parse()
        .unwrap()
}

fn bench(vlm: &Vlm, caps: &gst::Caps, properties: &[(&str, &dyn ToValue)]) -> Bench {
    let mut bench = Bench::new(vlm, &[("interval", &1_000_000_000u64)]);
    for (name, value) in properties {
        bench.element.set_property_from_value(name, &value.to_value());
    }
    bench.harness.set_src_caps(caps.clone());
    bench
}

/// A bench whose downstream says that it draws overlay compositions.
fn bench_with_drawer(vlm: &Vlm, properties: &[(&str, &dyn ToValue)]) -> Bench {
    let mut bench = bench(vlm, &caps("I420", ""), properties);
    let api = VideoOverlayCompositionMeta::meta_api();
    bench.harness.add_propose_allocation_meta(api, None);
    bench.harness.set_src_caps(caps("I420", ""));
    bench
}

fn grey(caps: &gst::Caps, pts_ms: u64) -> gst::Buffer {
    let size = VideoInfo::from_caps(caps).unwrap().size();
    let mut buffer = gst::Buffer::from_mut_slice(vec![128; size]);
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(pts_ms));
    buffer
}

fn bytes(buffer: &gst::BufferRef) -> Vec<u8> {
    buffer.map_readable().unwrap().to_vec()
}

fn place(buffer: &gst::BufferRef) -> *const u8 {
    buffer.peek_memory(0).map_readable().unwrap().as_ptr()
}

/// Answers in one piece, so that it is drawn once.
fn say(asked: Asked, text: &str) {
    let body = json!({ "choices": [{ "message": { "content": text } }] });
    asked.reply(200, &[], &body.to_string());
}

fn wait_rendered(bench: &Bench, times: u64) {
    let began = Instant::now();
    while bench.count("overlay-rendered") < times {
        assert!(began.elapsed() < LONG, "the text is not drawn");
        std::thread::yield_now();
    }
    assert_eq!(bench.count("overlay-rendered"), times);
}

/// Asks and answers about a first frame, and waits until the text is drawn.
fn show(bench: &mut Bench, vlm: &Vlm, caps: &gst::Caps, text: &str) {
    bench.harness.push_and_pull(grey(caps, 0)).unwrap();
    say(vlm.asked(), text);
    bench.done();
    wait_rendered(bench, 1);
}

fn out_has_feature(bench: &Bench) -> bool {
    let caps = bench.element.static_pad("src").unwrap().current_caps().unwrap();
    caps.features(0).is_some_and(|features| features.contains(FEATURE))
}

/// x, y, width and height of what a buffer has attached.
fn attached(buffer: &gst::BufferRef) -> Option<(i32, i32, u32, u32)> {
    let meta = buffer.meta::<VideoOverlayCompositionMeta>()?;
    let overlay = meta.overlay();
    assert_eq!(overlay.n_rectangles(), 1);
    Some(overlay.rectangle(0).unwrap().render_rectangle())
}

#[test]
fn without_an_overlay_buffers_and_caps_are_left_alone() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "");
    let mut bench = bench(&vlm, &caps, &[]);
    bench.harness.push_and_pull(grey(&caps, 0)).unwrap();
    say(vlm.asked(), "A ball.");
    bench.done();
    let before = grey(&caps, 20);
    let memory = place(&before);
    let after = bench.harness.push_and_pull(before).unwrap();
    assert_eq!(place(&after), memory);
    assert!(bytes(&after).iter().all(|byte| *byte == 128));
    assert!(attached(&after).is_none());
    assert!(!out_has_feature(&bench));
    assert_eq!(bench.count("overlay-rendered"), 0);
}

#[test]
fn an_attached_text_is_on_the_buffer_and_not_in_its_memory() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "");
    let mut bench = bench(&vlm, &caps, &[("overlay", &OverlayMode::Attach)]);
    assert!(out_has_feature(&bench), "downstream takes anything");
    show(&mut bench, &vlm, &caps, "A ball.");
    let before = grey(&caps, 20);
    let memory = place(&before);
    let after = bench.harness.push_and_pull(before).unwrap();
    assert_eq!(place(&after), memory);
    assert!(bytes(&after).iter().all(|byte| *byte == 128));
    assert!(attached(&after).is_some());
}

#[test]
fn text_that_does_not_change_is_drawn_once() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "");
    let mut bench =
        bench(&vlm, &caps, &[("overlay", &OverlayMode::Attach), ("interval", &u64::MAX)]);
    show(&mut bench, &vlm, &caps, "A ball.");
    let seqnums = (1..=300).map(|n| {
        let buffer = bench.harness.push_and_pull(grey(&caps, n * 33)).unwrap();
        buffer.meta::<VideoOverlayCompositionMeta>().unwrap().overlay().seqnum()
    });
    let mut seqnums: Vec<_> = seqnums.collect();
    seqnums.dedup();
    assert_eq!(seqnums.len(), 1);
    assert_eq!(bench.count("overlay-rendered"), 1);
}

#[test]
fn text_is_blended_into_every_usual_format_and_nobody_elses_picture() {
    init();
    for format in ["I420", "NV12", "YUY2", "RGBA", "BGRx", "ARGB", "RGB", "GRAY8"] {
        let vlm = Vlm::start();
        let caps = caps(format, "");
        let mut bench =
            bench(&vlm, &caps, &[("overlay", &OverlayMode::Blend), ("interval", &u64::MAX)]);
        assert!(!out_has_feature(&bench));
        show(&mut bench, &vlm, &caps, "A ball.");
        let mine = grey(&caps, 20);
        let after = bench.harness.push_and_pull(mine.clone()).unwrap();
        assert!(bytes(&mine).iter().all(|byte| *byte == 128), "{format}: it is in mine as well");
        assert!(attached(&after).is_none());

        let info = VideoInfo::from_caps(&caps).unwrap();
        let after = bytes(&after);
        let stride = usize::try_from(info.stride()[0]).unwrap();
        let is_changed = |row: usize| {
            let row = &after[row * stride..][..stride];
            row.iter().any(|byte| *byte != 128)
        };
        assert!((HEIGHT * 3 / 4..HEIGHT).any(is_changed), "{format}: no text");
        assert!(!(0..HEIGHT * 3 / 4).any(is_changed), "{format}: changed beside the text");
    }
}

/// A frame that nobody else has is not copied.
#[test]
fn text_is_blended_in_place_where_it_may() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "");
    let mut bench =
        bench(&vlm, &caps, &[("overlay", &OverlayMode::Blend), ("interval", &u64::MAX)]);
    show(&mut bench, &vlm, &caps, "A ball.");
    let before = grey(&caps, 20);
    let memory = place(&before);
    let after = bench.harness.push_and_pull(before).unwrap();
    assert_eq!(place(&after), memory);
    assert!(bytes(&after).iter().any(|byte| *byte != 128));
}

#[test]
fn the_vlm_is_shown_the_picture_without_the_text() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "");
    let mut bench = bench(&vlm, &caps, &[("overlay", &OverlayMode::Blend)]);
    bench.harness.push_and_pull(grey(&caps, 0)).unwrap();
    let asked = vlm.asked();
    let before = asked.jpegs();
    say(asked, "A ball.");
    bench.done();
    wait_rendered(&bench, 1);
    let out = bench.harness.push_and_pull(grey(&caps, 1000)).unwrap();
    assert!(bytes(&out).iter().any(|byte| *byte != 128), "this one has the text");
    assert_eq!(vlm.asked().jpegs(), before);
}

#[test]
fn auto_attaches_where_downstream_draws() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "");
    let mut bench = bench_with_drawer(&vlm, &[("overlay", &OverlayMode::Auto)]);
    assert!(out_has_feature(&bench));
    show(&mut bench, &vlm, &caps, "A ball.");
    assert!(attached(&bench.harness.push_and_pull(grey(&caps, 20)).unwrap()).is_some());
}

#[test]
fn auto_blends_where_downstream_does_not_draw() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "");
    let mut bench = bench(&vlm, &caps, &[("overlay", &OverlayMode::Auto)]);
    assert!(!out_has_feature(&bench));
    show(&mut bench, &vlm, &caps, "A ball.");
    let out = bench.harness.push_and_pull(grey(&caps, 20)).unwrap();
    assert!(attached(&out).is_none());
    assert!(bytes(&out).iter().any(|byte| *byte != 128));
}

#[test]
fn an_answer_is_shown_as_it_is_written() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "");
    let mut bench =
        bench(&vlm, &caps, &[("overlay", &OverlayMode::Attach), ("overlay-max-lines", &9u32)]);
    let height = |bench: &mut Bench, times| {
        wait_rendered(bench, times);
        attached(&bench.harness.push_and_pull(grey(&caps, 20)).unwrap()).unwrap().3
    };
    bench.harness.push_and_pull(grey(&caps, 0)).unwrap();
    let mut asked = vlm.asked();
    asked.say("\n");
    asked.say("A ball");
    let first = height(&mut bench, 1);
    asked.say(" that somebody has left in the grass behind the house");
    assert!(height(&mut bench, 2) > first);
    asked.finish();
    bench.done();
    wait_rendered(&bench, 3);

    // The next one is shown once there is something of it.
    bench.harness.push_and_pull(grey(&caps, 1000)).unwrap();
    let mut asked = vlm.asked();
    asked.think("Hm.");
    asked.say("A");
    assert_eq!(height(&mut bench, 4), first);
}

#[test]
fn the_beginning_of_an_answer_that_breaks_off_gives_way_to_the_one_before() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "");
    let mut bench = bench(&vlm, &caps, &[("overlay", &OverlayMode::Attach)]);
    show(&mut bench, &vlm, &caps, "A ball in the grass behind the house.");
    let shown = |bench: &mut Bench| {
        attached(&bench.harness.push_and_pull(grey(&caps, 20)).unwrap()).unwrap()
    };
    let complete = shown(&mut bench);
    bench.harness.push_and_pull(grey(&caps, 1000)).unwrap();
    let mut asked = vlm.asked();
    asked.say("A");
    wait_rendered(&bench, 2);
    assert_ne!(shown(&mut bench), complete);
    asked.cut();
    bench.error();
    wait_rendered(&bench, 3);
    assert_eq!(shown(&mut bench), complete);
}

#[test]
fn a_frame_that_is_held_leaves_with_its_own_answer_over_it() {
    init();
    let vlm = Vlm::start();
    let (attach, wait) = (OverlayMode::Attach, gstvlm::analyze::Busy::Wait);
    let mut bench = bench_with_drawer(&vlm, &[("overlay", &attach), ("busy", &wait)]);
    for sample in 0..10u64 {
        let sink = bench.sink();
        let frame = grey(&caps("I420", ""), sample * 1000);
        let pushed = crate::support::aside(move || sink.chain(frame));
        say(vlm.asked(), &format!("answer {sample}"));
        pushed.recv_timeout(LONG).unwrap().unwrap();
        assert_eq!(bench.count("overlay-rendered"), sample + 1);
        assert!(attached(&bench.harness.pull().unwrap()).is_some());
    }
}

#[test]
fn an_error_leaves_the_text_as_it_is() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "");
    let mut bench = bench(&vlm, &caps, &[("overlay", &OverlayMode::Attach), ("retries", &0u32)]);
    show(&mut bench, &vlm, &caps, "A ball.");
    bench.harness.push_and_pull(grey(&caps, 1000)).unwrap();
    vlm.asked().reply(500, &[], "");
    bench.error();
    assert!(attached(&bench.harness.push_and_pull(grey(&caps, 1020)).unwrap()).is_some());
    assert_eq!(bench.count("overlay-rendered"), 1);
}

#[test]
fn a_new_size_is_drawn_anew_and_the_old_picture_is_not_put_on_it() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "");
    let mut bench =
        bench(&vlm, &caps, &[("overlay", &OverlayMode::Attach), ("interval", &u64::MAX)]);
    show(&mut bench, &vlm, &caps, "A ball.");
    let larger: gst::Caps =
        "video/x-raw,format=I420,width=640,height=480,framerate=0/1".parse().unwrap();
    bench.harness.set_src_caps(larger.clone());
    let at_once = bench.harness.push_and_pull(grey(&larger, 20)).unwrap();
    assert!(attached(&at_once).is_none_or(|(_, y, ..)| y > 300));
    wait_rendered(&bench, 2);
    let (_, y, _, height) =
        attached(&bench.harness.push_and_pull(grey(&larger, 40)).unwrap()).unwrap();
    assert!(y > 400 && height < 60, "{y} {height}");
}

#[test]
fn the_look_changes_while_the_stream_runs() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "");
    let mut bench =
        bench(&vlm, &caps, &[("overlay", &OverlayMode::Attach), ("interval", &u64::MAX)]);
    show(&mut bench, &vlm, &caps, "A ball.");
    let changes: [(&str, glib::Value); 6] = [
        ("overlay-font", "Serif Bold".into()),
        ("overlay-text-size", 0.2.into()),
        ("overlay-width", 0.5.into()),
        ("overlay-max-lines", 1u32.into()),
        ("overlay-color", 0xff_ff_00_00u32.into()),
        ("overlay-background", 0u32.into()),
    ];
    for (times, (name, value)) in (2..).zip(changes) {
        bench.element.set_property_from_value(name, &value);
        wait_rendered(&bench, times);
    }
    bench.element.set_property_from_str("overlay-position", "top-left");
    wait_rendered(&bench, 8);
    let (x, y, ..) = attached(&bench.harness.push_and_pull(grey(&caps, 20)).unwrap()).unwrap();
    assert!(x < 10 && y < 10, "{x} {y}");
}

#[test]
fn the_overlay_goes_off_and_on_while_the_stream_runs() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "");
    let mut bench = bench(&vlm, &caps, &[("interval", &u64::MAX)]);
    bench.harness.push_and_pull(grey(&caps, 0)).unwrap();
    say(vlm.asked(), "A ball.");
    bench.done();
    for (mode, is_attached) in [("attach", true), ("blend", false)] {
        bench.element.set_property_from_str("overlay", mode);
        // Whether it is drawn again depends on whether the painter has noticed that it was off.
        let began = Instant::now();
        loop {
            let out = bench.harness.push_and_pull(grey(&caps, 20)).unwrap();
            assert_eq!(out_has_feature(&bench), is_attached);
            let is_blended = bytes(&out).iter().any(|byte| *byte != 128);
            match (attached(&out).is_some(), is_blended) {
                (false, false) => assert!(began.elapsed() < LONG, "{mode}: no text"),
                shown => break assert_eq!(shown, (is_attached, !is_attached)),
            }
        }

        bench.element.set_property_from_str("overlay", "off");
        let out = bench.harness.push_and_pull(grey(&caps, 40)).unwrap();
        assert!(!out_has_feature(&bench) && attached(&out).is_none());
        assert!(bytes(&out).iter().all(|byte| *byte == 128));
    }
}

#[test]
fn what_upstream_has_attached_stays() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "(memory:SystemMemory,meta:GstVideoOverlayComposition)");
    let properties: [(&str, &dyn ToValue); 2] =
        [("overlay", &OverlayMode::Auto), ("interval", &u64::MAX)];
    let mut first = bench(&vlm, &caps, &properties);
    show(&mut first, &vlm, &caps, "A ball.");
    let mut second = bench(&vlm, &caps, &properties);
    show(&mut second, &vlm, &caps, "Two.");
    let mut seqnums = Vec::new();
    for pts in [20, 40] {
        let between = first.harness.push_and_pull(grey(&caps, pts)).unwrap();
        let out = second.harness.push_and_pull(between.clone()).unwrap();
        assert!(attached(&between).is_some());
        assert_eq!(out.iter_meta::<VideoOverlayCompositionMeta>().count(), 1);
        let meta = out.meta::<VideoOverlayCompositionMeta>().unwrap();
        assert_eq!(meta.overlay().n_rectangles(), 2);
        seqnums.push(meta.overlay().seqnum());
    }
    assert_eq!(seqnums[0], seqnums[1], "it was put together anew");
}

#[test]
fn frames_that_cannot_be_drawn_into_flow_on_with_one_warning() {
    init();
    let vlm = Vlm::start();
    for features in ["(memory:GLMemory)", "(memory:DMABuf)"] {
        let caps = caps("RGBA", features);
        let mut bench = bench(&vlm, &caps, &[("overlay", &OverlayMode::Blend)]);
        for pts in 0..5 {
            bench.harness.push_and_pull(grey(&caps, pts)).unwrap();
        }
        bench.harness.push_event(gst::event::Caps::new(&caps));
        let warning = || bench.bus.pop_filtered(&[gst::MessageType::Warning]);
        let message = warning().expect("a warning");
        let gst::MessageView::Warning(warned) = message.view() else { unreachable!() };
        let text = warned.error().to_string();
        assert!(text.contains("overlay=attach") && text.contains(features), "{text}");
        assert!(warning().is_none(), "one is enough");
    }
}

/// A buffer that is smaller than its caps say.
#[test]
fn a_frame_that_is_none_flows_on_with_one_warning() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "");
    let mut bench =
        bench(&vlm, &caps, &[("overlay", &OverlayMode::Blend), ("interval", &u64::MAX)]);
    show(&mut bench, &vlm, &caps, "A ball.");
    for _ in 0..3 {
        bench.harness.push_and_pull(gst::Buffer::from_slice([0; 8])).unwrap();
    }
    assert!(bench.bus.pop_filtered(&[gst::MessageType::Warning]).is_some());
    assert!(bench.bus.pop_filtered(&[gst::MessageType::Warning]).is_none());
    let out = bench.harness.push_and_pull(grey(&caps, 20)).unwrap();
    assert!(bytes(&out).iter().any(|byte| *byte != 128), "the next one has the text");
}

#[test]
fn a_new_start_shows_nothing_of_the_old() {
    init();
    let vlm = Vlm::start();
    let caps = caps("I420", "");
    let mut bench =
        bench(&vlm, &caps, &[("overlay", &OverlayMode::Attach), ("interval", &u64::MAX)]);
    show(&mut bench, &vlm, &caps, "A ball.");
    bench.element.set_state(gst::State::Ready).unwrap();
    bench.element.set_state(gst::State::Playing).unwrap();
    bench.harness.push_event(gst::event::StreamStart::new("again"));
    bench.harness.push_event(gst::event::Caps::new(&caps));
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    bench.harness.push_event(gst::event::Segment::new(&segment));
    let out = bench.harness.push_and_pull(grey(&caps, 0)).unwrap();
    assert!(attached(&out).is_none());
    assert_eq!(bench.count("overlay-rendered"), 0);
    say(vlm.asked(), "Two.");
    wait_rendered(&bench, 1);
    assert!(attached(&bench.harness.push_and_pull(grey(&caps, 20)).unwrap()).is_some());
}

/// Neighbours that take only caps with the feature, or only caps without it.
#[test]
fn caps_are_agreed_on_with_all_neighbours() {
    init();
    let vlm = Vlm::start();
    let base = vlm.base();
    for (mode, downstream, has_feature) in [
        (
            "attach",
            "capsfilter caps=video/x-raw(memory:SystemMemory,meta:GstVideoOverlayComposition)",
            true,
        ),
        (
            "auto",
            "capsfilter caps=video/x-raw(memory:SystemMemory,meta:GstVideoOverlayComposition)",
            true,
        ),
        ("attach", "capsfilter caps=video/x-raw", false),
        ("auto", "videoconvert ! capsfilter caps=video/x-raw,format=RGBA", false),
        ("off", "videoconvert ! capsfilter caps=video/x-raw,format=RGBA", false),
        ("blend", "videoscale ! capsfilter caps=video/x-raw,width=80", false),
    ] {
        let pipeline = gst::parse::launch(&format!(
            "videotestsrc num-buffers=3 ! vlmanalyze name=vlm api-base={base} model=m \
             interval={} overlay={mode} ! {downstream} ! fakesink",
            u64::MAX
        ))
        .unwrap();
        let source = pipeline.downcast_ref::<gst::Bin>().unwrap().by_name("vlm").unwrap();
        let features = std::sync::Arc::new(std::sync::Mutex::new(None));
        let src = source.static_pad("src").unwrap();
        src.add_probe(gst::PadProbeType::BUFFER, {
            let features = features.clone();
            move |pad, _| {
                let caps = pad.current_caps().unwrap();
                *features.lock().unwrap() = Some(caps.features(0).unwrap().contains(FEATURE));
                gst::PadProbeReturn::Ok
            }
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        say(vlm.asked(), "A ball.");
        let message = pipeline
            .bus()
            .unwrap()
            .timed_pop_filtered(
                gst::ClockTime::try_from(LONG).unwrap(),
                &[gst::MessageType::Eos, gst::MessageType::Error],
            )
            .unwrap();
        assert_eq!(message.type_(), gst::MessageType::Eos, "{mode} {downstream}: {message:?}");
        assert_eq!(*features.lock().unwrap(), Some(has_feature), "{mode} {downstream}");
        pipeline.set_state(gst::State::Null).unwrap();
    }
}

#[test]
fn text_of_any_kind_is_drawn() {
    init();
    let vlm = Vlm::start();
    let caps: gst::Caps = FORMAT.parse().unwrap();
    let mut bench = bench(&vlm, &caps, &[("overlay", &OverlayMode::Blend), ("interval", &0u64)]);
    for (times, text) in (1..).zip(["\0\u{1b}[31m<b>&</b>", "كرة حمراء", "红色的球", "😀👨‍👩‍👧"])
    {
        bench.push(times * 100);
        say(vlm.asked(), text);
        bench.done();
        wait_rendered(&bench, times);
    }
}
