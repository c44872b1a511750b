use super::{Picture, Refusal};

/// The picture that a frame makes a decoder make room for: only key frames do (RFC 6386, 9.1).
pub(super) fn picture(frame: &[u8]) -> Result<Option<Picture>, Refusal> {
    let [tag, _, _, rest @ ..] = frame else { return Err(Refusal::Unreadable) };
    if tag & 1 == 1 {
        return Ok(None);
    }
    let [0x9D, 0x01, 0x2A, width_low, width_high, height_low, height_high, ..] = *rest else {
        return Err(Refusal::Unreadable);
    };
    // The upper two bits say how the picture is to be scaled after it was decoded.
    let edge = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    let (width, height) = (edge(width_low, width_high), edge(height_low, height_high));
    if width == 0 || height == 0 {
        return Err(Refusal::Unreadable);
    }
    Ok(Some(Picture { width, height, kept: 1 }))
}
