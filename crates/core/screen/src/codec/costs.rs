//! What tiles are believed to cost, so that a frame does not outgrow the line.

use super::canvas::{Canvas, TILE};
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
/// Bytes of a hundred changes of colour within lines of drawn parts: before any
/// were seen, and within these bounds, however little the last ones cost: the
/// next may be new.
const FIRST: usize = 40;
const BOUNDS: (usize, usize) = (15, 400);

/// No photographs in this frame, which these are.
pub(super) fn defer_photos(grid: &mut Grid, photos: &[usize], deferred: &mut Damage) {
    photos.iter().for_each(|index| defer_tile(grid, *index, deferred));
}

fn defer_tile(grid: &mut Grid, index: usize, deferred: &mut Damage) {
    if let Some(tile) = grid.numbered_mut(index) {
        *tile = Tile::default();
    }
    let (x, y) = (index % grid.columns * TILE, index / grid.columns * TILE);
    deferred.extend(Rect::clipped(x as i64, y as i64, TILE as i64, TILE as i64, deferred.size()));
}

/// What was learnt of costs.
#[derive(Debug, Clone)]
pub(super) struct Costs {
    /// Bytes of a hundred changes of colour within lines.
    drawn: usize,
    /// How often the colour changes within lines of each drawn tile; empty where
    /// that was not looked at, since there was room for everything.
    changes: Vec<u16>,
    /// Bytes of a photograph's tile.
    photo: usize,
    /// The tiles with which the next frame begins that has no room for all:
    /// among those that are no photographs, and among photographs.
    turns: [usize; 2],
}

impl Default for Costs {
    fn default() -> Self {
        Self { drawn: FIRST, changes: Vec::new(), photo: PHOTO.0, turns: [0; 2] }
    }
}

impl Costs {
    fn of(&self, index: usize, tile: &Tile) -> usize {
        match tile.mode {
            Mode::Same => 0,
            Mode::Moved | Mode::Remembered => KNOWN,
            Mode::Drawn => KNOWN + self.changes_of(index, tile) * self.drawn / 100,
            Mode::Photo => self.photo,
            Mode::Pattern => PATTERN,
        }
    }

    /// Changes of colour within the drawn parts of a tile, about; where they were
    /// not counted as many as there can be.
    fn changes_of(&self, index: usize, tile: &Tile) -> usize {
        let all = self.changes.get(index).map_or(TILE * TILE, |changes| usize::from(*changes));
        all * tile.drawn() as usize / (TILE / PART).pow(2)
    }

    fn count(&mut self, grid: &Grid, now: &Canvas) {
        self.changes.resize(grid.count(), 0);
        for (column, row) in grid.places().filter(|(column, row)| grid.tile(*column, *row).mode == Mode::Drawn) {
            let changes = (row * TILE..(row + 1) * TILE).map(|y| {
                let line = now.line(column * TILE, y, TILE);
                line.iter().zip(line.get(1..).unwrap_or_default()).map(|(a, b)| u16::from(a != b)).sum::<u16>()
            });
            if let Some(place) = self.changes.get_mut(row * grid.columns + column) {
                *place = changes.sum();
            }
        }
    }

    /// Leave out what does not fit, each tile in its turn, and never all. What
    /// is no photograph goes first: it is read, and costs little.
    pub(super) fn defer(&mut self, grid: &mut Grid, now: &Canvas, room: usize, deferred: &mut Damage) {
        self.changes.clear();
        let most: usize = grid.tiles().map(|(_, tile)| self.of(usize::MAX, tile)).sum();
        if most <= room {
            return;
        }
        self.count(grid, now);
        let mut totals = [0; 2];
        for (index, tile) in grid.tiles() {
            totals[usize::from(tile.mode == Mode::Photo)] += self.of(index, tile);
        }
        let [others, photos] = totals;
        if others + photos <= room {
            return;
        }
        let first = if photos > 0 { room - room / SHARE } else { room };
        let used = self.defer_some(grid, false, (0, first), deferred);
        // However little room there is, one of them goes.
        self.defer_some(grid, true, (used, room.max(used + self.photo)), deferred);
    }

    /// The same for those that are photographs or for the others: what is used
    /// then, where so much was, and so much may be.
    fn defer_some(&mut self, grid: &mut Grid, photos: bool, of: (usize, usize), deferred: &mut Damage) -> usize {
        let (mut used, room) = of;
        let count = grid.count();
        let (turn, mut next) = (self.turns[usize::from(photos)], None);
        for index in (turn..count).chain(0..turn.min(count)) {
            let Some(tile) = grid.numbered(index).filter(|tile| (tile.mode == Mode::Photo) == photos) else {
                continue;
            };
            let cost = self.of(index, tile);
            if cost == 0 {
                continue;
            }
            if used == 0 || used + cost <= room {
                used += cost;
                continue;
            }
            next = next.or(Some(index));
            defer_tile(grid, index, deferred);
        }
        self.turns[usize::from(photos)] = next.unwrap_or(0);
        used
    }

    /// A frame of this grid took so many bytes.
    pub(super) fn learn(&mut self, grid: &Grid, bytes: usize) {
        // What is rare in a photograph stands among all else: no telling whose it is.
        if grid.tiles().any(|(_, tile)| tile.mode == Mode::Photo) {
            return;
        }
        if self.changes.is_empty() {
            return;
        }
        let drawn = grid.tiles().filter(|(_, tile)| tile.mode == Mode::Drawn);
        let changes: usize = drawn.map(|(index, tile)| self.changes_of(index, tile)).sum();
        if let Some(now) = (bytes * 100).checked_div(changes) {
            // What is larger counts at once, what is smaller by and by.
            self.drawn = now.max((self.drawn * 7 + now) / 8).clamp(BOUNDS.0, BOUNDS.1);
        }
    }

    /// The same for photographs.
    pub(super) fn learn_photos(&mut self, grid: &Grid, bytes: usize) {
        let (mut photos, mut others) = (0, 0);
        for (index, tile) in grid.tiles() {
            match tile.mode {
                Mode::Photo => photos += 1,
                _ => others += self.of(index, tile),
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
