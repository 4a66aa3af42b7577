//! Finds what keeps changing and costs much.

use std::time::Duration;

use crate::codec::{Canvas, Restless};
use crate::geometry::{Rect, Size};

/// Edge of what is looked at: the codec's tiles.
const TILE: u32 = 32;
/// So many changes, none later than [`GAP`] after the one before.
const ENOUGH: u8 = 6;
const GAP: Duration = Duration::from_millis(250);
/// Costly tiles below which video is not worth beginning.
const FEW: usize = 12;
/// Of a hundred tiles of a region so many have to be costly.
const DENSE: usize = 35;
/// Of a row or column at a film's edge, one pixel of two has changed at least.
const MOSTLY: usize = 2;
/// Tiles that are so far apart still belong together.
const REACH: usize = 2;

#[derive(Debug, Clone, Copy, Default)]
struct Tile {
    /// Changes in a row, and costly ones among them.
    changes: u8,
    costly: u8,
    last: Duration,
    /// What of it changed since the row began: left, top, right, bottom.
    extent: Option<[u32; 4]>,
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

    /// These tiles have changed.
    pub(super) fn feed(&mut self, restless: &[Restless], now: Duration) {
        for Restless { changed, costly } in restless {
            let at = (changed.y / TILE) as usize * self.columns + (changed.x / TILE) as usize;
            let Some(tile) = self.tiles.get_mut(at) else { continue };
            if now.saturating_sub(tile.last) > GAP {
                *tile = Tile::default();
            }
            tile.last = now;
            tile.changes = tile.changes.saturating_add(1);
            tile.costly = tile.costly.saturating_add(u8::from(*costly));
            let [left, top, right, bottom] = tile.extent.unwrap_or([u32::MAX, u32::MAX, 0, 0]);
            tile.extent = Some([
                left.min(changed.x),
                top.min(changed.y),
                right.max(changed.x + changed.width),
                bottom.max(changed.y + changed.height),
            ]);
        }
    }

    /// The largest region that keeps changing and costs much.
    pub(super) fn find(&self, now: Duration) -> Option<Rect> {
        let mut left: Vec<bool> = self.tiles.iter().map(|tile| is_hot(tile, now)).collect();
        let mut best: Option<(usize, [usize; 4])> = None;
        for start in 0..left.len() {
            if left.get(start) == Some(&true) {
                let (count, bounds) = self.component(&mut left, start);
                if best.is_none_or(|(most, _)| count > most) {
                    best = Some((count, bounds));
                }
            }
        }
        let (count, bounds) = best?;
        let [first_column, first_row, last_column, last_row] = bounds;
        let area = (last_column - first_column + 1) * (last_row - first_row + 1);
        if count < FEW || count * 100 < area * DENSE {
            return None;
        }
        self.bounds(bounds, now)
    }

    /// All that belongs to a tile, and the tiles that bound it.
    fn component(&self, left: &mut [bool], start: usize) -> (usize, [usize; 4]) {
        let (mut count, mut bounds) = (0, [usize::MAX, usize::MAX, 0, 0]);
        let mut open = vec![start];
        if let Some(tile) = left.get_mut(start) {
            *tile = false;
        }
        while let Some(at) = open.pop() {
            let (column, row) = (at % self.columns, at / self.columns);
            count += 1;
            bounds = [
                bounds[0].min(column),
                bounds[1].min(row),
                bounds[2].max(column),
                bounds[3].max(row),
            ];
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

    /// The region to the pixel: what most tiles along an edge say of it. A tile
    /// that holds little of the region is not costly; it counts where what
    /// changes in it reaches up to its neighbour.
    fn bounds(&self, [left, top, right, bottom]: [usize; 4], now: Duration) -> Option<Rect> {
        let (rows, columns) = (top..=bottom, left..=right);
        let of = |column: Option<usize>, row: Option<usize>| {
            let (column, row) = (column?, row?);
            let tile = self.tiles.get(row * self.columns + column).filter(|_| column < self.columns)?;
            tile.extent.filter(|_| tile.changes >= ENOUGH && now.saturating_sub(tile.last) <= GAP)
        };
        let edge = |column: usize| column as u32 * TILE;
        let vertical = |column: Option<usize>, side: usize| -> Vec<(u32, [u32; 4])> {
            rows.clone().filter_map(|row| of(column, Some(row))).map(|extent| (extent[side], extent)).collect()
        };
        let horizontal = |row: Option<usize>, side: usize| -> Vec<(u32, [u32; 4])> {
            columns.clone().filter_map(|column| of(Some(column), row)).map(|extent| (extent[side], extent)).collect()
        };
        let (tall, wide) = (rows.clone().count(), columns.clone().count());
        let beyond = |ring: Vec<(u32, [u32; 4])>, along: usize, side: usize, border: u32| {
            let touching: Vec<u32> =
                ring.into_iter().filter(|(_, extent)| extent[side] == border).map(|(at, _)| at).collect();
            (touching.len() * 2 >= along).then(|| median(touching)).flatten()
        };
        let only = |found: Vec<(u32, [u32; 4])>| median(found.into_iter().map(|(at, _)| at).collect());
        let x = beyond(vertical(left.checked_sub(1), 0), tall, 2, edge(left)).or_else(|| only(vertical(Some(left), 0)))?;
        let y = beyond(horizontal(top.checked_sub(1), 1), wide, 3, edge(top)).or_else(|| only(horizontal(Some(top), 1)))?;
        let x_end = beyond(vertical(Some(right + 1), 2), tall, 0, edge(right + 1))
            .or_else(|| only(vertical(Some(right), 2)))?;
        let y_end = beyond(horizontal(Some(bottom + 1), 3), wide, 1, edge(bottom + 1))
            .or_else(|| only(horizontal(Some(bottom), 3)))?;
        Some(Rect::new(x, y, x_end.checked_sub(x)?, y_end.checked_sub(y)?)).filter(|region| region.area() > 0)
    }
}

fn is_hot(tile: &Tile, now: Duration) -> bool {
    tile.costly >= ENOUGH && now.saturating_sub(tile.last) <= GAP
}

/// Leave out, up to a tile on each side, rows and columns of which little has
/// changed: something small beside a film, in the same tiles.
pub(super) fn tighten(region: Rect, before: &Canvas, now: &Canvas) -> Rect {
    let is_film = |line: Rect| {
        let rows = (line.y..line.y + line.height).map(|y| {
            let (before, now) = (before.row(line.x, y, line.width), now.row(line.x, y, line.width));
            before.iter().zip(now).filter(|(before, now)| before != now).count()
        });
        rows.sum::<usize>() * MOSTLY >= line.area()
    };
    let mut tight = region;
    for _ in 0..TILE - 1 {
        let Rect { x, y, width, height } = tight;
        if width < TILE * 2 || height < TILE * 2 {
            return tight;
        }
        let left = u32::from(!is_film(Rect::new(x, y, 1, height)));
        let right = u32::from(!is_film(Rect::new(x + width - 1, y, 1, height)));
        let top = u32::from(!is_film(Rect::new(x, y, width, 1)));
        let bottom = u32::from(!is_film(Rect::new(x, y + height - 1, width, 1)));
        tight = Rect::new(x + left, y + top, width - left - right, height - top - bottom);
        if (tight.width, tight.height) == (width, height) {
            return tight;
        }
    }
    tight
}

fn median(mut values: Vec<u32>) -> Option<u32> {
    values.sort_unstable();
    values.get(values.len() / 2).copied()
}
