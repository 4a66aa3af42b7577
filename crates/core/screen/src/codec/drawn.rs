//! Pixels that a program drew: text, lines, icons. What stood in the same
//! surroundings before is believed to stand there again; the beliefs live on
//! from frame to frame.

mod around;
mod flat;
mod table;

use self::around::Around;
pub(super) use self::flat::alike;
use self::table::Table;
use super::range::{Bit, Coder};

/// Pixels on both sides of a line that have to be there.
pub(super) const MARGIN: usize = 16;

/// A canvas' pixels, which are written or, where they are known, only read.
pub(super) trait Pixels {
    fn get(&self, at: usize) -> u32;
    fn put(&mut self, at: usize, pixel: u32);
    fn from(&self, at: usize, end: usize) -> &[u32];
}

/// The encoder's: they are there already.
#[derive(Debug)]
pub(super) struct Known<'a>(pub(super) &'a [u32]);
/// The decoder's: they come to be.
#[derive(Debug)]
pub(super) struct Coming<'a>(pub(super) &'a mut [u32]);

impl Pixels for Known<'_> {
    #[inline(always)]
    fn get(&self, at: usize) -> u32 {
        self.0.get(at).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn put(&mut self, _: usize, _: u32) {}

    #[inline(always)]
    fn from(&self, at: usize, end: usize) -> &[u32] {
        self.0.get(at..end).unwrap_or_default()
    }
}

impl Pixels for Coming<'_> {
    #[inline(always)]
    fn get(&self, at: usize) -> u32 {
        self.0.get(at).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn put(&mut self, at: usize, pixel: u32) {
        if let Some(place) = self.0.get_mut(at) {
            *place = pixel;
        }
    }

    #[inline(always)]
    fn from(&self, at: usize, end: usize) -> &[u32] {
        self.0.get(at..end).unwrap_or_default()
    }
}

/// What the earlier picture has where a line comes from, and one line above
/// it. The line's first pixel stands at [`MARGIN`].
#[derive(Debug, Clone)]
pub(super) struct Earlier {
    pub(super) here: Vec<u32>,
    pub(super) above: Vec<u32>,
}

/// Where a run of pixels stands: lines are `stride` apart, its first pixel is at
/// `first`, and there are [`MARGIN`] pixels before and behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) stride: usize,
    pub(super) first: usize,
    pub(super) count: usize,
}

const WIDE: usize = 1 << 18;
const MIDDLE: usize = 1 << 17;
const NARROW: usize = 1 << 15;
/// A belief of the widest surroundings from which on nothing else is asked.
const CERTAIN: usize = 2;
/// Where contexts of those begin.
const CERTAINLY: usize = 2048;
/// Beliefs, coarser.
const STEPS: [usize; 16] = [0, 1, 2, 3, 4, 4, 5, 5, 5, 6, 6, 6, 6, 6, 6, 7];

/// Everything that is remembered.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    wide: Table<WIDE>,
    middle: Table<MIDDLE>,
    narrow: Table<NARROW>,
    /// The last pixel with this green.
    by_green: [u32; 256],
    /// Whether a flat stretch goes on to its end, and where it does not.
    flat: [Bit; 64],
    flat_end: [[Bit; 16]; 16],
    /// Whether the candidate is right, by its place.
    right: Box<[[Bit; 4096]; 7]>,
    green: Box<[[Bit; 256]; 64]>,
    green_known: [Bit; 2],
    red: [Bit; 256],
    blue: [Bit; 256],
}

impl Drawn {
    pub(super) fn new() -> Self {
        Self {
            wide: Table::new(),
            middle: Table::new(),
            narrow: Table::new(),
            by_green: [0; 256],
            flat: [Bit::default(); 64],
            flat_end: [[Bit::default(); 16]; 16],
            right: Box::new([[Bit::default(); 4096]; 7]),
            green: Box::new([[Bit::default(); 256]; 64]),
            green_known: [Bit::default(); 2],
            red: [Bit::default(); 256],
            blue: [Bit::default(); 256],
        }
    }

    /// Before many pixels: what is remembered was last touched a frame ago.
    pub(super) fn warm(&self) {
        self.wide.warm();
        self.middle.warm();
        self.narrow.warm();
    }

    /// The pixels of a run.
    #[inline(always)]
    pub(super) fn line<C: Coder, P: Pixels>(&mut self, coder: &mut C, pixels: &mut P, run: Run, earlier: &Earlier) {
        let Run { stride, first, count } = run;
        let end = first + count;
        let mut x = first;
        while x < end {
            let Some(mut around) = Around::of(pixels, stride, x) else { return };
            let mut excluded = None;
            if around.is_flat() {
                let (passed, to_end) = self.flat(coder, pixels, run, earlier, x);
                x += passed;
                if to_end {
                    continue;
                }
                // It ended short: here stands something else.
                excluded = Some(around.w);
                let Some(next) = Around::of(pixels, stride, x) else { return };
                around = next;
            }
            self.pixel(coder, pixels, (x, earlier, x - first + MARGIN), &around, excluded);
            x += 1;
        }
    }

