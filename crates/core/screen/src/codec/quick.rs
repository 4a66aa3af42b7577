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

/// Where beliefs that are right end.
enum Stop {
    /// With the line.
    End,
    /// Before a flat stretch.
    Flat,
    /// At surroundings, by this hash, of which nothing is known.
    Unknown(u32),
    /// Where what they say is wrong.
    Wrong(u32),
}

/// What is told of a pixel.
#[derive(Debug, Clone, Copy)]
struct Told {
    context: u8,
    which: u8,
    /// The place of a known colour, or a new one.
    rest: u32,
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
            let mut is_flat = false;
            let mut stop = self.stretch::<C, P>(pixels, &mut around, stride, (&mut x, end));
            if let Stop::Flat = stop {
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
                // A flat stretch ends here: what it looks like is no help.
                is_flat = true;
                stop = Stop::Unknown(around.hash());
            }
            let (hash, was_wrong) = match stop {
                Stop::End | Stop::Flat => continue,
                Stop::Unknown(hash) => (hash, false),
                Stop::Wrong(hash) => {
                    self.believed(coder, 1, 0);
                    (hash, true)
                }
            };
            let pixel = if C::WRITES { pixels.get(x) } else { 0 };
            let place = x - first;
            let was = earlier.get(sources(place / PART) + place % PART).copied().unwrap_or(0);
            let pixel = self.other(coder, pixel, &around, was, is_flat, was_wrong);
            pixels.put(x, pixel);
            self.memory.learn(hash, pixel);
            x += 1;
        }
    }

    /// As far as what is believed is right, pixel by pixel; `around` is what is around
    /// the one where it stops.
    #[inline(always)]
    fn stretch<C: Coder, P: Pixels>(
        &mut self,
        pixels: &mut P,
        around: &mut Surroundings,
        stride: usize,
        (x, end): (&mut usize, usize),
    ) -> Stop {
        let mut right = self.right;
        let stop = loop {
            if *x >= end {
                break Stop::End;
            }
            if around.is_flat() {
                break Stop::Flat;
            }
            let hash = around.hash();
            // Writing, the next one's surroundings wait for no memory: the pixel is there.
            let mut pixel = if C::WRITES { pixels.get(*x) } else { 0 };
            let Some(believed) = self.memory.believed(hash) else { break Stop::Unknown(hash) };
            if C::WRITES {
                if pixel != believed {
                    break Stop::Wrong(hash);
                }
                right += 1;
            } else {
                if right == 0 {
                    break Stop::Wrong(hash);
                }
                right -= 1;
                pixel = believed;
                pixels.put(*x, pixel);
            }
            *x += 1;
            around.step(pixels, stride, *x, pixel);
        };
        self.right = right;
        stop
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
            let rest = if which == KNOWN { place as u32 } else { pixel };
            self.told.push(Told { context, which: which as u8, rest });
        } else {
            which = coder.tree(&mut self.which[usize::from(context)], 3, 0);
        }
        let pixel = match (candidates.get(which as usize), which) {
            (Some(candidate), _) => *candidate,
            _ if C::WRITES => pixel,
            (None, KNOWN) => self.colours[coder.raw(0, COLOURS) as usize & ((1 << COLOURS) - 1)],
            (None, _) => colour(coder, 0),
        };
        if which == NEW {
            self.colours[hash_of(pixel)] = pixel;
        }
        self.memory.learn_near(near, pixel);
        pixel
    }

    /// Write what had to wait.
    fn tell<C: Coder>(&mut self, coder: &mut C) {
        for Told { context, which, rest } in self.told.drain(..) {
            let which = coder.tree(&mut self.which[usize::from(context)], 3, which.into());
            if which == KNOWN {
                coder.raw(rest, COLOURS);
            } else if which == NEW {
                colour(coder, rest);
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
