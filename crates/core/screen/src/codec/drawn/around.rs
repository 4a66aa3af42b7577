//! What is known around a pixel.

use super::Pixels;

/// The pixels around one that are known before it: by compass, the more
/// letters the further away.
pub(super) struct Around {
    pub(super) w: u32,
    pub(super) ww: u32,
    pub(super) www: u32,
    pub(super) n: u32,
    pub(super) nw: u32,
    pub(super) ne: u32,
    pub(super) nee: u32,
    pub(super) nww: u32,
    pub(super) nn: u32,
    pub(super) nne: u32,
    pub(super) nnw: u32,
    pub(super) nnn: u32,
}

impl Around {
    #[inline(always)]
    pub(super) fn of<P: Pixels>(pixels: &P, stride: usize, x: usize) -> Option<Self> {
        let [www, ww, w] = *pixels.from(x - 3, x).first_chunk()?;
        let [nww, nw, n, ne, nee] = *pixels.from(x - stride - 2, x - stride + 3).first_chunk()?;
        let [nnw, nn, nne] = *pixels.from(x - 2 * stride - 1, x - 2 * stride + 2).first_chunk()?;
        let nnn = pixels.get(x - 3 * stride);
        Some(Self { w, ww, www, n, nw, ne, nee, nww, nn, nne, nnw, nnn })
    }

    /// Whether the nearest are all of one colour: a flat stretch may go on.
    #[inline(always)]
    pub(super) fn is_flat(&self) -> bool {
        let Self { w, ww, n, nw, ne, .. } = *self;
        (w ^ n) | (w ^ nw) | (w ^ ne) | (w ^ ww) == 0
    }

    /// Hashes of those next to it, of some more and of all.
    #[inline(always)]
    pub(super) fn hashes(&self) -> [u32; 3] {
        let Self { w, ww, www, n, nw, ne, nee, nww, nn, nne, nnw, nnn } = *self;
        // Sums of products, so that no product waits for another.
        let sum = |pairs: &[(u32, u32)]| {
            pairs.iter().fold(0_u32, |sum, (value, key)| sum.wrapping_add(value.wrapping_mul(*key)))
        };
        let near = sum(&[(w, 0x85eb_ca77), (n, 0x9e37_79b1), (nw, 0xc2b2_ae3d)]);
        let further = near.wrapping_add(sum(&[(ne, 0x27d4_eb2f), (ww, 0x1656_67b1), (nn, 0x2545_f491)]));
        let far = further.wrapping_add(sum(&[
            (nee, 0x7f4a_7c15),
            (nww, 0x1ce4_e5b9),
            (www, 0x94d0_49bb),
            (nne, 0xbf58_476d),
            (nnw, 0x1331_11eb),
            (nnn, 0x165f_35cd),
        ]));
        [spread(near), spread(further), spread(far)]
    }
}

/// Let every bit of a sum have a say in the upper ones.
#[inline(always)]
fn spread(sum: u32) -> u32 {
    let mixed = (sum ^ sum >> 15).wrapping_mul(0x2c1b_3c6d);
    (mixed ^ mixed >> 13).wrapping_mul(0x297a_2d39)
}
