//! Who may come in, what they may do, and how much of it: [sign-in](sign_in), [rules] and
//! [limits]. It knows no HTTP and no sessions; whoever serves requests asks it.
//!
//! Each feature has a `Config` or table that is both its flags and its table of the configuration
//! file. What is decided takes the time as an argument.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use live_vlm_access::{
//!     limits::{Limit, Limits, Now},
//!     rules::{AllRules, RuleTable},
//!     user::User,
//! };
//!
//! // What the operator says: everybody may have one session.
//! let everybody = RuleTable { sessions: "1".parse().ok(), ..RuleTable::default() };
//! let all_rules = AllRules::new(&everybody, BTreeMap::new(), BTreeMap::new());
//!
//! let ada = User::signed_in("ada", Vec::new());
//! let rules = all_rules.rules_for(&ada.id, &ada.groups);
//! let limits = Limits::new(Now::read());
//!
//! let first = limits.session(&ada.id, &rules).unwrap();
//! assert_eq!(limits.session(&ada.id, &rules).unwrap_err().limit, Limit::Sessions);
//!
//! // What is open counts until it is dropped.
//! drop(first);
//! assert!(limits.session(&ada.id, &rules).is_ok());
//! ```

pub mod limits;
pub mod listings;
mod lock;
pub mod log_limit;
pub mod rules;
pub mod sign_in;
pub mod user;
