//! The picture that an encoded frame has a decoder make room for, read before the decoder sees it.
//!
//! A decoder believes a frame's header: libvpx takes 900 MB for a frame of 113 bytes that says it
//! is 16384x16384, and only then finds that there is no such picture in it. Each codec has a file
//! that reads as much of its headers as tells the size. Pure: nothing in here knows a pipeline.
//!
//! Invariant: what is let through makes a decoder allocate no more than what was read in here.
//! Where two decoders could read a frame differently, it is not let through.

mod bits;
mod h264;
mod vp8;
mod vp9;

use crate::Codec;

/// The longest edge of a picture that is decoded, in pixels.
const MAX_EDGE: u32 = 4096;
/// The macroblocks of 16x16 pixels of a picture that is decoded: 4096x2304, for every codec what
/// H.264 allows up to level 5.2 (ITU-T H.264, table A-1, MaxFS).
const MAX_MACROBLOCKS: u32 = 36_864;
/// The macroblocks of all pictures that a decoder keeps to build others on (ibid., MaxDpbMbs).
const MAX_KEPT_MACROBLOCKS: u32 = 184_320;

/// A picture as a decoder makes room for it: before it is cropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Picture {
    /// In pixels.
    width: u32,
    /// In pixels.
    height: u32,
    /// How many pictures of this size the stream has kept to build others on. Only H.264 says so;
    /// with the others it is a small number that the codec fixes, and 1 in here.
    kept: u32,
}

/// Why a frame is not given to a decoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its header is broken or missing, as when a part of it was lost. The next may be better.
    Unreadable,
    /// It is nothing that is decoded here, and so will the next be; in words.
    Unsupported(String),
}

/// What must follow a frame that a decoder is given, so that it reads no more than was read here.
pub(crate) type Trailer = [u8; 6];

/// Whether a whole encoded frame may be given to a decoder of `codec`, and what must be put after
/// it.
///
/// # Errors
/// When it may not.
pub(crate) fn check(codec: Codec, frame: &[u8]) -> Result<Option<Trailer>, Refusal> {
    match codec {
        Codec::Vp8 => {
            vp8::picture(frame)?.map_or(Ok(()), Picture::check)?;
            Ok(None)
        }
        Codec::Vp9 => {
            let read = vp9::read(frame)?;
            read.pictures.into_iter().try_for_each(Picture::check)?;
            Ok(read.trailer)
        }
        Codec::H264 => {
            h264::pictures(frame)?.into_iter().try_for_each(Picture::check)?;
            Ok(None)
        }
    }
}

/// Whether a picture of this size is decoded at all, for what is known before any frame.
///
/// # Errors
/// When it is not.
pub(crate) fn check_size(width: u32, height: u32) -> Result<(), Refusal> {
    Picture { width, height, kept: 1 }.check()
}

impl Picture {
    fn check(self) -> Result<(), Refusal> {
        let Self { width, height, kept } = self;
        let macroblocks = width.div_ceil(16).saturating_mul(height.div_ceil(16));
        if width > MAX_EDGE || height > MAX_EDGE || macroblocks > MAX_MACROBLOCKS {
            return Err(Refusal::Unsupported(format!(
                "a picture of {width}x{height} is larger than 4096x2304; send a smaller one"
            )));
        }
        if macroblocks.saturating_mul(kept) > MAX_KEPT_MACROBLOCKS {
            return Err(Refusal::Unsupported(format!(
                "{kept} reference pictures of {width}x{height} are more than H.264 level 5.2 \
                 allows; send a smaller picture or keep fewer"
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
