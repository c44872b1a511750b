//! What fails in one session's pipeline is that session's affair.

use std::sync::{Mutex, PoisonError};

use gst::{glib, prelude::*, subclass::prelude::*};
use live_vlm_tests::{client::new_id, server::Server, vlm::Vlm};

use super::asking;

/// Decoders of this process, in the order in which they were made.
static DECODERS: Mutex<Vec<glib::WeakRef<gst::Element>>> = Mutex::new(Vec::new());

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct Watcher;

    #[glib::object_subclass]
    impl ObjectSubclass for Watcher {
        const NAME: &'static str = "DecoderWatcher";
        type Type = super::Watcher;
        type ParentType = gst::Tracer;
    }

    impl ObjectImpl for Watcher {
        fn constructed(&self) {
            self.parent_constructed();
            self.register_hook(TracerHook::ElementNew);
        }
    }

    impl GstObjectImpl for Watcher {}

    impl TracerImpl for Watcher {
        fn element_new(&self, _: u64, element: &gst::Element) {
            if element.type_().name() == "GstVP8Dec" {
                let mut decoders = DECODERS.lock().unwrap_or_else(PoisonError::into_inner);
                decoders.push(element.downgrade());
            }
        }
    }
}

glib::wrapper! {
    /// Sees every element that is made.
    pub struct Watcher(ObjectSubclass<imp::Watcher>) @extends gst::Tracer, gst::Object;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_that_fails_ends_its_own_video_and_the_page_can_start_it_again() {
    gst::init().unwrap();
    let _watcher: Watcher = glib::Object::new();
    let vlm = Vlm::saying(&["llava:7b"], "Yes.").await;
    let server = Server::start(&asking(&vlm)).await;
    let mut people = Vec::new();
    for _ in 0..2 {
        let (page, id) = (server.browser().await, new_id());
        let (mut socket, _) = page.open(&id).await;
        let sender = page.send_video(&id).await.unwrap();
        socket.next_of(&["vlm_response"]).await;
        people.push((page, id, socket, sender));
    }
    let decoders: Vec<gst::Element> =
        DECODERS.lock().unwrap().iter().filter_map(glib::WeakRef::upgrade).collect();
    assert_eq!(decoders.len(), 2, "one for each");
    gst::element_error!(decoders[0], gst::StreamError::Decode, ["as a test wants it"]);
    drop(decoders);

    let [(page, id, socket, _sender), (_, _, others, _)] = &mut people[..] else { unreachable!() };
    let failed = loop {
        let status = socket.next_of(&["status"]).await;
        if status["status"] == "Failed" {
            break status;
        }
    };
    assert!(failed["text"].as_str().unwrap().contains("pipeline failed"), "{failed}");
    others.so_far().await;
    for _ in 0..3 {
        let next = others.next_of(&["vlm_response", "vlm_error", "error", "status"]).await;
        assert_eq!(next["type"], "vlm_response", "{next}");
    }
    let again = page.send_video(id).await.unwrap();
    socket.next_of(&["vlm_response"]).await;
    assert_eq!(server.sessions().count(), 2);
    again.vanish().await;
    for (.., sender) in people {
        sender.vanish().await;
    }
    server.stop().await;
}
