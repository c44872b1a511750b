//! Drawing a text for a frame's size.

use gst_video::{
    VideoFormat, VideoFrameFlags, VideoMeta, VideoOverlayComposition, VideoOverlayFormatFlags,
    VideoOverlayRectangle,
};
use pangocairo::{cairo, functions as pc, pango};

use super::{
    frame::Frame,
    lines::{self, Line, Room},
    settings::Look,
    words::Words,
};

/// Below this no letter can be told from another.
const SMALLEST_TEXT: f64 = 8.0;
/// A share of the picture's shorter edge, as the property's most.
const LARGEST_TEXT: f64 = 0.5;
/// The distance to the picture's edges, as a share of its shorter one.
const MARGIN: f64 = 0.03;
// Shares of the font's size.
const PADDING: (f64, f64) = (0.45, 0.25);
const CORNER: f64 = 0.3;
const OUTLINE: f64 = 0.07;
const AROUND: [(f64, f64); 8] = [
    (1.0, 0.0),
    (0.7, 0.7),
    (0.0, 1.0),
    (-0.7, 0.7),
    (-1.0, 0.0),
    (-0.7, -0.7),
    (0.0, -1.0),
    (0.7, -0.7),
];

/// What to draw.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Order {
    pub(super) words: Words,
    pub(super) frame: Frame,
    pub(super) look: Look,
}

