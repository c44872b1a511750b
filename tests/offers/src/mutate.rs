//! One change to an offer, of those that parsers stumble over.

use fastrand::Rng;

use crate::{
    candidates,
    sdp::{Sdp, is_attribute},
    shapes,
};

type Change = fn(&mut Rng, &mut Sdp);

const CHANGES: [Change; 28] = [
    double_line,
    drop_line,
    swap_lines,
    move_line_elsewhere,
    exchange_lines,
    double_section,
    drop_section,
    swap_sections,
    lift_to_session,
    lower_to_media,
    lower_to_media,
    deal_mids,
    deal_mids,
    deal_bundle,
    deal_bundle,
    change_number,
    change_number,
    change_number,
    blank,
    blank,
    add_candidates,
    add_candidates,
    change_direction,
    change_setup,
    change_fingerprint,
    change_credentials,
    change_media_line,
    add_line,
];

/// Changes an offer once.
pub(crate) fn once(random: &mut Rng, offer: &mut Sdp) {
    CHANGES[random.usize(..CHANGES.len())](random, offer);
}

fn one<'a>(random: &mut Rng, all: &[&'a str]) -> &'a str {
    all[random.usize(..all.len())]
}

/// Some section that has lines.
fn section<'a>(random: &mut Rng, offer: &'a mut Sdp) -> Option<&'a mut Vec<String>> {
    let mut sections: Vec<_> =
        offer.sections().into_iter().filter(|section| !section.is_empty()).collect();
    (!sections.is_empty()).then(|| sections.swap_remove(random.usize(..sections.len())))
}

fn line<'a>(random: &mut Rng, offer: &'a mut Sdp) -> Option<&'a mut String> {
    let section = section(random, offer)?;
    let at = random.usize(..section.len());
    section.get_mut(at)
}

/// A media section's number.
fn media(random: &mut Rng, offer: &Sdp) -> Option<usize> {
    (!offer.media.is_empty()).then(|| random.usize(..offer.media.len()))
}

fn insert(random: &mut Rng, section: &mut Vec<String>, line: String) {
    // Behind the first, which says what the section is.
    let at = random.usize(1.min(section.len())..=section.len());
    section.insert(at, line);
}

fn double_line(random: &mut Rng, offer: &mut Sdp) {
    let times = [1, 1, 1, 2, 40][random.usize(..5)];
    if let Some(section) = section(random, offer) {
        let line = section[random.usize(..section.len())].clone();
        (0..times).for_each(|_| insert(random, section, line.clone()));
    }
}

fn drop_line(random: &mut Rng, offer: &mut Sdp) {
    if let Some(section) = section(random, offer) {
        section.remove(random.usize(..section.len()));
    }
}

fn swap_lines(random: &mut Rng, offer: &mut Sdp) {
    if let Some(section) = section(random, offer) {
        let count = section.len();
        section.swap(random.usize(..count), random.usize(..count));
    }
}

fn move_line_elsewhere(random: &mut Rng, offer: &mut Sdp) {
    let Some(from) = section(random, offer) else { return };
    let line = from.remove(random.usize(..from.len()));
    if let Some(to) = section(random, offer) {
        insert(random, to, line);
    }
}

fn exchange_lines(random: &mut Rng, offer: &mut Sdp) {
    let Some(first) = line(random, offer).cloned() else { return };
    let Some(second) = line(random, offer) else { return };
    let second = std::mem::replace(second, first.clone());
    if let Some(place) =
        offer.sections().into_iter().flat_map(|section| section.iter_mut()).find(|l| **l == first)
    {
        *place = second;
    }
}

fn double_section(random: &mut Rng, offer: &mut Sdp) {
    let Some(at) = media(random, offer) else { return };
    let section = offer.media[at].clone();
    for _ in 0..[1, 1, 1, 3, 20][random.usize(..5)] {
        offer.media.insert(random.usize(..=offer.media.len()), section.clone());
    }
}

fn drop_section(random: &mut Rng, offer: &mut Sdp) {
    if let Some(at) = media(random, offer) {
        offer.media.remove(at);
    }
}

fn swap_sections(random: &mut Rng, offer: &mut Sdp) {
    if let (Some(a), Some(b)) = (media(random, offer), media(random, offer)) {
        offer.media.swap(a, b);
    }
}

