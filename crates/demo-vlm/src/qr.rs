//! QR codes.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use image::{GenericImage, GenericImageView, GrayImage, Luma as Pixel};
use rqrr::PreparedImage;

use crate::plane::Luma;

/// The smallest QR code is 21 modules wide.
const SMALLEST: usize = 21;
const MOST_CODES: usize = 4;
const LONGEST_TEXT: usize = 200;

/// Reads the QR codes in a picture, as printable text.
pub(crate) fn read(luma: &Luma) -> Vec<String> {
    let (width, height) = (luma.width as u32, luma.height as u32);
    let Some(image) = GrayImage::from_raw(width, height, luma.data.clone()) else {
        return Vec::new();
    };
    if luma.width < SMALLEST || luma.height < SMALLEST {
        return Vec::new();
    }
    let budget = Rc::new(Cell::new(luma.data.len() as u64 * 10 + 2_000_000));
    let image = Metered { image, budget };
    // The reader searches pairs of corners, so a picture full of them would take minutes; and it
    // asserts what a hostile picture may break. Either way there is no code to read.
    catch_unwind(AssertUnwindSafe(|| find(image))).unwrap_or_default()
}

fn find(image: Metered) -> Vec<String> {
    let mut codes: Vec<String> = Vec::new();
    for grid in PreparedImage::prepare(image).detect_grids() {
        let Ok((_, text)) = grid.decode() else { continue };
        let text: String = text
            .chars()
            .map(|character| if character.is_control() { ' ' } else { character })
            .take(LONGEST_TEXT)
            .collect();
        if !codes.contains(&text) && codes.len() < MOST_CODES {
            codes.push(text);
        }
    }
    codes
}

/// A picture that may be read only so often, copies included.
#[derive(Clone)]
struct Metered {
    image: GrayImage,
    budget: Rc<Cell<u64>>,
}

struct Exhausted;

impl GenericImageView for Metered {
    type Pixel = Pixel<u8>;

    #[inline]
    fn dimensions(&self) -> (u32, u32) {
        self.image.dimensions()
    }

    #[inline]
    fn get_pixel(&self, x: u32, y: u32) -> Self::Pixel {
        match self.budget.get().checked_sub(1) {
            Some(left) => self.budget.set(left),
            // Not a panic, so nothing is reported; `read` catches it.
            None => resume_unwind(Box::new(Exhausted)),
        }
        *self.image.get_pixel(x, y)
    }
}

#[allow(deprecated, reason = "the trait still asks for the deprecated methods")]
impl GenericImage for Metered {
    fn get_pixel_mut(&mut self, x: u32, y: u32) -> &mut Self::Pixel {
        self.image.get_pixel_mut(x, y)
    }

    #[inline]
    fn put_pixel(&mut self, x: u32, y: u32, pixel: Self::Pixel) {
        self.image.put_pixel(x, y, pixel);
    }

    fn blend_pixel(&mut self, x: u32, y: u32, pixel: Self::Pixel) {
        self.image.put_pixel(x, y, pixel);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A QR code with `scale` pixels per module and a quiet zone.
    pub(crate) fn code(text: &str, scale: usize) -> Luma {
        let code = qrcode::QrCode::new(text).unwrap();
        let modules = code.to_colors();
        let side = code.width();
        let edge = (side + 8) * scale;
        let mut data = vec![255; edge * edge];
        for (at, module) in modules.iter().enumerate() {
            let (column, row) = (at % side + 4, at / side + 4);
            if *module == qrcode::Color::Dark {
                for y in row * scale..(row + 1) * scale {
                    data[y * edge + column * scale..][..scale].fill(0);
                }
            }
        }
        Luma { width: edge, height: edge, data }
    }

    #[test]
    fn a_code_is_read() {
        assert_eq!(read(&code("gate 7", 5)), ["gate 7"]);
    }

    #[test]
    fn control_characters_and_length_are_tamed() {
        assert_eq!(read(&code("two\nlines", 5)), ["two lines"]);
        let long = "x".repeat(300);
        assert_eq!(read(&code(&long, 4)), [&long[..200]]);
    }

    #[test]
    fn a_picture_without_a_code_has_none() {
        assert!(read(&Luma { width: 1, height: 1, data: vec![0] }).is_empty());
        assert!(read(&Luma { width: 64, height: 64, data: vec![128; 64 * 64] }).is_empty());
    }

    #[test]
    fn a_picture_full_of_corner_marks_is_given_up_on() {
        const MARK: [u16; 8] =
            [0b1111111, 0b1000001, 0b1011101, 0b1011101, 0b1011101, 0b1000001, 0b1111111, 0];
        let edge = 640;
        let data = (0..edge * edge)
            .map(|at| (at % edge, at / edge))
            .map(|(x, y)| if MARK[y / 2 % 8] >> (x / 2 % 8) & 1 == 1 { 0 } else { 255 })
            .collect();
        assert!(read(&Luma { width: edge, height: edge, data }).is_empty());
    }
}
