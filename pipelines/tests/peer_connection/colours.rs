//! The colours that the analysing element is told of.

use crate::common::{Meeting, Wanted};
use gst::prelude::*;
use live_vlm_pipelines::Codec;
use live_vlm_sender::{SenderOptions, VideoSource};

/// What the element's caps say of a video of 720 lines that a sender has encoded of this.
async fn told(codec: Codec, colorimetry: &str, encoder: Option<&str>) -> String {
    gst::init().unwrap();
    let raw = format!(
        "videotestsrc is-live=true ! capsfilter caps=\"video/x-raw,format=I420,width=1280,\
         height=720,framerate=10/1,colorimetry={colorimetry}\""
    );
    let source = match encoder {
        Some(encoder) => {
            let encoded = format!("{raw} ! {encoder}");
            VideoSource::Encoded(gst::parse::bin_from_description(&encoded, true).unwrap().upcast())
        }
        None => VideoSource::Description(raw),
    };
    let options = SenderOptions { codec, source, ..SenderOptions::default() };
    let mut meeting = Meeting::start(options, Wanted::fast()).await;
    meeting.first_frame().await;
    let caps = meeting.analyzer.static_pad("sink").unwrap().current_caps().unwrap();
    meeting.end().await;
    let info = gst_video::VideoInfo::from_caps(&caps).unwrap();
    let colorimetry = info.colorimetry();
    format!("{:?} {:?}", colorimetry.matrix(), colorimetry.range())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_large_video_does_not_say_of_its_colours_is_as_browsers_have_it() {
    for codec in [Codec::Vp8, Codec::Vp9] {
        assert_eq!(told(codec, "bt601", None).await, "Bt601 Range16_235", "{codec}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_h264_says_of_its_colours_is_believed() {
    for (colorimetry, expected) in [("bt601", "Bt601 Range16_235"), ("bt709", "Bt709 Range16_235")]
    {
        assert_eq!(told(Codec::H264, colorimetry, None).await, expected);
    }
}