/// What a browser says in each section said once for all, or twice, or of a session and a section.
fn lift_to_session(random: &mut Rng, offer: &mut Sdp) {
    let name = one(
        random,
        &[
            "ice-ufrag",
            "ice-pwd",
            "fingerprint",
            "setup",
            "mid",
            "rtcp-mux",
            "sendonly",
            "candidate",
        ],
    );
    let all: Vec<_> =
        offer.media.iter().flatten().filter(|line| is_attribute(line, name)).cloned().collect();
    if random.bool() {
        offer.remove(name);
    }
    offer.session.extend(all.into_iter().take(random.usize(1..4)));
}

fn lower_to_media(random: &mut Rng, offer: &mut Sdp) {
    let name = one(random, &["ice-ufrag", "ice-pwd", "fingerprint", "setup", "group"]);
    let Some(found) = offer
        .session
        .iter()
        .chain(offer.media.iter().flatten())
        .find(|line| is_attribute(line, name))
        .cloned()
    else {
        return;
    };
    if random.bool() {
        offer.remove(name);
    }
    if random.u8(..3) == 0 {
        // Nowhere but for the session, as often as it likes.
        offer.remove(name);
        (0..random.usize(1..4)).for_each(|_| offer.session.push(found.clone()));
    } else if let Some(at) = media(random, offer) {
        offer.media[at].push(found);
    }
}

const IDS: [&str; 16] = [
    "0",
    "1",
    "2",
    "3",
    "0",
    "1",
    "video",
    "audio",
    "data",
    "",
    " ",
    "0 1",
    "a/b",
    "ü",
    "00",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
];

/// Mids anew: doubled, missing, strange.
fn deal_mids(random: &mut Rng, offer: &mut Sdp) {
    let in_order = random.bool();
    let count = offer.media.len().max(1);
    for (number, media) in offer.media.iter_mut().enumerate() {
        let mid = match in_order {
            true => ((number + random.usize(..2)) % count).to_string(),
            false => one(random, &IDS).to_owned(),
        };
        match random.u8(..8) {
            0 => media.retain(|line| !is_attribute(line, "mid")),
            1 => media.push(format!("a=mid:{mid}")),
            2..5 => {
                media.retain(|line| !is_attribute(line, "mid"));
                media.push(format!("a=mid:{mid}"));
            }
            _ => {}
        }
    }
}

/// BUNDLE anew: in another order, with ids that are missing, unknown or there twice.
fn deal_bundle(random: &mut Rng, offer: &mut Sdp) {
    let mut ids: Vec<String> = offer
        .media
        .iter()
        .flatten()
        .filter_map(|line| line.strip_prefix("a=mid:").map(str::to_owned))
        .collect();
    random.shuffle(&mut ids);
    match random.u8(..6) {
        0 => ids.truncate(random.usize(..=ids.len())),
        1 => ids.push(one(random, &IDS).to_owned()),
        2 => ids.extend(ids.clone()),
        _ => {}
    }
    if random.u8(..4) != 0 {
        offer.session.retain(|line| !is_attribute(line, "group"));
    }
    let semantics = one(random, &["BUNDLE", "BUNDLE", "BUNDLE", "BUNDLE", "bundle", "LS", ""]);
    for _ in 0..[1, 1, 1, 0, 2][random.usize(..5)] {
        insert(random, &mut offer.session, format!("a=group:{semantics} {}", ids.join(" ")));
    }
}

fn change_number(random: &mut Rng, offer: &mut Sdp) {
    let number = match random.u8(..4) {
        0 => random.u8(..).to_string(),
        1 => random.u32(..).to_string(),
        _ => one(
            random,
            &[
                "0",
                "1",
                "-1",
                "9",
                "95",
                "96",
                "127",
                "128",
                "255",
                "256",
                "65535",
                "65536",
                "2147483648",
                "4294967295",
                "4294967296",
                "99999999999999999999",
                "1e9",
                "0x10",
                "",
            ],
        )
        .to_owned(),
    };
    let Some(line) = line(random, offer) else { return };
    let digits: Vec<_> = line
        .char_indices()
        .filter(|(at, c)| {
            c.is_ascii_digit() && !line[..*at].ends_with(|b: char| b.is_ascii_digit())
        })
        .map(|(at, _)| at)
        .collect();
    if digits.is_empty() {
        return;
    }
    let start = digits[random.usize(..digits.len())];
    let length = line[start..].chars().take_while(char::is_ascii_digit).count();
    line.replace_range(start..start + length, &number);
}

