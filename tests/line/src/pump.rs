//! One direction's thread: reads packets on one side, hands them out on the
//! other when their time has come.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::LineError;
use crate::queue::Queue;
use crate::tun::Tun;

/// Packets that are read before due ones are written again.
const AT_ONCE: usize = 64;

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    begun: Instant,
    bell: OwnedFd,
    ended: std::sync::atomic::AtomicBool,
}

/// A running direction; ended when dropped.
#[derive(Debug)]
pub(crate) struct Pump {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Pump {
    pub(crate) fn start(queue: Queue, from: Arc<Tun>, to: Arc<Tun>) -> Result<Self, LineError> {
        let shared =
            Arc::new(Shared { queue: Mutex::new(queue), begun: Instant::now(), bell: bell()?, ended: false.into() });
        let own = shared.clone();
        let thread = std::thread::Builder::new().name("line-pump".into()).spawn(move || own.run(&from, &to))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Look at the queue or change it; what waits is looked at anew.
    pub(crate) fn with_queue<T>(&self, work: impl FnOnce(&mut Queue) -> T) -> T {
        let done = work(&mut self.shared.lock());
        self.shared.ring();
        done
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.shared.ended.store(true, std::sync::atomic::Ordering::Release);
        self.shared.ring();
        if let Some(thread) = self.thread.take() {
            // It only ends; a panic in it was printed.
            let _: std::thread::Result<()> = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, from: &Tun, to: &Tun) {
        while !self.ended.load(std::sync::atomic::Ordering::Acquire) {
            for _ in 0..AT_ONCE {
                match from.read() {
                    Ok(Some(packet)) => self.lock().offer(packet, self.begun.elapsed()),
                    Ok(None) => break,
                    // The device is down for a moment.
                    Err(_) => break,
                }
            }
            let due = loop {
                let mut queue = self.lock();
                let now = self.begun.elapsed();
                let Some(packet) = queue.take(now) else { break queue.due().map(|due| due.saturating_sub(now)) };
                drop(queue);
                to.write(&packet);
            };
            self.sleep(from, due);
        }
    }

    /// Until a packet comes, the bell rings, or this time has passed.
    #[expect(unsafe_code, reason = "waiting for files is a system call")]
    fn sleep(&self, from: &Tun, within: Option<Duration>) {
        let watch = |fd: i32| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut watched = [watch(from.as_fd().as_raw_fd()), watch(self.bell.as_raw_fd())];
        // Never forever: a device that fails to wake is looked at anyway.
        let within = within.unwrap_or(Duration::from_secs(1));
        let within = libc::timespec {
            tv_sec: libc::time_t::try_from(within.as_secs()).unwrap_or(1),
            tv_nsec: within.subsec_nanos().into(),
        };
        // SAFETY: both files are open as long as `self` and `from`; the array
        // and the time live longer than the call.
        unsafe { libc::ppoll(watched.as_mut_ptr(), watched.len() as libc::nfds_t, &within, std::ptr::null()) };
        if watched.iter().skip(1).any(|bell| bell.revents != 0) {
            let mut rung = [0u8; 8];
            // SAFETY: the counter is read into eight bytes of our own.
            unsafe { libc::read(self.bell.as_raw_fd(), rung.as_mut_ptr().cast(), rung.len()) };
        }
    }

    #[expect(unsafe_code, reason = "an event counter is written by a system call")]
    fn ring(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight bytes of our own are written to a file that is open.
        unsafe { libc::write(self.bell.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

#[expect(unsafe_code, reason = "an event counter is made by a system call")]
fn bell() -> Result<OwnedFd, LineError> {
    // SAFETY: plain system call; the result is checked.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    // SAFETY: the file was made just now and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
