//! What a configuration is made of: values that flags, environment and file share, and a file that
//! is read with all its errors at once, each with its line.
//!
//! A value says itself what is allowed. It is read from a flag by `FromStr`, and from a file by
//! `Deserialize`; so one struct gives both a group of flags and a table of the file.
//!
//! ```
//! use std::path::Path;
//!
//! use live_vlm_config::{Interval, Source, Whole};
//!
//! #[derive(Debug, Default, serde::Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Table {
//!     port: Option<Whole<0, 65535>>,
//!     interval: Option<Interval>,
//! }
//!
//! assert_eq!("8090".parse::<Whole<0, 65535>>().unwrap().get(), 8090);
//!
//! let text = "port = 70000\ninterval = 2.5\nprot = 80";
//! let file = Source::new(Path::new("my.toml"), text.to_owned());
//! let errors = file.parse::<Table>().unwrap_err().to_string();
//! let errors: Vec<&str> = errors.lines().collect();
//! assert_eq!(errors[0], "my.toml:1: port: must be a whole number, 0 to 65535");
//! assert!(errors[1].starts_with("my.toml:3: prot: unknown field"));
//! ```

mod given;
mod ice;
mod problem;
mod problems;
pub mod shown;
mod source;
mod value;

pub use given::{GivenFields, GivenHeaders, GivenKey};
pub use ice::{BadIceUrl, Given, IceUrl, StunUrl, TurnUrl};
pub use problem::{BadConfig, Problem};
pub use problems::Problems;
pub use source::{Source, Step};
pub use value::{
    Address, AllowedBase, Base, Cidr, HeaderText, Interval, LogFilter, MAX_PROMPT,
    NOMINAL_FRAME_RATE, Name, NotAllowed, Prompt, Slots, Whole,
};
