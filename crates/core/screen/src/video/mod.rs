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
