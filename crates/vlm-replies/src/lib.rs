//! Reads what OpenAI-compatible VLM servers write, for what is of use: their answers, their errors,
//! and when they want to be asked again. It does no I/O and knows no server: bytes go in, and come
//! out as the steps of an answer, or as why there is none.
//!
//! ```
//! use vlm_replies::{AnswerEvent, Reader, Secrets};
//!
//! let mut secrets = Secrets::default();
//! secrets.add("sk-of-the-user", "(key)");
//! let mut reader = Reader::new(secrets, "llava".to_owned());
//!
//! // Bytes of the body, in whatever pieces the network brings them. After each, all that is known.
//! reader.feed(b"data: {\"choices\":[{\"delta\":{\"content\":\"A cat\"}}]}\n\ndata: ")?;
//! assert_eq!(reader.step(), Some(AnswerEvent::Text("A cat".to_owned())));
//! assert_eq!(reader.step(), None);
//! reader.feed(b"{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n")?;
//! reader.feed(b"data: [DONE]\n\n")?;
//!
//! // The body's end, unless the reader has no use for more.
//! assert!(reader.has_ended());
//! let Some(AnswerEvent::Done(summary)) = reader.step() else { panic!("the answer is complete") };
//! assert_eq!(summary.finish_reason, "stop");
//! # Ok::<(), vlm_replies::Failure>(())
//! ```

mod codes;
mod completion;
mod composer;
mod content;
mod counts;
pub mod cut;
pub mod echo;
mod ending;
mod event;
mod failure;
mod fault;
mod find_marks;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod kind;
pub mod later;
pub mod lenient;
mod mark;
mod meant;
mod reader;
mod remarks;
pub mod repair;
mod secrets;
mod special;
mod sse;
mod steps;
mod stops;
mod tags;
mod thinking;
mod unpack;
mod values;
mod words;

pub use self::{
    ending::Ending,
    event::{AnswerEvent, Summary, Usage},
    failure::Failure,
    fault::Fault,
    reader::Reader,
    secrets::Secrets,
    unpack::{Packed, Unpacker},
};
