//! Makes of a page's picture what a VLM is asked about. Most go on as they came; the others are
//! decoded, outside the threads that everybody waits for, and few at once.

use std::{num::NonZero, sync::Arc, thread};

use live_vlm_change::Thumbnail;
use live_vlm_pictures::{Jpeg, Pixels, Undecodable};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// So many are decoded at once, each with up to 60 MB of memory.
const MOST_AT_ONCE: usize = 4;

/// Decodes pictures, for all sessions together. Cheap to clone; a clone is the same.
#[derive(Debug, Clone)]
pub(crate) struct Decoders(Arc<Semaphore>);

impl Default for Decoders {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self(Arc::new(Semaphore::new(cores.div_ceil(2).min(MOST_AT_ONCE))))
    }
}

/// What is to be made of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wish {
    /// Its longest edge at most, in pixels; 0 = as it is.
    pub(super) max_size: u32,
    /// Whether it is to be seen how much changes.
    pub(super) looks: bool,
}

/// What is asked about.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) jpeg: Vec<u8>,
    /// Only if it was wished.
    pub(super) thumbnail: Option<Thumbnail>,
}

impl Wish {
    /// Whether it is granted without looking at pixels.
    pub(super) fn is_granted_by(self, jpeg: &Jpeg) -> bool {
        !self.looks && jpeg.fits(self.max_size)
    }
}

impl Decoders {
    /// Decodes a picture, and does as is wished. Dropping the future gives up a picture whose turn
    /// has not come.
    ///
    /// # Errors
    /// When it cannot be decoded.
    pub(super) async fn prepare(&self, jpeg: Jpeg, wish: Wish) -> Result<Prepared, Undecodable> {
        // Nobody closes it.
        let permit = Arc::clone(&self.0).acquire_owned().await.ok();
        let work = spawn_blocking(move || {
            let _permit = permit;
            prepare(&jpeg, wish)
        });
        work.await.unwrap_or_else(|_| Err(Undecodable::given_up()))
    }
}

fn prepare(jpeg: &Jpeg, wish: Wish) -> Result<Prepared, Undecodable> {
    if jpeg.fits(wish.max_size) {
        let thumbnail = Pixels::grey(jpeg)?.thumbnail();
        return Ok(Prepared { jpeg: jpeg.bytes().to_vec(), thumbnail: Some(thumbnail) });
    }
    let pixels = Pixels::coloured(jpeg)?;
    let thumbnail = wish.looks.then(|| pixels.thumbnail());
    Ok(Prepared { thumbnail, jpeg: pixels.fitted(wish.max_size)? })
}
