//! How long a peer has been silent, and how much of it was this server's own
//! absence: a process that was stopped, or starved, has not listened.

use std::time::Duration;

use gc_protocol::limits;

/// Silence of one peer. Times are those of [`crate::clock::Clock::now`].
#[derive(Debug)]
pub(super) struct Silence {
    heard: Duration,
    absent: Duration,
}

impl Silence {
    pub(super) fn since(now: Duration) -> Self {
        Self { heard: now, absent: Duration::ZERO }
    }

    pub(super) fn heard(&mut self, now: Duration) {
        *self = Self::since(now);
    }

    /// A timer that was set to `wanted` ended `now`. Where that is much too
    /// late nobody listened meanwhile, nor was the peer asked for a sign.
    pub(super) fn woken(&mut self, wanted: Duration, now: Duration) {
        let late = now.saturating_sub(wanted);
        if late >= limits::HEARTBEAT_ATTACHED {
            self.absent += late;
        }
    }

    /// All of it: what nobody says for that long holds nothing down.
    pub(super) fn whole(&self, now: Duration) -> Duration {
        now.saturating_sub(self.heard)
    }

    /// That which the peer has to answer for.
    pub(super) fn own(&self, now: Duration) -> Duration {
        self.whole(now).saturating_sub(self.absent)
    }

    /// When [`Self::own`] will have lasted for `length`.
    pub(super) fn lasts(&self, length: Duration) -> Duration {
        self.heard + self.absent + length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn own_absence_is_not_the_peers_silence() {
        let mut silence = Silence::since(seconds(100));
        silence.woken(seconds(101), seconds(113));
        assert_eq!((silence.whole(seconds(113)), silence.own(seconds(113))), (seconds(13), seconds(1)));
        assert_eq!(silence.lasts(seconds(10)), seconds(122));
        // Whoever says nothing after it either has been silent.
        silence.woken(seconds(122), seconds(122));
        assert_eq!(silence.own(seconds(122)), seconds(10));
        silence.heard(seconds(123));
        assert_eq!(silence.own(seconds(124)), seconds(1));
    }

    #[test]
    fn a_timer_that_is_a_little_late_excuses_nobody() {
        let mut silence = Silence::since(seconds(0));
        silence.woken(seconds(1), seconds(1) + Duration::from_millis(900));
        assert_eq!(silence.own(seconds(10)), seconds(10));
    }
}
