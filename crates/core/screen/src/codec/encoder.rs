//! From two pictures to the bytes that make the second of the first.

use super::canvas::{Canvas, TILE, same};
use super::compare::{self, Runs};
use super::costs::{self, Costs};
use super::drawn::Known;
use super::effort::Effort;
use super::frame::{BLOCK, BLOCKS, Frames, Grid, LONGEST, Mode, PART, Part, Tile};
use super::memory::{Name, Names, TileKey};
use super::moves::Search;
use super::photo::Waiting;
use super::pixels::Models;
use super::range::Writer;
use super::texture;
use crate::damage::Damage;
use crate::geometry::Size;

/// Drawn tiles below which nothing is searched for motion.
const FEW: usize = 6;
/// Dirty tiles up to which memory is asked before motion is looked for.
const SMALL: usize = 200;
/// Of more, one of so many is looked up first: where most of those are
/// remembered, so are the others.
const SPOT: usize = 16;
/// Where memory has all but one of so many tiles, nothing is searched.
const REST: usize = 8;
/// Parts that are drawn before a tile is looked up in memory.
const WORTH_LOOKING: u32 = 2;

/// Tiles along the edge of one of the damage's.
const PER: usize = crate::TILE as usize / TILE;
/// Tiles of the damage that are always looked at.
const LEAST_PART: usize = 32;

/// A frame, and what of the damage it leaves for the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// What the decoder reads.
    pub bytes: Vec<u8>,
    /// Tiles for which there was no room.
    pub deferred: Damage,
}

/// An encoder: what its decoders show, and all that both remember.
#[derive(Debug, Clone)]
pub struct Encoder {
    key: TileKey,
    slots: usize,
    shown: Canvas,
    /// What the decoders will show: where not all of the damage goes. It stays
    /// for the next frame as long as that is so.
    partly: Option<Box<Canvas>>,
    /// What the last frame left, and how many tiles the last ones brought in how
    /// many bytes.
    left: Damage,
    brought: (usize, usize),
    /// The next frame tells the decoders to forget.
    forgets: bool,
    costs: Costs,
    effort: Effort,
    frames: Frames,
    models: Models,
    names: Names,
    /// What the tiles of the shown picture are named, and those of the one
    /// that is being encoded; 0 where that is not known.
    named: [Vec<Name>; 2],
    search: Search,
    grid: Grid,
    /// How many pixels of each block of the earlier picture live on elsewhere; empty
    /// where nothing has moved.
    surviving: Vec<u16>,
    waiting: Waiting,
    dirty: Vec<bool>,
    /// Photographs of the last frame, also those that were deferred.
    photos: Vec<usize>,
}

impl Encoder {
    /// One whose decoders begin with a black picture of this size, cut at
    /// [`LONGEST`], and remember so many tiles.
    #[must_use]
    pub fn new(size: Size, slots: usize, key: TileKey) -> Self {
        let size = Size::new(size.width.min(LONGEST), size.height.min(LONGEST));
        let (grid, slots) = (Grid::new(size), slots.max(1));
        Self {
            key,
            slots,
            shown: Canvas::new(size),
            partly: None,
            left: Damage::new(size),
            brought: (0, 0),
            forgets: false,
            costs: Costs::default(),
            effort: Effort::new(),
            frames: Frames::new(slots),
            models: Models::new(),
            names: Names::new(slots),
            named: std::array::from_fn(|_| vec![0; grid.count()]),
            search: Search::new(),
            surviving: Vec::new(),
            dirty: vec![false; grid.count()],
            grid,
            waiting: Waiting::default(),
            photos: Vec::new(),
        }
    }

    /// The picture that the decoders show once they have read everything.
    #[must_use]
    pub fn shown(&self) -> &Canvas {
        &self.shown
    }

    /// Whoever joins knows the picture and nothing else: with the next frame
    /// everybody forgets what they remember of earlier ones.
    pub fn forget(&mut self) {
        self.forgets = true;
    }

    /// Whether bytes are to be saved from now on, also where there is room for more.
    pub fn save_bytes(&mut self, save: bool) {
        self.effort.save_bytes(save);
    }

    /// What makes of the shown picture `now`, of which only tiles in `damage`
    /// may differ; `None` where nothing does. What is believed not to fit into
    /// `room` bytes is deferred, but never everything. [`Self::settle`] has to
    /// follow.
    pub fn encode(&mut self, now: &Canvas, damage: &Damage, room: usize) -> Option<Encoded> {
        self.encode_some(now, damage, room, true)
    }

