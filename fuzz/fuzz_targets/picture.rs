#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| live_vlm_pictures::fuzzing::picture(data));
