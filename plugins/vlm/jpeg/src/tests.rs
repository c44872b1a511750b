use super::*;

fn frame(format: &str, width: i32, height: i32) -> (gst::Buffer, gst::Caps) {
    gst::init().unwrap();
    let caps = gst::Caps::builder("video/x-raw")
        .field("format", format)
        .field("width", width)
        .field("height", height)
        .field("framerate", gst::Fraction::new(0, 1))
        .build();
    let info = gst_video::VideoInfo::from_caps(&caps).unwrap();
    let mut buffer = gst::Buffer::with_size(info.size()).unwrap();
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::ZERO);
    (buffer, caps)
}

/// Width and height from the start-of-frame marker (ITU T.81, B.2.2).
fn jpeg_size(jpeg: &[u8]) -> (u16, u16) {
    let at = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    let edge = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
    (edge(at + 7), edge(at + 5))
}

fn options(max_size: u32, quality: u8, encoder: &str) -> JpegOptions {
    JpegOptions { max_size, quality, encoder: EncoderDescription::new(encoder) }
}

fn encode(
    (buffer, caps): (gst::Buffer, gst::Caps),
    options: &JpegOptions,
) -> Result<Vec<u8>, EncodeError> {
    let orientation = VideoOrientationMethod::Identity;
    encode_now(RawFrame { buffer, caps, orientation }, options, None)
}

#[test]
fn one_encoder_serves_frames_of_many_formats_and_sizes() {
    let options = options(320, 80, "");
    for (format, width, height, expected) in [
        ("I420", 640, 480, (320, 240)),
        ("I420", 1280, 720, (320, 180)),
        ("NV12", 160, 120, (160, 120)),
        ("RGBA", 640, 480, (320, 240)),
        ("YUY2", 641, 481, (320, 240)),
        ("I420", 640, 480, (320, 240)),
    ] {
        let jpeg = encode(frame(format, width, height), &options).unwrap();
        assert_eq!(jpeg_size(&jpeg), expected, "{format} {width}x{height}");
    }
}

#[test]
fn the_smallest_frame_and_a_very_large_one_are_encoded() {
    for (format, edge, expected) in
        [("I420", 1, (2, 2)), ("RGBA", 1, (2, 2)), ("GRAY8", 16384, (768, 768))]
    {
        let jpeg = encode(frame(format, edge, edge), &options(768, 80, "")).unwrap();
        assert_eq!(jpeg_size(&jpeg), expected, "{format} {edge}x{edge}");
    }
}

fn noise() -> (gst::Buffer, gst::Caps) {
    let (mut buffer, caps) = frame("GRAY8", 320, 240);
    for (at, byte) in buffer.get_mut().unwrap().map_writable().unwrap().iter_mut().enumerate() {
        *byte = (at * 31 % 251) as u8;
    }
    (buffer, caps)
}

#[test]
fn quality_makes_a_difference() {
    let size = |quality| encode(noise(), &options(0, quality, "")).unwrap().len();
    assert!(size(20) * 2 < size(95));
}

#[test]
fn a_frame_that_does_not_fit_its_caps_is_an_error_and_the_next_one_works() {
    let (buffer, caps) = frame("I420", 640, 480);
    encode((gst::Buffer::with_size(10).unwrap(), caps.clone()), &options(0, 80, "")).unwrap_err();
    encode((buffer, caps), &options(0, 80, "")).unwrap();
}

#[test]
fn a_dmabuf_is_read_like_ordinary_memory() {
    let (buffer, mut caps) = frame("NV12", 64, 48);
    let dmabuf = gst::CapsFeatures::new([memory::DMABUF]);
    caps.make_mut().set_features_simple(Some(dmabuf));
    let jpeg = encode((buffer, caps), &options(32, 80, "")).unwrap();
    assert_eq!(jpeg_size(&jpeg), (32, 24));
}

#[test]
fn a_named_encoder_keeps_to_max_size_and_has_its_own_quality() {
    let jpeg = |quality, encoder| encode(noise(), &options(160, quality, encoder)).unwrap();
    let named = jpeg(95, "jpegenc quality=20");
    assert_eq!(jpeg_size(&named), (160, 120));
    assert_eq!(named.len(), jpeg(20, "").len());
    assert_ne!(named.len(), jpeg(95, "").len());
}

