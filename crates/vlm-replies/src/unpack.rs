//! Unpacks a body that a server or a proxy has compressed, though nobody asked for it. Its first
//! bytes tell; what its head says counts where they do not. Nothing in here does I/O, apart from
//! writing into memory.

use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// A body is unpacked in pieces of so many bytes, which become a thousand times as many at most.
const PIECE: usize = 512;
/// So many bytes tell how a body is packed.
const TELLING: usize = 4;

/// The state between two pieces of a body.
pub struct Unpacker {
    /// What the head says: `content-encoding`.
    said: String,
    form: Form,
}

enum Form {
    /// What has come does not tell yet.
    Unknown(Vec<u8>),
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zlib(Box<ZlibDecoder<Vec<u8>>>),
    Deflate(Box<DeflateDecoder<Vec<u8>>>),
    /// Unpacked to its end, or to where it makes no sense any more.
    Over,
}

/// What cannot be unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Packed {
    /// By its name, in a way that was not asked for.
    #[error("it is compressed with {0}, which nobody asked for")]
    Unknown(String),
    /// In a way that was asked for, and it is not what that makes.
    #[error("it is compressed, and cannot be unpacked ({0})")]
    Broken(String),
}

impl Unpacker {
    /// For a body with this `Content-Encoding`, which need not be true.
    pub fn new(content_encoding: Option<&str>) -> Self {
        let said = content_encoding.unwrap_or_default().trim().to_ascii_lowercase();
        Self { said, form: Form::Unknown(Vec::new()) }
    }

    /// Takes a piece of the body, and gives what is in it to `take` in pieces that are not large.
    pub fn feed<E: From<Packed>>(
        &mut self,
        bytes: &[u8],
        take: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Form::Unknown(begun) = &mut self.form else { return self.unpack(bytes, take) };
        if begun.is_empty() && bytes.len() >= TELLING {
            self.form = Form::told(bytes, &self.said)?;
            return self.unpack(bytes, take);
        }
        begun.extend_from_slice(bytes);
        if begun.len() < TELLING {
            return Ok(());
        }
        let begun = std::mem::take(begun);
        self.form = Form::told(&begun, &self.said)?;
        self.unpack(&begun, take)
    }

    /// The body has ended.
    pub fn end<E: From<Packed>>(
        &mut self,
        take: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        match &mut self.form {
            Form::Unknown(begun) if !begun.is_empty() => take(&std::mem::take(begun)),
            _ => Ok(()),
        }
    }

    fn unpack<E: From<Packed>>(
        &mut self,
        bytes: &[u8],
        take: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if matches!(self.form, Form::Plain) {
            return take(bytes);
        }
        for piece in bytes.chunks(PIECE) {
            let unpacked = match &mut self.form {
                Form::Gzip(decoder) => write(&mut **decoder, piece, MultiGzDecoder::get_mut),
                Form::Zlib(decoder) => write(&mut **decoder, piece, ZlibDecoder::get_mut),
                Form::Deflate(decoder) => write(&mut **decoder, piece, DeflateDecoder::get_mut),
                Form::Unknown(_) | Form::Plain | Form::Over => return Ok(()),
            };
            let (unpacked, error) = unpacked;
            if !unpacked.is_empty() {
                take(&unpacked)?;
            }
            if let Some(error) = error {
                self.form = Form::Over;
                return Err(Packed::Broken(error.to_string()).into());
            }
        }
        Ok(())
    }
}

impl Form {
    /// How a body is packed that begins so.
    fn told(begun: &[u8], said: &str) -> Result<Self, Packed> {
        let is_text = begun[..TELLING]
            .iter()
            .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
            || begun.starts_with(b"\xEF\xBB\xBF");
        // RFC 1950, section 2.2: the first two bytes are a multiple of 31.
        let is_zlib =
            begun[0] == 0x78 && u16::from_be_bytes([begun[0], begun[1]]).is_multiple_of(31);
        Ok(match begun {
            [0x1F, 0x8B, ..] => Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => return Err(Packed::Unknown("zstd".into())),
            _ if is_text => Self::Plain,
            _ if is_zlib => Self::Zlib(Box::new(ZlibDecoder::new(Vec::new()))),
            _ if said == "deflate" => Self::Deflate(Box::new(DeflateDecoder::new(Vec::new()))),
            _ if !matches!(said, "" | "identity" | "gzip" | "x-gzip") => {
                return Err(Packed::Unknown(said.chars().take(20).collect()));
            }
            _ => Self::Plain,
        })
    }
}

