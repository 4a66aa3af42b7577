//! What a general-purpose compressor makes of the same changes.

use std::io::Write;

use anyhow::Result;
use gc_screen::encode::Encoder;
use gc_screen::{Decoder, Size};
use zstd::stream::raw::CParameter;

use super::{Codec, Outcome, corpus, timed};

/// Each frame's dirty rectangles compressed by themselves.
pub(super) struct Rectangles {
    encoder: Encoder,
    decoder: Decoder,
}

impl Rectangles {
    pub(super) fn new(size: Size) -> Result<Self> {
        Ok(Self { encoder: Encoder::new()?, decoder: Decoder::new(size) })
    }
}

impl Codec for Rectangles {
    fn frame(&mut self, frame: &corpus::Frame) -> Result<Outcome> {
        let rects = frame.damage.rects();
        let (bytes, encode) = timed(|| self.encoder.encode(frame.framebuffer, &rects));
        let bytes = bytes?;
        let (decoded, decode) = timed(|| self.decoder.decode(&bytes));
        decoded?;
        let is_bad = self.decoder.framebuffer() != frame.framebuffer;
        Ok(Outcome { bytes: bytes.len(), encode, decode, is_bad })
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
        let mut pixels = Vec::new();
        for rect in frame.damage.rects() {
            for y in rect.y..rect.y + rect.height {
                pixels.extend_from_slice(frame.framebuffer.row(rect.x, y, rect.width));
            }
        }
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