    /// The same for what somebody waits for: photographs are deferred, all of them.
    /// `None` also where there is nothing else, and then nothing counts as shown.
    pub fn encode_but_photographs(&mut self, now: &Canvas, damage: &Damage, room: usize) -> Option<Encoded> {
        self.encode_some(now, damage, room, false)
    }

    fn encode_some(&mut self, now: &Canvas, damage: &Damage, room: usize, photos: bool) -> Option<Encoded> {
        if now.size() != self.shown.size() {
            return None;
        }
        let part = if photos { self.part(damage, room) } else { None };
        let (damage, mut deferred) = match &part {
            Some((part, rest)) => (part, rest.clone()),
            None => (damage, Damage::new(self.shown.size())),
        };
        self.grid.clear();
        let dirty = self.find_dirty(now, damage);
        if dirty == 0 {
            self.left.clear();
            // What is left may differ all the same.
            return if deferred.is_empty() { None } else { self.encode_some(now, &deferred, room, photos) };
        }
        if self.forgets {
            self.frames = Frames::new(self.slots);
            self.models = Models::new();
            self.names = Names::new(self.slots);
            self.effort.forget();
        }
        self.find_origins(now, dirty, room);
        texture::classify(&mut self.grid, now);
        self.photos.clear();
        let found = self.grid.tiles().filter(|(_, tile)| tile.mode == Mode::Photo);
        self.photos.extend(found.map(|(at, _)| at));
        if !photos {
            costs::defer_photos(&mut self.grid, &self.photos, &mut deferred);
            if self.grid.tiles().all(|(_, tile)| tile.mode == Mode::Same) {
                return None;
            }
        }
        self.costs.defer(&mut self.grid, now, room, &mut deferred);
        // What waits is as it was, also where others look at it.
        let partly = self.compose(now, &deferred);
        let now = partly.as_deref().unwrap_or(now);
        self.drop_unused_vectors();
        self.remember();
        let mut writer = Writer::new();
        self.waiting.clear();
        Frames::forgets(&mut writer, std::mem::take(&mut self.forgets));
        // What this grid says is possible, it was made so.
        let described = self.frames.describe(&mut writer, &mut self.grid);
        debug_assert!(described.is_ok(), "a frame that no decoder takes");
        let mut pixels = Known(now.pixels());
        let is_quick = self.effort.is_quick(&self.grid, dirty, room);
        self.models.code(&mut writer, &mut self.waiting, &mut pixels, &self.shown, &mut self.grid, is_quick);
        let mut bytes = writer.finish(self.waiting.is_empty());
        self.costs.learn(&self.grid, bytes.len());
        if !self.waiting.is_empty() {
            self.waiting.finish(&mut bytes);
            self.waiting.clear();
        }
        self.costs.learn_photos(&self.grid, bytes.len());
        self.partly = partly;
        let tiles = self.grid.tiles().filter(|(_, tile)| tile.mode != Mode::Same).count();
        self.brought = (self.brought.0 / 2 + tiles, self.brought.1 / 2 + bytes.len());
        self.left.clone_from(&deferred);
        Some(Encoded { bytes, deferred })
    }

    /// Where the last frame left exactly this, no more of it than there may be
    /// room for, and the rest: to look at all of it again and again would take
    /// longer than the line does.
    fn part(&self, damage: &Damage, room: usize) -> Option<(Damage, Damage)> {
        if damage.is_empty() || *damage != self.left {
            return None;
        }
        let (tiles, bytes) = self.brought;
        // Room may be without bounds.
        let fit = tiles.saturating_mul(room) / bytes.max(1) / (PER * PER);
        let most = fit.saturating_add(fit / 4).saturating_add(LEAST_PART);
        (most < damage.count()).then(|| damage.split(most))
    }

    /// Which tiles of the last frame changed to photographs, by their numbers row
    /// by row, also where they were deferred.
    #[must_use]
    pub fn photos(&self) -> &[usize] {
        &self.photos
    }

    /// The frame is on its way: what it changed counts as shown. `now` is what
    /// was encoded.
    pub fn settle(&mut self, now: &Canvas) {
        let partly = self.partly.take();
        take_over(&mut self.shown, partly.as_deref().unwrap_or(now), &self.grid);
        self.partly = partly;
        for (column, row) in self.grid.places() {
            if self.grid.tile(column, row).mode != Mode::Same {
                let [shown, coming] = &mut self.named;
                let at = row * self.grid.columns + column;
                if let (Some(shown), Some(coming)) = (shown.get_mut(at), coming.get(at)) {
                    *shown = *coming;
                }
            }
        }
    }

