//! The screen engine: damage, the codec, streams and pacing.
//!
//! Architectural invariant: pure and deterministic. No clock, no threads, no
//! operating system; what a decoder reads from the wire is bounded before use.

pub mod codec;
mod coded;
pub mod damage;
pub mod geometry;
pub mod pacing;
mod quality;
pub mod streams;
pub mod video;

pub use codec::{Canvas, Decoder, Encoder, FrameError};
pub use coded::{Coded, Kind};
pub use damage::Damage;
pub use geometry::{Rect, Size};
pub use quality::{Bounds, Quality, VideoUse};
pub use streams::{StreamId, Streams, ViewerId};

/// Edge of a tile in pixels.
pub const TILE: u32 = 64;
