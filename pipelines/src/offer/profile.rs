//! The names of what an offer has of a codec, for whoever is told that none of it can be taken.

use crate::{Codec, sdp::parameter};

/// What of a codec a format's parameters ask for, where that is why it is not taken.
pub(super) fn name(codec: Codec, format: &str) -> String {
    let what = match codec {
        Codec::Vp8 => None,
        Codec::Vp9 => parameter(format, "profile-id").map(vp9),
        Codec::H264 => h264(format),
    };
    match what {
        Some(what) => format!("{codec} {what}"),
        None => codec.to_string(),
    }
}

/// RFC 9628, section 6.
fn vp9(profile: &str) -> String {
    match profile {
        "1" => "profile 1 (not 4:2:0)".to_owned(),
        "2" => "profile 2 (10 or 12 bit)".to_owned(),
        "3" => "profile 3 (10 or 12 bit, not 4:2:0)".to_owned(),
        _ => "of an unknown profile".to_owned(),
    }
}

/// RFC 6184, section 8.1.
fn h264(format: &str) -> Option<String> {
    let profile = parameter(format, "profile-level-id").map(|id| {
        let bytes = is_hex(id).then(|| u32::from_str_radix(id, 16).ok()).flatten();
        match bytes.map(u32::to_be_bytes) {
            Some([_, profile, constraints, _]) => h264_profile(profile, constraints),
            None => "of an unknown profile".to_owned(),
        }
    });
    let mode = parameter(format, "packetization-mode").filter(|mode| !matches!(*mode, "0" | "1"));
    let mode = mode.map(|mode| match mode {
        "2" => "packetization-mode 2".to_owned(),
        _ => "of an unknown packetization-mode".to_owned(),
    });
    match (profile, mode) {
        (Some(profile), Some(mode)) => Some(format!("{profile}, {mode}")),
        (profile, mode) => profile.or(mode),
    }
}

/// As `profile-level-id` is written.
fn is_hex(id: &str) -> bool {
    id.len() == 6 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The profile of `profile_idc` and the constraint flags (ITU-T H.264, annexes A, F and G).
fn h264_profile(profile: u8, constraints: u8) -> String {
    let has = |flag: u8| constraints & (0x80 >> flag) != 0;
    let name = match profile {
        66 if has(1) => "Constrained Baseline",
        66 => "Baseline",
        77 => "Main",
        88 => "Extended",
        100 => "High",
        110 if has(3) => "High 10 Intra",
        110 => "High 10",
        122 if has(3) => "High 4:2:2 Intra",
        122 => "High 4:2:2",
        244 if has(3) => "High 4:4:4 Intra",
        244 => "High 4:4:4 Predictive",
        44 => "CAVLC 4:4:4 Intra",
        83 => "Scalable Baseline",
        86 => "Scalable High",
        118 => "Multiview High",
        128 => "Stereo High",
        profile => return format!("profile {profile}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_of_a_codec_has_the_standards_name() {
        for (codec, format, expected) in [
            (Codec::Vp8, "x=y", "VP8"),
            (Codec::Vp9, "", "VP9"),
            (Codec::Vp9, "profile-id=1", "VP9 profile 1 (not 4:2:0)"),
            (Codec::Vp9, "profile-id=2", "VP9 profile 2 (10 or 12 bit)"),
            (Codec::Vp9, "profile-id=3", "VP9 profile 3 (10 or 12 bit, not 4:2:0)"),
            (Codec::Vp9, "profile-id=<b>", "VP9 of an unknown profile"),
            (Codec::H264, "", "H264"),
            (Codec::H264, "profile-level-id=f4001f", "H264 High 4:4:4 Predictive"),
            (Codec::H264, "profile-level-id=F4101F", "H264 High 4:4:4 Intra"),
            (Codec::H264, "profile-level-id=7a001f", "H264 High 4:2:2"),
            (Codec::H264, "profile-level-id=6e0028", "H264 High 10"),
            (Codec::H264, "profile-level-id=6e1028", "H264 High 10 Intra"),
            (Codec::H264, "profile-level-id=2c001f", "H264 CAVLC 4:4:4 Intra"),
            (Codec::H264, "profile-level-id=ff001f", "H264 profile 255"),
            (Codec::H264, "profile-level-id=<b>", "H264 of an unknown profile"),
            (Codec::H264, "profile-level-id=+f4001", "H264 of an unknown profile"),
            (Codec::H264, "packetization-mode=2", "H264 packetization-mode 2"),
            (
                Codec::H264,
                "packetization-mode=2;profile-level-id=42e01f",
                "H264 Constrained Baseline, packetization-mode 2",
            ),
            (Codec::H264, "packetization-mode=<b>", "H264 of an unknown packetization-mode"),
        ] {
            assert_eq!(name(codec, format), expected);
        }
    }
}
