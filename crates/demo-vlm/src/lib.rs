//! A stand-in for a VLM: an OpenAI-compatible server that truthfully describes pixels.
//!
//! It answers when no VLM is found, so that a new user sees the whole path work, and it is what
//! tests ask. It measures and never guesses: size, colours by region, brightness, contrast,
//! sharpness, what changed since the picture before, and QR codes. Every answer says that it
//! comes from a stand-in.
//!
//! It serves `GET /v1/models`, `POST /v1/chat/completions` (whole or streamed) and
//! `GET /health`, and fetches nothing: pictures come inside the request, as `data:` URLs.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! let options = demo_vlm::Options::default();
//! let listener = options.bind().await?;
//! demo_vlm::serve(listener, options, std::future::pending()).await
//! # }
//! ```

#![forbid(unsafe_code)]

mod api;
mod bounds;
mod colour;
mod conversations;
mod describe;
mod error;
mod measure;
mod options;
mod picture;
mod plane;
mod qr;
mod regions;
mod serve;
mod server;
mod timing;
mod tokens;
mod topics;

pub use options::Options;
pub use serve::serve;
pub use server::router;

/// The model that answers in several sentences.
pub const MODEL: &str = "demo-vlm";

/// The model that answers in one short line.
pub const BRIEF_MODEL: &str = "demo-vlm-brief";
