//! What a general-purpose compressor makes of the same changes.

use std::io::Write;

use anyhow::Result;
use zstd::stream::raw::CParameter;

use super::{Codec, Outcome, corpus, timed};

/// The pixels of a frame's dirty rectangles, three bytes each.
fn pixels(frame: &corpus::Frame) -> Vec<u8> {
    let mut pixels = Vec::new();
    for rect in frame.damage.rects() {
        for y in rect.y..rect.y + rect.height {
            for pixel in frame.canvas.row(rect.x, y, rect.width) {
                let [blue, green, red, _] = pixel.to_le_bytes();
                pixels.extend([blue, green, red]);
            }
        }
    }
    pixels
}

/// Each frame's dirty rectangles compressed by themselves.
pub(super) struct Rectangles(zstd::bulk::Compressor<'static>);

impl Rectangles {
    pub(super) fn new() -> Result<Self> {
        Ok(Self(zstd::bulk::Compressor::new(1)?))
    }
}

impl Codec for Rectangles {
    fn frame(&mut self, frame: &corpus::Frame) -> Result<Outcome> {
        let pixels = pixels(frame);
        let (compressed, encode) = timed(|| self.0.compress(&pixels));
        let compressed = compressed?;
        let (back, decode) = timed(|| zstd::bulk::decompress(&compressed, pixels.len()));
        // Where the rectangles are costs eight bytes each.
        let bytes = compressed.len() + frame.damage.rects().len() * 8;
        Ok(Outcome { bytes, encode, decode, is_bad: back? != pixels, video: None })
    }
}

/// One stream over all frames that finds what was sent long ago.
pub(super) struct LongDistance {
    encoder: zstd::stream::write::Encoder<'static, Vec<u8>>,
}

impl LongDistance {
    pub(super) fn new() -> Result<Self> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1)?;
        encoder.set_parameter(CParameter::EnableLongDistanceMatching(true))?;
        encoder.set_parameter(CParameter::WindowLog(27))?;
        Ok(Self { encoder })
    }
}

impl Codec for LongDistance {
    fn frame(&mut self, frame: &corpus::Frame) -> Result<Outcome> {
        let pixels = pixels(frame);
        let before = self.encoder.get_ref().len();
        let (written, encode) = timed(|| -> std::io::Result<()> {
            self.encoder.write_all(&pixels)?;
            self.encoder.flush()
        });
        written?;
        let bytes = self.encoder.get_ref().len() - before;
        self.encoder.get_mut().clear();
        Ok(Outcome { bytes, encode, ..Outcome::default() })
    }
}
