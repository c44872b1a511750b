use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter},
    registry::Unit,
};

use super::collect::{counter, gauge};

/// The media processes of the server, as metrics and the overload guard see them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MediaFigures {
    /// Those that run, with the one that is kept ready.
    pub processes: usize,
    /// Connections in all of them.
    pub connections: usize,
    /// Those that were started.
    pub started: u64,
    /// Those that have ended, by what ended them.
    pub ended: BTreeMap<&'static str, u64>,
    /// How often a user was refused because of two that have ended.
    pub users_refused: u64,
    /// Seconds of CPU time, also of those that have ended, and of what forks them.
    pub cpu_seconds: f64,
    /// Bytes of physical memory of all of them, and of what forks them.
    pub resident: u64,
    /// Their threads.
    pub threads: u64,
    /// Parts of their sandbox that are not there.
    pub sandbox_lacking: usize,
}

type Read = Box<dyn Fn() -> MediaFigures + Send + Sync>;

/// The media processes, once somebody has said how to read their figures.
#[derive(Default)]
pub(super) struct Media {
    read: OnceLock<Read>,
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media").field("known", &self.read.get().is_some()).finish()
    }
}

impl Media {
    /// Says how to read them; only the first time counts.
    pub(super) fn watch(&self, read: Read) {
        let _ = self.read.set(read);
    }

    pub(super) fn read(&self) -> Option<MediaFigures> {
        Some(self.read.get()?())
    }
}

#[derive(Debug)]
pub(super) struct MediaCollector(pub(super) Arc<Media>);

impl Collector for MediaCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Some(media) = self.0.read() else { return Ok(()) };
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let to = &mut encoder;
        let running = "Processes that receive video, with the one that is kept ready.";
        gauge(to, "media_processes", running, None, count(media.processes))?;
        let connections = "Connections in media processes.";
        gauge(to, "media_connections", connections, None, count(media.connections))?;
        let started = "Media processes that were started.";
        counter(to, "media_processes_started", started, None, media.started)?;
        ended(to, &media.ended)?;
        let refused = "How often a user or an address was refused, as media processes ended.";
        counter(to, "media_users_refused", refused, None, media.users_refused)?;
        let cpu = "CPU time of media processes and of what forks them.";
        counter(to, "media_cpu", cpu, Some(&Unit::Seconds), media.cpu_seconds)?;
        let resident = "Physical memory of media processes and of what forks them.";
        gauge(to, "media_resident_memory", resident, Some(&Unit::Bytes), media.resident)?;
        let threads = "Threads of media processes and of what forks them.";
        gauge(to, "media_threads", threads, None, media.threads)?;
        let lacking = "Parts of the sandbox of media processes that are not there.";
        gauge(to, "sandbox_parts_lacking", lacking, None, count(media.sandbox_lacking))
    }
}

fn ended(encoder: &mut DescriptorEncoder, ended: &BTreeMap<&'static str, u64>) -> fmt::Result {
    if ended.is_empty() {
        return Ok(());
    }
    let help = "Media processes that have ended, by cause.";
    let name = "media_processes_ended";
    let mut to = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (cause, count) in ended {
        ConstCounter::new(*count).encode(to.encode_family(&[("cause", *cause)])?)?;
    }
    Ok(())
}
