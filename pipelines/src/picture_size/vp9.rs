//! VP9 frames ("VP9 Bitstream & Decoding Process Specification", version 0.6).

use super::{Picture, Refusal, Trailer, bits::Bits};

/// `sRGB`, which profile 0 does not have (section 7.2.2).
const RGB: u32 = 7;

/// What a buffer of one frame or of several has.
pub(super) struct Read {
    /// The pictures of those frames that say how large they are. The others are as large as one
    /// that came before.
    pub(super) pictures: Vec<Picture>,
    /// An index for a buffer that has none. Without one libvpx takes what follows the first frame
    /// for another, which nobody can find without decoding the first.
    pub(super) trailer: Option<Trailer>,
}

pub(super) fn read(buffer: &[u8]) -> Result<Read, Refusal> {
    let (frames, trailer) = match superframe(buffer)? {
        Some(frames) => (frames, None),
        None => (vec![buffer], Some(index_of_one(buffer.len())?)),
    };
    let pictures =
        frames.into_iter().filter_map(|frame| picture(frame).transpose()).collect::<Result<_, _>>();
    Ok(Read { pictures: pictures?, trailer })
}

/// The frames of a superframe; `None` when it is a single frame (Annex B).
fn superframe(buffer: &[u8]) -> Result<Option<Vec<&[u8]>>, Refusal> {
    let marker = *buffer.last().ok_or(Refusal::Unreadable)?;
    if marker & 0xE0 != 0xC0 {
        return Ok(None);
    }
    let count = usize::from(marker & 7) + 1;
    let bytes = usize::from(marker >> 3 & 3) + 1;
    // No frame ends like this: encoders put a zero after it.
    let start = buffer.len().checked_sub(2 + count * bytes).ok_or(Refusal::Unreadable)?;
    let (mut rest, index) = buffer.split_at(start);
    if index[0] != marker {
        return Err(Refusal::Unreadable);
    }
    let sizes = index[1..=count * bytes].chunks(bytes);
    let frames = sizes.map(|size| {
        let size = size.iter().rev().fold(0, |size, byte| size << 8 | usize::from(*byte));
        let (frame, behind) = rest.split_at_checked(size).ok_or(Refusal::Unreadable)?;
        rest = behind;
        Ok(frame)
    });
    frames.collect::<Result<_, _>>().map(Some)
}

/// The index of a superframe of one frame of this size in bytes, which the annex allows.
fn index_of_one(size: usize) -> Result<Trailer, Refusal> {
    let [a, b, c, d] = u32::try_from(size).map_err(|_| Refusal::Unreadable)?.to_le_bytes();
    // 110, four bytes for each size, one frame.
    let marker = 0b1101_1000;
    Ok([marker, a, b, c, d, marker])
}

/// Reads an uncompressed header (section 6.2) as far as the size.
fn picture(frame: &[u8]) -> Result<Option<Picture>, Refusal> {
    let mut bits = Bits::new(frame.iter().copied());
    if bits.number(2)? != 2 {
        return Err(Refusal::Unreadable);
    }
    if bits.number(2)? != 0 {
        let other = "its VP9 is not of profile 0, which is 8 bit and 4:2:0; send that";
        return Err(Refusal::Unsupported(other.to_owned()));
    }
    let shows_existing = bits.flag()?;
    if shows_existing {
        return Ok(None);
    }
    let is_key = !bits.flag()?;
    let is_shown = bits.flag()?;
    let is_resilient = bits.flag()?;
    if is_key {
        sync_code(&mut bits)?;
        if bits.number(3)? == RGB {
            return Err(Refusal::Unreadable);
        }
        let _full_range = bits.flag()?;
        return size(&mut bits).map(Some);
    }
    let is_intra_only = !is_shown && bits.flag()?;
    if !is_resilient {
        let _reset_frame_context = bits.number(2)?;
    }
    if is_intra_only {
        sync_code(&mut bits)?;
        let _refresh_frame_flags = bits.number(8)?;
        return size(&mut bits).map(Some);
    }
    let _refresh_frame_flags = bits.number(8)?;
    for _ in 0..3 {
        let _ref_frame_idx_and_sign_bias = bits.number(4)?;
    }
    // As large as one of those that it refers to, which were let through.
    for _ in 0..3 {
        let found_ref = bits.flag()?;
        if found_ref {
            return Ok(None);
        }
    }
    size(&mut bits).map(Some)
}

fn sync_code(bits: &mut Bits<impl Iterator<Item = u8>>) -> Result<(), Refusal> {
    if bits.number(24)? == 0x49_83_42 { Ok(()) } else { Err(Refusal::Unreadable) }
}

fn size(bits: &mut Bits<impl Iterator<Item = u8>>) -> Result<Picture, Refusal> {
    let (width, height) = (bits.number(16)? + 1, bits.number(16)? + 1);
    Ok(Picture { width, height, kept: 1 })
}
