//! Frames of real encoders, what can be made of them, and what decoders make of that.

use gst::prelude::*;
use gst_app::{AppSink, AppSrc};

use super::*;

/// Longer than a few frames take on a busy machine.
const STUCK: gst::ClockTime = gst::ClockTime::from_seconds(20);
const ENCODERS: [(Codec, &str); 4] = [
    (Codec::Vp8, "vp8enc deadline=1"),
    (Codec::Vp9, "vp9enc deadline=1 cpu-used=9"),
    (Codec::H264, "x264enc tune=zerolatency ! h264parse ! video/x-h264,stream-format=byte-stream"),
    (Codec::H264, "openh264enc ! h264parse ! video/x-h264,stream-format=byte-stream"),
];

/// The bytes of each buffer at the end of a line for gst-launch, and the caps of the last.
fn run(line: &str, input: &[Vec<u8>]) -> (Vec<Vec<u8>>, Option<gst::Caps>) {
    gst::init().unwrap();
    let pipeline = gst::parse::launch(&format!("{line} ! appsink name=end sync=false")).unwrap();
    let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("end").and_downcast::<AppSink>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    if let Some(source) = pipeline.by_name("begin").and_downcast::<AppSrc>() {
        for (number, bytes) in input.iter().enumerate() {
            let mut buffer = gst::Buffer::from_slice(bytes.clone());
            let time = gst::ClockTime::from_mseconds(33 * number as u64);
            buffer.get_mut().unwrap().set_pts(time);
            source.push_buffer(buffer).unwrap();
        }
        source.end_of_stream().unwrap();
    }
    let (mut output, mut caps) = (Vec::new(), None);
    while let Some(sample) = sink.try_pull_sample(STUCK) {
        output.push(sample.buffer().unwrap().map_readable().unwrap().to_vec());
        caps = sample.caps_owned();
    }
    pipeline.set_state(gst::State::Null).unwrap();
    (output, caps)
}

fn encoded(encoder: &str, width: u32, height: u32, frames: usize) -> Vec<Vec<u8>> {
    let (frames, _) = run(
        &format!(
            "videotestsrc num-buffers={frames} pattern=ball ! \
             video/x-raw,format=I420,width={width},height={height} ! {encoder}"
        ),
        &[],
    );
    assert!(!frames.is_empty(), "{encoder}");
    frames
}

fn vp9(width: u32, height: u32) -> Vec<u8> {
    encoded(ENCODERS[1].1, width, height, 1).remove(0)
}

/// The size that vp9dec says the last of these pictures has.
fn decoded_by_libvpx(frame: Vec<u8>) -> (i32, i32) {
    let (_, caps) = run("appsrc name=begin format=time caps=video/x-vp9 ! vp9dec", &[frame]);
    let caps = caps.unwrap();
    let edge = |name| caps.structure(0).unwrap().get::<i32>(name).unwrap();
    (edge("width"), edge("height"))
}

/// The picture that a codec's frame has room made for.
fn picture(codec: Codec, frame: &[u8]) -> Result<Option<Picture>, Refusal> {
    Ok(match codec {
        Codec::Vp8 => vp8::picture(frame)?,
        Codec::Vp9 => vp9::read(frame)?.pictures.pop(),
        Codec::H264 => h264::pictures(frame)?.pop(),
    })
}

fn words(result: Result<Option<Trailer>, Refusal>) -> String {
    match result {
        Err(Refusal::Unsupported(words)) => words,
        other => panic!("{other:?}"),
    }
}

/// Writes headers that no encoder here does.
#[derive(Default)]
struct Header(Vec<bool>);

impl Header {
    fn number(mut self, bits: u32, number: u32) -> Self {
        self.0.extend((0..bits).rev().map(|bit| number >> bit & 1 == 1));
        self
    }

    fn golomb(self, number: u32) -> Self {
        let bits = (number + 1).ilog2();
        self.number(bits, 0).number(bits + 1, number + 1)
    }

    /// With ones to the end of the last byte.
    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            (0..8).fold(0, |byte, at| byte << 1 | u8::from(bits.get(at) != Some(&false)))
        };
        self.0.chunks(8).map(byte).collect()
    }

    /// Of a VP9 frame that is not shown and not resilient, up to its type.
    fn vp9(frame_type: u32) -> Self {
        Self::default().number(2, 2).number(2, 0).number(1, 0).number(1, frame_type).number(2, 0)
    }

    fn vp9_size(self, width: u32, height: u32) -> Self {
        self.number(16, width - 1).number(16, height - 1)
    }

    /// Of a sequence parameter set of the Baseline profile, up to the number of references.
    fn baseline() -> Self {
        Self::default().number(8, 66).number(16, 40).golomb(0).golomb(0).golomb(2)
    }

    /// The rest of a set: what is needed to read it, and a stop bit.
    fn set(self, references: u32, width: u32, height: u32) -> Vec<u8> {
        let (columns, rows) = (width / 16 - 1, height / 16 - 1);
        let rest = self.golomb(references).number(1, 0).golomb(columns).golomb(rows);
        unit(7, &rest.number(1, 1).number(1, 1).number(3, 0).number(1, 1).bytes())
    }
}

