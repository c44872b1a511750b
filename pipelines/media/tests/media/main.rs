//! Media processes, from the side of live-vlm: video goes in, pictures come out, and nothing else
//! goes either way.

mod crashes;
mod hostile;
mod leftovers;
mod log;
mod mutation;
mod sandbox;
mod secrets;
mod support;
mod video;
