//! Pixels of one display: four bytes each, blue, green, red, and one ignored.

use crate::damage::Damage;
use crate::geometry::{Rect, Size};

/// Bytes of a pixel in a framebuffer.
pub const PIXEL: usize = 4;

/// A picture in memory, rows from the top, without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Framebuffer {
    size: Size,
    bytes: Vec<u8>,
}

impl Framebuffer {
    /// A black picture.
    #[must_use]
    pub fn new(size: Size) -> Self {
        Self { size, bytes: vec![0; size.area() * PIXEL] }
    }

    /// Its size.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// All its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// One row's part, `width` pixels from (`x`, `y`); empty when outside.
    #[must_use]
    pub fn row(&self, x: u32, y: u32, width: u32) -> &[u8] {
        let start = (y as usize * self.size.width as usize + x as usize) * PIXEL;
        self.bytes.get(start..start + width as usize * PIXEL).unwrap_or_default()
    }

    /// The same, to write to.
    pub fn row_mut(&mut self, x: u32, y: u32, width: u32) -> &mut [u8] {
        let start = (y as usize * self.size.width as usize + x as usize) * PIXEL;
        self.bytes.get_mut(start..start + width as usize * PIXEL).unwrap_or_default()
    }

    /// Take over freshly captured pixels of `rect` (rows of `rect.width`
    /// pixels, without gaps) and mark in `changed` the tiles that differ.
    pub fn absorb(&mut self, rect: Rect, pixels: &[u8], changed: &mut Damage) {
        if !rect.fits(self.size) || pixels.len() < rect.area() * PIXEL {
            return;
        }
        let stride = rect.width as usize * PIXEL;
        for (y, row) in (rect.y..rect.y + rect.height).zip(pixels.chunks_exact(stride)) {
            let mut x = rect.x;
            let mut row = row;
            while !row.is_empty() {
                let to_edge = crate::TILE - x % crate::TILE;
                let width = to_edge.min(rect.x + rect.width - x);
                let (new, rest) = row.split_at((width as usize * PIXEL).min(row.len()));
                let old = self.row_mut(x, y, width);
                // Comparing slices is vectorised by the compiler's memcmp.
                if old != new {
                    old.copy_from_slice(new);
                    changed.mark(Rect::new(x, y, width, 1));
                }
                x += width;
                row = rest;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_marked() {
        let size = Size::new(200, 100);
        let mut framebuffer = Framebuffer::new(size);
        let mut changed = Damage::new(size);
        let mut pixels = vec![0; size.area() * PIXEL];
        pixels[(70 * 200 + 130) * PIXEL] = 9;
        framebuffer.absorb(size.rect(), &pixels, &mut changed);
        assert_eq!(changed.rects(), [Rect::new(128, 64, 64, 36)]);
        assert_eq!(framebuffer.bytes(), pixels);
        let mut again = Damage::new(size);
        framebuffer.absorb(size.rect(), &pixels, &mut again);
        assert!(again.is_empty());
    }
}
