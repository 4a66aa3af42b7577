//! How much may be on its way to one viewer: a window that follows delay.
//!
//! The transport is reliable, so a queue that builds up anywhere shows as a
//! round trip longer than the shortest one. The window grows while it does
//! not and is made use of, and shrinks when it does.

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
/// A round trip that is so many times as long as wanted does not wait for the
/// window to shrink by and by.
const FAR_TOO_LONG: u32 = 2;
/// How long a shortest round trip is believed.
const MINIMUM_LIFETIME: Duration = Duration::from_secs(10);
/// How long it is then looked for anew.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
struct InFlight {
    frame: (u32, u32, u32),
    bytes: usize,
    /// Bytes on their way when it was sent, its own among them.
    flying: usize,
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
    /// The shortest since it is looked for anew, and since when that is.
    fresh: Option<(Duration, Duration)>,
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
        self.bytes += bytes;
        self.in_flight.push_back(InFlight { frame, bytes, flying: self.bytes, sent_at: now });
    }

    /// A frame was shown: it and everything before it has arrived. Decoding, which
    /// took so long, is no part of the way; whoever tells too much holds up
    /// itself. What was
    /// never sent, or was acknowledged before, changes nothing.
    pub fn acknowledged(&mut self, frame: (u32, u32, u32), decode: Duration, now: Duration) {
        let Some(index) = self.in_flight.iter().position(|sent| sent.frame == frame) else { return };
        let used = self.bytes >= self.window / 2;
        let (mut arrived, mut flying) = (0, 0);
        let mut round_trip = Duration::ZERO;
        for sent in self.in_flight.drain(..=index) {
            arrived += sent.bytes;
            flying = sent.flying;
            round_trip = now.saturating_sub(sent.sent_at);
        }
        let round_trip = round_trip.saturating_sub(decode);
        self.bytes -= arrived.min(self.bytes);
        let minimum = self.shortest(round_trip, used, now);
        let tolerated = TOLERATED + minimum / 4;
        let wanted = minimum + tolerated;
        if round_trip <= wanted {
            // What a window carries is only known where it was filled.
            if used {
                // Twice as much at once where nothing waits, however large the frame
                // was; the nearer the queue comes to what is put up with, the less:
                // what grows now is only seen a round trip later.
                let spare = (wanted - round_trip).div_duration_f64(tolerated);
                self.window = (self.window + share(arrived.min(self.window), spare)).min(LARGEST);
            }
            return;
        }
        // A little too long may be the line's own unevenness.
        let beyond = (round_trip - wanted).div_duration_f64(tolerated);
        let mut window = self.window - share(self.window / 6, beyond);
        if round_trip > wanted * FAR_TOO_LONG {
            // So much went through in that time; the window is what goes
            // through in the time that is wanted.
            window = window.min(share(flying, wanted.div_duration_f64(round_trip)));
        }
        self.window = window.max(SMALLEST);
    }

    /// The shortest round trip by now. Every few seconds it is looked for anew,
    /// with half the window where it is made use of: a queue that always stands
    /// would be taken for the line's own delay.
    fn shortest(&mut self, round_trip: Duration, used: bool, now: Duration) -> Duration {
        let Some((minimum, until)) = self.minimum else {
            self.minimum = Some((round_trip, now + MINIMUM_LIFETIME));
            return round_trip;
        };
        let mut minimum = minimum.min(round_trip);
        let mut believed = until;
        match self.fresh {
            None if now >= until => {
                if used {
                    self.window = (self.window / 2).max(SMALLEST);
                }
                self.fresh = Some((round_trip, now));
            }
            None => {}
            Some((fresh, begun)) => {
                let fresh = fresh.min(round_trip);
                self.fresh = Some((fresh, begun));
                if now >= begun + LOOK {
                    (minimum, believed) = (fresh, now + MINIMUM_LIFETIME);
                    self.fresh = None;
                }
            }
        }
        self.minimum = Some((minimum, believed));
        minimum
    }
}

