//! Frames of which the VLM is shown nothing.

use crate::support::{Bench, Vlm, init};

#[test]
fn a_frame_that_does_not_fit_its_caps_is_an_error_and_no_picture_of_memory() {
    init();
    let vlm = Vlm::start();
    for size in [10, 128 * 64 * 3 - 1] {
        let mut bench = Bench::new(&vlm, &[("retries", &0u32)]);
        bench.harness.set_src_caps_str("video/x-raw,format=RGB,width=128,height=64,framerate=0/1");
        let mut frame = gst::Buffer::from_mut_slice(vec![1; size]);
        frame.get_mut().unwrap().set_pts(gst::ClockTime::ZERO);
        bench.harness.push_and_pull(frame).unwrap();
        let error = bench.error();
        assert!(error.kind == "encode" && error.message.contains("does not fit"), "{error:?}");
        assert!(vlm.is_idle());
    }
}