/// What a piece becomes, and what is wrong with it.
fn write<W: Write>(
    decoder: &mut W,
    piece: &[u8],
    unpacked: impl Fn(&mut W) -> &mut Vec<u8>,
) -> (Vec<u8>, Option<io::Error>) {
    let written = decoder.write_all(piece).and_then(|()| decoder.flush());
    (std::mem::take(unpacked(decoder)), written.err())
}

#[cfg(test)]
mod tests {
    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    const TEXT: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"A red ball.\"}}]}\n\n";

    fn packed(text: &str) -> [(&'static str, Vec<u8>); 3] {
        let level = Compression::default();
        let mut gzip = GzEncoder::new(Vec::new(), level);
        let mut zlib = ZlibEncoder::new(Vec::new(), level);
        let mut deflate = DeflateEncoder::new(Vec::new(), level);
        for writer in [&mut gzip as &mut dyn Write, &mut zlib, &mut deflate] {
            writer.write_all(text.as_bytes()).unwrap();
        }
        [
            ("gzip", gzip.finish().unwrap()),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", deflate.finish().unwrap()),
        ]
    }

    /// What comes of a body in pieces of so many bytes, and the largest of them.
    fn unpacked(said: Option<&str>, body: &[u8], size: usize) -> Result<(String, usize), Packed> {
        let (mut whole, mut largest) = (Vec::new(), 0);
        let mut unpacker = Unpacker::new(said);
        let mut take = |bytes: &[u8]| {
            whole.extend_from_slice(bytes);
            largest = largest.max(bytes.len());
            Ok(())
        };
        for piece in body.chunks(size) {
            unpacker.feed(piece, &mut take)?;
        }
        unpacker.end(&mut take)?;
        Ok((String::from_utf8_lossy(&whole).into_owned(), largest))
    }

    #[test]
    fn what_is_packed_is_unpacked_however_it_arrives() {
        for (said, body) in packed(TEXT) {
            for size in [1, 3, 100, 10_000] {
                let (text, _) = unpacked(Some(said), &body, size).unwrap();
                assert_eq!(text, TEXT, "{said} {size}");
            }
        }
        let [(_, gzip), (_, zlib), _] = packed(TEXT);
        for body in [gzip, zlib] {
            assert_eq!(unpacked(None, &body, 9).unwrap().0, TEXT, "the bytes tell");
        }
    }

    #[test]
    fn what_is_not_packed_stays_whatever_its_head_says() {
        for said in [None, Some("gzip"), Some("deflate"), Some("br"), Some("identity")] {
            for text in [TEXT, "{}", "", "x^2 is not packed", "\u{FEFF}{}"] {
                assert_eq!(unpacked(said, text.as_bytes(), 3).unwrap().0, text, "{said:?}");
            }
        }
    }

    #[test]
    fn what_cannot_be_unpacked_says_so() {
        let why = |said, body: &[u8]| unpacked(said, body, 100).unwrap_err().to_string();
        assert!(why(Some("br"), b"\x0b\x02\x80\x03").contains("br"));
        assert!(why(None, b"\x28\xb5\x2f\xfd\x00").contains("zstd"));
        assert!(
            why(None, b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff\xff").contains("unpacked")
        );
    }

    #[test]
    fn a_little_that_becomes_much_comes_in_pieces() {
        let [(_, gzip), ..] = packed(&"a".repeat(32 << 20));
        assert!(gzip.len() < 64 << 10);
        let (text, largest) = unpacked(None, &gzip, gzip.len()).unwrap();
        assert_eq!(text.len(), 32 << 20);
        assert!(largest <= 1 << 20, "{largest}");
    }
}
