//! Finds what keeps changing and costs much.

use std::time::Duration;

use crate::codec::{Canvas, TILE_EDGE as TILE};
use crate::geometry::{Rect, Size};

/// So many photographs in the same place, none later than [`GAP`] after the one
/// before.
const ENOUGH: u8 = 3;
const GAP: Duration = Duration::from_millis(250);
/// Tiles below which video is not worth beginning, and along each edge.
const FEW: usize = 12;
const SHORT: u32 = 3;
/// Of a hundred tiles of a region so many have to be photographs.
const DENSE: usize = 35;
/// And of one that does not move.
const PACKED: usize = 75;
/// Tiles that are so far apart still belong together.
const REACH: usize = 2;
/// Where so many times less changes than further in, there is no film.
const MOSTLY: usize = 2;

#[derive(Debug, Clone, Copy, Default)]
struct Tile {
    /// Photographs in a row.
    photos: u8,
    last: Duration,
}

/// What is known of each tile.
#[derive(Debug, Clone)]
pub(super) struct Motion {
    columns: usize,
    rows: usize,
    tiles: Vec<Tile>,
}

impl Motion {
    pub(super) fn new(size: Size) -> Self {
        let (columns, rows) = (size.width.div_ceil(TILE) as usize, size.height.div_ceil(TILE) as usize);
        Self { columns, rows, tiles: vec![Tile::default(); columns * rows] }
    }

    /// What was seen is taken care of.
    pub(super) fn clear(&mut self) {
        self.tiles.fill(Tile::default());
    }

    /// These tiles, by their numbers, have changed to photographs.
    pub(super) fn feed(&mut self, photos: &[usize], now: Duration) {
        for tile in photos {
            let Some(tile) = self.tiles.get_mut(*tile) else { continue };
            if now.saturating_sub(tile.last) > GAP {
                tile.photos = 0;
            }
            *tile = Tile { photos: tile.photos.saturating_add(1), last: now };
        }
    }

    /// The largest region that keeps changing and costs much, in whole tiles.
    pub(super) fn find(&self, now: Duration) -> Option<Rect> {
        let is_hot = |tile: &Tile| tile.photos >= ENOUGH && now.saturating_sub(tile.last) <= GAP;
        self.largest(self.tiles.iter().map(is_hot).collect(), DENSE)
    }

    /// The largest region that hardly holds anything but these photographs, by
    /// their numbers.
    pub(super) fn find_still(&self, photos: &[usize]) -> Option<Rect> {
        let mut left = vec![false; self.tiles.len()];
        for photo in photos {
            if let Some(left) = left.get_mut(*photo) {
                *left = true;
            }
        }
        self.largest(left, PACKED)
    }

    fn largest(&self, mut left: Vec<bool>, packed: usize) -> Option<Rect> {
        let mut best: Option<(usize, Rect)> = None;
        for start in 0..left.len() {
            if left.get(start) == Some(&true) {
                let found = self.component(&mut left, start);
                if best.is_none_or(|(most, _)| found.0 > most) {
                    best = Some(found);
                }
            }
        }
        let (count, tiles) = best?;
        let large = count >= FEW && tiles.width >= SHORT && tiles.height >= SHORT;
        let dense = count * 100 >= tiles.area() * packed;
        (large && dense).then(|| Rect::new(tiles.x * TILE, tiles.y * TILE, tiles.width * TILE, tiles.height * TILE))
    }

    /// How many tiles belong to this one, and what holds them, in tiles.
    fn component(&self, left: &mut [bool], start: usize) -> (usize, Rect) {
        let place = |at: usize| {
            let edge = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            Rect::new(edge(at % self.columns), edge(at / self.columns), 1, 1)
        };
        let (mut count, mut bounds) = (0, place(start));
        let mut open = vec![start];
        if let Some(tile) = left.get_mut(start) {
            *tile = false;
        }
        while let Some(at) = open.pop() {
            count += 1;
            bounds = bounds.around(place(at));
            let (column, row) = (at % self.columns, at / self.columns);
            for row in row.saturating_sub(REACH)..(row + REACH + 1).min(self.rows) {
                for column in column.saturating_sub(REACH)..(column + REACH + 1).min(self.columns) {
                    let at = row * self.columns + column;
                    if let Some(tile) = left.get_mut(at).filter(|tile| **tile) {
                        *tile = false;
                        open.push(at);
                    }
                }
            }
        }
        (count, bounds)
    }
}

/// A region, in whole tiles, that is looked at once more before it becomes
/// video: where does it end, to the pixel?
#[derive(Debug, Clone)]
pub(super) struct Look {
    region: Rect,
    /// A tile more on each side.
    outer: Rect,
    before: Vec<u32>,
}

impl Look {
    pub(super) fn new(region: Rect, picture: &Canvas) -> Option<Self> {
        let outer = Rect::clipped(
            i64::from(region.x) - i64::from(TILE),
            i64::from(region.y) - i64::from(TILE),
            i64::from(region.width) + 2 * i64::from(TILE),
            i64::from(region.height) + 2 * i64::from(TILE),
            picture.size(),
        )?;
        let rows = (outer.y..outer.y + outer.height).map(|y| picture.row(outer.x, y, outer.width));
        Some(Self { region, outer, before: rows.flatten().copied().collect() })
    }

    /// Whether what was found now is what is looked at.
    pub(super) fn is_of(&self, found: Rect) -> bool {
        self.region == found
    }

    /// The region to the pixel, once there is another picture: from its middle
    /// as far as rows and columns change about as much as those within.
    pub(super) fn tight(&self, picture: &Canvas) -> Option<Rect> {
        let (region, outer) = (self.region, self.outer);
        // Its outermost tiles may hold little of it.
        let inner = Rect::new(
            region.x + TILE,
            region.y + TILE,
            region.width.checked_sub(2 * TILE)?,
            region.height.checked_sub(2 * TILE)?,
        );
        let changes = |line: Rect| -> usize {
            let rows = (line.y..line.y + line.height).map(|row| {
                let start = ((row - outer.y) * outer.width + line.x - outer.x) as usize;
                let before = self.before.get(start..start + line.width as usize).unwrap_or_default();
                before.iter().zip(picture.row(line.x, row, line.width)).filter(|(before, now)| before != now).count()
            });
            rows.sum()
        };
        let column = |x: u32| changes(Rect::new(x, inner.y, 1, inner.height));
        let row = |y: u32| changes(Rect::new(inner.x, y, inner.width, 1));
        let usual = |mut counts: Vec<usize>| {
            counts.sort_unstable();
            counts.get(counts.len() / 2).copied().unwrap_or(0)
        };
        let within = (
            usual((inner.x..inner.x + inner.width).map(column).collect()),
            usual((inner.y..inner.y + inner.height).map(row).collect()),
        );
        if within.0 == 0 || within.1 == 0 {
            return None;
        }
        let in_columns = |x: &u32| column(*x) * MOSTLY >= within.0;
        let in_rows = |y: &u32| row(*y) * MOSTLY >= within.1;
        let left = (outer.x..inner.x).rev().take_while(in_columns).last().unwrap_or(inner.x);
        let right = (inner.x + inner.width..outer.x + outer.width).take_while(in_columns).last();
        let top = (outer.y..inner.y).rev().take_while(in_rows).last().unwrap_or(inner.y);
        let bottom = (inner.y + inner.height..outer.y + outer.height).take_while(in_rows).last();
        let width = right.map_or(inner.x + inner.width, |last| last + 1) - left;
        let height = bottom.map_or(inner.y + inner.height, |last| last + 1) - top;
        Some(Rect::new(left, top, width, height))
    }
}
