//! The element `vlmanalyze` against a VLM that says what the test wants; one file per theme.

#[cfg(feature = "v1_24")]
mod analytics;
mod answers;
mod carried;
mod changes;
mod clips;
mod colours;
mod encoder;
mod end;
mod failures;
mod flow;
mod frames_on_demand;
mod hold;
mod key;
mod launch;
mod now;
mod on_demand;
mod overlay;
mod picture;
mod pool;
mod reference;
mod registering;
mod remote;
mod replies;
mod restart;
mod retries;
mod sampling;
mod sharing;
mod still;
mod structured;
mod support;
mod text;
mod text_files;
mod unasked;
