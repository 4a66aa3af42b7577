//! How much may be on its way to one viewer: a window that follows delay.
//!
//! The transport is reliable, so a queue that builds up anywhere shows as a
//! round trip longer than the shortest one. The window grows while it does
//! not and is made use of, and shrinks when it does.

use std::collections::VecDeque;
use std::time::Duration;

const SMALLEST: usize = 4 << 10;
/// What the first frame may hold: TCP sends no more at once on a connection that
/// is new, and waits a round trip for the rest.
const FIRST_FRAME: usize = 12 << 10;
/// While the shortest round trip is looked for.
const SMALLEST_LOOK: usize = 2 << 10;
const LARGEST: usize = 8 << 20;
/// Half a second of a megabit: what a slow line takes in without falling far
/// behind. A quick one lets the window double with every round trip.
const FIRST: usize = 64 << 10;
/// Most frames on their way, whatever their size: what a round trip takes of
/// [`ONE_FRAME`] and a half more, within these bounds.
const FRAMES: (u128, u128) = (8, 64);
/// What one frame may take on the line: what comes next, an answer to a key, waits
/// so long at most once it may go.
const ONE_FRAME: Duration = Duration::from_millis(20);
/// What a frame may hold all the same: smaller ones hardly hold anything.
pub(crate) const SMALLEST_FRAME: usize = 1400;
/// Queueing delay that is put up with beside a part of the round trip.
const TOLERATED: Duration = Duration::from_millis(12);
/// That part: one in so many. Half as much while somebody types or points, who waits
/// behind all of it; a line that is uneven carries less then.
const PART: (u32, u32) = (4, 8);
/// For so long after an input.
const TYPING: Duration = Duration::from_secs(1);
/// A round trip that is so many times as long as wanted says what the line takes
/// in, also where the window was not full.
const FAR_TOO_LONG: u32 = 2;
/// How long a shortest round trip is believed.
const MINIMUM_LIFETIME: Duration = Duration::from_secs(10);
/// The first one.
const FIRST_LIFETIME: Duration = Duration::from_secs(1);
/// How long it is then looked for anew, where little is on its way.
const LOOK: Duration = Duration::from_secs(1);
/// And beside a round trip where much is: a queue is gone by then, but where the
/// line's own delay is shorter than what is put up with.
const SHORT_LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Clone, Copy)]
struct InFlight {
    frame: (u32, u32, u32),
    bytes: usize,
    /// Bytes on their way when it was sent, its own among them.
    flying: usize,
    /// With it the window was full.
    full: bool,
    /// It was as large as it might be, or nothing more might go.
    pressed: bool,
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
    /// When the first frame was acknowledged.
    begun: Duration,
    look: Option<Look>,
    /// When its viewer typed or pointed, if that was just now.
    typed: Option<Duration>,
}

/// The shortest round trip is looked for anew.
#[derive(Debug, Clone, Copy)]
struct Look {
    shortest: Duration,
    ends: Duration,
    /// The window before, where that is halved meanwhile.
    window: Option<usize>,
}

impl Default for Pacer {
    fn default() -> Self {
        Self {
            window: FIRST,
            in_flight: VecDeque::new(),
            bytes: 0,
            minimum: None,
            begun: Duration::ZERO,
            look: None,
            typed: None,
        }
    }
}

impl Pacer {
    /// Whether another frame may go now.
    #[must_use]
    pub fn may_send(&self) -> bool {
        // What hardly holds anything is not worth a frame.
        let least = SMALLEST_FRAME.min(self.window / 4);
        self.in_flight.len() < self.most_frames() && self.bytes + least <= self.window
    }

    /// Whether an answer to an input may go all the same, a small one: somebody
    /// waits for it. A window that was made smaller just now is still full.
    #[must_use]
    pub fn may_answer(&self) -> bool {
        self.in_flight.len() <= self.most_frames() && self.bytes <= self.window + self.window / 4
    }

    /// Its viewer types or points.
    pub fn typed(&mut self, now: Duration) {
        self.typed = Some(now);
    }

    /// The round trip that is put up with where this is the shortest.
    fn wanted(&self, minimum: Duration) -> Duration {
        minimum + TOLERATED + minimum / if self.typed.is_some() { PART.1 } else { PART.0 }
    }

