//! The screen engine: framebuffer, damage, the tile codec, streams and pacing.
//!
//! Architectural invariant: pure and deterministic. No clock, no threads, no
//! operating system; what a decoder reads from the wire is bounded before use.

pub mod codec;
pub mod damage;
pub mod decode;
pub mod encode;
pub mod framebuffer;
pub mod geometry;
pub mod pacing;
pub mod streams;

pub use damage::Damage;
pub use decode::{DecodeError, Decoder};
pub use framebuffer::Framebuffer;
pub use geometry::{Rect, Size};
pub use streams::{StreamId, Streams, ViewerId};

/// Edge of a tile in pixels.
pub const TILE: u32 = 64;
