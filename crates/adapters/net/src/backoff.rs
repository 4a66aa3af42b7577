//! Growing pauses with jitter, so that many clients do not come back at once.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// How long to wait before the next attempt.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// The next pause: between half and all of a span that doubles each time.
    /// `random` is any number, evenly spread.
    pub fn pause(&mut self, random: u32) -> Duration {
        let span = self.next;
        self.next = (span * 2).min(LONGEST);
        span / 2 + (span / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// It worked: begin with short pauses again.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_stays_bounded() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..10).map(|_| backoff.pause(u32::MAX)).collect();
        assert_eq!(pauses[0], FIRST);
        assert!(pauses.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(pauses[9], LONGEST);
        assert_eq!(backoff.pause(0), LONGEST / 2);
        backoff.reset();
        assert!(backoff.pause(7) <= FIRST);
    }
}
