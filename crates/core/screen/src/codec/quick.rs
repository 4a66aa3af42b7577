//! Drawn pixels once more, in about half of the time and half as many bytes again
//! to twice as many: for what keeps coming, frame after frame, on a line that
//! takes it.
//!
//! Here too what stood in the same surroundings before is believed to stand there
//! again. But a belief that is right costs nothing at all: what is said is how
//! many of them are, until one is wrong. Only pixels of which nothing is believed,
//! and those where it was wrong, are told one by one.

mod memory;

use self::memory::{Memory, Surroundings};
use super::drawn::{Pixels, Run, alike};
use super::frame::PART;
use super::range::{Bit, Coder};

/// What a pixel may be that is told, in the order in which it is asked; the last
/// two are one of the colours that were told before, and another one.
const CANDIDATES: usize = 6;
const KNOWN: u32 = 6;
const NEW: u32 = 7;
/// Bits of a remembered colour's place.
const COLOURS: u32 = 10;

/// Everything that is remembered.
#[derive(Debug, Clone)]
pub(super) struct Quick {
    memory: Memory,
    /// Colours that were told, by a hash of them.
    colours: Box<[u32; 1 << COLOURS]>,
    until_wrong: [Bit; 16],
    which: Box<[[Bit; 8]; 256]>,
    /// Writing: beliefs that were right since the last one that was not. Reading:
    /// how many more will be.
    right: usize,
    /// Writing: what was told since, which stands behind how many were right.
    told: Vec<Told>,
}

/// What is told of a pixel.
#[derive(Debug, Clone, Copy)]
enum Told {
    Which { context: u8, which: u8 },
    Place(u32),
    Colour(u32),
}

impl Quick {
    pub(super) fn new() -> Self {
        Self {
            memory: Memory::new(),
            colours: Box::new([0; 1 << COLOURS]),
            until_wrong: [Bit::default(); 16],
            which: Box::new([[Bit::default(); 8]; 256]),
            right: 0,
            told: Vec::new(),
        }
    }

    /// Before the lines of a row of tiles.
    pub(super) fn begin<C: Coder>(&mut self, coder: &mut C) {
        self.right = 0;
        if !C::WRITES {
            self.read_right(coder);
        }
    }

    /// Behind them.
    pub(super) fn end<C: Coder>(&mut self, coder: &mut C) {
        if C::WRITES {
            // Nothing more is wrong.
            self.number(coder, 0);
            self.tell(coder);
        }
    }

    /// The pixels of a run. `sources` says where each of its parts comes from in
    /// the `earlier` pixels.
    #[inline(always)]
    pub(super) fn line<C: Coder, P: Pixels>(
        &mut self,
        coder: &mut C,
        pixels: &mut P,
        run: Run,
        earlier: &[u32],
        sources: impl Fn(usize) -> usize,
    ) {
        let Run { stride, first, count } = run;
        let end = first + count;
        let mut x = first;
        while x < end {
            let Some(mut around) = Surroundings::of(pixels, stride, x) else { return };
            let is_flat = around.is_flat();
            if is_flat {
                let colour = around.w;
                let length = (1 + alike(pixels.from(x + 2 - stride, end + 1 - stride), colour)).min(end - x);
                let right = if C::WRITES { alike(pixels.from(x, x + length), colour) } else { 0 };
                let right = self.believed(coder, length, right);
                for x in x..x + right {
                    pixels.put(x, colour);
                }
                x += right;
                if right == length {
                    continue;
                }
                let Some(next) = Surroundings::of(pixels, stride, x) else { return };
                around = next;
            }
            let pixel = if C::WRITES { pixels.get(x) } else { 0 };
            let hash = around.hash();
            // A flat stretch ends here: what it looks like is no help.
            let believed = self.memory.believed(hash).filter(|_| !is_flat);
            if let Some(believed) = believed
                && self.believed(coder, 1, usize::from(pixel == believed)) == 1
            {
                pixels.put(x, believed);
            } else {
                let place = x - first;
                let was = earlier.get(sources(place / PART) + place % PART).copied().unwrap_or(0);
                let pixel = self.other(coder, pixel, &around, was, is_flat, believed.is_some());
                pixels.put(x, pixel);
                self.memory.learn(hash, pixel);
            }
            x += 1;
        }
    }

