//! The overlay's part of the element: who draws the text, what caps say of it, and putting the
//! finished picture on buffers. The text itself is drawn elsewhere, see [`gst_vlm_overlay`].
//!
//! For the locking order see [`imp`](super::imp).

mod caps;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use gst::prelude::*;
use gst_video::{
    VideoFrameRef, VideoInfo, VideoOverlayComposition, VideoOverlayCompositionMeta,
    VideoOverlayCompositionRef,
};

use gst_vlm_overlay::{Frame, OverlayMode, OverlayText, PaintError, Picture};

pub(super) use self::caps::without_metas;
use self::caps::{blendable, either, with_feature, within, without_feature};
use super::{category::CAT, shared::Shared};
use crate::lock::lock;

/// The overlay of one element.
pub(super) struct Overlay {
    sinkpad: gst::Pad,
    srcpad: gst::Pad,
    shared: Arc<Shared>,
    /// Whether the streaming thread has anything to do for it.
    is_on: AtomicBool,
    agreed: Mutex<Agreed>,
}

/// What the streaming thread knows: what was agreed on with downstream, and for which frames.
#[derive(Debug, Default)]
struct Agreed {
    /// As they came.
    caps: Option<gst::Caps>,
    /// For which setting it was agreed on who draws.
    mode: OverlayMode,
    output: Output,
    frame: Option<Frame>,
    /// The newest composition that came from upstream, and what it is together with ours.
    merged: Option<Merged>,
    /// Whether it was said that nothing can be drawn.
    told: bool,
}

/// What becomes of a picture.
#[derive(Debug, Clone, Default)]
enum Output {
    #[default]
    Nothing,
    Attach,
    Blend(VideoInfo),
}

#[derive(Debug)]
struct Merged {
    theirs: u32,
    ours: u32,
    both: VideoOverlayComposition,
}

impl Merged {
    fn is_of(
        &self,
        theirs: &VideoOverlayCompositionRef,
        ours: &VideoOverlayCompositionRef,
    ) -> bool {
        self.theirs == theirs.seqnum() && self.ours == ours.seqnum()
    }
}

impl Overlay {
    pub(super) fn new(sinkpad: &gst::Pad, srcpad: &gst::Pad, shared: &Arc<Shared>) -> Self {
        Self {
            sinkpad: sinkpad.clone(),
            srcpad: srcpad.clone(),
            shared: Arc::clone(shared),
            is_on: AtomicBool::default(),
            agreed: Mutex::default(),
        }
    }

    /// Frames of an earlier start are not those of the next.
    pub(super) fn reset(&self) {
        let before = std::mem::take(&mut *lock(&self.agreed));
        drop(before);
    }

    /// A setting of the overlay has changed; called after that, as the streaming thread looks at the
    /// two the other way round.
    pub(super) fn changed(&self) {
        self.is_on.store(true, Ordering::SeqCst);
        self.shared.run().overlay_text.look_changed();
    }

    /// The task that draws what is to be shown.
    pub(super) fn painter(
        &self,
        element: &gst::Element,
        text: Arc<OverlayText>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let shared = Arc::clone(&self.shared);
        let element = element.downgrade();
        async move {
            let look = || shared.with_settings(|settings| settings.overlay.look());
            let failed = |error: &PaintError| {
                if let Some(element) = element.upgrade() {
                    gst::element_warning!(
                        element,
                        gst::ResourceError::Failed,
                        ("overlay: the text could not be drawn: {error}")
                    );
                }
            };
            text.draw_changes(look, failed).await;
        }
    }

    fn mode(&self) -> OverlayMode {
        self.shared.with_settings(|settings| settings.overlay.mode)
    }

    /// New caps have come; sends on what frames are from now on.
    pub(super) fn caps_event(
        &self,
        element: &gst::Element,
        event: gst::Event,
        caps: &gst::Caps,
    ) -> bool {
        let frame = Frame::of(caps);
        let before = {
            let mut agreed = lock(&self.agreed);
            let told = agreed.told && agreed.caps.as_ref() == Some(caps);
            let anew = Agreed { caps: Some(caps.clone()), frame, told, ..Agreed::default() };
            std::mem::replace(&mut *agreed, anew)
        };
        drop(before);
        self.shared.run().overlay_text.set_frame(frame);
        match self.mode() {
            OverlayMode::Off => gst::Pad::event_default(&self.sinkpad, Some(element), event),
            mode => self.agree(element, caps, mode, Some(event.seqnum())),
        }
    }

