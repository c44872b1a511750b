//! Offers that are nearly in order, for a server that must not die of one.
//!
//! Offers are made as browsers and publishers make them, and then changed in their structure:
//! lines, sections, mids, numbers. Each [`Case`] depends on its seed and its number alone, so that
//! whatever ends a server does so again. Nothing is sent from here.

#![forbid(unsafe_code)]

mod candidates;
mod case;
mod mutate;
mod sdp;
mod shapes;

pub use case::{Case, Hurry, ReadError, Step};
