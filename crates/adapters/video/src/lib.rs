//! H.264: an encoder for regions of a screen, in hardware by Media Foundation
//! where that works and by OpenH264 everywhere, and a decoder for viewers that
//! are no browsers.
//!
//! Colours are those of ITU-R BT.709 with limited range, and say so in the
//! stream. No picture waits for a later one.

mod best;
mod colour;
mod decoder;
mod encoder;
#[cfg(windows)]
mod media_foundation;

pub use best::{Best, Hardware, Readiness, Trust};
pub use decoder::{Decoder, Picture, VideoError};
pub use encoder::{OpenH264, openh264};
#[cfg(windows)]
pub use media_foundation::MediaFoundation;

/// What encodes video on this system.
#[cfg(windows)]
pub type ScreenVideo = Best<MediaFoundation>;
/// What encodes video on this system.
#[cfg(not(windows))]
pub type ScreenVideo = OpenH264;

/// This system's encoder, one for a stream.
#[cfg(windows)]
#[must_use]
pub fn screen_video() -> Option<ScreenVideo> {
    static TRUST: Trust = Trust::new();
    Some(Best::new(&TRUST))
}

/// This system's encoder, one for a stream.
#[cfg(not(windows))]
#[must_use]
pub fn screen_video() -> Option<ScreenVideo> {
    openh264()
}
