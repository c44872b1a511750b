//! The pixels of a picture, where something has to be seen or made smaller. Takes milliseconds, so
//! it is nothing for a thread that others wait for.

use image::{
    DynamicImage, GenericImageView, GrayImage, RgbImage, codecs::jpeg::JpegEncoder,
    metadata::Orientation,
};
use live_vlm_change::{HEIGHT, Thumbnail, WIDTH};
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

use crate::{Jpeg, MAX_EDGE};

/// Of JPEGs that are made smaller, as of those that the element makes.
const QUALITY: u8 = 80;

/// The picture cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the picture cannot be decoded: {0}")]
pub struct Undecodable(String);

impl Undecodable {
    /// Decoding it has not ended as it should.
    pub fn given_up() -> Self {
        Self("decoding it did not end".to_owned())
    }
}

/// A decoded picture. At most 4096x2304 pixels of three bytes, and as much again while it is
/// decoded.
#[derive(Debug, Clone)]
pub struct Pixels {
    image: DynamicImage,
    orientation: u8,
}

impl Pixels {
    /// Decodes brightness alone, which is enough for a [`thumbnail`](Self::thumbnail).
    ///
    /// # Errors
    /// When it cannot be decoded.
    pub fn grey(jpeg: &Jpeg) -> Result<Self, Undecodable> {
        let (pixels, width, height) = decode(jpeg, ColorSpace::Luma)?;
        let image = GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8);
        Self::new(image, jpeg)
    }

    /// Decodes all of it.
    ///
    /// # Errors
    /// When it cannot be decoded.
    pub fn coloured(jpeg: &Jpeg) -> Result<Self, Undecodable> {
        let (pixels, width, height) = decode(jpeg, ColorSpace::RGB)?;
        let image = RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8);
        Self::new(image, jpeg)
    }

    fn new(image: Option<DynamicImage>, jpeg: &Jpeg) -> Result<Self, Undecodable> {
        let image = image.ok_or_else(|| Undecodable("it has fewer pixels than it says".into()))?;
        Ok(Self { image, orientation: jpeg.orientation() })
    }

    /// For seeing how much has changed since another picture.
    pub fn thumbnail(&self) -> Thumbnail {
        let (width, height) = self.image.dimensions();
        let middle = |nth: usize, of: usize, edge: u32| {
            // Less than the edge, which fits.
            ((2 * nth + 1) * edge as usize / (2 * of)) as u32
        };
        let mut points = Vec::with_capacity(WIDTH * HEIGHT);
        for y in (0..HEIGHT).map(|nth| middle(nth, HEIGHT, height)) {
            for x in (0..WIDTH).map(|nth| middle(nth, WIDTH, width)) {
                let [red, green, blue, _] = self.image.get_pixel(x, y).0.map(u32::from);
                // ITU-R BT.601, as JPEG has it.
                points.push(((299 * red + 587 * green + 114 * blue) / 1000) as u8);
            }
        }
        Thumbnail::of_points(&points)
    }

    /// The picture as a JPEG again: upright, with its longest edge of at most so many pixels (0 = as
    /// it is).
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn fitted(self, max_size: u32) -> Result<Vec<u8>, Undecodable> {
        let (width, height) = self.image.dimensions();
        let mut image = match max_size {
            1.. if width.max(height) > max_size => self.image.thumbnail(max_size, max_size),
            _ => self.image,
        };
        image.apply_orientation(
            Orientation::from_exif(self.orientation).unwrap_or(Orientation::NoTransforms),
        );
        let mut jpeg = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
        image.write_with_encoder(encoder).map_err(|error| Undecodable(error.to_string()))?;
        Ok(jpeg)
    }
}

fn decode(jpeg: &Jpeg, colours: ColorSpace) -> Result<(Vec<u8>, u32, u32), Undecodable> {
    let edge = MAX_EDGE as usize;
    let options = DecoderOptions::default()
        .set_use_unsafe(false)
        .set_max_width(edge)
        .set_max_height(edge)
        .jpeg_set_out_colorspace(colours);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg.bytes()), options);
    let pixels = decoder.decode().map_err(|error| Undecodable(error.to_string()))?;
    Ok((pixels, jpeg.width(), jpeg.height()))
}

#[cfg(test)]
#[path = "pixels_tests.rs"]
mod tests;
