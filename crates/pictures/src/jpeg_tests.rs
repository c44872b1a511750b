use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};

use super::*;
use crate::orientation::tests::tiff;

/// A picture of this size, as an encoder makes it.
pub(crate) fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let pixels = vec![90; usize::from(width) * usize::from(height) * 3];
    let mut jpeg = Vec::new();
    JpegEncoder::new(&mut jpeg)
        .encode(&pixels, width.into(), height.into(), ExtendedColorType::Rgb8)
        .unwrap();
    jpeg
}

/// The same with a segment more, behind its start.
pub(crate) fn with_segment(jpeg: &[u8], marker: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    let segment = [&[0xFF, marker], &length[..], body].concat();
    [&jpeg[..2], &segment, &jpeg[2..]].concat()
}

fn refused(bytes: &[u8]) -> String {
    Jpeg::read(bytes).unwrap_err().to_string()
}

/// Where the header of its frame begins.
fn frame(jpeg: &[u8]) -> usize {
    jpeg.windows(2).position(|two| two == [0xFF, 0xC0]).unwrap()
}

#[test]
fn a_picture_goes_on_as_it_came() {
    let bytes = jpeg(48, 32);
    let read = Jpeg::read(&bytes).unwrap();
    assert_eq!(read.bytes(), bytes);
    assert_eq!((read.width(), read.height(), read.orientation()), (48, 32, 1));
    assert!(read.fits(0) && read.fits(48) && !read.fits(47));
}

#[test]
fn what_is_beside_the_picture_does_not_go_on() {
    let plain = jpeg(16, 16);
    let mut told = with_segment(&plain, 0xE1, &[b"Exif\0\0", &tiff(1)[..]].concat());
    told = with_segment(&told, 0xE1, b"http://ns.adobe.com/xap/1.0/\0<gps/>");
    told = with_segment(&told, 0xFE, b"home");
    told =
        with_segment(&told, 0xE0, &[b"JFIF\0\x01\x01\0\0\x01\0\x01\x01\x01", &[9; 3][..]].concat());
    told = with_segment(&told, 0xED, b"Photoshop 3.0");
    told.extend(b"another picture");
    assert_eq!(Jpeg::read(&told).unwrap().bytes(), plain);
}

#[test]
fn how_colours_are_written_goes_on() {
    let told = with_segment(&jpeg(16, 16), 0xEE, b"Adobe\0\x64\0\0\0\0\x01");
    assert_eq!(Jpeg::read(&told).unwrap().bytes(), told);
}

#[test]
fn a_picture_that_lies_on_its_side_has_to_be_turned() {
    let lying = with_segment(&jpeg(16, 16), 0xE1, &[b"Exif\0\0", &tiff(6)[..]].concat());
    let read = Jpeg::read(&lying).unwrap();
    assert_eq!(read.orientation(), 6);
    assert!(!read.fits(0));
}

#[test]
fn what_is_no_picture_is_refused() {
    assert_eq!(refused(b""), "it is no JPEG");
    assert_eq!(refused(b"\x89PNG\r\n"), "it is no JPEG");
    let whole = jpeg(16, 16);
    for length in 2..whole.len() {
        assert_eq!(Jpeg::read(&whole[..length]), Err(NotAPicture::CutOff), "{length}");
    }
    assert!(refused(&[0xFF, 0xD8, 0xFF, 0xD9]).contains("no picture in it"));
    assert!(refused(&[0xFF, 0xD8, 0xFF, 0xDB, 0, 1]).contains("shorter than its own length"));
    assert!(refused(&[0xFF, 0xD8, 7]).contains("between its segments"));
    assert!(refused(&[0xFF, 0xD8, 0xFF, 0xD8]).contains("where none may be"));
    assert!(refused(&[0xFF, 0xD8, 0xFF, 0xDA, 0, 2]).contains("size first"));
    assert!(refused(&[0xFF, 0xD8, 0xFF, 0x5A, 0, 2]).contains("no JPEG has"));
}

#[test]
fn other_kinds_of_jpeg_are_refused_with_what_to_send() {
    let at = frame(&jpeg(16, 16));
    for (marker, said) in [(0xC2, "progressive"), (0xC9, "this kind"), (0xC3, "this kind")] {
        let mut other = jpeg(16, 16);
        other[at + 1] = marker;
        let refusal = refused(&other);
        assert!(refusal.contains(said) && refusal.contains("send a baseline JPEG"), "{refusal}");
    }
    let mut other = jpeg(16, 16);
    other[at + 4] = 12;
    assert!(refused(&other).contains("8 bits"));
    let mut other = jpeg(16, 16);
    other[at + 9] = 4;
    assert!(refused(&other).contains("grey and coloured"));
}

#[test]
fn a_picture_is_as_large_as_video_may_be_and_no_larger() {
    let at = frame(&jpeg(16, 16)) + 5;
    let sized = |width: u16, height: u16| {
        let mut sized = jpeg(16, 16);
        sized[at..at + 2].copy_from_slice(&height.to_be_bytes());
        sized[at + 2..at + 4].copy_from_slice(&width.to_be_bytes());
        Jpeg::read(&sized)
    };
    assert!(sized(4096, 2304).is_ok() && sized(2304, 4096).is_ok() && sized(1, 1).is_ok());
    for (width, height) in [(4097, 1), (1, 4097), (4096, 2305), (65535, 65535)] {
        let (wide, high) = (u32::from(width), u32::from(height));
        assert_eq!(sized(width, height), Err(NotAPicture::TooLarge { width: wide, height: high }));
    }
    assert!(sized(16, 0).unwrap_err().to_string().contains("size first"));
}

#[test]
fn tables_and_scans_that_would_cost_a_decoder_much_are_refused() {
    let mut many = jpeg(16, 16);
    for _ in 0..70 {
        many = with_segment(&many, 0xDD, &[0, 0]);
    }
    assert!(refused(&many).contains("more tables"));
    let once = jpeg(16, 16);
    let scan = once.windows(2).position(|two| two == [0xFF, 0xDA]).unwrap();
    let end = once.len() - 2;
    let twice =
        |times: usize| [&once[..scan], &once[scan..end].repeat(times), &once[end..]].concat();
    assert!(Jpeg::read(&twice(3)).is_ok());
    assert!(refused(&twice(4)).contains("more scans"));
    let two = [&once[..end], &once[frame(&once)..]].concat();
    assert!(refused(&two).contains("two pictures"));
}
