//! Where the asking task writes what is to be shown, and the streaming thread finds the picture
//! of it. Made anew for each start of the element.
//!
//! Locking order: `closed`, which is held while a text is drawn, then `state`, which is a leaf:
//! while it is held nothing is drawn, waited for or locked, and no picture is dropped. Only
//! whoever stops the element waits for `closed`, for the milliseconds that drawing takes.

use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use gst_video::VideoOverlayComposition;
use tokio::sync::{Notify, Semaphore};

use super::{
    frame::Frame,
    lock::lock,
    paint::{self, Order, PaintError},
    settings::Look,
    words::Words,
};

static ROOM: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from)));

/// What is to be shown, and the newest picture of it.
#[derive(Debug, Default)]
pub struct OverlayText {
    state: Mutex<OverlayState>,
    /// Something may have to be drawn anew. It keeps one call while the painter is busy: of all
    /// that is written meanwhile only the newest is drawn.
    changed: Notify,
    /// What was written has been drawn.
    drawn: Notify,
    /// The element has stopped: nothing is drawn any more.
    closed: Mutex<bool>,
}

#[derive(Debug, Default)]
struct OverlayState {
    words: Words,
    frame: Option<Frame>,
    picture: Option<Picture>,
    painted: u64,
    /// Counts what is written, and how much of it has been dealt with.
    written: u64,
    dealt_with: u64,
}

/// Text as it is put over frames of one size.
#[derive(Debug, Clone)]
pub struct Picture {
    /// For frames of this size only.
    pub frame: Frame,
    /// To be attached or blended.
    pub composition: VideoOverlayComposition,
}

impl OverlayText {
    fn lock(&self) -> MutexGuard<'_, OverlayState> {
        lock(&self.state)
    }

    /// Shows a complete answer.
    pub fn write(&self, text: &str) {
        self.set_words(Words::new(text, true));
    }

    /// Shows an answer as far as it is written.
    pub fn write_so_far(&self, text: &str) {
        let words = Words::new(text, false);
        // A model may begin with an empty line; the answer before is shown until there is more.
        if !words.text.is_empty() {
            self.set_words(words);
        }
    }

    fn set_words(&self, words: Words) {
        {
            let mut state = self.lock();
            state.words = words;
            state.written += 1;
        }
        self.changed.notify_one();
    }

    /// Waits until what was written has been drawn, if it is to be; for whoever holds the stream
    /// anyway.
    pub async fn up_to_date(&self) {
        loop {
            let drawn = self.drawn.notified();
            {
                let state = self.lock();
                if state.dealt_with >= state.written {
                    return;
                }
            }
            drawn.await;
        }
    }

    /// The stream has frames of another size.
    pub fn set_frame(&self, frame: Option<Frame>) {
        self.lock().frame = frame;
        self.changed.notify_one();
    }

    /// How text is drawn has changed.
    pub fn look_changed(&self) {
        self.changed.notify_one();
    }

    /// The newest finished picture.
    pub fn picture(&self) -> Option<Picture> {
        self.lock().picture.clone()
    }

    /// How often text was drawn.
    pub fn painted(&self) -> u64 {
        self.lock().painted
    }

    /// Once this returns nothing is drawn, and nothing is left of what was.
    pub fn close(&self) {
        let mut closed = lock(&self.closed);
        *closed = true;
        self.set_picture(None, 0);
    }

    fn set_picture(&self, picture: Option<Picture>, painted: u64) {
        let before = {
            let mut state = self.lock();
            state.painted += painted;
            std::mem::replace(&mut state.picture, picture)
        };
        drop(before);
    }

    fn order(&self, look: Look) -> Option<Order> {
        let state = self.lock();
        let frame = state.frame?;
        let words = state.words.clone();
        (!words.text.is_empty()).then_some(Order { words, frame, look })
    }

    fn paint(&self, order: &Order) -> Result<(), PaintError> {
        let closed = lock(&self.closed);
        if *closed {
            return Ok(());
        }
        let painted = paint::paint(order);
        match painted {
            Ok(composition) => {
                self.set_picture(Some(Picture { frame: order.frame, composition }), 1);
                Ok(())
            }
            Err(error) => {
                self.set_picture(None, 0);
                Err(error)
            }
        }
    }

    /// Draws whatever is to be shown, on blocking threads of the current runtime, until it
    /// is dropped. `look` is `None` when nothing is to be drawn; `failed` is told of an error
    /// once, not for each text.
    pub async fn draw_changes(
        self: Arc<Self>,
        look: impl Fn() -> Option<Look>,
        failed: impl Fn(&PaintError),
    ) {
        let mut last = None;
        let mut told = false;
        loop {
            self.changed.notified().await;
            let written = self.lock().written;
            let order = look().and_then(|look| self.order(look));
            if order != last {
                match &order {
                    None => self.set_picture(None, 0),
                    Some(order) => {
                        let (text, order) = (Arc::clone(&self), order.clone());
                        if let Err(error) = aside(move || text.paint(&order)).await
                            && !std::mem::replace(&mut told, true)
                        {
                            failed(&error);
                        }
                    }
                }
                last = order;
            }
            self.lock().dealt_with = written;
            self.drawn.notify_waiters();
        }
    }
}

/// Runs `draw` on a blocking thread. In the whole process as many do so at once as there are
/// cores.
async fn aside(
    draw: impl FnOnce() -> Result<(), PaintError> + Send + 'static,
) -> Result<(), PaintError> {
    let failed = |error: &dyn std::error::Error| PaintError::Failed(error.to_string());
    let room = ROOM.acquire().await.map_err(|error| failed(&error))?;
    tokio::task::spawn_blocking(move || {
        // Here, because drawing goes on when nobody waits for it any more.
        let _room = room;
        draw()
    })
    .await
    .map_err(|error| failed(&error))?
}
