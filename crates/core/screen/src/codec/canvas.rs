//! A picture as the codec sees it: whole tiles, with room around them, so that
//! what looks at neighbours needs no case for the edges.

use crate::damage::Damage;
use crate::geometry::{Rect, Size};

/// Edge of the codec's tiles in pixels.
pub(super) const TILE: usize = 32;
/// The same, as pictures are measured.
pub const TILE_EDGE: u32 = 32;
/// Pixels on the left and right that are always black.
pub(super) const SIDE: usize = 16;
/// Rows above that are always black.
pub(super) const ABOVE: usize = 8;
/// The bits of a pixel that are colour.
pub(super) const COLOUR: u32 = 0x00ff_ffff;

/// Pixels as numbers: red, green, blue from the high to the low byte, and
/// nothing above them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canvas {
    size: Size,
    stride: usize,
    pixels: Vec<u32>,
}

impl Canvas {
    /// A black picture.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let round = |length: u32| (length as usize).div_ceil(TILE) * TILE;
        let stride = SIDE + round(size.width) + SIDE;
        Self { size, stride, pixels: vec![0; stride * (ABOVE + round(size.height))] }
    }

    /// Its size.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// Tiles in a row.
    pub(super) fn columns(&self) -> usize {
        (self.size.width as usize).div_ceil(TILE)
    }

    /// Pixels from one row to the next.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// Where a pixel stands.
    #[inline(always)]
    pub(super) fn at(&self, x: usize, y: usize) -> usize {
        (ABOVE + y) * self.stride + SIDE + x
    }

    /// All pixels, the room around them too.
    pub(super) fn pixels(&self) -> &[u32] {
        &self.pixels
    }

    pub(super) fn pixels_mut(&mut self) -> &mut [u32] {
        &mut self.pixels
    }

    /// `width` pixels from here on.
    #[inline(always)]
    pub(super) fn line(&self, x: usize, y: usize, width: usize) -> &[u32] {
        let start = self.at(x, y);
        self.pixels.get(start..start + width).unwrap_or_default()
    }

    #[inline(always)]
    pub(super) fn line_mut(&mut self, x: usize, y: usize, width: usize) -> &mut [u32] {
        let start = self.at(x, y);
        self.pixels.get_mut(start..start + width).unwrap_or_default()
    }

    /// `width` pixels of a row from `x` on; empty where that leaves the picture.
    #[must_use]
    pub fn row(&self, x: u32, y: u32, width: u32) -> &[u32] {
        if !Rect::new(x, y, width, 1).fits(self.size) {
            return &[];
        }
        self.line(x as usize, y as usize, width as usize)
    }

    /// A part as its rows lie in memory, from its first pixel on, and how many
    /// pixels one row is after the one before. `None` where it leaves the
    /// picture, or its last row has not so many pixels behind it.
    #[must_use]
    pub fn part(&self, part: Rect) -> Option<(&[u32], usize)> {
        let start = self.at(part.x as usize, part.y as usize);
        let whole = start..start + part.height as usize * self.stride;
        part.fits(self.size).then(|| self.pixels.get(whole))?.map(|rows| (rows, self.stride))
    }

    /// Take over freshly captured pixels of `rect` (four bytes each: blue,
    /// green, red and one that says nothing; rows without gaps) and mark in
    /// `changed` the tiles that differ.
    pub fn absorb(&mut self, rect: Rect, bytes: &[u8], changed: &mut Damage) {
        self.absorb_rows(rect, bytes, rect.width as usize * 4, changed);
    }

    /// The same where one row begins so many bytes after the one before.
    pub fn absorb_rows(&mut self, rect: Rect, bytes: &[u8], stride: usize, changed: &mut Damage) {
        let length = rect.width as usize * 4;
        if !rect.fits(self.size) || stride < length || bytes.len() < (rect.height as usize - 1) * stride + length {
            return;
        }
        for (y, row) in (rect.y..rect.y + rect.height).zip(bytes.chunks(stride)) {
            let (row, _) = row.get(..length).unwrap_or_default().as_chunks::<4>();
            let (mut x, mut row) = (rect.x, row);
            while !row.is_empty() {
                let to_edge = crate::TILE - x % crate::TILE;
                let width = to_edge.min(rect.x + rect.width - x);
                let (new, rest) = row.split_at((width as usize).min(row.len()));
                let old = self.line_mut(x as usize, y as usize, new.len());
                // All of it in one breath: that is what a vector unit does best.
                let differ = old.iter().zip(new).fold(0, |differ, (old, new)| differ | (old ^ colour(*new)));
                if differ != 0 {
                    for (old, new) in old.iter_mut().zip(new) {
                        *old = colour(*new);
                    }
                    changed.mark(Rect::new(x, y, width, 1));
                }
                x += width;
                row = rest;
            }
        }
    }

    /// Take over a part of another canvas of the same size.
    pub fn copy(&mut self, from: &Self, part: Rect) {
        if from.size == self.size && part.fits(self.size) {
            self.copy_block(from, part.x as usize, part.y as usize, part.width as usize, part.height as usize);
        }
    }

    /// Take over a block of another canvas of the same size.
    pub(super) fn copy_block(&mut self, from: &Self, x: usize, y: usize, width: usize, height: usize) {
        for y in y..y + height {
            self.line_mut(x, y, width).copy_from_slice(from.line(x, y, width));
        }
    }
}

