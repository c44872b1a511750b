//! What synthetic viewers send.

use std::{
    path::PathBuf,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use gst::prelude::*;
use live_vlm_sender::{Clip, ClipOptions, SentFrames, VideoSource};

use tempfile::NamedTempFile;

use crate::{Failure, timecode};

/// The longest that converting a video may take.
const CONVERTED: gst::ClockTime = gst::ClockTime::from_seconds(60);

/// The size of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no size with room for a number, such as 640x480");
        let (width, height) = text.split_once('x').ok_or_else(wrong)?;
        let (width, height) = (width.parse(), height.parse());
        match (width, height) {
            (Ok(width @ 1..=4000), Ok(height @ 1..=4000))
                if timecode::fits(width as usize, height as usize) && height % 2 == 0 =>
            {
                Ok(Self { width, height })
            }
            _ => Err(wrong()),
        }
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// What the command line says of the video.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) file: PathBuf,
    pub(crate) size: Size,
    pub(crate) frame_rate: u32,
    pub(crate) clip_seconds: u32,
    pub(crate) live: bool,
}

/// Where the viewers' pictures come from.
#[derive(Debug, Clone)]
pub(crate) enum Video {
    /// Encoded once, for all of them.
    Clip(Arc<Clip>),
    /// A moving pattern that each of them encodes.
    Live { size: Size, frame_rate: u32 },
}

impl Video {
    /// Encodes the clip, if it is to be one; that takes a few seconds.
    pub(crate) async fn prepare(wanted: &Wanted) -> Result<Self, Failure> {
        let Wanted { size, frame_rate, .. } = *wanted;
        if wanted.live {
            return Ok(Self::Live { size, frame_rate });
        }
        let frames = wanted.frame_rate as usize * wanted.clip_seconds as usize;
        let (width, height) = (size.width, size.height);
        let file = ClipOptions::file(&wanted.file);
        let options = ClipOptions { width, height, frame_rate, frames, ..file };
        let path = wanted.file.display().to_string();
        let clip = tokio::task::spawn_blocking(move || {
            let width = width as usize;
            Clip::encode(&options, |number, planes| {
                timecode::draw(planes, width, number as u64);
            })
        });
        Ok(Self::Clip(clip.await?.map_err(|error| format!("{path}: {error}"))?))
    }

    pub(crate) fn source(&self) -> Result<VideoSource, Failure> {
        match self {
            Self::Clip(clip) => Ok(VideoSource::Clip(Arc::clone(clip))),
            Self::Live { size, frame_rate } => {
                Ok(VideoSource::Element(camera(*size, *frame_rate)?))
            }
        }
    }

    /// The time since the picture with this number was taken. A clip's picture was taken when it
    /// was sent; a live one has the time of day for its number.
    pub(crate) fn age(&self, number: u64, sent: &SentFrames, now: Instant) -> Option<Duration> {
        match self {
            Self::Clip(_) => {
                let taken = sent.at(usize::try_from(number).ok()?)?;
                Some(now.saturating_duration_since(taken))
            }
            Self::Live { .. } => {
                Some(Duration::from_millis(timecode::now_ms().saturating_sub(number)))
            }
        }
    }
}

impl std::fmt::Display for Video {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Clip(clip) => {
                write!(f, "a clip of {} frames, {} kB", clip.frames(), clip.size() / 1000)
            }
            Self::Live { size, frame_rate } => write!(f, "{size}@{frame_rate}, encoded live"),
        }
    }
}

/// The video as a file that Chromium plays as its camera, over and over.
pub(crate) async fn camera_file(wanted: &Wanted) -> Result<NamedTempFile, Failure> {
    let file = tempfile::Builder::new().suffix(".y4m").tempfile()?;
    let ClipOptions { source, .. } = ClipOptions::file(&wanted.file);
    let line = format!(
        "{source} ! videoconvert ! videoscale add-borders=true ! videorate ! \
         video/x-raw,format=I420,width={},height={},framerate={}/1,pixel-aspect-ratio=1/1 ! \
         y4menc ! filesink location=\"{}\"",
        wanted.size.width,
        wanted.size.height,
        wanted.frame_rate,
        file.path().display()
    );
    let from = wanted.file.display().to_string();
    tokio::task::spawn_blocking(move || play(&line).map_err(|error| format!("{from}: {error}")))
        .await??;
    Ok(file)
}

/// Runs a pipeline to its end.
fn play(line: &str) -> Result<(), Failure> {
    let pipeline = gst::parse::launch(line)?;
    pipeline.set_state(gst::State::Playing)?;
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = pipeline.bus().and_then(|bus| bus.timed_pop_filtered(CONVERTED, &ends));
    pipeline.set_state(gst::State::Null)?;
    match end.as_deref().map(gst::MessageRef::view) {
        Some(gst::MessageView::Eos(_)) => Ok(()),
        Some(gst::MessageView::Error(error)) => Err(error.error().into()),
        _ => Err("it takes too long to convert".into()),
    }
}

/// A moving pattern with much detail, and the time of capture.
fn camera(size: Size, frame_rate: u32) -> Result<gst::Element, Failure> {
    let bin = gst::parse::bin_from_description(
        &format!(
            "videotestsrc is-live=true pattern=zone-plate kx2=8 ky2=8 kt=4 ! capsfilter \
             name=timed caps=video/x-raw,format=I420,width={},height={},framerate={frame_rate}/1",
            size.width, size.height
        ),
        true,
    )?;
    let timed = bin.by_name("timed").and_then(|element| element.static_pad("src"));
    let pad = timed.ok_or("the camera has no pad")?;
    let (width, luma) = (size.width as usize, size.width as usize * size.height as usize);
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer_mut()
            && let Ok(mut frame) = buffer.make_mut().map_writable()
            && let Some(luma) = frame.get_mut(..luma)
        {
            timecode::draw(luma, width, timecode::now_ms());
        }
        gst::PadProbeReturn::Ok
    });
    Ok(bin.upcast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_with_room_for_a_number_are_read() {
        assert_eq!("640x480".parse(), Ok(Size { width: 640, height: 480 }));
        for text in ["", "640", "640x", "x480", "641x480", "100x100", "640x91", "80000x60000"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