/// A NAL unit with its start code.
fn unit(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 1, 0x60 | kind], payload].concat()
}

fn superframe(frames: &[&[u8]]) -> Vec<u8> {
    let marker = 0b1100_1000 | u8::try_from(frames.len() - 1).unwrap();
    let sizes = frames.iter().flat_map(|frame| u16::try_from(frame.len()).unwrap().to_le_bytes());
    let index = [marker].into_iter().chain(sizes).chain([marker]);
    frames.concat().into_iter().chain(index).collect()
}

#[test]
fn frames_of_real_encoders_have_the_size_that_was_encoded() {
    for (codec, encoder) in ENCODERS {
        for (width, height) in [(64, 64), (176, 144), (642, 482), (360, 640), (1280, 720)] {
            let frames = encoded(encoder, width, height, 3);
            let made = match codec {
                Codec::H264 => (width.next_multiple_of(16), height.next_multiple_of(16)),
                _ => (width, height),
            };
            let key = picture(codec, &frames[0]).unwrap().map(|key| (key.width, key.height));
            assert_eq!(key, Some(made), "{encoder}");
            assert_eq!(picture(codec, &frames[2]), Ok(None), "{encoder}: not a key frame");
            assert!(frames.iter().all(|frame| check(codec, frame).is_ok()), "{encoder}");
        }
    }
}

#[test]
fn h264_of_every_kind_that_is_taken_has_the_size_that_was_encoded() {
    let byte_stream = "h264parse ! video/x-h264,stream-format=byte-stream";
    for (options, filter, expected) in [
        ("interlaced=true", "", Some((320, 256))),
        ("option-string=ref=4:bframes=2", ",profile=main", Some((320, 240))),
        ("dct8x8=true", ",profile=high", Some((320, 240))),
        ("", ",profile=constrained-baseline", Some((320, 240))),
    ] {
        let mode = if options.contains("interlaced") { "interleaved" } else { "progressive" };
        let raw = format!("capsfilter caps=video/x-raw,interlace-mode={mode}");
        let line = format!("{raw} ! x264enc {options} ! video/x-h264{filter} ! {byte_stream}");
        let frames = encoded(&line, 320, 240, 8);
        let read = picture(Codec::H264, &frames[0]).unwrap().map(|read| (read.width, read.height));
        assert_eq!(read, expected, "{line}");
    }
}

#[test]
fn other_profiles_are_refused_in_words() {
    let y444 = "videotestsrc num-buffers=1 ! video/x-raw,format=Y444,width=64,height=64";
    let (frames, _) = run(&format!("{y444} ! vp9enc deadline=1 cpu-used=9"), &[]);
    let refused = words(check(Codec::Vp9, &frames[0]));
    assert!(refused.contains("profile 0"), "{refused}");
    let (frames, _) =
        run(&format!("{y444} ! x264enc ! h264parse ! video/x-h264,stream-format=byte-stream"), &[]);
    let refused = words(check(Codec::H264, &frames[0]));
    assert!(refused.contains("4:2:0"), "{refused}");
    // High in name, 4:4:4 in fact.
    let liar = Header::default().number(8, 100).number(16, 40).golomb(0).golomb(3);
    let refused = words(check(
        Codec::H264,
        &liar.number(1, 0).golomb(0).golomb(0).number(2, 0).set(1, 64, 64),
    ));
    assert!(refused.contains("4:2:0"), "{refused}");
}

#[test]
fn a_frame_that_says_it_is_too_large_is_refused_with_its_size() {
    let mut patched = encoded(ENCODERS[0].1, 64, 64, 1).remove(0);
    patched[6..10].copy_from_slice(&[0xFF, 0x3F, 0xFF, 0x3F]);
    assert!(words(check(Codec::Vp8, &patched)).contains("16383x16383"));
    let mut patched = vp9(64, 64);
    // The sizes begin after 36 bits and have 16 each.
    patched[4] |= 0x0F;
    patched[5..8].fill(0xFF);
    patched[8] |= 0xF0;
    assert!(words(check(Codec::Vp9, &patched)).contains("65536x65536"));
    let set = Header::baseline().set(1, 16_384, 16_384);
    assert!(words(check(Codec::H264, &set)).contains("16384x16384"));
}

