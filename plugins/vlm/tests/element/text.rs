//! The text pad: answers as captions, in time with the video and never in its way.

use std::{
    sync::{Arc, Condvar, Mutex, mpsc::channel},
    time::Instant,
};

use gst::{EventType, event, prelude::*};
use gstvlm::analyze::{Busy, TextFormat};

use crate::support::{Bench, Captions, LONG, Said, Vlm, aside, assert_in_order, frame, gaps, init};

/// An element with a text pad.
fn bench(properties: &[(&str, &dyn ToValue)]) -> (Vlm, Bench, Captions) {
    init();
    let vlm = Vlm::start();
    let bench = Bench::new(&vlm, properties);
    let captions = Captions::request(&bench.element);
    (vlm, bench, captions)
}

#[test]
fn the_pad_begins_as_a_sparse_stream_in_the_videos_segment() {
    let (_vlm, mut bench, captions) = bench(&[]);
    bench.push(0);
    let [start, caps, segment] =
        [EventType::StreamStart, EventType::Caps, EventType::Segment].map(|kind| {
            match captions.said() {
                Said::Event(event) if event.type_() == kind => event,
                other => panic!("{other:?} is no {kind:?}"),
            }
        });
    let video = bench.sink().sticky_event::<event::StreamStart>(0).unwrap();
    let gst::EventView::StreamStart(start) = start.view() else { unreachable!() };
    assert_eq!(start.stream_id(), format!("{}/text", video.stream_id()));
    assert!(start.stream_flags().contains(gst::StreamFlags::SPARSE));
    assert_eq!(start.group_id(), video.group_id());
    let gst::EventView::Caps(caps) = caps.view() else { unreachable!() };
    assert_eq!(caps.caps().to_string(), "text/x-raw, format=(string)utf8");
    let video = bench.sink().sticky_event::<event::Segment>(0).unwrap();
    let gst::EventView::Segment(segment) = segment.view() else { unreachable!() };
    assert_eq!(segment.segment(), video.segment());
    captions.gap_beyond(0);
}

#[test]
fn with_busy_wait_every_sample_has_its_caption_in_its_place() {
    let (vlm, bench, captions) = bench(&[("busy", &Busy::Wait)]);
    let sink = bench.sink();
    let pushed = aside(move || {
        for n in 0..30u64 {
            sink.chain(frame(n * 100)).unwrap();
        }
        sink.send_event(event::Eos::new())
    });
    for answer in ["one", "two\n\n-->", "three"] {
        vlm.asked().answer(answer);
    }
    assert!(pushed.recv_timeout(LONG).unwrap());
    let said = captions.until_end();
    assert_in_order(&said);
    let shown: Vec<_> = said
        .iter()
        .filter_map(|said| match said {
            Said::Caption(text, pts, duration) => Some((text.as_str(), *pts, *duration)),
            _ => None,
        })
        .collect();
    let second = gst::ClockTime::SECOND;
    let expected = [("one", 0), ("two\n->", 1), ("three", 2)];
    assert_eq!(shown, expected.map(|(text, at)| (text, second * at, second)));
    assert!(gaps(&said) <= 3, "one reaches up to the next sample: {said:#?}");
    assert!(captions.is_quiet());
}

#[test]
fn every_nth_sample_lasts_until_the_next_one() {
    let (vlm, bench, captions) = bench(&[("busy", &Busy::Wait), ("every-n-frames", &2u32)]);
    let sink = bench.sink();
    let _pushed = aside(move || (0..5u64).try_for_each(|n| sink.chain(frame(n * 40)).map(drop)));
    for n in 0..3 {
        vlm.asked().answer(&n.to_string());
    }
    // Nothing is known of the rate before the second.
    assert_eq!(captions.caption(), ("0".into(), 0, 1000));
    assert_eq!(captions.caption(), ("1".into(), 80, 80));
    assert_eq!(captions.caption(), ("2".into(), 160, 80));
}

