//! A JPEG, read as far as is needed to pass it on.

use crate::{
    NotAPicture, orientation,
    segments::{EOI, SOI, SOS, Segments},
};

/// The longest edge of a picture, in pixels, as for video.
pub const MAX_EDGE: u32 = 4096;
/// The most pixels of a picture: 4096x2304, as for video.
pub const MAX_PIXELS: u32 = 4096 * 2304;
/// Tables and scans of one picture: an encoder writes a dozen. Each costs a decoder some time.
const MOST_SEGMENTS: u32 = 64;

/// A picture that may be passed on: a baseline JPEG, or an extended one with the same decoder.
///
/// What a camera or a program wrote beside the picture is not in it any more: where it was taken
/// and with what, notes, smaller versions, anything behind its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jpeg {
    bytes: Vec<u8>,
    width: u32,
    height: u32,
    orientation: u8,
}

impl Jpeg {
    /// Reads a JPEG. Costs one look at each byte, and a copy.
    ///
    /// # Errors
    /// When it is not to be passed on.
    pub fn read(bytes: &[u8]) -> Result<Self, NotAPicture> {
        let mut segments = Segments::new(bytes)?;
        let mut reading = Reading::new(bytes.len());
        loop {
            match segments.marker()? {
                EOI => return reading.end(),
                SOS => {
                    reading.scan(segments.body()?)?;
                    reading.kept.extend(segments.scan()?);
                }
                // These stand alone, and nowhere but in a scan.
                SOI | 0x00..=0x01 | 0xD0..=0xD7 => {
                    return Err(NotAPicture::Malformed("a marker is where none may be"));
                }
                marker => reading.segment(marker, segments.body()?)?,
            }
        }
    }

    /// The picture.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The picture, without another copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// In pixels, before it is turned. 1 to [`MAX_EDGE`].
    pub fn width(&self) -> u32 {
        self.width
    }

    /// In pixels, before it is turned. 1 to [`MAX_EDGE`].
    pub fn height(&self) -> u32 {
        self.height
    }

    /// How it has to be turned, by the numbers of Exif: 1 = not at all, to 8.
    pub fn orientation(&self) -> u8 {
        self.orientation
    }

    /// Whether it can be passed on as it is: it is upright, and its longest edge has at most so many
    /// pixels (0 = any number).
    pub fn fits(&self, max_size: u32) -> bool {
        self.orientation == 1 && (max_size == 0 || self.width.max(self.height) <= max_size)
    }
}

/// What was read so far.
struct Reading {
    kept: Vec<u8>,
    frame: Option<Frame>,
    orientation: u8,
    scans: u8,
    segments: u32,
}

#[derive(Clone, Copy)]
struct Frame {
    width: u32,
    height: u32,
    /// Of colour: 1 or 3.
    components: u8,
}

impl Reading {
    fn new(length: usize) -> Self {
        let mut kept = Vec::with_capacity(length);
        kept.extend([0xFF, SOI]);
        Self { kept, frame: None, orientation: 1, scans: 0, segments: 0 }
    }

    fn segment(&mut self, marker: u8, body: &[u8]) -> Result<(), NotAPicture> {
        match marker {
            0xC0 | 0xC1 if self.frame.is_some() => {
                return Err(NotAPicture::Malformed("it has two pictures"));
            }
            0xC0 | 0xC1 => self.frame = Some(Frame::read(body)?),
            // Tables, and how often a scan has a mark at which a decoder begins anew.
            0xC4 | 0xDB | 0xDD => {}
            0xC2 | 0xC6 | 0xCA | 0xCE => {
                return Err(NotAPicture::Unsupported("a progressive JPEG is not read here"));
            }
            0xC3 | 0xC5 | 0xC7..=0xC9 | 0xCB..=0xCD | 0xCF | 0xDC | 0xDE | 0xDF => {
                return Err(NotAPicture::Unsupported("this kind of JPEG is not read here"));
            }
            // How colours are written: without a smaller version of the picture.
            0xE0 if body.len() == 14 && body.starts_with(b"JFIF\0") => {}
            0xEE if body.len() == 12 && body.starts_with(b"Adobe") => {}
            0xE1 => {
                let exif = body.strip_prefix(b"Exif\0\0");
                self.orientation = exif.and_then(orientation::read).unwrap_or(self.orientation);
                return Ok(());
            }
            0xE0..=0xEF | 0xFE => return Ok(()),
            _ => return Err(NotAPicture::Malformed("it has a segment that no JPEG has")),
        }
        self.keep(marker, body)
    }

    fn scan(&mut self, body: &[u8]) -> Result<(), NotAPicture> {
        let frame = self.frame.ok_or(NotAPicture::Malformed("it does not say its size first"))?;
        self.scans += 1;
        // Each component is in one of them.
        if self.scans > frame.components {
            return Err(NotAPicture::Malformed("it has more scans than colours"));
        }
        self.keep(SOS, body)
    }

    fn keep(&mut self, marker: u8, body: &[u8]) -> Result<(), NotAPicture> {
        self.segments += 1;
        if self.segments > MOST_SEGMENTS {
            return Err(NotAPicture::Malformed("it has more tables than any JPEG needs"));
        }
        // As long as it was where it was read.
        let length = u16::try_from(body.len() + 2).unwrap_or(u16::MAX);
        self.kept.extend([0xFF, marker]);
        self.kept.extend(length.to_be_bytes());
        self.kept.extend(body);
        Ok(())
    }

    fn end(mut self) -> Result<Jpeg, NotAPicture> {
        let Some(Frame { width, height, .. }) = self.frame.filter(|_| self.scans > 0) else {
            return Err(NotAPicture::Malformed("there is no picture in it"));
        };
        self.kept.extend([0xFF, EOI]);
        Ok(Jpeg { bytes: self.kept, width, height, orientation: self.orientation })
    }
}

impl Frame {
    /// The header of a frame (T.81, B.2.2).
    fn read(body: &[u8]) -> Result<Self, NotAPicture> {
        let [precision, high, low, wide, narrow, components, each @ ..] = body else {
            return Err(NotAPicture::Malformed("its header is too short"));
        };
        let [height, width] = [[*high, *low], [*wide, *narrow]].map(u16::from_be_bytes);
        let [height, width] = [height, width].map(u32::from);
        if *precision != 8 {
            return Err(NotAPicture::Unsupported("only 8 bits a colour are read here"));
        }
        if !matches!(components, 1 | 3) {
            return Err(NotAPicture::Unsupported("only grey and coloured pictures are read here"));
        }
        let sampling = |of: &[u8]| matches!((of[1] >> 4, of[1] & 15, of[2]), (1..=4, 1..=4, 0..=3));
        let (each, rest) = each.as_chunks::<3>();
        let is_whole = rest.is_empty() && each.len() == usize::from(*components);
        if !is_whole || !each.iter().all(|of| sampling(of)) {
            return Err(NotAPicture::Malformed("its header does not fit together"));
        }
        if width == 0 || height == 0 {
            return Err(NotAPicture::Malformed("it does not say its size first"));
        }
        if width > MAX_EDGE || height > MAX_EDGE || width * height > MAX_PIXELS {
            return Err(NotAPicture::TooLarge { width, height });
        }
        Ok(Self { width, height, components: *components })
    }
}

#[cfg(test)]
#[path = "jpeg_tests.rs"]
pub(crate) mod tests;
