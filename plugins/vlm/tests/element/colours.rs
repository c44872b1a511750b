//! The colours of the picture that the VLM is shown, whatever those of the video are.

use gst::prelude::*;

use crate::support::{Bench, Vlm, decoded, init, is_about};

const COLOURS: [(&str, [u8; 3]); 6] = [
    ("white", [255, 255, 255]),
    ("black", [0, 0, 0]),
    ("red", [255, 0, 0]),
    ("green", [0, 255, 0]),
    ("blue", [0, 0, 255]),
    ("grey", [128, 128, 128]),
];

/// How a colour is written in YCbCr.
#[derive(Clone, Copy)]
struct Matrix {
    red: f64,
    blue: f64,
    is_full: bool,
}

/// Rec. ITU-R BT.601, 2.5.1.
const BT601: Matrix = Matrix { red: 0.299, blue: 0.114, is_full: false };
/// Rec. ITU-R BT.709, 3.2.
const BT709: Matrix = Matrix { red: 0.2126, blue: 0.0722, is_full: false };
/// Rec. ITU-R BT.2020, table 4.
const BT2020: Matrix = Matrix { red: 0.2627, blue: 0.0593, is_full: false };
/// SMPTE 240M.
const SMPTE240: Matrix = Matrix { red: 0.212, blue: 0.087, is_full: false };

const fn full(matrix: Matrix) -> Matrix {
    Matrix { is_full: true, ..matrix }
}

impl Matrix {
    fn ycbcr(self, rgb: [u8; 3], bits: u32) -> [u16; 3] {
        let [r, g, b] = rgb.map(|channel| f64::from(channel) / 255.0);
        let y = self.red * r + (1.0 - self.red - self.blue) * g + self.blue * b;
        let (cb, cr) = ((b - y) / (2.0 - 2.0 * self.blue), (r - y) / (2.0 - 2.0 * self.red));
        let (unit, most) = (f64::from(1 << (bits - 8)), f64::from((1 << bits) - 1));
        let (low, luma, chroma) = if self.is_full {
            (0.0, most, most)
        } else {
            (16.0 * unit, 219.0 * unit, 224.0 * unit)
        };
        let level = |level: f64| level.round().clamp(0.0, most) as u16;
        let middle = 128.0 * unit;
        [level(low + luma * y), level(middle + chroma * cb), level(middle + chroma * cr)]
    }
}

/// A frame that shows one colour.
fn frame(format: &str, (width, height): (usize, usize), rgb: [u8; 3], matrix: Matrix) -> Vec<u8> {
    let bytes = |level: u16| level as u8;
    let pixels = width * height;
    let [y, cb, cr] = matrix.ycbcr(rgb, 8).map(bytes);
    match format {
        "I420" => [vec![y; pixels], vec![cb; pixels / 4], vec![cr; pixels / 4]].concat(),
        "Y444" => [vec![y; pixels], vec![cb; pixels], vec![cr; pixels]].concat(),
        "NV12" => [vec![y; pixels], [cb, cr].repeat(pixels / 4)].concat(),
        "YUY2" => [y, cb, y, cr].repeat(pixels / 2),
        "UYVY" => [cb, y, cr, y].repeat(pixels / 2),
        "P010_10LE" => {
            let [y, cb, cr] = matrix.ycbcr(rgb, 10).map(|level| (level << 6).to_le_bytes());
            [y.repeat(pixels), [cb, cr].concat().repeat(pixels / 4)].concat()
        }
        "GRAY8" => vec![y; pixels],
        "RGB" => rgb.repeat(pixels),
        "BGRx" => [rgb[2], rgb[1], rgb[0], 0].repeat(pixels),
        format => panic!("nobody writes {format} here"),
    }
}

