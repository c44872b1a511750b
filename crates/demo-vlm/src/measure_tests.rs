use super::*;
use crate::qr::tests::code;

const WIDTH: usize = 96;
const HEIGHT: usize = 72;

fn paint(pixel: impl Fn(usize, usize) -> [u8; 3]) -> Rgb {
    let data = (0..WIDTH * HEIGHT).flat_map(|at| pixel(at % WIDTH, at / WIDTH)).collect();
    Rgb { width: WIDTH, height: HEIGHT, data }
}

fn measured(picture: &Rgb) -> Measurements {
    measure(picture).0
}

fn names(regions: [Option<Colour>; 9]) -> [String; 9] {
    regions.map(|region| region.map_or_else(|| "varied".to_owned(), |colour| colour.to_string()))
}

#[test]
fn colours_are_shared_out_overall_and_by_region() {
    let picture =
        paint(|x, y| if x < WIDTH / 3 && y < HEIGHT / 3 { [0, 0, 128] } else { [255, 0, 0] });
    let found = measured(&picture);
    let named: Vec<_> = found.colours.iter().map(|(colour, _)| colour.to_string()).collect();
    assert_eq!(named, ["red", "dark blue"]);
    assert!((found.colours[0].1 - 8.0 / 9.0).abs() < 0.001);
    let mut expected = [const { "red" }; 9];
    expected[0] = "dark blue";
    assert_eq!(names(found.regions), expected);
}

#[test]
fn a_region_without_a_prevailing_colour_has_none() {
    let three = [[255, 0, 0], [0, 255, 0], [0, 0, 255]];
    let found = measured(&paint(|x, _| three[x % 3]));
    assert_eq!(names(found.regions), [const { "varied" }; 9]);
}

#[test]
fn brightness_and_contrast_span_their_range() {
    let black = measured(&paint(|_, _| [0; 3]));
    assert_eq!((black.brightness, black.contrast), (0.0, 0.0));
    let white = measured(&paint(|_, _| [255; 3]));
    assert!((white.brightness - 100.0).abs() < 0.001);
    let halves = measured(&paint(|x, _| if x < WIDTH / 2 { [0; 3] } else { [255; 3] }));
    assert!((halves.brightness - 50.0).abs() < 0.001);
    assert!((halves.contrast - 100.0).abs() < 0.001);
}

#[test]
fn sharpness_tells_edges_from_gradients_from_nothing() {
    let grey = |value: usize| [value as u8; 3];
    let stripes = paint(|x, _| grey(if x / 4 % 2 == 0 { 40 } else { 210 }));
    assert_eq!(measured(&stripes).sharpness, Sharpness::Sharp);
    let waves = paint(|x, _| grey(128 + (40.0 * (x as f32 / 2.2).sin()) as usize));
    assert_eq!(measured(&waves).sharpness, Sharpness::Soft);
    let gradient = paint(|x, _| grey(x * 2));
    assert_eq!(measured(&gradient).sharpness, Sharpness::Blurred);
    assert_eq!(measured(&paint(|_, _| grey(90))).sharpness, Sharpness::Plain);
}

#[test]
fn the_laplacian_of_a_checkerboard_is_exact() {
    let board = |x: usize, y: usize| if (x + y).is_multiple_of(2) { 10 } else { 0 };
    let data = (0..36).map(|at| board(at % 6, at / 6)).collect();
    // Every inner pixel is 40 off its neighbours, one way or the other.
    assert_eq!(laplacian_variance(&Luma { width: 6, height: 6, data }), 1600.0);
}

#[test]
fn qr_codes_are_read_from_the_picture() {
    let luma = code("hello", 4);
    let data = luma.data.iter().flat_map(|&value| [value; 3]).collect();
    let picture = Rgb { width: luma.width, height: luma.height, data };
    assert_eq!(measured(&picture).codes, ["hello"]);
}

#[test]
fn a_single_pixel_is_measured() {
    let found = measured(&Rgb { width: 1, height: 1, data: vec![255, 0, 0] });
    assert_eq!(found.colours[0].0.to_string(), "red");
    assert_eq!(found.regions[4], Some(found.colours[0].0));
    assert_eq!(found.sharpness, Sharpness::Plain);
}

#[test]
fn extreme_shapes_are_measured() {
    for (width, height) in [(8192, 1), (1, 8192), (161, 2), (2, 641)] {
        let picture = Rgb { width, height, data: vec![200; width * height * 3] };
        assert_eq!(measured(&picture).colours[0].0.to_string(), "light grey");
    }
}

fn change(before: &Rgb, after: &Rgb) -> Change {
    measure(before).1.change_to(&measure(after).1)
}

#[test]
fn equal_pictures_have_not_changed() {
    let picture = paint(|x, y| [x as u8, y as u8, 0]);
    let change = change(&picture, &picture);
    assert_eq!((change.share, change.regions), (0.0, Cells::default()));
}

#[test]
fn a_change_is_placed_and_sized() {
    let before = paint(|_, _| [0; 3]);
    let after = paint(|x, y| if x >= 64 && y >= 48 { [255; 3] } else { [0; 3] });
    let change = change(&before, &after);
    assert!((change.share - 1.0 / 9.0).abs() < 0.01, "{}", change.share);
    let mut bottom_right = Cells::default();
    bottom_right[8] = true;
    assert_eq!(change.regions, bottom_right);
    assert_eq!(change.brightness.0, 0.0);
    assert!((change.brightness.1 - 100.0 / 9.0).abs() < 0.1);
}

#[test]
fn faint_noise_is_no_change() {
    let before = paint(|_, _| [100; 3]);
    let after = paint(|x, y| [100 + ((x * 7 + y * 13) % 15) as u8; 3]);
    assert_eq!(change(&before, &after).share, 0.0);
}
