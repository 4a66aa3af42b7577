//! The pixels of a frame, in the one order that both sides keep: row of tiles
//! by row of tiles, first photographs, then patterns, then what is drawn, line
//! by line.

use super::canvas::{Canvas, TILE};
use super::drawn::{Drawn, Earlier, MARGIN, Pixels, Run};
use super::frame::{BLOCK, Grid, Mode, PART};
use super::pattern::{PERIOD, Pattern, Sides};
use super::photo::{Photo, Place, Residuals};
use super::range::Coder;

/// Drawn tiles above which all that is remembered is brought near first.
const MANY: usize = 20;

/// Every model of pixels.
#[derive(Debug, Clone)]
pub(super) struct Models {
    pub(super) drawn: Drawn,
    photo: Photo,
    pattern: Pattern,
}

impl Models {
    pub(super) fn new() -> Self {
        Self { drawn: Drawn::new(), photo: Photo::new(), pattern: Pattern::new() }
    }

    /// All pixels of a frame. `earlier` is the picture before it; `pixels` are
    /// of the one that comes, with a canvas' layout like `earlier`.
    pub(super) fn code<C: Coder, R: Residuals, P: Pixels>(
        &mut self,
        coder: &mut C,
        residuals: &mut R,
        pixels: &mut P,
        earlier: &Canvas,
        grid: &mut Grid,
    ) {
        if grid.tiles.iter().filter(|tile| tile.mode == Mode::Drawn).count() > MANY {
            self.drawn.warm();
        }
        let mut from = Earlier { here: vec![0; MARGIN], above: vec![0; MARGIN] };
        for row in grid.part.top..grid.part.bottom {
            self.photos(coder, residuals, pixels, earlier, grid, row);
            self.patterns(coder, pixels, earlier, grid, row);
            self.drawn(coder, pixels, earlier, grid, row, &mut from);
        }
    }

    fn photos<C: Coder, R: Residuals, P: Pixels>(
        &mut self,
        coder: &mut C,
        residuals: &mut R,
        pixels: &mut P,
        canvas: &Canvas,
        grid: &Grid,
        row: usize,
    ) {
        let mut any = false;
        for column in grid.part.left..grid.part.right {
            if grid.tile(column, row).mode != Mode::Photo {
                continue;
            }
            any = true;
            let west = column.checked_sub(1).and_then(|west| grid.mode(west, row));
            let west_known = !matches!(west, Some(Mode::Drawn | Mode::Pattern));
            let first = canvas.at(column * TILE, row * TILE);
            let height = (canvas.size().height as usize - row * TILE).min(TILE);
            let place = Place { stride: canvas.stride(), first, height, west_known };
            residuals.tile(&mut self.photo, coder, pixels, place);
        }
        if any {
            residuals.row(&mut self.photo);
        }
    }

    fn patterns<C: Coder, P: Pixels>(
        &mut self,
        coder: &mut C,
        pixels: &mut P,
        canvas: &Canvas,
        grid: &mut Grid,
        row: usize,
    ) {
        let height = (canvas.size().height as usize - row * TILE).min(TILE);
        for band in 0..height.div_ceil(PERIOD) {
            for column in grid.part.left..grid.part.right {
                let mut tile = grid.tile(column, row);
                if tile.mode != Mode::Pattern {
                    continue;
                }
                let west = column.checked_sub(1);
                let west_mode = west.and_then(|west| grid.mode(west, row));
                if band == 0 {
                    let beside = west.filter(|west| *west >= grid.part.left && west_mode == Some(Mode::Pattern));
                    let beside = beside.map(|west| grid.tile(west, row).kind);
                    tile.kind = self.pattern.kind(coder, beside, tile.kind);
                    if let Some(place) = grid.tile_mut(column, row) {
                        *place = tile;
                    }
                }
                let known = |mode: Option<Mode>| mode.is_some_and(|mode| mode != Mode::Drawn);
                let sides = Sides { west: known(west_mode), east: known(grid.mode(column + 1, row)) };
                let first = canvas.at(column * TILE, row * TILE + band * PERIOD);
                self.pattern.band(coder, pixels, canvas.stride(), first, band == 0, sides, tile.kind);
            }
        }
    }

    fn drawn<C: Coder, P: Pixels>(
        &mut self,
        coder: &mut C,
        pixels: &mut P,
        earlier: &Canvas,
        grid: &Grid,
        row: usize,
        from: &mut Earlier,
    ) {
        let tiles = grid.part.left..grid.part.right;
        if !tiles.clone().any(|column| grid.tile(column, row).mode == Mode::Drawn) {
            return;
        }
        let parts = TILE / PART;
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for strip in 0..parts {
            let top = row * TILE + strip * PART;
            runs.clear();
            for part in tiles.start * parts..tiles.end * parts {
                let tile = grid.tile(part / parts, row);
                let block = ((part / 2) & 1) + strip / 2 * 2;
                let place = (part & 1) + (strip & 1) * 2;
                if tile.mode != Mode::Drawn || tile.parts[block] >> place & 1 == 0 {
                    continue;
                }
                match runs.last_mut() {
                    Some((_, end)) if *end == part => *end += 1,
                    _ => runs.push((part, part + 1)),
                }
            }
            for y in top..top + PART {
                for (left, right) in &runs {
                    fetch(from, earlier, grid, row, strip, y, (*left, *right));
                    let first = earlier.at(left * PART, y);
                    let count = (right - left) * PART;
                    let run = Run { stride: earlier.stride(), first, count, earlier: from };
                    self.drawn.line(coder, pixels, run);
                }
            }
        }
    }
}

/// What the earlier picture has for parts `left` up to `right` of a line.
fn fetch(
    from: &mut Earlier,
    earlier: &Canvas,
    grid: &Grid,
    row: usize,
    strip: usize,
    y: usize,
    (left, right): (usize, usize),
) {
    from.here.truncate(MARGIN);
    from.above.truncate(MARGIN);
    let per_tile = TILE / PART;
    for part in left..right {
        let tile = grid.tile(part / per_tile, row);
        let vector = grid.vector(tile.vectors[((part / 2) & 1) + strip / 2 * 2]);
        let block = (part * PART / BLOCK * BLOCK, y / BLOCK * BLOCK);
        // Checked when the grid was made: the whole block lies within.
        let (x, source) = vector.source(block.0, block.1, BLOCK, grid.bounds()).unwrap_or(block);
        let start = earlier.at(x + part * PART % BLOCK, source + y % BLOCK);
        let pixels = earlier.pixels();
        let line = |start: usize| pixels.get(start..start + PART).unwrap_or(&[0; PART]);
        from.here.extend_from_slice(line(start));
        from.above.extend_from_slice(line(start - earlier.stride()));
        if part == left
            && let Some(before) = from.here.get_mut(MARGIN - 1)
        {
            *before = pixels.get(start - 1).copied().unwrap_or(0);
        }
    }
}
