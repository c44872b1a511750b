//! Which part of a frame the VLM is shown, and which way up.

use gst::prelude::*;
use gst_video::{VideoCropMeta, VideoFormat, VideoFrameFlags, VideoMeta};

use crate::support::{Bench, Vlm, decoded, init, is_about, stand_ins};

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const WHITE: [u8; 3] = [255, 255, 255];

const WIDTH: usize = 128;
const HEIGHT: usize = 64;
const CAPS: &str = "video/x-raw,format=RGB,width=128,height=64,framerate=0/1";

/// A frame whose quarters are red and green above blue and white.
fn quarters() -> gst::Buffer {
    quarters_of(WIDTH, HEIGHT)
}

fn quarters_of(width: usize, height: usize) -> gst::Buffer {
    let line = |left: [u8; 3], right: [u8; 3]| {
        [left.repeat(width / 2), right.repeat(width / 2)].concat().repeat(height / 2)
    };
    gst::Buffer::from_mut_slice([line(RED, GREEN), line(BLUE, WHITE)].concat())
}

/// What the VLM is shown.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    size: (u32, u32),
    /// By letters: above, from left to right, and below.
    quarters: String,
}

fn seen(width: u32, height: u32, quarters: &str) -> Seen {
    Seen { size: (width, height), quarters: quarters.to_owned() }
}

struct Stream {
    vlm: Vlm,
    bench: Bench,
    next_ms: u64,
}

impl Stream {
    fn new(properties: &[(&str, &dyn ToValue)]) -> Self {
        init();
        let vlm = Vlm::start();
        let bench = Bench::new(&vlm, &[properties, &[("interval", &0u64)]].concat());
        let stream = Self { vlm, bench, next_ms: 0 };
        stream.begin("one");
        stream
    }

    /// Begins a stream of this name.
    fn begin(&self, name: &str) {
        let sink = self.bench.sink();
        assert!(sink.send_event(gst::event::StreamStart::new(name)));
        assert!(sink.send_event(gst::event::Caps::new(&CAPS.parse::<gst::Caps>().unwrap())));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        assert!(sink.send_event(gst::event::Segment::new(&segment)));
    }

    fn caps(&self, caps: &str) {
        let caps: gst::Caps = caps.parse().unwrap();
        assert!(self.bench.sink().send_event(gst::event::Caps::new(&caps)));
    }

    /// Says this of the stream, or of the whole medium.
    fn tag(&self, scope: gst::TagScope, orientation: Option<&str>) {
        let mut tags = gst::TagList::new();
        let new = tags.get_mut().unwrap();
        new.set_scope(scope);
        new.add::<gst::tags::Title>(&"A walk", gst::TagMergeMode::Append);
        if let Some(orientation) = orientation {
            new.add::<gst::tags::ImageOrientation>(&orientation, gst::TagMergeMode::Append);
        }
        assert!(self.bench.sink().send_event(gst::event::Tag::new(tags)));
    }

    /// What the VLM is shown of a frame, which has to leave the element as it came.
    fn show(&mut self, mut frame: gst::Buffer) -> Seen {
        frame.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(self.next_ms));
        self.next_ms += 1000;
        let memory = frame.peek_memory(0).as_ptr();
        let before = frame.map_readable().unwrap().to_vec();
        let caps = self.bench.sink().current_caps();
        self.bench.sink().chain(frame).unwrap();
        let frame = self.bench.harness.pull().unwrap();
        let asked = self.vlm.asked();
        let picture = decoded(&asked.jpegs()[0]);
        asked.answer("one");
        self.bench.done();
        assert_eq!(frame.peek_memory(0).as_ptr(), memory, "the frame is not touched");
        assert_eq!(frame.map_readable().unwrap().to_vec(), before, "nor are its pixels");
        let src = self.bench.element.static_pad("src").unwrap();
        assert_eq!(src.current_caps(), caps, "nor are its caps");
        let (width, height) = picture.dimensions();
        let quarters = [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| {
            let colour = picture.get_pixel(width * x / 4, height * y / 4).0;
            let names = [(RED, 'r'), (GREEN, 'g'), (BLUE, 'b'), (WHITE, 'w')];
            names.into_iter().find(|(meant, _)| is_about(colour, *meant)).map_or('?', |it| it.1)
        });
        Seen { size: (width, height), quarters: quarters.iter().collect() }
    }
}

