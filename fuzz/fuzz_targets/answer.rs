#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vlm_replies::fuzzing::answer(data));
