//! What a media process says about asking.

use std::time::{Duration, Instant};

use bytes::Bytes;
use live_vlm_media_link::{NothingToAsk, PictureInfo};

/// The oldest that a picture is taken to be, whatever is said of it.
const OLDEST: Duration = Duration::from_secs(3600);

/// Something about a want. Until the next one is told, all of it is about the same.
#[derive(Debug)]
pub(crate) enum Said {
    Wants { urgent: bool, lead: Duration },
    GaveUp,
    Question(Question),
    Nothing(NothingToAsk),
}

/// What to ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// One or more, oldest first.
    pub pictures: Vec<Picture>,
}

/// One picture of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// A JPEG, as far as the media process is to be believed.
    pub jpeg: Bytes,
    /// Words that the model reads before it; else empty.
    pub label: String,
    /// When its frame was captured.
    pub captured: Instant,
}

impl Question {
    /// Takes a question's pictures out of what came with it, without a copy.
    pub(crate) fn new(infos: Vec<PictureInfo>, attachment: Vec<u8>, now: Instant) -> Self {
        let mut rest = Bytes::from(attachment);
        let pictures = infos.into_iter().map(|info| {
            let length = usize::try_from(info.bytes).unwrap_or(usize::MAX).min(rest.len());
            let captured = now.checked_sub(info.captured_ago.min(OLDEST)).unwrap_or(now);
            Picture { jpeg: rest.split_to(length), label: info.label, captured }
        });
        Self { pictures: pictures.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(bytes: u32, ago: Duration) -> PictureInfo {
        PictureInfo { bytes, label: "a".to_owned(), captured_ago: ago }
    }

    #[test]
    fn pictures_lie_behind_each_other_and_are_not_copied() {
        let now = Instant::now();
        let attachment = b"onetwo!".to_vec();
        let (at, second) = (attachment.as_ptr(), Duration::from_secs(1));
        let infos = vec![info(3, second), info(4, Duration::MAX)];
        let Question { pictures } = Question::new(infos, attachment, now);
        assert_eq!(pictures[0].jpeg, "one");
        assert_eq!(pictures[1].jpeg, "two!");
        assert_eq!(pictures[0].jpeg.as_ptr(), at);
        assert_eq!(pictures[0].captured, now - second);
    }

    #[test]
    fn no_lie_about_lengths_and_ages_makes_a_panic() {
        let now = Instant::now();
        let infos = vec![info(u32::MAX, Duration::MAX), info(1, Duration::MAX)];
        let Question { pictures } = Question::new(infos, b"abc".to_vec(), now);
        assert_eq!((pictures[0].jpeg.len(), pictures[1].jpeg.len()), (3, 0));
    }
}
