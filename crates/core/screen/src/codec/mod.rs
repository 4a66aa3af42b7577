//! The codec that remembers: what was on the screen before, here or elsewhere,
//! is not sent again. Lossless. The format is described in
//! `docs/screen-codec.md`.

mod canvas;
mod compare;
mod costs;
mod decoder;
mod drawn;
mod effort;
mod encoder;
mod frame;
mod memory;
mod moves;
mod pattern;
mod photo;
mod pixels;
mod quick;
mod range;
#[cfg(test)]
mod tests;
mod texture;

pub use canvas::{Canvas, TILE_EDGE};
pub use decoder::{Decoder, FrameError};
pub use encoder::{Encoded, Encoder};
pub use frame::LONGEST;
pub use memory::{TILE_BYTES, TileKey};
