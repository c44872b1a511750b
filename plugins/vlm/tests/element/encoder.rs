//! The elements that make the JPEG: chosen by memory, with stand-ins for the hardware, or named.

use gst::prelude::*;

use crate::support::{
    Bench, Vlm, decoded, init, is_about, jpeg_size,
    stand_ins::{self, DISPLAY, SYSTEM, context, made, stand_in},
};

/// A white frame of 64x48 in NV12 in the limited range of BT.709, and its caps with a memory feature
/// that it does not really have.
fn frame(memory: &str) -> (gst::Buffer, gst::Caps) {
    let caps = gst::Caps::builder("video/x-raw")
        .features([memory])
        .field("format", "NV12")
        .field("width", 64)
        .field("height", 48)
        .field("framerate", gst::Fraction::new(0, 1))
        .field("colorimetry", "bt709")
        .build();
    let white = [vec![235; 64 * 48], vec![128; 64 * 48 / 2]].concat();
    let mut buffer = gst::Buffer::from_mut_slice(white);
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::ZERO);
    (buffer, caps)
}

/// Pushes a frame in `memory`, which has to come out as it went in.
fn push(bench: &mut Bench, memory: &str, pts_ms: u64) {
    let (mut buffer, caps) = frame(memory);
    buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(pts_ms));
    let address = |buffer: &gst::Buffer| buffer.peek_memory(0).as_ptr();
    let before = address(&buffer);
    bench.harness.set_src_caps(caps.clone());
    let after = bench.harness.push_and_pull(buffer).unwrap();
    assert_eq!(address(&after), before, "the frame is not touched");
    let out = bench.element.static_pad("src").unwrap().current_caps();
    assert_eq!(out, Some(caps), "nor are its caps");
}

/// The size of the picture that the VLM is shown for a frame in `memory`, with what stands in. It has
/// to be as white as the frame is.
fn shown(memory: &str, installed: &[&str]) -> (u16, u16) {
    let (size, white) = shown_in(memory, installed);
    assert!(is_about(white, [255; 3]), "white is {white:?}");
    size
}

/// The same with the colour of the picture.
fn shown_in(memory: &str, installed: &[&str]) -> ((u16, u16), [u8; 3]) {
    init();
    stand_in(installed);
    let vlm = Vlm::start();
    let mut bench =
        Bench::new(&vlm, &[("max-size", &32u32), ("jpeg-quality", &95u32), ("interval", &0u64)]);
    let mut seen = ((0, 0), [0; 3]);
    // Twice, as the second frame takes the encoder of the first.
    for pts in [0, 1000] {
        push(&mut bench, memory, pts);
        let asked = vlm.asked();
        let jpeg = &asked.jpegs()[0];
        seen = (jpeg_size(jpeg), decoded(jpeg).get_pixel(16, 12).0);
        asked.answer("one");
        bench.done();
    }
    seen
}

#[test]
fn jetson() {
    let size = shown("memory:NVMM", &["nvvidconv", "deepstream_nvjpegenc"]);
    assert_eq!((size, made()), ((32, 24), vec!["nvvidconv", "nvjpegenc"]));
    assert_eq!(stand_ins::quality(), Some(90), "95 is out of the encoder's range");
}

#[test]
fn jetson_without_its_encoder() {
    let size = shown("memory:NVMM", &["nvvidconv"]);
    assert_eq!((size, made()), ((32, 24), vec!["nvvidconv"]));
}

#[test]
fn deepstream_on_a_dgpu() {
    let size = shown("memory:NVMM", &["nvvideoconvert", "deepstream_nvjpegenc"]);
    assert_eq!((size, made()), ((32, 24), vec!["nvvideoconvert", "nvjpegenc"]));
}

#[test]
fn deepstream_beside_nvcodecs_encoder() {
    let size = shown("memory:NVMM", &["nvvideoconvert", "nvcodec_nvjpegenc"]);
    assert_eq!((size, made()), ((32, 24), vec!["nvvideoconvert"]));
}

#[test]
fn cuda() {
    let installed = ["cudaconvertscale", "cudadownload", "nvcodec_nvjpegenc"];
    let size = shown("memory:CUDAMemory", &installed);
    assert_eq!((size, made()), ((32, 24), vec!["cudaconvertscale", "nvjpegenc"]));
}

#[test]
fn cuda_without_an_encoder() {
    let size = shown("memory:CUDAMemory", &["cudaconvertscale", "cudadownload"]);
    assert_eq!((size, made()), ((32, 24), vec!["cudaconvertscale", "cudadownload"]));
}

