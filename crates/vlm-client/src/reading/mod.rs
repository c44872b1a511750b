//! Reading what servers write, for what is of use: their answers, their errors, and when they want to
//! be asked again. Nothing in here does I/O.

mod codes;
mod composer;
mod content;
mod counts;
pub(crate) mod cut;
pub(crate) mod echo;
pub(crate) mod ending;
pub(crate) mod event;
pub(crate) mod failure;
pub(crate) mod fault;
mod kind;
pub(crate) mod later;
pub(crate) mod lenient;
mod mark;
mod marks;
mod meant;
pub(crate) mod reader;
mod remarks;
pub(crate) mod repair;
mod said;
pub(crate) mod secrets;
mod special;
mod sse;
mod steps;
mod stops;
mod tags;
pub(crate) mod thinking;
pub(crate) mod unpack;
mod values;
mod words;