/// A stream to a VLM, and what it is shown of it.
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
        Self { vlm, bench, next_ms: 0 }
    }

    /// The middle of the picture that the VLM is shown for a frame of one colour.
    fn shown(&mut self, caps: &str, frame: Vec<u8>) -> [u8; 3] {
        let caps: gst::Caps = caps.parse().unwrap();
        self.bench.harness.set_src_caps(caps.clone());
        let mut buffer = gst::Buffer::from_mut_slice(frame);
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(self.next_ms));
        self.next_ms += 1000;
        self.bench.harness.push_and_pull(buffer).unwrap();
        let out = self.bench.element.static_pad("src").unwrap().current_caps();
        assert_eq!(out, Some(caps), "the stream stays as it is");
        let asked = self.vlm.asked();
        let picture = decoded(&asked.jpegs()[0]);
        asked.answer("one");
        self.bench.done();
        picture.get_pixel(picture.width() / 2, picture.height() / 2).0
    }

    /// Shows each colour in this format.
    fn check(&mut self, format: &str, size: (usize, usize), colorimetry: &str, matrix: Matrix) {
        let (width, height) = size;
        let said = match colorimetry {
            "" => String::new(),
            colorimetry => format!(",colorimetry=(string){colorimetry}"),
        };
        let caps = format!(
            "video/x-raw,format={format},width={width},height={height},framerate=0/1{said}"
        );
        for (name, meant) in COLOURS {
            let is_grey = meant[0] == meant[1] && meant[1] == meant[2];
            if format == "GRAY8" && !is_grey {
                continue;
            }
            let seen = self.shown(&caps, frame(format, size, meant, matrix));
            assert!(is_about(seen, meant), "{name} is {seen:?} from {caps}");
        }
    }
}

const SD: (usize, usize) = (64, 48);
const HD: (usize, usize) = (1280, 720);

/// What caps say, and how colours are written then.
const SAID: [(&str, Matrix); 6] = [
    ("bt601", BT601),
    ("bt709", BT709),
    ("1:4:0:0", full(BT601)),
    ("1:3:5:1", full(BT709)),
    ("smpte240m", SMPTE240),
    ("bt2020", BT2020),
];

#[test]
fn yuv_of_every_matrix_and_range_is_shown_as_it_is() {
    let mut stream = Stream::new(&[]);
    for (colorimetry, matrix) in SAID {
        for format in ["I420", "NV12", "YUY2", "UYVY", "Y444", "P010_10LE"] {
            stream.check(format, SD, colorimetry, matrix);
        }
    }
}

#[test]
fn large_frames_are_too() {
    let mut stream = Stream::new(&[]);
    for (colorimetry, matrix) in SAID {
        for format in ["I420", "NV12", "YUY2", "P010_10LE"] {
            stream.check(format, HD, colorimetry, matrix);
        }
    }
}

#[test]
fn what_caps_leave_out_goes_by_the_size_that_a_frame_has_before_it_is_scaled() {
    let mut stream = Stream::new(&[("max-size", &32u32)]);
    for format in ["I420", "NV12", "YUY2", "P010_10LE"] {
        stream.check(format, SD, "", BT601);
        stream.check(format, HD, "", BT709);
    }
}

#[test]
fn rgb_and_grey_are_shown_as_they_are() {
    let mut stream = Stream::new(&[]);
    for size in [SD, HD] {
        for format in ["RGB", "BGRx"] {
            for colorimetry in ["", "sRGB", "bt709"] {
                stream.check(format, size, colorimetry, BT601);
            }
        }
        stream.check("GRAY8", size, "", full(BT601));
        stream.check("GRAY8", size, "bt601", BT601);
        stream.check("GRAY8", size, "1:4:0:0", full(BT601));
    }
}

#[test]
fn a_named_encoder_gets_the_colours_of_a_jpeg() {
    for encoder in [
        "jpegenc",
        "queue ! jpegenc",
        "videoconvert ! jpegenc",
        "videobalance ! jpegenc",
        "video/x-raw,format=NV12 ! jpegenc",
        "video/x-raw,format=YVYU ! videoconvert ! video/x-raw,format=I420 ! jpegenc",
    ] {
        let mut stream = Stream::new(&[("jpeg-encoder", &encoder)]);
        stream.check("NV12", HD, "bt709", BT709);
        stream.check("I420", SD, "bt601", BT601);
        stream.check("RGB", SD, "", BT601);
    }
}
