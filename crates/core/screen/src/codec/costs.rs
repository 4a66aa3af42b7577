//! What tiles are believed to cost, so that a frame does not outgrow the line.

use super::canvas::TILE;
use super::frame::{Grid, Mode, PART, Tile};
use crate::damage::Damage;
use crate::geometry::Rect;

/// A photograph's tile before any was seen, and at least.
const PHOTO: (usize, usize) = (TILE * TILE * 3 / 2, TILE * TILE / 4);
const PATTERN: usize = TILE * TILE / 4;
/// What needs no pixels.
const KNOWN: usize = 2;
/// Where there are photographs all else leaves them one part in so many.
const SHARE: usize = 4;
/// A drawn part before any was seen: a quarter of its pixels cost a byte.
const FIRST: usize = PART * PART / 4;

/// A drawn part, however little the last ones cost: the next may be new.
const LEAST: usize = 6;

/// What was learnt of costs.
#[derive(Debug, Clone)]
pub(super) struct Costs {
    /// Bytes of a hundred drawn parts.
    drawn: usize,
    /// Bytes of a photograph's tile.
    photo: usize,
    /// The tiles with which the next frame begins that has no room for all:
    /// among those that are no photographs, and among photographs.
    turns: [usize; 2],
}

impl Default for Costs {
    fn default() -> Self {
        Self { drawn: FIRST * 100, photo: PHOTO.0, turns: [0; 2] }
    }
}

impl Costs {
    fn of(&self, tile: &Tile) -> usize {
        match tile.mode {
            Mode::Same => 0,
            Mode::Moved | Mode::Remembered => KNOWN,
            Mode::Drawn => KNOWN + tile.drawn() as usize * self.drawn / 100,
            Mode::Photo => self.photo,
            Mode::Pattern => PATTERN,
        }
    }

    /// Leave out what does not fit, each tile in its turn, and never all. What
    /// is no photograph goes first: it is read, and costs little.
    pub(super) fn defer(&mut self, grid: &mut Grid, room: usize, deferred: &mut Damage) {
        let mut totals = [0; 2];
        for tile in &grid.tiles {
            totals[usize::from(tile.mode == Mode::Photo)] += self.of(tile);
        }
        let [others, photos] = totals;
        if others + photos <= room {
            return;
        }
        let first = if photos > 0 { room - room / SHARE } else { room };
        let used = self.defer_some(grid, false, (0, first), deferred);
        self.defer_some(grid, true, (used, room), deferred);
    }

    /// The same for those that are photographs or for the others: what is used
    /// then, where so much was, and so much may be.
    fn defer_some(&mut self, grid: &mut Grid, photos: bool, of: (usize, usize), deferred: &mut Damage) -> usize {
        let (mut used, room) = of;
        let count = grid.tiles.len();
        let (turn, mut next) = (self.turns[usize::from(photos)], None);
        for index in (turn..count).chain(0..turn.min(count)) {
            let Some(tile) = grid.tiles.get_mut(index).filter(|tile| (tile.mode == Mode::Photo) == photos) else {
                continue;
            };
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
        self.turns[usize::from(photos)] = next.unwrap_or(0);
        used
    }

    /// A frame of this grid took so many bytes.
    pub(super) fn learn(&mut self, grid: &Grid, bytes: usize) {
        // What is rare in a photograph stands among all else: no telling whose it is.
        if grid.tiles.iter().any(|tile| tile.mode == Mode::Photo) {
            return;
        }
        let parts: usize =
            grid.tiles.iter().filter(|tile| tile.mode == Mode::Drawn).map(|tile| tile.drawn() as usize).sum();
        if let Some(now) = (bytes * 100).checked_div(parts) {
            // What is larger counts at once, what is smaller by and by.
            self.drawn = now.max((self.drawn * 7 + now) / 8).clamp(LEAST * 100, PART * PART * 400);
        }
    }

    /// The same for photographs.
    pub(super) fn learn_photos(&mut self, grid: &Grid, bytes: usize) {
        let (mut photos, mut others) = (0, 0);
        for tile in &grid.tiles {
            match tile.mode {
                Mode::Photo => photos += 1,
                _ => others += self.of(tile),
            }
        }
        // Where something else may have taken most of it nothing is learnt.
        if let Some(now) = bytes.saturating_sub(others).checked_div(photos)
            && others < bytes / 2
        {
            self.photo = now.max((self.photo * 7 + now) / 8).clamp(PHOTO.1, TILE * TILE * 4);
        }
    }
}
