//! How much the picture has changed: a cheap measure on a small thumbnail of its brightness.
//!
//! The thumbnail has 64 x 36 cells, whatever the picture's shape. A cell has changed when its
//! brightness differs by more than 1/16 of the range, which a camera's noise does not reach. The
//! measure is the share of cells that have changed: 0.02 means that something as large as 2% of the
//! picture has come, gone or moved.
//!
//! Where pixels come from is not known here: the element takes them from frames, the server from a
//! page's JPEG.
//!
//! ```
//! use live_vlm_change::{HEIGHT, Thumbnail, WIDTH};
//!
//! let dark = Thumbnail::of_points(&[10; WIDTH * HEIGHT]);
//! let light = Thumbnail::of_points(&[200; WIDTH * HEIGHT]);
//! assert_eq!((dark.change(&dark), dark.change(&light)), (0.0, 1.0));
//! ```

const COLUMNS: usize = 64;
const ROWS: usize = 36;
/// Pixels that are looked at along each edge of a cell. Their mean evens noise out; looking at all
/// would cost ten times as much.
const POINTS: usize = 4;
/// Of 255.
const NOTICEABLE: u8 = 16;

/// So many points of a picture are looked at from left to right.
pub const WIDTH: usize = COLUMNS * POINTS;
/// So many points of a picture are looked at from top to bottom.
pub const HEIGHT: usize = ROWS * POINTS;

/// The brightness of a picture's cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail(Vec<u8>);

impl Thumbnail {
    /// Of the brightness of [`WIDTH`] x [`HEIGHT`] points spread evenly over the picture, line by
    /// line. Points that are missing make cells that are missing, which count as unchanged.
    pub fn of_points(points: &[u8]) -> Self {
        let mut cells = Vec::with_capacity(COLUMNS * ROWS);
        for lines in points.chunks_exact(WIDTH * POINTS).take(ROWS) {
            for column in 0..COLUMNS {
                let line = |nth: usize| &lines[nth * WIDTH + column * POINTS..][..POINTS];
                let sum: usize = (0..POINTS).flat_map(line).map(|point| usize::from(*point)).sum();
                cells.push(u8::try_from(sum / (POINTS * POINTS)).unwrap_or(u8::MAX));
            }
        }
        Self(cells)
    }

    /// The share of the picture that has changed, from 0 to 1.
    pub fn change(&self, other: &Self) -> f64 {
        let changed =
            self.0.iter().zip(&other.0).filter(|(a, b)| a.abs_diff(**b) > NOTICEABLE).count();
        #[expect(clippy::cast_precision_loss, reason = "a few thousand cells")]
        let share = changed as f64 / self.0.len().max(1) as f64;
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_picture_is_a_quarter() {
        let mut points = vec![128; WIDTH * HEIGHT];
        let before = Thumbnail::of_points(&points);
        points[..WIDTH * HEIGHT / 4].fill(190);
        let after = Thumbnail::of_points(&points);
        assert!((before.change(&after) - 0.25).abs() < f64::EPSILON);
    }

    #[test]
    fn points_that_are_missing_harm_nobody() {
        let none = Thumbnail::of_points(&[]);
        let few = Thumbnail::of_points(&[7; WIDTH]);
        let all = Thumbnail::of_points(&[7; WIDTH * HEIGHT + 1]);
        assert_eq!((none.change(&all), few.change(&all), all.change(&none)), (0.0, 0.0, 0.0));
    }
}
