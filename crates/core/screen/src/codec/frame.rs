//! What a frame says of its tiles before any pixel: the part of the picture
//! that it is about, vectors along which things moved, and for each tile how
//! it comes to be.

use super::canvas::TILE;
use super::range::{Bit, Coder};
use crate::geometry::Size;

/// Most vectors of a frame.
pub(super) const VECTORS: usize = 7;
/// Blocks of a tile, and the edge of one.
pub(super) const BLOCKS: usize = 4;
pub(super) const BLOCK: usize = TILE / 2;
/// Edge of what is sent as pixels or not.
pub(super) const PART: usize = BLOCK / 2;
/// Largest width and height, in pixels.
pub const LONGEST: u32 = 16_384;
/// Bits of a tile's column or row.
const PLACE: u32 = 9;

/// How a tile comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mode {
    /// As it was.
    #[default]
    Same,
    /// All of it from elsewhere in the earlier picture.
    Moved,
    /// From memory.
    Remembered,
    /// Blocks of the earlier picture, moved or not, and parts drawn anew.
    Drawn,
    Photo,
    Pattern,
}

impl Mode {
    const ALL: [Self; 6] = [Self::Same, Self::Moved, Self::Remembered, Self::Drawn, Self::Photo, Self::Pattern];
}

/// A tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tile {
    pub(super) mode: Mode,
    /// What was here before is remembered.
    pub(super) insert: bool,
    /// Of a moved tile.
    pub(super) vector: u8,
    /// Of a pattern.
    pub(super) kind: u8,
    pub(super) slot: u32,
    /// Where each block comes from: 0 from the same place.
    pub(super) vectors: [u8; BLOCKS],
    /// Which of the four parts of each block are drawn.
    pub(super) parts: [u8; BLOCKS],
}

impl Tile {
    /// How many of its sixteen parts are drawn.
    pub(super) fn drawn(&self) -> u32 {
        self.parts.iter().map(|parts| parts.count_ones()).sum()
    }
}

/// How far something moved: from the place minus this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Vector {
    pub(super) x: i32,
    pub(super) y: i32,
}

impl Vector {
    /// Where a block of this edge at (`x`, `y`) comes from, if that lies
    /// within whole tiles.
    pub(super) fn source(self, x: usize, y: usize, edge: usize, bounds: (usize, usize)) -> Option<(usize, usize)> {
        let from = |at: usize, moved: i32, bound: usize| {
            let from = usize::try_from(i64::try_from(at).ok()? - i64::from(moved)).ok()?;
            (from + edge <= bound).then_some(from)
        };
        Some((from(x, self.x, bounds.0)?, from(y, self.y, bounds.1)?))
    }
}

/// Tiles from `left`, `top` up to `right`, `bottom`, those not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Part {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
}

impl Part {
    /// The least part that holds both; one that is empty counts for nothing.
    pub(super) fn around(self, other: Self) -> Self {
        let is_empty = |part: Self| part.left >= part.right || part.top >= part.bottom;
        match (is_empty(self), is_empty(other)) {
            (true, _) => other,
            (_, true) => self,
            _ => Self {
                left: self.left.min(other.left),
                top: self.top.min(other.top),
                right: self.right.max(other.right),
                bottom: self.bottom.max(other.bottom),
            },
        }
    }
}

/// All tiles of a picture.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// Where tiles may differ: all others are as they were.
    pub(super) part: Part,
    tiles: Vec<Tile>,
    /// The first stands for no motion.
    pub(super) vectors: Vec<Vector>,
}

impl Grid {
    pub(super) fn new(size: Size) -> Self {
        let tiles = |length: u32| (length as usize).div_ceil(TILE);
        let (columns, rows) = (tiles(size.width), tiles(size.height));
        Self {
            columns,
            rows,
            part: Part::default(),
            tiles: vec![Tile::default(); columns * rows],
            vectors: vec![Vector::default()],
        }
    }

    /// Nothing differs.
    pub(super) fn clear(&mut self) {
        self.tiles_mut().for_each(|tile| *tile = Tile::default());
        self.vectors.truncate(1);
        debug_assert!(self.tiles.iter().all(|tile| *tile == Tile::default()), "a tile beyond the part");
    }

    /// How many tiles there are, of the part or not.
    pub(super) fn count(&self) -> usize {
        self.tiles.len()
    }

    /// The tiles of the part with their numbers.
    pub(super) fn tiles(&self) -> impl Iterator<Item = (usize, &Tile)> {
        let (part, columns) = (self.part, self.columns.max(1));
        let rows = self.tiles.chunks(columns).enumerate().take(part.bottom).skip(part.top);
        rows.flat_map(move |(row, tiles)| {
            let tiles = tiles.iter().enumerate().take(part.right).skip(part.left);
            tiles.map(move |(column, tile)| (row * columns + column, tile))
        })
    }

    pub(super) fn tiles_mut(&mut self) -> impl Iterator<Item = &mut Tile> {
        let (part, columns) = (self.part, self.columns);
        let rows = self.tiles.chunks_mut(columns.max(1)).take(part.bottom).skip(part.top);
        rows.flat_map(move |row| row.iter_mut().take(part.right).skip(part.left))
    }

