use gst_vlm_jpeg::RawFrame;

use super::{
    super::{sample::Frame, stream_position::StreamPosition},
    *,
};

const ONE: ClipRule = ClipRule { frames: 1, spacing: Duration::from_secs(1) };
const THREE: ClipRule = ClipRule { frames: 3, ..ONE };

fn sample(pts: u64) -> Sample {
    gst::init().unwrap();
    let (buffer, caps) = (gst::Buffer::new(), gst::Caps::new_empty());
    let orientation = gst_video::VideoOrientationMethod::Identity;
    Sample {
        frame: Frame::Raw(RawFrame { buffer, caps, orientation }),
        time: Duration::from_secs(pts),
        pts: Some(gst::ClockTime::from_seconds(pts)),
        running_time: None,
        captured: Instant::now(),
        arrived: Instant::now(),
        position: StreamPosition::default(),
    }
}

fn pts(sample: &Sample) -> u64 {
    sample.pts.unwrap().seconds()
}

#[test]
fn while_a_sample_is_due_every_newer_frame_takes_its_place() {
    let inbox = Inbox::default();
    assert!(!inbox.offer(false, sample(0)), "no sample is due");
    assert!(inbox.offer(true, sample(1)));
    assert!(inbox.offer(false, sample(2)));
    assert_eq!(pts(&inbox.take(None, ONE).unwrap().newest), 2);
    assert!(!inbox.offer(false, sample(3)), "the due sample was taken");
    assert_eq!(inbox.replaced(), 0);
}

#[test]
fn a_sample_that_is_too_old_is_not_taken_and_stays_due() {
    let inbox = Inbox::default();
    let old = Sample { captured: Instant::now() - Duration::from_secs(9), ..sample(1) };
    inbox.offer(true, old);
    assert!(inbox.take(Some(Duration::from_secs(1)), ONE).is_none());
    inbox.offer(false, sample(2));
    assert_eq!(pts(&inbox.take(Some(Duration::from_secs(1)), ONE).unwrap().newest), 2);
}

#[test]
fn draining_waits_for_the_question_in_flight() {
    let inbox = Arc::new(Inbox::default());
    inbox.offer(true, sample(1));
    let taken = inbox.take(None, ONE);
    let drained = std::thread::spawn({
        let inbox = Arc::clone(&inbox);
        move || inbox.drain()
    });
    assert!(!drained.is_finished());
    drop(taken);
    inbox.settle();
    drained.join().unwrap();
}

#[test]
fn releasing_lets_a_held_thread_go() {
    let inbox = Arc::new(Inbox::default());
    inbox.offer(true, sample(1));
    let held = std::thread::spawn({
        let inbox = Arc::clone(&inbox);
        move || inbox.wait_settled(|| true)
    });
    inbox.flush_start(Epoch::default().next());
    held.join().unwrap();
}

#[test]
fn draining_does_not_wait_for_a_vlm_that_is_left_alone() {
    let inbox = Inbox::default();
    inbox.offer(true, sample(1));
    inbox.back_off();
    inbox.drain();
}

#[test]
fn a_held_thread_goes_on_when_its_sample_was_too_old() {
    let inbox = Arc::new(Inbox::default());
    let old = Sample { captured: Instant::now() - Duration::from_secs(9), ..sample(1) };
    inbox.offer(true, old);
    let held = std::thread::spawn({
        let inbox = Arc::clone(&inbox);
        move || inbox.wait_settled(|| true)
    });
    assert!(inbox.take(Some(Duration::from_secs(1)), ONE).is_none());
    held.join().unwrap();
}

#[test]
fn nobody_waits_and_nothing_is_kept_once_the_asking_task_is_gone() {
    let inbox = Inbox::default();
    inbox.offer(true, sample(1));
    let taken = inbox.take(None, ONE).unwrap();
    inbox.close();
    inbox.put_back(taken, true);
    // As a flush does, whose end comes after the task's.
    inbox.flow(Epoch::default().next());
    assert!(!inbox.offer(true, sample(2)));
    inbox.wait_settled(|| true);
    inbox.drain();
}

#[test]
fn a_clip_is_taken_with_the_newest_frame_last_and_its_window_goes_on() {
    let inbox = Inbox::default();
    for time in 0..=4 {
        let seen = inbox.see(Duration::from_secs(time), THREE);
        assert_eq!((seen.is_wanted, seen.is_ready), (true, time >= 2));
        inbox.add_earlier(sample(time), THREE);
    }
    inbox.offer(true, sample(4));
    let clip = inbox.take(None, THREE).unwrap();
    assert_eq!(clip.earlier.iter().map(pts).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(pts(&clip.newest), 4);
    inbox.offer(true, sample(5));
    assert_eq!(inbox.take(None, THREE).unwrap().earlier.len(), 2);
    assert_eq!(inbox.held().frames, 3);
    inbox.close();
    assert_eq!(inbox.held(), Held::default());
}

#[test]
fn a_stream_shorter_than_a_clip_is_asked_about_at_its_end() {
    let inbox = Arc::new(Inbox::default());
    inbox.add_earlier(sample(1), THREE);
    let drained = std::thread::spawn({
        let inbox = Arc::clone(&inbox);
        move || inbox.drain()
    });
    let clip = loop {
        if let Some(clip) = inbox.take(None, THREE) {
            break clip;
        }
        std::thread::yield_now();
    };
    assert_eq!((clip.earlier.len(), pts(&clip.newest)), (0, 1));
    inbox.settle();
    drained.join().unwrap();
}

#[test]
fn a_sample_that_is_passed_over_lets_a_held_thread_go() {
    let inbox = Arc::new(Inbox::default());
    inbox.offer(true, sample(1));
    let held = std::thread::spawn({
        let inbox = Arc::clone(&inbox);
        move || inbox.wait_settled(|| true)
    });
    let looked_at = inbox.peek().unwrap();
    assert_eq!(pts(&looked_at), 1);
    inbox.pass_over(looked_at.arrived - Duration::from_secs(1));
    assert!(inbox.lock().is_due, "another frame was looked at");
    inbox.pass_over(looked_at.arrived);
    assert!(held.join().unwrap());
    assert!(!inbox.lock().is_due);
}

#[test]
fn a_clip_that_is_given_back_is_taken_again_as_it_was() {
    let inbox = Inbox::default();
    (0..=4).for_each(|time| {
        let _ = inbox.see(Duration::from_secs(time), THREE);
        inbox.add_earlier(sample(time), THREE);
    });
    inbox.offer(true, sample(4));
    let clip = inbox.take(None, THREE).unwrap();
    (5..=9).for_each(|time| {
        let _ = inbox.see(Duration::from_secs(time), THREE);
        inbox.add_earlier(sample(time), THREE);
    });
    inbox.put_back(clip, true);
    let clip = inbox.take(None, THREE).unwrap();
    assert_eq!(clip.earlier.iter().map(pts).collect::<Vec<_>>(), [2, 3]);
    inbox.put_back(clip, true);
    inbox.offer(false, sample(10));
    let clip = inbox.take(None, THREE).unwrap();
    assert_eq!(clip.earlier.iter().map(pts).collect::<Vec<_>>(), [8, 9]);
}

#[test]
fn what_was_taken_before_a_flush_does_not_come_back_after_it() {
    let inbox = Inbox::default();
    inbox.offer(true, sample(1));
    let taken = inbox.take(None, ONE).unwrap();
    let epoch = Epoch::default().next();
    inbox.flush_start(epoch);
    inbox.flow(epoch.next());
    inbox.put_back(taken, true);
    assert!(!inbox.is_pending() && !inbox.lock().is_due);
}
