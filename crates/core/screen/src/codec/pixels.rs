//! The pixels of a frame, in the one order that both sides keep: row of tiles
//! by row of tiles, first photographs, then patterns, then what is drawn, line
//! by line.

use super::canvas::{Canvas, TILE};
use super::drawn::{Drawn, Earlier, MARGIN, Pixels, Run};
use super::frame::{BLOCK, Grid, Mode, PART, Vector};
use super::pattern::{PERIOD, Pattern, Sides};
use super::photo::{Photo, Place, Residuals};
use super::quick::Quick;
use super::range::{Bit, Coder};

/// Drawn tiles above which all that is remembered is brought near first.
const MANY: usize = 20;

/// Every model of pixels.
#[derive(Debug, Clone)]
pub(super) struct Models {
    pub(super) drawn: Drawn,
    quick: Quick,
    /// Whether what is drawn is coded quickly.
    is_quick: Bit,
    photo: Photo,
    pattern: Pattern,
}

impl Models {
    pub(super) fn new() -> Self {
        Self {
            drawn: Drawn::new(),
            quick: Quick::new(),
            is_quick: Bit::default(),
            photo: Photo::new(),
            pattern: Pattern::new(),
        }
    }

    /// All pixels of a frame. `earlier` is the picture before it; `pixels` are
    /// of the one that comes, with a canvas' layout like `earlier`. Whoever writes
    /// says whether what is drawn `is_quick`.
    pub(super) fn code<C: Coder, R: Residuals, P: Pixels>(
        &mut self,
        coder: &mut C,
        residuals: &mut R,
        pixels: &mut P,
        earlier: &Canvas,
        grid: &mut Grid,
        is_quick: bool,
    ) {
        let drawn = grid.tiles().filter(|(_, tile)| tile.mode == Mode::Drawn).count();
        let is_quick = drawn > 0 && coder.bit(&mut self.is_quick, is_quick);
        if drawn > MANY && !is_quick {
            self.drawn.warm();
        }
        let mut from = Earlier { here: vec![0; MARGIN], above: vec![0; MARGIN] };
        for row in grid.part.top..grid.part.bottom {
            self.photos(coder, residuals, pixels, earlier, grid, row);
            self.patterns(coder, pixels, earlier, grid, row);
            self.drawn(coder, pixels, (earlier, &mut from), grid, row, is_quick);
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
        (earlier, from): (&Canvas, &mut Earlier),
        grid: &Grid,
        row: usize,
        is_quick: bool,
    ) {
        let tiles = grid.part.left..grid.part.right;
        if !tiles.clone().any(|column| grid.tile(column, row).mode == Mode::Drawn) {
            return;
        }
        if is_quick {
            self.quick.begin(coder);
        }
        let parts = TILE / PART;
        let mut runs: Vec<(usize, usize)> = Vec::new();
        // Where each of their parts comes from in the earlier picture.
        let mut sources: Vec<usize> = Vec::new();
        for strip in 0..parts {
            let top = row * TILE + strip * PART;
            runs.clear();
            sources.clear();
            for part in tiles.start * parts..tiles.end * parts {
                let tile = grid.tile(part / parts, row);
                let block = ((part / 2) & 1) + strip / 2 * 2;
                let place = (part & 1) + (strip & 1) * 2;
                if tile.mode != Mode::Drawn || tile.parts[block] >> place & 1 == 0 {
                    continue;
                }
                sources.push(source(earlier, grid, grid.vector(tile.vectors[block]), part * PART, top));
                match runs.last_mut() {
                    Some((_, end)) if *end == part => *end += 1,
                    _ => runs.push((part, part + 1)),
                }
            }
            for down in 0..PART {
                let mut rest = sources.as_slice();
                for (left, right) in &runs {
                    let sources;
                    (sources, rest) = rest.split_at(right - left);
                    let (stride, first) = (earlier.stride(), earlier.at(left * PART, top + down));
                    let run = Run { stride, first, count: (right - left) * PART };
                    if is_quick {
                        let source = |part: usize| sources.get(part).map_or(0, |source| source + down * stride);
                        self.quick.line(coder, pixels, run, earlier.pixels(), source);
                    } else {
                        from.fetch(earlier, sources, down);
                        self.drawn.line(coder, pixels, run, from);
                    }
                }
            }
        }
        if is_quick {
            self.quick.end(coder);
        }
    }
}

/// Where the part at (`x`, `y`) comes from, if its block moved along a vector.
fn source(earlier: &Canvas, grid: &Grid, vector: Vector, x: usize, y: usize) -> usize {
    let block = (x / BLOCK * BLOCK, y / BLOCK * BLOCK);
    // Checked when the grid was made: the whole block lies within.
    let from = vector.source(block.0, block.1, BLOCK, grid.bounds()).unwrap_or(block);
    earlier.at(from.0 + x % BLOCK, from.1 + y % BLOCK)
}

impl Earlier {
    /// A line of parts that come from these places, so many lines below them.
    fn fetch(&mut self, earlier: &Canvas, sources: &[usize], down: usize) {
        let (pixels, stride) = (earlier.pixels(), earlier.stride());
        let line = |start: usize| pixels.get(start..start + PART).unwrap_or(&[0; PART]);
        self.here.resize(MARGIN + sources.len() * PART, 0);
        self.above.resize(MARGIN + sources.len() * PART, 0);
        let here = self.here.get_mut(MARGIN..).unwrap_or_default().as_chunks_mut::<PART>().0;
        let above = self.above.get_mut(MARGIN..).unwrap_or_default().as_chunks_mut::<PART>().0;
        for ((here, above), source) in here.iter_mut().zip(above).zip(sources) {
            let start = source + down * stride;
            here.copy_from_slice(line(start));
            above.copy_from_slice(line(start - stride));
        }
        let before = sources.first().and_then(|first| pixels.get(first + down * stride - 1));
        if let Some(place) = self.here.get_mut(MARGIN - 1) {
            *place = before.copied().unwrap_or(0);
        }
    }
}
