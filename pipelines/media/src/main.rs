//! The program `live-vlm-media`.

use std::process::ExitCode;

fn main() -> ExitCode {
    live_vlm_media::run(|| {})
}
