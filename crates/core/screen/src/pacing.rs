//! How much may be on its way to one viewer: a window that follows delay.
//!
//! The transport is reliable, so a queue that builds up anywhere shows as a
//! round trip longer than the shortest one. The window grows while it does
//! not, and shrinks when it does.

use std::collections::VecDeque;
use std::time::Duration;

const SMALLEST: usize = 8 << 10;
const LARGEST: usize = 8 << 20;
/// Half a second of a megabit: what a slow line takes in without falling far
/// behind. A quick one lets the window double with every round trip.
const FIRST: usize = 64 << 10;
/// Most frames on their way, whatever their size.
const MOST_FRAMES: usize = 8;
/// Queueing delay that is put up with beside a quarter of the round trip.
const TOLERATED: Duration = Duration::from_millis(12);
/// How long a shortest round trip is believed.
const MINIMUM_LIFETIME: Duration = Duration::from_secs(10);
/// How long it is then looked for anew.
const LOOK: Duration = Duration::from_secs(1);

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
    /// The shortest round trip, and until when it is believed.
    minimum: Option<(Duration, Duration)>,
    /// The shortest since it is looked for anew.
    fresh: Option<Duration>,
}

impl Default for Pacer {
    fn default() -> Self {
        Self { window: FIRST, in_flight: VecDeque::new(), bytes: 0, minimum: None, fresh: None }
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

    /// Bytes that the next frame should hold at most: no more than fits, and
    /// half a window, so that one is written while another flies.
    #[must_use]
    pub fn room(&self) -> usize {
        self.window.saturating_sub(self.bytes).min(self.window / 2)
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
        let minimum = self.shortest(round_trip, now);
        let queueing = round_trip - minimum.min(round_trip);
        if queueing <= TOLERATED + minimum / 4 {
            // No more than twice as much at once, however large the frame was.
            self.window = (self.window + arrived.min(self.window)).min(LARGEST);
        } else {
            self.window = (self.window - self.window / 6).max(SMALLEST);
        }
    }

    /// The shortest round trip by now. Every few seconds it is looked for anew,
    /// with half the window: a queue that always stands would be taken for the
    /// line's own delay.
    fn shortest(&mut self, round_trip: Duration, now: Duration) -> Duration {
        let Some((minimum, until)) = self.minimum else {
            self.minimum = Some((round_trip, now + MINIMUM_LIFETIME));
            return round_trip;
        };
        let mut minimum = minimum.min(round_trip);
        let mut believed = until;
        match self.fresh {
            None if now >= until => {
                self.window = (self.window / 2).max(SMALLEST);
                self.fresh = Some(round_trip);
            }
            None => {}
            Some(fresh) => {
                let fresh = fresh.min(round_trip);
                self.fresh = Some(fresh);
                if now >= until + LOOK {
                    (minimum, believed) = (fresh, now + MINIMUM_LIFETIME);
                    self.fresh = None;
                }
            }
        }
        self.minimum = Some((minimum, believed));
        minimum
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

    /// A line of this rate and delay, and frames as large as there is room:
    /// how long the last of them took after a minute.
    fn after_a_minute(bytes_in_a_second: u32, delay: Duration) -> Duration {
        let (mut pacer, mut now, mut free, mut number) = (Pacer::default(), Duration::ZERO, Duration::ZERO, 0);
        let mut flying: VecDeque<(u32, Duration, Duration)> = VecDeque::new();
        let mut took = Duration::ZERO;
        while now < MS * 60_000 {
            now += MS;
            while let Some((frame, sent, _)) = flying.pop_front_if(|(_, _, due)| *due <= now) {
                took = now - sent;
                pacer.acknowledged((1, 1, frame), now);
            }
            while pacer.may_send() {
                let bytes = pacer.room().max(1000);
                free = free.max(now) + Duration::from_secs(1) * u32::try_from(bytes).unwrap() / bytes_in_a_second;
                flying.push_back((number, now, free + delay));
                pacer.sent((1, 1, number), bytes, now);
                number += 1;
            }
        }
        took
    }

    #[test]
    fn no_queue_stands_for_long() {
        for (what, rate, delay, most) in [
            ("a megabit, 200 ms", 125_000, MS * 200, MS * 450),
            ("four megabits, 80 ms", 500_000, MS * 80, MS * 200),
            ("a hundred megabits, 10 ms", 12_500_000, MS * 10, MS * 60),
        ] {
            let took = after_a_minute(rate, delay);
            assert!(took <= most, "{what}: a frame takes {took:?}");
        }
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
