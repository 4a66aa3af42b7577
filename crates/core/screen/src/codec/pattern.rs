//! Dithered areas: they repeat every eight pixels, so eight at a time are
//! foretold from the eight beside or above them.

use super::drawn::Pixels;
use super::range::{Bit, Coder};

/// Pixels that are foretold together, and how far away their pattern stands.
pub(super) const PERIOD: usize = 8;
const WIDTH: usize = super::canvas::TILE;
/// Ways to foretell.
pub(super) const KINDS: u8 = 5;

type Group = [u32; PERIOD];

/// Which neighbours may be looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides {
    pub(super) west: bool,
    pub(super) east: bool,
}

/// What stands at `at` by one of [`KINDS`].
#[inline(always)]
pub(super) fn foretell<P: Pixels>(pixels: &P, at: usize, stride: usize, sides: Sides, kind: u8) -> Group {
    let group = |at: usize| pixels.from(at, at + PERIOD).first_chunk().copied().unwrap_or_default();
    let above = at - PERIOD * stride;
    let north = || group(above);
    match kind {
        2 => north(),
        3 if sides.east => group(above + PERIOD),
        _ if !sides.west => north(),
        1 => group(at - PERIOD),
        4 => group(above - PERIOD),
        _ => median(group(at - PERIOD), north(), group(above - PERIOD)),
    }
}

/// Byte by byte: the median of west, north, and what a plane gives.
#[inline(always)]
fn median(west: Group, north: Group, corner: Group) -> Group {
    std::array::from_fn(|index| {
        let (west, north, corner) =
            (west[index].to_le_bytes(), north[index].to_le_bytes(), corner[index].to_le_bytes());
        u32::from_le_bytes(std::array::from_fn(|byte| {
            let (low, high) = (west[byte].min(north[byte]), west[byte].max(north[byte]));
            west[byte].wrapping_add(north[byte]).wrapping_sub(corner[byte]).min(high).max(low)
        }))
    })
}

/// Where the foretold was right.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// By the kind on the left.
    kind: [[Bit; 8]; 6],
    any: [Bit; 8],
    which: Box<[[Bit; 256]; 4]>,
    off: Box<[[Bit; 256]; 12]>,
}

impl Pattern {
    pub(super) fn new() -> Self {
        Self {
            kind: [[Bit::default(); 8]; 6],
            any: [Bit::default(); 8],
            which: Box::new([[Bit::default(); 256]; 4]),
            off: Box::new([[Bit::default(); 256]; 12]),
        }
    }

    /// Which way a tile is foretold; `west` is the left tile's, if it has one.
    pub(super) fn kind<C: Coder>(&mut self, coder: &mut C, west: Option<u8>, kind: u8) -> u8 {
        let models = &mut self.kind[usize::from(west.unwrap_or(KINDS).min(KINDS))];
        coder.tree(models, 3, kind.into()) as u8
    }

    /// Eight lines of a tile, from `first` on.
    #[expect(clippy::too_many_arguments, reason = "surroundings")]
    pub(super) fn band<C: Coder, P: Pixels>(
        &mut self,
        coder: &mut C,
        pixels: &mut P,
        stride: usize,
        first: usize,
        is_top: bool,
        sides: Sides,
        kind: u8,
    ) {
        let mut last = 0;
        for y in 0..PERIOD {
            for x in (0..WIDTH).step_by(PERIOD) {
                let at = first + y * stride + x;
                let sides = Sides { west: x > 0 || sides.west, east: x + PERIOD < WIDTH || is_top || sides.east };
                let mut group = foretell(pixels, at, stride, sides, kind);
                let mut wrong = 0;
                if C::WRITES {
                    for (index, foretold) in group.iter().enumerate() {
                        wrong |= u32::from(pixels.get(at + index) != *foretold) << index;
                    }
                }
                let any = coder.bit(&mut self.any[last.min(3) + usize::from(y > 0) * 4], wrong != 0);
                if any {
                    wrong = coder.tree(&mut self.which[last.min(3)], 8, wrong);
                    for (index, pixel) in group.iter_mut().enumerate() {
                        if wrong >> index & 1 == 1 {
                            *pixel = self.pixel(coder, *pixel, pixels.get(at + index));
                        }
                    }
                }
                for (index, pixel) in group.iter().enumerate() {
                    pixels.put(at + index, *pixel);
                }
                last = if any { wrong.count_ones() as usize } else { 0 };
            }
        }
    }

    fn pixel<C: Coder>(&mut self, coder: &mut C, foretold: u32, actual: u32) -> u32 {
        let (mut pixel, mut size) = (0, 0);
        for channel in 0..3 {
            let place = channel * 8;
            let off = (actual >> place).wrapping_sub(foretold >> place) as u8;
            // Small ones of either sign first.
            let folded = off << 1 ^ (off as i8 >> 7) as u8;
            let folded = coder.tree(&mut self.off[channel as usize * 4 + size], 8, folded.into());
            size = match folded {
                0 => 0,
                1..=2 => 1,
                3..16 => 2,
                _ => 3,
            };
            let off = folded >> 1 ^ (folded & 1).wrapping_neg();
            pixel |= ((foretold >> place).wrapping_add(off) & 255) << place;
        }
        pixel
    }
}
