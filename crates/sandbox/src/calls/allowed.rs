//! The calls that a media process makes, in groups, each with its reason. They were found by
//! running pipelines of all codecs under strace; docs/security.md says how to look again.
//!
//! What is missing is answered by an error (`EPERM`), or ends the process: see `refused`.

use libc::c_int;

use super::rule::{Argument, Group, any, has, is, null, only, own};

const NO_CODE: Argument = has(2, libc::PROT_EXEC, 0);
/// The kernel's MAP_TYPE, which has the bits of MAP_SHARED and MAP_PRIVATE.
const MAP_TYPE: c_int = 0x0F;
const SOCKET_TYPE: c_int = 0x0F;
const UDP: Argument = has(1, SOCKET_TYPE, libc::SOCK_DGRAM);
/// Bits of open(2) by which a file is made or changed.
const WRITES: c_int =
    libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | (libc::O_TMPFILE & !libc::O_DIRECTORY);
const MAKES: c_int = libc::O_CREAT | libc::O_TRUNC;
/// What every thread is made with; and that it is not a process, nor in a namespace of its own.
const THREAD: c_int = libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD;
const NAMESPACES: c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;
/// Of the kernel's headers `in.h`, `in6.h` and `sockios.h`.
const IP_UNICAST_IF: c_int = 50;
const IPV6_UNICAST_IF: c_int = 76;
const SIOCGIFNAME: c_int = 0x8910;

/// With and without devices.
pub(super) const ALWAYS: &[Group] = &[
    Group {
        why: "memory",
        calls: &[
            any!(SYS_brk),
            any!(SYS_madvise),
            any!(SYS_membarrier),
            any!(SYS_mremap),
            any!(SYS_munmap),
        ],
    },
    Group {
        why: "threads: no processes, no namespaces",
        calls: &[
            // Not clone3, whose arguments no filter can see: its callers know clone, too.
            only!(SYS_clone, &[&[has(0, THREAD | NAMESPACES, THREAD)]]),
            any!(SYS_exit),
            any!(SYS_exit_group),
            any!(SYS_futex),
            any!(SYS_getcpu),
            any!(SYS_getpid),
            any!(SYS_getppid),
            any!(SYS_gettid),
            any!(SYS_restart_syscall),
            any!(SYS_rseq),
            any!(SYS_sched_get_priority_max),
            any!(SYS_sched_get_priority_min),
            any!(SYS_sched_getaffinity),
            any!(SYS_sched_getattr),
            any!(SYS_sched_getparam),
            any!(SYS_sched_getscheduler),
            any!(SYS_sched_yield),
            any!(SYS_set_robust_list),
            only!(SYS_prctl, &[&[is(0, libc::PR_SET_NAME)], &[is(0, libc::PR_GET_NAME)]],),
        ],
    },
    Group {
        why: "signals to this process alone: an assertion that fails ends it by one",
        calls: &[
            only!(SYS_kill, &[&[own(0)]]),
            only!(SYS_tgkill, &[&[own(0)]]),
            any!(SYS_rt_sigaction),
            any!(SYS_rt_sigprocmask),
            any!(SYS_rt_sigreturn),
            any!(SYS_sigaltstack),
        ],
    },
    Group {
        why: "time",
        calls: &[
            any!(SYS_clock_getres),
            any!(SYS_clock_gettime),
            any!(SYS_clock_nanosleep),
            any!(SYS_gettimeofday),
            any!(SYS_nanosleep),
        ],
    },
    Group {
        why: "what this process is and uses",
        calls: &[
            any!(SYS_getegid),
            any!(SYS_geteuid),
            any!(SYS_getgid),
            any!(SYS_getrusage),
            any!(SYS_getuid),
            any!(SYS_sysinfo),
            any!(SYS_uname),
            only!(SYS_prlimit64, &[&[is(0, 0), null(2)], &[own(0), null(2)]]),
        ],
    },
    Group { why: "random numbers of DTLS, SRTP and ICE", calls: &[any!(SYS_getrandom)] },
    Group {
        why: "waiting",
        calls: &[
            any!(SYS_epoll_create1),
            any!(SYS_epoll_ctl),
            any!(SYS_epoll_pwait),
            any!(SYS_epoll_pwait2),
            any!(SYS_eventfd2),
            any!(SYS_pipe2),
            any!(SYS_ppoll),
            any!(SYS_pselect6),
        ],
    },
    Group {
        why: "files and sockets that are open",
        calls: &[
            any!(SYS_close),
            any!(SYS_close_range),
            any!(SYS_dup),
            any!(SYS_dup3),
            any!(SYS_fstat),
            any!(SYS_getdents64),
            any!(SYS_lseek),
            any!(SYS_pread64),
            any!(SYS_read),
            any!(SYS_readv),
            any!(SYS_write),
            any!(SYS_writev),
            only!(
                SYS_fcntl,
                &[
                    &[is(1, libc::F_DUPFD_CLOEXEC)],
                    &[is(1, libc::F_GETFD)],
                    &[is(1, libc::F_SETFD)],
                    &[is(1, libc::F_GETFL)],
                    &[is(1, libc::F_SETFL)],
                ],
            ),
        ],
    },
    Group {
        why: "looking whether a file is there: Landlock has what can be opened",
        calls: &[
            any!(SYS_faccessat),
            any!(SYS_faccessat2),
            any!(SYS_getcwd),
            any!(SYS_newfstatat),
            any!(SYS_readlinkat),
            any!(SYS_statx),
        ],
    },
    Group {
        why: "UDP for video and STUN; netlink, which says which addresses this host has",
        calls: &[
            only!(
                SYS_socket,
                &[
                    &[is(0, libc::AF_INET), UDP, is(2, 0)],
                    &[is(0, libc::AF_INET), UDP, is(2, libc::IPPROTO_UDP)],
                    &[is(0, libc::AF_INET6), UDP, is(2, 0)],
                    &[is(0, libc::AF_INET6), UDP, is(2, libc::IPPROTO_UDP)],
                    &[
                        is(0, libc::AF_NETLINK),
                        has(1, SOCKET_TYPE, libc::SOCK_RAW),
                        is(2, libc::NETLINK_ROUTE),
                    ],
                ],
            ),
            any!(SYS_bind),
            any!(SYS_connect),
            any!(SYS_getpeername),
            any!(SYS_getsockname),
            any!(SYS_getsockopt),
            any!(SYS_recvfrom),
            any!(SYS_recvmmsg),
            any!(SYS_recvmsg),
            any!(SYS_sendmmsg),
            any!(SYS_sendmsg),
            any!(SYS_sendto),
            any!(SYS_shutdown),
            only!(
                SYS_setsockopt,
                &[
                    // Sizes of buffers, of which the system has a limit.
                    &[is(1, libc::SOL_SOCKET), is(2, libc::SO_RCVBUF)],
                    &[is(1, libc::SOL_SOCKET), is(2, libc::SO_SNDBUF)],
                    // Who shares a port must say so on both sides, and nobody else does.
                    &[is(1, libc::SOL_SOCKET), is(2, libc::SO_REUSEADDR)],
                    &[is(1, libc::SOL_SOCKET), is(2, libc::SO_REUSEPORT)],
                    // Priority on the way, and the interface of the address that was chosen.
                    &[is(1, libc::IPPROTO_IP), is(2, libc::IP_TOS)],
                    &[is(1, libc::IPPROTO_IP), is(2, IP_UNICAST_IF)],
                    &[is(1, libc::IPPROTO_IPV6), is(2, libc::IPV6_TCLASS)],
                    &[is(1, libc::IPPROTO_IPV6), is(2, libc::IPV6_V6ONLY)],
                    &[is(1, libc::IPPROTO_IPV6), is(2, IPV6_UNICAST_IF)],
                ],
            ),
        ],
    },
    Group {
        why: "threads that wake each other: connected, and to nobody else",
        calls: &[only!(
            SYS_socketpair,
            &[&[is(0, libc::AF_UNIX), has(1, SOCKET_TYPE, libc::SOCK_STREAM)]],
        )],
    },
    #[cfg(target_arch = "x86_64")]
    Group {
        why: "the older forms of calls above, which newer machines do not have",
        calls: &[
            any!(SYS_access),
            any!(SYS_arch_prctl),
            any!(SYS_epoll_wait),
            any!(SYS_lstat),
            any!(SYS_pipe),
            any!(SYS_poll),
            any!(SYS_readlink),
            any!(SYS_select),
            any!(SYS_stat),
            any!(SYS_time),
        ],
    },
];

