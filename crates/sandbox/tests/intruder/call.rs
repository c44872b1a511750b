//! System calls as an attacker makes them, past every library.

use libc::{c_long, c_void};

/// What a call gave, or the number of its error.
pub(crate) type Gave = Result<c_long, i32>;

/// Makes a call. Pointers among the arguments are null, or point to what lives longer.
pub(crate) fn call(number: c_long, arguments: [usize; 6]) -> Gave {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the kernel checks every pointer that it is given. What a call that it allows does to
    // this process, whose only purpose is to make it, cannot harm any other.
    match unsafe { libc::syscall(number, a, b, c, d, e, f) } {
        -1 => Err(last_error()),
        gave => Ok(gave),
    }
}

/// Makes a call with null and zero for all arguments.
pub(crate) fn bare(number: c_long) -> Gave {
    call(number, [0; 6])
}

/// Memory of `bytes`, with these rights.
pub(crate) fn map(bytes: usize, rights: i32, flags: i32) -> Gave {
    let rights = rights.cast_unsigned() as usize;
    let flags = (flags | libc::MAP_ANONYMOUS).cast_unsigned() as usize;
    call(libc::SYS_mmap, [0, bytes, rights, flags, usize::MAX, 0])
}

/// A socket, which is closed again.
pub(crate) fn socket(family: i32, kind: i32, protocol: i32) -> Gave {
    let number = |value: i32| value.cast_unsigned() as usize;
    let socket = call(libc::SYS_socket, [number(family), number(kind), number(protocol), 0, 0, 0])?;
    call(libc::SYS_close, [socket.cast_unsigned() as usize, 0, 0, 0, 0, 0])
}

/// The address of something as an argument.
pub(crate) fn at<T>(value: &T) -> usize {
    std::ptr::from_ref(value).cast::<c_void>() as usize
}

fn last_error() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or_default()
}

/// The error's number, where the standard library made the call.
pub(crate) fn number<T>(result: std::io::Result<T>) -> Gave {
    result.map(|_| 0).map_err(|error| error.raw_os_error().unwrap_or_default())
}
