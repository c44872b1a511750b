//! From a `data:` URL to pixels.

use std::io::Cursor;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::plane::Rgb;

const LONGEST_EDGE: u32 = 8192;
/// Room for 8192 by 8192 pixels of four bytes.
const MOST_MEMORY: u64 = 256 * 1024 * 1024;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureError {
    #[error("Picture URLs are not fetched: send the picture itself, as a base64 `data:` URL")]
    NotInline,
    #[error("The `data:` URL of a picture is not base64")]
    NotBase64,
    #[error("A picture is neither JPEG, PNG nor WebP")]
    Format,
    #[error(
        "A picture is too large: at most {LONGEST_EDGE} by {LONGEST_EDGE} pixels and {MOST_MEMORY} bytes when decoded"
    )]
    TooLarge,
    #[error("A picture could not be decoded: {0}")]
    Undecodable(ImageError),
}

impl PictureError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NotInline => "invalid_image_url",
            Self::NotBase64 => "invalid_base64_image",
            Self::Format => "invalid_image_format",
            Self::TooLarge => "image_too_large",
            Self::Undecodable(_) => "image_parse_error",
        }
    }
}

impl From<ImageError> for PictureError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Limits(_) => Self::TooLarge,
            other => Self::Undecodable(other),
        }
    }
}

/// The base64 text of a `data:` URL. The media type is not asked: the bytes tell.
pub(crate) fn payload(url: &str) -> Result<&str, PictureError> {
    let (scheme, rest) = url.trim().split_once(':').ok_or(PictureError::NotInline)?;
    if !scheme.eq_ignore_ascii_case("data") {
        return Err(PictureError::NotInline);
    }
    let (header, payload) = rest.split_once(',').ok_or(PictureError::NotBase64)?;
    let last = header.rsplit(';').next().unwrap_or_default();
    if last.trim().eq_ignore_ascii_case("base64") {
        Ok(payload)
    } else {
        Err(PictureError::NotBase64)
    }
}

/// Decodes the picture of a `data:` URL, upright and on white where it is transparent.
pub(crate) fn decode(url: &str) -> Result<Rgb, PictureError> {
    let bytes = BASE64.decode(payload(url)?).map_err(|_| PictureError::NotBase64)?;
    let format = image::guess_format(&bytes).map_err(|_| PictureError::Format)?;
    if !matches!(format, ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP) {
        return Err(PictureError::Format);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_EDGE);
    limits.max_image_height = Some(LONGEST_EDGE);
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(&bytes), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    if decoder.total_bytes() > MOST_MEMORY {
        return Err(PictureError::TooLarge);
    }
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width() as usize, image.height() as usize);
    if width == 0 || height == 0 {
        return Err(PictureError::Format);
    }
    let data = if image.color().has_alpha() {
        let rgba = image.into_rgba8();
        rgba.pixels().flat_map(|pixel| on_white(pixel.0)).collect()
    } else {
        image.into_rgb8().into_raw()
    };
    Ok(Rgb { width, height, data })
}

fn on_white([r, g, b, alpha]: [u8; 4]) -> [u8; 3] {
    let alpha = u32::from(alpha);
    [r, g, b].map(|value| ((u32::from(value) * alpha + 255 * (255 - alpha) + 127) / 255) as u8)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use image::{Rgba, RgbaImage};

    pub(crate) fn data_url(bytes: &[u8]) -> String {
        format!("data:image/png;base64,{}", BASE64.encode(bytes))
    }

    fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn each_format_is_decoded_whatever_the_media_type_says() {
        let image = DynamicImage::ImageRgb8(image::RgbImage::from_pixel(8, 4, [90; 3].into()));
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP] {
            let picture = decode(&data_url(&encoded(&image, format))).unwrap();
            assert_eq!((picture.width, picture.height), (8, 4));
            assert!(picture.data.iter().all(|value| value.abs_diff(90) < 3), "{format:?}");
        }
    }

    #[test]
    fn transparency_shows_white() {
        let image = RgbaImage::from_fn(2, 1, |x, _| Rgba([0, 0, 0, if x == 0 { 0 } else { 255 }]));
        let url = data_url(&encoded(&DynamicImage::ImageRgba8(image), ImageFormat::Png));
        assert_eq!(decode(&url).unwrap().data, [255, 255, 255, 0, 0, 0]);
    }

    #[test]
    fn only_inline_pictures_are_taken() {
        for url in ["http://x/a.jpg", "HTTPS://x/a.jpg", "file:///etc/passwd", "a.jpg", ""] {
            assert!(matches!(decode(url), Err(PictureError::NotInline)), "{url}");
        }
    }

    #[test]
    fn payloads_that_are_not_base64_are_refused() {
        for url in ["data:image/png;base64", "data:image/png,abc", "data:;base64,***"] {
            assert!(matches!(decode(url), Err(PictureError::NotBase64)), "{url}");
        }
    }

    #[test]
    fn other_formats_and_broken_pictures_are_refused() {
        assert!(matches!(decode(&data_url(b"GIF89a..")), Err(PictureError::Format)));
        assert!(matches!(decode(&data_url(b"")), Err(PictureError::Format)));
        let broken = decode(&data_url(b"\x89PNG\r\n\x1a\nrubbish"));
        assert!(matches!(broken, Err(PictureError::Undecodable(_))));
    }

    #[test]
    fn a_picture_wider_than_the_limit_is_refused() {
        let image = DynamicImage::new_luma8(LONGEST_EDGE + 1, 1);
        let url = data_url(&encoded(&image, ImageFormat::Png));
        assert!(matches!(decode(&url), Err(PictureError::TooLarge)));
    }

    #[test]
    fn padding_may_be_left_out() {
        let image = DynamicImage::new_rgb8(3, 3);
        let url = data_url(&encoded(&image, ImageFormat::Png));
        assert!(decode(url.trim_end_matches('=')).is_ok());
    }
}
