//! What is not only refused.

use libc::c_long;

use super::rule::{Group, any, has, only};

/// Numbers that the kernel gave out since 2019, the same on every machine, with room for some
/// years. Whoever makes such a call, above all a newer C library, knows an older one for when the
/// kernel lacks it (`ENOSYS`), and takes another error for a failure.
pub(super) const NEWER: std::ops::Range<c_long> = 424..512;

/// What no part of a pipeline ever does. Whoever tries is an attacker, and the process ends.
pub(super) const BREACHES: &[Group] = &[
    Group {
        why: "starting a program or a process",
        calls: &[
            any!(SYS_execve),
            any!(SYS_execveat),
            // Without CLONE_THREAD it makes a process.
            only!(SYS_clone, &[&[has(0, libc::CLONE_THREAD, 0)]]),
            #[cfg(target_arch = "x86_64")]
            any!(SYS_fork),
            #[cfg(target_arch = "x86_64")]
            any!(SYS_vfork),
        ],
    },
    Group {
        why: "looking into other processes, or changing them",
        calls: &[
            any!(SYS_ptrace),
            any!(SYS_process_vm_readv),
            any!(SYS_process_vm_writev),
            any!(SYS_pidfd_getfd),
            any!(SYS_process_madvise),
            any!(SYS_kcmp),
        ],
    },
    Group {
        why: "another view of the system: file systems, namespaces, roots",
        calls: &[
            any!(SYS_mount),
            any!(SYS_umount2),
            any!(SYS_pivot_root),
            any!(SYS_chroot),
            any!(SYS_setns),
            any!(SYS_unshare),
            any!(SYS_open_tree),
            any!(SYS_move_mount),
            any!(SYS_fsopen),
            any!(SYS_fsconfig),
            any!(SYS_fsmount),
            any!(SYS_fspick),
            any!(SYS_mount_setattr),
            any!(SYS_open_by_handle_at),
        ],
    },
    Group {
        why: "being somebody else",
        calls: &[
            any!(SYS_setuid),
            any!(SYS_setgid),
            any!(SYS_setreuid),
            any!(SYS_setregid),
            any!(SYS_setresuid),
            any!(SYS_setresgid),
            any!(SYS_setgroups),
            any!(SYS_setfsuid),
            any!(SYS_setfsgid),
            any!(SYS_capset),
        ],
    },
    Group {
        why: "parts of the kernel where most of its flaws were found",
        calls: &[
            any!(SYS_bpf),
            any!(SYS_perf_event_open),
            any!(SYS_userfaultfd),
            any!(SYS_keyctl),
            any!(SYS_add_key),
            any!(SYS_request_key),
        ],
    },
    Group {
        why: "what is root's",
        calls: &[
            any!(SYS_init_module),
            any!(SYS_finit_module),
            any!(SYS_delete_module),
            any!(SYS_kexec_load),
            any!(SYS_kexec_file_load),
            any!(SYS_reboot),
            any!(SYS_swapon),
            any!(SYS_swapoff),
            any!(SYS_acct),
            any!(SYS_settimeofday),
            any!(SYS_clock_settime),
            any!(SYS_adjtimex),
            any!(SYS_sethostname),
            any!(SYS_quotactl),
            any!(SYS_fanotify_init),
        ],
    },
];
