//! The server's contract (docs/protocol.md), from outside: HTTP, WebSocket, WebRTC, signals.

mod bad_input;
mod colours;
mod config;
mod coturn;
mod crash;
mod frames_on_demand;
mod fuzz;
mod hostile;
mod isolation;
mod keys;
mod life;
mod limits;
mod media_processes;
mod native_log;
mod observe;
mod origin;
mod own_endpoints;
mod pictures;
mod pool;
mod proxies;
mod relay;
mod rules;
mod session_life;
mod sign_in;
mod signals;
mod slow_reader;
mod start;
mod this_host;
mod tls;
mod tokens;
mod webui;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_live-vlm-under-test");
/// Questions every 100 ms, so that answers come soon.
const OFTEN: &[&str] = &["--process-every", "3"];

/// Arguments for a server that asks this VLM, and asks it often.
fn asking(vlm: &live_vlm_tests::vlm::Vlm) -> Vec<&str> {
    OFTEN.iter().copied().chain(["--api-base", vlm.base()]).collect()
}
