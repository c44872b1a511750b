//! A media process that misbehaves as libraries may, when it gets a signal.

use std::{hint::spin_loop, process::ExitCode, ptr};

const PIECE: usize = 64 << 20;
const PIECES: usize = 64;
const LAST_WORDS: &[u8] = b"memory allocation of 67108864 bytes failed\n";

fn main() -> ExitCode {
    live_vlm_media::run(|| {
        let faults: [(libc::c_int, extern "C" fn(libc::c_int)); 3] = [
            (libc::SIGHUP, write_nowhere),
            (libc::SIGUSR1, turn_in_circles),
            (libc::SIGUSR2, use_memory),
        ];
        for (signal, fault) in faults {
            // SAFETY: each does only what is allowed amid anything else, or is to fail.
            unsafe { libc::signal(signal, fault as *const () as libc::sighandler_t) };
        }
    })
}

extern "C" fn write_nowhere(_: libc::c_int) {
    // SAFETY: it is not.
    unsafe { ptr::without_provenance_mut::<u8>(8).write_volatile(1) };
}

/// The kernel gives it to the thread that began the process, which reads the link.
extern "C" fn turn_in_circles(_: libc::c_int) {
    loop {
        spin_loop();
    }
}

/// 4 GiB, and fails as allocators do.
extern "C" fn use_memory(_: libc::c_int) {
    for _ in 0..PIECES {
        let (access, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: it is memory of its own, of this length, if it is there.
        unsafe {
            let piece = libc::mmap(ptr::null_mut(), PIECE, access, kind, -1, 0);
            if piece == libc::MAP_FAILED {
                libc::write(2, LAST_WORDS.as_ptr().cast(), LAST_WORDS.len());
                libc::abort();
            }
            libc::memset(piece, 1, PIECE);
        }
    }
}
