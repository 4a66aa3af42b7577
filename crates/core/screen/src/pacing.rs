//! How much may be on its way to one viewer: a window that follows delay.
//!
//! The transport is reliable, so a queue that builds up anywhere shows as a
//! round trip longer than the shortest one. The window grows while it does
//! not, and shrinks when it does.

use std::collections::VecDeque;
use std::time::Duration;

const SMALLEST: usize = 64 << 10;
const LARGEST: usize = 8 << 20;
const FIRST: usize = 512 << 10;
/// Most frames on their way, whatever their size.
const MOST_FRAMES: usize = 8;
/// Queueing delay that is put up with beside a quarter of the round trip.
const TOLERATED: Duration = Duration::from_millis(12);
/// How long a shortest round trip is believed.
const MINIMUM_LIFETIME: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
struct InFlight {
    frame: (u32, u32, u32),
    bytes: usize,
    sent_at: Duration,
}

/// The window of one viewer.
#[derive(Debug)]
pub struct Pacer {
    window: usize,
    in_flight: VecDeque<InFlight>,
    bytes: usize,
    minimum: Option<(Duration, Duration)>,
}

impl Default for Pacer {
    fn default() -> Self {
        Self { window: FIRST, in_flight: VecDeque::new(), bytes: 0, minimum: None }
    }
}

impl Pacer {
    /// Whether another frame may go now.
    #[must_use]
    pub fn may_send(&self) -> bool {
        self.in_flight.len() < MOST_FRAMES && self.bytes < self.window
    }

    /// Bytes on their way.
    #[must_use]
    pub fn bytes_in_flight(&self) -> usize {
        self.bytes
    }

    /// The window in bytes.
    #[must_use]
    pub fn window(&self) -> usize {
        self.window
    }

    /// When the oldest frame on its way was sent.
    #[must_use]
    pub fn oldest(&self) -> Option<Duration> {
        self.in_flight.front().map(|frame| frame.sent_at)
    }

    /// A frame (stream, epoch, number) goes out.
    pub fn sent(&mut self, frame: (u32, u32, u32), bytes: usize, now: Duration) {
        self.in_flight.push_back(InFlight { frame, bytes, sent_at: now });
        self.bytes += bytes;
    }

    /// A frame was shown: it and everything before it has arrived. What was
    /// never sent, or was acknowledged before, changes nothing.
    pub fn acknowledged(&mut self, frame: (u32, u32, u32), now: Duration) {
        let Some(index) = self.in_flight.iter().position(|sent| sent.frame == frame) else { return };
        let mut arrived = 0;
        let mut round_trip = Duration::ZERO;
        for sent in self.in_flight.drain(..=index) {
            arrived += sent.bytes;
            round_trip = now.saturating_sub(sent.sent_at);
        }
        self.bytes -= arrived.min(self.bytes);
        let minimum = match self.minimum {
            Some((minimum, since)) if minimum <= round_trip && now.saturating_sub(since) < MINIMUM_LIFETIME => minimum,
            _ => {
                self.minimum = Some((round_trip, now));
                round_trip
            }
        };
        let queueing = round_trip - minimum.min(round_trip);
        if queueing <= TOLERATED + minimum / 4 {
            self.window = (self.window + arrived).min(LARGEST);
        } else {
            self.window = (self.window - self.window / 6).max(SMALLEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_queue_shrinks_the_window() {
        let mut pacer = Pacer::default();
        for number in 0..20 {
            pacer.sent((1, 1, number), 50_000, MS * number * 100);
            pacer.acknowledged((1, 1, number), MS * number * 100 + MS * 20);
        }
        let grown = pacer.window();
        assert!(grown > FIRST);
        for number in 20..60 {
            pacer.sent((1, 1, number), 50_000, MS * number * 100);
            pacer.acknowledged((1, 1, number), MS * number * 100 + MS * 90);
        }
        assert!(pacer.window() < grown / 2, "{}", pacer.window());
    }

    proptest! {
        /// Bytes in flight pass the window by no more than one frame, and
        /// acknowledgements of what was not sent are worth nothing.
        #[test]
        fn bounded(events in proptest::collection::vec((any::<bool>(), 0u32..100, 1usize..400_000), 0..300)) {
            let mut pacer = Pacer::default();
            let mut next = 0;
            for (now, (send, number, bytes)) in events.into_iter().enumerate() {
                let now = MS * now as u32 * 7;
                if send {
                    if pacer.may_send() {
                        let before = pacer.bytes_in_flight();
                        prop_assert!(before < pacer.window());
                        pacer.sent((1, 1, next), bytes, now);
                        next += 1;
                    }
                } else {
                    pacer.acknowledged((1, 1, number), now);
                }
                prop_assert!(pacer.in_flight.len() <= MOST_FRAMES);
                prop_assert_eq!(pacer.bytes, pacer.in_flight.iter().map(|sent| sent.bytes).sum::<usize>());
                prop_assert!((SMALLEST..=LARGEST).contains(&pacer.window()));
            }
        }
    }
}
