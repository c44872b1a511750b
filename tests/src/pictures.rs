//! Pictures as a page sends them in place of video.

use image::{ExtendedColorType, codecs::jpeg::JpegEncoder};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::socket::Socket;

/// A JPEG of this size and brightness.
///
/// # Panics
/// When it cannot be made.
pub fn jpeg(width: u32, height: u32, grey: u8) -> Vec<u8> {
    let pixels = vec![grey; (width * height * 3) as usize];
    let mut jpeg = Vec::new();
    match JpegEncoder::new(&mut jpeg).encode(&pixels, width, height, ExtendedColorType::Rgb8) {
        Ok(()) => jpeg,
        Err(error) => panic!("{error}"),
    }
}

/// The message that answers the `frame_wanted` of this number with a picture of this age in ms.
pub fn message(seq: u64, age: u32, jpeg: &[u8]) -> Message {
    let seq = (seq & u64::from(u32::MAX)) as u32;
    Message::binary([&seq.to_be_bytes(), &age.to_be_bytes(), jpeg].concat())
}

/// The pictures that a VLM was asked about, of the body of a question: as `data:` URLs.
pub fn asked_about(question: &Value) -> Vec<String> {
    let messages = question["messages"].as_array().into_iter().flatten();
    let parts = messages.filter_map(|message| message["content"].as_array()).flatten();
    let urls = parts.filter_map(|part| part["image_url"]["url"].as_str());
    urls.map(str::to_owned).collect()
}

impl Socket {
    /// Sends pictures from now on, as a page does whose video does not get through.
    ///
    /// # Panics
    /// When the server does not take them.
    pub async fn begin_pictures(&mut self) {
        self.send(&json!({"type": "send_pictures", "on": true})).await;
        let frames = self.next_of(&["frames", "error"]).await;
        assert_eq!(frames, json!({"type": "frames", "mode": "pictures"}));
    }

    /// Waits until a picture is wanted, sends this one, and gives the `frame_wanted`.
    ///
    /// # Panics
    /// When none is wanted.
    pub async fn give_picture(&mut self, jpeg: &[u8]) -> Value {
        let wanted = self.next_of(&["frame_wanted"]).await;
        self.send_picture(&wanted, jpeg).await;
        wanted
    }

    /// Answers a `frame_wanted` with this picture.
    ///
    /// # Panics
    /// When the connection is closed.
    pub async fn send_picture(&mut self, wanted: &Value, jpeg: &[u8]) {
        self.send_raw(message(wanted["seq"].as_u64().unwrap_or_default(), 0, jpeg)).await;
    }

    /// The next message of one of these types. Until it comes, each `frame_wanted` is answered with
    /// this picture.
    ///
    /// # Panics
    /// As [`next`](Self::next).
    pub async fn next_with_pictures(&mut self, types: &[&str], jpeg: &[u8]) -> Value {
        loop {
            let message = self.next().await;
            if types.iter().any(|wanted| message["type"] == **wanted) {
                return message;
            }
            if message["type"] == "frame_wanted" {
                self.send_picture(&message, jpeg).await;
            }
        }
    }
}