/// Where pictures are decoded by the CPU.
pub(super) const NO_DEVICES: &[Group] = &[
    Group {
        why: "memory of its own, without code in it",
        calls: &[
            only!(SYS_mmap, &[&[NO_CODE, has(3, MAP_TYPE, libc::MAP_PRIVATE)]]),
            only!(SYS_mprotect, &[&[NO_CODE]]),
        ],
    },
    Group {
        why: "reading files, of which Landlock has a short list",
        calls: &[
            only!(SYS_openat, &[&[has(2, WRITES, 0)]]),
            #[cfg(target_arch = "x86_64")]
            only!(SYS_open, &[&[has(1, WRITES, 0)]]),
        ],
    },
    Group {
        why: "how much there is to read; names of interfaces; whether errors go to a terminal",
        calls: &[only!(
            SYS_ioctl,
            &[
                &[is(1, libc::FIONREAD as c_int)],
                &[is(1, libc::FIONBIO as c_int)],
                &[is(1, libc::SIOCGIFINDEX as c_int)],
                &[is(1, SIOCGIFNAME)],
                &[is(1, libc::TCGETS as c_int)],
            ],
        )],
    },
];

/// Where a driver's library decodes pictures.
pub(super) const DEVICES: &[Group] = &[
    Group {
        why: "memory that is the device's, too; drivers come in libraries and make code",
        calls: &[any!(SYS_mmap), any!(SYS_mprotect), any!(SYS_memfd_create)],
    },
    Group {
        why: "devices, which Landlock has by name",
        calls: &[
            only!(SYS_openat, &[&[has(2, MAKES, 0)]]),
            #[cfg(target_arch = "x86_64")]
            only!(SYS_open, &[&[has(1, MAKES, 0)]]),
            any!(SYS_ioctl),
        ],
    },
];
