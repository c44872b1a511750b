//! How a stream's tags say that its picture is to be turned: pure, but for looking at the elements
//! before this one.

use gst::{glib, prelude::*};
use gst_video::VideoOrientationMethod;

/// Elements further away than this are not looked at.
const FURTHEST: usize = 256;

/// What the tags `image-orientation` of a stream say.
#[derive(Debug, Default)]
pub(super) struct Orientation {
    stream: String,
    of_stream: Option<VideoOrientationMethod>,
    of_medium: Option<VideoOrientationMethod>,
}

impl Orientation {
    /// A stream begins. Those of another stream are forgotten.
    pub(super) fn begin(&mut self, stream: &str) {
        if self.stream != stream {
            *self = Self { stream: stream.to_owned(), ..Self::default() };
        }
    }

    /// A list of tags says so. Lists that say nothing of it leave it as it is.
    pub(super) fn tagged(&mut self, scope: gst::TagScope, orientation: VideoOrientationMethod) {
        match scope {
            gst::TagScope::Global => self.of_medium = Some(orientation),
            _ => self.of_stream = Some(orientation),
        }
    }

    /// How the next frame is turned. What is said of the stream itself counts for more than what is
    /// said of the whole medium.
    pub(super) fn current(&self) -> VideoOrientationMethod {
        self.of_stream.or(self.of_medium).unwrap_or(VideoOrientationMethod::Identity)
    }
}

/// Whether an element before this pad turns pictures by their tags, as
/// `videoflip video-direction=auto` does. The tags come through it as they were.
pub(super) fn is_applied_before(pad: &gst::Pad) -> bool {
    let mut pad = pad.clone();
    for _ in 0..FURTHEST {
        let Some(before) = pad.peer() else { return false };
        let element = before.parent_element();
        if element.as_ref().is_some_and(turns_by_tags) {
            return true;
        }
        let inside = before.downcast_ref::<gst::ProxyPad>().and_then(ProxyPadExt::internal);
        let input = inside.map(Cast::upcast).or_else(|| only_input(&element?));
        match input {
            Some(input) => pad = input,
            None => return false,
        }
    }
    false
}

/// `None` if there are more: what comes out is another stream.
fn only_input(element: &gst::Element) -> Option<gst::Pad> {
    let inputs = element.sink_pads();
    inputs.first().filter(|_| inputs.len() == 1).cloned()
}

fn turns_by_tags(element: &gst::Element) -> bool {
    let is_enum = |spec: &glib::ParamSpec| spec.value_type().is_a(glib::Type::ENUM);
    let Some(spec) = element.find_property("video-direction").filter(is_enum) else { return false };
    let value = element.property_value(spec.name());
    glib::EnumValue::from_value(&value).is_some_and(|(_, value)| value.nick() == "auto")
}

#[cfg(test)]
mod tests {
    use gst::TagScope::{Global, Stream};
    use gst_video::VideoOrientationMethod::{_90l, _90r, _180, Identity};

    use super::*;

    #[test]
    fn the_streams_own_tags_count_for_more_whichever_comes_first() {
        for order in [[(Stream, _90r), (Global, _180)], [(Global, _180), (Stream, _90r)]] {
            let mut orientation = Orientation::default();
            assert_eq!(orientation.current(), Identity);
            order.into_iter().for_each(|(scope, method)| orientation.tagged(scope, method));
            assert_eq!(orientation.current(), _90r);
            orientation.tagged(Global, _90l);
            assert_eq!(orientation.current(), _90r);
            orientation.tagged(Stream, Identity);
            assert_eq!(orientation.current(), Identity, "this is said, too");
        }
    }

    #[test]
    fn another_stream_is_not_turned_for_the_one_before() {
        let mut orientation = Orientation::default();
        orientation.begin("one");
        orientation.tagged(Global, _90l);
        orientation.begin("one");
        assert_eq!(orientation.current(), _90l);
        orientation.begin("other");
        assert_eq!(orientation.current(), Identity);
    }

    /// Whether the tags of a stream are applied when it leaves these elements.
    fn applied(description: &str) -> bool {
        gst::init().unwrap();
        let bin = gst::parse::bin_from_description(description, true).unwrap();
        let end = gst::ElementFactory::make("fakesink").build().unwrap();
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([bin.upcast_ref(), &end]).unwrap();
        bin.link(&end).unwrap();
        is_applied_before(&end.static_pad("sink").unwrap())
    }

    #[test]
    fn who_turns_pictures_by_their_tags_is_seen() {
        assert!(applied("videotestsrc ! videoflip video-direction=auto ! queue ! identity"));
        assert!(applied("videotestsrc ! videoflip video-direction=auto"));
        assert!(applied("videotestsrc ! videoflip video-direction=auto ! videoflip name=other"));
        assert!(!applied("videotestsrc ! videoflip video-direction=90r ! queue"));
        assert!(!applied("videotestsrc ! identity"));
        // Not of the stream that goes on.
        assert!(!applied(
            "videotestsrc ! videoflip video-direction=auto ! compositor name=c ! identity \
             videotestsrc ! c."
        ));
    }

    #[test]
    fn a_pad_that_is_linked_to_nothing_is_looked_at_too() {
        gst::init().unwrap();
        let end = gst::ElementFactory::make("fakesink").build().unwrap();
        assert!(!is_applied_before(&end.static_pad("sink").unwrap()));
    }
}
