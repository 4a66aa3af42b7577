//! A frame as it is sent, and how it is coded.

use crate::geometry::Rect;

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
