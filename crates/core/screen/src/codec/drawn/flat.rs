//! Stretches of one colour.

use super::{Drawn, Earlier, MARGIN, Pixels, Run};
use crate::codec::range::Coder;

impl Drawn {
    /// A stretch whose upper neighbours are all of one colour: how far it goes
    /// on in it, and whether that is all of it.
    #[inline(always)]
    pub(super) fn flat<C: Coder, P: Pixels>(
        &mut self,
        coder: &mut C,
        pixels: &mut P,
        run: Run,
        earlier: &Earlier,
        x: usize,
    ) -> (usize, bool) {
        let Run { stride, first, count } = run;
        let end = first + count;
        let colour = pixels.get(x - 1);
        let upper = pixels.from(x + 2 - stride, end + 1 - stride);
        let length = (1 + alike(upper, colour)).min(end - x);
        let mut passed = 0;
        if C::WRITES {
            passed = alike(pixels.from(x, x + length), colour);
        }
        let predicted = earlier.here.get(x - first + MARGIN) == Some(&colour);
        let context = length.ilog2().min(7) as usize * 8
            + usize::from(predicted) * 4
            + usize::from(pixels.get(x - 2 * stride) == colour) * 2
            + usize::from(pixels.get(x - 3 * stride) == colour);
        if coder.bit(&mut self.flat[context], passed == length) {
            for x in x..x + length {
                pixels.put(x, colour);
            }
            return (length, true);
        }
        if length > 1 {
            let bits = 32 - (length as u32 - 1).leading_zeros();
            let models = &mut self.flat_end[bits as usize & 15];
            let position = passed as u32;
            let position = if bits <= 4 {
                coder.tree(models, bits, position)
            } else {
                let high = coder.tree(models, 4, position >> (bits - 4));
                high << (bits - 4) | coder.raw(position & ((1 << (bits - 4)) - 1), bits - 4)
            };
            // Only damaged bytes say more.
            passed = (position as usize).min(length - 1);
        } else {
            passed = 0;
        }
        for x in x..x + passed {
            pixels.put(x, colour);
        }
        (passed, false)
    }
}

/// How many pixels from the first on have this colour.
#[inline(always)]
pub(in crate::codec) fn alike(pixels: &[u32], colour: u32) -> usize {
    let (chunks, rest) = pixels.as_chunks::<8>();
    let mut count = 0;
    for chunk in chunks {
        if chunk.iter().fold(0, |different, pixel| different | (pixel ^ colour)) != 0 {
            return count + chunk.iter().take_while(|pixel| **pixel == colour).count();
        }
        count += 8;
    }
    count + rest.iter().take_while(|pixel| **pixel == colour).count()
}
