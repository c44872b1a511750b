//! The time of capture, drawn into the picture as black and white blocks and read back from the
//! JPEG that the VLM gets. It survives VP8 and JPEG because a block is 32 pixels wide.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) const WIDTH: usize = 640;
pub(crate) const HEIGHT: usize = 480;
const BLOCK: usize = 32;
const COLUMNS: usize = WIDTH / BLOCK;
const TIME_BITS: usize = 48;
const CHECK_BITS: usize = 8;
const BITS: usize = TIME_BITS + CHECK_BITS;

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn check(ms: u64) -> u64 {
    ms.to_be_bytes().iter().fold(0xa5, |sum: u8, byte| sum.rotate_left(1) ^ byte).into()
}

fn code(ms: u64) -> u64 {
    (ms & ((1 << TIME_BITS) - 1)) | check(ms) << TIME_BITS
}

/// Draws `ms` into the luma plane of a frame of [`WIDTH`] by [`HEIGHT`].
pub(crate) fn draw(luma: &mut [u8], stride: usize, ms: u64) {
    let code = code(ms);
    for bit in 0..BITS {
        let (left, top) = (bit % COLUMNS * BLOCK, bit / COLUMNS * BLOCK);
        let shade = if code >> bit & 1 == 1 { 235 } else { 16 };
        for row in luma.chunks_exact_mut(stride).skip(top).take(BLOCK) {
            row[left..left + BLOCK].fill(shade);
        }
    }
}

/// Reads the time back; `None` where there is none, or it is damaged.
pub(crate) fn read(luma: impl Fn(usize, usize) -> u8) -> Option<u64> {
    let mut code = 0_u64;
    for bit in 0..BITS {
        let (left, top) = (bit % COLUMNS * BLOCK, bit / COLUMNS * BLOCK);
        let inner = BLOCK / 4..BLOCK * 3 / 4;
        let sum: u32 = inner
            .clone()
            .flat_map(|y| inner.clone().map(move |x| (left + x, top + y)))
            .map(|(x, y)| u32::from(luma(x, y)))
            .sum();
        let mean = sum / (BLOCK * BLOCK / 4) as u32;
        code |= u64::from(mean > 127) << bit;
    }
    let ms = code & ((1 << TIME_BITS) - 1);
    (check(ms) == code >> TIME_BITS).then_some(ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_drawing_and_jpeg() {
        let mut frame = vec![90; WIDTH * HEIGHT];
        for ms in [0, 1, 1_790_000_000_123, (1 << TIME_BITS) - 1] {
            draw(&mut frame, WIDTH, ms);
            let mut jpeg = Vec::new();
            image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 40)
                .encode(&frame, WIDTH as u32, HEIGHT as u32, image::ExtendedColorType::L8)
                .unwrap();
            let picture = image::load_from_memory(&jpeg).unwrap().to_luma8();
            let luma = |x: usize, y: usize| picture.get_pixel(x as u32, y as u32).0[0];
            assert_eq!(read(luma), Some(ms));
        }
    }

    #[test]
    fn a_picture_without_a_time_has_none() {
        assert_eq!(read(|_, _| 90), None);
        assert_eq!(read(|x, y| if (x / 7 + y / 5) % 2 == 0 { 0 } else { 255 }), None);
    }
}