    fn most_frames(&self) -> usize {
        let (minimum, _) = self.minimum.unwrap_or_default();
        let frames = self.wanted(minimum).as_micros() * 3 / 2 / ONE_FRAME.as_micros();
        usize::try_from(frames.clamp(FRAMES.0, FRAMES.1)).unwrap_or(usize::MAX)
    }

    /// Bytes on their way.
    #[must_use]
    pub fn bytes_in_flight(&self) -> usize {
        self.bytes
    }

    /// Bytes that the next frame should hold at most: no more than fits, half a
    /// window, so that one is written while another flies, and what the line
    /// carries in a short time.
    #[must_use]
    pub fn room(&self) -> usize {
        let rest = self.window.saturating_sub(self.bytes);
        // Something is seen at once, and all of it soon, if it fits at all.
        let Some((minimum, _)) = self.minimum else {
            return if self.in_flight.is_empty() { rest.min(FIRST_FRAME) } else { rest };
        };
        let rest = rest.min(self.window / 2);
        // A window that was full lately is what the line carries in the round trip
        // that is wanted.
        let short = share(self.window, ONE_FRAME.div_duration_f64(self.wanted(minimum)));
        // What a frame itself takes is no delay of the line's.
        let short = if self.looks() { short / 2 } else { short };
        rest.min(short.max(SMALLEST_FRAME))
    }

    /// Whether the shortest round trip is looked for with half the window.
    fn looks(&self) -> bool {
        self.look.is_some_and(|look| look.window.is_some())
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
        let most = self.room();
        self.bytes += bytes;
        let full = self.bytes >= self.window - self.window / 8;
        let last = self.in_flight.len() + 1 >= self.most_frames();
        // One that was as large as it might be tells something of a window of which
        // it is a part that counts.
        let large = bytes >= most - most / 4 && self.bytes >= self.window / 4;
        let pressed = large || last || self.bytes >= self.window / 2;
        self.in_flight.push_back(InFlight { frame, bytes, flying: self.bytes, full, pressed, sent_at: now });
    }

    /// A frame was shown: it and everything before it has arrived. Decoding, which
    /// took so long, is no part of the way; whoever tells too much holds up
    /// itself. What was never sent, or was acknowledged before, changes nothing.
    pub fn acknowledged(&mut self, frame: (u32, u32, u32), decode: Duration, now: Duration) {
        let Some(index) = self.in_flight.iter().position(|sent| sent.frame == frame) else { return };
        let (mut arrived, mut used, mut last) = (0, false, None);
        for sent in self.in_flight.drain(..=index) {
            arrived += sent.bytes;
            used |= sent.pressed;
            last = Some(sent);
        }
        let Some(InFlight { flying, full, sent_at, .. }) = last else { return };
        let round_trip = now.saturating_sub(sent_at).saturating_sub(decode);
        self.bytes -= arrived.min(self.bytes);
        let Some(minimum) = self.shortest(round_trip, now) else { return };
        self.typed = self.typed.filter(|typed| now.saturating_sub(*typed) < TYPING);
        let wanted = self.wanted(minimum);
        let tolerated = wanted - minimum;
        if round_trip > wanted {
            // What went before anything was known went all at once: most of the time
            // is its own.
            if sent_at < self.begun && round_trip <= wanted * FAR_TOO_LONG {
                return;
            }
            self.cut(round_trip, wanted, flying, full);
        } else if used && !self.looks() {
            // What a window carries is only known where it was made use of. Twice as
            // much at once where nothing waits, however large the frame was; the
            // nearer the queue comes to what is put up with, the less: what grows now
            // is only seen a round trip later.
            let spare = (wanted - round_trip).div_duration_f64(tolerated);
            self.window = (self.window + share(arrived.min(self.window), spare * spare)).min(LARGEST);
        }
        self.look_anew(round_trip, used, now);
    }

    /// A frame took longer than wanted.
    fn cut(&mut self, round_trip: Duration, wanted: Duration, flying: usize, full: bool) {
        // While it is looked for the shortest, that is the window afterwards.
        let looked = self.look.as_mut().and_then(|look| look.window.as_mut());
        let window = looked.unwrap_or(&mut self.window);
        let far = round_trip > wanted * FAR_TOO_LONG && flying >= SMALLEST;
        let less = if full || far {
            // So much went through in that time; the window is what goes through in
            // the time that is wanted. In a queue that stands, what was sent behind it
            // says the same and cuts no more; a burst into an empty line says a little
            // less than the line carries.
            (*window).min(share(flying, wanted.div_duration_f64(round_trip)))
        } else {
            // A little too long may be the line's own unevenness.
            let beyond = (round_trip - wanted).div_duration_f64(wanted);
            *window - share(*window / 6, beyond)
        };
        *window = less.max(SMALLEST);
    }

