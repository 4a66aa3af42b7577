//! A viewer's own bounds kept: when the next frame may go.

use std::time::Duration;

use crate::quality::Bounds;

/// When the next frame of a stream may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pace {
    next: Duration,
    /// What comes next answers an input.
    hurries: bool,
    /// The last frame went ahead of its time; another does not before one has
    /// gone in its own, so that input does not lift the bounds.
    ahead: bool,
}

impl Pace {
    /// Before that nothing goes.
    #[must_use]
    pub fn ready_at(&self) -> Duration {
        if self.hurries && !self.ahead { Duration::ZERO } else { self.next }
    }

    /// Somebody has typed or pointed: the next frame shows what came of it.
    pub fn hurry(&mut self) {
        self.hurries = true;
    }

    /// A frame goes out.
    pub fn sent(&mut self, bytes: usize, bounds: Bounds, now: Duration) {
        if bounds == Bounds::default() {
            return self.begin();
        }
        self.ahead = now < self.next;
        self.hurries = false;
        self.next = self.next.max(now) + bounds.share(bytes);
    }

    /// Other bounds hold: what was used up of those before counts no more.
    pub fn begin(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// How many frames of so many bytes go in ten seconds, with an input every so
    /// many milliseconds.
    fn frames(bounds: Bounds, bytes: usize, input: Option<u32>) -> u32 {
        let (mut pace, mut count) = (Pace::default(), 0);
        for at in 0..10_000 {
            if input.is_some_and(|apart| at % apart == 0) {
                pace.hurry();
            }
            if pace.ready_at() <= MS * at {
                pace.sent(bytes, bounds, MS * at);
                count += 1;
            }
        }
        count
    }

    #[test]
    fn bounds_hold() {
        let bounds = |frames_per_second, bytes_per_second| Bounds { frames_per_second, bytes_per_second };
        for (bounds, bytes, expected) in [
            (bounds(0, 0), 1 << 20, 10_000..=10_000),
            (bounds(1, 0), 1 << 20, 10..=10),
            (bounds(15, 0), 0, 148..=151),
            (bounds(60, 0), 100, 588..=601),
            (bounds(0, 100_000), 5_000, 200..=201),
            (bounds(10, 100_000), 5_000, 100..=101),
            (bounds(60, 100_000), 50_000, 20..=21),
        ] {
            for input in [None, Some(5), Some(40), Some(700)] {
                let frames = frames(bounds, bytes, input);
                let (least, most) = expected.clone().into_inner();
                // One may have gone ahead of its time.
                assert!((least..=most + 1).contains(&frames), "{frames} with {bounds:?} and input {input:?}");
            }
        }
    }

    #[test]
    fn the_first_frame_after_an_input_goes_at_once() {
        let bounds = Bounds { frames_per_second: 2, bytes_per_second: 0 };
        let mut pace = Pace::default();
        pace.sent(10, bounds, MS * 1000);
        assert_eq!(pace.ready_at(), MS * 1500);
        pace.hurry();
        assert!(pace.ready_at() <= MS * 1010);
        pace.sent(10, bounds, MS * 1010);
        // It was one of those that are allowed, and the next one waits.
        assert_eq!(pace.ready_at(), MS * 2000);
        pace.hurry();
        assert_eq!(pace.ready_at(), MS * 2000);
        pace.sent(10, bounds, MS * 2000);
        pace.hurry();
        assert!(pace.ready_at() <= MS * 2010);
    }
}
