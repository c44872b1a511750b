//! The VLM servers that are asked: those that the operator names, one that is found on this host,
//! the built-in stand-in, or one that somebody brings. Whose key goes where is decided here. It
//! knows no HTTP routes and no sessions.
//!
//! ```
//! use live_vlm_backends::{Config, pool};
//! use live_vlm_config::Problems;
//!
//! // As flags and file give them; here the flags name a server, and the file a key for another.
//! let flags = Config { api_base: "http://gpu:8000/v1".parse().ok(), ..Config::default() };
//! let file = Config {
//!     api_base: "https://api.example/v1".parse().ok(),
//!     api_key: "sk-of-api-example".parse().ok(),
//!     ..Config::default()
//! };
//! let mut problems = Problems::new(None);
//! let backends = pool(&flags, &file, &[], &mut problems);
//! assert!(problems.into_result().is_ok());
//! assert_eq!(backends[0].endpoint.base(), "http://gpu:8000/v1");
//! assert!(!backends[0].endpoint.has_key());
//! ```

mod config;
pub mod discover;
mod find;
pub mod own;
mod pool;

pub use config::{Config, Options};
pub use find::{StandIn, StandInError, Vlm};
pub use pool::{BackendConfig, BackendTable, pool};