    /// The shortest round trip by now; `None` where this is the first one, which
    /// is as short as itself and says nothing.
    fn shortest(&mut self, round_trip: Duration, now: Duration) -> Option<Duration> {
        let Some((minimum, until)) = &mut self.minimum else {
            // It was a large one besides, whose own bytes took their time.
            self.minimum = Some((round_trip, now + FIRST_LIFETIME));
            self.begun = now;
            return None;
        };
        *minimum = round_trip.min(*minimum);
        if let Some(look) = &mut self.look {
            look.shortest = look.shortest.min(round_trip);
            if now >= look.ends {
                (*minimum, *until) = (look.shortest, now + MINIMUM_LIFETIME);
                self.window = look.window.unwrap_or(self.window);
                self.look = None;
            }
        }
        self.minimum.map(|(minimum, _)| minimum)
    }

    /// Every few seconds the shortest round trip is looked for anew, for a moment
    /// with half the window where it is made use of: a queue that always stands
    /// would be taken for the line's own delay.
    fn look_anew(&mut self, round_trip: Duration, used: bool, now: Duration) {
        let Some((minimum, until)) = &mut self.minimum else { return };
        if self.window <= 2 * SMALLEST {
            // That little makes no queue: the line itself may be slower by now.
            *until = (*until).min(now + FIRST_LIFETIME);
        }
        if now < *until || self.look.is_some() {
            return;
        }
        let minimum = *minimum;
        let window = used.then_some(self.window);
        let ends = now + window.map_or(LOOK, |_| SHORT_LOOK + self.wanted(minimum));
        if let Some(window) = window {
            self.window = (window / 2).max(SMALLEST_LOOK);
        }
        self.look = Some(Look { shortest: round_trip, ends, window });
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
        let both = Load { apart: 16, part: 100, most: usize::MAX, typing: false };
        let typing = Load { typing: true, ..both };
        for (what, rate, delay, line, load, most, least) in [
            ("a megabit, 40 ms", 125_000, 40, Uneven::Not, both, 105, 95),
            ("a megabit, 200 ms", 125_000, 200, Uneven::Not, both, 300, 95),
            ("four megabits, 5 ms", 500_000, 5, Uneven::Not, both, 45, 95),
            ("four megabits, 80 ms", 500_000, 80, Uneven::Not, both, 140, 95),
            ("the same, uneven", 500_000, 80, Uneven::By(25), both, 145, 80),
            ("the same, with losses", 500_000, 80, Uneven::Losing, both, 175, 85),
            ("twenty megabits, 40 ms", 2_500_000, 40, Uneven::Not, both, 80, 90),
            ("twenty megabits, 200 ms", 2_500_000, 200, Uneven::Not, both, 300, 90),
            ("twenty megabits, 600 ms", 2_500_000, 600, Uneven::Not, both, 1_200, 80),
            ("a hundred megabits, 80 ms, with losses", 12_500_000, 80, Uneven::Losing, both, 175, 85),
            ("a megabit, 200 ms, somebody types", 125_000, 200, Uneven::Not, typing, 275, 95),
            ("four megabits, 80 ms, somebody types", 500_000, 80, Uneven::Not, typing, 120, 95),
            ("the same, uneven", 500_000, 80, Uneven::By(25), typing, 130, 55),
        ] {
            let (late, carried) = too_much(rate, delay, line, load);
            assert!(late <= MS * most, "{what}: {late:?}");
            let share = carried * 100 / u64::from(rate);
            assert!(share >= least, "{what}: {share} % of what it could carry");
        }
    }

