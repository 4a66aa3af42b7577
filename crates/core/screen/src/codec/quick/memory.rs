//! What stood in which surroundings.

use crate::codec::canvas::COLOUR;
use crate::codec::drawn::Pixels;

const FURTHER: usize = 1 << 16;
const NEAR: usize = 1 << 15;
/// Of a hash, what tells surroundings apart that share a place.
const CHECK: u32 = 0xff;
/// How often a near belief was right in a row, at most.
const SURE: u32 = 0xff;

/// The pixels around one that are known before it, by compass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings {
    pub(super) w: u32,
    ww: u32,
    pub(super) n: u32,
    pub(super) nw: u32,
    pub(super) ne: u32,
    nn: u32,
}

impl Surroundings {
    #[inline(always)]
    pub(super) fn of<P: Pixels>(pixels: &P, stride: usize, x: usize) -> Option<Self> {
        let [ww, w] = *pixels.from(x - 2, x).first_chunk()?;
        let [nw, n, ne] = *pixels.from(x - stride - 1, x - stride + 2).first_chunk()?;
        Some(Self { w, ww, n, nw, ne, nn: pixels.get(x - 2 * stride) })
    }

    /// Those of the next pixel, at `x`, behind this one.
    #[inline(always)]
    pub(super) fn step<P: Pixels>(&mut self, pixels: &P, stride: usize, x: usize, pixel: u32) {
        (self.ww, self.w) = (self.w, pixel);
        (self.nw, self.n, self.ne) = (self.n, self.ne, pixels.get(x + 1 - stride));
        self.nn = pixels.get(x - 2 * stride);
    }

    /// Whether all but the farthest are of one colour.
    #[inline(always)]
    pub(super) fn is_flat(&self) -> bool {
        let Self { w, ww, n, nw, ne, .. } = *self;
        (w ^ n) | (w ^ nw) | (w ^ ne) | (w ^ ww) == 0
    }

    #[inline(always)]
    fn nearest(&self) -> u32 {
        let Self { w, n, nw, .. } = *self;
        let product = |value: u32, key: u32| value.wrapping_mul(key);
        product(w, 0x85eb_ca77).wrapping_add(product(n, 0x9e37_79b1)).wrapping_add(product(nw, 0xc2b2_ae3d))
    }

    /// A hash of the three nearest.
    #[inline(always)]
    pub(super) fn near(&self) -> u32 {
        spread(self.nearest())
    }

    /// A hash of all.
    #[inline(always)]
    pub(super) fn hash(&self) -> u32 {
        let Self { ww, ne, nn, .. } = *self;
        let product = |value: u32, key: u32| value.wrapping_mul(key);
        let further = product(ne, 0x27d4_eb2f).wrapping_add(product(ww, 0x1656_67b1));
        spread(self.nearest().wrapping_add(further).wrapping_add(product(nn, 0x2545_f491)))
    }
}

/// Let the upper bits depend on all of a sum's.
#[inline(always)]
fn spread(sum: u32) -> u32 {
    (sum ^ sum >> 15).wrapping_mul(0x2c1b_3c6d)
}

/// The last pixel for a hash of its surroundings.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    /// Eight bits of the hash, the colour.
    further: Box<[u32; FURTHER]>,
    /// How often it was right in a row, the colour.
    near: Box<[u32; NEAR]>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self { further: Box::new([0; FURTHER]), near: Box::new([0; NEAR]) }
    }

    #[inline(always)]
    fn place(hash: u32) -> usize {
        (hash >> 16) as usize & (FURTHER - 1)
    }

    /// What stood in these surroundings.
    #[inline(always)]
    pub(super) fn believed(&self, hash: u32) -> Option<u32> {
        let entry = self.further[Self::place(hash)];
        (entry >> 24 == hash >> 8 & CHECK).then_some(entry & COLOUR)
    }

    #[inline(always)]
    pub(super) fn learn(&mut self, hash: u32, pixel: u32) {
        self.further[Self::place(hash)] = (hash >> 8 & CHECK) << 24 | pixel;
    }

    /// What stood beside the nearest ones, and how often in a row.
    #[inline(always)]
    pub(super) fn near(&self, hash: u32) -> (u32, u32) {
        let entry = self.near[(hash >> 17) as usize & (NEAR - 1)];
        (entry & COLOUR, entry >> 24)
    }

    #[inline(always)]
    pub(super) fn learn_near(&mut self, hash: u32, pixel: u32) {
        let entry = &mut self.near[(hash >> 17) as usize & (NEAR - 1)];
        let sure = *entry >> 24;
        *entry = if *entry & COLOUR == pixel { sure.saturating_add(1).min(SURE) << 24 | pixel } else { pixel };
    }
}