    /// What is shown once this frame is, where that is not `now`.
    fn compose(&mut self, now: &Canvas, deferred: &Damage) -> Option<Box<Canvas>> {
        let before = self.partly.take();
        if deferred.is_empty() {
            return None;
        }
        // The one of the last frame is what is shown by now.
        let mut partly = before.unwrap_or_else(|| Box::new(self.shown.clone()));
        take_over(&mut partly, now, &self.grid);
        Some(partly)
    }

    /// Tiles that differ, and the part of the picture that holds them.
    fn find_dirty(&mut self, now: &Canvas, damage: &Damage) -> usize {
        self.dirty.fill(false);
        let mut part = Part { left: usize::MAX, top: usize::MAX, right: 0, bottom: 0 };
        let mut count = 0;
        let (mut runs, mut spare) = (Runs::new(), Runs::new());
        for row in 0..self.grid.rows {
            let marks = damage.row(row / PER);
            if !marks.contains(&true) {
                continue;
            }
            let is_damaged = |column: &usize| marks.get(column / PER) == Some(&true);
            runs.clear();
            (0..self.grid.columns).filter(is_damaged).for_each(|column| compare::extend(&mut runs, column));
            compare::retain_same(&mut runs, &mut spare, now, &self.shown, row, 0);
            let mut clean = runs.iter().copied().peekable();
            for column in (0..self.grid.columns).filter(is_damaged) {
                while clean.next_if(|(_, end)| *end <= column).is_some() {}
                if clean.peek().is_some_and(|(left, _)| *left <= column) {
                    continue;
                }
                let index = row * self.grid.columns + column;
                self.dirty[index] = true;
                self.named[1][index] = 0;
                if let Some(tile) = self.grid.numbered_mut(index) {
                    tile.mode = Mode::Drawn;
                }
                count += 1;
                part.left = part.left.min(column);
                part.right = part.right.max(column + 1);
                part.top = part.top.min(row);
                part.bottom = part.bottom.max(row + 1);
            }
        }
        self.grid.part = part;
        count
    }

    /// From where every tile comes: another place, or memory. Memory is asked
    /// first where little changed, and where it seems to know everything, since
    /// looking for motion costs more. Where pictures keep coming in which nothing moves,
    /// and of which memory seems to know little, neither is asked each time.
    fn find_origins(&mut self, now: &Canvas, dirty: usize, room: usize) {
        let mut left = dirty;
        if dirty <= SMALL {
            self.find_sources(now);
            left = self.recall(now, WORTH_LOOKING);
        } else if self.seems_known(now) {
            left = self.recall(now, 0);
            if left * REST < dirty {
                self.find_sources(now);
                return;
            }
        }
        if left < FEW {
            return;
        }
        if dirty > SMALL && !self.effort.searches(room) {
            self.find_sources(now);
            return;
        }
        let found = self.search.find(&self.shown, now, &self.dirty);
        self.effort.searched(!found.is_empty());
        if dirty <= SMALL && found.is_empty() {
            return;
        }
        self.grid.vectors.extend(found);
        self.find_sources(now);
        self.recall(now, WORTH_LOOKING);
    }

    /// Whether memory has most of a few tiles here and there.
    fn seems_known(&mut self, now: &Canvas) -> bool {
        let (mut asked, mut known) = (0, 0);
        for (column, row) in self.grid.places().step_by(SPOT + 1) {
            if self.grid.tile(column, row).mode == Mode::Drawn {
                asked += 1;
                known += usize::from(self.lookup(now, column, row).is_some());
            }
        }
        known * 2 > asked
    }

    /// The slot that holds a tile of the picture to come.
    fn lookup(&mut self, now: &Canvas, column: usize, row: usize) -> Option<u32> {
        let name = self.named[1].get_mut(row * self.grid.columns + column)?;
        if *name == 0 {
            *name = self.key.name(now, column * TILE, row * TILE);
        }
        self.names.find(*name)
    }

