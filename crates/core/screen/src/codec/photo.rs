//! Photographs: every pixel differs from its neighbours, so what matters is to
//! be quick. Each channel is foretold from its neighbours, green first; how
//! far off that is is coded by tables that follow what was seen.

use super::drawn::Pixels;

/// Levels of unrest around a pixel.
const LEVELS: usize = 12;
/// Bits that likelihoods have.
const SCALE: u32 = 12;
const TOTAL: u32 = 1 << SCALE;
/// Pixels of a tile's line.
const WIDTH: usize = super::canvas::TILE;
/// Where a level begins, in summed differences.
const BEGINS: [u16; LEVELS - 1] = [1, 3, 5, 8, 12, 17, 24, 34, 50, 75, 120];
/// What one more occurrence weighs.
const WEIGHT: u16 = 24;
/// Above it all counts are halved.
const FULL: u32 = 40_000;
/// Tiles after which the tables are made anew.
const RENEWED: u32 = 16;

/// How likely each residual is.
#[derive(Debug, Clone)]
pub(super) struct Table {
    counts: [u16; 256],
    share: [u16; 256],
    start: [u16; 256],
    /// Which residual a place belongs to.
    holder: [u8; TOTAL as usize],
}

impl Table {
    /// Before anything was seen: the larger the unrest, the wider.
    fn new(level: usize) -> Self {
        let width = 6 + 3 * level * level;
        let counts = std::array::from_fn(|residual| {
            let size = usize::from((residual as u8 as i8).unsigned_abs());
            // Halved with every `width` tenths.
            let halvings = (size * 14 / width).min(15);
            1 + ((3_000 / width) >> halvings) as u16
        });
        let mut table = Self { counts, share: [0; 256], start: [0; 256], holder: [0; TOTAL as usize] };
        table.renew();
        table
    }

    fn renew(&mut self) {
        let total: u32 = self.counts.iter().map(|count| u32::from(*count)).sum();
        let mut left = TOTAL;
        let (mut most, mut most_count) = (0, 0);
        for (residual, (share, count)) in self.share.iter_mut().zip(&self.counts).enumerate() {
            *share = (u32::from(*count) * (TOTAL - 256) / total + 1) as u16;
            left -= u32::from(*share);
            if *count > most_count {
                (most, most_count) = (residual, *count);
            }
        }
        self.share[most] += left as u16;
        let mut at = 0;
        for (residual, (start, share)) in self.start.iter_mut().zip(&self.share).enumerate() {
            *start = at;
            let end = at + share;
            if let Some(places) = self.holder.get_mut(usize::from(at)..usize::from(end)) {
                places.fill(residual as u8);
            }
            at = end;
        }
        if total > FULL {
            for count in &mut self.counts {
                *count = count.div_ceil(2);
            }
        }
    }

    #[inline(always)]
    fn seen(&mut self, residual: u8) {
        let count = &mut self.counts[usize::from(residual)];
        *count = count.saturating_add(WEIGHT);
    }
}

/// Writes residuals, or reads them.
pub(super) trait Residuals {
    const WRITES: bool;
    fn code(&mut self, table: &Table, lane: usize, residual: u8) -> u8;
}

/// Least state of a lane; it takes in, or gives off, sixteen bits at a time.
const LEAST: u32 = 1 << 16;
const LANES: usize = 3;

/// For each share, 2^44 divided by it, rounded up: products with states below
/// share * 2^20 have the quotient above bit 44 (the error is below share * 2^20 /
/// 2^44 < 1 / share). States that are coded are below that, and no such product
/// reaches 2^64. No share is the whole.
static INVERSE: [u64; TOTAL as usize] = {
    let mut inverse = [0; TOTAL as usize];
    let mut share = 1;
    while share < TOTAL as usize {
        inverse[share] = (1_u64 << 44).div_ceil(share as u64);
        share += 1;
    }
    inverse
};

/// Residuals that wait: they are written backwards, once all are known.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Vec<(u16, u16)>);

impl Residuals for Waiting {
    const WRITES: bool = true;

    #[inline(always)]
    fn code(&mut self, table: &Table, _: usize, residual: u8) -> u8 {
        let index = usize::from(residual);
        self.0.push((table.start[index], table.share[index]));
        residual
    }
}

impl Waiting {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Append what [`Stored`] reads from the end.
    pub(super) fn finish(&self, bytes: &mut Vec<u8>) {
        let mut lanes = [LEAST; LANES];
        let last = self.0.len() % LANES;
        for (index, (start, share)) in self.0.iter().enumerate().rev() {
            let state = &mut lanes[index % LANES];
            let (share, start) = (u32::from(*share), u32::from(*start));
            if *state >> (32 - SCALE) >= share {
                bytes.extend_from_slice(&(*state as u16).to_le_bytes());
                *state >>= 16;
            }
            // Quotient and remainder by `share`: a product is quicker.
            let whole = ((u64::from(*state) * INVERSE[share as usize & (TOTAL as usize - 1)]) >> 44) as u32;
            *state += whole * (TOTAL - share) + start;
        }
        debug_assert_eq!(last, 0, "every pixel has three residuals");
        for state in lanes {
            bytes.extend_from_slice(&state.to_le_bytes());
        }
    }
}

/// Residuals as they are stored, read from the end of the bytes.
#[derive(Debug)]
pub(super) struct Stored<'a> {
    lanes: [u32; LANES],
    bytes: &'a [u8],
}

