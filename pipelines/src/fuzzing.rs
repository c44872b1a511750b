//! What `cargo fuzz` calls; see `docs/security.md`. The tests replay its corpus.

use crate::{
    Codec, candidate,
    offer::{self, Offer},
};

/// The SDP of an offer, as a peer sends it.
///
/// # Panics
/// When what comes of it is not what it must be.
pub fn offer(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = gst::init();
    let Ok(offer) = Offer::parse(text, &[Codec::Vp8, Codec::H264, Codec::Vp9]) else { return };
    assert!(offer.sdp.is_ascii() && !offer.sdp.contains('\0'));
    assert!(offer.payload < 128 && !offer.fingerprints.is_empty());
    assert_eq!(offer.preferences().size(), 1);
    assert!(!offer.announces("no certificate"));
    // What was taken once is taken again, and means the same.
    let again = Offer::parse(&offer.sdp, &[Codec::Vp8, Codec::H264, Codec::Vp9]);
    assert!(again.is_ok_and(|again| again.sdp == offer.sdp && again.line == offer.line));
    let answer = offer::without_other_media(&offer.sdp, offer.line);
    offer::with_start_bitrate(&answer, offer.payload, 1000);
}

/// A trickled ICE candidate.
///
/// # Panics
/// When one is taken that is no single line.
pub fn candidate(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(candidate) = candidate::usable(text) {
        assert!(candidate.starts_with("candidate:") && !candidate.contains(char::is_control));
        assert_eq!(candidate::usable(candidate), Ok(candidate));
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    fn replay(target: &str, run: impl Fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
        let files: Vec<_> =
            fs::read_dir(corpus).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(!files.is_empty());
        files.iter().for_each(|file| run(&fs::read(file).unwrap()));
    }

    #[test]
    fn the_corpus_is_read_as_it_should_be() {
        replay("offer", super::offer);
        replay("candidate", super::candidate);
    }
}
