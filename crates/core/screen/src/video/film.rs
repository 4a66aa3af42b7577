//! A region of video of one stream: what of it viewers have, and when it rests.

use std::time::Duration;

use super::VideoEncoder;
use crate::TILE;
use crate::codec::Canvas;
use crate::damage::Damage;
use crate::geometry::Rect;

/// A region that does not change for so long has come to rest: three times as
/// long as its pictures were apart, within these bounds.
const REST: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(250));
/// What did not change for so long is no video any more.
const STILL: Duration = Duration::from_millis(800);
/// What is given up is no region any more after so long.
const END: Duration = Duration::from_millis(400);
/// What changes under its only picture is covered for no longer than this.
const COVERED: Duration = Duration::from_millis(150);
/// Of a hundred tiles of a region so many have to be alive.
const ALIVE: usize = 40;

/// What becomes of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is sent as video.
    Playing,
    /// It rests, and is sent losslessly until all of it is exact.
    Refining,
    /// It is given up: like refining, whatever changes.
    Ending,
    /// All of it is exact, and it stays a region.
    Resting,
}

/// How long a region is sent as video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runs {
    /// As long as it changes.
    On,
    /// One picture, of what does not move and takes long to be sent exactly.
    Once,
}

#[derive(Debug)]
pub(super) struct Film<V> {
    pub(super) region: Rect,
    pub(super) runs: Runs,
    /// What the lossless codec is to show: outside of the region what there is,
    /// within it what it has shown already.
    pub(super) still: Canvas,
    /// None where this machine has none any more.
    pub(super) video: Option<V>,
    pub(super) phase: Phase,
    /// The next picture is one that a decoder can begin with.
    pub(super) fresh: bool,
    /// The region has changed since it was sent last.
    pub(super) waits: bool,
    /// Before that the next picture is not due.
    pub(super) next: Duration,
    /// What the lossless codec has still to send.
    pub(super) left: Damage,
    /// Video goes first, next time that both wait.
    pub(super) turn: bool,
    /// It was its turn, and an answer to an input went first.
    pub(super) passed_over: bool,
    /// The region's pixels as they were looked at last.
    inside: Vec<u32>,
    begun: Duration,
    /// Since when it is given up.
    ending: Option<Duration>,
    changed: Duration,
    /// How far apart changes are.
    apart: Duration,
    /// When each tile of the picture changed last within the region.
    alive: Vec<Duration>,
    columns: u32,
}

impl<V: VideoEncoder> Film<V> {
    /// A region that is sent as video from now on. `shown` is what the lossless
    /// codec shows, `left` where it is not what `picture` is.
    pub(super) fn new(
        (region, runs): (Rect, Runs),
        (picture, shown): (&Canvas, &Canvas),
        left: Damage,
        video: V,
        now: Duration,
    ) -> Self {
        let mut still = shown.clone();
        for part in left.rects().into_iter().flat_map(|rect| rect.without(region)) {
            still.copy(picture, part);
        }
        let (columns, rows) = (still.size().width.div_ceil(TILE), still.size().height.div_ceil(TILE));
        Self {
            region,
            runs,
            still,
            video: Some(video),
            phase: Phase::Playing,
            fresh: true,
            waits: true,
            next: now,
            left,
            turn: true,
            passed_over: false,
            inside: vec![u32::MAX; region.area()],
            begun: now,
            ending: None,
            changed: now,
            apart: REST.0 / 3,
            alive: vec![now; columns as usize * rows as usize],
            columns,
        }
    }

    /// One that goes on where this one is, with an encoder of its own.
    pub(super) fn branch(&self, video: Option<V>) -> Self {
        Self {
            region: self.region,
            runs: self.runs,
            still: self.still.clone(),
            video,
            phase: self.phase,
            fresh: true,
            waits: self.waits,
            next: self.next,
            left: self.left.clone(),
            turn: self.turn,
            passed_over: self.passed_over,
            inside: self.inside.clone(),
            begun: self.begun,
            ending: self.ending,
            changed: self.changed,
            apart: self.apart,
            alive: self.alive.clone(),
            columns: self.columns,
        }
    }

    /// The picture has changed in these tiles: outside of the region that is
    /// for the lossless codec, within it for video.
    pub(super) fn take(&mut self, picture: &Canvas, shown: &Canvas, damage: &Damage, now: Duration) {
        self.left.merge(damage);
        let mut changed = false;
        for rect in damage.rects() {
            if self.phase == Phase::Playing || self.phase == Phase::Resting {
                for part in rect.without(self.region) {
                    self.still.copy(picture, part);
                }
            }
            if let Some(part) = rect.common(self.region) {
                changed |= self.look(picture, part, now);
            }
        }
        if !changed {
            return;
        }
        let apart = now.saturating_sub(self.changed).min(REST.1);
        self.apart = (self.apart * 3 + apart) / 4;
        self.changed = now;
        if self.phase == Phase::Ending && self.runs == Runs::Once {
            self.ending.get_or_insert(now);
        }
        if matches!(self.phase, Phase::Refining | Phase::Resting) {
            self.play(picture, shown);
        }
        self.waits |= self.phase == Phase::Playing;
    }