impl<'a> Stored<'a> {
    /// The lanes' states stand last.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut stored = Self { lanes: [0; LANES], bytes };
        for lane in (0..LANES).rev() {
            let high = stored.take();
            stored.lanes[lane] = high << 16 | stored.take();
        }
        stored
    }

    /// Sixteen bits from the end; zeros where there are none left.
    #[inline(always)]
    fn take(&mut self) -> u32 {
        let Some((rest, word)) = self.bytes.split_last_chunk::<2>() else { return 0 };
        self.bytes = rest;
        u32::from(u16::from_le_bytes(*word))
    }

    /// Whether everything was read, and nothing else.
    pub(super) fn is_done(&self) -> bool {
        self.lanes == [LEAST; LANES]
    }
}

impl Residuals for Stored<'_> {
    const WRITES: bool = false;

    #[inline(always)]
    fn code(&mut self, table: &Table, lane: usize, _: u8) -> u8 {
        let state = self.lanes[lane];
        let place = state & (TOTAL - 1);
        let residual = table.holder[place as usize];
        let index = usize::from(residual);
        let state = u32::from(table.share[index]) * (state >> SCALE) + place - u32::from(table.start[index]);
        self.lanes[lane] = if state < LEAST { state << 16 | self.take() } else { state };
        residual
    }
}

/// What photographs were like so far.
#[derive(Debug, Clone)]
pub(super) struct Photo {
    tables: Box<[[Table; LEVELS]; LANES]>,
    levels: Box<[u8; 1024]>,
    tiles: u32,
}

impl Photo {
    pub(super) fn new() -> Self {
        let level = |sum: usize| BEGINS.iter().filter(|begin| sum >= usize::from(**begin)).count() as u8;
        Self {
            tables: Box::new(std::array::from_fn(|_| std::array::from_fn(Table::new))),
            levels: Box::new(std::array::from_fn(level)),
            tiles: 0,
        }
    }

    /// A tile from `first` on, of which `height` lines are of the picture.
    /// `west_known`: whether the pixels left of it are.
    #[inline(always)]
    pub(super) fn tile<R: Residuals, P: Pixels>(
        &mut self,
        residuals: &mut R,
        pixels: &mut P,
        stride: usize,
        first: usize,
        height: usize,
        west_known: bool,
    ) {
        for line in (0..height).map(|y| first + y * stride) {
            // Each is the next one's neighbour: looked at once.
            let mut north = Colour::of(pixels.get(line - stride));
            let (mut west, mut corner) = if west_known {
                (Colour::of(pixels.get(line - 1)), Colour::of(pixels.get(line - stride - 1)))
            } else {
                (north, north)
            };
            for at in line..line + WIDTH {
                let is_last = at + 1 == line + WIDTH;
                let east = if is_last { north } else { Colour::of(pixels.get(at - stride + 1)) };
                let actual = if R::WRITES { Colour::of(pixels.get(at)) } else { Colour::default() };
                let (west_corner, north_corner) = (west.apart(corner), north.apart(corner));
                let unrest = west_corner.green + north_corner.green + north.green.abs_diff(east.green);
                let foretold = median(west.green, north.green, corner.green);
                let off = self.channel(residuals, 0, unrest, (actual.green - foretold) as u8);
                let green = (foretold + i32::from(off)) & 255;
                let unrest = west_corner.red + north_corner.red + u32::from((off as i8).unsigned_abs());
                let foretold = median(west.red, north.red, corner.red);
                let off = self.channel(residuals, 1, unrest, (actual.red - foretold) as u8);
                let red = (green + foretold + i32::from(off)) & 255;
                let unrest = west_corner.blue + north_corner.blue + u32::from((off as i8).unsigned_abs());
                let foretold = median(west.blue, north.blue, corner.blue);
                let off = self.channel(residuals, 2, unrest, (actual.blue - foretold) as u8);
                let blue = (green + foretold + i32::from(off)) & 255;
                pixels.put(at, (red << 16 | green << 8 | blue) as u32);
                (corner, north) = (north, east);
                west = Colour { green, red: red - green, blue: blue - green };
            }
        }
        self.tiles = self.tiles.wrapping_add(1);
        if self.tiles.is_multiple_of(RENEWED) {
            self.tables.iter_mut().flatten().for_each(Table::renew);
        }
    }

    #[inline(always)]
    fn channel<R: Residuals>(&mut self, residuals: &mut R, lane: usize, unrest: u32, residual: u8) -> u8 {
        let level = usize::from(self.levels[unrest.min(1023) as usize]);
        let table = &mut self.tables[lane][level];
        let residual = residuals.code(table, lane, residual);
        table.seen(residual);
        residual
    }
}

/// Green, and how far red and blue stand from it.
#[derive(Debug, Clone, Copy, Default)]
struct Colour {
    green: i32,
    red: i32,
    blue: i32,
}

/// How far each of a colour's parts stands from another's.
#[derive(Debug, Clone, Copy)]
struct Apart {
    green: u32,
    red: u32,
    blue: u32,
}

impl Colour {
    #[inline(always)]
    fn apart(self, other: Self) -> Apart {
        Apart {
            green: self.green.abs_diff(other.green),
            red: self.red.abs_diff(other.red),
            blue: self.blue.abs_diff(other.blue),
        }
    }

    #[inline(always)]
    fn of(pixel: u32) -> Self {
        let green = (pixel >> 8 & 255) as i32;
        Self { green, red: (pixel >> 16 & 255) as i32 - green, blue: (pixel & 255) as i32 - green }
    }
}

/// The median of west, north, and what a plane through the three gives.
#[inline(always)]
fn median(west: i32, north: i32, corner: i32) -> i32 {
    (west + north - corner).clamp(west.min(north), west.max(north))
}