    /// The tile of this number.
    pub(super) fn numbered(&self, number: usize) -> Option<&Tile> {
        self.tiles.get(number)
    }

    /// The same to be changed; only tiles of the part are.
    pub(super) fn numbered_mut(&mut self, number: usize) -> Option<&mut Tile> {
        self.tiles.get_mut(number)
    }

    /// Width and height in pixels, whole tiles.
    pub(super) fn bounds(&self) -> (usize, usize) {
        (self.columns * TILE, self.rows * TILE)
    }

    #[inline(always)]
    pub(super) fn tile(&self, column: usize, row: usize) -> Tile {
        self.tiles.get(row * self.columns + column).copied().unwrap_or_default()
    }

    #[inline(always)]
    pub(super) fn tile_mut(&mut self, column: usize, row: usize) -> Option<&mut Tile> {
        self.tiles.get_mut(row * self.columns + column)
    }

    /// The places of the part, row by row.
    pub(super) fn places(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let part = self.part;
        (part.top..part.bottom).flat_map(move |row| (part.left..part.right).map(move |column| (column, row)))
    }

    /// The mode of a neighbour; there is none beyond the edge.
    pub(super) fn mode(&self, column: usize, row: usize) -> Option<Mode> {
        (column < self.columns && row < self.rows).then(|| self.tile(column, row).mode)
    }

    pub(super) fn vector(&self, index: u8) -> Vector {
        self.vectors.get(usize::from(index)).copied().unwrap_or_default()
    }
}

/// What can stand in no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Impossible;

/// What frames were like so far.
#[derive(Debug, Clone)]
pub(super) struct Frames {
    part: Part,
    part_again: Bit,
    place: Box<[[Bit; 1 << PLACE]; 4]>,
    vector_count: [Bit; 16],
    vector_known: Bit,
    vector_which: [Bit; 8],
    vector_length: [[Bit; 16]; 2],
    known: [Vector; VECTORS],
    known_count: usize,
    mode: [[[Bit; 8]; 6]; 6],
    insert: [Bit; 6],
    moved_again: Bit,
    moved_which: [Bit; 8],
    block_moved: [Bit; 2],
    block_again: Bit,
    block_which: [Bit; 8],
    parts: [[[Bit; 16]; 3]; 2],
    slot_foretold: Bit,
    /// The slot that followed another one at a place.
    followers: Box<[u16; 1 << 16]>,
    slot_bits: u32,
}

impl Frames {
    /// `slots`: how many tiles are remembered.
    pub(super) fn new(slots: usize) -> Self {
        Self {
            part: Part::default(),
            part_again: Bit::default(),
            place: Box::new([[Bit::default(); 1 << PLACE]; 4]),
            vector_count: [Bit::default(); 16],
            vector_known: Bit::default(),
            vector_which: [Bit::default(); 8],
            vector_length: [[Bit::default(); 16]; 2],
            known: [Vector::default(); VECTORS],
            known_count: 0,
            mode: [[[Bit::default(); 8]; 6]; 6],
            insert: [Bit::default(); 6],
            moved_again: Bit::default(),
            moved_which: [Bit::default(); 8],
            block_moved: [Bit::default(); 2],
            block_again: Bit::default(),
            block_which: [Bit::default(); 8],
            parts: [[[Bit::default(); 16]; 3]; 2],
            slot_foretold: Bit::default(),
            followers: Box::new([0; 1 << 16]),
            slot_bits: slots.next_power_of_two().ilog2(),
        }
    }

    /// Whether all that is remembered goes, before anything else is said.
    pub(super) fn forgets<C: Coder>(coder: &mut C, forgets: bool) -> bool {
        // Rare, and asked before anything is known: nothing is learnt from it.
        coder.bit(&mut Bit::unlikely(), forgets)
    }

    /// Write what `grid` says, or read it into it.
    pub(super) fn describe<C: Coder>(&mut self, coder: &mut C, grid: &mut Grid) -> Result<(), Impossible> {
        self.part(coder, grid)?;
        self.vectors(coder, grid)?;
        let (mut last_vector, mut last_slot) = (1, 0);
        for (column, row) in grid.places() {
            let neighbour = |there: bool, column: usize, row: usize| {
                if there { grid.tile(column, row).mode as usize } else { 0 }
            };
            let west = neighbour(column > grid.part.left, column.wrapping_sub(1), row);
            let north = neighbour(row > grid.part.top, column, row.wrapping_sub(1));
            let mut tile = grid.tile(column, row);
            let mode = coder.tree(&mut self.mode[west][north], 3, tile.mode as u32);
            tile.mode = *Mode::ALL.get(mode as usize).ok_or(Impossible)?;
            if tile.mode != Mode::Same {
                tile.insert = coder.bit(&mut self.insert[mode as usize], tile.insert);
            }
            let vectors = grid.vectors.len() - 1;
            match tile.mode {
                Mode::Moved => {
                    tile.vector = self.moved(coder, tile.vector, vectors, last_vector)?;
                    last_vector = tile.vector;
                }
                Mode::Remembered => {
                    tile.slot = self.slot(coder, tile.slot, last_slot, row * grid.columns + column);
                    last_slot = tile.slot;
                }
                Mode::Drawn => self.blocks(coder, &mut tile, vectors, &mut last_vector)?,
                Mode::Same | Mode::Photo | Mode::Pattern => {}
            }
            if let Some(place) = grid.tile_mut(column, row) {
                *place = tile;
            }
        }
        Ok(())
    }

