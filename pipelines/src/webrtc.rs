//! A webrtcbin, its descriptions and its promises, for whoever has a WebRTC connection: the server,
//! and the senders of tests.

use std::{net::IpAddr, sync::Arc, time::Duration};

use gst::{glib, prelude::*};
use gst_sdp::SDPMessage;
use gst_webrtc::{WebRTCICEGatheringState, WebRTCSDPType, WebRTCSessionDescription};
use tokio::sync::{Notify, oneshot};

use crate::{
    NetworkOptions, PipelineError,
    properties::{get_if_present, make, set_if_present, set_text_if_present},
    teardown,
};

/// A webrtcbin with what saves time and threads: no TCP, no UPnP, one transport for all, and no
/// wait for missing packets.
pub fn webrtcbin(network: &NetworkOptions) -> Result<gst::Element, PipelineError> {
    let webrtc = make("webrtcbin")?;
    set_text_if_present(&webrtc, "bundle-policy", "max-bundle");
    set_if_present(&webrtc, "latency", 0u32);
    if let Some(server) = &network.stun_server {
        set_if_present(&webrtc, "stun-server", server.clone());
    }
    let Some(ice) = get_if_present::<glib::Object>(&webrtc, "ice-agent") else {
        return Err(PipelineError::Lacking(
            "this webrtcbin has no ice-agent; GStreamer 1.20 or newer is needed",
        ));
    };
    set_if_present(&ice, "ice-tcp", false);
    if let Some(agent) = get_if_present::<glib::Object>(&ice, "agent") {
        // Asking a router for a port takes 200 ms and multicasts into the network.
        set_if_present(&agent, "upnp", false);
        teardown::end_states_with(&webrtc, &agent);
    }
    if let Some(port) = network.min_port {
        set_if_present(&ice, "min-rtp-port", u32::from(port));
    }
    if let Some(port) = network.max_port {
        set_if_present(&ice, "max-rtp-port", u32::from(port));
    }
    if let Some(address) = network.bind {
        if !add_address(&ice, address) {
            return Err(PipelineError::Address(address));
        }
        if let Some(address) = network.also_bind
            && !add_address(&ice, address)
        {
            tracing::debug!(%address, "the ICE agent does not take this address");
        }
    }
    Ok(webrtc)
}

/// Has the ICE agent use this address; without any it uses every interface's.
fn add_address(ice: &glib::Object, address: IpAddr) -> bool {
    ice.emit_by_name("add-local-ip-address", &[&address.to_string()])
}

/// Makes a description: `what` is `offer` or `answer`.
pub async fn create(
    webrtc: &gst::Element,
    what: &'static str,
) -> Result<WebRTCSessionDescription, PipelineError> {
    let reply = {
        let (promise, reply) = promise();
        let none = None::<gst::Structure>;
        webrtc.emit_by_name::<()>(&format!("create-{what}"), &[&none, &promise]);
        reply
    };
    let reply =
        reply.wait().await?.ok_or_else(|| PipelineError::WebRtc(format!("no {what} was made")))?;
    reply
        .get::<WebRTCSessionDescription>(what)
        .map_err(|error| PipelineError::WebRtc(error.to_string()))
}

/// Sets a description: `whose` is `local` or `remote`.
pub async fn set(
    webrtc: &gst::Element,
    whose: &'static str,
    description: &WebRTCSessionDescription,
) -> Result<(), PipelineError> {
    let reply = {
        let (promise, reply) = promise();
        webrtc.emit_by_name::<()>(&format!("set-{whose}-description"), &[description, &promise]);
        reply
    };
    reply.wait().await.map(drop)
}

/// A description of an SDP text.
pub fn description(
    kind: WebRTCSDPType,
    sdp: &str,
) -> Result<WebRTCSessionDescription, PipelineError> {
    let sdp = SDPMessage::parse_buffer(sdp.as_bytes())?;
    Ok(WebRTCSessionDescription::new(kind, sdp))
}

