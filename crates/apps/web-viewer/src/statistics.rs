//! What came, and what it cost, in numbers.

use std::time::Duration;

use gc_protocol::messages::ViewerStatistics;

/// How often the relay is told.
const TELLS: Duration = Duration::from_secs(5);

/// What came in some time.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Sums {
    pub(crate) frames: u32,
    pub(crate) bytes: u64,
    /// How long the frames were encoded and decoded.
    pub(crate) encoded: Duration,
    pub(crate) decoded: Duration,
}

impl Sums {
    /// The share of a frame, where one came.
    pub(crate) fn each(&self, sum: Duration) -> Option<Duration> {
        sum.checked_div(self.frames)
    }
}

/// What came since the relay was told last.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    sums: Sums,
    since: Option<Duration>,
}

impl Tally {
    /// A second has passed; what is to be told, when it is time.
    pub(crate) fn second(&mut self, sums: Sums, now: Duration) -> Option<ViewerStatistics> {
        let since = *self.since.get_or_insert(now.saturating_sub(Duration::from_secs(1)));
        self.sums.frames += sums.frames;
        self.sums.bytes += sums.bytes;
        self.sums.encoded += sums.encoded;
        self.sums.decoded += sums.decoded;
        let passed = now.saturating_sub(since);
        if passed < TELLS {
            return None;
        }
        let all = std::mem::take(&mut self.sums);
        self.since = Some(now);
        let each = |count: u64| {
            let milliseconds = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
            u32::try_from((count * 1000 + milliseconds / 2) / milliseconds).unwrap_or(u32::MAX)
        };
        Some(ViewerStatistics {
            frames_per_second: each(all.frames.into()),
            kbit_per_second: each(all.bytes * 8 / 1000),
            encode_us: micros(all.each(all.encoded)),
            decode_us: micros(all.each(all.decoded)),
            ..ViewerStatistics::default()
        })
    }
}

/// Nothing is 0, and something is not.
pub(crate) fn micros(time: Option<Duration>) -> u32 {
    time.map_or(0, |time| u32::try_from(time.as_micros()).unwrap_or(u32::MAX).max(1))
}
