#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gstvlm::fuzzing::json_in_text(data));
