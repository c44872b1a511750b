//! What `cargo fuzz` calls; see `docs/fuzzing.md`. The tests replay its corpus.

use crate::{
    Codec,
    candidate::Candidate,
    offer::Offer,
    picture_size,
    sdp::{Sdp, Section},
    sdp_answer::{self, Extras},
};

/// A sequence parameter set of 8192x8192 (ITU-T H.264, 7.3.2.1), which is refused.
const LARGE_SET: [u8; 15] = [0, 0, 0, 1, 0x67, 66, 0xC0, 40, 0xDA, 0, 0x20, 0, 4, 1, 0x90];

/// The SDP of an offer, as a peer sends it.
///
/// # Panics
/// When what comes of it is not what it must be.
pub fn offer(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = gst::init();
    let Ok(offer) = Offer::parse(text, &Codec::ALL) else { return };
    assert!(!offer.announces("no certificate"));
    assert_eq!(offer.video.format.caps(offer.video.transport_cc).size(), 1);

    // What webrtcbin gets has one form, and nothing in it that only C would understand otherwise.
    let ours = offer.for_webrtcbin();
    assert!(ours.bytes().all(|byte| byte.is_ascii_graphic() || b" \r\n".contains(&byte)));
    let read = Sdp::read(&ours).expect("our own offer");
    let parsed = gst_sdp::SDPMessage::parse_buffer(ours.as_bytes()).expect("our own offer");
    assert_eq!(read.sections.len(), 1 + usize::from(offer.has_data()));
    assert_eq!(parsed.medias_len() as usize, read.sections.len());
    for name in ["ice-ufrag", "ice-pwd", "candidate"] {
        assert!(parsed.attribute_val(name).is_none());
    }
    for section in parsed.medias() {
        for (name, count) in [("ice-ufrag", 1), ("ice-pwd", 1), ("mid", 1), ("candidate", 0)] {
            let found = section.attributes().filter(|own| own.key() == name).count();
            assert_eq!(found, count, "{name}");
        }
    }
    // It is an offer like others, and means the same.
    let again = Offer::parse(&ours, &Codec::ALL).expect("our own offer");
    assert_eq!(again.for_webrtcbin(), ours);

    let fingerprint = &offer.transport.fingerprints[0];
    let answer = sdp_answer::write(&offer, &ours, Extras { fingerprint, id: 1, start_kbps: 1500 });
    let answer = answer.expect("an answer to our own offer");
    let answer = Sdp::read(&answer).expect("our own answer");
    assert_eq!(answer.sections.len(), offer.sections.len());
    let receives = |section: &&Section| section.attributes.value("inactive").is_none();
    assert_eq!(answer.sections.iter().filter(receives).count(), read.sections.len());
}

/// A trickled ICE candidate.
///
/// # Panics
/// When what is written of it is read as another.
pub fn candidate(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(candidate) = Candidate::parse(text) {
        let line = candidate.to_string();
        assert!(line.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{line}");
        assert_eq!(Candidate::parse(&line), Ok(candidate));
    }
}

/// An encoded frame behind a byte that chooses its codec.
///
/// # Panics
/// When one is let through to a decoder that could find something else in it.
pub fn picture_size(data: &[u8]) {
    let Some((choice, frame)) = data.split_first() else { return };
    let codec = Codec::ALL[usize::from(*choice) % Codec::ALL.len()];
    let Ok(trailer) = picture_size::check(codec, frame) else { return };
    match codec {
        Codec::Vp8 => {
            let head = &frame[..frame.len().min(10)];
            assert_eq!(picture_size::check(codec, head), Ok(None), "only its head counts");
        }
        Codec::Vp9 => {
            let closed = [frame, trailer.as_ref().map_or(&[], |trailer| trailer)].concat();
            assert_eq!(picture_size::check(codec, &closed), Ok(None), "it has its index now");
        }
        Codec::H264 => {
            let more = [frame, &LARGE_SET].concat();
            assert!(picture_size::check(codec, &more).is_err(), "whatever stands before it");
        }
    }
}

#[cfg(test)]
mod tests {
    use live_vlm_corpus::replay;

    #[test]
    fn the_corpus_is_read_as_it_should_be() {
        replay("offer", super::offer);
        replay("candidate", super::candidate);
        replay("picture_size", super::picture_size);
    }
}
