//! A shared memory segment that the X server writes pictures into.

use x11rb::connection::Connection;
use x11rb::protocol::shm::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

use crate::DesktopError;

/// A System V segment, attached on both sides.
#[derive(Debug)]
pub(super) struct Segment {
    id: u32,
    address: *mut libc::c_void,
    length: usize,
}

// SAFETY: the address is valid in every thread of the process, and the segment
// is used by one owner at a time.
unsafe impl Send for Segment {}

impl Segment {
    /// A segment of `length` bytes. Fails where server and program do not
    /// share memory (another machine, another container).
    pub(super) fn new(connection: &RustConnection, length: usize) -> Result<Self, DesktopError> {
        let refused = |what: &str| DesktopError::Refused(format!("shared memory: {what}"));
        // SAFETY: plain system call; the result is checked.
        let shmid = unsafe { libc::shmget(libc::IPC_PRIVATE, length, libc::IPC_CREAT | 0o600) };
        if shmid < 0 {
            return Err(refused("none to be had"));
        }
        // SAFETY: the segment was made just now; the result is checked.
        let address = unsafe { libc::shmat(shmid, std::ptr::null(), 0) };
        let attached = (address as isize != -1).then(|| {
            let id = connection.generate_id().ok()?;
            connection.shm_attach(id, u32::try_from(shmid).ok()?, false).ok()?.check().ok()?;
            Some(id)
        });
        // SAFETY: marks our own segment to vanish with its last user.
        unsafe { libc::shmctl(shmid, libc::IPC_RMID, std::ptr::null_mut()) };
        match attached {
            Some(Some(id)) => Ok(Self { id, address, length }),
            Some(None) => {
                // SAFETY: it was attached just above and is used no more.
                unsafe { libc::shmdt(address) };
                Err(refused("the display does not take it"))
            }
            None => Err(refused("cannot be mapped")),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// What the server has written.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping lives as long as `self` and has this length; the
        // server writes to it only while a request of our own is answered.
        unsafe { std::slice::from_raw_parts(self.address.cast(), self.length) }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: the mapping was made in `new` and is used no more.
        unsafe { libc::shmdt(self.address) };
    }
}
