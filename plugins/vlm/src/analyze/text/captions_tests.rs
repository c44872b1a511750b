use super::*;

const SECOND: Lasts = Lasts::Until(Some(Duration::from_secs(1)));

fn ms(ms: u64) -> gst::ClockTime {
    gst::ClockTime::from_mseconds(ms)
}

/// With a pad and a stream that has begun.
fn captions() -> (Captions, PadId) {
    gst::init().unwrap();
    let captions = Captions::default();
    let pad = activate(&captions);
    begin(&captions);
    (captions, pad)
}

fn activate(captions: &Captions) -> PadId {
    let pad = captions.add_pad();
    captions.activate(pad);
    pad
}

fn begin(captions: &Captions) {
    captions.start(&gst::event::StreamStart::new("s"), next(captions));
    segment(captions);
}

fn epoch(captions: &Captions) -> Epoch {
    captions.lock().epoch
}

fn next(captions: &Captions) -> Epoch {
    epoch(captions).next()
}

fn segment(captions: &Captions) {
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    captions.segment(&gst::event::Segment::new(&segment), segment.as_ref());
}

fn add(captions: &Captions, at: u64) {
    add_of(captions, at, epoch(captions));
}

fn add_of(captions: &Captions, at: u64, epoch: Epoch) {
    let (pts, running_time) = (Some(ms(at)), Some(ms(at)));
    captions.caption(&Answer { pts, running_time, ..Answer::default() }, epoch, SECOND);
}

/// A frame passes, of which nothing is known of the next.
fn pass(captions: &Captions, at: u64) {
    captions.pass(Some(ms(at)), Duration::ZERO);
}

/// All that waits, briefly: of gaps where they begin.
fn waiting(captions: &Captions, pad: PadId) -> Vec<String> {
    let mut found = Vec::new();
    while !captions.lock().items.is_empty() {
        found.push(match captions.next(pad).unwrap() {
            Item::Start(_) => "start".to_owned(),
            Item::Event(event) => event.type_().name().to_string(),
            Item::Gap(gap) => format!("gap {}", gap.start.mseconds()),
            Item::Caption(span, _) => format!("at {}", span.start.mseconds()),
        });
    }
    found
}

#[test]
fn of_a_stream_that_has_ended_nothing_is_kept() {
    gst::init().unwrap();
    let captions = Captions::default();
    activate(&captions);
    let segment = gst::FormattedSegment::<gst::ClockTime>::new();
    let mut events = [
        gst::event::StreamStart::new("s"),
        gst::event::Segment::new(&segment),
        gst::event::Eos::new(),
    ];
    captions.start(&events[0], next(&captions));
    captions.segment(&events[1], segment.as_ref());
    captions.event(&events[2]);
    captions.end();
    assert!(events.iter_mut().all(|event| event.get_mut().is_some()), "nobody else has them");
}

#[test]
fn what_comes_is_kept_in_order_and_of_gaps_the_newest() {
    let (captions, pad) = captions();
    for pts in [0, 10, 20] {
        pass(&captions, pts);
    }
    captions.pass(None, Duration::ZERO);
    add(&captions, 30);
    captions.event(&gst::event::Eos::new());
    assert_eq!(waiting(&captions, pad), ["start", "segment", "gap 20", "at 30", "eos"]);
}

#[test]
fn without_a_pad_nothing_is_kept_and_a_late_one_begins_at_the_beginning() {
    gst::init().unwrap();
    let captions = Captions::default();
    begin(&captions);
    add(&captions, 0);
    pass(&captions, 500);
    assert!(captions.lock().items.is_empty());
    let pad = activate(&captions);
    pass(&captions, 600);
    assert_eq!(waiting(&captions, pad), ["start", "segment", "gap 600"]);
    captions.event(&gst::event::Eos::new());
    let pad = activate(&captions);
    assert_eq!(waiting(&captions, pad), ["start", "segment", "eos"]);
}

#[test]
fn a_pad_far_behind_loses_its_oldest_captions_first() {
    let (captions, pad) = captions();
    for n in 0..1000 {
        add(&captions, n * 10);
        pass(&captions, n * 10);
    }
    captions.event(&gst::event::Eos::new());
    let found = waiting(&captions, pad);
    assert_eq!(found.len(), LIMIT);
    assert_eq!(found[..3], ["start", "segment", "gap 9690"]);
    assert_eq!(found[3], "at 9700");
    assert_eq!(found[LIMIT - 1], "eos");
    assert_eq!(captions.dropped(), 970);
}

#[test]
fn events_that_nobody_takes_do_not_add_up() {
    let (captions, pad) = captions();
    for n in 0..1000 {
        pass(&captions, n);
        segment(&captions);
    }
    assert!(waiting(&captions, pad).len() <= LIMIT);
}

#[test]
fn an_answer_from_before_a_flush_comes_too_late() {
    let (captions, pad) = captions();
    let before = epoch(&captions);
    add(&captions, 0);
    captions.begin_flush();
    add(&captions, 10);
    captions.wait_idle();
    captions.end_flush(next(&captions));
    segment(&captions);
    add_of(&captions, 20, before);
    add(&captions, 30);
    assert_eq!(waiting(&captions, pad), ["start", "segment", "at 30"]);
}

#[test]
fn a_flush_ends_when_the_task_is_back() {
    let (captions, pad) = captions();
    captions.next(pad).unwrap();
    let captions = Arc::new(captions);
    captions.begin_flush();
    // The thread that pushes would wait for itself.
    captions.wait_idle();
    let idle = thread::spawn({
        let captions = Arc::clone(&captions);
        move || captions.wait_idle()
    });
    assert!(!idle.is_finished());
    captions.deactivate(pad);
    idle.join().unwrap();
    assert!(captions.next(pad).is_none());
}

#[test]
fn a_task_of_an_earlier_pad_takes_nothing_from_a_later_one() {
    let (captions, early) = captions();
    captions.next(early).unwrap();
    assert!(captions.deactivate(early), "it is on its way");
    let late = activate(&captions);
    assert!(captions.next(early).is_none());
    captions.deactivate(early);
    assert_eq!(waiting(&captions, late), ["start", "segment"]);
}

#[test]
fn a_new_start_of_the_element_knows_nothing_of_the_stream_before() {
    let (captions, pad) = captions();
    let before = epoch(&captions);
    captions.reset(next(&captions));
    begin(&captions);
    add_of(&captions, 0, before);
    assert_eq!(waiting(&captions, pad), ["start", "segment"]);
}

#[test]
fn a_pad_that_comes_during_a_flush_begins_at_the_beginning() {
    gst::init().unwrap();
    let captions = Captions::default();
    begin(&captions);
    captions.begin_flush();
    let pad = captions.add_pad();
    captions.activate(pad);
    captions.end_flush(next(&captions));
    segment(&captions);
    assert_eq!(waiting(&captions, pad), ["start", "segment"]);
}