/// White space and other signs where none belong.
fn blank(random: &mut Rng, offer: &mut Sdp) {
    let sign = one(random, &[" ", " ", "\t", "  ", ":", "\r", "\u{b}", "\0", "é", "\u{feff}"]);
    let Some(line) = line(random, offer) else { return };
    let places: Vec<usize> = match random.u8(..5) {
        0..3 => vec![2.min(line.len())],
        3 => line.match_indices([':', ' ', '=']).map(|(at, _)| at + 1).collect(),
        _ => vec![0, line.len()],
    };
    let at = places.get(random.usize(..places.len().max(1)));
    if let Some(at) = at.filter(|at| line.is_char_boundary(**at)) {
        line.insert_str(*at, sign);
    }
}

fn add_candidates(random: &mut Rng, offer: &mut Sdp) {
    let count = [1, 3, 10, 10, 100][random.usize(..5)];
    let begin = one(random, &["a=", "a= ", "a=\t", "a=  ", " a=", "A="]);
    let only_names = random.u8(..3) == 0;
    let lines: Vec<String> = (0..count)
        .map(|number| match only_names {
            true => format!(
                "{begin}candidate:{number} 1 udp 2122260223 {}.local 18753 typ host",
                shapes::letters(random, 12)
            ),
            false => format!("{begin}{}", candidates::odd(random)),
        })
        .collect();
    if let Some(section) = section(random, offer) {
        section.extend(lines);
    }
}

fn change_direction(random: &mut Rng, offer: &mut Sdp) {
    let new =
        one(random, &["sendonly", "sendrecv", "recvonly", "inactive", "SENDONLY", "sendonly:1"]);
    let Some(section) = section(random, offer) else { return };
    if random.u8(..3) != 0 {
        for old in ["sendonly", "sendrecv", "recvonly", "inactive"] {
            section.retain(|line| !is_attribute(line, old));
        }
    }
    insert(random, section, format!("a={new}"));
}

fn change_setup(random: &mut Rng, offer: &mut Sdp) {
    let new = one(random, &["actpass", "active", "passive", "holdconn", "ACTPASS", "", "none"]);
    let Some(section) = section(random, offer) else { return };
    if random.u8(..3) != 0 {
        section.retain(|line| !is_attribute(line, "setup"));
    }
    insert(random, section, format!("a=setup:{new}"));
}

fn change_fingerprint(random: &mut Rng, offer: &mut Sdp) {
    let hash =
        one(random, &["sha-256", "SHA-256", "sha-1", "sha-512", "md5", "sha-384", "", "x y"]);
    let bytes = [32, 32, 20, 64, 0, 1, 1000][random.usize(..7)];
    let mut value = shapes::fingerprint(random, bytes);
    if random.u8(..4) == 0 {
        value = value.replace(':', one(random, &["", " ", "::", "-"]));
    }
    let Some(section) = section(random, offer) else { return };
    if random.bool() {
        section.retain(|line| !is_attribute(line, "fingerprint"));
    }
    insert(random, section, format!("a=fingerprint:{hash} {value}"));
}

fn change_credentials(random: &mut Rng, offer: &mut Sdp) {
    let name = one(random, &["ice-ufrag", "ice-pwd"]);
    let length = [4, 22, 24, 0, 1, 256, 257, 5000][random.usize(..8)];
    let mut value = shapes::letters(random, length);
    if random.u8(..4) == 0 {
        value.push_str(one(random, &[" ", "é", "/", "+", "\"", "%n%s", "\r"]));
    }
    let Some(section) = section(random, offer) else { return };
    if random.bool() {
        section.retain(|line| !is_attribute(line, name));
    }
    insert(random, section, format!("a={name}:{value}"));
}

fn change_media_line(random: &mut Rng, offer: &mut Sdp) {
    let Some(at) = media(random, offer) else { return };
    let Some(head) = offer.media[at].first_mut() else { return };
    let mut fields: Vec<String> = head.split(' ').map(str::to_owned).collect();
    let (field, new) = match random.u8(..4) {
        0 => (0, one(random, &["m=video", "m=audio", "m=application", "m=text", "m=", "m=Video"])),
        1 => (1, one(random, &["0", "9", "1", "65535", "65536", "-1", "9/2", "9/0", ""])),
        2 => (
            2,
            one(
                random,
                &[
                    "UDP/TLS/RTP/SAVPF",
                    "UDP/TLS/RTP/SAVP",
                    "TCP/DTLS/RTP/SAVPF",
                    "RTP/AVP",
                    "RTP/SAVPF",
                    "UDP/DTLS/SCTP",
                    "DTLS/SCTP",
                    "TCP/DTLS/SCTP",
                    "",
                    "udp",
                ],
            ),
        ),
        _ => (3, one(random, &["", "0", "96 96 96", "255", "webrtc-datachannel", "*", "5000"])),
    };
    fields.truncate(if field == 3 && random.bool() { 4 } else { fields.len() });
    if let Some(place) = fields.get_mut(field) {
        new.clone_into(place);
    }
    *head = fields.join(" ");
}