    /// Of so many beliefs, how many are right before one that is not.
    #[inline(always)]
    fn believed<C: Coder>(&mut self, coder: &mut C, count: usize, right: usize) -> usize {
        if C::WRITES {
            self.right += right;
            if right < count {
                self.number(coder, self.right as u32 + 1);
                self.tell(coder);
                self.right = 0;
            }
            return right;
        }
        if self.right >= count {
            self.right -= count;
            return count;
        }
        let right = self.right;
        self.read_right(coder);
        right
    }

    #[cold]
    fn read_right<C: Coder>(&mut self, coder: &mut C) {
        self.right = match self.number(coder, 0) {
            0 => usize::MAX,
            number => number as usize - 1,
        };
    }

    /// One more than how many are right until the next that is wrong; 0 where
    /// nothing is in the rest of the row.
    fn number<C: Coder>(&mut self, coder: &mut C, number: u32) -> u32 {
        let high = coder.number(&mut self.until_wrong, number >> 4);
        high << 4 | coder.raw(number & 15, 4)
    }

    /// A pixel of which nothing is believed, or where that was wrong.
    #[inline(always)]
    fn other<C: Coder>(
        &mut self,
        coder: &mut C,
        pixel: u32,
        around: &Surroundings,
        was: u32,
        is_flat: bool,
        was_wrong: bool,
    ) -> u32 {
        let Surroundings { w, n, nw, ne, .. } = *around;
        let near = around.near();
        let (by_near, sure) = self.memory.near(near);
        let candidates: [u32; CANDIDATES] = [by_near, was, w, n, nw, ne];
        let place = hash_of(pixel);
        let mut which = 0;
        if C::WRITES {
            which = if self.colours[place] == pixel { KNOWN } else { NEW };
            for (index, candidate) in candidates.iter().enumerate().rev() {
                if *candidate == pixel {
                    which = index as u32;
                }
            }
        }
        let flags = [was_wrong, sure > 0, sure > 2, was == w, w == n, is_flat, was == by_near, n == nw];
        let context = flags.iter().rev().fold(0, |context, flag| context << 1 | u8::from(*flag));
        if C::WRITES {
            self.told.push(Told::Which { context, which: which as u8 });
        } else {
            which = coder.tree(&mut self.which[usize::from(context)], 3, 0);
        }
        let pixel = match (candidates.get(which as usize), which) {
            (Some(candidate), _) => *candidate,
            (None, KNOWN) => {
                if C::WRITES {
                    self.told.push(Told::Place(place as u32));
                    pixel
                } else {
                    self.colours[coder.raw(0, COLOURS) as usize & ((1 << COLOURS) - 1)]
                }
            }
            (None, _) => {
                let pixel = if C::WRITES {
                    self.told.push(Told::Colour(pixel));
                    pixel
                } else {
                    colour(coder, 0)
                };
                self.colours[hash_of(pixel)] = pixel;
                pixel
            }
        };
        self.memory.learn_near(near, pixel);
        pixel
    }

    /// Write what had to wait.
    fn tell<C: Coder>(&mut self, coder: &mut C) {
        for told in self.told.drain(..) {
            match told {
                Told::Which { context, which } => {
                    coder.tree(&mut self.which[usize::from(context)], 3, which.into());
                }
                Told::Place(place) => {
                    coder.raw(place, COLOURS);
                }
                Told::Colour(pixel) => {
                    colour(coder, pixel);
                }
            }
        }
    }
}

/// A colour as it is.
#[inline(always)]
fn colour<C: Coder>(coder: &mut C, pixel: u32) -> u32 {
    let high = coder.raw(pixel >> 12, 12);
    high << 12 | coder.raw(pixel & 0xfff, 12)
}

/// Where a colour is remembered.
#[inline(always)]
fn hash_of(pixel: u32) -> usize {
    (pixel.wrapping_mul(0x9e37_79b1) >> (32 - COLOURS)) as usize
}
