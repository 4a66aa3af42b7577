//! Tile batches, read. Everything in them is hostile.

use crate::encode::FORMAT;
use crate::framebuffer::{Framebuffer, PIXEL};
use crate::geometry::{Rect, Size};

/// Why a batch is refused; the framebuffer is left as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Another format.
    #[error("the batch has a format that is not known")]
    Format,
    /// Cut short.
    #[error("the batch is cut short")]
    Short,
    /// A rectangle outside the display, or more pixels than the display has.
    #[error("a rectangle lies outside the display")]
    Geometry,
    /// The compressed pixels are damaged or not as many as the rectangles say.
    #[error("the pixels do not decompress to what the rectangles need")]
    Pixels,
}

/// Reads tile batches into a framebuffer.
#[derive(Debug, Default)]
pub struct Decoder {
    framebuffer: Framebuffer,
    pixels: Vec<u8>,
}

impl Decoder {
    /// A decoder for a display of this size, black.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self { framebuffer: Framebuffer::new(size), pixels: Vec::new() }
    }

    /// The picture as it stands.
    #[must_use]
    pub fn framebuffer(&self) -> &Framebuffer {
        &self.framebuffer
    }

    /// Apply one batch; the rectangles that it wrote.
    ///
    /// # Errors
    /// [`DecodeError`]; the decoder then has to ask for a refresh.
    pub fn decode(&mut self, batch: &[u8]) -> Result<Vec<Rect>, DecodeError> {
        let (rects, compressed) = read_rects(batch, self.framebuffer.size())?;
        let expected: usize = rects.iter().map(|rect| rect.area() * 3).sum();
        self.pixels.clear();
        self.pixels.resize(expected, 0);
        let written =
            zstd::bulk::decompress_to_buffer(compressed, &mut self.pixels).map_err(|_| DecodeError::Pixels)?;
        if written != expected {
            return Err(DecodeError::Pixels);
        }
        let mut source = self.pixels.as_slice();
        for rect in &rects {
            for y in rect.y..rect.y + rect.height {
                let (row, rest) = source.split_at((rect.width as usize * 3).min(source.len()));
                source = rest;
                let target = self.framebuffer.row_mut(rect.x, y, rect.width);
                for (pixel, from) in target.chunks_exact_mut(PIXEL).zip(row.chunks_exact(3)) {
                    if let ([blue, green, red, _], [b, g, r]) = (pixel, from) {
                        (*blue, *green, *red) = (*b, *g, *r);
                    }
                }
            }
        }
        Ok(rects)
    }
}

fn read_rects(batch: &[u8], size: Size) -> Result<(Vec<Rect>, &[u8]), DecodeError> {
    let ([format, low, high], mut rest) = batch.split_first_chunk::<3>().ok_or(DecodeError::Short)?;
    if *format != FORMAT {
        return Err(DecodeError::Format);
    }
    let count = usize::from(u16::from_le_bytes([*low, *high]));
    let mut rects = Vec::with_capacity(count.min(rest.len() / 8));
    let mut area = 0;
    for _ in 0..count {
        let ([a, b, c, d, e, f, g, h], after) = rest.split_first_chunk::<8>().ok_or(DecodeError::Short)?;
        rest = after;
        let number = |low: &u8, high: &u8| u32::from(u16::from_le_bytes([*low, *high]));
        let rect = Rect::new(number(a, b), number(c, d), number(e, f), number(g, h));
        area += rect.area();
        // A batch never writes a pixel twice, so it cannot hold more than all.
        if !rect.fits(size) || area > size.area() {
            return Err(DecodeError::Geometry);
        }
        rects.push(rect);
    }
    Ok((rects, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::damage::Damage;
    use crate::encode::Encoder;

    #[test]
    fn hostile_batches() {
        let size = Size::new(100, 50);
        let check = |batch: &[u8], expected| {
            assert_eq!(Decoder::new(size).decode(batch), Err(expected), "{batch:02x?}");
        };
        check(&[], DecodeError::Short);
        check(&[1, 1], DecodeError::Short);
        check(&[2, 0, 0], DecodeError::Format);
        check(&[1, 255, 255], DecodeError::Short);
        check(&[1, 1, 0, 90, 0, 0, 0, 20, 0, 1, 0], DecodeError::Geometry);
        check(&[1, 1, 0, 255, 255, 255, 255, 255, 255, 255, 255], DecodeError::Geometry);
        check(&[1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0], DecodeError::Geometry);
        check(&[1, 1, 0, 0, 0, 0, 0, 9, 0, 1, 0], DecodeError::Pixels);
        let mut twice = vec![1, 2, 0];
        for _ in 0..2 {
            twice.extend([0, 0, 0, 0, 100, 0, 50, 0]);
        }
        check(&twice, DecodeError::Geometry);
        // Fewer pixels than the rectangle needs, and more.
        for pixels in [8, 10] {
            let mut batch = vec![1, 1, 0, 0, 0, 0, 0, 3, 0, 1, 0];
            batch.extend(zstd::bulk::compress(&vec![5; pixels], 1).unwrap());
            check(&batch, DecodeError::Pixels);
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(
            (width, height) in (1u32..300, 1u32..200),
            updates in proptest::collection::vec((0u32..300, 0u32..200, 1u32..100, 1u32..100, any::<u8>()), 1..8),
        ) {
            let size = Size::new(width, height);
            let mut source = Framebuffer::new(size);
            let mut encoder = Encoder::new().unwrap();
            let mut decoder = Decoder::new(size);
            for (x, y, w, h, seed) in updates {
                let mut damage = Damage::new(size);
                if let Some(rect) = Rect::clipped(x.into(), y.into(), w.into(), h.into(), size) {
                    let pixels: Vec<u8> = (0..rect.area()).flat_map(|i| [(i as u8).wrapping_mul(seed), seed, i as u8, 0]).collect();
                    source.absorb(rect, &pixels, &mut damage);
                }
                let batch = encoder.encode(&source, &damage.rects()).unwrap();
                decoder.decode(&batch).unwrap();
                prop_assert_eq!(decoder.framebuffer(), &source);
            }
        }

        #[test]
        fn never_panics(batch in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = Decoder::new(Size::new(64, 64));
            let _: Result<Vec<Rect>, DecodeError> = decoder.decode(&batch);
        }
    }
}
