//! Programs, namespaces, root's calls.

use live_vlm_sandbox::Wall;

use super::{ENDED, NO_SUCH_CALL, NOT_PERMITTED, Row};
use crate::call::{bare, call, number};

const SECCOMP: Option<Wall> = Some(Wall::SystemCalls);

pub(super) const PROGRAM: Row = Row {
    what: "start a program",
    gets: ENDED,
    needs: SECCOMP,
    tries: &[
        || number(std::process::Command::new("/bin/true").status()),
        || {
            let (program, none) = (c"/bin/true", [0_usize]);
            let list = none.as_ptr() as usize;
            call(libc::SYS_execve, [program.as_ptr() as usize, list, list, 0, 0, 0])
        },
        || bare(libc::SYS_execveat),
    ],
    anybody: false,
};

pub(super) const PROCESS: Row = Row {
    what: "make a process (`fork`, `vfork`, `clone`)",
    gets: ENDED,
    needs: SECCOMP,
    tries: &[
        || call(libc::SYS_clone, [libc::SIGCHLD.cast_unsigned() as usize, 0, 0, 0, 0, 0]),
        #[cfg(target_arch = "x86_64")]
        || bare(libc::SYS_fork),
        #[cfg(target_arch = "x86_64")]
        || match bare(libc::SYS_vfork) {
            // Both would go on with one stack.
            Ok(0) => std::process::exit(0),
            other => other,
        },
        || call(libc::SYS_clone, [libc::CLONE_NEWUSER.cast_unsigned() as usize, 0, 0, 0, 0, 0]),
    ],
    anybody: false,
};

pub(super) const PROCESS_CLONE3: Row = Row {
    what: "make a process or thread by `clone3`",
    gets: NO_SUCH_CALL,
    needs: SECCOMP,
    tries: &[|| bare(libc::SYS_clone3)],
    anybody: false,
};

pub(super) const NAMESPACES: Row = Row {
    what: "enter or make a namespace",
    gets: ENDED,
    needs: SECCOMP,
    tries: &[
        || call(libc::SYS_unshare, [libc::CLONE_NEWUSER.cast_unsigned() as usize, 0, 0, 0, 0, 0]),
        || bare(libc::SYS_setns),
    ],
    anybody: false,
};

pub(super) const MOUNTS: Row = Row {
    what: "change what is mounted, or its root folder",
    gets: ENDED,
    needs: SECCOMP,
    tries: &[
        || bare(libc::SYS_mount),
        || bare(libc::SYS_umount2),
        || bare(libc::SYS_pivot_root),
        || bare(libc::SYS_chroot),
        || bare(libc::SYS_fsopen),
        || bare(libc::SYS_fsmount),
        || bare(libc::SYS_move_mount),
        || bare(libc::SYS_open_tree),
        || bare(libc::SYS_open_by_handle_at),
    ],
    anybody: false,
};

pub(super) const IDENTITY: Row = Row {
    what: "become another user, or get a capability",
    gets: ENDED,
    needs: SECCOMP,
    tries: &[
        || bare(libc::SYS_setuid),
        || bare(libc::SYS_setresuid),
        || bare(libc::SYS_setresgid),
        || bare(libc::SYS_setgroups),
        || bare(libc::SYS_capset),
    ],
    anybody: false,
};

pub(super) const TRACING: Row = Row {
    what: "use `bpf`, `perf_event_open` or `userfaultfd`",
    gets: ENDED,
    needs: SECCOMP,
    tries: &[
        || bare(libc::SYS_bpf),
        || bare(libc::SYS_perf_event_open),
        || bare(libc::SYS_userfaultfd),
    ],
    anybody: false,
};

pub(super) const KEYS: Row = Row {
    what: "use the kernel's keyrings",
    gets: ENDED,
    needs: SECCOMP,
    tries: &[|| bare(libc::SYS_keyctl), || bare(libc::SYS_add_key), || bare(libc::SYS_request_key)],
    anybody: false,
};

pub(super) const ROOTS: Row = Row {
    what: "what is root's: modules, another kernel, swap, the clock, a restart",
    gets: ENDED,
    needs: SECCOMP,
    tries: &[
        || bare(libc::SYS_init_module),
        || bare(libc::SYS_finit_module),
        || bare(libc::SYS_delete_module),
        || bare(libc::SYS_kexec_load),
        || bare(libc::SYS_swapon),
        || bare(libc::SYS_settimeofday),
        || bare(libc::SYS_reboot),
    ],
    anybody: false,
};

pub(super) const IO_URING: Row = Row {
    what: "use `io_uring`, past which system calls go",
    gets: NO_SUCH_CALL,
    needs: SECCOMP,
    tries: &[
        || bare(libc::SYS_io_uring_setup),
        || bare(libc::SYS_io_uring_enter),
        || bare(libc::SYS_io_uring_register),
    ],
    anybody: false,
};

pub(super) const MORE_RIGHTS: Row = Row {
    what: "change its own sandbox, be dumped or debugged, or outlive its parent",
    gets: NOT_PERMITTED,
    needs: SECCOMP,
    tries: &[
        || bare(libc::SYS_seccomp),
        || prctl(libc::PR_SET_SECCOMP, 0),
        || prctl(libc::PR_SET_DUMPABLE, 1),
        || prctl(libc::PR_SET_PTRACER, usize::MAX),
        || prctl(libc::PR_SET_PDEATHSIG, 0),
        || prctl(libc::PR_CAP_AMBIENT, 0),
    ],
    anybody: false,
};

fn prctl(what: i32, value: usize) -> crate::call::Gave {
    call(libc::SYS_prctl, [what.cast_unsigned() as usize, value, 0, 0, 0, 0])
}
