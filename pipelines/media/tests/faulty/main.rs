//! A media process that misbehaves as libraries may, when it gets a signal. It also tells what
//! OpenSSL draws in it.

use std::{
    hint::spin_loop,
    io::{Write, stderr},
    mem::transmute,
    process::ExitCode,
    ptr,
};

const PIECE: usize = 64 << 20;
const PIECES: usize = 64;
const LAST_WORDS: &[u8] = b"memory allocation of 67108864 bytes failed\n";

fn main() -> ExitCode {
    live_vlm_media::run(|| {
        let _ = writeln!(stderr(), "random {:?}", random());
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

/// From the library that DTLS uses, which is loaded already.
fn random() -> Option<[u8; 16]> {
    let loaded = libc::RTLD_NOW | libc::RTLD_NOLOAD;
    let mut random = [0; 16];
    // SAFETY: this is what `RAND_bytes` of OpenSSL takes, and it writes so many bytes.
    let drawn = unsafe {
        let names = [c"libcrypto.so.3", c"libcrypto.so.1.1"];
        let library = names.into_iter().map(|name| libc::dlopen(name.as_ptr(), loaded));
        let library = library.into_iter().find(|library| !library.is_null())?;
        let draw = libc::dlsym(library, c"RAND_bytes".as_ptr());
        let draw: Option<extern "C" fn(*mut u8, libc::c_int) -> libc::c_int> = transmute(draw);
        draw?(random.as_mut_ptr(), 16)
    };
    (drawn == 1).then_some(random)
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
