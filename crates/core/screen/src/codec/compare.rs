//! Which tiles are the same in two pictures.

use super::canvas::{Canvas, TILE};

/// Runs of tiles of one row: the first column, and the one behind the last.
pub(super) type Runs = Vec<(usize, usize)>;

/// Add a column to the last run, or begin another one.
pub(super) fn extend(runs: &mut Runs, column: usize) {
    match runs.last_mut() {
        Some((_, end)) if *end == column => *end += 1,
        _ => runs.push((column, column + 1)),
    }
}

/// Of `runs` keep what is the same in `shown`, where it stands so many pixels
/// further back. Line by line and many tiles at a time, since that is how pixels
/// come out of memory.
pub(super) fn retain_same(runs: &mut Runs, spare: &mut Runs, now: &Canvas, shown: &Canvas, row: usize, back: isize) {
    for y in row * TILE..(row + 1) * TILE {
        let is_same = |left: usize, right: usize| {
            let here = now.at(left * TILE, y);
            let width = (right - left) * TILE;
            let there = here.checked_add_signed(-back).and_then(|there| shown.pixels().get(there..there + width));
            there.is_some_and(|there| now.pixels().get(here..here + width) == Some(there))
        };
        if runs.iter().all(|(left, right)| is_same(*left, *right)) {
            continue;
        }
        spare.clear();
        for (left, right) in runs.iter() {
            for column in (*left..*right).filter(|column| is_same(*column, column + 1)) {
                extend(spare, column);
            }
        }
        std::mem::swap(runs, spare);
        if runs.is_empty() {
            return;
        }
    }
}