/// Why a text was not drawn.
#[derive(Debug, thiserror::Error)]
pub enum PaintError {
    /// There is no font at all.
    #[error("no font is installed; install one, for example the package fonts-dejavu-core")]
    NoFont,
    /// What cairo says.
    #[error("cairo failed: {0}")]
    Cairo(#[from] cairo::Error),
    /// Something else.
    #[error("{0}")]
    Failed(String),
}

/// Where the text is and how large, in pixels that are square.
struct Block {
    width: f64,
    height: f64,
    padding: (f64, f64),
    em: f64,
    lines: Vec<Line>,
    /// The leftmost pixel of the text in its layout.
    left: f64,
}

pub(super) fn paint(order: &Order) -> Result<VideoOverlayComposition, PaintError> {
    let Order { frame, look, .. } = order;
    // Frames whose pixels are not square show everything stretched: draw it squeezed.
    let squeeze = 1.0 / frame.pixel_aspect;
    let (block, _layout) = lay_out(order)?;
    let width = pixels(block.width * squeeze).min(frame.width);
    let height = pixels(block.height).min(frame.height);
    let surface = cairo::ImageSurface::create(cairo::Format::ARgb32, width, height)?;
    draw(&block, look, squeeze, &surface)?;

    let margin = margin(*frame);
    let (left, above) = look.position.shares();
    let x = place(frame.width, width, margin * squeeze, left);
    let y = place(frame.height, height, margin, above);
    let rectangle = rectangle(surface, x, y)?;
    VideoOverlayComposition::new([&rectangle])
        .map_err(|error| PaintError::Failed(error.to_string()))
}

fn margin(frame: Frame) -> f64 {
    MARGIN * shorter_edge(frame)
}

fn shorter_edge(frame: Frame) -> f64 {
    frame.square_width().min(f64::from(frame.height))
}

/// A coordinate of the block's corner. Even, as frames have one chroma for two pixels.
fn place(frame: i32, block: i32, margin: f64, share: f64) -> i32 {
    let beside = f64::from(frame - block);
    let margin = margin.min(beside / 2.0);
    let at = margin + (beside - 2.0 * margin) * share;
    floor(at / 2.0) * 2
}

fn pixels(length: f64) -> i32 {
    floor(length.ceil()).max(1)
}

fn floor(length: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates")]
    let floor = length.floor() as i32;
    floor
}

fn units(pixels: f64) -> i32 {
    floor(pixels * f64::from(pango::SCALE))
}

/// The layout is what the block's lines are of, which are not to outlive it.
fn lay_out(order: &Order) -> Result<(Block, pango::Layout), PaintError> {
    let Order { words, frame, look } = order;
    let (font, em) = font(look, *frame);
    let padding = (PADDING.0 * em, PADDING.1 * em);
    let margin = margin(*frame);

    let widest = (look.width * frame.square_width()).min(frame.square_width() - 2.0 * margin);
    let highest = f64::from(frame.height) - 2.0 * margin;
    let room = Room {
        lines: match look.max_lines {
            0 => usize::MAX,
            lines => usize::try_from(lines).unwrap_or(usize::MAX),
        },
        height: highest - 2.0 * padding.1,
    };

    // For square pixels: pango reckons wrongly with a scale that is not the same both ways.
    let scratch = cairo::ImageSurface::create(cairo::Format::A8, 1, 1)?;
    let cr = cairo::Context::new(&scratch)?;
    set_options(&cr)?;
    let layout = pc::create_layout(&cr);
    if layout.context().load_font(&font).is_none() {
        return Err(PaintError::NoFont);
    }
    layout.set_font_description(Some(&font));
    layout.set_wrap(pango::WrapMode::WordChar);
    layout.set_width(units((widest - 2.0 * padding.0).max(1.0)));
    layout.set_text(&words.text);
    let wrapped = layout.is_wrapped();
    let lines = match words.complete {
        true => lines::first(&layout, room),
        false => lines::last(&layout, room),
    };

    let edge = |of: fn(&Line) -> f64, choose: fn(f64, f64) -> f64| {
        lines.iter().map(of).reduce(choose).unwrap_or_default()
    };
    let (left, right) = (edge(|line| line.left, f64::min), edge(|line| line.right, f64::max));
    let (top, bottom) = (edge(|line| line.top, f64::min), edge(|line| line.bottom, f64::max));
    // A block that is as wide as its text would grow and shrink with every word while the text
    // is written.
    let fits_text = words.complete && !wrapped;
    let (left, width) =
        if fits_text { (left, right - left + 2.0 * padding.0) } else { (0.0, widest) };
    let height = bottom - top + 2.0 * padding.1;
    Ok((Block { width, height, padding, em, lines, left }, layout))
}

/// The font, and its size in pixels.
fn font(look: &Look, frame: Frame) -> (pango::FontDescription, f64) {
    const POINT: f64 = 96.0 / 72.0;
    let mut font = pango::FontDescription::from_string(&look.font);
    let edge = shorter_edge(frame);
    let em = if font.set_fields().contains(pango::FontMask::SIZE) && font.size() > 0 {
        let size = f64::from(font.size()) / f64::from(pango::SCALE);
        (if font.is_size_absolute() { size } else { size * POINT }).min(edge * LARGEST_TEXT)
    } else {
        look.text_size * edge
    };
    let em = em.max(SMALLEST_TEXT);
    font.set_absolute_size(em * f64::from(pango::SCALE));
    (font, em)
}

fn set_options(cr: &cairo::Context) -> Result<(), PaintError> {
    let mut options = cairo::FontOptions::new()?;
    // Neither the display's pixels nor its hints are known here.
    options.set_antialias(cairo::Antialias::Gray);
    options.set_hint_style(cairo::HintStyle::None);
    options.set_hint_metrics(cairo::HintMetrics::Off);
    cr.set_font_options(&options);
    Ok(())
}

fn draw(
    block: &Block,
    look: &Look,
    squeeze: f64,
    surface: &cairo::ImageSurface,
) -> Result<(), PaintError> {
    let cr = cairo::Context::new(surface)?;
    set_options(&cr)?;
    cr.scale(squeeze, 1.0);
    let (width, height) = (f64::from(surface.width()) / squeeze, f64::from(surface.height()));
    rounded(&cr, width, height, CORNER * block.em);
    set_color(&cr, argb(look.background));
    cr.fill_preserve()?;
    cr.clip();

    let top = block.lines.first().map_or(0.0, |line| line.top);
    let write = |(right, down): (f64, f64)| {
        for line in &block.lines {
            let x = block.padding.0 + line.left - block.left + right;
            cr.move_to(x, block.padding.1 + line.baseline - top + down);
            pc::show_layout_line(&cr, &line.line);
        }
    };
    let color = argb(look.color);
    set_color(&cr, opposite(color));
    // The same letters a little aside on all sides: a tenth of what it costs to stroke them.
    let aside = (OUTLINE * block.em).max(1.0);
    for (right, down) in AROUND {
        write((right * aside, down * aside));
    }
    set_color(&cr, color);
    write((0.0, 0.0));
    Ok(())
}

fn rounded(cr: &cairo::Context, width: f64, height: f64, radius: f64) {
    use std::f64::consts::FRAC_PI_2;
    let radius = radius.min(width / 2.0).min(height / 2.0);
    let corners = [
        (width - radius, radius, -1.0),
        (width - radius, height - radius, 0.0),
        (radius, height - radius, 1.0),
        (radius, radius, 2.0),
    ];
    cr.new_path();
    for (x, y, quarter) in corners {
        cr.arc(x, y, radius, quarter * FRAC_PI_2, (quarter + 1.0) * FRAC_PI_2);
    }
    cr.close_path();
}

/// Alpha, red, green, blue.
type Argb = [f64; 4];

fn argb(color: u32) -> Argb {
    color.to_be_bytes().map(|part| f64::from(part) / 255.0)
}

/// Black around light text and white around dark text.
fn opposite([alpha, red, green, blue]: Argb) -> Argb {
    let light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5;
    let grey = if light { 0.0 } else { 1.0 };
    [alpha * 0.8, grey, grey, grey]
}

fn set_color(cr: &cairo::Context, [alpha, red, green, blue]: Argb) {
    cr.set_source_rgba(red, green, blue, alpha);
}

fn rectangle(
    surface: cairo::ImageSurface,
    x: i32,
    y: i32,
) -> Result<VideoOverlayRectangle, PaintError> {
    let failed = |error: &dyn std::error::Error| PaintError::Failed(error.to_string());
    let size = |edge: i32| u32::try_from(edge).map_err(|error| failed(&error));
    let (width, height) = (size(surface.width())?, size(surface.height())?);
    let stride = surface.stride();
    let data = surface.take_data().map_err(|error| failed(&error))?;
    let mut buffer = gst::Buffer::from_slice(data);
    // What cairo calls ARGB32 has the bytes in the machine's order.
    let format = if cfg!(target_endian = "little") { VideoFormat::Bgra } else { VideoFormat::Argb };
    let meta = buffer.make_mut();
    VideoMeta::add_full(meta, VideoFrameFlags::empty(), format, width, height, &[0], &[stride])
        .map_err(|error| failed(&error))?;
    let flags = VideoOverlayFormatFlags::PREMULTIPLIED_ALPHA;
    Ok(VideoOverlayRectangle::new_raw(&buffer, x, y, width, height, flags))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OverlayPosition, OverlaySettings};