#[inline(always)]
fn colour(bytes: [u8; 4]) -> u32 {
    u32::from_le_bytes(bytes) & COLOUR
}

/// Whether two blocks of `N` by `rows` pixels are the same, each given by where
/// it begins.
#[inline(always)]
pub(super) fn same<const N: usize>(a: (&[u32], usize), b: (&[u32], usize), rows: usize, stride: usize) -> bool {
    for row in 0..rows {
        let chunk = |(pixels, start): (&'_ [u32], usize)| -> Option<[u32; N]> {
            pixels.get(start + row * stride..)?.first_chunk::<N>().copied()
        };
        let (Some(a), Some(b)) = (chunk(a), chunk(b)) else { return false };
        if a.iter().zip(&b).fold(0, |different, (a, b)| different | (a ^ b)) != 0 {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_may_have_gaps() {
        let mut canvas = Canvas::new(Size::new(8, 4));
        // Three rows of two pixels, twelve bytes apart; the last one has no gap.
        let bytes: Vec<u8> = (0..32).collect();
        let mut changed = Damage::new(canvas.size());
        canvas.absorb_rows(Rect::new(3, 1, 2, 3), &bytes, 12, &mut changed);
        for (y, expected) in [(1, [0x02_0100, 0x06_0504]), (2, [0x0e_0d0c, 0x12_1110]), (3, [0x1a_1918, 0x1e_1d1c])] {
            assert_eq!(canvas.row(3, y, 2), expected);
        }
        assert_eq!(changed.count(), 1);
        // Too few bytes, and rows that overlap, are not taken.
        for (length, stride) in [(31, 12), (32, 7)] {
            let mut canvas = Canvas::new(Size::new(8, 4));
            canvas.absorb_rows(Rect::new(3, 1, 2, 3), &bytes[..length], stride, &mut changed);
            assert_eq!(canvas, Canvas::new(Size::new(8, 4)));
        }
    }

    #[test]
    fn only_what_differs_is_marked() {
        let size = Size::new(200, 100);
        let mut canvas = Canvas::new(size);
        let mut bytes = vec![0; size.area() * 4];
        bytes[(70 * 200 + 130) * 4] = 9;
        // What is no colour is no change.
        bytes[3] = 255;
        for expected in [vec![Rect::new(128, 64, 64, 36)], vec![]] {
            let mut changed = Damage::new(size);
            canvas.absorb(size.rect(), &bytes, &mut changed);
            assert_eq!(changed.rects(), expected);
        }
        assert_eq!(canvas.row(130, 70, 1), [9]);
        assert_eq!(canvas.row(199, 70, 2), []);
    }
}