const LINES: [&str; 58] = [
    "a=bundle-only",
    "a=rtcp-mux",
    "a=rtcp-mux-only",
    "a=rtcp:9 IN IP4 0.0.0.0",
    "a=ice-lite",
    "a=ice-options:ice2 renomination trickle",
    "a=end-of-candidates",
    "a=rid:hi send",
    "a=rid:hi send pt=96;max-width=1280",
    "a=simulcast:send hi;mid;lo",
    "a=ssrc:0 cname:x",
    "a=ssrc:1",
    "a=ssrc:4294967295 msid:",
    "a=ssrc-group:FID 1",
    "a=ssrc-group:SIM 1 2 3 4 5 6 7 8 9",
    "a=rtpmap:96 VP8/90000",
    "a=rtpmap:96 H264/90000",
    "a=rtpmap:96",
    "a=rtpmap:96 /",
    "a=rtpmap:96 rtx/90000",
    "a=fmtp:96 apt=96",
    "a=fmtp:96 apt=97;apt=98",
    "a=fmtp:96 ;;=;x",
    "a=fmtp:96 sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==",
    "a=fmtp:96 sprop-parameter-sets=!!!!,",
    "a=rtcp-fb:* nack",
    "a=rtcp-fb:96",
    "a=extmap:0 urn:ietf:params:rtp-hdrext:sdes:mid",
    "a=extmap:1/sendonly urn:ietf:params:rtp-hdrext:sdes:mid x=y",
    "a=extmap:256 urn:x",
    "a=sctp-port:0",
    "a=sctp-port:99999",
    "a=sctpmap:5000 webrtc-datachannel 1024",
    "a=max-message-size:0",
    "a=max-message-size:99999999999",
    "a=tls-id:0",
    "a=identity:e30=",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x",
    "a=msid:",
    "a=framerate:NaN",
    "a=imageattr:96 send [x=4096,y=4096]",
    "a=maxptime:0",
    "b=AS:0",
    "b=TIAS:-1",
    "b=",
    "k=prompt",
    "i=",
    "c=IN IP6 ::",
    "c=IN IP4 224.2.1.1/127/3",
    "r=604800 3600 0 90000",
    "z=0 -1h",
    "m=video 9 UDP/TLS/RTP/SAVPF 96",
    "m=",
    "v=0",
    "x",
    "=",
    "a=",
    "a",
];

fn add_line(random: &mut Rng, offer: &mut Sdp) {
    let new = one(random, &LINES);
    if let Some(section) = section(random, offer) {
        insert(random, section, new.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_can_be_made_to_every_offer_and_comes_again() {
        for seed in 0..3000 {
            let change = CHANGES[seed as usize % CHANGES.len()];
            let changed = |mut offer: Sdp| {
                let mut random = Rng::with_seed(seed);
                (0..3).for_each(|_| change(&mut random, &mut offer));
                offer
            };
            let offer = shapes::any(&mut Rng::with_seed(seed / 7));
            assert_eq!(changed(offer.clone()), changed(offer));
            changed(Sdp::default());
            changed(Sdp { media: vec![vec![]], ..Sdp::default() });
        }
    }

    #[test]
    fn an_offer_whose_credentials_are_the_sessions_twice_is_among_them() {
        let twice = |seed| {
            let mut random = Rng::with_seed(seed);
            let mut offer = shapes::any(&mut random);
            (0..3).for_each(|_| once(&mut random, &mut offer));
            let count = |lines: &[String]| {
                lines.iter().filter(|line| is_attribute(line, "ice-ufrag")).count()
            };
            count(&offer.session) > 1 && offer.media.iter().any(|media| count(media) == 0)
        };
        assert!((0..5000).filter(|seed| twice(*seed)).count() > 10);
    }
}
