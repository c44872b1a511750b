#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| live_vlm_pipelines::fuzzing::picture_size(data));