    const LONG: &str = "A person in a blue jacket stands in front of a whiteboard and points at a \
                        drawing. On the desk to the left there is a laptop, a cup and a plant. The \
                        room is lit by a window on the right, through which trees can be seen.";

    fn order(text: &str, complete: bool, change: impl Fn(&mut Look)) -> Order {
        gst::init().unwrap();
        let mut look = OverlaySettings::default().look;
        change(&mut look);
        let frame = Frame { width: 640, height: 480, pixel_aspect: 1.0 };
        Order { words: Words::new(text, complete), frame, look }
    }

    /// x, y, width, height.
    fn painted(order: &Order) -> (i32, i32, u32, u32) {
        let composition = paint(order).unwrap();
        assert_eq!(composition.n_rectangles(), 1);
        composition.rectangle(0).unwrap().render_rectangle()
    }

    fn lines(order: &Order) -> Vec<String> {
        let (block, layout) = lay_out(order).unwrap();
        let text = |line: &Line| {
            let (from, length) = (line.line.start_index(), line.line.length());
            layout.text()[from as usize..(from + length) as usize].trim().to_owned()
        };
        block.lines.iter().map(text).collect()
    }

    #[test]
    fn every_position_is_where_its_name_says() {
        let at = |position| painted(&order("A ball.", true, |look| look.position = position));
        let (x, y, width, height) = at(OverlayPosition::TopLeft);
        assert!((10..20).contains(&x) && (10..20).contains(&y), "{x} {y}");
        let right = 640 - 14 - i32::try_from(width).unwrap();
        let bottom = 480 - 14 - i32::try_from(height).unwrap();
        let near = |(x, y, w, h): (i32, i32, u32, u32), wanted: (i32, i32)| {
            assert_eq!((w, h), (width, height));
            let (right, down) = (x - wanted.0, y - wanted.1);
            assert!(right.abs() <= 2 && down.abs() <= 2, "{x} {y}, not {wanted:?}");
            assert!(x % 2 == 0 && y % 2 == 0, "{x} {y} is not even");
        };
        near(at(OverlayPosition::Top), (right.midpoint(14), 14));
        near(at(OverlayPosition::TopRight), (right, 14));
        near(at(OverlayPosition::Left), (14, bottom.midpoint(14)));
        near(at(OverlayPosition::Center), (right.midpoint(14), bottom.midpoint(14)));
        near(at(OverlayPosition::Right), (right, bottom.midpoint(14)));
        near(at(OverlayPosition::BottomLeft), (14, bottom));
        near(at(OverlayPosition::Bottom), (right.midpoint(14), bottom));
        near(at(OverlayPosition::BottomRight), (right, bottom));
    }

