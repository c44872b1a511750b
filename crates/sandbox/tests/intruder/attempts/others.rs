//! Other processes, and files.

use std::{
    fs::{self, File},
    io,
    os::unix::process::parent_id,
};

use live_vlm_sandbox::Wall;

use super::{ENDED, NO_ACCESS, NO_SUCH_CALL, NOT_PERMITTED, Row, WORKS};
use crate::call::{Gave, bare, call, number};

const SECCOMP: Option<Wall> = Some(Wall::SystemCalls);
const LANDLOCK: Option<Wall> = Some(Wall::Files);

/// The process that started this one, of the same user.
fn other() -> usize {
    parent_id() as usize
}

pub(super) const MEMORY: Row = Row {
    what: "read or change another process's memory, or take its files",
    gets: ENDED,
    needs: SECCOMP,
    tries: &[
        || call(libc::SYS_ptrace, [libc::PTRACE_ATTACH as usize, other(), 0, 0, 0, 0]),
        || call(libc::SYS_process_vm_readv, [other(), 0, 0, 0, 0, 0]),
        || call(libc::SYS_process_vm_writev, [other(), 0, 0, 0, 0, 0]),
        || bare(libc::SYS_pidfd_getfd),
        || call(libc::SYS_kcmp, [other(), other(), 0, 0, 0, 0]),
    ],
    anybody: false,
};

pub(super) const SIGNALS: Row = Row {
    what: "send a signal to another process",
    gets: NOT_PERMITTED,
    needs: SECCOMP,
    tries: &[
        || call(libc::SYS_kill, [other(), 0, 0, 0, 0, 0]),
        // All that it may.
        || call(libc::SYS_kill, [usize::MAX, 0, 0, 0, 0, 0]),
        || call(libc::SYS_tgkill, [other(), other(), 0, 0, 0, 0]),
        || call(libc::SYS_tkill, [other(), 0, 0, 0, 0, 0]),
    ],
    anybody: true,
};

pub(super) const SIGNALS_NEWER: Row = Row {
    what: "hold another process by a descriptor",
    gets: NO_SUCH_CALL,
    needs: SECCOMP,
    tries: &[
        || call(libc::SYS_pidfd_open, [other(), 0, 0, 0, 0, 0]),
        || bare(libc::SYS_pidfd_send_signal),
    ],
    anybody: false,
};

pub(super) const SCHEDULING: Row = Row {
    what: "slow another process down: its priority, CPUs, limits",
    gets: NOT_PERMITTED,
    needs: SECCOMP,
    tries: &[
        || call(libc::SYS_setpriority, [0, other(), 19, 0, 0, 0]),
        || bare(libc::SYS_sched_setaffinity),
        || bare(libc::SYS_sched_setscheduler),
        || bare(libc::SYS_sched_setattr),
        || bare(libc::SYS_ioprio_set),
        || call(libc::SYS_prlimit64, [other(), 0, 0, 0, 0, 0]),
    ],
    anybody: false,
};

pub(super) const PROC: Row = Row {
    what: "read about any process in /proc: environment, memory, files",
    gets: NO_ACCESS,
    needs: LANDLOCK,
    tries: &[
        || number(fs::read(format!("/proc/{}/environ", other()))),
        || number(fs::read(format!("/proc/{}/cmdline", other()))),
        || number(File::open(format!("/proc/{}/maps", other()))),
        || number(fs::read_dir(format!("/proc/{}/fd", other()))),
        || number(fs::read("/proc/self/status")),
        || number(fs::read_dir("/proc")),
    ],
    anybody: true,
};

pub(super) const FILES: Row = Row {
    what: "read a file or folder of the host: configuration, keys, usage, certificates",
    gets: NO_ACCESS,
    needs: LANDLOCK,
    tries: &[
        || number(fs::read("/etc/passwd")),
        || number(fs::read_dir("/etc")),
        || number(fs::read_dir("/")),
        || number(fs::read_dir("/tmp")),
        || number(File::open("/dev/null")),
        || number(fs::read("/proc/self/root/etc/passwd")),
        || number(fs::read("/dev/../etc/passwd")),
    ],
    anybody: true,
};

pub(super) const LOOKING: Row = Row {
    what: "see whether a file exists, and its size",
    gets: WORKS,
    needs: None,
    tries: &[|| number(fs::metadata("/etc/passwd"))],
    anybody: true,
};

pub(super) const RANDOM: Row = Row {
    what: "read random numbers from /dev/urandom, and how many CPUs there are",
    gets: WORKS,
    needs: None,
    tries: &[
        || {
            let mut bytes = [0; 16];
            number(File::open("/dev/urandom").and_then(|mut file| {
                io::Read::read_exact(&mut file, &mut bytes)?;
                if bytes == [0; 16] { Err(io::ErrorKind::InvalidData.into()) } else { Ok(()) }
            }))
        },
        || number(fs::read("/sys/devices/system/cpu/online")),
    ],
    anybody: true,
};

pub(super) const WRITING: Row = Row {
    what: "write a file, anywhere",
    gets: NOT_PERMITTED,
    needs: SECCOMP,
    tries: &[
        || number(fs::write(of_its_own(), "x")),
        || number(File::options().write(true).open("/dev/null")),
        || number(File::options().append(true).open("/dev/null")),
        || number(File::options().write(true).open("/proc/self/mem")),
        || call(libc::SYS_memfd_create, [c"x".as_ptr() as usize, 0, 0, 0, 0, 0]),
    ],
    anybody: true,
};

/// Where everybody can write.
fn of_its_own() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("live-vlm-intruder-{}", std::process::id()))
}

pub(super) const CHANGING: Row = Row {
    what: "make, rename, link or delete a file or folder, or change whose it is",
    gets: NOT_PERMITTED,
    needs: SECCOMP,
    tries: &[
        || number(fs::create_dir(of_its_own())),
        || bare(libc::SYS_unlinkat),
        || bare(libc::SYS_renameat2),
        || bare(libc::SYS_linkat),
        || bare(libc::SYS_symlinkat),
        || bare(libc::SYS_mknodat),
        || bare(libc::SYS_fchmodat),
        || bare(libc::SYS_fchownat),
        || bare(libc::SYS_truncate),
        || bare(libc::SYS_ftruncate),
        || bare(libc::SYS_setxattr),
        || bare(libc::SYS_utimensat),
        || -> Gave { bare(libc::SYS_inotify_init1) },
    ],
    anybody: false,
};
