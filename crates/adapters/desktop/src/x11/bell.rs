//! What wakes whoever sleeps at the display's connection: an event counter of the
//! system, which is waited for together with the connection.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, read, write};

use crate::DesktopError;

#[derive(Debug)]
pub(crate) struct Bell {
    /// Rung, and nobody has heard it yet: more rings wake nobody.
    rung: AtomicBool,
    counter: OwnedFd,
}

impl Bell {
    pub(super) fn new() -> Result<Self, DesktopError> {
        let counter = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| DesktopError::Refused(format!("nothing to be woken by: {error}")))?;
        Ok(Self { rung: AtomicBool::new(false), counter })
    }

    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // Fails where the counter is full, which wakes as well.
            let _: Result<usize, Errno> = write(&self.counter, &1u64.to_ne_bytes());
        }
    }

    /// Whether it was rung since it was last heard. What was done before a ring is
    /// seen after this.
    pub(super) fn heard(&self) -> bool {
        let rung = self.rung.swap(false, Ordering::AcqRel);
        if rung {
            self.silence();
        }
        rung
    }

    fn silence(&self) {
        let mut count = [0; 8];
        // Fails where it is at zero already.
        let _: Result<usize, Errno> = read(&self.counter, &mut count);
    }

    /// Sleep until it is rung, `also` has something to read, or the time is over
    /// (`None`: that never happens). May wake for nothing.
    pub(super) fn sleep(&self, also: Option<BorrowedFd<'_>>, within: Option<Duration>) {
        let within = within.and_then(|within| Timespec::try_from(within).ok());
        let counter = PollFd::from_borrowed_fd(self.counter.as_fd(), PollFlags::IN);
        // One that is interrupted has woken for nothing.
        let _: Result<usize, Errno> = match also {
            Some(also) => poll(&mut [counter, PollFd::from_borrowed_fd(also, PollFlags::IN)], within.as_ref()),
            None => poll(&mut [counter], within.as_ref()),
        };
        // A ring that came between the two steps of hearing has left its mark.
        if !self.rung.load(Ordering::Acquire) {
            self.silence();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::Bell;

    #[test]
    fn a_ring_wakes_once_whether_it_is_early_or_late() {
        let bell = Arc::new(Bell::new().expect("a bell"));
        let long = Duration::from_secs(60);
        bell.ring();
        bell.ring();
        let begun = Instant::now();
        bell.sleep(None, Some(long));
        assert!(bell.heard());
        assert!(!bell.heard());
        let ringer = bell.clone();
        let other = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            ringer.ring();
        });
        while !bell.heard() {
            bell.sleep(None, Some(long));
        }
        assert!(begun.elapsed() < long);
        other.join().expect("the ringer");
        // Nothing is left of it.
        let begun = Instant::now();
        bell.sleep(None, Some(Duration::from_millis(30)));
        assert!(begun.elapsed() >= Duration::from_millis(30) && !bell.heard());
    }
}
