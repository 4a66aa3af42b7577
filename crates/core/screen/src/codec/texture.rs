//! What a drawn tile looks like: a photograph and a dithered area are coded in
//! ways of their own, quicker and smaller than as a drawing.

use super::canvas::{Canvas, TILE};
use super::drawn::Known;
use super::frame::{Grid, Mode, PART};
use super::pattern::{self, KINDS, PERIOD, Sides};

/// Parts that are drawn before a tile may be anything but drawn.
const MOSTLY: u32 = 12;
/// Of a hundred pixels so many are like no neighbour, below which a tile is
/// always drawn.
const UNEVEN: u32 = 5;
/// A photograph has more than so many of those, and more than so many colours
/// in a quarter of its lines, by one of these. Dithers have few, text as well.
const PHOTOGRAPHS: [(u32, u32); 3] = [(80, 0), (45, 64), (25, 96)];
/// With more colours than that no tile is a pattern.
const COLOURFUL: u32 = 112;
/// Lines of which one is looked at, for colours and for patterns.
const SAMPLED: usize = 4;
/// Of a hundred pixels so many are foretold in a pattern.
const FORETOLD: usize = 98;
/// That suffices where more than so many are like no neighbour, which neither
/// of the other ways is good at.
const TANGLED: u32 = 75;
const FORETOLD_TANGLED: usize = 75;

/// Say of every drawn tile whether it is a photograph or a pattern.
pub(super) fn classify(grid: &mut Grid, now: &Canvas) {
    for (column, row) in grid.places() {
        let mut tile = grid.tile(column, row);
        let height = (now.size().height as usize - row * TILE).min(TILE);
        let cut = (TILE - height).div_ceil(PART) as u32 * 4;
        if tile.mode != Mode::Drawn || tile.drawn() + cut < MOSTLY {
            continue;
        }
        let unlike = unlike_neighbours(now, now.at(column * TILE, row * TILE)) * 100 / (TILE * TILE / 2) as u32;
        if unlike < UNEVEN {
            continue;
        }
        let least = PHOTOGRAPHS.iter().any(|(least, _)| unlike > *least);
        let colours = if least { colours(now, column, row, height) } else { 0 };
        let foretold = if unlike > TANGLED { FORETOLD_TANGLED } else { FORETOLD };
        // Nothing that repeats has that many colours.
        let repeats = colours <= COLOURFUL;
        if let Some(kind) = repeats.then(|| kind_of_pattern(grid, now, (column, row), height, foretold)).flatten() {
            tile.mode = Mode::Pattern;
            tile.kind = kind;
        } else if PHOTOGRAPHS.iter().any(|(least, many)| unlike > *least && colours > *many) {
            tile.mode = Mode::Photo;
        }
        if let Some(place) = grid.tile_mut(column, row) {
            *place = tile;
        }
    }
}

/// How many pixels of every other line of a tile are neither like the one on
/// the left nor like the one above.
fn unlike_neighbours(now: &Canvas, first: usize) -> u32 {
    let stride = now.stride();
    let mut count = 0;
    for y in (1..TILE).step_by(2) {
        let at = first + y * stride;
        let line = |at: usize| now.pixels().get(at..at + TILE).unwrap_or_default();
        for ((here, west), north) in line(at).iter().zip(line(at - 1)).zip(line(at - stride)) {
            count += u32::from(here != west && here != north);
        }
    }
    count
}

/// How many colours some lines of a tile have, roughly.
fn colours(now: &Canvas, column: usize, row: usize, height: usize) -> u32 {
    let mut seen = [0_u64; 16];
    for y in (SAMPLED / 2..height).step_by(SAMPLED) {
        for pixel in now.line(column * TILE, row * TILE + y, TILE) {
            let hash = pixel.wrapping_mul(0x9e37_79b1) >> 22;
            seen[hash as usize >> 6] |= 1 << (hash & 63);
        }
    }
    seen.iter().map(|seen| seen.count_ones()).sum()
}

/// The way that foretells the most pixels of some lines, at least so many of a
/// hundred.
fn kind_of_pattern(
    grid: &Grid,
    now: &Canvas,
    (column, row): (usize, usize),
    height: usize,
    foretold: usize,
) -> Option<u8> {
    let lines = || (SAMPLED / 2..height).step_by(SAMPLED);
    let (pixels, stride, first) = (Known(now.pixels()), now.stride(), now.at(column * TILE, row * TILE));
    let mut best = None;
    let mut least = lines().count() * TILE * (100 - foretold) / 100 + 1;
    for kind in 0..KINDS {
        let mut wrong = 0;
        for y in lines() {
            for x in (0..TILE).step_by(PERIOD) {
                let sides = Sides { west: x > 0 || column > 0, east: x + PERIOD < TILE || column + 1 < grid.columns };
                let at = first + y * stride + x;
                let foretold = pattern::foretell(&pixels, at, stride, sides, kind);
                let actual = now.pixels().get(at..at + PERIOD).unwrap_or_default();
                wrong += foretold.iter().zip(actual).filter(|(a, b)| a != b).count();
            }
            if wrong >= least {
                break;
            }
        }
        if wrong < least {
            (least, best) = (wrong, Some(kind));
        }
    }
    best
}
