use std::{fmt, ops::ControlFlow, sync::Arc};

use gst::prelude::*;

use super::BoxError;

/// Changes the packets of a sender (RFC 3550), as nobody would who wants to be understood. Cheap to
/// clone.
#[derive(Clone)]
pub struct Tamper(Arc<Change>);

type Change = dyn Fn(&mut Vec<u8>) + Send + Sync;

impl fmt::Debug for Tamper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tamper")
    }
}

impl Tamper {
    /// `change` gets each packet, header and payload, and is called on a thread that sends.
    pub fn new(change: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(change))
    }

    pub(super) fn install(&self, packets: &gst::Element) -> Result<(), BoxError> {
        let pad = packets.static_pad("src").ok_or("the packets have no pad")?;
        let tamper = self.clone();
        let every = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        pad.add_probe(every, move |_, info| {
            match &mut info.data {
                Some(gst::PadProbeData::Buffer(packet)) => *packet = tamper.changed(packet),
                Some(gst::PadProbeData::BufferList(packets)) => {
                    packets.make_mut().foreach_mut(|packet, _| {
                        ControlFlow::Continue(Some(tamper.changed(&packet)))
                    });
                }
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
        Ok(())
    }

    fn changed(&self, packet: &gst::Buffer) -> gst::Buffer {
        let Ok(bytes) = packet.map_readable() else { return packet.clone() };
        let mut bytes = bytes.to_vec();
        (self.0)(&mut bytes);
        let mut changed = gst::Buffer::from_mut_slice(bytes);
        let times = gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS;
        // It fails for lack of memory only.
        let _ = packet.copy_into(changed.make_mut(), times, ..);
        changed
    }
}