    #[test]
    fn a_complete_text_is_cut_at_its_end_and_one_that_is_written_at_its_start() {
        let lines = |complete, most| lines(&order(LONG, complete, |look| look.max_lines = most));
        let all = lines(true, 0);
        assert!(all.len() > 4, "{all:?}");
        assert_eq!(all.join(" "), LONG);
        let first = lines(true, 3);
        assert_eq!(first.len(), 3);
        assert_eq!(first[..2], all[..2]);
        assert!(first[2].ends_with('…'), "{first:?}");
        assert_eq!(lines(false, 3), all[all.len() - 3..]);
        assert_eq!(lines(true, 100), all);
    }

    #[test]
    fn no_more_lines_are_shown_than_the_picture_has_room_for() {
        let text = LONG.repeat(20);
        for complete in [true, false] {
            let order = order(&text, complete, |look| look.max_lines = 0);
            let (x, y, width, height) = painted(&order);
            assert!(x >= 0 && y >= 0 && width <= 640 && height <= 480 - 28, "{height}");
            assert!(height > 400, "{height}");
        }
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(lines(&order("<b>a</b> & &amp;", true, |_| ())), ["<b>a</b> & &amp;"]);
    }

    #[test]
    fn pixels_that_are_not_square_are_reckoned_with() {
        let square = order("A red ball.", true, |_| ());
        let wide =
            Order { frame: Frame { width: 320, height: 480, pixel_aspect: 2.0 }, ..square.clone() };
        let (square, wide) = (painted(&square), painted(&wide));
        assert!(square.2.abs_diff(wide.2 * 2) <= 2, "{square:?} {wide:?}");
        assert_eq!((square.1, square.3), (wide.1, wide.3));
    }

    #[test]
    fn a_size_in_the_font_goes_before_the_frames() {
        let height = |font: &str, size| {
            let order = order("A", true, |look| {
                font.clone_into(&mut look.font);
                look.text_size = size;
            });
            painted(&order).3
        };
        assert!(height("Sans", 0.1) > height("Sans", 0.05));
        assert_eq!(height("Sans 20px", 0.1), height("Sans 20px", 0.05));
    }

    /// Whatever comes, there is a picture that fits into the frame.
    #[test]
    fn nothing_is_too_odd_to_draw() {
        let texts = [
            "x".repeat(500),
            "語".repeat(500),
            "a\u{301}".repeat(300),
            "كرة حمراء \u{202e}abc\u{2066}".repeat(50),
            "😀👨\u{200d}👩\u{200d}👧🇩🇪".repeat(20),
            "\u{fffd}\u{feff}\u{ad}\u{10ffff}".into(),
        ];
        let fonts = ["Sans", "", "Sans 500", "no such font, really Bold 0", "Sans 1px"];
        for (width, height) in [(1, 1), (2, 1), (16, 16), (320, 240), (7, 3000)] {
            for (text, font) in texts.iter().flat_map(|text| fonts.map(|font| (text, font))) {
                for complete in [true, false] {
                    let order = order(text, complete, |look| font.clone_into(&mut look.font));
                    let frame = Frame { width, height, pixel_aspect: 1.0 };
                    let (x, y, w, h) = painted(&Order { frame, ..order });
                    let (right, bottom) =
                        (x + i32::try_from(w).unwrap(), y + i32::try_from(h).unwrap());
                    assert!(x >= 0 && y >= 0 && right <= width && bottom <= height);
                }
            }
        }
    }
}