const STREAM: gst::TagScope = gst::TagScope::Stream;
const MEDIUM: gst::TagScope = gst::TagScope::Global;

#[test]
fn the_picture_is_turned_as_the_streams_tags_say() {
    let mut stream = Stream::new(&[]);
    assert_eq!(stream.show(quarters()), seen(128, 64, "rgbw"));
    // Clockwise; a flip is from left to right, and comes first.
    for (orientation, expected) in [
        ("rotate-90", seen(64, 128, "brwg")),
        ("rotate-180", seen(128, 64, "wbgr")),
        ("rotate-270", seen(64, 128, "gwrb")),
        ("flip-rotate-0", seen(128, 64, "grwb")),
        ("flip-rotate-90", seen(64, 128, "wgbr")),
        ("flip-rotate-180", seen(128, 64, "bwrg")),
        ("flip-rotate-270", seen(64, 128, "rbgw")),
        ("rotate-0", seen(128, 64, "rgbw")),
    ] {
        stream.tag(STREAM, Some(orientation));
        assert_eq!(stream.show(quarters()), expected, "{orientation}");
    }
}

#[test]
fn a_turned_picture_has_its_longest_edge_within_max_size() {
    let mut stream = Stream::new(&[("max-size", &32u32)]);
    stream.tag(STREAM, Some("rotate-90"));
    assert_eq!(stream.show(quarters()), seen(16, 32, "brwg"));
}

#[test]
fn every_format_is_turned() {
    let mut stream = Stream::new(&[]);
    stream.tag(STREAM, Some("rotate-90"));
    for format in ["I420", "NV12", "YUY2", "P010_10LE", "GRAY8", "BGRx", "Y444"] {
        let caps = format!("video/x-raw,format={format},width=128,height=64,framerate=0/1");
        stream.caps(&caps);
        let info = gst_video::VideoInfo::from_caps(&caps.parse::<gst::Caps>().unwrap()).unwrap();
        let frame = gst::Buffer::from_mut_slice(vec![128; info.size()]);
        assert_eq!(stream.show(frame).size, (64, 128), "{format}");
    }
}

#[test]
fn the_newest_tags_of_a_scope_count_and_the_streams_come_first() {
    let mut stream = Stream::new(&[]);
    stream.tag(MEDIUM, Some("rotate-180"));
    assert_eq!(stream.show(quarters()).quarters, "wbgr");
    stream.tag(STREAM, Some("rotate-90"));
    stream.tag(MEDIUM, Some("rotate-270"));
    assert_eq!(stream.show(quarters()).quarters, "brwg");
    stream.tag(STREAM, None);
    assert_eq!(stream.show(quarters()).quarters, "brwg", "other tags say nothing of it");
    stream.tag(STREAM, Some("sideways"));
    assert_eq!(stream.show(quarters()).quarters, "brwg", "nor does a word that nobody knows");
    stream.tag(STREAM, Some("rotate-0"));
    assert_eq!(stream.show(quarters()).quarters, "rgbw");
}

#[test]
fn tags_hold_until_another_stream_begins() {
    let mut stream = Stream::new(&[]);
    stream.tag(STREAM, Some("rotate-90"));
    let sink = stream.bench.sink();
    assert!(sink.send_event(gst::event::FlushStart::new()));
    assert!(sink.send_event(gst::event::FlushStop::new(true)));
    stream.begin("one");
    assert_eq!(stream.show(quarters()).quarters, "brwg", "a seek is no new stream");
    stream.begin("other");
    assert_eq!(stream.show(quarters()).quarters, "rgbw");
}

