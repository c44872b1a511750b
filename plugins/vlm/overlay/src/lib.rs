//! Answers as text over the picture.
//!
//! Text is drawn by pango and cairo on a thread of the asking task's runtime, once per change of
//! the text, the look or the frame's size; a streaming thread only takes the newest finished
//! picture from the [`OverlayText`]. It is put on buffers as a `GstVideoOverlayComposition`, or blended
//! into them.
//!
//! The newest complete answer is shown, and while the next one is written, that one. Text that has
//! more lines than there is room for is shown from its start, with an ellipsis, once it is
//! complete; while it is written its newest lines are shown, as in live captions. Text is never
//! read as markup, and any script is drawn for which the system has a font.

mod frame;
mod lines;
mod lock;
mod overlay_text;
mod paint;
mod settings;
mod words;

pub use frame::Frame;
pub use overlay_text::{OverlayText, Picture};
pub use paint::PaintError;
pub use settings::{Look, OverlayMode, OverlayPosition, OverlaySettings, defaults};