    /// For each tile: whether it is elsewhere as a whole, and if not, from
    /// where each of its blocks has most of its pixels.
    fn find_sources(&mut self, now: &Canvas) {
        let vectors = self.grid.vectors.len() as u8 - 1;
        for row in self.grid.part.top..self.grid.part.bottom {
            for vector in 1..=vectors {
                self.find_moved(now, row, vector);
            }
        }
        let mut last = 1;
        for (column, row) in self.grid.places() {
            let mut tile = self.grid.tile(column, row);
            if tile.mode == Mode::Moved {
                last = tile.vector;
            }
            if tile.mode != Mode::Drawn {
                continue;
            }
            let (x, y) = (column * TILE, row * TILE);
            for block in 0..BLOCKS {
                let (x, y) = (x + block % 2 * BLOCK, y + block / 2 * BLOCK);
                let (vector, parts) = self.find_source_of_block(now, x, y, last, vectors);
                (tile.vectors[block], tile.parts[block]) = (vector, parts);
                if vector > 0 {
                    last = vector;
                }
            }
            if let Some(place) = self.grid.tile_mut(column, row) {
                *place = tile;
            }
        }
    }

    /// Tiles of a row that this vector brings as a whole.
    fn find_moved(&mut self, now: &Canvas, row: usize, number: u8) {
        let (bounds, vector) = (self.grid.bounds(), self.grid.vector(number));
        let (mut runs, mut spare) = (Runs::new(), Runs::new());
        for column in self.grid.part.left..self.grid.part.right {
            let is_within = vector.source(column * TILE, row * TILE, TILE, bounds).is_some();
            if is_within && self.grid.tile(column, row).mode == Mode::Drawn {
                compare::extend(&mut runs, column);
            }
        }
        if runs.is_empty() {
            return;
        }
        let back = vector.y as isize * now.stride() as isize + vector.x as isize;
        compare::retain_same(&mut runs, &mut spare, now, &self.shown, row, back);
        for column in runs.into_iter().flat_map(|(left, right)| left..right) {
            if let Some(tile) = self.grid.tile_mut(column, row) {
                tile.mode = Mode::Moved;
                tile.vector = number;
            }
        }
    }

    fn find_source_of_block(&self, now: &Canvas, x: usize, y: usize, last: u8, vectors: u8) -> (u8, u8) {
        let stride = now.stride();
        let here = now.at(x, y);
        let (now, shown) = (now.pixels(), self.shown.pixels());
        if same::<BLOCK>((now, here), (shown, here), BLOCK, stride) {
            return (0, 0);
        }
        let mut best = (0, 0, 15);
        for index in 0..=vectors {
            let vector = if index == 0 { 0 } else { (last - 1 + index - 1) % vectors + 1 };
            let Some((from_x, from_y)) = self.grid.vector(vector).source(x, y, BLOCK, self.grid.bounds()) else {
                continue;
            };
            let there = self.shown.at(from_x, from_y);
            let mut parts = 0;
            for part in 0..4 {
                let offset = part / 2 * PART * stride + part % 2 * PART;
                if !same::<PART>((now, here + offset), (shown, there + offset), PART, stride) {
                    parts |= 1 << part;
                }
            }
            if parts == 0 || vectors == 0 {
                return (vector, parts);
            }
            let mut alike = 0;
            for row in 0..BLOCK {
                let chunk = |pixels: &[u32], at: usize| -> [u32; BLOCK] {
                    pixels.get(at + row * stride..).and_then(|rest| rest.first_chunk().copied()).unwrap_or_default()
                };
                let (now, shown) = (chunk(now, here), chunk(shown, there));
                alike += now.iter().zip(&shown).map(|(a, b)| u32::from(a == b)).sum::<u32>();
            }
            // What is usual costs less to say.
            alike += if vector == last || vector == 0 { 6 } else { 0 };
            if alike > best.0 {
                best = (alike, vector, parts);
            }
        }
        (best.1, best.2)
    }

    fn drop_unused_vectors(&mut self) {
        if self.grid.vectors.len() == 1 {
            return;
        }
        let mut used = vec![false; self.grid.vectors.len()];
        for (_, tile) in self.grid.tiles() {
            match tile.mode {
                Mode::Moved => used[usize::from(tile.vector)] = true,
                Mode::Drawn => tile.vectors.iter().for_each(|vector| used[usize::from(*vector)] = true),
                _ => {}
            }
        }
        let mut numbers = vec![0_u8; used.len()];
        let mut kept = vec![self.grid.vector(0)];
        for index in 1..used.len() {
            if used[index] {
                numbers[index] = kept.len() as u8;
                kept.push(self.grid.vectors[index]);
            }
        }
        self.grid.vectors = kept;
        for tile in self.grid.tiles_mut() {
            match tile.mode {
                Mode::Moved => tile.vector = numbers[usize::from(tile.vector)],
                Mode::Drawn => tile.vectors.iter_mut().for_each(|vector| *vector = numbers[usize::from(*vector)]),
                _ => {}
            }
        }
    }

