//! An element on a bench: frames are pushed in, counted where they come out, and timed on the way.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use gst::prelude::*;

const STEP: Duration = Duration::from_millis(1);

/// One frame's memory, shared by all frames that are pushed.
pub(crate) struct Picture {
    pub(crate) caps: gst::Caps,
    memory: gst::Memory,
}

impl Picture {
    /// 1920x1080, I420, with something in it.
    pub(crate) fn full_hd() -> Self {
        Self::new("format=I420,width=1920,height=1080")
    }

    /// One of these caps, with something in it.
    pub(crate) fn new(caps: &str) -> Self {
        let caps = format!("video/x-raw,{caps},framerate=0/1").parse::<gst::Caps>();
        let caps = caps.expect("they are caps");
        let pipeline = gst::parse::launch(&format!(
            "videotestsrc num-buffers=1 pattern=smpte ! {caps} ! appsink name=sink"
        ))
        .expect("videotestsrc and appsink are installed");
        pipeline.set_state(gst::State::Playing).expect("a test picture needs nothing");
        let sink = pipeline.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("sink"));
        let sink = sink.and_downcast::<gst_app::AppSink>().expect("it has this name");
        let sample = sink.pull_sample().expect("there is one frame");
        let memory = sample.buffer_owned().expect("it has a buffer").peek_memory(0).to_owned();
        pipeline.set_state(gst::State::Null).expect("stopping does not fail");
        Self { caps, memory }
    }

    /// A frame with this timestamp. Its memory is nobody's alone, so writing into it copies it, as
    /// behind a `tee`.
    pub(crate) fn frame(&self, pts: Duration) -> gst::Buffer {
        let mut buffer = gst::Buffer::new();
        let new = buffer.get_mut().expect("nobody else has it");
        new.append_memory(self.memory.clone());
        new.set_pts(gst::ClockTime::try_from(pts).ok());
        buffer
    }
}

pub(crate) struct Bench {
    pub(crate) element: gst::Element,
    input: gst::Pad,
    _output: gst::Pad,
    passed: Arc<AtomicU64>,
}

impl Bench {
    /// The element between two pads; `takes_overlay` says whether downstream draws overlays.
    pub(crate) fn new(element: gst::Element, caps: &gst::Caps, takes_overlay: bool) -> Self {
        let passed = Arc::new(AtomicU64::new(0));
        let pad = |name, direction| {
            let template = gst::PadTemplate::new(
                name,
                direction,
                gst::PadPresence::Always,
                &gst::Caps::new_any(),
            );
            gst::Pad::builder_from_template(&template.expect("the template is valid"))
        };
        let input = pad("input", gst::PadDirection::Src).build();
        let output = pad("output", gst::PadDirection::Sink)
            .chain_function({
                let passed = Arc::clone(&passed);
                move |_, _, _| {
                    passed.fetch_add(1, Ordering::Relaxed);
                    Ok(gst::FlowSuccess::Ok)
                }
            })
            .event_function(|_, _, _| true)
            .query_function(move |pad, parent, query| match query.view_mut() {
                gst::QueryViewMut::Allocation(allocation) if takes_overlay => {
                    allocation.add_allocation_meta::<gst_video::VideoOverlayCompositionMeta>(None);
                    true
                }
                _ => gst::Pad::query_default(pad, parent, query),
            })
            .build();
        let into = element.static_pad("sink").expect("it is a filter");
        let out = element.static_pad("src").expect("it is a filter");
        output.set_active(true).expect("a new pad");
        element.set_state(gst::State::Playing).expect("the element starts");
        input.set_active(true).expect("a new pad");
        input.link(&into).expect("any caps");
        out.link(&output).expect("any caps");
        input.push_event(gst::event::StreamStart::new("bench"));
        input.push_event(gst::event::Caps::new(caps));
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        input.push_event(gst::event::Segment::new(&segment));
        Self { element, input, _output: output, passed }
    }

    /// Pushes a frame; gives the time until it has come out.
    pub(crate) fn push(&self, frame: gst::Buffer) -> Duration {
        let began = Instant::now();
        self.input.push(frame).expect("the element goes on");
        began.elapsed()
    }

    pub(crate) fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    pub(crate) fn stat(&self, name: &str) -> u64 {
        self.element.property::<gst::Structure>("stats").get(name).unwrap_or(0)
    }

    /// Waits for a count of the element's; false when it does not come within a minute.
    pub(crate) fn wait_for(&self, name: &str, count: u64) -> bool {
        let began = Instant::now();
        while self.stat(name) < count {
            if began.elapsed() > Duration::from_secs(60) {
                return false;
            }
            std::thread::sleep(STEP);
        }
        true
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = self.element.set_state(gst::State::Null);
    }
}

/// Durations, to be asked for their quantiles.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// In microseconds.
    pub(crate) fn quantile(&mut self, share: f64) -> f64 {
        self.0.sort_unstable();
        let at = (self.0.len().saturating_sub(1) as f64 * share).round() as usize;
        self.0.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    }
}

/// Calls `frame` at a rate, with the number of the frame and its time.
pub(crate) fn at_rate(per_second: u32, seconds: u64, mut frame: impl FnMut(u64, Duration)) {
    let began = Instant::now();
    for number in 0..u64::from(per_second) * seconds {
        let due = Duration::from_secs(number) / per_second;
        std::thread::sleep(due.saturating_sub(began.elapsed()));
        frame(number, due);
    }
}

/// The CPU time that this process has used so far.
pub(crate) fn cpu() -> Duration {
    // SAFETY: getrusage fills the structure that it is given.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let time = |time: libc::timeval| {
        Duration::new(time.tv_sec.unsigned_abs(), 0)
            + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// The memory that this process has in use, in kB.
pub(crate) fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}