/// The text of the local description, with the candidates found so far.
pub fn local_description(webrtc: &gst::Element) -> Result<String, PipelineError> {
    let description =
        get_if_present::<Option<WebRTCSessionDescription>>(webrtc, "local-description")
            .flatten()
            .ok_or(PipelineError::Lacking("webrtcbin has no local description"))?;
    description.sdp().as_text().map_err(|error| PipelineError::WebRtc(error.to_string()))
}

/// Waits for ICE candidates. Made before the local description is set, so that nothing is missed.
pub struct Gathering {
    webrtc: gst::Element,
    changed: Arc<Notify>,
    handler: Option<glib::SignalHandlerId>,
}

impl Gathering {
    /// Of this webrtcbin.
    pub fn new(webrtc: &gst::Element) -> Self {
        let changed = Arc::new(Notify::new());
        let notify = changed.clone();
        let handler = webrtc.connect_notify(Some("ice-gathering-state"), move |_, _| {
            notify.notify_one();
        });
        Self { webrtc: webrtc.clone(), changed, handler: Some(handler) }
    }

    /// Returns when every candidate is known, or after `at_most`; whether they are.
    pub async fn complete(self, at_most: Duration) -> bool {
        let complete = async {
            while !self.is_complete() {
                self.changed.notified().await;
            }
        };
        let is_complete = tokio::time::timeout(at_most, complete).await.is_ok();
        if !is_complete {
            tracing::debug!("not all ICE candidates were found in time, going on with some");
        }
        is_complete
    }

    fn is_complete(&self) -> bool {
        get_if_present::<WebRTCICEGatheringState>(&self.webrtc, "ice-gathering-state")
            == Some(WebRTCICEGatheringState::Complete)
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        if let Some(handler) = self.handler.take() {
            self.webrtc.disconnect(handler);
        }
    }
}

/// The certificates, in PEM, that peers showed in DTLS handshakes.
pub(crate) fn peer_certificates(webrtc: &gst::Element) -> Vec<String> {
    let Some(bin) = webrtc.downcast_ref::<gst::Bin>() else { return Vec::new() };
    bin.iterate_all_by_element_factory_name("dtlsdec")
        .into_iter()
        .flatten()
        .filter_map(|decoder| get_if_present::<Option<String>>(&decoder, "peer-pem").flatten())
        .filter(|pem| !pem.is_empty())
        .collect()
}

/// What is inside a webrtcbin for RTP.
pub(crate) fn rtpbin(webrtc: &gst::Element) -> Option<gst::Element> {
    webrtc.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("rtpbin"))
}

/// How many packets the peer has asked for again (RTCP NACK).
pub fn packets_asked_for(webrtc: &gst::Element) -> u64 {
    let Some(bin) = webrtc.downcast_ref::<gst::Bin>() else { return 0 };
    bin.iterate_all_by_element_factory_name("rtprtxsend")
        .into_iter()
        .flatten()
        .filter_map(|repeater| get_if_present::<u32>(&repeater, "num-rtx-requests"))
        .map(u64::from)
        .sum()
}

struct Reply(oneshot::Receiver<Result<Option<gst::Structure>, PipelineError>>);

fn promise() -> (gst::Promise, Reply) {
    let (sender, receiver) = oneshot::channel();
    let promise = gst::Promise::with_change_func(move |reply| {
        let reply = match reply {
            Ok(structure) => Ok(structure.map(ToOwned::to_owned)),
            Err(error) => Err(PipelineError::WebRtc(format!("webrtcbin gave no reply: {error:?}"))),
        };
        // The other end has stopped waiting when the connection was given up.
        let _ = sender.send(reply);
    });
    (promise, Reply(receiver))
}

impl Reply {
    /// # Errors
    /// With webrtcbin's own words when it reports an error.
    async fn wait(self) -> Result<Option<gst::Structure>, PipelineError> {
        let reply = self
            .0
            .await
            .map_err(|_| PipelineError::WebRtc("webrtcbin was closed".to_owned()))??;
        match reply.as_ref().and_then(|reply| reply.get::<glib::Error>("error").ok()) {
            Some(error) => Err(PipelineError::WebRtc(error.message().to_owned())),
            None => Ok(reply),
        }
    }
}
