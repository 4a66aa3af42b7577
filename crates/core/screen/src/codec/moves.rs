//! What moved, and how far: stretches of pixels that look alike in both
//! pictures vote for the vector between them.
//!
//! A wrong vector costs nothing but a comparison: what is moved is compared
//! pixel by pixel before it is said to be.

use super::canvas::{Canvas, TILE};
use super::frame::{VECTORS, Vector};

/// Pixels that are looked at together.
const STRETCH: usize = 16;
/// One of so many stretches is an anchor; a power of two.
const ONE_OF: u32 = 64;
const ANCHORS: usize = 1 << 15;
const BALLOTS: usize = 1 << 12;
/// Of the earlier picture the first so many lines of each square of it are
/// looked at, of the new one every line that is a multiple of it: whatever the
/// distance, one line of each square meets the one that it was.
const EVERY: usize = 3;
/// Votes that a vector needs.
const LEAST: u32 = 6;
/// Of all votes for better ones, a vector needs one in so many.
const SHARE: u32 = 40;
/// Dirty tiles above which a few columns are tried first.
const MANY: usize = 320;

/// Where a stretch stood.
#[derive(Debug, Clone, Copy, Default)]
struct Anchor {
    /// Its hash, with the number of the search: what is older is a stranger.
    hash: u32,
    x: u16,
    y: u16,
}

/// Stands there twice: no telling which one moved.
const TWICE: u16 = u16::MAX;

#[derive(Debug, Clone, Copy, Default)]
struct Ballot {
    vector: Vector,
    votes: u32,
    search: u32,
}

/// Looks for motion; keeps its tables from frame to frame.
#[derive(Debug, Clone)]
pub(super) struct Search {
    anchors: Vec<Anchor>,
    ballots: Vec<Ballot>,
    /// The number of this search: older entries count as empty.
    search: u32,
    first: Vec<u32>,
    second: Vec<u32>,
}

/// A run of columns of tiles in one row of tiles.
type Runs = Vec<(usize, usize, usize)>;

impl Search {
    pub(super) fn new() -> Self {
        Self {
            anchors: vec![Anchor::default(); ANCHORS],
            ballots: vec![Ballot::default(); BALLOTS],
            search: 0,
            first: Vec::new(),
            second: Vec::new(),
        }
    }

    /// The most voted vectors, best first. `dirty` says of every tile whether
    /// it changed.
    pub(super) fn find(&mut self, earlier: &Canvas, now: &Canvas, dirty: &[bool]) -> Vec<Vector> {
        let columns = now.columns();
        let count = dirty.iter().filter(|dirty| **dirty).count();
        if count > MANY {
            let some = |_, column: usize| matches!(column % 10, 4..=7);
            let found = self.find_in(earlier, now, &runs(dirty, columns, some));
            if !found.is_empty() {
                return found;
            }
        }
        // What went straight up or down was found; every other row has the rest.
        self.find_in(earlier, now, &runs(dirty, columns, |row, _| count <= 2 * MANY || row % 2 == 0))
    }

    fn find_in(&mut self, earlier: &Canvas, now: &Canvas, runs: &Runs) -> Vec<Vector> {
        self.search += 1;
        for (row, left, right) in runs {
            for y in (row * TILE..(row + 1) * TILE).filter(|y| y % (EVERY * EVERY) < EVERY) {
                self.scan(earlier, left * TILE, right * TILE, y, Self::remember);
            }
        }
        for (row, left, right) in runs {
            for y in (row * TILE..(row + 1) * TILE).step_by(EVERY) {
                self.scan(now, left * TILE, right * TILE, y, Self::vote);
            }
        }
        self.elect()
    }