#[test]
fn the_limits_are_those_of_h264_level_5_2() {
    for (width, height, fits) in [
        (3840, 2160, true),
        (2160, 3840, true),
        (4096, 2304, true),
        (4096, 2305, false),
        (4097, 16, false),
        (16, 4097, false),
        (4096, 4096, false),
        (65_536, 65_536, false),
    ] {
        assert_eq!(check_size(width, height).is_ok(), fits, "{width}x{height}");
    }
    for (references, width, height, fits) in
        [(5, 4096, 2304, true), (6, 4096, 2304, false), (16, 1920, 1088, true)]
    {
        let set = Header::baseline().set(references, width, height);
        assert_eq!(check(Codec::H264, &set).is_ok(), fits, "{references} of {width}x{height}");
    }
}

#[test]
fn every_kind_of_vp9_frame_is_read_that_can_say_its_size() {
    let large = |header: Header| words(check(Codec::Vp9, &header.vp9_size(8192, 8192).bytes()));
    let intra_only = || Header::vp9(1).number(1, 1).number(2, 0).number(24, 0x49_83_42);
    assert!(large(intra_only().number(8, 0xFF)).contains("8192x8192"));
    // No size of one of the three references is taken over.
    let inter = || Header::vp9(1).number(1, 0).number(2, 0).number(8, 1).number(12, 0);
    assert!(large(inter().number(3, 0)).contains("8192x8192"));
    let resilient =
        Header::default().number(2, 2).number(3, 0).number(1, 1).number(2, 3).number(20, 0);
    assert!(large(resilient.number(3, 0)).contains("8192x8192"));
    for (_, as_before) in [(1, 0b100), (2, 0b010), (3, 0b001)] {
        let frame = inter().number(3, as_before).vp9_size(8192, 8192).bytes();
        assert_eq!(picture(Codec::Vp9, &frame), Ok(None));
    }
    let shown_again = Header::default().number(2, 2).number(2, 0).number(1, 1).number(3, 5);
    assert_eq!(picture(Codec::Vp9, &shown_again.bytes()), Ok(None));
    // What is not VP9, and what no encoder makes.
    for bad in [Header::default().number(8, 0x42), Header::vp9(0).number(24, 0x49_83_43)] {
        let bad = bad.number(8, 0).vp9_size(64, 64).bytes();
        assert_eq!(check(Codec::Vp9, &bad), Err(Refusal::Unreadable));
    }
    let rgb = Header::vp9(0).number(24, 0x49_83_42).number(4, 0b1110).vp9_size(64, 64);
    assert_eq!(check(Codec::Vp9, &rgb.bytes()), Err(Refusal::Unreadable));
}

#[test]
fn all_frames_of_a_superframe_are_read() {
    let (small, other) = (vp9(64, 64), vp9(96, 80));
    let both = superframe(&[&small, &other]);
    let read = vp9::read(&both).unwrap();
    let sizes: Vec<_> = read.pictures.iter().map(|read| (read.width, read.height)).collect();
    assert_eq!(sizes, [(64, 64), (96, 80)]);
    assert_eq!(read.trailer, None);
    assert_eq!(decoded_by_libvpx(both), (96, 80));
    let mut large = other.clone();
    large[5..8].fill(0xFF);
    assert!(words(check(Codec::Vp9, &superframe(&[&small, &large]))).contains("is larger"));
    // An index that does not fit its frames.
    let whole = superframe(&[&small, &other]);
    for cut in 1..whole.len() {
        if whole[whole.len() - 1 - cut] != *whole.last().unwrap() {
            let index = [&whole[cut..], &[]].concat();
            assert_eq!(check(Codec::Vp9, &index[..index.len()]).ok(), None, "{cut} bytes less");
        }
    }
}

#[test]
fn libvpx_decodes_no_frame_that_was_not_read() {
    let hidden = [vp9(64, 64), vp9(128, 96)].concat();
    assert_eq!(decoded_by_libvpx(hidden.clone()), (128, 96), "it looks for more by itself");
    let trailer = check(Codec::Vp9, &hidden).unwrap().unwrap();
    let closed = [&hidden[..], &trailer[..]].concat();
    assert_eq!(decoded_by_libvpx(closed.clone()), (64, 64));
    assert_eq!(check(Codec::Vp9, &closed), Ok(None), "a frame that has an index gets no other");
}

