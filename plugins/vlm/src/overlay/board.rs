//! Where the asking task writes what is to be shown, and the streaming thread finds the picture
//! of it. Made anew for each start of the element.
//!
//! Its mutex is a leaf: while it is held nothing is drawn, waited for or locked, and no picture is
//! dropped.

use std::sync::{Mutex, MutexGuard, PoisonError};

use gst_video::VideoOverlayComposition;
use tokio::sync::Notify;

use super::{
    Frame,
    paint::{self, Order, PaintError},
    settings::Look,
    words::Words,
};

#[derive(Debug, Default)]
pub(crate) struct Board {
    state: Mutex<State>,
    /// Something may have to be drawn anew. It keeps one call while the painter is busy: of all
    /// that is written meanwhile only the newest is drawn.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    words: Words,
    frame: Option<Frame>,
    picture: Option<Picture>,
    painted: u64,
}

/// Text as it is put over frames of one size.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) frame: Frame,
    pub(crate) composition: VideoOverlayComposition,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a complete answer.
    pub(crate) fn write(&self, text: &str) {
        self.set_words(Words::new(text, true));
    }

    /// Shows an answer as far as it is written.
    pub(crate) fn write_so_far(&self, text: &str) {
        let words = Words::new(text, false);
        // A model may begin with an empty line; the answer before is shown until there is more.
        if !words.text.is_empty() {
            self.set_words(words);
        }
    }

    fn set_words(&self, words: Words) {
        self.lock().words = words;
        self.changed.notify_one();
    }

    /// The stream has frames of another size.
    pub(crate) fn set_frame(&self, frame: Option<Frame>) {
        self.lock().frame = frame;
        self.changed.notify_one();
    }

    /// How text is drawn has changed.
    pub(crate) fn look_changed(&self) {
        self.changed.notify_one();
    }

    /// The newest finished picture.
    pub(crate) fn picture(&self) -> Option<Picture> {
        self.lock().picture.clone()
    }

    /// How often text was drawn.
    pub(crate) fn painted(&self) -> u64 {
        self.lock().painted
    }

    fn hang(&self, picture: Option<Picture>, painted: u64) {
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

    /// Draws whatever the board is to show, until it is dropped. `look` is `None` when nothing is
    /// to be drawn; `failed` is told of an error once, not for each text.
    pub(crate) async fn serve(
        &self,
        look: impl Fn() -> Option<Look>,
        failed: impl Fn(&PaintError),
    ) {
        let mut last = None;
        let mut told = false;
        loop {
            self.changed.notified().await;
            let order = look().and_then(|look| self.order(look));
            if order == last {
                continue;
            }
            match &order {
                None => self.hang(None, 0),
                Some(order) => match paint::paint(order.clone()).await {
                    Ok(composition) => {
                        self.hang(Some(Picture { frame: order.frame, composition }), 1);
                    }
                    Err(error) => {
                        self.hang(None, 0);
                        if !std::mem::replace(&mut told, true) {
                            failed(&error);
                        }
                    }
                },
            }
            last = order;
        }
    }
}
