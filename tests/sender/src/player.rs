//! A clip as the video of one sender.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use gst::prelude::*;
use gst_app::{AppSrc, AppSrcCallbacks};

use super::{BoxError, clip::Clip, shutter::Shutter};

/// Browsers ignore requests for key frames that come sooner after the last one.
const KEY_FRAME_DISTANCE: Duration = Duration::from_millis(500);
/// Who is later than this goes on from now instead of hurrying after.
const LATE: Duration = Duration::from_millis(200);

/// When each frame of a [`Clip`] was last sent: the moment at which a camera would have taken it.
/// Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct SentFrames(Arc<Mutex<Vec<Option<Instant>>>>);

impl SentFrames {
    /// When the frame of this number was last sent; `None` if it was not, or is not of a clip.
    pub fn at(&self, number: usize) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(number).copied().flatten()
    }

    fn note(&self, number: usize, at: Instant) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() <= number {
            sent.resize(number + 1, None);
        }
        sent[number] = Some(at);
    }
}

/// Which frame is next, in which form and when. Pure: time is an argument.
#[derive(Debug)]
struct Playback {
    frames: usize,
    frame_time: Duration,
    next: usize,
    due: Instant,
    last_key: Option<Instant>,
}

impl Playback {
    fn new(frames: usize, frame_time: Duration, now: Instant) -> Self {
        Self { frames, frame_time, next: 0, due: now, last_key: None }
    }

    /// The next frame's number, and whether it is to be sent as a key frame.
    fn advance(&mut self, wanted: bool, now: Instant) -> (usize, bool) {
        let number = self.next;
        self.next = (number + 1) % self.frames;
        self.due = if now > self.due + LATE { now } else { self.due } + self.frame_time;
        let rested = |last| now.saturating_duration_since(last) >= KEY_FRAME_DISTANCE;
        // The chain begins with a key frame.
        let key = number == 0 || (wanted && self.last_key.is_none_or(rested));
        if key {
            self.last_key = Some(now);
        }
        (number, key)
    }

    /// The number of the next frame, which is sent alone: as a key frame, as browsers mostly do.
    fn single(&mut self, now: Instant) -> usize {
        self.due = now;
        self.last_key = None;
        self.advance(true, now).0
    }
}

/// An element that gives the clip's frames over and over, each when it is due, or when the shutter is
/// released.
pub(super) fn source(
    clip: &Arc<Clip>,
    sent: &SentFrames,
    shutter: &Shutter,
) -> Result<gst::Element, BoxError> {
    let source = AppSrc::builder()
        .caps(clip.caps())
        .format(gst::Format::Time)
        .is_live(true)
        .do_timestamp(true)
        .build();
    let wanted = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&wanted);
    let pad = source.static_pad("src").ok_or("appsrc has no source pad")?;
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        if info.event().is_some_and(|event| gst_video::ForceKeyUnitEvent::is(event)) {
            asked.store(true, Ordering::Relaxed);
        }
        gst::PadProbeReturn::Ok
    });
    let playback = Playback::new(clip.frames(), clip.frame_time(), Instant::now());
    let playback = Arc::new(Mutex::new(playback));
    push_when_released(&source, clip, sent, &playback, shutter);
    let (clip, sent, shutter) = (Arc::clone(clip), sent.clone(), shutter.clone());
    let need_data = move |source: &AppSrc, _| {
        if shutter.is_on_demand() {
            return;
        }
        let due = lock(&playback).due;
        // The source's own thread has nothing else to do.
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        let (number, key) = lock(&playback).advance(wanted.swap(false, Ordering::Relaxed), now);
        sent.note(number, now);
        // It fails when the pipeline is being stopped.
        let _ = source.push_buffer(clip.frame(number, key));
    };
    source.set_callbacks(AppSrcCallbacks::builder().need_data(need_data).build());
    Ok(source.upcast())
}

/// Has the shutter send single frames, which are taken when it is released.
fn push_when_released(
    source: &AppSrc,
    clip: &Arc<Clip>,
    sent: &SentFrames,
    playback: &Arc<Mutex<Playback>>,
    shutter: &Shutter,
) {
    let (source, clip, sent) = (source.downgrade(), Arc::clone(clip), sent.clone());
    let playback = Arc::clone(playback);
    shutter.set_push(move || {
        let Some(source) = source.upgrade() else { return };
        let now = Instant::now();
        let number = lock(&playback).single(now);
        sent.note(number, now);
        let _ = source.push_buffer(clip.frame(number, true));
    });
}

fn lock(playback: &Mutex<Playback>) -> MutexGuard<'_, Playback> {
    playback.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(33);

    /// Plays so many frames in time and gives the numbers of those sent as key frames.
    fn keys(asked_at: &[usize], frames: usize) -> Vec<usize> {
        let mut now = Instant::now();
        let mut playback = Playback::new(1000, FRAME, now);
        (0..frames)
            .filter(|at| {
                now += FRAME;
                playback.advance(asked_at.contains(at), now).1
            })
            .collect()
    }

    #[test]
    fn a_key_frame_comes_with_the_next_frame_after_it_was_asked_for() {
        assert_eq!(keys(&[], 100), [0]);
        assert_eq!(keys(&[20, 60], 100), [0, 20, 60]);
    }

    #[test]
    fn requests_too_soon_after_a_key_frame_are_ignored_and_not_kept() {
        assert_eq!(keys(&[1, 15, 20, 25, 35, 36], 100), [0, 20, 36]);
    }

    #[test]
    fn a_clip_that_starts_again_starts_with_a_key_frame() {
        let now = Instant::now();
        let mut playback = Playback::new(2, FRAME, now);
        let played: Vec<_> = (0..4).map(|_| playback.advance(false, now)).collect();
        assert_eq!(played, [(0, true), (1, false), (0, true), (1, false)]);
    }

    #[test]
    fn frames_are_due_at_their_rate_and_a_long_stop_is_not_caught_up() {
        let began = Instant::now();
        let mut playback = Playback::new(10, FRAME, began);
        playback.advance(false, began + Duration::from_millis(20));
        assert_eq!(playback.due, began + FRAME);
        let late = began + Duration::from_secs(3);
        playback.advance(false, late);
        assert_eq!(playback.due, late + FRAME);
    }

    #[test]
    fn a_frame_is_known_by_when_it_was_sent_last() {
        let sent = SentFrames::default();
        let now = Instant::now();
        sent.note(3, now);
        sent.note(3, now + FRAME);
        assert_eq!((sent.at(3), sent.at(2), sent.at(9)), (Some(now + FRAME), None, None));
    }
}
