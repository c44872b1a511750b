#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gst_vlm_structured::fuzzing::json_in_text(data));