    /// A film that takes less than it might be given each time: its pictures may not
    /// become ever smaller.
    #[test]
    fn a_film_alone_is_not_starved() {
        let film = Load { apart: 33, part: 80, most: 12_000, typing: false };
        for (what, rate, delay, line) in [
            ("four megabits, 80 ms", 500_000, 80, Uneven::Not),
            ("the same, with losses", 500_000, 80, Uneven::Losing),
            ("twenty megabits, 80 ms, with losses", 2_500_000, 80, Uneven::Losing),
            ("twenty megabits, 200 ms, with losses", 2_500_000, 200, Uneven::Losing),
            ("a hundred megabits, 20 ms, uneven", 12_500_000, 20, Uneven::By(25)),
        ] {
            let (_, carried) = too_much(rate, delay, line, film);
            assert!(carried > 200_000, "{what}: {carried} bytes in a second, and 360,000 wanted");
        }
    }

    /// What is there to be sent: a frame so many milliseconds after the one before,
    /// of this percentage of the room there is, and at most so many bytes.
    #[derive(Clone, Copy)]
    struct Load {
        apart: u32,
        part: usize,
        most: usize,
        /// Without pause.
        typing: bool,
    }

    /// What comes to a line's delay.
    #[derive(Clone, Copy)]
    enum Uneven {
        Not,
        /// Up to so many milliseconds.
        By(u32),
        /// One in 64 frames comes a round trip later.
        Losing,
    }

    impl Uneven {
        fn of(self, delay: u32, number: u32) -> u32 {
            match (self, number.wrapping_mul(0x9e37_79b1)) {
                (Self::Not, _) => 0,
                (Self::By(most), noise) => noise % (most + 1),
                (Self::Losing, noise) => u32::from(noise % 64 == 0) * delay,
            }
        }
    }

    /// For a minute: how long all but a twentieth of the frames took, once the line
    /// was known, and how many bytes it carried in a second.
    fn too_much(rate: u32, delay: u32, uneven: Uneven, load: Load) -> (Duration, u64) {
        let (mut pacer, mut now, mut free, mut number) = (Pacer::default(), Duration::ZERO, Duration::ZERO, 0_u32);
        let mut flying: VecDeque<(u32, Duration, Duration)> = VecDeque::new();
        let (mut took, mut due, mut carried, mut last) = (Vec::new(), Duration::ZERO, 0, Duration::ZERO);
        while now < MS * 60_000 {
            now += MS;
            while let Some((frame, sent, _)) = flying.pop_front_if(|(_, _, due)| *due <= now) {
                took.push(now - sent);
                pacer.acknowledged((1, 1, frame), Duration::ZERO, now);
            }
            if load.typing {
                pacer.typed(now);
            }
            if now >= due && pacer.may_send() {
                due = now + MS * load.apart;
                let bytes = (pacer.room() * load.part / 100).clamp(1, load.most);
                carried += bytes as u64;
                free = free.max(now) + Duration::from_secs(1) * u32::try_from(bytes).unwrap() / rate;
                // Nothing overtakes.
                last = last.max(free + MS * (delay + uneven.of(delay, number)));
                flying.push_back((number, now, last));
                pacer.sent((1, 1, number), bytes, now);
                number += 1;
            }
        }
        let mut took = took.split_off(took.len() / 10);
        took.sort_unstable();
        (took[took.len() * 95 / 100], carried / 60)
    }

