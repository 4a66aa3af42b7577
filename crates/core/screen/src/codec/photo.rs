//! Photographs: every pixel differs from its neighbours, so what matters is to
//! be quick. Each channel is foretold from its neighbours, green first; how
//! far off that is is coded by tables that follow what was seen.
//!
//! What is the same for both sides stands here. The writer knows all pixels
//! and works line by line, the reader has to go from pixel to pixel.

mod reading;
mod tables;
mod writing;

pub(super) use reading::Stored;
pub(super) use tables::Photo;
pub(super) use writing::Waiting;

use super::drawn::Pixels;
use super::range::Coder;
use tables::{LEVELS, SYMBOLS};

/// Pixels of a tile's line.
const WIDTH: usize = super::canvas::TILE;
/// Those and one on either side.
const ROOM: usize = WIDTH + 2;
/// Green, red less green, blue less green.
const CHANNELS: usize = 3;
/// Unrest from which on the next level counts.
const BEGINS: [i16; LEVELS - 1] = [2, 6, 12, 20, 32, 50, 80];

/// Where a tile stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) stride: usize,
    /// Its first pixel.
    pub(super) first: usize,
    /// Its lines that are of the picture.
    pub(super) height: usize,
    /// Whether the pixels left of it are known.
    pub(super) west_known: bool,
}

/// Writes residuals, or reads them.
pub(super) trait Residuals {
    /// A tile.
    fn tile<C: Coder, P: Pixels>(&mut self, photo: &mut Photo, coder: &mut C, pixels: &mut P, place: Place);

    /// Behind the tiles of a row that has any.
    fn row(&mut self, photo: &mut Photo);
}

type Row = [i16; ROOM];

/// A line of a tile, from the pixel left of it on.
#[derive(Debug)]
struct Line([Row; CHANNELS]);

impl Line {
    fn new() -> Self {
        Self([[0; ROOM]; CHANNELS])
    }

    /// The one that begins at `at`.
    #[inline(always)]
    fn fill<P: Pixels>(&mut self, pixels: &P, at: usize) {
        let Some(pixels) = pixels.from(at - 1, at + WIDTH + 1).first_chunk::<ROOM>() else { return };
        let [greens, reds, blues] = &mut self.0;
        for (((pixel, green), red), blue) in pixels.iter().zip(greens).zip(reds).zip(blues) {
            *green = (pixel >> 8 & 255) as i16;
            *red = (pixel >> 16 & 255) as i16 - *green;
            *blue = (pixel & 255) as i16 - *green;
        }
    }

    /// What lies left of it is not known: the north stands for it.
    #[inline(always)]
    fn begin_below(&mut self, north: &Self) {
        for (row, north) in self.0.iter_mut().zip(&north.0) {
            row[0] = north[1];
        }
    }

    /// What lies beside it is not known, or not looked at.
    #[inline(always)]
    fn close(&mut self, west_known: bool) {
        for row in &mut self.0 {
            row[ROOM - 1] = row[ROOM - 2];
            if !west_known {
                row[0] = row[1];
            }
        }
    }
}

/// How far off the channels of a line were, without sign; none left of it.
type Sizes = [Row; CHANNELS];

/// What the line above says of the unrest at each pixel.
#[inline(always)]
fn unrest_above(north: &Row, sizes: &Row, channel: usize, above: &mut [i16; WIDTH]) {
    for (x, above) in above.iter_mut().enumerate() {
        let (corner, north, east) = (north[x], north[x + 1], north[x + 2]);
        let to_east = if channel == 0 { (north - east).abs() } else { 0 };
        *above = (north - corner).abs() + to_east + sizes[x + 1];
    }
}

/// The level of unrest: of `above`, of the step between west and corner, of the
/// west's own residual, and of the channel before.
#[inline(always)]
fn level(above: i16, west: i16, corner: i16, west_size: i16, before: i16) -> i16 {
    let unrest = above + (west - corner).abs() + west_size + before;
    BEGINS.iter().map(|begin| i16::from(unrest >= *begin)).sum()
}

/// The median of west, north, and what a plane through the three gives.
#[inline(always)]
fn median(west: i16, north: i16, corner: i16) -> i16 {
    (west + north - corner).max(west.min(north)).min(west.max(north))
}

/// Small ones of either sign first.
#[inline(always)]
fn fold(residual: i16) -> i16 {
    (residual << 1 ^ residual >> 15) & 255
}

#[inline(always)]
fn unfold(folded: i16) -> i16 {
    folded >> 1 ^ -(folded & 1)
}

/// The place of a symbol in all tables.
#[inline(always)]
fn index(channel: usize, level: i16, symbol: i16) -> u16 {
    ((channel * LEVELS * SYMBOLS) as i16 + level * SYMBOLS as i16 + symbol) as u16
}
