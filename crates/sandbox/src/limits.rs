use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How much of the host a process in the sandbox can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory that it can write to, touched or not: heap, pictures, and 8 MiB for each
    /// thread's stack. Default: 2 GiB.
    pub memory: u64,
    /// Bytes of addresses, with what it only reads or reserves. Default: 16 GiB.
    pub addresses: u64,
    /// Open files and sockets. Default: 1024.
    pub files: u64,
    /// Threads and processes that its user may have for it to start one more. The kernel exempts
    /// root, which the sandbox leaves where it can. Default: 4096.
    pub tasks: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 2 << 30, addresses: 16 << 30, files: 1024, tasks: 4096 }
    }
}

impl Limits {
    pub(crate) fn apply(self) -> Result<(), String> {
        let all = [
            (Resource::Data, self.memory),
            (Resource::As, self.addresses),
            (Resource::Nofile, self.files),
            (Resource::Nproc, self.tasks),
            // It writes no file, a dump of its memory neither.
            (Resource::Fsize, 0),
            (Resource::Core, 0),
            // Nor does it use these, which count for its user: it could take them from others.
            (Resource::Memlock, 0),
            (Resource::Msgqueue, 0),
            (Resource::Rtprio, 0),
            (Resource::Nice, 0),
        ];
        for (resource, most) in all {
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