#[test]
fn a_live_caption_is_shown_soon_after_it_is_known_and_stands_until_the_next() {
    let (vlm, mut bench, captions) = bench(&[]);
    bench.push(0);
    let asked = vlm.asked();
    (1..10).for_each(|n| drop(bench.push(n * 100)));
    asked.answer("late");
    bench.done();
    bench.push(1000);
    vlm.asked().answer("later");
    bench.done();
    (11..=20).for_each(|n| drop(bench.push(n * 100)));
    let asked = vlm.asked();
    (21..30).for_each(|n| drop(bench.push(n * 100)));
    asked.answer("last");
    assert!(bench.end_aside().recv_timeout(LONG).unwrap());
    let said = captions.until_end();
    assert_in_order(&said);
    let shown: Vec<_> = said
        .into_iter()
        .filter_map(|said| match said {
            Said::Caption(text, pts, duration) => Some((text, pts.mseconds(), duration.mseconds())),
            _ => None,
        })
        .collect();
    let at = |text: &str, pts, duration| (text.to_owned(), pts, duration);
    // A gap tells a quarter of a second in advance that there is no caption.
    assert_eq!(shown[0], at("late", 1150, 1000));
    assert_eq!(shown[1], at("later", 1150, 1000));
    assert_eq!(shown[2], at("last", 2950, 1800));
}

#[test]
fn only_complete_answers_are_shown_and_all_of_them_before_the_end() {
    let (vlm, mut bench, captions) = bench(&[]);
    bench.push(0);
    let mut asked = vlm.asked();
    asked.say("a red ");
    bench.answer();
    let ended = bench.end_aside();
    asked.say("ball");
    asked.finish();
    assert!(ended.recv_timeout(LONG).unwrap());
    assert_eq!(captions.caption().0, "a red ball");
    assert!(captions.until_end().is_empty());
}

#[test]
fn an_answer_of_nothing_is_no_caption() {
    let (vlm, mut bench, captions) = bench(&[]);
    bench.push(0);
    vlm.asked().answer(" \n");
    assert_eq!(bench.error().kind, "empty");
    bench.push(40);
    assert!(bench.end_aside().recv_timeout(LONG).unwrap());
    let said = captions.until_end();
    assert!(!said.iter().any(|said| matches!(said, Said::Caption(..))), "{said:?}");
}

#[test]
fn json_is_a_line_for_each_answer() {
    let (vlm, mut bench, captions) = bench(&[("text-format", &TextFormat::Json)]);
    bench.push(40);
    vlm.asked().answer("a \"red\"\n\nball");
    let answer = bench.done();
    let (line, ..) = captions.caption();
    assert_eq!(line.find('\n'), Some(line.len() - 1));
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value, answer.to_json());
    assert_eq!((&value["pts"], &value["seq"]), (&40_000_000.into(), &1.into()));
    assert_eq!(value["text"], "a \"red\"\n\nball");
    bench.set("text-format", TextFormat::Text);
    bench.push(1040);
    vlm.asked().answer("a blue ball");
    assert_eq!(captions.caption().0, "a blue ball");
}

/// As `webvttenc` does.
#[test]
fn markup_is_written_where_downstream_prefers_it() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    let captions = Captions::request_for(&bench.element, "text/x-raw,format={pango-markup,utf8}");
    bench.push(0);
    vlm.asked().answer("1 < 2 --> 3");
    assert_eq!(captions.caption().0, "1 &lt; 2 --&gt; 3");
    let caps = captions.pad.current_caps().unwrap();
    assert_eq!(caps.to_string(), "text/x-raw, format=(string)pango-markup");
}

#[test]
fn after_a_flush_nothing_comes_from_before_it() {
    let (vlm, mut bench, captions) = bench(&[]);
    bench.push(0);
    let before = vlm.asked();
    captions.gap_beyond(0);
    assert!(bench.harness.push_event(event::FlushStart::new()));
    captions.event(EventType::FlushStart);
    assert!(bench.harness.push_event(event::FlushStop::new(true)));
    let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
    segment.set_start(gst::ClockTime::from_seconds(10));
    bench.harness.push_event(event::Segment::new(&segment));
    before.answer("before");
    bench.done();
    bench.push(10_000);
    vlm.asked().answer("after");
    captions.event(EventType::FlushStop);
    captions.event(EventType::Segment);
    assert_eq!(captions.caption(), ("after".into(), 10_250, 1000));
}

