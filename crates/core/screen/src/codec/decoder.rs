//! From bytes to the next picture. Every byte is hostile: whatever they are,
//! what comes of them is a picture or an error, in bounded memory.

use super::canvas::{Canvas, TILE};
use super::drawn::Coming;
use super::frame::{BLOCK, BLOCKS, Frames, Grid, Impossible, LONGEST, Mode, Part, Tile};
use super::memory::{TILE_BYTES, Tiles};
use super::photo::Stored;
use super::pixels::Models;
use super::range::Reader;
use crate::geometry::{Rect, Size};

/// Why a frame is refused. The decoder has to ask for a new epoch then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The frame says what no encoder would.
    #[error("the frame is damaged")]
    Damaged,
}

impl From<Impossible> for FrameError {
    fn from(_: Impossible) -> Self {
        Self::Damaged
    }
}

/// A decoder: a picture, and all that was remembered.
#[derive(Debug)]
pub struct Decoder {
    /// The picture, and one that lags a frame behind.
    pictures: [Canvas; 2],
    newest: usize,
    frames: Frames,
    models: Models,
    tiles: Tiles,
    grid: Grid,
    /// What the one that lags has not got yet.
    lacking: Vec<bool>,
    /// All that it lacks is in here.
    behind: Part,
    /// The last frame changed nothing.
    unchanged: bool,
    slots: usize,
}

/// Most bytes of tiles that a decoder remembers.
const MOST_MEMORY: usize = 64 << 20;
/// Most pixels of a picture.
const MOST_PIXELS: usize = 64 << 20;

impl Decoder {
    /// One that begins with a black picture and remembers so many tiles.
    /// `None` where the other side asks for too much of either, or for none.
    #[must_use]
    pub fn new(size: Size, slots: usize) -> Option<Self> {
        let edges = 1..=LONGEST;
        if !edges.contains(&size.width) || !edges.contains(&size.height) || size.area() > MOST_PIXELS {
            return None;
        }
        if !(1..=MOST_MEMORY / TILE_BYTES).contains(&slots) {
            return None;
        }
        let grid = Grid::new(size);
        Some(Self {
            pictures: [Canvas::new(size), Canvas::new(size)],
            newest: 0,
            frames: Frames::new(slots),
            models: Models::new(),
            tiles: Tiles::new(slots),
            lacking: vec![false; grid.count()],
            behind: Part::default(),
            grid,
            unchanged: true,
            slots,
        })
    }

    /// The picture as it stands.
    #[must_use]
    pub fn picture(&self) -> &Canvas {
        &self.pictures[self.newest]
    }

    /// Apply a frame. One without bytes changes nothing.
    ///
    /// # Errors
    /// [`FrameError`]; the picture is as it was, what is remembered may not be.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        if bytes.is_empty() {
            // The picture is the one that is there.
            self.unchanged = true;
            return Ok(());
        }
        self.unchanged = false;
        let mut reader = Reader::new(bytes);
        self.grid.clear();
        if Frames::forgets(&mut reader, false) {
            self.frames = Frames::new(self.slots);
            self.models = Models::new();
            self.tiles = Tiles::new(self.slots);
        }
        self.frames.describe(&mut reader, &mut self.grid)?;
        let possible =
            self.grid.places().all(|(column, row)| self.is_possible(&self.grid.tile(column, row), column, row));
        if !possible {
            return Err(FrameError::Damaged);
        }
        let [first, second] = &mut self.pictures;
        let (earlier, next) = if self.newest == 0 { (&*first, second) } else { (&*second, first) };
        let part = self.behind.around(self.grid.part);
        let rows = self.lacking.chunks(self.grid.columns.max(1)).enumerate();
        for (row, lacking) in rows.take(part.bottom).skip(part.top) {
            prepare(next, earlier, &self.grid, &self.tiles, (row, part), lacking);
        }
        // What is remembered may be read in this frame, and only then goes.
        for (column, row) in self.grid.places() {
            if self.grid.tile(column, row).insert {
                self.tiles.insert(earlier, column * TILE, row * TILE);
            }
        }
        let mut residuals = Stored::new(bytes);
        let mut pixels = Coming(next.pixels_mut());
        self.models.code(&mut reader, &mut residuals, &mut pixels, earlier, &mut self.grid, false);
        if residuals.is_damaged() {
            return Err(FrameError::Damaged);
        }
        for row in self.lacking.chunks_mut(self.grid.columns.max(1)).take(part.bottom).skip(part.top) {
            row.iter_mut().take(part.right).skip(part.left).for_each(|lacking| *lacking = false);
        }
        self.behind = self.grid.part;
        for (index, _) in self.grid.tiles().filter(|(_, tile)| tile.mode != Mode::Same) {
            self.lacking[index] = true;
        }
        self.newest ^= 1;
        Ok(())
    }

    /// Rectangles that the last frame changed, runs of tiles.
    #[must_use]
    pub fn changed(&self) -> Vec<Rect> {
        let size = self.picture().size();
        let mut rects: Vec<Rect> = Vec::new();
        if self.unchanged {
            return rects;
        }
        let rows = self.lacking.chunks(self.grid.columns.max(1)).enumerate();
        for (row, tiles) in rows.take(self.behind.bottom).skip(self.behind.top) {
            let mut run: Option<(usize, usize)> = None;
            for column in self.behind.left..=self.behind.right.min(tiles.len()) {
                match (run, tiles.get(column) == Some(&true)) {
                    (None, true) => run = Some((column, column + 1)),
                    (Some((left, _)), true) => run = Some((left, column + 1)),
                    (Some((left, right)), false) => {
                        let scale = |tiles: usize| (tiles * TILE) as i64;
                        let (x, y) = (scale(left), scale(row));
                        rects.extend(Rect::clipped(x, y, scale(right) - x, TILE as i64, size));
                        run = None;
                    }
                    (None, false) => {}
                }
            }
        }
        rects
    }

    fn is_possible(&self, tile: &Tile, column: usize, row: usize) -> bool {
        let (x, y, bounds) = (column * TILE, row * TILE, self.grid.bounds());
        match tile.mode {
            Mode::Same | Mode::Photo | Mode::Pattern => true,
            Mode::Moved => self.grid.vector(tile.vector).source(x, y, TILE, bounds).is_some(),
            Mode::Remembered => self.tiles.get(tile.slot).is_some(),
            Mode::Drawn => (0..BLOCKS).all(|block| {
                let (x, y) = (x + block % 2 * BLOCK, y + block / 2 * BLOCK);
                self.grid.vector(tile.vectors[block]).source(x, y, BLOCK, bounds).is_some()
            }),
        }
    }
}

