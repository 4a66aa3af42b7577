//! A TUN device: packets as a file.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use crate::LineError;

/// Largest packet.
pub(crate) const MTU: usize = 1500;
/// Name of the device on both sides.
pub(crate) const NAME: &str = "line";

/// A device in the namespace of the thread that made it; gone when dropped.
#[derive(Debug)]
pub(crate) struct Tun(File);

impl Tun {
    #[expect(unsafe_code, reason = "a device is made by an ioctl")]
    pub(crate) fn new() -> Result<Self, LineError> {
        let refused = |why| LineError::NotAllowed { what: "a TUN device", why };
        let file = File::options()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open("/dev/net/tun")
            .map_err(refused)?;
        // SAFETY: the structure is plain numbers, for which zero is valid.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(NAME.bytes()) {
            *to = from.cast_signed();
        }
        request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_TUN | libc::IFF_NO_PI).unwrap_or_default();
        // SAFETY: the request is of the type that this ioctl reads and writes,
        // and lives longer than the call.
        let made = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF as libc::Ioctl, &raw mut request) };
        if made < 0 { Err(refused(std::io::Error::last_os_error())) } else { Ok(Self(file)) }
    }

    /// The next packet that the system sends here; `None` where none waits.
    pub(crate) fn read(&self) -> std::io::Result<Option<Vec<u8>>> {
        let mut packet = vec![0; MTU];
        match (&self.0).read(&mut packet) {
            Ok(length) => {
                packet.truncate(length);
                Ok(Some(packet))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Hand the system a packet. One that it does not want is lost, as on any
    /// line.
    pub(crate) fn write(&self, packet: &[u8]) {
        let _: std::io::Result<usize> = (&self.0).write(packet);
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
