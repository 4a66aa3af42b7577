//! What a general-purpose compressor makes of the same changes.

use std::io::Write;

use anyhow::{Result, ensure};
use gc_profile::recording::Frame;
use zstd::stream::raw::{self, CParameter, DParameter, Operation as _};

use super::{Codec, Outcome, timed};

/// The pixels of a frame's dirty rectangles, three bytes each.
fn pixels(frame: &Frame) -> Vec<u8> {
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
    fn frame(&mut self, frame: &Frame) -> Result<Outcome> {
        let pixels = pixels(frame);
        let (compressed, encode) = timed(|| self.0.compress(&pixels));
        let compressed = compressed?;
        let (back, decode) = timed(|| zstd::bulk::decompress(&compressed, pixels.len()));
        // Where the rectangles are costs eight bytes each.
        let bytes = compressed.len() + frame.damage.rects().len() * 8;
        Ok(Outcome { bytes, encode, decode, is_bad: back? != pixels, video: None })
    }
}

/// What the stream remembers, in powers of two: 128 MiB on both sides.
const WINDOW_LOG: u32 = 27;

/// One stream over all frames that finds what was sent long ago.
pub(super) struct LongDistance {
    encoder: zstd::stream::write::Encoder<'static, Vec<u8>>,
    decoder: raw::Decoder<'static>,
}

impl LongDistance {
    pub(super) fn new() -> Result<Self> {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1)?;
        encoder.set_parameter(CParameter::EnableLongDistanceMatching(true))?;
        encoder.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
        let mut decoder = raw::Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
        Ok(Self { encoder, decoder })
    }

    /// What a viewer makes of a flushed piece: all of it comes out at once.
    fn decode(&mut self, piece: &[u8], length: usize) -> Result<Vec<u8>> {
        // Room for one byte more, so that too much shows as well.
        let mut back = vec![0; length + 1];
        let (mut taken, mut given) = (0, 0);
        loop {
            let status = self
                .decoder
                .run_on_buffers(piece.get(taken..).unwrap_or_default(), back.get_mut(given..).unwrap_or_default())?;
            taken += status.bytes_read;
            given += status.bytes_written;
            if status.bytes_read == 0 && status.bytes_written == 0 {
                break;
            }
        }
        ensure!(taken == piece.len(), "the stream is not taken in whole");
        back.truncate(given);
        Ok(back)
    }
}

impl Codec for LongDistance {
    fn frame(&mut self, frame: &Frame) -> Result<Outcome> {
        let pixels = pixels(frame);
        let (written, encode) = timed(|| -> std::io::Result<()> {
            self.encoder.write_all(&pixels)?;
            self.encoder.flush()
        });
        written?;
        let piece = std::mem::take(self.encoder.get_mut());
        let (back, decode) = timed(|| self.decode(&piece, pixels.len()));
        // Where the rectangles are costs eight bytes each.
        let bytes = piece.len() + frame.damage.rects().len() * 8;
        Ok(Outcome { bytes, encode, decode, is_bad: back? != pixels, video: None })
    }
}

#[cfg(test)]
mod tests {
    use gc_screen::{Canvas, Damage, Rect, Size};

    use super::*;

    #[test]
    fn every_flushed_piece_is_decoded_and_a_wrong_one_is_seen() -> Result<()> {
        let size = Size::new(64, 64);
        let mut canvas = Canvas::new(size);
        let mut rows = LongDistance::new()?;
        for shade in [9_u8, 70, 9] {
            let mut damage = Damage::new(size);
            canvas.absorb(Rect::new(0, 0, 64, 64), &[shade; 64 * 64 * 4], &mut damage);
            let outcome = rows.frame(&Frame { canvas: &canvas, damage })?;
            assert!(!outcome.is_bad && outcome.bytes > 8, "{shade}: {outcome:?}");
        }
        // What comes after a piece that was lost refers to it.
        let mut chance = fastrand::Rng::with_seed(1);
        let noise: Vec<u8> = (0..4096).map(|_| chance.u8(..)).collect();
        for _ in 0..2 {
            rows.encoder.get_mut().clear();
            rows.encoder.write_all(&noise)?;
            rows.encoder.flush()?;
        }
        let piece = std::mem::take(rows.encoder.get_mut());
        assert!(!rows.decode(&piece, noise.len()).is_ok_and(|back| back == noise));
        Ok(())
    }
}
