//! The product's own codec, as an agent and a viewer run it.

use anyhow::{Context, Result, ensure};
use gc_screen::Size;
use gc_screen::codec::{Decoder, Encoded, Encoder, TILE_BYTES, TileKey};

use super::{Codec, Outcome, corpus, timed};

/// Bytes of remembered tiles, as they are by default.
const MEMORY: usize = 48 << 20;

pub(super) struct Ours {
    encoder: Encoder,
    decoder: Decoder,
}

impl Ours {
    pub(super) fn new(size: Size) -> Result<Self> {
        let slots = MEMORY / TILE_BYTES;
        Ok(Self {
            encoder: Encoder::new(size, slots, TileKey::new(&[7; 32])),
            decoder: Decoder::new(size, slots).context("too large")?,
        })
    }
}

impl Codec for Ours {
    fn frame(&mut self, frame: &corpus::Frame) -> Result<Outcome> {
        let (encoded, encode) = timed(|| self.encoder.encode(frame.canvas, &frame.damage, usize::MAX));
        // The bytes are on their way by now.
        self.encoder.settle(frame.canvas);
        let Some(Encoded { bytes, .. }) = encoded else { return Ok(Outcome::default()) };
        let (decoded, decode) = timed(|| self.decoder.decode(&bytes));
        ensure!(decoded.is_ok(), "our own frame is refused");
        let is_bad = self.decoder.picture() != frame.canvas;
        Ok(Outcome { bytes: bytes.len(), encode, decode, is_bad })
    }
}
