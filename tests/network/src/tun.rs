//! TUN devices: an interface whose packets a program reads and writes (Documentation/networking/
//! tuntap.rst of the kernel).

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
};

use tokio::io::{Interest, unix::AsyncFd};

use crate::packet::Packet;

const DEVICE: &str = "/dev/net/tun";
/// Larger than any packet of an interface here.
const MOST: usize = 65_536;

/// Makes the interface `name` in the network namespace of the calling thread. It goes when the
/// file is closed.
pub(crate) fn open(name: &str) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(DEVICE)
        .map_err(|error| io::Error::new(error.kind(), format!("{DEVICE}: {error}")))?;
    // SAFETY: ifreq is a struct of integers, for which zeros are values.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let room = request.ifr_name.len() - 1;
    for (at, byte) in request.ifr_name.iter_mut().zip(name.bytes()).take(room) {
        *at = byte as libc::c_char;
    }
    // Packets alone, without anything before them.
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: TUNSETIFF reads an ifreq, which lives until after the call.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw const request) };
    if done < 0 {
        let error = io::Error::last_os_error();
        return Err(io::Error::new(error.kind(), format!("{DEVICE}: {error}")));
    }
    Ok(file)
}

/// The other end of an interface.
pub(crate) struct Tun(AsyncFd<File>);

impl Tun {
    /// Within a runtime.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        // SAFETY: nobody else has the file, and it is open until the AsyncFd is dropped.
        let registered = unsafe { AsyncFd::register(file) };
        Ok(Self(registered.map_err(|failed| failed.into_parts().1)?))
    }

    /// The next packet that the host sends. What is no IPv4 packet is left out. Nothing is lost
    /// when this is dropped while it waits.
    pub(crate) async fn read(&self) -> io::Result<Packet> {
        let read = |mut file: &File| {
            let mut buffer = vec![0; MOST];
            let length = file.read(&mut buffer)?;
            Ok(buffer[..length].to_vec())
        };
        loop {
            let bytes = self.0.async_io(Interest::READABLE, read).await?;
            if let Some(packet) = Packet::parse(bytes) {
                return Ok(packet);
            }
        }
    }

    /// Has the host receive a packet. An interface that is down takes none, as a network would.
    pub(crate) fn write(&self, packet: &Packet) {
        let _ = (&mut self.0.get_ref()).write(packet.bytes());
    }
}
