//! From pixels to what can truthfully be said of them.

use crate::colour::{self, Colour, Hue, Shade};
use crate::plane::{Luma, Rgb};
use crate::qr;
use crate::regions::{Cells, cell};

/// Longest edges of the copies that are worked on: the finer the question, the larger.
const COLOUR_EDGE: usize = 160;
const SHARPNESS_EDGE: usize = 640;
const CODE_EDGE: usize = 1280;

/// A colour is named for a region if it covers at least this share of it.
const REGION_SHARE: f32 = 0.4;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measurements {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Colours by their share of the picture (0 to 1), largest first.
    pub(crate) colours: Vec<(Colour, f32)>,
    /// The colour of each region, where one prevails.
    pub(crate) regions: [Option<Colour>; 9],
    /// Mean brightness, 0 to 100.
    pub(crate) brightness: f32,
    /// Brightness between the darkest and the brightest twentieth, 0 to 100.
    pub(crate) contrast: f32,
    pub(crate) sharpness: Sharpness,
    pub(crate) codes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharpness {
    Sharp,
    Soft,
    Blurred,
    /// There is nothing in the picture that could be sharp.
    Plain,
}

pub(crate) fn measure(picture: &Rgb) -> (Measurements, Thumbnail) {
    let small = picture.shrink(picture.factor_for(COLOUR_EDGE));
    let luma = picture.luma();
    let (brightness, contrast) = light(&small.luma());
    let (colours, regions) = colours(&small);
    let measurements = Measurements {
        width: picture.width,
        height: picture.height,
        colours,
        regions,
        brightness,
        contrast,
        sharpness: sharpness(&fitted(&luma, SHARPNESS_EDGE), contrast),
        codes: qr::read(&fitted(&luma, CODE_EDGE)),
    };
    let thumbnail = Thumbnail::new(&small, brightness);
    (measurements, thumbnail)
}

fn fitted(luma: &Luma, edge: usize) -> std::borrow::Cow<'_, Luma> {
    match luma.factor_for(edge) {
        1 => std::borrow::Cow::Borrowed(luma),
        factor => std::borrow::Cow::Owned(luma.shrink(factor)),
    }
}

/// How many pixels have each colour.
#[derive(Clone, Default)]
struct Histogram {
    counts: [[u32; Shade::ALL.len()]; Hue::ALL.len()],
}

impl Histogram {
    fn add(&mut self, Colour { hue, shade }: Colour) {
        self.counts[hue as usize][shade as usize] += 1;
    }

    /// Hues by share, largest first, each with its most frequent shade.
    fn ranked(&self) -> Vec<(Colour, f32)> {
        let total: u32 = self.counts.iter().flatten().sum();
        let mut ranked: Vec<_> = Hue::ALL
            .into_iter()
            .map(|hue| {
                let shades = self.counts[hue as usize];
                let shade = Shade::ALL.into_iter().max_by_key(|&shade| shades[shade as usize]);
                let colour = Colour { hue, shade: shade.unwrap_or(Shade::Plain) };
                (colour, shades.iter().sum::<u32>() as f32 / total.max(1) as f32)
            })
            .filter(|(_, share)| *share > 0.0)
            .collect();
        ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        ranked
    }
}

fn colours(small: &Rgb) -> (Vec<(Colour, f32)>, [Option<Colour>; 9]) {
    let mut overall = Histogram::default();
    let mut regions: [Histogram; 9] = Default::default();
    for (at, pixel) in small.pixels().enumerate() {
        let colour = colour::name(pixel);
        overall.add(colour);
        regions[cell(at % small.width, at / small.width, small.width, small.height)].add(colour);
    }
    let prevailing = regions.map(|region| {
        let (colour, share) = region.ranked().into_iter().next()?;
        (share >= REGION_SHARE).then_some(colour)
    });
    (overall.ranked(), prevailing)
}

fn light(luma: &Luma) -> (f32, f32) {
    let mut counts = [0_usize; 256];
    luma.data.iter().for_each(|&value| counts[usize::from(value)] += 1);
    let total = luma.data.len();
    let sum: usize = counts.iter().enumerate().map(|(value, count)| value * count).sum();
    let quantile = |rank: usize| {
        let mut seen = 0;
        counts
            .iter()
            .position(|count| {
                seen += count;
                seen > rank
            })
            .unwrap_or(255)
    };
    let spread = quantile(total - 1 - total / 20).saturating_sub(quantile(total / 20));
    (sum as f32 / total as f32 / 2.55, spread as f32 / 2.55)
}

