use image::{Rgb, load_from_memory};

use super::*;
use crate::{jpeg::tests::with_segment, orientation::tests::tiff};

/// A picture that is red on top, blue below.
fn red_over_blue(width: u32, height: u32, orientation: u16) -> Jpeg {
    let image = RgbImage::from_fn(width, height, |_, y| {
        if y < height / 2 { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) }
    });
    let mut jpeg = Vec::new();
    image.write_with_encoder(JpegEncoder::new(&mut jpeg)).unwrap();
    let exif = [b"Exif\0\0", &tiff(orientation)[..]].concat();
    Jpeg::read(&with_segment(&jpeg, 0xE1, &exif)).unwrap()
}

/// Which of red and blue is at this place of a picture.
fn colour(jpeg: &[u8], x: u32, y: u32) -> &'static str {
    let [red, _, blue] = load_from_memory(jpeg).unwrap().to_rgb8().get_pixel(x, y).0;
    if red > blue { "red" } else { "blue" }
}

fn size(jpeg: &[u8]) -> (u32, u32) {
    let read = Jpeg::read(jpeg).unwrap();
    assert_eq!(read.orientation(), 1);
    (read.width(), read.height())
}

#[test]
fn a_picture_that_is_too_large_is_made_smaller_in_its_shape() {
    let fitted = |max_size| {
        let pixels = Pixels::coloured(&red_over_blue(320, 160, 1)).unwrap();
        pixels.fitted(max_size).unwrap()
    };
    assert_eq!(size(&fitted(80)), (80, 40));
    assert_eq!(size(&fitted(320)), (320, 160));
    assert_eq!(size(&fitted(1000)), (320, 160));
    assert_eq!(size(&fitted(0)), (320, 160));
    assert_eq!((colour(&fitted(80), 40, 5), colour(&fitted(80), 40, 35)), ("red", "blue"));
}

#[test]
fn a_picture_that_lies_on_its_side_is_set_upright() {
    // As a phone held upright writes it: what was on top is on the left.
    let lying = red_over_blue(64, 32, 6);
    let upright = Pixels::coloured(&lying).unwrap().fitted(0).unwrap();
    assert_eq!(size(&upright), (32, 64));
    assert_eq!((colour(&upright, 30, 32), colour(&upright, 2, 32)), ("red", "blue"));
    let head_down = Pixels::coloured(&red_over_blue(64, 32, 3)).unwrap().fitted(32).unwrap();
    assert_eq!(size(&head_down), (32, 16));
    assert_eq!((colour(&head_down, 8, 15), colour(&head_down, 8, 1)), ("red", "blue"));
}

#[test]
fn thumbnails_see_what_changes_in_brightness_and_in_every_size() {
    let grey = |jpeg: &Jpeg| Pixels::grey(jpeg).unwrap().thumbnail();
    let (large, small) = (red_over_blue(640, 360, 1), red_over_blue(100, 70, 1));
    assert!(grey(&large).change(&grey(&small)) < 0.05);
    let coloured = Pixels::coloured(&large).unwrap().thumbnail();
    assert!(grey(&large).change(&coloured) < 0.01);
    let head_down = RgbImage::from_pixel(640, 360, Rgb([250, 0, 0]));
    let mut jpeg = Vec::new();
    head_down.write_with_encoder(JpegEncoder::new(&mut jpeg)).unwrap();
    let change = grey(&large).change(&grey(&Jpeg::read(&jpeg).unwrap()));
    assert!((0.4..0.6).contains(&change), "{change}");
    grey(&red_over_blue(1, 1, 1));
}

#[test]
fn what_cannot_be_decoded_is_an_error() {
    let mut bytes = red_over_blue(64, 64, 1).bytes().to_vec();
    // Without the tables of its codes.
    let at = bytes.windows(2).position(|two| two == [0xFF, 0xC4]).unwrap();
    bytes[at + 1] = 0xDB;
    if let Ok(jpeg) = Jpeg::read(&bytes) {
        let error = Pixels::coloured(&jpeg).unwrap_err().to_string();
        assert!(error.starts_with("the picture cannot be decoded: "), "{error}");
    }
}
