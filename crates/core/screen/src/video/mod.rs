//! Video beside the lossless picture: what keeps changing and costs much is cut
//! out as a region and sent as video; when it rests it is refined, and all is
//! lossless again. Everything around a region stays lossless throughout.

mod coder;
mod film;
mod motion;
mod overlay;
#[cfg(test)]
mod tests;
mod units;

pub use coder::{ScreenCoder, screen_coders};
pub use overlay::{NoSuchRegion, Overlay};
pub use units::{Sequence, UnitError, sequence, starts_anew, told_in_order, with_parameters};

use crate::codec::Canvas;
use crate::geometry::Rect;
use crate::streams::Bounds;

/// What encodes a region as H.264, one access unit (Annex B) for each picture.
pub trait VideoEncoder {
    /// Whether regions of this size can be encoded.
    fn takes(region: Rect) -> bool;

    /// Encode what `picture` shows in `region`, which may be of any size.
    /// `fresh`: a decoder can begin with this picture; it may be one of those
    /// also where that was not asked for. It should take about so many bytes at
    /// most. `None` where the encoder has failed for good.
    fn encode(&mut self, picture: &Canvas, region: Rect, room: usize, fresh: bool) -> Option<Vec<u8>>;
}

/// Makes a stream's video encoder, where this machine has one.
pub type MakeVideo<V> = fn() -> Option<V>;

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

/// A frame of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    /// What a decoder reads.
    pub bytes: Vec<u8>,
    /// What that is.
    pub kind: Kind,
    /// Where video is shown once this frame is.
    pub region: Option<Rect>,
}

/// How a frame is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By the lossless codec. `rests`: what it changes within the region of the
    /// video is to be shown.
    Tiles {
        /// The video has come to rest and is refined.
        rests: bool,
    },
    /// As video for the region. `fresh`: its decoder begins anew.
    Video {
        /// The decoder needs nothing from before.
        fresh: bool,
    },
}