fn sharpness(luma: &Luma, contrast: f32) -> Sharpness {
    match laplacian_variance(luma) {
        variance if variance >= 150.0 => Sharpness::Sharp,
        _ if contrast < 6.0 => Sharpness::Plain,
        variance if variance >= 40.0 => Sharpness::Soft,
        _ => Sharpness::Blurred,
    }
}

fn laplacian_variance(luma: &Luma) -> f64 {
    let rows: Vec<_> = luma.rows().collect();
    let (mut sum, mut squares, mut count) = (0_i64, 0_i64, 0_i64);
    for window in rows.windows(3) {
        let [above, row, below] = window else { continue };
        let inner = luma.width.saturating_sub(2);
        // Whole rows in i32 are what the compiler turns into vector code.
        let (mut row_sum, mut row_squares) = (0_i32, 0_i64);
        for at in 0..inner {
            let around = i32::from(above[at + 1])
                + i32::from(below[at + 1])
                + i32::from(row[at])
                + i32::from(row[at + 2]);
            let laplacian = around - 4 * i32::from(row[at + 1]);
            row_sum += laplacian;
            row_squares += i64::from(laplacian * laplacian);
        }
        sum += i64::from(row_sum);
        squares += row_squares;
        count += inner as i64;
    }
    if count == 0 {
        return 0.0;
    }
    let mean = sum as f64 / count as f64;
    squares as f64 / count as f64 - mean * mean
}

/// Cells along each edge of a thumbnail; a multiple of three, so that cells fall into regions.
const GRID: usize = 30;
/// A cell has changed if one of its colour values moved this far: more than a camera's noise.
const NOTICEABLE: u8 = 20;

/// As much of a picture as is kept to tell what changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Thumbnail {
    cells: Vec<[u8; 3]>,
    brightness: f32,
}

/// What differs between two pictures.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// Changed share of the picture, 0 to 1.
    pub(crate) share: f32,
    /// Where most of it changed.
    pub(crate) regions: Cells,
    /// Brightness before and after, 0 to 100.
    pub(crate) brightness: (f32, f32),
}

impl Thumbnail {
    fn new(small: &Rgb, brightness: f32) -> Self {
        let span = |at: usize, of: usize| {
            let start = (at * of / GRID).min(of - 1);
            start..((at + 1) * of / GRID).max(start + 1)
        };
        let mut cells = Vec::with_capacity(GRID * GRID);
        for row in 0..GRID {
            for column in 0..GRID {
                let (rows, columns) = (span(row, small.height), span(column, small.width));
                let count = (rows.len() * columns.len()) as u32;
                let mut sums = [0_u32; 3];
                for y in rows {
                    let start = y * small.width;
                    let line = &small.data[(start + columns.start) * 3..(start + columns.end) * 3];
                    for pixel in line.as_chunks::<3>().0 {
                        for (sum, value) in sums.iter_mut().zip(pixel) {
                            *sum += u32::from(*value);
                        }
                    }
                }
                cells.push(sums.map(|sum| (sum / count) as u8));
            }
        }
        Self { cells, brightness }
    }

    /// What changed from `self` to `later`.
    pub(crate) fn change_to(&self, later: &Self) -> Change {
        let mut by_region = [0_usize; 9];
        for (at, (before, after)) in self.cells.iter().zip(&later.cells).enumerate() {
            let moved = before.iter().zip(after).any(|(a, b)| a.abs_diff(*b) >= NOTICEABLE);
            if moved {
                by_region[cell(at % GRID, at / GRID, GRID, GRID)] += 1;
            }
        }
        let most = by_region.into_iter().max().unwrap_or_default();
        Change {
            share: by_region.iter().sum::<usize>() as f32 / (GRID * GRID) as f32,
            regions: by_region.map(|count| count > 0 && count * 2 >= most),
            brightness: (self.brightness, later.brightness),
        }
    }
}

#[cfg(test)]
#[path = "measure_tests.rs"]
mod tests;
