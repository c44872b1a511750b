#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| live_vlm_media_processes::fuzzing::media_conduct(data));