/// Keeps whoever comes until it is opened.
#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn pass(&self) {
        drop(self.1.wait_while(self.0.lock().unwrap(), |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

/// Keeps what the text pad pushes, and returns when the pad's task is kept there.
fn block(captions: &Captions, bench: &mut Bench) -> Arc<Gate> {
    let gate = Arc::<Gate>::default();
    let (arrive, arrived) = channel();
    captions.sink.add_probe(gst::PadProbeType::DATA_DOWNSTREAM, {
        let gate = Arc::clone(&gate);
        move |_, _| {
            let _ = arrive.send(());
            gate.pass();
            gst::PadProbeReturn::Ok
        }
    });
    bench.push(0);
    arrived.recv_timeout(LONG).unwrap();
    gate
}

#[test]
fn whoever_does_not_take_the_text_does_not_hold_the_video() {
    let (vlm, mut bench, captions) = bench(&[("interval", &0u64)]);
    let gate = block(&captions, &mut bench);
    for n in 1..=200 {
        vlm.asked().answer(&n.to_string());
        bench.done();
        bench.push(n * 100);
    }
    assert_eq!(bench.count("answers"), 200);
    assert!(bench.count("captions-dropped") > 100, "too many captions wait");
    assert!(vlm.asked().is_open());
    gate.open();
    let mut said = Vec::new();
    while !matches!(said.last(), Some(Said::Caption(text, ..)) if text == "200") {
        said.push(captions.said());
    }
    assert_in_order(&said);
    let shown = said.iter().filter(|said| matches!(said, Said::Caption(..))).count();
    assert_eq!(u64::try_from(shown).unwrap(), 200 - bench.count("captions-dropped"));
}

#[test]
fn a_pad_that_is_released_while_it_is_kept_downstream_keeps_nobody() {
    let (vlm, mut bench, captions) = bench(&[]);
    let gate = block(&captions, &mut bench);
    let released = aside({
        let (element, pad) = (bench.element.clone(), captions.pad.clone());
        move || element.release_request_pad(&pad)
    });
    released.recv_timeout(LONG).unwrap();
    assert!(bench.element.static_pad("text").is_none());
    // Another one does not wait for it either.
    let next = Captions::request(&bench.element);
    bench.push(40);
    next.gap_beyond(39);
    vlm.asked().answer("one");
    assert_eq!(next.caption().0, "one");
    gate.open();
    let began = Instant::now();
    while captions.pad.task_state() != gst::TaskState::Stopped {
        assert!(began.elapsed() < LONG, "the task of the released pad goes on");
        std::thread::yield_now();
    }
}

#[test]
fn a_released_pad_has_no_task_and_another_may_be_requested() {
    let (vlm, mut bench, captions) = bench(&[]);
    for n in 0..20 {
        bench.push(n * 10);
    }
    bench.element.release_request_pad(&captions.pad);
    assert!(captions.pad.parent().is_none());
    bench.push(300);
    vlm.asked().answer("one");
    bench.done();
    let next = Captions::request(&bench.element);
    bench.push(1300);
    vlm.asked().answer("two");
    assert_eq!(next.caption(), ("two".into(), 1550, 1000));
}

#[test]
fn there_is_one_text_pad_at_most() {
    let (_vlm, bench, captions) = bench(&[]);
    let template = bench.element.pad_template("text").unwrap();
    assert!(bench.element.request_pad(&template, None, None).is_none());
    bench.element.release_request_pad(&captions.pad);
    assert!(bench.element.request_pad_simple("text").is_some());
}

#[test]
fn a_pad_that_is_requested_late_begins_with_what_holds_then() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("busy", &Busy::Wait)]);
    let pushed = bench.push_aside(0);
    vlm.asked().answer("one");
    pushed.recv_timeout(LONG).unwrap().unwrap();
    let captions = Captions::request(&bench.element);
    let pushed = bench.push_aside(1000);
    vlm.asked().answer("two");
    pushed.recv_timeout(LONG).unwrap().unwrap();
    captions.event(EventType::StreamStart);
    captions.event(EventType::Caps);
    captions.event(EventType::Segment);
    assert_eq!(captions.caption(), ("two".into(), 1000, 1000));
    bench.element.release_request_pad(&captions.pad);
    assert!(bench.harness.push_event(event::Eos::new()));
    let late = Captions::request(&bench.element);
    late.event(EventType::StreamStart);
    late.event(EventType::Eos);
}

