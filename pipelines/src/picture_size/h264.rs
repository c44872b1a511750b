//! H.264 access units in Annex B's byte stream (ITU-T H.264).

use super::{Picture, Refusal, bits::Bits};

/// Baseline, Main, Extended and High: those of [`Codec`](crate::Codec)'s offers that are taken.
const PROFILES: [u32; 4] = [66, 77, 88, 100];
const HIGH: u32 = 100;
/// `nal_unit_type` of a sequence parameter set. Those of the scalable and multiview extensions
/// (15) are for decoders that know these; all others must leave them alone (7.4.1).
const SEQUENCE_PARAMETER_SET: u8 = 7;

/// The pictures of all sequence parameter sets in an access unit: any of them may be the one that
/// a picture in here or later is decoded with.
pub(super) fn pictures(unit: &[u8]) -> Result<Vec<Picture>, Refusal> {
    if !matches!(unit, [0, 0, 1, ..] | [0, 0, 0, 1, ..]) {
        return Err(Refusal::Unreadable);
    }
    nal_units(unit)
        .filter(|nal| nal.first().is_some_and(|head| head & 0x1F == SEQUENCE_PARAMETER_SET))
        .map(|set| picture(&set[1..]))
        .collect()
}

/// What is between start codes (Annex B.1). With the zeros that may stand before the next one.
fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        let unit = rest?;
        rest = after_start_code(unit);
        // Three bytes of start code are between the two.
        Some(&unit[..unit.len() - rest.map_or(0, |rest| rest.len() + 3)])
    })
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    let at = bytes.windows(3).position(|three| three == [0, 0, 1])?;
    Some(&bytes[at + 3..])
}

/// The picture of a sequence parameter set, given without its NAL unit header.
fn picture(set: &[u8]) -> Result<Picture, Refusal> {
    let picture = read(Bits::new(without_prevention(set)))?;
    // libav reads a set that it finds fault with once more, as it stands in the stream. The two are
    // the same unless a byte against emulation comes before the size, which no picture within the
    // limits needs.
    let as_it_stands = read(Bits::new(set.iter().copied()));
    if as_it_stands == Ok(picture) { Ok(picture) } else { Err(Refusal::Unreadable) }
}

/// The bytes without those that prevent the emulation of a start code (7.3.1).
fn without_prevention(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let mut zeros = 0;
    bytes.iter().copied().filter(move |byte| {
        let prevents = zeros >= 2 && *byte == 3;
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        !prevents
    })
}

/// Reads `seq_parameter_set_data` (7.3.2.1.1) as far as the size. Cropping comes after it: it hides
/// a part of the picture, for which there is room all the same.
fn read(mut bits: Bits<impl Iterator<Item = u8>>) -> Result<Picture, Refusal> {
    let profile = bits.number(8)?;
    if !PROFILES.contains(&profile) {
        return Err(other_profile());
    }
    let _constraints_and_level = bits.number(16)?;
    let _id = at_most(31, bits.golomb()?)?;
    if profile == HIGH {
        let chroma_format = bits.golomb()?;
        let (luma_depth, chroma_depth) = (bits.golomb()?, bits.golomb()?);
        // The High profile has these alone (A.2.4), but not every decoder insists.
        if chroma_format > 1 || luma_depth > 0 || chroma_depth > 0 {
            return Err(other_profile());
        }
        let _transform_bypass = bits.flag()?;
        let has_scaling_matrix = bits.flag()?;
        if has_scaling_matrix {
            for list in 0..8 {
                let is_present = bits.flag()?;
                if is_present {
                    skip_scaling_list(&mut bits, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    let _log2_max_frame_num = at_most(12, bits.golomb()?)?;
    match bits.golomb()? {
        0 => drop(at_most(12, bits.golomb()?)?),
        1 => {
            let _always_zero = bits.flag()?;
            let _offsets = (bits.signed_golomb()?, bits.signed_golomb()?);
            for _ in 0..at_most(255, bits.golomb()?)? {
                bits.signed_golomb()?;
            }
        }
        2 => {}
        _ => return Err(Refusal::Unreadable),
    }
    let references = at_most(16, bits.golomb()?)?;
    let _gaps_allowed = bits.flag()?;
    let edge = |code: u32| code.saturating_add(1).saturating_mul(16);
    let (width, height) = (edge(bits.golomb()?), edge(bits.golomb()?));
    let only_frames = bits.flag()?;
    // What is counted is fields where there are such.
    let height = if only_frames { height } else { height.saturating_mul(2) };
    Ok(Picture { width, height, kept: references.max(1) })
}

fn skip_scaling_list(
    bits: &mut Bits<impl Iterator<Item = u8>>,
    length: usize,
) -> Result<(), Refusal> {
    let mut last = 8;
    for _ in 0..length {
        let delta = bits.signed_golomb()?;
        if !(-128..=127).contains(&delta) {
            return Err(Refusal::Unreadable);
        }
        last = (last + delta).rem_euclid(256);
        // The rest is as the last one, or the default (7.3.2.1.1.1).
        if last == 0 {
            break;
        }
    }
    Ok(())
}

fn at_most(limit: u32, number: u32) -> Result<u32, Refusal> {
    if number <= limit { Ok(number) } else { Err(Refusal::Unreadable) }
}

fn other_profile() -> Refusal {
    let words = "its H.264 is not of the Baseline, Main, Extended or High profile with 8 bits and \
                 4:2:0; send one of these";
    Refusal::Unsupported(words.to_owned())
}
