//! H.264 by OpenH264: an encoder for regions of a screen, and a decoder for
//! viewers that are no browsers.
//!
//! Colours are those of ITU-R BT.709 with limited range, and say so in the
//! stream. No picture waits for a later one.

mod colour;
mod decoder;
mod encoder;

pub use decoder::{Decoder, Picture, VideoError};
pub use encoder::{OpenH264, openh264};