#[test]
fn cuda_that_only_scales() {
    let size = shown("memory:CUDAMemory", &["cudascale", "cudadownload"]);
    assert_eq!((size, made()), ((32, 24), vec!["cudascale", "cudadownload"]));
}

#[test]
fn where_the_hardware_has_no_word_for_a_jpegs_colours_the_picture_is_shown_in_its_own() {
    let (size, white) = shown_in("memory:VAMemory", &["vapostproc_of_few_words", "vajpegenc"]);
    assert_eq!((size, made()), ((32, 24), vec!["vapostproc", "vajpegenc"]));
    assert!(is_about(white, [235; 3]), "white is {white:?}");
}

#[test]
fn cuda_that_only_downloads() {
    let size = shown("memory:CUDAMemory", &["cudadownload"]);
    assert_eq!((size, made()), ((32, 24), vec!["cudadownload"]));
}

#[test]
fn va() {
    let size = shown("memory:VAMemory", &["vapostproc", "vajpegenc"]);
    assert_eq!((size, made()), ((32, 24), vec!["vapostproc", "vajpegenc"]));
}

#[test]
fn va_without_an_encoder() {
    let size = shown("memory:VAMemory", &["vapostproc"]);
    assert_eq!((size, made()), ((32, 24), vec!["vapostproc"]));
}

#[test]
fn gl() {
    let size = shown("memory:GLMemory", &["glcolorconvert", "glcolorscale", "gldownload"]);
    assert_eq!((size, made()), ((32, 24), vec!["glcolorconvert", "glcolorscale", "gldownload"]));
}

#[test]
fn gl_that_only_downloads() {
    let size = shown("memory:GLMemory", &["gldownload"]);
    assert_eq!((size, made()), ((32, 24), vec!["gldownload"]));
}

#[test]
fn dmabuf_with_va() {
    let size = shown("memory:DMABuf", &["vapostproc", "vajpegenc"]);
    assert_eq!((size, made()), ((32, 24), vec!["vapostproc", "vajpegenc"]));
}

#[test]
fn dmabuf_is_mapped_where_there_is_no_va() {
    let size = shown("memory:DMABuf", &[]);
    assert_eq!(size, (32, 24));
}

#[test]
fn ordinary_memory_does_not_go_to_the_hardware() {
    let installed = ["nvvideoconvert", "deepstream_nvjpegenc", "vapostproc", "vajpegenc"];
    let size = shown(SYSTEM, &installed);
    assert_eq!((size, made().len()), ((32, 24), 0));
}

#[test]
fn a_quality_that_a_running_encoder_does_not_take_up_is_that_of_a_new_one() {
    init();
    stand_in(&["vapostproc", "vajpegenc"]);
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    for (pts, quality) in [(0, 20), (1000, 30)] {
        bench.set("jpeg-quality", quality);
        push(&mut bench, "memory:VAMemory", pts);
        vlm.asked().answer("one");
        bench.done();
        assert_eq!(stand_ins::quality(), Some(quality));
    }
    assert_eq!(made().len(), 4);
}

#[test]
fn where_no_element_takes_the_memory_the_error_says_what_to_install() {
    init();
    let vlm = Vlm::start();
    for (memory, install) in [
        ("memory:NVMM", "DeepStream"),
        ("memory:CUDAMemory", "nvcodec"),
        ("memory:VAMemory", "va plugin"),
        ("memory:GLMemory", "opengl"),
        ("memory:Strange", "jpeg-encoder"),
    ] {
        // One that has failed before would wait ever longer.
        let mut bench = Bench::new(&vlm, &[("retries", &0u32)]);
        push(&mut bench, memory, 0);
        let error = bench.error();
        assert_eq!(error.kind, "encode");
        assert!(error.message.contains(memory) && error.message.contains(install), "{error:?}");
    }
    assert!(vlm.is_idle());
}

#[test]
fn hardware_elements_share_what_the_elements_of_the_pipeline_share() {
    init();
    stand_in(&["vapostproc", "vajpegenc"]);
    let vlm = Vlm::start();
    for display in ["one", "other"] {
        let mut bench = Bench::new(&vlm, &[]);
        let mut shared = gst::Context::new(DISPLAY, true);
        shared.get_mut().unwrap().structure_mut().set("name", display);
        bench.sink().peer().unwrap().add_probe(gst::PadProbeType::QUERY_UPSTREAM, {
            let shared = shared.clone();
            move |_, info| match info.query_mut().map(|query| query.view_mut()) {
                Some(gst::QueryViewMut::Context(query)) if query.context_type() == DISPLAY => {
                    query.set_context(&shared);
                    gst::PadProbeReturn::Handled
                }
                _ => gst::PadProbeReturn::Ok,
            }
        });
        push(&mut bench, "memory:VAMemory", 0);
        vlm.asked().answer("one");
        bench.done();
        let structure = context().unwrap().structure().to_owned();
        assert_eq!(structure.get::<String>("name").unwrap(), display);
    }
    assert_eq!(made().len(), 4, "no encoder goes from one display to the other");
}