    /// Whether a part of the region differs from when it was looked at last.
    fn look(&mut self, picture: &Canvas, part: Rect, now: Duration) -> bool {
        let mut any = false;
        for y in part.y..part.y + part.height {
            let start = (y - self.region.y) as usize * self.region.width as usize + (part.x - self.region.x) as usize;
            let new = picture.row(part.x, y, part.width);
            let Some(old) = self.inside.get_mut(start..start + new.len()) else { continue };
            if old != new {
                for (column, (old, new)) in (part.x / TILE..).zip(tiles_of(part.x, old, new)) {
                    if old != new {
                        old.copy_from_slice(new);
                        any = true;
                        let at = (y / TILE * self.columns + column) as usize;
                        if let Some(alive) = self.alive.get_mut(at) {
                            *alive = now;
                        }
                    }
                }
            }
        }
        any
    }

    /// It moves again: the codec is to leave the region as it is by now.
    fn play(&mut self, picture: &Canvas, shown: &Canvas) {
        self.phase = Phase::Playing;
        // Outside of the region it goes on to what there is.
        for rect in self.still.size().rect().without(self.region) {
            self.still.copy(picture, rect);
        }
        self.still.copy(shown, self.region);
    }

    /// Whether the region rests by now; it is to be refined then.
    pub(super) fn rests_at(&self) -> Option<Duration> {
        (self.phase == Phase::Playing).then(|| self.changed + (self.apart * 3).clamp(REST.0, REST.1))
    }

    /// What of the region is still alive is too little.
    pub(super) fn is_mostly_still(&self, now: Duration) -> bool {
        if now.saturating_sub(self.begun) < STILL {
            return false;
        }
        let (mut tiles, mut alive) = (0, 0);
        for row in self.region.y / TILE..(self.region.y + self.region.height).div_ceil(TILE) {
            for column in self.region.x / TILE..(self.region.x + self.region.width).div_ceil(TILE) {
                let last = self.alive.get((row * self.columns + column) as usize);
                tiles += 1;
                alive += usize::from(last.is_some_and(|last| now.saturating_sub(*last) < STILL));
            }
        }
        alive * 100 < tiles * ALIVE
    }

    /// From now on the region is sent losslessly.
    pub(super) fn refine(&mut self, phase: Phase) {
        self.phase = phase;
        self.waits = false;
        self.left.mark(self.region);
    }

    /// Whether it was given up long enough ago.
    pub(super) fn has_ended(&mut self, now: Duration) -> bool {
        if self.phase != Phase::Ending {
            return false;
        }
        match self.runs {
            Runs::On => now.saturating_sub(*self.ending.get_or_insert(now)) >= END,
            // What is as it was may take as long as the line needs for it.
            Runs::Once => self.ending.is_some_and(|ending| now.saturating_sub(ending) >= COVERED),
        }
    }

    /// Tiles that the lossless codec may send while video plays.
    pub(super) fn outside(&self) -> Damage {
        let mut outside = Damage::new(self.left.size());
        for rect in self.left.rects() {
            // A tile that lies partly outside is marked as a whole.
            outside.extend(rect.without(self.region));
        }
        outside
    }

    /// When something is to be done without anything changing.
    pub(super) fn due(&self) -> Option<Duration> {
        match self.phase {
            Phase::Playing if !self.left.is_empty() => Some(Duration::ZERO),
            Phase::Playing if self.waits => Some(self.next),
            Phase::Playing => self.rests_at(),
            Phase::Refining | Phase::Ending => Some(Duration::ZERO),
            Phase::Resting => (!self.left.is_empty()).then_some(Duration::ZERO),
        }
    }
}

/// A row of pixels tile by tile, from this column on.
fn tiles_of<'a>(x: u32, old: &'a mut [u32], new: &'a [u32]) -> impl Iterator<Item = (&'a mut [u32], &'a [u32])> {
    let first = ((TILE - x % TILE) as usize).min(new.len());
    let (old_first, old_rest) = old.split_at_mut(first);
    let (new_first, new_rest) = new.split_at(first);
    let rest = old_rest.chunks_mut(TILE as usize).zip(new_rest.chunks(TILE as usize));
    std::iter::once((old_first, new_first)).chain(rest)
}
