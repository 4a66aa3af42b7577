//! Tile batches, written. The format is described in `docs/protocol/tiles.md`.

use crate::framebuffer::{Framebuffer, PIXEL};
use crate::geometry::Rect;

/// First byte of a batch.
pub const FORMAT: u8 = 1;
/// Most rectangles in a batch.
pub const MOST_RECTS: usize = 65_535;

/// Writes tile batches; keeps its buffers and its compressor between frames.
pub struct Encoder {
    compressor: zstd::bulk::Compressor<'static>,
    pixels: Vec<u8>,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

/// The compressor could not be made or ran out of memory.
#[derive(Debug, thiserror::Error)]
#[error("the compressor failed")]
pub struct EncodeError(#[from] std::io::Error);

impl Encoder {
    /// An encoder.
    ///
    /// # Errors
    /// When there is no memory for the compressor.
    pub fn new() -> Result<Self, EncodeError> {
        Ok(Self { compressor: zstd::bulk::Compressor::new(1)?, pixels: Vec::new() })
    }

    /// One batch with the pixels of `rects`; those that do not fit are left out.
    ///
    /// # Errors
    /// When the compressor runs out of memory.
    pub fn encode(&mut self, framebuffer: &Framebuffer, rects: &[Rect]) -> Result<Vec<u8>, EncodeError> {
        let rects: Vec<Rect> =
            rects.iter().copied().filter(|rect| rect.fits(framebuffer.size())).take(MOST_RECTS).collect();
        let mut batch = Vec::with_capacity(3 + rects.len() * 8);
        batch.push(FORMAT);
        batch.extend(u16::try_from(rects.len()).unwrap_or(u16::MAX).to_le_bytes());
        self.pixels.clear();
        for rect in &rects {
            for value in [rect.x, rect.y, rect.width, rect.height] {
                batch.extend(u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes());
            }
            // Room first: pixels that are pushed one by one ask for it each time.
            let begun = self.pixels.len();
            self.pixels.resize(begun + rect.area() * 3, 0);
            let rows = self.pixels.get_mut(begun..).unwrap_or_default().chunks_exact_mut(rect.width as usize * 3);
            for (y, to) in (rect.y..rect.y + rect.height).zip(rows) {
                let from = framebuffer.row(rect.x, y, rect.width);
                for (to, from) in to.chunks_exact_mut(3).zip(from.chunks_exact(PIXEL)) {
                    if let ([b, g, r], [blue, green, red, _]) = (to, from) {
                        (*b, *g, *r) = (*blue, *green, *red);
                    }
                }
            }
        }
        batch.extend(self.compressor.compress(&self.pixels)?);
        Ok(batch)
    }
}
