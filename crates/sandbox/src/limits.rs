use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How much of the host a process in the sandbox can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory that it can write to, touched or not: heap, pictures, and 8 MiB for each
    /// thread's stack. Default: 2 GiB.
    pub memory: u64,
    /// Bytes of addresses, with what it only reads or reserves. Drivers reserve far more, so with
    /// devices this does not count. Default: 16 GiB.
    pub addresses: u64,
    /// Open files and sockets. Default: 1024.
    pub files: u64,
    /// Threads and processes that its user may have for it to start one more. Less than the service
    /// itself may have, so that this does not starve it. The kernel exempts root, which the sandbox
    /// leaves where it can. Default: 7000.
    pub tasks: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 2 << 30, addresses: 16 << 30, files: 1024, tasks: 7000 }
    }
}

impl Limits {
    pub(crate) fn apply(self, devices: bool) -> Result<(), String> {
        let without_devices = [
            (Resource::As, self.addresses),
            // It writes no file. A driver does, in memory.
            (Resource::Fsize, 0),
        ];
        let always = [
            (Resource::Data, self.memory),
            (Resource::Nofile, self.files),
            (Resource::Nproc, self.tasks),
            // A dump of its memory would have pictures in it.
            (Resource::Core, 0),
            // Nor does it use these, which count for its user: it could take them from others.
            (Resource::Memlock, 0),
            (Resource::Msgqueue, 0),
            (Resource::Rtprio, 0),
            (Resource::Nice, 0),
        ];
        let sometimes = without_devices.into_iter().filter(|_| !devices);
        for (resource, most) in sometimes.chain(always) {
            lower(resource, most)
                .map_err(|error| format!("{resource:?} cannot be limited: {error}"))?;
        }
        Ok(())
    }
}

/// A limit that is lower already stays.
fn lower(resource: Resource, most: u64) -> rustix::io::Result<()> {
    let now = getrlimit(resource);
    let least = |now: Option<u64>| Some(now.map_or(most, |now| now.min(most)));
    setrlimit(resource, Rlimit { current: least(now.current), maximum: least(now.maximum) })
}