    /// The pixel at `x`, and where that is in what the earlier picture has.
    #[inline(always)]
    fn pixel<C: Coder, P: Pixels>(
        &mut self,
        coder: &mut C,
        pixels: &mut P,
        (x, earlier, place): (usize, &Earlier, usize),
        around: &Around,
        excluded: Option<u32>,
    ) {
        let Around { w, n, nw, ne, .. } = *around;
        let [narrow, middle, wide] = around.hashes();
        let (by_wide, sure_wide) = self.wide.look(wide);
        let [was_west, was] =
            earlier.here.get(place - 1..).and_then(|here| here.first_chunk().copied()).unwrap_or_default();
        let was_north = earlier.above.get(place).copied().unwrap_or(0);
        // Whether the earlier picture was right nearby.
        let held = usize::from(was_west == w) + usize::from(was_north == n) * 2;
        let pixel = if C::WRITES { pixels.get(x) } else { 0 };
        let not_flat = usize::from(excluded.is_some());
        let mut was_asked = false;
        if sure_wide >= CERTAIN && excluded != Some(by_wide) {
            // What was right so often needs no other opinion.
            let context = CERTAINLY + sure_wide * 16 + held * 4 + usize::from(by_wide == was) * 2 + not_flat;
            if coder.bit(&mut self.right[0][context & 4095], pixel == by_wide) {
                pixels.put(x, by_wide);
                self.wide.confirm(wide);
                return;
            }
            was_asked = true;
        }
        let (by_middle, sure_middle) = self.middle.look(middle);
        let (by_narrow, sure_narrow) = self.narrow.look(narrow);
        let (step_wide, step_middle, step_narrow) = (STEPS[sure_wide], STEPS[sure_middle], STEPS[sure_narrow] >> 1);
        let (has_wide, has_middle, has_narrow) = (sure_wide > 0, sure_middle > 0, sure_narrow > 0);

        // What is certain not to be it; nothing where there is no such thing.
        let mut tried = [u32::MAX; 8];
        tried[7] = excluded.unwrap_or(u32::MAX);
        if was_asked {
            tried[0] = by_wide;
        }
        let right = &mut self.right;
        // No loop that ends early: how many were tried before is hard to foresee.
        let mut is_it = |place: usize, candidate: u32, context: usize| -> bool {
            if tried.iter().fold(false, |known, other| known | (*other == candidate)) {
                return false;
            }
            tried[place] = candidate;
            coder.bit(&mut right[place][context & 4095], pixel == candidate)
        };
        let flag = usize::from;
        let found = 'found: {
            if has_wide && !was_asked {
                let agrees = flag(has_middle && by_wide == by_middle);
                let context = ((step_wide * 8 + step_middle) * 2 + agrees) * 16
                    + held * 4
                    + flag(by_wide == was) * 2
                    + flag(has_narrow && by_wide == by_narrow);
                if is_it(0, by_wide, context) {
                    break 'found Some(by_wide);
                }
            }
            if has_middle {
                let agrees = flag(has_narrow && by_middle == by_narrow);
                let context = ((step_middle * 4 + step_narrow) * 2 + agrees) * 16
                    + held * 4
                    + flag(by_middle == was) * 2
                    + flag(has_wide);
                if is_it(1, by_middle, context) {
                    break 'found Some(by_middle);
                }
            }
            let context = (held * 4 + flag(has_wide) + flag(has_middle)) * 4 + flag(was == w) * 2 + not_flat;
            if is_it(2, was, context) {
                break 'found Some(was);
            }
            if has_narrow && is_it(3, by_narrow, step_narrow * 16 + held * 4 + flag(has_wide) * 2 + flag(has_middle)) {
                break 'found Some(by_narrow);
            }
            let believed = flag(has_wide) * 2 + flag(has_middle);
            if is_it(4, w, flag(w == n) * 8 + flag(n == nw) * 4 + believed) {
                break 'found Some(w);
            }
            if is_it(5, n, flag(w == nw) * 8 + flag(n == ne) * 4 + believed) {
                break 'found Some(n);
            }
            if is_it(6, ne, flag(has_middle) * 2 + not_flat) {
                break 'found Some(ne);
            }
            None
        };
        let pixel = match found {
            Some(pixel) => pixel,
            None => self.literal(coder, pixel, w, n),
        };
        pixels.put(x, pixel);
        self.wide.learn(wide, pixel);
        self.middle.learn(middle, pixel);
        self.narrow.learn(narrow, pixel);
    }

    /// A pixel that nothing foresaw.
    #[inline(always)]
    fn literal<C: Coder>(&mut self, coder: &mut C, pixel: u32, west: u32, north: u32) -> u32 {
        let (west_green, north_green) = (west >> 8 & 255, north >> 8 & 255);
        let context = (west_green >> 5 << 3 | north_green >> 5) as usize;
        let green = coder.tree(&mut self.green[context & 63], 8, pixel >> 8 & 255);
        let known = &mut self.by_green[green as usize & 255];
        if coder.bit(&mut self.green_known[usize::from(*known != 0)], *known == pixel) {
            return *known;
        }
        // Red and blue by how far the west's stand from its green.
        let red_base = green.wrapping_add((west >> 16 & 255).wrapping_sub(west_green)) & 255;
        let blue_base = green.wrapping_add((west & 255).wrapping_sub(west_green));
        let red = coder.tree(&mut self.red, 8, (pixel >> 16 & 255).wrapping_sub(red_base) & 255);
        let blue = coder.tree(&mut self.blue, 8, (pixel & 255).wrapping_sub(blue_base) & 255);
        let pixel = (red.wrapping_add(red_base) & 255) << 16 | green << 8 | blue.wrapping_add(blue_base) & 255;
        *known = pixel;
        pixel
    }
}