    #[test]
    fn typing_is_over_after_a_while() {
        let mut pacer = Pacer { minimum: Some((MS * 80, MS * 60_000)), ..Pacer::default() };
        let wanted = |pacer: &Pacer| pacer.wanted(MS * 80);
        assert_eq!(wanted(&pacer), MS * 112);
        for number in 0..3 {
            // Again, before it is over.
            let now = TYPING * number / 2;
            pacer.typed(now);
            pacer.sent((1, 1, number), 100, now);
            pacer.acknowledged((1, 1, number), Duration::ZERO, now + MS * 85);
            assert_eq!(wanted(&pacer), MS * 102);
        }
        pacer.sent((1, 1, 9), 100, TYPING * 2 - MS * 86);
        pacer.acknowledged((1, 1, 9), Duration::ZERO, TYPING * 2 - MS);
        assert_eq!(wanted(&pacer), MS * 102);
        pacer.sent((1, 1, 10), 100, TYPING * 2);
        pacer.acknowledged((1, 1, 10), Duration::ZERO, TYPING * 2 + MS * 85);
        assert_eq!(wanted(&pacer), MS * 112);
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
    fn an_answer_goes_while_little_more_is_on_its_way_than_may_be() {
        for (bytes, may) in [(4_000, true), (5_000, true), (5_001, false), (50_000, false)] {
            let mut pacer = Pacer { window: 4_000, ..Pacer::default() };
            pacer.sent((1, 1, 0), bytes, MS);
            assert_eq!((pacer.may_send(), pacer.may_answer()), (false, may), "{bytes}");
        }
        let mut pacer = Pacer { window: 1 << 20, ..Pacer::default() };
        let frames = (0..1000).take_while(|number| {
            pacer.sent((1, 1, *number), 10, MS);
            pacer.may_answer()
        });
        assert_eq!(frames.count(), FRAMES.0 as usize);
    }

    #[test]
    fn what_goes_first_is_little_and_what_goes_with_it_no_queue() {
        for (second, cut) in [(MS * 150, false), (MS * 400, true)] {
            let mut pacer = Pacer::default();
            assert_eq!(pacer.room(), FIRST_FRAME);
            pacer.sent((1, 1, 0), FIRST_FRAME, MS);
            // Whatever else there is goes at once.
            assert_eq!(pacer.room(), FIRST - FIRST_FRAME);
            pacer.sent((1, 1, 1), FIRST - FIRST_FRAME, MS);
            pacer.acknowledged((1, 1, 0), Duration::ZERO, MS * 90);
            pacer.acknowledged((1, 1, 1), Duration::ZERO, second);
            assert_eq!(pacer.window() < FIRST, cut, "{} after {second:?}", pacer.window());
            // From now on a queue is one.
            let window = pacer.window();
            pacer.sent((1, 1, 2), window, MS * 500);
            pacer.acknowledged((1, 1, 2), Duration::ZERO, MS * 650);
            assert!(pacer.window() < window);
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
        let window = pacer.look.and_then(|look| look.window).unwrap_or(pacer.window());
        assert!((25_000..50_000).contains(&window), "{window}");
    }

    #[test]
    fn a_pause_does_not_shorten_the_look() {
        let mut pacer = Pacer::default();
        let mut number = 0;
        let mut round = |sent: Duration, took: Duration| {
            pacer.sent((1, 1, number), 70_000, sent);
            pacer.acknowledged((1, 1, number), Duration::ZERO, sent + took);
            number += 1;
            (pacer.window(), pacer.minimum.map(|(minimum, _)| minimum))
        };
        round(MS, MS * 20);
        // Long after the shortest is believed, over a queue: with half of what the
        // window is by then, and what it was is believed until the look has ended.
        let pause = MINIMUM_LIFETIME + LOOK * 5;
        let (halved, minimum) = round(pause, MS * 100);
        assert_eq!((halved, minimum), (12_950, Some(MS * 20)));
        assert_eq!(round(pause + MS, MS * 100), (halved, minimum));
        assert_eq!(round(pause + MS * 100, MS * 90), (halved, minimum));
        // It ends in its time: this is the line's delay by now.
        let (after, minimum) = round(pause + SHORT_LOOK + MS * 60, MS * 95);
        assert!(after > halved, "{after}");
        assert_eq!(minimum, Some(MS * 90));
    }

    #[test]
    fn what_is_on_its_way_is_cut_once() {
        let mut pacer = Pacer { window: 100_000, ..Pacer::default() };
        pacer.sent((1, 1, 0), 60, MS);
        pacer.acknowledged((1, 1, 0), Duration::ZERO, MS * 81);
        for number in 1..=10 {
            pacer.sent((1, 1, number), 10_000, MS * 100);
        }
        // All of them wait in the same queue, 14 ms longer than is put up with.
        let windows: Vec<usize> = (6..=10)
            .map(|number| {
                pacer.acknowledged((1, 1, number), Duration::ZERO, MS * 226);
                pacer.window()
            })
            .collect();
        assert!(windows.iter().all(|window| *window >= 53_000), "{windows:?}");
        assert!(windows.is_sorted_by(|earlier, later| earlier >= later), "{windows:?}");
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
                } else if bytes % 8 == 0 {
                    pacer.typed(now);
                } else {
                    pacer.acknowledged((1, 1, number), Duration::ZERO, now);
                }
                prop_assert!(pacer.in_flight.len() <= 64);
                prop_assert_eq!(pacer.bytes, pacer.in_flight.iter().map(|sent| sent.bytes).sum::<usize>());
                let least = if pacer.looks() { SMALLEST_LOOK } else { SMALLEST };
                prop_assert!((least..=LARGEST).contains(&pacer.window()));
            }
        }
    }
}