#[test]
fn an_encoder_may_have_threads_of_its_own_or_hold_frames_back() {
    gst::init().unwrap();
    for encoder in ["queue ! jpegenc", "jpegenc ! queue", "queue ! videoconvert ! queue ! jpegenc"]
    {
        for edge in [64, 48, 64] {
            let jpeg = encode(frame("I420", edge, edge), &options(0, 80, encoder)).unwrap();
            assert_eq!(jpeg_size(&jpeg), (edge as u16, edge as u16), "{encoder}");
        }
    }
}

#[test]
fn an_encoder_that_ends_after_a_frame_is_made_anew_for_the_next() {
    for _ in 0..3 {
        encode(frame("I420", 64, 48), &options(0, 80, "jpegenc snapshot=true")).unwrap();
    }
}

#[test]
fn an_encoder_that_gives_nothing_is_an_error_at_once() {
    let began = Instant::now();
    let valve = "valve drop=true drop-mode=forward-sticky-events ! jpegenc";
    for encoder in [valve.to_owned(), format!("queue ! {valve}")] {
        let error = encode(frame("I420", 64, 48), &options(0, 80, &encoder)).unwrap_err();
        assert_eq!(error, EncodeError::Nothing { encoder });
    }
    assert!(began.elapsed() < LONGEST);
}

#[test]
fn an_encoder_that_is_late_is_not_waited_for() {
    let (buffer, caps) = frame("I420", 64, 48);
    // Nothing ends in there either.
    let options = options(0, 80, "jpegenc ! valve drop=true drop-mode=drop-all");
    let frame = RawFrame { buffer, caps, orientation: VideoOrientationMethod::Identity };
    let plan = Plan::new(&frame, options.encoder.clone(), None).unwrap();
    let mut encoder = Encoder::new(plan, options.quality).unwrap();
    let error = encoder.encode(frame, &options, Duration::ZERO).unwrap_err();
    assert!(matches!(error, EncodeError::Late { .. }), "{error}");
    assert!(!encoder.is_usable());
}

#[test]
fn what_is_not_jpeg_is_refused() {
    // What identity says of itself is that it may give anything.
    let error = encode(frame("I420", 64, 48), &options(0, 80, "identity")).unwrap_err();
    assert_eq!(error, EncodeError::NotJpeg { encoder: "identity".into() });
    assert!(error.to_string().contains("jpegenc"), "{error}");
    encode(frame("I420", 64, 48), &options(0, 80, "")).unwrap();
}

#[test]
fn what_an_element_says_is_the_error() {
    for encoder in ["identity error-after=1 ! jpegenc", "queue ! identity error-after=1 ! jpegenc"]
    {
        let error = encode(frame("I420", 64, 48), &options(0, 80, encoder)).unwrap_err();
        assert!(error.to_string().contains("Failed after iterations"), "{encoder}: {error}");
    }
}

#[test]
fn frames_in_a_strange_memory_are_an_error_unless_an_encoder_is_named() {
    let (buffer, mut caps) = frame("I420", 64, 48);
    caps.make_mut().set_features_simple(Some(gst::CapsFeatures::new(["memory:Strange"])));
    let strange = || (buffer.clone(), caps.clone());
    let error = encode(strange(), &options(0, 80, "")).unwrap_err();
    assert_eq!(error, EncodeError::Unknown { memory: "memory:Strange".into() });
    // It comes as it is, which jpegenc does not take.
    let error = encode(strange(), &options(0, 80, "jpegenc")).unwrap_err();
    assert!(error.to_string().contains("memory:Strange"), "{error}");
}

#[test]
fn encoders_of_former_settings_do_not_pile_up() {
    let user = User::new();
    for quality in 1..20 {
        let encoder = format!("jpegenc quality={quality}");
        encode(frame("I420", 64, 48), &options(0, 80, &encoder)).unwrap();
    }
    let mut idle: Vec<_> = std::iter::from_fn(|| IDLE.take(|_| true)).collect();
    assert!((1..=most_at_once()).contains(&idle.len()), "{} are kept", idle.len());
    idle.drain(..).for_each(|encoder| drop(IDLE.give(encoder, 1, Instant::now())));
    drop(user);
    assert!(IDLE.take(|_| true).is_none(), "without elements none is kept");
}
