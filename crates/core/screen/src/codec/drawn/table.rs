//! A memory of pixels.

use crate::codec::canvas::COLOUR;

/// Remembered pixels by a hash of their surroundings: four bits that tell
/// surroundings apart, four that say how often it was right, the colour.
#[derive(Debug, Clone)]
pub(super) struct Table<const SIZE: usize>(Box<[u32]>);

impl<const SIZE: usize> Table<SIZE> {
    pub(super) fn new() -> Self {
        Self(vec![0; SIZE].into_boxed_slice())
    }

    /// Bring all of it near: one after the other is quicker than here and there.
    pub(super) fn warm(&self) {
        let lines = self.0.iter().step_by(16);
        std::hint::black_box(lines.fold(0_u32, |sum, entry| sum.wrapping_add(*entry)));
    }

    /// Below `SIZE`, which is a power of two.
    #[inline(always)]
    fn place(hash: u32) -> usize {
        (hash >> 4) as usize & (SIZE - 1)
    }

    /// The colour, and how far it is to be believed: 0 not at all.
    #[inline(always)]
    pub(super) fn look(&self, hash: u32) -> (u32, usize) {
        let entry = self.0[Self::place(hash)];
        let belief = if entry >> 28 == hash >> 28 { entry >> 24 & 15 } else { 0 };
        (entry & COLOUR, belief as usize)
    }

    /// What was looked up, and believed, is right.
    #[inline(always)]
    pub(super) fn confirm(&mut self, hash: u32) {
        let slot = &mut self.0[Self::place(hash)];
        *slot += u32::from(*slot >> 24 & 15 < 15) << 24;
    }

    #[inline(always)]
    pub(super) fn learn(&mut self, hash: u32, pixel: u32) {
        let check = hash >> 28;
        let fresh = check << 28 | 1 << 24 | pixel;
        let slot = &mut self.0[Self::place(hash)];
        let entry = *slot;
        let belief = entry >> 24 & 15;
        *slot = if entry >> 28 == check {
            if entry & COLOUR == pixel {
                if belief < 15 { entry + (1 << 24) } else { entry }
            } else if belief > 1 {
                entry & 0xf0ff_ffff | (belief >> 1) << 24
            } else {
                fresh
            }
        } else if belief > 3 {
            entry - (1 << 24)
        } else {
            fresh
        };
    }
}
