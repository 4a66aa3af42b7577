//! What tiles are believed to cost, so that a frame does not outgrow the line.

use super::canvas::TILE;
use super::frame::{Grid, Mode, PART, Tile};
use crate::damage::Damage;
use crate::geometry::Rect;

/// A photograph's tile, whatever it shows.
const PHOTO: usize = TILE * TILE * 3 / 2;
const PATTERN: usize = TILE * TILE / 4;
/// What needs no pixels.
const KNOWN: usize = 2;
/// A drawn part before any was seen: a quarter of its pixels cost a byte.
const FIRST: usize = PART * PART / 4;

/// A drawn part, however little the last ones cost: the next may be new.
const LEAST: usize = 6;

/// What was learnt of costs.
#[derive(Debug, Clone)]
pub(super) struct Costs {
    /// Bytes of a hundred drawn parts.
    drawn: usize,
    /// The tile with which the next frame begins that has no room for all.
    turn: usize,
}

impl Default for Costs {
    fn default() -> Self {
        Self { drawn: FIRST * 100, turn: 0 }
    }
}

impl Costs {
    fn of(&self, tile: &Tile) -> usize {
        match tile.mode {
            Mode::Same => 0,
            Mode::Moved | Mode::Remembered => KNOWN,
            Mode::Drawn => KNOWN + tile.drawn() as usize * self.drawn / 100,
            Mode::Photo => PHOTO,
            Mode::Pattern => PATTERN,
        }
    }

    /// Leave out what does not fit, each tile in its turn, and never all.
    pub(super) fn defer(&mut self, grid: &mut Grid, room: usize, deferred: &mut Damage) {
        let total: usize = grid.tiles.iter().map(|tile| self.of(tile)).sum();
        if total <= room {
            return;
        }
        let count = grid.tiles.len();
        let (mut used, mut next) = (0, None);
        for index in (self.turn..count).chain(0..self.turn.min(count)) {
            let Some(tile) = grid.tiles.get_mut(index) else { continue };
            let cost = self.of(tile);
            if cost == 0 {
                continue;
            }
            if used == 0 || used + cost <= room {
                used += cost;
                continue;
            }
            next = next.or(Some(index));
            *tile = Tile::default();
            let (x, y) = (index % grid.columns * TILE, index / grid.columns * TILE);
            deferred.extend(Rect::clipped(x as i64, y as i64, TILE as i64, TILE as i64, deferred.size()));
        }
        self.turn = next.unwrap_or(0);
    }

    /// A frame of this grid took so many bytes without its photographs.
    pub(super) fn learn(&mut self, grid: &Grid, bytes: usize) {
        let parts: usize =
            grid.tiles.iter().filter(|tile| tile.mode == Mode::Drawn).map(|tile| tile.drawn() as usize).sum();
        if let Some(now) = (bytes * 100).checked_div(parts) {
            // What is larger counts at once, what is smaller by and by.
            self.drawn = now.max((self.drawn * 7 + now) / 8).clamp(LEAST * 100, PART * PART * 400);
        }
    }
}
