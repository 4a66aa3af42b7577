//! What wakes whoever sleeps at the screen.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Bell {
    /// Whether it was rung since somebody last slept.
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ringing.notify_one();
    }

    /// Sleep until it is rung or the time is over (`None`: that never happens). What
    /// was done before a ring is seen after this.
    pub(super) fn sleep(&self, within: Option<Duration>) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rung = match within {
            Some(within) => {
                let slept = self.ringing.wait_timeout_while(rung, within, |rung| !*rung);
                slept.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.ringing.wait_while(rung, |rung| !*rung).unwrap_or_else(PoisonError::into_inner),
        };
        *rung = false;
    }
}