#[test]
fn what_turns_the_stream_by_its_tags_before_does_so_alone() {
    init();
    let vlm = Vlm::start();
    for direction in ["auto", "identity"] {
        let pipeline = gst::parse::launch(&format!(
            "videotestsrc num-buffers=1 ! video/x-raw,width=128,height=64 ! \
             taginject tags=image-orientation=rotate-90 ! videoflip video-direction={direction} ! \
             identity ! vlmanalyze model=m api-base={} ! fakesink",
            vlm.base()
        ))
        .unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let asked = vlm.asked();
        assert_eq!(decoded(&asked.jpegs()[0]).dimensions(), (64, 128), "{direction}");
        asked.answer("one");
        pipeline.set_state(gst::State::Null).unwrap();
    }
}

/// Turns what a file shows by 90 degrees, as phones do that are held upright: by the matrix of its
/// track (ISO/IEC 14496-12, section 8.3.2).
fn turn(file: &std::path::Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let track = bytes.windows(4).position(|kind| kind == b"tkhd").unwrap();
    assert_eq!(bytes[track + 4], 0, "times have 32 bits");
    let matrix = [0, 1 << 16, 0, -1 << 16, 0, 0, 64 << 16, 0, 1 << 30];
    let matrix: Vec<u8> = matrix.iter().flat_map(|number: &i32| number.to_be_bytes()).collect();
    bytes[track + 44..][..matrix.len()].copy_from_slice(&matrix);
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_file_of_a_phone_is_shown_the_right_way_up() {
    init();
    let vlm = Vlm::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("phone.mov");
    let written = gst::parse::launch(&format!(
        "videotestsrc num-buffers=2 ! video/x-raw,width=128,height=64 ! jpegenc ! qtmux ! \
         filesink location={}",
        file.display()
    ))
    .unwrap();
    written.set_state(gst::State::Playing).unwrap();
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = written.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(10), &kinds);
    assert_eq!(end.unwrap().type_(), gst::MessageType::Eos);
    written.set_state(gst::State::Null).unwrap();
    turn(&file);
    let shown = gst::parse::launch(&format!(
        "filesrc location={} ! decodebin ! vlmanalyze model=m api-base={} ! fakesink",
        file.display(),
        vlm.base()
    ))
    .unwrap();
    shown.set_state(gst::State::Playing).unwrap();
    let asked = vlm.asked();
    assert_eq!(decoded(&asked.jpegs()[0]).dimensions(), (64, 128));
    asked.answer("one");
    shown.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_named_encoder_gets_turned_pictures() {
    let mut stream = Stream::new(&[("jpeg-encoder", &"queue ! jpegenc")]);
    stream.tag(STREAM, Some("rotate-270"));
    assert_eq!(stream.show(quarters()), seen(64, 128, "gwrb"));
}

#[test]
fn what_is_in_the_hardware_is_turned_by_the_cpu() {
    init();
    stand_ins::stand_in(&["vapostproc", "vajpegenc"]);
    let mut stream = Stream::new(&[]);
    let nv12 = || gst::Buffer::from_mut_slice(vec![128; WIDTH * HEIGHT * 3 / 2]);
    stream.caps("video/x-raw(memory:VAMemory),format=NV12,width=128,height=64,framerate=0/1");
    assert_eq!(stream.show(nv12()).size, (128, 64));
    assert_eq!(stand_ins::made(), ["vapostproc", "vajpegenc"]);
    stream.tag(STREAM, Some("rotate-90"));
    assert_eq!(stream.show(nv12()).size, (64, 128));
    assert_eq!(stand_ins::made(), ["vapostproc", "vajpegenc", "vapostproc"]);
}

#[test]
fn the_part_is_shown_that_crop_metadata_names() {
    let mut stream = Stream::new(&[]);
    let cropped = |part| {
        let mut frame = quarters();
        VideoCropMeta::add(frame.get_mut().unwrap(), part);
        frame
    };
    assert_eq!(stream.show(cropped((0, 0, 64, 32))), seen(64, 32, "rrrr"));
    assert_eq!(stream.show(cropped((32, 16, 64, 32))), seen(64, 32, "rgbw"));
    assert_eq!(stream.show(cropped((64, 0, 64, 64))), seen(64, 64, "ggww"));
    assert_eq!(stream.show(cropped((63, 31, 2, 2))).size, (2, 2));
    assert_eq!(stream.show(cropped((65, 33, 31, 21))), seen(32, 22, "wwww"));
    for outside in [(100, 0, 64, 64), (0, 0, 128, 65), (0, 0, 0, 0), (u32::MAX, 0, 64, 64)] {
        assert_eq!(stream.show(cropped(outside)), seen(128, 64, "rgbw"), "{outside:?}");
    }
    stream.tag(STREAM, Some("rotate-90"));
    assert_eq!(stream.show(cropped((64, 0, 64, 32))), seen(32, 64, "gggg"));
}

#[test]
fn the_part_is_shown_also_if_only_the_caps_have_its_size() {
    let mut stream = Stream::new(&[]);
    stream.caps("video/x-raw,format=RGB,width=64,height=32,framerate=0/1");
    let mut frame = quarters();
    let new = frame.get_mut().unwrap();
    let (width, height) = (WIDTH as u32, HEIGHT as u32);
    VideoMeta::add(new, VideoFrameFlags::empty(), VideoFormat::Rgb, width, height).unwrap();
    VideoCropMeta::add(new, (64, 32, 64, 32));
    assert_eq!(stream.show(frame), seen(64, 32, "wwww"));
}

#[test]
fn another_part_is_a_changed_picture() {
    let mut stream = Stream::new(&[("min-change", &0.5f64)]);
    let mut cropped = |x| {
        let mut frame = quarters();
        VideoCropMeta::add(frame.get_mut().unwrap(), (x, 0, 64, 32));
        stream.show(frame).quarters
    };
    assert_eq!((cropped(0), cropped(64)), ("rrrr".to_owned(), "gggg".to_owned()));
}

#[test]
fn a_field_is_shown_as_the_picture_that_it_is() {
    let mut stream = Stream::new(&[]);
    stream.caps(
        "video/x-raw(format:Interlaced),interlace-mode=alternate,format=RGB,width=128,height=64,\
         framerate=0/1",
    );
    assert_eq!(stream.show(quarters_of(128, 32)), seen(128, 64, "rgbw"));
    stream.tag(STREAM, Some("rotate-90"));
    assert_eq!(stream.show(quarters_of(128, 32)), seen(64, 128, "brwg"));
}

#[test]
fn frames_of_two_fields_are_shown() {
    let mut stream = Stream::new(&[("max-size", &64u32)]);
    for mode in ["interleaved", "mixed"] {
        stream.caps(&format!("{CAPS},interlace-mode={mode}"));
        assert_eq!(stream.show(quarters()), seen(64, 32, "rgbw"));
    }
}

#[test]
fn a_field_in_the_hardware_is_an_error_that_says_what_to_do_and_the_stream_flows_on() {
    init();
    stand_ins::stand_in(&["vapostproc", "vajpegenc"]);
    let mut stream = Stream::new(&[("retries", &0u32)]);
    stream.caps(
        "video/x-raw(memory:VAMemory,format:Interlaced),interlace-mode=alternate,format=NV12,\
         width=128,height=64,framerate=0/1",
    );
    let field = gst::Buffer::from_mut_slice(vec![128; WIDTH * HEIGHT * 3 / 4]);
    stream.bench.sink().chain(field).unwrap();
    stream.bench.harness.pull().unwrap();
    let error = stream.bench.error();
    assert_eq!(error.kind, "encode");
    for word in ["memory:VAMemory", "interlace-mode=alternate", "deinterlacer"] {
        assert!(error.message.contains(word), "{error:?}");
    }
    stream.caps(CAPS);
    assert_eq!(stream.show(quarters()), seen(128, 64, "rgbw"));
}

#[test]
fn a_frame_that_does_not_fit_its_caps_is_an_error_and_no_picture_of_memory() {
    for size in [10, WIDTH * HEIGHT * 3 - 1] {
        let stream = Stream::new(&[("retries", &0u32)]);
        stream.bench.sink().chain(gst::Buffer::from_mut_slice(vec![1; size])).unwrap();
        let error = stream.bench.error();
        assert!(error.kind == "encode" && error.message.contains("does not fit"), "{error:?}");
        assert!(stream.vlm.is_idle());
    }
}
