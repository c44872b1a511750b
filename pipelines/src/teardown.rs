//! Stopping a pipeline, so that nothing of it is left and nobody waits for it who may not.

use std::{sync::mpsc, time::Duration};

use gst::{
    glib::{self, subclass::SignalId},
    prelude::*,
};

/// For what `webrtcbin` has been told to do before it is stopped: milliseconds.
const LAST_TASKS: Duration = Duration::from_secs(2);

/// Owns a running pipeline. However it goes out of scope, the pipeline is stopped first, and not
/// on the asynchronous runtime: stopping takes 2 to 35 ms.
#[derive(Debug)]
pub struct Running {
    pipeline: gst::Pipeline,
    stopped: bool,
}

/// The right to stop a pipeline that somebody else owns.
#[derive(Debug, Clone)]
pub(crate) struct Teardown(gst::Pipeline);

impl Running {
    /// To be made before anything of the pipeline runs.
    pub fn new(pipeline: gst::Pipeline) -> Self {
        Self { pipeline, stopped: false }
    }

    pub(crate) fn pipeline(&self) -> &gst::Pipeline {
        &self.pipeline
    }

    pub(crate) fn teardown(&self) -> Teardown {
        Teardown(self.pipeline.clone())
    }

    /// Stops the pipeline and frees it; done when everything is.
    pub async fn stop(mut self) {
        self.teardown().run().await;
        self.stopped = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.stopped {
            return;
        }
        let stop = StopOnDrop(self.pipeline.clone());
        match tokio::runtime::Handle::try_current() {
            // A runtime that is shutting down drops the closure, which stops the pipeline too.
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(stop))),
            // This may be a streaming thread, which would wait for itself.
            Err(_) => drop(std::thread::spawn(move || drop(stop))),
        }
    }
}

impl Teardown {
    /// Stops the pipeline; done when it is stopped. Doing it twice does no harm.
    pub(crate) async fn run(&self) {
        let stop = StopOnDrop(self.0.clone());
        let _ = tokio::task::spawn_blocking(move || drop(stop)).await;
    }
}

struct StopOnDrop(gst::Pipeline);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        // Already stopped: another state change would only take locks.
        let (_, current, pending) = self.0.state(gst::ClockTime::ZERO);
        let stopped = current == gst::State::Null && pending == gst::State::VoidPending;
        if !stopped {
            for webrtcbin in of_type(&self.0, "GstWebRTCBin") {
                wait_for_tasks(&webrtcbin);
            }
            for sctpdec in of_type(&self.0, "GstSctpDec") {
                take_no_more_packets(&sctpdec);
            }
            if self.0.set_state(gst::State::Null).is_err() {
                tracing::error!("a pipeline could not be stopped");
            }
        }
        for sctpenc in of_type(&self.0, "GstSctpEnc") {
            end_late_task(&sctpenc);
        }
    }
}

fn of_type(pipeline: &gst::Pipeline, name: &str) -> Vec<gst::Element> {
    let all = pipeline.iterate_recurse().into_iter().flatten();
    all.filter(|element| element.type_().name() == name).collect()
}

/// Waits until `webrtcbin` has done what it was told, such as to take an offer whose client has left
/// since. A description that it takes while its parts are being stopped blocks a pad that nobody
/// unblocks any more, and the block keeps the connection's sockets for ever (seen in GStreamer 1.22).
fn wait_for_tasks(webrtcbin: &gst::Element) {
    let (done, is_done) = mpsc::channel();
    let promise = gst::Promise::with_change_func(move |_| drop(done));
    // Tasks are done in their order, and this is one.
    webrtcbin.emit_by_name::<()>("get-stats", &[&None::<gst::Pad>, &promise]);
    if is_done.recv_timeout(LAST_TASKS) == Err::<(), _>(mpsc::RecvTimeoutError::Timeout) {
        tracing::warn!("webrtcbin is stopped amid a task");
        // GLib warns of a promise that is freed without this.
        promise.interrupt();
    }
}

/// Done when no packet is in a `sctpdec` any more. When it is stopped it frees the pads of its
/// streams first, and a packet that begins a stream just then uses its pad after that (seen in
/// GStreamer 1.22).
fn take_no_more_packets(sctpdec: &gst::Element) {
    if let Some(Err(error)) = sctpdec.static_pad("sink").map(|sink| sink.set_active(false)) {
        tracing::warn!(%error, "a sctpdec is stopped amid a packet");
    }
}

