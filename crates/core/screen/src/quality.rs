//! How a viewer wants its pictures.

use std::time::Duration;

/// Bytes that a frame may always have.
const LEAST: usize = 2_000;
/// Of a second's bytes a frame may have one in so many.
const SHARE: usize = 10;
/// Below so many in a second, as on a line like that, each of them counts.
const NARROW: usize = 1_600_000;

/// Where a viewer is shown video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VideoUse {
    /// Nowhere: every picture is exact.
    #[default]
    Never,
    /// Where a region keeps changing.
    Regions,
    /// Everywhere while anything changes.
    Whole,
}

/// How a viewer wants its pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality {
    /// Where it is shown video.
    pub video: VideoUse,
    /// Most pictures of a video in a second.
    pub frames_per_second: u32,
    /// Most bytes of a picture of a video.
    pub frame_bytes: usize,
    /// For all frames together, video or not.
    pub bounds: Bounds,
}

impl Quality {
    /// Every picture exact.
    pub const EXACT: Self = Self {
        video: VideoUse::Never,
        frames_per_second: 30,
        frame_bytes: usize::MAX,
        bounds: Bounds { frames_per_second: 0, bytes_per_second: 0 },
    };
}

/// What a viewer itself sets bounds to: how many frames, and how many bytes, it is
/// sent in a second. Without any, frames go as the line takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Most frames in a second; 0 where there is no bound.
    pub frames_per_second: u32,
    /// Most bytes in a second; 0 where there is no bound.
    pub bytes_per_second: usize,
}

impl Bounds {
    /// Bytes that the next frame should hold at most.
    #[must_use]
    pub fn room(self) -> usize {
        match self.bytes_per_second {
            0 => usize::MAX,
            bytes => (bytes / SHARE).max(LEAST),
        }
    }

    /// Whether bytes are to be saved, however much the line takes.
    #[must_use]
    pub fn are_narrow(self) -> bool {
        (1..NARROW).contains(&self.bytes_per_second)
    }

    /// For how long a frame of so many bytes uses up what is allowed.
    pub(crate) fn share(self, bytes: usize) -> Duration {
        let frame = Duration::from_secs(1).checked_div(self.frames_per_second).unwrap_or_default();
        let nanoseconds = (bytes as u128 * 1_000_000_000).checked_div(self.bytes_per_second as u128).unwrap_or(0);
        frame.max(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_small_where_little_is_allowed() {
        let room = |bytes_per_second| Bounds { frames_per_second: 0, bytes_per_second }.room();
        assert_eq!([room(0), room(1), room(500_000)], [usize::MAX, LEAST, 50_000]);
    }
}
