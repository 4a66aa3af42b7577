//! The writer's half: whole lines at once, and each row of tiles backwards.

use super::super::drawn::Pixels;
use super::super::range::Coder;
use super::tables::{LARGE, Photo, SCALE, SYMBOLS, Share, TOTAL};
use super::{CHANNELS, Line, Place, ROOM, Residuals, Sizes, WIDTH, fold, index, level, median, unrest_above};

/// Least state of a lane; it takes in, or gives off, sixteen bits at a time.
pub(super) const LEAST: u32 = 1 << 16;

/// Residuals that wait: they are written backwards, once all of a row are known.
#[derive(Debug, Clone, Default)]
pub(in crate::codec) struct Waiting {
    /// Of the row's tiles, by their place in all tables.
    symbols: Vec<u16>,
    /// Of the rows before, as they will be read.
    words: Vec<u16>,
    /// Where a row is put together.
    scratch: Vec<u16>,
}

impl Waiting {
    pub(in crate::codec) fn clear(&mut self) {
        self.symbols.clear();
        self.words.clear();
    }

    pub(in crate::codec) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Append what [`super::Stored`] reads from the end.
    pub(in crate::codec) fn finish(&self, bytes: &mut Vec<u8>) {
        bytes.reserve(self.words.len() * 2);
        bytes.extend(self.words.iter().rev().flat_map(|word| word.to_le_bytes()));
    }
}

impl Residuals for Waiting {
    #[inline(always)]
    fn tile<C: Coder, P: Pixels>(&mut self, photo: &mut Photo, coder: &mut C, pixels: &mut P, place: Place) {
        let Place { stride, first, height, west_known } = place;
        let mut lines = [Line::new(), Line::new()];
        let [mut north, mut line] = lines.each_mut();
        north.fill(pixels, first - stride);
        north.close(west_known);
        let mut sizes: Sizes = [[0; ROOM]; CHANNELS];
        let (mut indices, mut folded) = ([[0; WIDTH]; CHANNELS], [[0; WIDTH]; CHANNELS]);
        for y in 0..height {
            line.fill(pixels, first + y * stride);
            if !west_known {
                line.begin_below(north);
            }
            residuals(line, north, &mut sizes, &mut indices, &mut folded);
            let mut large = false;
            let start = self.symbols.len();
            self.symbols.resize(start + WIDTH * CHANNELS, 0);
            let (to, _) = self.symbols.get_mut(start..).unwrap_or_default().as_chunks_mut::<CHANNELS>();
            for (x, to) in to.iter_mut().enumerate() {
                for (to, indices) in to.iter_mut().zip(&indices) {
                    *to = indices[x];
                    large |= usize::from(indices[x]) % SYMBOLS == LARGE;
                    photo.seen(indices[x]);
                }
            }
            if large {
                for x in 0..WIDTH {
                    for (indices, folded) in indices.iter().zip(&folded) {
                        if usize::from(indices[x]) % SYMBOLS == LARGE {
                            coder.raw(folded[x] as u32, 8);
                        }
                    }
                }
            }
            std::mem::swap(&mut north, &mut line);
            north.close(west_known);
        }
    }

    fn row(&mut self, photo: &mut Photo) {
        self.scratch.resize(self.symbols.len() + 2 * CHANNELS, 0);
        let mut at = self.scratch.len();
        let mut lanes = [LEAST; CHANNELS];
        for symbols in self.symbols.as_chunks::<CHANNELS>().0.iter().rev() {
            for channel in (0..CHANNELS).rev() {
                let share = photo.share(symbols[channel]);
                lanes[channel] = push(lanes[channel], share, &mut self.scratch, &mut at);
            }
        }
        for state in lanes.into_iter().rev() {
            // The states are read first, green's before the others.
            for word in [state as u16, (state >> 16) as u16] {
                at -= 1;
                if let Some(place) = self.scratch.get_mut(at) {
                    *place = word;
                }
            }
        }
        self.words.extend_from_slice(self.scratch.get(at..).unwrap_or_default());
        self.symbols.clear();
        photo.renew();
    }
}

/// Code a symbol into a state; what that gives off stands before `at` then.
#[inline(always)]
fn push(state: u32, share: Share, words: &mut [u16], at: &mut usize) -> u32 {
    let size = u32::from(share.size);
    let is_full = state >> (32 - SCALE) >= size;
    // Written in any case, and kept where it counts: a branch would be foretold
    // wrongly every fifth time.
    if let Some(place) = words.get_mut(at.wrapping_sub(1)) {
        *place = state as u16;
    }
    *at -= usize::from(is_full);
    let state = if is_full { state >> 16 } else { state };
    let whole = ((u64::from(state) * share.inverse) >> 44) as u32;
    state + whole * (TOTAL - size) + u32::from(share.start)
}

type Values<T> = [[T; WIDTH]; CHANNELS];

/// The symbols of a line and its residuals; their sizes take the place of the
/// north's.
#[inline(always)]
fn residuals(
    line: &Line,
    north: &Line,
    sizes: &mut Sizes,
    all_indices: &mut Values<u16>,
    all_folded: &mut Values<i16>,
) {
    let mut before = [0; WIDTH];
    for channel in 0..CHANNELS {
        let (line, north) = (&line.0[channel], &north.0[channel]);
        let (size, folded, indices) = (&mut sizes[channel], &mut all_folded[channel], &mut all_indices[channel]);
        let mut above = [0; WIDTH];
        unrest_above(north, size, channel, &mut above);
        for x in 0..WIDTH {
            let foretold = median(line[x], north[x + 1], north[x]);
            let residual = i16::from((line[x + 1] - foretold) as i8);
            size[x + 1] = residual.abs();
            folded[x] = fold(residual);
        }
        for x in 0..WIDTH {
            let level = level(above[x], line[x], north[x], size[x], before[x]);
            indices[x] = index(channel, level, folded[x].min(LARGE as i16));
        }
        before.copy_from_slice(&size[1..=WIDTH]);
    }
}
