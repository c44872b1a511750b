//! Pixel buffers and how they are made smaller.

/// Rows of pixels of `N` bytes each, without padding. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plane<const N: usize> {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) data: Vec<u8>,
}

pub(crate) type Rgb = Plane<3>;
pub(crate) type Luma = Plane<1>;

impl<const N: usize> Plane<N> {
    pub(crate) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.data.chunks_exact(self.width * N)
    }

    pub(crate) fn pixels(&self) -> impl Iterator<Item = [u8; N]> {
        self.data.as_chunks::<N>().0.iter().copied()
    }

    /// The smallest whole factor that brings both edges to `edge` or less.
    pub(crate) fn factor_for(&self, edge: usize) -> usize {
        self.width.max(self.height).div_ceil(edge).max(1)
    }

    /// Averages blocks of `factor` by `factor` pixels; blocks at the far edges may be smaller.
    pub(crate) fn shrink(&self, factor: usize) -> Self {
        let (width, height) = (self.width.div_ceil(factor), self.height.div_ceil(factor));
        let mut data = Vec::with_capacity(width * height * N);
        let mut sums = vec![[0_u32; N]; width];
        for block in self.data.chunks(self.width * N * factor) {
            sums.fill([0; N]);
            for row in block.chunks_exact(self.width * N) {
                for (sum, pixels) in sums.iter_mut().zip(row.chunks(factor * N)) {
                    for pixel in pixels.as_chunks::<N>().0 {
                        for (sum, value) in sum.iter_mut().zip(pixel) {
                            *sum += u32::from(*value);
                        }
                    }
                }
            }
            let tall = block.len() / (self.width * N);
            for (at, sum) in sums.iter().enumerate() {
                let wide = factor.min(self.width - at * factor);
                let count = (wide * tall) as u32;
                data.extend(sum.map(|sum| ((sum + count / 2) / count) as u8));
            }
        }
        Self { width, height, data }
    }
}

impl Rgb {
    /// Brightness as the eye weighs the colours (Rec. 709 on encoded values).
    pub(crate) fn luma(&self) -> Luma {
        let data = self.pixels().map(luma).collect();
        Luma { width: self.width, height: self.height, data }
    }
}

fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 54 + u32::from(g) * 183 + u32::from(b) * 19 + 128) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_averages_blocks_and_keeps_the_edges() {
        let plane = Luma { width: 3, height: 3, data: vec![0, 10, 50, 20, 30, 70, 5, 7, 9] };
        let small = plane.shrink(2);
        assert_eq!((small.width, small.height), (2, 2));
        assert_eq!(small.data, [15, 60, 6, 9]);
    }

    #[test]
    fn a_factor_of_one_changes_nothing() {
        let plane = Rgb { width: 2, height: 1, data: vec![1, 2, 3, 4, 5, 6] };
        assert_eq!(plane.shrink(1), plane);
    }

    #[test]
    fn the_factor_brings_the_longest_edge_within_the_limit() {
        let plane = Luma { width: 641, height: 2, data: vec![0; 1282] };
        assert_eq!(plane.factor_for(640), 2);
        assert_eq!(plane.factor_for(641), 1);
    }

    #[test]
    fn luma_spans_black_to_white() {
        assert_eq!([luma([0; 3]), luma([100; 3]), luma([255; 3])], [0, 100, 255]);
    }
}
