//! The random numbers of GLib, of which GStreamer makes the passwords of ICE and much else. GLib's
//! own go on, in each fork, from where they were in the zygote, and whoever has seen enough of them
//! knows the next ones. So these functions take the place of GLib's: a program's symbols come before
//! those of its libraries. The kernel gives each process others.

use std::ffi::c_void;

/// Whether libraries that call GLib's functions get to the ones here.
pub(crate) fn is_taken_from_the_kernel() -> bool {
    let own = [
        (c"g_random_int", g_random_int as *const c_void),
        (c"g_random_int_range", g_random_int_range as *const c_void),
        (c"g_random_double", g_random_double as *const c_void),
        (c"g_random_double_range", g_random_double_range as *const c_void),
        (c"g_random_set_seed", g_random_set_seed as *const c_void),
    ];
    own.into_iter().all(|(name, own)| {
        // SAFETY: the name is a text.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        found.cast_const() == own
    })
}

fn draw() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: it writes no more than there is room for.
    while unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) } != 8 {
        // Only a signal interrupts it.
        if std::io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            std::process::abort();
        }
    }
    u64::from_ne_bytes(bytes)
}

#[unsafe(no_mangle)]
extern "C" fn g_random_int() -> u32 {
    (draw() >> 32) as u32
}

/// From `begin` up to, and without, `end`.
#[unsafe(no_mangle)]
extern "C" fn g_random_int_range(begin: i32, end: i32) -> i32 {
    let span = (i64::from(end) - i64::from(begin)).max(0) as u128;
    let offset = (u128::from(draw()) * span) >> 64;
    (i64::from(begin) + offset as i64) as i32
}

/// From 0 up to, and without, 1.
#[unsafe(no_mangle)]
extern "C" fn g_random_double() -> f64 {
    (draw() >> 11) as f64 / (1_u64 << 53) as f64
}

#[unsafe(no_mangle)]
extern "C" fn g_random_double_range(begin: f64, end: f64) -> f64 {
    begin + g_random_double() * (end - begin)
}

/// Nobody decides what comes next.
#[unsafe(no_mangle)]
extern "C" fn g_random_set_seed(_: u32) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_within_their_range_and_reach_both_ends() {
        let dice: Vec<_> = (0..1000).map(|_| g_random_int_range(-1, 5)).collect();
        assert_eq!((dice.iter().min(), dice.iter().max()), (Some(&-1), Some(&4)));
        g_random_int_range(i32::MIN, i32::MAX);
        assert_eq!(g_random_int_range(3, 3), 3);
        assert!((0..1000).all(|_| (0.0..1.0).contains(&g_random_double())));
        assert!((0..1000).all(|_| (2.0..4.0).contains(&g_random_double_range(2.0, 4.0))));
        let mut drawn: Vec<_> = (0..1000).map(|_| g_random_int()).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert!(drawn.len() > 990);
    }
}
