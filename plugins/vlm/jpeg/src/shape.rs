//! The size that a frame is sent in.

/// JPEG itself could have 35 more, but libjpeg takes no larger edge.
const LARGEST_EDGE: u32 = 65_500;

/// The size of a frame, and the shape of its pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    width: i32,
    height: i32,
    par: (i32, i32),
}

impl Shape {
    pub(super) fn of(caps: &gst::Caps) -> Option<Self> {
        let structure = caps.structure(0)?;
        let par = structure.get::<gst::Fraction>("pixel-aspect-ratio").ok();
        let shape = Self {
            width: structure.get("width").ok()?,
            height: structure.get("height").ok()?,
            par: par.map_or((1, 1), |par| (par.numer().max(1), par.denom().max(1))),
        };
        (shape.width > 0 && shape.height > 0).then_some(shape)
    }

    /// Width and height with square pixels, within `max_size` (0 = what JPEG can have), in even
    /// numbers as chroma wants. Pixels become square by being made longer, not shorter.
    pub(super) fn scaled(self, max_size: u32) -> (i32, i32) {
        let par = f64::from(self.par.0) / f64::from(self.par.1);
        let width = f64::from(self.width) * par.max(1.0);
        let height = f64::from(self.height) / par.min(1.0);
        let longest = width.max(height);
        let max_size = match max_size {
            0 => LARGEST_EDGE,
            max_size => max_size.min(LARGEST_EDGE),
        };
        let scale = (f64::from(max_size) / longest).min(1.0);
        let even = |edge: f64| {
            // In range: no edge is larger than max_size.
            #[expect(clippy::cast_possible_truncation, reason = "bounded above and below")]
            let edge = (edge * scale / 2.0).round().clamp(1.0, f64::from(LARGEST_EDGE)) as i32;
            edge * 2
        };
        (even(width), even(height))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(width: i32, height: i32, par: (i32, i32)) -> Shape {
        Shape { width, height, par }
    }

    #[test]
    fn large_frames_shrink_to_the_longest_edge_and_small_ones_stay() {
        assert_eq!(shape(1920, 1080, (1, 1)).scaled(768), (768, 432));
        assert_eq!(shape(1080, 1920, (1, 1)).scaled(768), (432, 768));
        assert_eq!(shape(640, 480, (1, 1)).scaled(768), (640, 480));
        assert_eq!(shape(1920, 1080, (1, 1)).scaled(0), (1920, 1080));
    }

    #[test]
    fn no_frame_is_too_small_or_too_large() {
        assert_eq!(shape(1, 1, (1, 1)).scaled(16), (2, 2));
        assert_eq!(shape(16384, 16384, (1, 1)).scaled(768), (768, 768));
        assert_eq!(shape(16384, 1, (1, 1)).scaled(768), (768, 2));
        assert_eq!(shape(i32::MAX, 1, (1, 1)).scaled(0), (65_500, 2));
        assert_eq!(shape(i32::MAX, i32::MAX, (i32::MAX, 1)).scaled(u32::MAX), (65_500, 2));
    }

    #[test]
    fn pixels_that_are_not_square_become_so() {
        assert_eq!(shape(720, 576, (16, 15)).scaled(0), (768, 576));
        assert_eq!(shape(720, 480, (10, 11)).scaled(0), (720, 528));
        assert_eq!(shape(1920, 540, (1, 2)).scaled(0), (1920, 1080));
        assert_eq!(shape(1920, 540, (1, 2)).scaled(768), (768, 432));
    }
}