#[test]
fn a_named_encoder_takes_the_place_of_the_chosen_one() {
    init();
    stand_in(&["vapostproc", "vajpegenc"]);
    let vlm = Vlm::start();
    let named = "vapostproc ! vajpegenc quality=7";
    let mut bench = Bench::new(&vlm, &[("max-size", &32u32), ("jpeg-encoder", &named)]);
    assert_eq!(bench.element.property::<String>("jpeg-encoder"), named);
    for (pts, memory, size) in [(0, SYSTEM, (32, 24)), (1000, "memory:VAMemory", (64, 48))] {
        push(&mut bench, memory, pts);
        let asked = vlm.asked();
        assert_eq!(jpeg_size(&asked.jpegs()[0]), size, "{memory}");
        assert_eq!(stand_ins::quality(), Some(7));
        asked.answer("one");
        bench.done();
    }
}

#[test]
fn a_named_encoder_with_threads_of_its_own_is_waited_for() {
    init();
    let vlm = Vlm::start();
    let mut bench =
        Bench::new(&vlm, &[("jpeg-encoder", &"queue ! videoconvert ! queue ! jpegenc")]);
    for pts in [0, 1000] {
        bench.push(pts);
        let asked = vlm.asked();
        assert_eq!(jpeg_size(&asked.jpegs()[0]), (64, 48));
        asked.answer("one");
        bench.done();
    }
}

#[test]
fn a_named_encoder_that_cannot_be_made_is_refused_and_the_one_before_stays() {
    init();
    let vlm = Vlm::start();
    let bench = Bench::new(&vlm, &[("jpeg-encoder", &"jpegenc quality=50")]);
    for (encoder, reason) in [
        ("jpegenc ! !", "syntax"),
        ("no-such-element", "no-such-element"),
        ("jpegenc ! fakesink", "gives nothing"),
        ("videoconvert ! pngenc", "image/png"),
    ] {
        bench.set("jpeg-encoder", encoder);
        let message = bench.bus.pop_filtered(&[gst::MessageType::Warning]).unwrap();
        let gst::MessageView::Warning(warning) = message.view() else { unreachable!() };
        let text = warning.error().message().to_owned();
        assert!(text.contains("jpeg-encoder") && text.contains(reason), "{text}");
        assert_eq!(bench.element.property::<String>("jpeg-encoder"), "jpegenc quality=50");
    }
    bench.set("jpeg-encoder", "");
    assert_eq!(bench.element.property::<String>("jpeg-encoder"), "");
}

#[test]
fn a_named_encoder_that_does_not_make_jpeg_is_an_error_and_the_stream_flows_on() {
    init();
    let vlm = Vlm::start();
    let failing = |encoder, reason| {
        let mut bench = Bench::new(&vlm, &[("retries", &0u32)]);
        bench.set("jpeg-encoder", encoder);
        bench.push(0);
        let error = bench.error();
        assert_eq!(error.kind, "encode");
        assert!(error.message.contains(reason), "{error:?}");
        bench
    };
    failing("identity", "not JPEG");
    failing("valve drop=true drop-mode=forward-sticky-events ! jpegenc", "gave nothing");
    let mut bench = failing("identity error-after=1 ! jpegenc", "after iterations");
    assert!(vlm.is_idle());
    bench.set("jpeg-encoder", "jpegenc");
    bench.push(1000);
    vlm.asked().answer("one");
    bench.done();
}

#[test]
fn a_frame_of_one_pixel_and_a_very_large_one_are_shown() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[]);
    for (pts, edge, shown) in [(0, 1, (2, 2)), (1000, 16384, (768, 768))] {
        let caps = format!("video/x-raw,format=GRAY8,width={edge},height={edge},framerate=0/1");
        bench.harness.set_src_caps_str(&caps);
        // Lines are padded to 4 bytes.
        let mut buffer = gst::Buffer::with_size(edge.max(4) * edge).unwrap();
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(pts));
        bench.harness.push_and_pull(buffer).unwrap();
        let asked = vlm.asked();
        assert_eq!(jpeg_size(&asked.jpegs()[0]), shown);
        asked.answer("one");
        bench.done();
    }
}
