//! Pictures that pages send in place of video. A page's message is read ([`PictureMessage`]), and
//! its JPEG as far as is needed to pass it on ([`Jpeg`]): its segments, without what they mean.
//! [`Pixels`] decodes one where something has to be seen or made smaller, which takes milliseconds.
//!
//! What comes here is from strangers. Nothing is allocated before its size is known and allowed, and
//! no code here is unsafe, nor any that it calls: the decoder is told so.
//!
//! ```
//! use live_vlm_pictures::{Jpeg, NotAPicture};
//!
//! assert_eq!(Jpeg::read(b"GIF89a"), Err(NotAPicture::NoJpeg));
//! ```

#[doc(hidden)]
pub mod fuzzing;
mod jpeg;
mod message;
mod not_a_picture;
mod orientation;
mod pixels;
mod segments;

pub use jpeg::{Jpeg, MAX_EDGE, MAX_PIXELS};
pub use message::{NoHeader, PictureMessage};
pub use not_a_picture::NotAPicture;
pub use pixels::{Pixels, Undecodable};