    /// Hand every anchor of a line to `take`.
    #[inline(always)]
    fn scan(&mut self, canvas: &Canvas, left: usize, right: usize, y: usize, take: impl Fn(&mut Self, u32, u16, u16)) {
        let pixels = canvas.line(left, y, right - left);
        if pixels.len() < STRETCH * 2 {
            return;
        }
        let (mut first, mut second) = (std::mem::take(&mut self.first), std::mem::take(&mut self.second));
        first.resize(pixels.len(), 0);
        second.resize(pixels.len(), 0);
        // Each step doubles the length of what a hash stands for.
        join(pixels, 1, &mut first, |a, b| (a << 5).wrapping_sub(a).wrapping_add(b));
        join(&first, 2, &mut second, |a, b| a.rotate_left(7).wrapping_add(b));
        join(&second, 4, &mut first, |a, b| a.rotate_left(13) ^ b);
        join(&first, 8, &mut second, |a, b| a.rotate_left(19).wrapping_add(b).wrapping_mul(0x9e37_79b1));
        let hashes = second.get(..pixels.len() - STRETCH).unwrap_or_default();
        for (index, chunk) in hashes.as_chunks::<8>().0.iter().enumerate() {
            let any = chunk.iter().fold(false, |any, hash| any | (*hash < u32::MAX / ONE_OF));
            if !any {
                continue;
            }
            for (place, hash) in chunk.iter().enumerate() {
                let at = index * 8 + place;
                // Where the stretch before looks alike it is flat.
                if *hash < u32::MAX / ONE_OF && at > 0 && hashes.get(at - 1) != Some(hash) {
                    take(self, *hash, (left + at) as u16, y as u16);
                }
            }
        }
        (self.first, self.second) = (first, second);
    }

    #[inline(always)]
    fn anchor(&mut self, hash: u32) -> (&mut Anchor, u32) {
        let place = (hash.wrapping_mul(0x2545_f491) >> 16) as usize & (ANCHORS - 1);
        (&mut self.anchors[place], hash.wrapping_add(self.search.wrapping_mul(0x9e37_79b1)))
    }

    #[inline(always)]
    fn remember(&mut self, hash: u32, x: u16, y: u16) {
        let (anchor, hash) = self.anchor(hash);
        let x = if anchor.hash == hash { TWICE } else { x };
        *anchor = Anchor { hash, x, y };
    }

    #[inline(always)]
    fn vote(&mut self, hash: u32, x: u16, y: u16) {
        let (anchor, hash) = self.anchor(hash);
        if anchor.hash != hash || anchor.x == TWICE {
            return;
        }
        let vector = Vector { x: i32::from(x) - i32::from(anchor.x), y: i32::from(y) - i32::from(anchor.y) };
        if vector == Vector::default() {
            return;
        }
        let place =
            (vector.x as u32).wrapping_mul(0x9e37_79b1).wrapping_add((vector.y as u32).wrapping_mul(0x85eb_ca77));
        for attempt in 0..8 {
            let ballot = &mut self.ballots[((place >> 20) as usize + attempt) & (BALLOTS - 1)];
            if ballot.search != self.search {
                *ballot = Ballot { vector, votes: 1, search: self.search };
                return;
            }
            if ballot.vector == vector {
                ballot.votes += 1;
                return;
            }
        }
    }

    fn elect(&mut self) -> Vec<Vector> {
        let mut cast: Vec<Ballot> = self
            .ballots
            .iter()
            .filter(|ballot| ballot.search == self.search && ballot.votes >= LEAST)
            .copied()
            .collect();
        cast.sort_by_key(|ballot| (u32::MAX - ballot.votes, ballot.vector.x, ballot.vector.y));
        let mut before = 0;
        let mut found = Vec::new();
        for ballot in cast.iter().take(VECTORS) {
            if ballot.votes * SHARE < before {
                break;
            }
            before += ballot.votes;
            found.push(ballot.vector);
        }
        found
    }
}

#[inline(always)]
fn join(from: &[u32], apart: usize, to: &mut [u32], how: impl Fn(u32, u32) -> u32) {
    let later = from.get(apart..).unwrap_or_default();
    for ((to, a), b) in to.iter_mut().zip(from).zip(later) {
        *to = how(*a, *b);
    }
}

fn runs(dirty: &[bool], columns: usize, wanted: impl Fn(usize, usize) -> bool) -> Runs {
    let mut runs = Vec::new();
    for (row, tiles) in dirty.chunks(columns.max(1)).enumerate() {
        let mut begun = None;
        for column in 0..=columns {
            let is_in = tiles.get(column).copied().unwrap_or(false) && wanted(row, column);
            match (begun, is_in) {
                (None, true) => begun = Some(column),
                (Some(left), false) => {
                    runs.push((row, left, column));
                    begun = None;
                }
                _ => {}
            }
        }
    }
    runs
}
