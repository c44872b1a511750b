//! Frames to JPEG, by GStreamer's own elements, off the streaming threads. The element `vlmanalyze`
//! sends such pictures to a VLM; what a question is, this does not know.
//!
//! Which elements goes by the memory that a frame is in and by what is installed (`chain.rs`),
//! unless the user names others (`description.rs`). Encoders are shared by the process: as many
//! exist as were ever busy at once, and at most one per core. An encoder is a small bin that frames
//! are pushed through on the calling thread, so it has no thread of its own if its elements have
//! none.

mod chain;
mod colours;
mod description;
mod encoder;
mod idle;
mod lock;
mod memory;
mod origin;
mod output;
mod range;
mod shape;
mod shown;

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

pub use description::EncoderDescription;
use encoder::{Encoder, Plan};
use gst::glib;
use gst_video::VideoOrientationMethod;
use idle::Idle;
use origin::Origin;
pub use shown::shown;
use tokio::sync::Semaphore;

/// Time for an encoder with threads of its own to give a picture once it has the frame.
const LONGEST: Duration = Duration::from_secs(5);
/// Time for all of it. Only an element that hangs, in a driver say, takes longer.
const STUCK: Duration = Duration::from_secs(20);

/// A frame as it came.
#[derive(Debug, Clone)]
pub struct RawFrame {
    /// Its pixels.
    pub buffer: gst::Buffer,
    /// What they are.
    pub caps: gst::Caps,
    /// How it is turned before it is looked at.
    pub orientation: VideoOrientationMethod,
}

/// How a frame is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JpegOptions {
    /// The longest edge in pixels; larger frames are scaled down, smaller ones stay. 0 = no limit.
    pub max_size: u32,
    /// 1 to 100; a range that an encoder does not have is kept to.
    pub quality: u8,
    /// Takes the place of the encoder that is chosen by memory. `max_size` holds for frames in
    /// ordinary memory only, and `quality` is the description's own.
    pub encoder: Option<EncoderDescription>,
}

/// Why a frame was not encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// No element for this memory is installed.
    #[error(
        "frames in {memory} cannot be made JPEG with what is installed. Tried {tried}. Install \
         {install}, or name an encoder in jpeg-encoder"
    )]
    Missing {
        /// The memory, as messages name it.
        memory: String,
        /// The elements that were tried.
        tried: String,
        /// What to install.
        install: &'static str,
    },
    /// Nobody knows which elements take this memory.
    #[error(
        "frames in {memory} are not known; name an encoder that takes them in jpeg-encoder, or \
         convert before the element"
    )]
    Unknown {
        /// The memory, as messages name it.
        memory: String,
    },
    /// A frame is one field of a picture.
    #[error(
        "frames in {memory} that have one field each (interlace-mode=alternate) cannot be made \
         JPEG; put a deinterlacer before the element"
    )]
    Field {
        /// The memory, as messages name it.
        memory: String,
    },
    /// The user's own elements cannot be made.
    #[error("the JPEG encoder `{description}` cannot be made: {reason}")]
    BadDescription {
        /// What the user wrote.
        description: String,
        /// What GStreamer says.
        reason: String,
    },
    /// They give something else.
    #[error("what `{encoder}` gives is not JPEG; end it with an encoder such as jpegenc")]
    NotJpeg {
        /// The elements.
        encoder: String,
    },
    /// They ended without a picture.
    #[error("`{encoder}` gave nothing for the frame; name another encoder in jpeg-encoder")]
    Nothing {
        /// The elements.
        encoder: String,
    },
    /// They gave no picture in time.
    #[error(
        "`{encoder}` gave nothing within {} s; name another encoder in jpeg-encoder",
        .longest.as_secs_f64()
    )]
    Late {
        /// The elements.
        encoder: String,
        /// The time that they had.
        longest: Duration,
    },
    /// No encoder was free in time.
    #[error(
        "the frame was not encoded within {} s: all encoders are busy or hang; if this goes on, \
         name another encoder in jpeg-encoder",
        STUCK.as_secs()
    )]
    Stuck,
    /// Something else failed.
    #[error("the frame could not be encoded: {0}")]
    Failed(String),
}

static ROOM: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(most_at_once()));
static IDLE: Idle<Encoder> = Idle::new();

/// Keeps encoders between frames; with the last of these the last encoder goes. An element that
/// has been stopped leaves nothing behind, as GStreamer's leaks tracer wants it.
pub struct User(());

impl User {
    /// One more.
    #[expect(clippy::new_without_default, reason = "it is counted")]
    pub fn new() -> Self {
        IDLE.enter();
        Self(())
    }
}

impl Drop for User {
    fn drop(&mut self) {
        drop(IDLE.leave());
    }
}

fn most_at_once() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Encodes a frame that comes from `element` on a blocking thread of the current runtime.
///
/// # Errors
/// When nothing that is installed makes JPEG of it, or not in time.
pub async fn encode(
    frame: RawFrame,
    options: JpegOptions,
    element: &glib::WeakRef<gst::Element>,
) -> Result<Vec<u8>, EncodeError> {
    let origin = element.upgrade().as_ref().map(Origin::of);
    let encoded = async {
        let room = ROOM.acquire().await.map_err(|error| EncodeError::Failed(error.to_string()))?;
        tokio::task::spawn_blocking(move || {
            // Here, because encoding goes on when nobody waits for it any more.
            let _room = room;
            encode_now(frame, &options, origin)
        })
        .await
        .map_err(|error| EncodeError::Failed(error.to_string()))?
    };
    tokio::time::timeout(STUCK, encoded).await.unwrap_or(Err(EncodeError::Stuck))
}

fn encode_now(
    frame: RawFrame,
    options: &JpegOptions,
    origin: Option<Origin>,
) -> Result<Vec<u8>, EncodeError> {
    let plan = Plan::new(&frame, options.encoder.clone(), origin)?;
    let idle = std::iter::from_fn(|| IDLE.take(|idle| idle.serves(&plan, options.quality)))
        .find(Encoder::is_usable);
    let mut encoder = match idle {
        Some(encoder) => encoder,
        None => Encoder::new(plan, options.quality)?,
    };
    let jpeg = encoder.encode(frame, options, LONGEST)?;
    // Only one that works goes back; the others are made anew.
    if encoder.is_usable() {
        drop(IDLE.give(encoder, most_at_once(), Instant::now()));
    }
    Ok(jpeg)
}

#[cfg(test)]
mod tests;