/// Everything of a row of tiles, as far as it is in a part, that needs no pixels.
/// `lacking` says which tiles of the row `next` has not got yet.
fn prepare(
    next: &mut Canvas,
    earlier: &Canvas,
    grid: &Grid,
    tiles: &Tiles,
    (row, part): (usize, Part),
    lacking: &[bool],
) {
    let y = row * TILE;
    let is_brought = |column: usize| -> Option<u8> {
        let tile = grid.tile(column, row);
        match tile.mode {
            Mode::Same if lacking.get(column) == Some(&true) => Some(0),
            Mode::Moved => Some(tile.vector),
            _ => None,
        }
    };
    let (mut column, end) = (part.left, part.right.min(grid.columns));
    while column < end {
        // What comes the same way is copied as one: long lines are quicker.
        let begun = column;
        let brought = is_brought(column);
        column += 1;
        let Some(vector) = brought else {
            make(next, earlier, grid, tiles, (begun, row));
            continue;
        };
        while column < end && is_brought(column) == brought {
            column += 1;
        }
        let first = grid.vector(vector).source(begun * TILE, y, TILE, grid.bounds());
        let Some((from_x, from_y)) = first else { continue };
        let width = (column - begun) * TILE;
        for line in 0..TILE {
            let from = earlier.line(from_x, from_y + line, width);
            let to = next.line_mut(begun * TILE, y + line, width);
            if from.len() == to.len() {
                to.copy_from_slice(from);
            }
        }
    }
}

/// The other tiles.
fn make(next: &mut Canvas, earlier: &Canvas, grid: &Grid, tiles: &Tiles, (column, row): (usize, usize)) {
    let (x, y) = (column * TILE, row * TILE);
    let tile = grid.tile(column, row);
    match tile.mode {
        Mode::Same | Mode::Moved => {}
        Mode::Photo | Mode::Pattern => {
            // What lies below the picture is no part of it, and black.
            let height = (earlier.size().height as usize).saturating_sub(y).min(TILE);
            (y + height..y + TILE).for_each(|below| next.line_mut(x, below, TILE).fill(0));
        }
        Mode::Drawn => {
            for (block, vector) in tile.vectors.into_iter().enumerate() {
                let (x, y) = (x + block % 2 * BLOCK, y + block / 2 * BLOCK);
                let Some((from_x, from_y)) = grid.vector(vector).source(x, y, BLOCK, grid.bounds()) else { return };
                for line in 0..BLOCK {
                    next.line_mut(x, y + line, BLOCK).copy_from_slice(earlier.line(from_x, from_y + line, BLOCK));
                }
            }
        }
        Mode::Remembered => {
            let Some(pixels) = tiles.get(tile.slot) else { return };
            for (line, from) in pixels.as_chunks::<TILE>().0.iter().enumerate() {
                next.line_mut(x, y + line, TILE).copy_from_slice(from);
            }
        }
    }
}
