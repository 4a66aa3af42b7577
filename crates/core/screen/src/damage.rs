//! Which tiles of a display have changed.

use crate::TILE;
use crate::geometry::{Rect, Size};

/// A set of tiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    size: Size,
    columns: u32,
    tiles: Vec<bool>,
    count: usize,
}

impl Damage {
    /// Nothing changed.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let columns = size.width.div_ceil(TILE);
        let rows = size.height.div_ceil(TILE);
        Self { size, columns, tiles: vec![false; columns as usize * rows as usize], count: 0 }
    }

    /// Everything changed.
    #[must_use]
    pub fn all(size: Size) -> Self {
        let mut damage = Self::new(size);
        damage.mark(size.rect());
        damage
    }

    /// The display's size.
    #[must_use]
    pub fn size(&self) -> Size {
        self.size
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Mark the tiles that `rect` touches.
    pub fn mark(&mut self, rect: Rect) {
        if !rect.fits(self.size) {
            return;
        }
        for row in rect.y / TILE..(rect.y + rect.height).div_ceil(TILE) {
            for column in rect.x / TILE..(rect.x + rect.width).div_ceil(TILE) {
                let index = row as usize * self.columns as usize + column as usize;
                if let Some(tile) = self.tiles.get_mut(index)
                    && !*tile
                {
                    *tile = true;
                    self.count += 1;
                }
            }
        }
    }

    /// Mark the tiles that any of these touches.
    pub fn extend(&mut self, rects: impl IntoIterator<Item = Rect>) {
        rects.into_iter().for_each(|rect| self.mark(rect));
    }

    /// Add what another set has; sizes have to be the same, else nothing is.
    pub fn merge(&mut self, other: &Self) {
        if self.size != other.size {
            return;
        }
        for (tile, other) in self.tiles.iter_mut().zip(&other.tiles) {
            if *other && !*tile {
                *tile = true;
                self.count += 1;
            }
        }
    }

    /// Whether the tile in this column and row is marked.
    #[must_use]
    pub fn contains(&self, column: u32, row: u32) -> bool {
        column < self.columns && self.tiles.get(row as usize * self.columns as usize + column as usize) == Some(&true)
    }

    /// Which tiles of this row are marked; none of one that there is not.
    #[must_use]
    pub fn row(&self, row: usize) -> &[bool] {
        let columns = self.columns as usize;
        self.tiles.get(row * columns..(row + 1) * columns).unwrap_or_default()
    }

    /// How many tiles are marked.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The first so many marked tiles, row by row, and the others.
    #[must_use]
    pub fn split(&self, most: usize) -> (Self, Self) {
        let (mut first, mut rest) = (Self::new(self.size), self.clone());
        for (first_tile, tile) in first.tiles.iter_mut().zip(&mut rest.tiles).filter(|(_, tile)| **tile).take(most) {
            (*first_tile, *tile) = (true, false);
        }
        first.count = self.count.min(most);
        rest.count = self.count - first.count;
        (first, rest)
    }

    /// Forget everything.
    pub fn clear(&mut self) {
        self.tiles.fill(false);
        self.count = 0;
    }

    /// The marked tiles as rectangles: runs within a row of tiles, runs of the
    /// same columns joined downwards.
    #[must_use]
    pub fn rects(&self) -> Vec<Rect> {
        let mut done: Vec<Rect> = Vec::new();
        let mut open: Vec<Rect> = Vec::new();
        for (row, tiles) in (0u32..).zip(self.tiles.chunks(self.columns.max(1) as usize)) {
            let y = row * TILE;
            let height = TILE.min(self.size.height - y);
            let mut runs = Vec::new();
            let mut column = 0;
            while column < self.columns {
                let is_marked = |column: u32| tiles.get(column as usize).copied().unwrap_or(false);
                if !is_marked(column) {
                    column += 1;
                    continue;
                }
                let start = column;
                while is_marked(column) {
                    column += 1;
                }
                let right = (column * TILE).min(self.size.width);
                runs.push((start * TILE, right - start * TILE));
            }
            let mut still_open = Vec::new();
            for mut rect in open {
                if let Some(found) = runs.iter().position(|run| *run == (rect.x, rect.width)) {
                    runs.swap_remove(found);
                    rect.height += height;
                    still_open.push(rect);
                } else {
                    done.push(rect);
                }
            }
            still_open.extend(runs.into_iter().map(|(x, width)| Rect::new(x, y, width, height)));
            open = still_open;
        }
        done.extend(open);
        done.sort_by_key(|rect| (rect.y, rect.x));
        done
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn split_in_two() {
        let mut damage = Damage::new(Size::new(TILE * 3, TILE * 2));
        damage.mark(Rect::new(TILE, 0, TILE * 2, TILE * 2));
        for most in 0..6 {
            let (first, rest) = damage.split(most);
            assert_eq!((first.count(), rest.count()), (most.min(4), 4 - most.min(4)));
            let mut both = first.clone();
            both.merge(&rest);
            assert_eq!(both, damage);
            assert_eq!(first.contains(1, 0), most > 0);
        }
    }

    proptest! {
        /// Rectangles cover the marked tiles exactly once and nothing else.
        #[test]
        fn rects_cover_exactly(
            (width, height) in (1u32..400, 1u32..400),
            marks in proptest::collection::vec((0u32..400, 0u32..400), 0..20),
        ) {
            let size = Size::new(width, height);
            let mut damage = Damage::new(size);
            for (x, y) in marks {
                damage.mark(Rect::new(x, y, 1, 1));
            }
            let mut covered = Damage::new(size);
            let mut area = 0;
            for rect in damage.rects() {
                prop_assert!(rect.fits(size));
                area += rect.area();
                covered.mark(rect);
            }
            prop_assert_eq!(&covered, &damage);
            let tiles: usize = damage.tiles.iter().enumerate().filter(|(_, marked)| **marked).map(|(index, _)| {
                let (column, row) = (index as u32 % damage.columns, index as u32 / damage.columns);
                (TILE.min(width - column * TILE) * TILE.min(height - row * TILE)) as usize
            }).sum();
            prop_assert_eq!(area, tiles);
        }
    }
}
