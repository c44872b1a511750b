//! Memory, code, files and threads.

use std::{fs::File, thread};

use live_vlm_sandbox::Wall;

use super::{NOT_PERMITTED, Row};
use crate::call::{Gave, call, map, number};

const SECCOMP: Option<Wall> = Some(Wall::SystemCalls);
const LIMITS: Option<Wall> = Some(Wall::Limits);
const READ: i32 = libc::PROT_READ;
const WRITE: i32 = libc::PROT_WRITE;
const EXECUTE: i32 = libc::PROT_EXEC;
const PAGE: usize = 4096;

pub(super) const CODE: Row = Row {
    what: "run code of its own: make memory executable, load a library",
    gets: NOT_PERMITTED,
    needs: SECCOMP,
    tries: &[
        || map(PAGE, READ | EXECUTE, libc::MAP_PRIVATE),
        || map(PAGE, READ | WRITE | EXECUTE, libc::MAP_PRIVATE),
        || {
            let page = map(PAGE, READ | WRITE, libc::MAP_PRIVATE)?.cast_unsigned() as usize;
            let rights = (READ | EXECUTE).cast_unsigned() as usize;
            call(libc::SYS_mprotect, [page, PAGE, rights, 0, 0, 0])
        },
        // Other machines do not have it everywhere.
        #[cfg(target_arch = "x86_64")]
        || {
            let page = map(PAGE, READ | WRITE, libc::MAP_PRIVATE)?.cast_unsigned() as usize;
            let (rights, no_key) = ((READ | EXECUTE).cast_unsigned() as usize, usize::MAX);
            call(libc::SYS_pkey_mprotect, [page, PAGE, rights, no_key, 0, 0])
        },
    ],
    anybody: true,
};

pub(super) const LIMIT: Row = Row {
    what: "use more memory than the limit",
    gets: "`ENOMEM`",
    needs: LIMITS,
    tries: &[
        || map(300 << 20, READ | WRITE, libc::MAP_PRIVATE),
        // By many small pieces.
        || {
            for _ in 0..300 {
                map(1 << 20, READ | WRITE, libc::MAP_PRIVATE)?;
            }
            Ok(0)
        },
        // Reserved first, made writable afterwards.
        || {
            let reserved = map(300 << 20, libc::PROT_NONE, libc::MAP_PRIVATE)?;
            let rights = (READ | WRITE).cast_unsigned() as usize;
            let at = reserved.cast_unsigned() as usize;
            call(libc::SYS_mprotect, [at, 300 << 20, rights, 0, 0, 0])
        },
    ],
    anybody: true,
};

pub(super) const SHARED: Row = Row {
    what: "share memory, which counts for nobody's limit, or lock it",
    gets: NOT_PERMITTED,
    needs: SECCOMP,
    tries: &[
        || map(PAGE, READ | WRITE, libc::MAP_SHARED),
        || call(libc::SYS_shmget, [0, PAGE, 0o1600, 0, 0, 0]),
        || call(libc::SYS_mlockall, [4, 0, 0, 0, 0, 0]),
    ],
    anybody: false,
};

pub(super) const OPEN_FILES: Row = Row {
    what: "open more files or sockets than the limit",
    gets: "`EMFILE`",
    needs: LIMITS,
    tries: &[|| {
        let mut kept = Vec::new();
        for _ in 0..65 {
            match File::open("/dev/urandom") {
                Ok(file) => kept.push(file),
                Err(error) => return number::<()>(Err(error)),
            }
        }
        Ok(0)
    }],
    anybody: true,
};

pub(super) const THREADS: Row = Row {
    what: "start more threads than the limit",
    gets: "`EAGAIN`",
    needs: Some(Wall::User),
    tries: &[|| -> Gave {
        for _ in 0..65 {
            let sleeper = thread::Builder::new().stack_size(64 << 10);
            let sleeping = || loop {
                thread::park();
            };
            if let Err(error) = sleeper.spawn::<_, ()>(sleeping) {
                return number::<()>(Err(error));
            }
        }
        Ok(0)
    }],
    anybody: true,
};

pub(super) const LIMITS_RAISED: Row = Row {
    what: "change its limits",
    gets: NOT_PERMITTED,
    needs: SECCOMP,
    tries: &[
        || {
            let more = [u64::MAX; 2];
            let resource = libc::RLIMIT_DATA as usize;
            call(libc::SYS_prlimit64, [0, resource, crate::call::at(&more), 0, 0, 0])
        },
        || call(libc::SYS_setrlimit, [libc::RLIMIT_CORE as usize, 0, 0, 0, 0, 0]),
    ],
    anybody: false,
};