    /// The mode; if it is off, the streaming thread has no more to do.
    fn mode_or_off(&self) -> OverlayMode {
        let mode = self.mode();
        if mode != OverlayMode::Off {
            return mode;
        }
        self.is_on.store(false, Ordering::SeqCst);
        // Whoever has changed the setting since has also set this before or after.
        let mode = self.mode();
        if mode != OverlayMode::Off {
            self.is_on.store(true, Ordering::SeqCst);
        }
        mode
    }

    /// Puts the newest finished picture on a buffer.
    pub(super) fn draw(&self, element: &gst::Element, buffer: &mut gst::Buffer) {
        if !self.is_on.load(Ordering::Relaxed) {
            return;
        }
        let mode = self.mode_or_off();
        let (is_agreed, caps) = {
            let agreed = lock(&self.agreed);
            (agreed.mode == mode, agreed.caps.clone())
        };
        if (self.srcpad.check_reconfigure() || !is_agreed)
            && let Some(caps) = caps
        {
            self.agree(element, &caps, mode, None);
        }
        let Some(picture) = self.shared.run().overlay_text.picture() else { return };
        let output = {
            let agreed = lock(&self.agreed);
            // A picture that was drawn for frames of another size is not for these.
            if agreed.frame == Some(picture.frame) { agreed.output.clone() } else { return }
        };
        match output {
            Output::Nothing => {}
            Output::Attach => self.attach(buffer, &picture),
            Output::Blend(info) => {
                if let Err(error) = blend(buffer, &info, &picture.composition) {
                    self.cannot_draw(element, &format!("{} frames ({error})", info.format()));
                }
            }
        }
    }

    fn attach(&self, buffer: &mut gst::Buffer, picture: &Picture) {
        let ours = &picture.composition;
        let theirs = buffer.meta::<VideoOverlayCompositionMeta>().map(|meta| meta.overlay_owned());
        let Some(theirs) = theirs else {
            VideoOverlayCompositionMeta::add(buffer.make_mut(), ours);
            return;
        };
        // Nobody looks for a second one on a buffer. What came stays as it is: others may have it.
        let known = {
            let agreed = lock(&self.agreed);
            let merged = agreed.merged.as_ref().filter(|merged| merged.is_of(&theirs, ours));
            merged.map(|merged| merged.both.clone())
        };
        let both = match known {
            Some(both) => both,
            None => {
                let Some(both) = together(&theirs, ours) else { return };
                let new =
                    Merged { theirs: theirs.seqnum(), ours: ours.seqnum(), both: both.clone() };
                let before = lock(&self.agreed).merged.replace(new);
                drop(before);
                both
            }
        };
        if let Some(mut meta) = buffer.make_mut().meta_mut::<VideoOverlayCompositionMeta>() {
            meta.set_overlay(&both);
        }
    }

    /// Agrees with downstream on who draws, and sends caps that say so.
    fn agree(
        &self,
        element: &gst::Element,
        caps: &gst::Caps,
        mode: OverlayMode,
        event: Option<gst::Seqnum>,
    ) -> bool {
        let with = with_feature(caps);
        let accepted = mode.may_attach() && self.downstream_accepts(&with);
        let info = blendable(caps);
        let mut sent = self.send_caps(if accepted { &with } else { caps }, event);
        let attach = match mode {
            OverlayMode::Off | OverlayMode::Blend => false,
            OverlayMode::Attach => true,
            OverlayMode::Auto => {
                let upstream_attaches = with == *caps;
                let attach = accepted
                    && (upstream_attaches
                        || info.is_none()
                        || self.is_drawn(&with)
                        || !self.downstream_accepts(caps));
                if accepted && !attach {
                    sent = self.send_caps(caps, event);
                }
                attach
            }
        };
        let output = match info {
            _ if attach => Output::Attach,
            Some(info) if mode != OverlayMode::Off => Output::Blend(info),
            _ => Output::Nothing,
        };
        gst::debug!(CAT, obj = element, "With overlay={mode:?} and {caps}: {output:?}");
        let nobody = mode != OverlayMode::Off && matches!(output, Output::Nothing);
        {
            let mut agreed = lock(&self.agreed);
            agreed.mode = mode;
            agreed.output = output;
        }
        if nobody {
            self.cannot_draw(element, &caps.to_string());
        }
        sent
    }