    /// Take from memory what is there, of tiles of which at least so many parts
    /// are drawn. How many are left.
    fn recall(&mut self, now: &Canvas, parts: u32) -> usize {
        let mut left = 0;
        for (column, row) in self.grid.places() {
            let tile = self.grid.tile(column, row);
            if tile.mode != Mode::Drawn {
                continue;
            }
            let slot = if tile.drawn() < parts { None } else { self.lookup(now, column, row) };
            if let (Some(slot), Some(tile)) = (slot, self.grid.tile_mut(column, row)) {
                *tile = Tile { mode: Mode::Remembered, slot, ..*tile };
            } else {
                left += 1;
            }
        }
        left
    }

    /// Remember what is about to go.
    fn remember(&mut self) {
        self.count_survivors();
        for (column, row) in self.grid.places() {
            let tile = self.grid.tile(column, row);
            if tile.mode == Mode::Same || self.lives_on(&tile, column, row) {
                continue;
            }
            let known = self.named[0].get(row * self.grid.columns + column).copied().unwrap_or(0);
            let name = if known > 0 { known } else { self.key.name(&self.shown, column * TILE, row * TILE) };
            if self.names.find(name).is_none() {
                self.names.insert(name);
                if let Some(tile) = self.grid.tile_mut(column, row) {
                    tile.insert = true;
                }
            }
        }
    }

    fn count_survivors(&mut self) {
        self.surviving.clear();
        if self.grid.vectors.len() == 1 {
            return;
        }
        self.surviving.resize(self.grid.count() * BLOCKS, 0);
        let (bounds, width) = (self.grid.bounds(), self.grid.columns * 2);
        for (column, row) in self.grid.places() {
            let tile = self.grid.tile(column, row);
            if !matches!(tile.mode, Mode::Moved | Mode::Drawn) {
                continue;
            }
            for block in 0..BLOCKS {
                let vector = if tile.mode == Mode::Moved { tile.vector } else { tile.vectors[block] };
                let (x, y) = (column * TILE + block % 2 * BLOCK, row * TILE + block / 2 * BLOCK);
                let Some((x, y)) = self.grid.vector(vector).source(x, y, BLOCK, bounds).filter(|_| vector > 0) else {
                    continue;
                };
                let (right, below) = (x % BLOCK, y % BLOCK);
                let at = y / BLOCK * width + x / BLOCK;
                for (at, pixels) in [
                    (at, (BLOCK - right) * (BLOCK - below)),
                    (at + 1, right * (BLOCK - below)),
                    (at + width, (BLOCK - right) * below),
                    (at + width + 1, right * below),
                ] {
                    if let Some(count) = self.surviving.get_mut(at)
                        && pixels > 0
                    {
                        *count = count.saturating_add(pixels as u16);
                    }
                }
            }
        }
    }

    /// Whether all that stood in a tile's place is still somewhere to be seen.
    fn lives_on(&self, tile: &Tile, column: usize, row: usize) -> bool {
        (0..BLOCKS).all(|block| {
            let at = (row * 2 + block / 2) * self.grid.columns * 2 + column * 2 + block % 2;
            let moved = self.surviving.get(at).is_some_and(|count| usize::from(*count) >= BLOCK * BLOCK);
            let stays = tile.mode == Mode::Drawn && tile.parts[block] == 0 && tile.vectors[block] == 0;
            moved || stays
        })
    }
}

/// Copy what changed, long lines at a time.
fn take_over(shown: &mut Canvas, now: &Canvas, grid: &Grid) {
    for row in grid.part.top..grid.part.bottom {
        let is_in = |column: &usize| grid.tile(*column, row).mode != Mode::Same;
        let mut left = grid.part.left;
        while left < grid.part.right {
            let width = (left..grid.part.right).take_while(is_in).count();
            if width > 0 {
                shown.copy_block(now, left * TILE, row * TILE, width * TILE, TILE);
            }
            left += width + 1;
        }
    }
}