/// Keeps the ICE agent of a `webrtcbin` that is stopped from telling it more. The agent goes on until
/// it is freed, and a connection whose state changes meanwhile blocks a pad that nobody unblocks any
/// more, which keeps its sockets for ever (seen in GStreamer 1.22). To be called before there is a
/// connection: whoever listens first is asked first.
pub(crate) fn end_states_with(webrtcbin: &gst::Element, agent: &glib::Object) {
    const STATE: &str = "component-state-changed";
    if SignalId::lookup(STATE, agent.type_()).is_none() {
        tracing::debug!(agent = %agent.type_(), "this ICE agent tells no states");
        return;
    }
    let webrtcbin = webrtcbin.downgrade();
    agent.connect(STATE, false, move |values| {
        let stopped =
            webrtcbin.upgrade().is_none_or(|own| own.current_state() < gst::State::Paused);
        if stopped && let Some(Ok(agent)) = values.first().map(|value| value.get::<glib::Object>())
        {
            agent.stop_signal_emission_by_name(STATE);
        }
        None
    });
}

/// A `sctpenc` whose neighbour changes while it is being stopped starts its pad's task anew (seen in
/// GStreamer 1.22), and whoever frees the element waits for that for ever. The task waits for
/// packets; a flush ends the wait.
fn end_late_task(sctpenc: &gst::Element) {
    for pad in sctpenc.src_pads() {
        if pad.task_state() == gst::TaskState::Started {
            tracing::debug!("ending the task of a data channel that came too late");
            // One that is not active takes no events.
            let _ = pad.set_active(true);
            pad.send_event(gst::event::FlushStart::new());
            let _ = pad.set_active(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use gst_webrtc::WebRTCSDPType;

    use super::*;
    use crate::{NetworkOptions, webrtc};

    #[tokio::test]
    async fn a_connection_whose_state_changes_after_the_end_is_freed() {
        gst::init().unwrap();
        let webrtcbin = webrtc::webrtcbin(&NetworkOptions::default()).unwrap();
        let running = Running::new(gst::Pipeline::new());
        running.pipeline().add(&webrtcbin).unwrap();
        running.pipeline().set_state(gst::State::Playing).unwrap();
        let offer = include_str!("../tests/offers/firefox.sdp");
        let offer = webrtc::description(WebRTCSDPType::Offer, offer).unwrap();
        webrtc::set(&webrtcbin, "remote", &offer).await.unwrap();
        let answer = webrtc::create(&webrtcbin, "answer").await.unwrap();
        webrtc::set(&webrtcbin, "local", &answer).await.unwrap();
        let receiving = of_type(running.pipeline(), "TransportReceiveBin").remove(0);
        let (freed, is_freed) = mpsc::channel();
        receiving.add_weak_ref_notify(move || {
            let _ = freed.send(());
        });
        drop(receiving);

        running.teardown().run().await;
        let agent =
            webrtcbin.property::<glib::Object>("ice-agent").property::<glib::Object>("agent");
        for state in [CHECKING, FAILED] {
            agent.emit_by_name::<()>("component-state-changed", &[&1u32, &1u32, &state]);
        }
        drop((agent, webrtcbin));
        running.stop().await;
        is_freed.recv_timeout(Duration::from_secs(20)).expect("it is never freed");
    }

    /// States of `NiceComponentState`.
    const CHECKING: u32 = 2;
    const FAILED: u32 = 5;

    #[test]
    fn a_task_that_began_while_its_pipeline_was_stopped_does_not_keep_it_from_being_freed() {
        gst::init().unwrap();
        let pipeline = gst::Pipeline::new();
        let sctpenc = gst::ElementFactory::make("sctpenc").build().unwrap();
        pipeline.add(&sctpenc).unwrap();
        let src = sctpenc.static_pad("src").unwrap();
        src.set_active(true).unwrap();
        src.send_event(gst::event::Reconfigure::new());
        assert_eq!(src.task_state(), gst::TaskState::Started);
        let (freed, is_freed) = mpsc::channel();
        thread::spawn(move || {
            end_late_task(&sctpenc);
            drop((src, sctpenc, StopOnDrop(pipeline)));
            freed.send(())
        });
        is_freed.recv_timeout(Duration::from_secs(20)).expect("it is never freed");
    }
}
