//! A number, drawn into the picture as black and white blocks and read back from the JPEG that the
//! VLM gets: a frame's number, or the time of its capture. It survives VP8 and JPEG because a block
//! is a twentieth of the picture's width.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const COLUMNS: usize = 20;
const NUMBER_BITS: usize = 48;
const CHECK_BITS: usize = 8;
const BITS: usize = NUMBER_BITS + CHECK_BITS;
const ROWS: usize = BITS.div_ceil(COLUMNS);

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Whether a number can be drawn into pictures of this size. The width is also such that rows have
/// no padding between them.
pub(crate) fn fits(width: usize, height: usize) -> bool {
    width >= 8 * COLUMNS && width.is_multiple_of(2 * COLUMNS) && height >= ROWS * width / COLUMNS
}

fn check(number: u64) -> u64 {
    number.to_be_bytes().iter().fold(0xa5, |sum: u8, byte| sum.rotate_left(1) ^ byte).into()
}

fn code(number: u64) -> u64 {
    (number & ((1 << NUMBER_BITS) - 1)) | check(number) << NUMBER_BITS
}

/// Draws a number into the luma plane of a frame of this width, whose size [`fits`].
pub(crate) fn draw(luma: &mut [u8], width: usize, number: u64) {
    let (code, block) = (code(number), width / COLUMNS);
    for bit in 0..BITS {
        let (left, top) = (bit % COLUMNS * block, bit / COLUMNS * block);
        let shade = if code >> bit & 1 == 1 { 235 } else { 16 };
        for row in luma.chunks_exact_mut(width).skip(top).take(block) {
            row[left..left + block].fill(shade);
        }
    }
}

/// Reads the number back; `None` where there is none, or it is damaged.
pub(crate) fn read(width: usize, height: usize, luma: impl Fn(usize, usize) -> u8) -> Option<u64> {
    let block = width / COLUMNS;
    if block < 4 || height < ROWS * block {
        return None;
    }
    let mut code = 0_u64;
    for bit in 0..BITS {
        let (left, top) = (bit % COLUMNS * block, bit / COLUMNS * block);
        let inner = block / 4..block * 3 / 4;
        let sum: u32 = inner
            .clone()
            .flat_map(|y| inner.clone().map(move |x| (left + x, top + y)))
            .map(|(x, y)| u32::from(luma(x, y)))
            .sum();
        let mean = sum / (inner.len() * inner.len()) as u32;
        code |= u64::from(mean > 127) << bit;
    }
    let number = code & ((1 << NUMBER_BITS) - 1);
    (check(number) == code >> NUMBER_BITS).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_survives_drawing_and_jpeg() {
        for (width, height) in [(640, 480), (320, 240), (160, 120)] {
            assert!(fits(width, height));
            let mut frame = vec![90; width * height];
            for number in [0, 1, 1_790_000_000_123, (1 << NUMBER_BITS) - 1] {
                draw(&mut frame, width, number);
                let mut jpeg = Vec::new();
                image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 40)
                    .encode(&frame, width as u32, height as u32, image::ExtendedColorType::L8)
                    .unwrap();
                let picture = image::load_from_memory(&jpeg).unwrap().to_luma8();
                let luma = |x: usize, y: usize| picture.get_pixel(x as u32, y as u32).0[0];
                assert_eq!(read(width, height, luma), Some(number), "{width}x{height}");
            }
        }
    }

    #[test]
    fn a_picture_without_a_number_has_none() {
        assert_eq!(read(640, 480, |_, _| 90), None);
        assert_eq!(read(640, 480, |x, y| if (x / 7 + y / 5) % 2 == 0 { 0 } else { 255 }), None);
        assert_eq!(read(64, 48, |_, _| 90), None);
    }

    #[test]
    fn sizes_without_room_for_whole_blocks_do_not_fit() {
        assert!(!fits(120, 90));
        assert!(!fits(650, 480));
        assert!(!fits(640, 90));
    }
}
