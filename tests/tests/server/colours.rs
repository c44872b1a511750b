//! The colours of the picture that the VLM is shown of a browser's video.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use live_vlm_pipelines::Codec;
use live_vlm_sender::{SenderOptions, VideoSource};
use live_vlm_tests::{client::new_id, server::Server, until, vlm::Vlm};

use super::asking;

/// The middle of the first picture that the VLM is shown of a video of one colour.
async fn shown(codec: Codec, rgb: [u8; 3], size: (u32, u32)) -> [u8; 3] {
    let vlm = Vlm::saying(&["vl"], "One colour.").await;
    let server = Server::start(&asking(&vlm)).await;
    let page = server.browser().await;
    let id = new_id();
    let (_socket, _) = page.open(&id).await;
    let colour = rgb.iter().fold(0xff, |colour: u32, channel| colour << 8 | u32::from(*channel));
    // As browsers make it of a camera, whatever its size.
    let source = format!(
        "videotestsrc is-live=true pattern=solid-color foreground-color={colour} ! \
         capsfilter caps=\"video/x-raw,format=I420,width={},height={},framerate=15/1,\
         colorimetry=bt601\"",
        size.0, size.1
    );
    let source = VideoSource::Description(source);
    // With fewer bits a first key frame may lose some of its colour.
    let options = SenderOptions { codec, source, bitrate: 20_000_000, ..SenderOptions::default() };
    let sender = page.send(&id, options).await.unwrap();
    until("a question", || !vlm.questions().is_empty()).await;
    let question = vlm.questions().remove(0);
    sender.vanish().await;
    server.stop().await;
    let url = question.body["messages"][0]["content"][1]["image_url"]["url"].as_str().unwrap();
    let jpeg = BASE64_STANDARD.decode(url.strip_prefix("data:image/jpeg;base64,").unwrap());
    let picture = image::load_from_memory_with_format(&jpeg.unwrap(), image::ImageFormat::Jpeg);
    let picture = picture.unwrap().into_rgb8();
    picture.get_pixel(picture.width() / 2, picture.height() / 2).0
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_has_the_colours_of_the_video() {
    for (codec, rgb, size) in [
        (Codec::Vp8, [255, 255, 255], (320, 240)),
        (Codec::Vp8, [0, 0, 0], (320, 240)),
        (Codec::Vp8, [255, 0, 0], (1280, 720)),
        (Codec::Vp8, [0, 255, 0], (1280, 720)),
        (Codec::Vp9, [0, 255, 0], (1280, 720)),
        (Codec::H264, [0, 255, 0], (1280, 720)),
        (Codec::H264, [0, 0, 255], (320, 240)),
    ] {
        let seen = shown(codec, rgb, size).await;
        // What the codec loses of it is not ours.
        let is_close = seen.iter().zip(rgb).all(|(seen, meant)| seen.abs_diff(meant) <= 6);
        assert!(is_close, "{rgb:?} is {seen:?} by {codec} in {size:?}");
    }
}
