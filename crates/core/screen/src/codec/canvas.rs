//! A picture as the codec sees it: whole tiles, with room around them, so that
//! what looks at neighbours needs no case for the edges.

use crate::framebuffer::{Framebuffer, PIXEL};
use crate::geometry::{Rect, Size};

/// Edge of the codec's tiles in pixels.
pub(super) const TILE: usize = 32;
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

    /// Take over a rectangle of a framebuffer of the same size.
    pub fn take(&mut self, from: &Framebuffer, rect: Rect) {
        if from.size() != self.size || !rect.fits(self.size) {
            return;
        }
        for y in rect.y..rect.y + rect.height {
            let pixels = from.row(rect.x, y, rect.width);
            let row = self.line_mut(rect.x as usize, y as usize, rect.width as usize);
            for (to, from) in row.iter_mut().zip(pixels.as_chunks::<PIXEL>().0) {
                *to = u32::from_le_bytes(*from) & COLOUR;
            }
        }
    }

    /// Take over a block of another canvas of the same size.
    pub(super) fn copy_block(&mut self, from: &Self, x: usize, y: usize, width: usize, height: usize) {
        for y in y..y + height {
            self.line_mut(x, y, width).copy_from_slice(from.line(x, y, width));
        }
    }
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
