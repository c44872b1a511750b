//! What the element's threads share. Each mutex is a leaf: while one is held no other is locked,
//! and nothing is posted, emitted or called.

use std::sync::{Arc, Mutex};

use gst::glib;
use gst_vlm_overlay::OverlayText;
use live_vlm_ask::{ChosenModel, Signals};

use super::{
    inbox::Held,
    settings::{self, Settings},
};
use crate::{lock::lock, messages::Answer, meta::Carried};

/// Warnings that are kept until the element starts.
const MOST_UNTOLD: usize = 16;

#[derive(Debug)]
pub(crate) struct Shared {
    settings: Mutex<Settings>,
    run: Mutex<Arc<Run>>,
    /// The model that is asked for when the user named none.
    pub(crate) chosen: Arc<ChosenModel>,
    /// What there was to be warned of before anybody listened.
    untold: Mutex<Vec<String>>,
    /// Tells the asking task of changes.
    pub(crate) signals: Signals,
    /// Names the asker to the VLM server; says nothing of anybody.
    pub(crate) user: String,
}

/// What one start of the element has brought. Made anew for each, so that a task of an earlier
/// start cannot write into a later one.
#[derive(Debug, Default)]
pub(crate) struct Run {
    counters: Mutex<Counters>,
    latest: Mutex<Latest>,
    /// What is shown over the picture.
    pub(crate) overlay_text: Arc<OverlayText>,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) frames: u64,
    pub(crate) samples: u64,
    pub(crate) questions: u64,
    pub(crate) answers: u64,
    pub(crate) errors: u64,
    pub(crate) retries: u64,
    pub(crate) unchanged: u64,
    pub(crate) cancelled: u64,
    pub(crate) latency_ms_sum: u64,
    pub(crate) latency_ms_last: u64,
    pub(crate) age_ms_last: u64,
    pub(crate) tokens_in: u64,
    pub(crate) tokens_out: u64,
}

#[derive(Debug, Default)]
struct Latest {
    answer: Option<Arc<Carried>>,
    text: Option<String>,
}

impl Shared {
    /// For a new element.
    pub(crate) fn new() -> Self {
        Self {
            settings: Mutex::new(Settings::from_environment()),
            run: Mutex::default(),
            chosen: Arc::default(),
            untold: Mutex::new(settings::bad_environment().into_iter().collect()),
            signals: Signals::default(),
            user: glib::uuid_string_random().into(),
        }
    }
}

impl Shared {
    pub(crate) fn settings(&self) -> Settings {
        lock(&self.settings).clone()
    }

    pub(crate) fn with_settings<T>(&self, read: impl FnOnce(&Settings) -> T) -> T {
        read(&lock(&self.settings))
    }

    /// Changes a setting without telling anybody; that is for `signals`.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Settings) -> T) -> T {
        change(&mut lock(&self.settings))
    }

    /// Keeps a warning until somebody may hear it; not without end.
    pub(crate) fn tell_later(&self, said: String) {
        let mut untold = lock(&self.untold);
        if untold.len() < MOST_UNTOLD && !untold.contains(&said) {
            untold.push(said);
        }
    }

    /// The warnings that were kept; they are not any more.
    pub(crate) fn untold(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.untold))
    }

    /// The newest start's answers and counts.
    pub(crate) fn run(&self) -> Arc<Run> {
        Arc::clone(&lock(&self.run))
    }

    /// Forgets answers and counts, as a new start wants it.
    pub(crate) fn begin_run(&self) -> Arc<Run> {
        let run = Arc::<Run>::default();
        *lock(&self.run) = Arc::clone(&run);
        run
    }
}

impl Run {
    pub(crate) fn count(&self, count: impl FnOnce(&mut Counters)) {
        count(&mut lock(&self.counters));
    }

    pub(crate) fn counters(&self) -> Counters {
        *lock(&self.counters)
    }

    pub(crate) fn set_latest(&self, answer: &Answer, classes: Vec<String>) {
        let carried = Arc::new(Carried::new(answer, classes));
        let text = answer.text.clone();
        let before = {
            let mut latest = lock(&self.latest);
            latest.text = Some(text);
            latest.answer.replace(carried)
        };
        drop(before);
        self.overlay_text.write(&answer.text);
    }

    /// The newest answer as far as it is written.
    pub(crate) fn set_shown(&self, text: &str) {
        self.overlay_text.write_so_far(text);
    }

    /// What was shown of an answer that has no end is not: the complete one before it is again.
    pub(crate) fn take_back(&self, is_begun: bool) {
        if is_begun {
            let before = self.last_text().unwrap_or_default();
            self.overlay_text.write(&before);
        }
    }

    pub(crate) fn latest_answer(&self) -> Option<Arc<Carried>> {
        lock(&self.latest).answer.clone()
    }

    pub(crate) fn last_text(&self) -> Option<String> {
        lock(&self.latest).text.clone()
    }
}

impl Counters {
    pub(crate) fn to_structure(self, replaced: u64, held: Held) -> gst::Structure {
        let [held_frames, held_bytes] =
            [held.frames, held.bytes].map(|number| u64::try_from(number).unwrap_or(u64::MAX));
        gst::Structure::builder("vlm-stats")
            .field("frames", self.frames)
            .field("samples", self.samples)
            .field("samples-replaced", replaced)
            .field("samples-unchanged", self.unchanged)
            .field("held-frames", held_frames)
            .field("held-bytes", held_bytes)
            .field("questions", self.questions)
            .field("answers", self.answers)
            .field("errors", self.errors)
            .field("retries", self.retries)
            .field("cancelled", self.cancelled)
            .field("last-latency-ms", self.latency_ms_last)
            .field("avg-latency-ms", self.latency_ms_sum.checked_div(self.answers).unwrap_or(0))
            .field("last-age-ms", self.age_ms_last)
            .field("tokens-in", self.tokens_in)
            .field("tokens-out", self.tokens_out)
            .build()
    }
}