    /// Sends caps downstream, unless they are there and no new ones have come.
    fn send_caps(&self, caps: &gst::Caps, event: Option<gst::Seqnum>) -> bool {
        if event.is_none() && self.srcpad.current_caps().as_ref() == Some(caps) {
            return true;
        }
        let seqnum = event.unwrap_or_else(gst::Seqnum::next);
        self.srcpad.push_event(gst::event::Caps::builder(caps).seqnum(seqnum).build())
    }

    /// Whether downstream takes buffers with overlay compositions. Accepting caps is the next
    /// element's own word only, and a caps query's answer may be too kind.
    fn downstream_accepts(&self, with: &gst::Caps) -> bool {
        !self.srcpad.peer_query_caps(Some(with)).is_empty()
            && self.srcpad.peer_query_accept_caps(with)
    }

    /// Whether somebody downstream says to draw overlay compositions: many that take them in caps
    /// do nothing with them.
    fn is_drawn(&self, with: &gst::Caps) -> bool {
        let mut query = gst::query::Allocation::new(Some(with), false);
        self.srcpad.peer_query(&mut query)
            && query.find_allocation_meta::<VideoOverlayCompositionMeta>().is_some()
    }

    fn cannot_draw(&self, element: &gst::Element, into: &str) {
        if std::mem::replace(&mut lock(&self.agreed).told, true) {
            return;
        }
        gst::element_warning!(
            element,
            gst::StreamError::Format,
            ("overlay: text cannot be drawn into {into}; bring the video to ordinary memory \
                 and a usual format before vlmanalyze (for example with videoconvert), or set \
                 overlay=attach with a sink that draws overlay compositions")
        );
    }

    /// What the sink pad takes: also what downstream takes only together with the overlay.
    pub(super) fn answer_sink_caps(&self, query: &mut gst::QueryRef) -> bool {
        self.answer_caps(
            query,
            &Beyond {
                own: &self.sinkpad,
                other: &self.srcpad,
                asked: with_feature,
                answered: without_feature,
            },
        )
    }

    /// What the src pad gives: what upstream gives, with the overlay or without.
    pub(super) fn answer_src_caps(&self, query: &mut gst::QueryRef) -> bool {
        self.answer_caps(
            query,
            &Beyond {
                own: &self.srcpad,
                other: &self.sinkpad,
                asked: without_feature,
                answered: with_feature,
            },
        )
    }

    /// Answers a query of caps by asking beyond the element, whose overlay changes them.
    fn answer_caps(&self, query: &mut gst::QueryRef, beyond: &Beyond<'_>) -> bool {
        if !self.mode().may_attach() {
            return false;
        }
        let Beyond { own, other, asked, answered } = *beyond;
        match query.view_mut() {
            gst::QueryViewMut::Caps(query) => {
                let filter = query.filter_owned();
                let filter_there = filter.as_ref().map(|filter| either(filter, asked(filter)));
                let theirs = other.peer_query_caps(filter_there.as_ref());
                let caps = either(&theirs, answered(&theirs));
                query.set_result(&within(&caps, own, filter.as_ref()));
                true
            }
            gst::QueryViewMut::AcceptCaps(query) => {
                let caps = query.caps_owned();
                query.set_result(
                    other.peer_query_accept_caps(&caps)
                        || other.peer_query_accept_caps(&asked(&caps)),
                );
                true
            }
            _ => false,
        }
    }
}

/// Where a query of caps goes on, and how caps differ there.
struct Beyond<'a> {
    own: &'a gst::Pad,
    other: &'a gst::Pad,
    /// What caps of this side may be on the other.
    asked: fn(&gst::CapsRef) -> gst::Caps,
    /// What caps of the other side may be on this one.
    answered: fn(&gst::CapsRef) -> gst::Caps,
}

/// Draws into a buffer's memory, which is copied before if somebody else has it too.
fn blend(
    buffer: &mut gst::Buffer,
    info: &VideoInfo,
    composition: &VideoOverlayCompositionRef,
) -> Result<(), gst::glib::BoolError> {
    let mut frame = VideoFrameRef::from_buffer_ref_writable(buffer.make_mut(), info)?;
    composition.blend(&mut frame)
}

fn together(
    theirs: &VideoOverlayCompositionRef,
    ours: &VideoOverlayCompositionRef,
) -> Option<VideoOverlayComposition> {
    let rectangles: Vec<_> = theirs.iter().chain(ours.iter()).collect();
    VideoOverlayComposition::new(&rectangles).ok()
}