#[test]
fn a_pad_that_leads_nowhere_changes_nothing() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    let pad = bench.element.request_pad_simple("text").unwrap();
    bench.push(0);
    vlm.asked().answer("one");
    bench.done();
    assert!(gstvlm::meta::answer(&bench.push(500)).is_some());
    bench.push(1000);
    vlm.asked().answer("two");
    bench.done();
    bench.push(2000);
    // Linked later, it goes on from there.
    let captions = Captions::link(pad);
    vlm.asked().answer("three");
    captions.event(EventType::Segment);
    while captions.caption().0 != "three" {}
}

#[test]
fn what_text_wants_of_the_video_goes_upstream_and_its_quality_does_not() {
    let (_vlm, mut bench, captions) = bench(&[]);
    bench.push(0);
    captions.gap_beyond(0);
    let late = gst::event::Qos::new(gst::QOSType::Underflow, 2.0, 9, gst::ClockTime::ZERO);
    assert!(captions.sink.push_event(late));
    captions.sink.push_event(event::Latency::new(gst::ClockTime::from_mseconds(7)));
    let upstream = std::iter::from_fn(|| bench.harness.pull_upstream_event().ok());
    let types = upstream.map(|event| event.type_()).find(|kind| {
        assert_ne!(*kind, EventType::Qos);
        *kind == EventType::Latency
    });
    assert!(types.is_some());
}

/// Pipelines that are sought, ended, paused and stopped while questions are in flight and the
/// stream is held.
#[test]
fn a_hundred_seeks_and_stops_do_not_lock_up() {
    init();
    let vlm = Vlm::start();
    let base = vlm.base().to_owned();
    // Every second question is never answered.
    std::thread::spawn(move || {
        let mut never = Vec::new();
        for n in 0.. {
            match vlm.try_asked() {
                Some(asked) if n % 2 == 0 => asked.answer("yes"),
                Some(asked) => never.push(asked),
                None => return,
            }
        }
    });
    let done = aside(move || (0..100).for_each(|n| seek_and_stop(&base, n)));
    done.recv_timeout(LONG * 3).expect("it should not lock up");
}

/// The bits of `what` say what is done.
fn seek_and_stop(base: &str, what: u32) {
    let does = |bit: u32| what & (1 << bit) != 0;
    // Either a buffer is held, or the stream's end.
    let (buffers, busy) = if does(0) { (1, "latest") } else { (300, "wait") };
    let pipeline = gst::parse::launch(&format!(
        "videotestsrc num-buffers={buffers} ! video/x-raw,width=64,height=48 ! vlmanalyze name=v \
         model=m busy={busy} interval=0 api-base={base} ! fakesink v.text ! fakesink"
    ))
    .unwrap();
    let element = pipeline.downcast_ref::<gst::Bin>().unwrap().by_name("v").unwrap();
    let play = || {
        pipeline.set_state(gst::State::Playing).unwrap();
        let began = Instant::now();
        let stats = || element.property::<gst::Structure>("stats");
        while stats().get::<u64>("questions").unwrap() == 0 {
            assert!(began.elapsed() < LONG, "no question is asked");
            std::thread::yield_now();
        }
    };
    let seek = |to| {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT;
        let _ = pipeline.seek_simple(flags, gst::ClockTime::from_mseconds(to));
    };
    play();
    if does(1) {
        seek(100);
    }
    if does(2) {
        pipeline.set_state(gst::State::Ready).unwrap();
        play();
    }
    if does(3) {
        let _ = pipeline.set_state(gst::State::Paused);
    }
    if does(4) {
        seek(200);
        seek(300);
    }
    pipeline.set_state(gst::State::Null).unwrap();
}