/// This part of so many bytes, none below zero and all from one on.
fn share(bytes: usize, part: f64) -> usize {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bytes on their way, and a positive share of them"
    )]
    let share = (bytes as f64 * part.clamp(0.0, 1.0)) as usize;
    share
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
            pacer.acknowledged((1, 1, number), Duration::ZERO, MS * number * 100 + MS * 20);
        }
        let grown = pacer.window();
        assert!(grown > FIRST);
        for number in 20..60 {
            pacer.sent((1, 1, number), 50_000, MS * number * 100);
            pacer.acknowledged((1, 1, number), Duration::ZERO, MS * number * 100 + MS * 90);
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
                pacer.acknowledged((1, 1, frame), Duration::ZERO, now);
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

    /// Films and pages that change, frame after frame, on a line that cannot carry
    /// all of them: how long frames take, and how much of it is made use of.
    #[test]
    fn what_is_too_much_does_not_swing() {
        for (what, rate, delay, uneven, most, least) in [
            ("a megabit, 40 ms", 125_000, 40, 0, 105, 85),
            ("a megabit, 200 ms", 125_000, 200, 0, 340, 70),
            ("four megabits, 80 ms", 500_000, 80, 0, 165, 90),
            ("the same, uneven", 500_000, 80, 25, 190, 85),
            ("twenty megabits, 40 ms", 2_500_000, 40, 0, 95, 70),
        ] {
            let (late, carried) = too_much(rate, delay, uneven);
            assert!(late <= MS * most, "{what}: {late:?}");
            assert!(carried >= least, "{what}: {carried} % of what it could carry");
        }
    }

    /// For a minute: how long all but a twentieth of the frames took, once the line
    /// was known, and how much of a hundred it carried.
    fn too_much(rate: u32, delay: u32, uneven: u32) -> (Duration, u64) {
        let (mut pacer, mut now, mut free, mut number) = (Pacer::default(), Duration::ZERO, Duration::ZERO, 0_u32);
        let mut flying: VecDeque<(u32, Duration, Duration)> = VecDeque::new();
        let (mut took, mut due, mut carried, mut last) = (Vec::new(), Duration::ZERO, 0, Duration::ZERO);
        while now < MS * 60_000 {
            now += MS;
            while let Some((frame, sent, _)) = flying.pop_front_if(|(_, _, due)| *due <= now) {
                took.push(now - sent);
                pacer.acknowledged((1, 1, frame), Duration::ZERO, now);
            }
            if now >= due && pacer.may_send() {
                due = now + MS * 33;
                let bytes = pacer.room().clamp(1_000, rate as usize / 10);
                carried += bytes as u64;
                free = free.max(now) + Duration::from_secs(1) * u32::try_from(bytes).unwrap() / rate;
                // Nothing overtakes.
                last = last.max(free + MS * (delay + number.wrapping_mul(0x9e37_79b1) % (uneven + 1)));
                flying.push_back((number, now, last));
                pacer.sent((1, 1, number), bytes, now);
                number += 1;
            }
        }
        let mut took = took.split_off(took.len() / 10);
        took.sort_unstable();
        (took[took.len() * 95 / 100], carried * 100 / 60 / u64::from(rate))
    }

    #[test]
    fn light_load_says_nothing_of_what_the_line_carries() {
        // A megabit and 200 ms; after a minute of little the screen is full of news.
        let (rate, delay) = (125_000, MS * 200);
        for (what, bytes, apart) in [("a spinner", 5_000, 100), ("typing", 60, 50), ("nothing", 1, 5_000)] {
            let (mut pacer, mut number) = (Pacer::default(), 0);
            for at in (0..60_000).step_by(apart) {
                let now = MS * u32::try_from(at).unwrap();
                pacer.sent((1, 1, number), bytes, now);
                let took = delay + Duration::from_secs(1) * u32::try_from(bytes).unwrap() / rate;
                // What is nearly there is of no use to the window.
                pacer.acknowledged((1, 1, number), Duration::ZERO, now + took);
                number += 1;
            }
            while pacer.may_send() {
                pacer.sent((1, 1, number), pacer.room().max(1000), MS * 60_000);
                number += 1;
            }
            let most = 3 * 125_000 / 5;
            assert!(pacer.bytes_in_flight() <= most, "{what}: {} bytes in flight", pacer.bytes_in_flight());
        }
    }

    #[test]
    fn one_far_too_long_round_trip_is_enough() {
        let mut pacer = Pacer { window: 1 << 20, ..Pacer::default() };
        pacer.sent((1, 1, 0), 60, MS);
        pacer.acknowledged((1, 1, 0), Duration::ZERO, MS * 201);
        // Half a megabyte on a megabit: more than four seconds.
        pacer.sent((1, 1, 1), 500_000, MS * 300);
        pacer.acknowledged((1, 1, 1), Duration::ZERO, MS * 4500);
        assert!((25_000..50_000).contains(&pacer.window()), "{}", pacer.window());
    }

    #[test]
    fn a_pause_does_not_shorten_the_look() {
        let mut pacer = Pacer::default();
        let mut number = 0;
        let mut round = |sent: Duration, took: Duration| {
            pacer.sent((1, 1, number), 60_000, sent);
            pacer.acknowledged((1, 1, number), Duration::ZERO, sent + took);
            number += 1;
            pacer.window()
        };
        round(MS, MS * 20);
        // Long after the shortest is believed, over a queue.
        let pause = MINIMUM_LIFETIME + LOOK * 5;
        round(pause, MS * 100);
        let before = round(pause + MS, MS * 100);
        let after = round(pause + MS * 2, MS * 100);
        assert!(after < before || after == SMALLEST, "a queue is taken for the line: {before} to {after}");
        // The look ends in its time, though: this is the line's delay by now.
        round(pause + LOOK * 2, MS * 100);
        assert!(round(pause + LOOK * 3, MS * 100) > after);
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
                    pacer.acknowledged((1, 1, number), Duration::ZERO, now);
                }
                prop_assert!(pacer.in_flight.len() <= MOST_FRAMES);
                prop_assert_eq!(pacer.bytes, pacer.in_flight.iter().map(|sent| sent.bytes).sum::<usize>());
                prop_assert!((SMALLEST..=LARGEST).contains(&pacer.window()));
            }
        }
    }
}