#[test]
fn every_parameter_set_of_an_access_unit_is_read() {
    let (small, large) =
        (Header::baseline().set(1, 640, 480), Header::baseline().set(1, 8192, 8192));
    let slice = unit(5, &[0x88; 40]);
    assert_eq!(check(Codec::H264, &[&small[..], &small, &slice].concat()), Ok(None));
    for unit in [[&small[..], &large, &slice].concat(), [&slice[..], &small, &large].concat()] {
        assert!(words(check(Codec::H264, &unit)).contains("8192x8192"));
        // With three bytes of start code, and zeros before it.
        let short = [&[0, 0, 1], &unit[4..], &[0, 0, 0, 0][..], &large[1..]].concat();
        assert!(words(check(Codec::H264, &short)).contains("8192x8192"));
    }
    let no_start_code = &small[4..];
    assert_eq!(check(Codec::H264, no_start_code), Err(Refusal::Unreadable));
}

#[test]
fn a_set_that_can_be_read_in_two_ways_is_not_let_through() {
    let set = Header::default().number(8, 66).number(16, 0).number(8, 3);
    let set = set.golomb(0).golomb(0).golomb(2).set(1, 64, 64);
    assert_eq!(check(Codec::H264, &set), Err(Refusal::Unreadable));
    // After the size both are the same.
    let harmless = [&Header::baseline().set(1, 64, 64)[..], &[0, 0, 3, 1]].concat();
    assert_eq!(check(Codec::H264, &harmless), Ok(None));
}

#[test]
fn scaling_lists_and_picture_order_counts_are_read_over() {
    let high = || Header::default().number(8, 100).number(16, 40).golomb(0).golomb(1);
    // Eight lists: left out, the default, all the same (16 and 64 codes), and ended early.
    let lists = |header: Header| {
        let header = header.golomb(0).golomb(0).number(1, 0).number(1, 1).number(1, 0);
        // A first delta of -8, code number 16, means the default.
        let header = header.number(1, 1).golomb(16).number(1, 1).number(16, 0xFFFF);
        let header = header.number(1, 1).golomb(1).golomb(18).number(3, 0).number(1, 1);
        header.number(32, u32::MAX).number(32, u32::MAX)
    };
    let set = lists(high()).golomb(4).golomb(2).set(2, 1920, 1088);
    let expected = Picture { width: 1920, height: 1088, kept: 2 };
    assert_eq!(picture(Codec::H264, &set), Ok(Some(expected)));
    let cycle = Header::default().number(8, 77).number(16, 40).golomb(3).golomb(0).golomb(1);
    let cycle = cycle.number(1, 0).golomb(7).golomb(8).golomb(2).golomb(9).golomb(10);
    assert_eq!(picture(Codec::H264, &cycle.set(2, 1920, 1088)), Ok(Some(expected)));
}

#[test]
fn a_frame_that_was_cut_off_anywhere_is_unreadable_or_has_its_size() {
    for (codec, encoder) in ENCODERS {
        let frame = encoded(encoder, 176, 144, 1).remove(0);
        let whole = picture(codec, &frame).unwrap();
        let mut readable = 0;
        for end in 0..frame.len().min(400) {
            match picture(codec, &frame[..end]) {
                Err(Refusal::Unreadable) => {}
                // An access unit that is cut off before its set.
                Ok(None) => assert!(codec == Codec::H264 && end < 100, "{encoder}: {end}"),
                read => {
                    assert_eq!(read, Ok(whole), "{encoder}: {end}");
                    readable += 1;
                }
            }
        }
        assert!(readable > 0, "{encoder}");
    }
}

#[test]
fn nothing_that_is_let_through_is_larger_than_the_limits() {
    let mut random = 0x5eed_u64;
    let mut next = move || {
        // Marsaglia's xorshift.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    let mut refused = 0;
    for (codec, encoder) in ENCODERS {
        let frames = encoded(encoder, 176, 144, 2);
        for round in 0..20_000 {
            let mut bytes = frames[round % 2].clone();
            bytes.truncate(200);
            for _ in 0..=next() % 4 {
                let at = next() as usize % bytes.len().min(40);
                bytes[at] = next() as u8;
            }
            if round % 4 == 0 {
                bytes = (0..next() % 40).map(|_| next() as u8).collect();
            }
            match check(codec, &bytes) {
                Ok(_) => {
                    let read = picture(codec, &bytes).unwrap();
                    assert!(read.is_none_or(|read| check_size(read.width, read.height).is_ok()));
                }
                Err(Refusal::Unsupported(_)) => refused += 1,
                Err(Refusal::Unreadable) => {}
            }
        }
    }
    assert!(refused > 100, "{refused}");
}
