//! What a drawn tile looks like: a photograph and a dithered area are coded in
//! ways of their own, quicker and smaller than as a drawing.

use super::canvas::{Canvas, TILE};
use super::drawn::Known;
use super::frame::{Grid, Mode, PART};
use super::pattern::{self, KINDS, PERIOD, Sides};

/// Parts that are drawn before a tile may be anything but drawn.
const MOSTLY: u32 = 12;
/// Of a hundred pixels, so many are like no neighbour: more in a photograph.
const UNLIKE: u32 = 65;
/// At least so many in a pattern; text has more too.
const UNEVEN: u32 = 5;
/// Lines of which one is looked at for patterns.
const SAMPLED: usize = 4;
/// Of a hundred pixels so many are foretold in a pattern that would be a
/// photograph otherwise.
const FORETOLD: usize = 60;
/// And so many in one that would be drawn.
const SURELY: usize = 98;

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
        let is_photo = unlike > UNLIKE;
        let foretold = if is_photo { FORETOLD } else { SURELY };
        if let Some(kind) = kind_of_pattern(grid, now, (column, row), height, foretold) {
            tile.mode = Mode::Pattern;
            tile.kind = kind;
        } else if is_photo {
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