    fn part<C: Coder>(&mut self, coder: &mut C, grid: &mut Grid) -> Result<(), Impossible> {
        let Part { left, top, right, bottom } = grid.part;
        if coder.bit(&mut self.part_again, grid.part == self.part) {
            grid.part = self.part;
        } else {
            let mut place =
                |which: usize, value: usize| coder.tree(&mut self.place[which], PLACE, value as u32) as usize;
            let (left, top) = (place(0, left), place(1, top));
            let (width, height) = (place(2, right.wrapping_sub(left + 1)), place(3, bottom.wrapping_sub(top + 1)));
            grid.part = Part { left, top, right: left + width + 1, bottom: top + height + 1 };
            self.part = grid.part;
        }
        if grid.part.right > grid.columns || grid.part.bottom > grid.rows {
            return Err(Impossible);
        }
        Ok(())
    }

    fn vectors<C: Coder>(&mut self, coder: &mut C, grid: &mut Grid) -> Result<(), Impossible> {
        let count = coder.number(&mut self.vector_count, grid.vectors.len() as u32 - 1) as usize;
        if count > VECTORS {
            return Err(Impossible);
        }
        grid.vectors.resize(count + 1, Vector::default());
        for place in grid.vectors.iter_mut().skip(1) {
            let at = self.known.iter().take(self.known_count).position(|known| known == place);
            if self.known_count > 0 && coder.bit(&mut self.vector_known, at.is_some()) {
                let which = coder.tree(&mut self.vector_which, 3, at.unwrap_or(0) as u32) as usize;
                *place = *self.known.get(..self.known_count).and_then(|known| known.get(which)).ok_or(Impossible)?;
            } else {
                let [x, y] = &mut self.vector_length;
                let mut length = |models, value: i32| unfold(coder.number(models, fold(value)));
                *place = Vector { x: length(x, place.x), y: length(y, place.y) };
            }
        }
        if count > 0 {
            self.known_count = count;
            self.known[..count].copy_from_slice(&grid.vectors[1..]);
        }
        Ok(())
    }

    fn moved<C: Coder>(&mut self, coder: &mut C, vector: u8, vectors: usize, last: u8) -> Result<u8, Impossible> {
        let vector = match vectors {
            0 => return Err(Impossible),
            1 => 1,
            _ if coder.bit(&mut self.moved_again, vector == last) => last,
            _ => coder.tree(&mut self.moved_which, 3, u32::from(vector).wrapping_sub(1)) as u8 + 1,
        };
        if usize::from(vector) > vectors { Err(Impossible) } else { Ok(vector) }
    }

    fn slot<C: Coder>(&mut self, coder: &mut C, slot: u32, last: u32, place: usize) -> u32 {
        let key = last.wrapping_mul(0x9e37_79b1).wrapping_add((place as u32).wrapping_mul(0x85eb_ca77)) >> 16;
        let follower = &mut self.followers[key as usize & 0xffff];
        let foretold = u32::from(*follower);
        if coder.bit(&mut self.slot_foretold, foretold == slot) {
            return foretold;
        }
        let slot = coder.raw(slot, self.slot_bits);
        *follower = slot as u16;
        slot
    }

    fn blocks<C: Coder>(
        &mut self,
        coder: &mut C,
        tile: &mut Tile,
        vectors: usize,
        last: &mut u8,
    ) -> Result<(), Impossible> {
        let (mut moved_before, mut drawn_before) = (false, 0);
        for (index, (vector, parts)) in tile.vectors.iter_mut().zip(&mut tile.parts).enumerate() {
            let moved = vectors > 0 && coder.bit(&mut self.block_moved[usize::from(moved_before)], *vector > 0);
            *vector = match vectors {
                _ if !moved => 0,
                1 => 1,
                _ if coder.bit(&mut self.block_again, *vector == *last) => *last,
                _ => coder.tree(&mut self.block_which, 3, u32::from(*vector).wrapping_sub(1)) as u8 + 1,
            };
            if usize::from(*vector) > vectors {
                return Err(Impossible);
            }
            if moved {
                *last = *vector;
            }
            let models = &mut self.parts[usize::from(moved)][if index == 0 { 0 } else { 1 + drawn_before }];
            *parts = coder.tree(models, 4, u32::from(*parts)) as u8;
            (moved_before, drawn_before) = (moved, usize::from(*parts > 0));
        }
        Ok(())
    }
}

fn fold(value: i32) -> u32 {
    (value << 1 ^ value >> 31) as u32
}

fn unfold(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}
