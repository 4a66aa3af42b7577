//! Streams: an encoder's state with its subscribers.
//!
//! Viewers of a display share a stream. Whoever begins, or begins anew, does so
//! on a stream of its own; whoever cannot keep up is moved to one at once; and
//! whoever has kept up for a while is moved to the others again. Nobody else
//! pays for any of it: a move hands over what a viewer has, so it costs no
//! picture.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::damage::Damage;
use crate::geometry::{Rect, Size};
use crate::pacing::Pacer;

/// A viewer's number in its session.
pub type ViewerId = u32;
/// A stream's number, unique within the agent's connection.
pub type StreamId = u32;

/// How long a viewer has to keep up before it shares a stream with others.
const STEADY: Duration = Duration::from_secs(3);
/// Bytes that a tile is believed to need before one was sent.
const TILE_BYTES: usize = 2 << 10;
/// Most tiles of one frame: what is more follows in the next, so that no frame
/// outgrows the queues on its way.
pub const MOST_TILES: usize = 768;
/// A frame that is so many times as large as its room is written anew, smaller.
const FAR_TOO_LARGE: usize = 2;
/// A viewer is given a fresh start at most this often.
const REFRESH_PAUSE: Duration = Duration::from_millis(500);
/// Most viewers over all streams.
pub const MOST_VIEWERS: usize = 32;

#[derive(Debug)]
struct Stream {
    display: u32,
    epoch: u32,
    next_frame: u32,
    pending: Damage,
    keyframe: bool,
    /// With which tile the next frame begins.
    cursor: usize,
    /// What a tile needs, as the last frames had it.
    tile_bytes: usize,
}

#[derive(Debug)]
struct Subscriber {
    stream: StreamId,
    pacer: Pacer,
    refreshed: Option<Duration>,
    switched: Option<Duration>,
    /// When it last could not be sent what waited.
    behind: Duration,
}

/// From one stream to another without a break: whoever has everything before
/// frame `from_frame` of the old one goes on with `frame` of the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handover {
    /// The old stream.
    pub from_stream: StreamId,
    /// Its epoch.
    pub from_epoch: u32,
    /// The frame of it that the viewer waited for.
    pub from_frame: u32,
    /// The new stream.
    pub stream: StreamId,
    /// Its epoch.
    pub epoch: u32,
    /// The frame of it that comes next.
    pub frame: u32,
}

/// A viewer that follows another stream than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// The viewer.
    pub viewer: ViewerId,
    /// What it follows now.
    pub stream: StreamId,
    /// How it goes on; without it, it begins anew.
    pub handover: Option<Handover>,
}

/// A frame that may be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FramePlan {
    /// The stream.
    pub stream: StreamId,
    /// The display to take the pixels from.
    pub display: u32,
    /// The stream's epoch.
    pub epoch: u32,
    /// The frame's number in it.
    pub frame_number: u32,
    /// Whether the decoder begins anew.
    pub keyframe: bool,
    /// What to send.
    pub damage: Damage,
    /// Bytes that there is room for.
    room: usize,
    /// The tile that it was taken from on.
    from: usize,
}

/// All streams of one session on one agent.
#[derive(Debug, Default)]
pub struct Streams {
    next_id: StreamId,
    streams: BTreeMap<StreamId, Stream>,
    subscribers: BTreeMap<ViewerId, Subscriber>,
    moved: Vec<Moved>,
}

impl Streams {
    /// No streams; ids count up from `first_id`.
    #[must_use]
    pub fn new(first_id: StreamId) -> Self {
        Self { next_id: first_id, ..Self::default() }
    }

    /// Whether nobody watches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subscribers.is_empty()
    }

    /// Displays that somebody watches.
    pub fn displays(&self) -> impl Iterator<Item = u32> {
        let mut displays: Vec<u32> = self.streams.values().map(|stream| stream.display).collect();
        displays.sort_unstable();
        displays.dedup();
        displays.into_iter()
    }

    /// Every stream.
    pub fn ids(&self) -> impl Iterator<Item = StreamId> {
        self.streams.keys().copied()
    }

    /// Everybody who watches.
    pub fn viewers(&self) -> impl Iterator<Item = ViewerId> {
        self.subscribers.keys().copied()
    }

    /// Everybody who follows this stream.
    #[must_use]
    pub fn subscribers(&self, stream: StreamId) -> Vec<ViewerId> {
        self.subscribers.iter().filter(|(_, other)| other.stream == stream).map(|(viewer, _)| *viewer).collect()
    }

    /// Everybody who watches this display.
    pub fn viewers_of(&self, display: u32) -> impl Iterator<Item = ViewerId> {
        let on = move |id| self.streams.get(id).is_some_and(|stream| stream.display == display);
        self.subscribers.iter().filter(move |(_, other)| on(&other.stream)).map(|(viewer, _)| *viewer)
    }

    /// The stream, its epoch and display that a viewer follows.
    #[must_use]
    pub fn of_viewer(&self, viewer: ViewerId) -> Option<(StreamId, u32, u32)> {
        let id = self.subscribers.get(&viewer)?.stream;
        let stream = self.streams.get(&id)?;
        Some((id, stream.epoch, stream.display))
    }

    /// A viewer wants to see a display; it may have seen another before.
    /// `false` when there are too many viewers.
    pub fn subscribe(&mut self, viewer: ViewerId, display: u32, size: Size, now: Duration) -> bool {
        if !self.subscribers.contains_key(&viewer) && self.subscribers.len() >= MOST_VIEWERS {
            return false;
        }
        let switched = self.subscribers.get(&viewer).and_then(|before| before.switched);
        self.unsubscribe(viewer);
        let stream = self.open_stream(display, size);
        let pacer = Pacer::default();
        self.subscribers.insert(viewer, Subscriber { stream, pacer, refreshed: None, switched, behind: now });
        self.moved.push(Moved { viewer, stream, handover: None });
        true
    }

    /// Whether a viewer may be given another display now: each costs a whole
    /// picture.
    pub fn may_switch(&mut self, viewer: ViewerId, now: Duration) -> bool {
        let Some(subscriber) = self.subscribers.get_mut(&viewer) else { return false };
        let early = subscriber.switched.is_some_and(|at| now.saturating_sub(at) < REFRESH_PAUSE);
        if !early {
            subscriber.switched = Some(now);
        }
        !early
    }

    /// A viewer is gone.
    pub fn unsubscribe(&mut self, viewer: ViewerId) {
        if let Some(subscriber) = self.subscribers.remove(&viewer) {
            self.drop_if_unused(subscriber.stream);
        }
    }

    /// A viewer's decoder has missed something.
    pub fn refresh(&mut self, viewer: ViewerId, size: Size, now: Duration) {
        let Some(subscriber) = self.subscribers.get_mut(&viewer) else { return };
        if subscriber.refreshed.is_some_and(|at| now.saturating_sub(at) < REFRESH_PAUSE) {
            return;
        }
        subscriber.refreshed = Some(now);
        subscriber.behind = now;
        subscriber.pacer = Pacer::default();
        let id = subscriber.stream;
        if self.streams.get(&id).is_some_and(|stream| stream.keyframe) {
            // A fresh start is about to be made anyway.
            return;
        }
        let alone = self.subscribers.values().filter(|other| other.stream == id).count() == 1;
        if alone {
            self.open_epoch(id, size);
        } else if let Some(display) = self.streams.get(&id).map(|stream| stream.display) {
            let own = self.open_stream(display, size);
            self.move_to(viewer, own, None);
        }
    }

    /// A display has another size now: everybody who sees it begins anew.
    pub fn resized(&mut self, display: u32, size: Size) {
        let ids: Vec<StreamId> =
            self.streams.iter().filter(|(_, stream)| stream.display == display).map(|(id, _)| *id).collect();
        for id in ids {
            self.open_epoch(id, size);
        }
    }

    /// These tiles of a display have changed.
    pub fn changed(&mut self, display: u32, damage: &Damage) {
        for stream in self.streams.values_mut().filter(|stream| stream.display == display) {
            stream.pending.merge(damage);
        }
    }

    /// A viewer has shown a frame.
    pub fn acknowledged(&mut self, viewer: ViewerId, frame: (StreamId, u32, u32), now: Duration) {
        if let Some(subscriber) = self.subscribers.get_mut(&viewer) {
            subscriber.pacer.acknowledged(frame, now);
        }
    }

    /// Whether anybody could be shown this display right now if it changed:
    /// whether capturing is of use. One who is ready is enough: what waits for
    /// the others then tells that they hold somebody up.
    #[must_use]
    pub fn wants_capture(&self, display: u32) -> bool {
        let shows = |id| self.streams.get(id).is_some_and(|stream| stream.display == display);
        self.subscribers.values().any(|other| shows(&other.stream) && other.pacer.may_send())
    }

    /// Viewers that now follow another stream than before.
    pub fn take_moved(&mut self) -> Vec<Moved> {
        std::mem::take(&mut self.moved)
    }

    /// The next frame that may be sent; each plan has to be sent, with
    /// [`Self::sent`] told of it.
    pub fn next_frame(&mut self, sizes: impl Fn(u32) -> Option<Size>, now: Duration) -> Option<FramePlan> {
        self.part_from_the_slow(now);
        self.join_those_who_keep_up(now);
        let ids: Vec<StreamId> = self.streams.keys().copied().collect();
        let id = ids.into_iter().find(|id| {
            let waits = self.streams.get(id).is_some_and(|stream| stream.keyframe || !stream.pending.is_empty());
            waits && self.has_credit(*id)
        })?;
        let room = self.subscribers.values().filter(|other| other.stream == id).map(|other| other.pacer.room()).min();
        let stream = self.streams.get_mut(&id)?;
        let size = sizes(stream.display)?;
        if stream.pending.size() != size {
            stream.pending = Damage::all(size);
        }
        let room = room?;
        let from = stream.cursor;
        let tiles = (room / stream.tile_bytes.max(1)).clamp(1, MOST_TILES);
        let (damage, cursor) = stream.pending.take(tiles, from);
        stream.cursor = cursor;
        let plan = FramePlan {
            stream: id,
            display: stream.display,
            epoch: stream.epoch,
            frame_number: stream.next_frame,
            keyframe: stream.keyframe,
            damage,
            room,
            from,
        };
        stream.keyframe = false;
        stream.next_frame += 1;
        Some(plan)
    }

    /// Write a planned frame. What its tiles need is only believed to be known:
    /// where it comes out far too large, as many of them go as there is room
    /// for, and the others wait again.
    ///
    /// # Errors
    /// Whatever `encode` fails with.
    pub fn write<E>(
        &mut self,
        plan: &mut FramePlan,
        mut encode: impl FnMut(&[Rect]) -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        loop {
            let payload = encode(&plan.damage.rects())?;
            let tiles = plan.damage.count();
            if tiles <= 1 || payload.len() <= plan.room.saturating_mul(FAR_TOO_LARGE) {
                return Ok(payload);
            }
            let Some(stream) = self.streams.get_mut(&plan.stream) else { return Ok(payload) };
            let fit = (tiles * plan.room / payload.len()).max(1);
            let (kept, cursor) = plan.damage.take(fit, plan.from);
            stream.pending.merge(&std::mem::replace(&mut plan.damage, kept));
            stream.cursor = cursor;
        }
    }

    /// A planned frame went out with this many bytes.
    pub fn sent(&mut self, plan: &FramePlan, bytes: usize, now: Duration) {
        if let Some(stream) = self.streams.get_mut(&plan.stream) {
            // What is larger counts at once, what is smaller by and by.
            let now = bytes / plan.damage.count().max(1);
            stream.tile_bytes = now.max(stream.tile_bytes.midpoint(now)).max(1);
        }
        for subscriber in self.subscribers.values_mut().filter(|other| other.stream == plan.stream) {
            subscriber.pacer.sent((plan.stream, plan.epoch, plan.frame_number), bytes, now);
        }
    }

    fn has_credit(&self, id: StreamId) -> bool {
        self.subscribers.values().filter(|other| other.stream == id).all(|other| other.pacer.may_send())
    }

    /// Whoever could not be sent what others of its stream can gets a stream of
    /// its own, which goes on where it is.
    fn part_from_the_slow(&mut self, now: Duration) {
        let mut slow: BTreeMap<StreamId, Vec<ViewerId>> = BTreeMap::new();
        for (viewer, subscriber) in &mut self.subscribers {
            let waits = self.streams.get(&subscriber.stream).is_some_and(|stream| !stream.pending.is_empty());
            if waits && !subscriber.pacer.may_send() {
                subscriber.behind = now;
                slow.entry(subscriber.stream).or_default().push(*viewer);
            }
        }
        for (id, viewers) in slow {
            if viewers.len() == self.subscribers.values().filter(|other| other.stream == id).count() {
                continue;
            }
            for viewer in viewers {
                if let Some((own, handover)) = self.branch(id) {
                    self.move_to(viewer, own, handover);
                }
            }
        }
    }

    /// Whoever has kept up for a while, and has been sent everything, goes on
    /// with the others of its display.
    fn join_those_who_keep_up(&mut self, now: Duration) {
        let mut shared: BTreeMap<u32, StreamId> = BTreeMap::new();
        let ids: Vec<StreamId> = self.streams.keys().copied().collect();
        for id in ids {
            let Some(stream) = self.streams.get(&id) else { continue };
            let of = |other: &&Subscriber| other.stream == id;
            let steady = |other: &Subscriber| other.pacer.may_send() && now.saturating_sub(other.behind) >= STEADY;
            if stream.keyframe || !stream.pending.is_empty() || !self.subscribers.values().filter(of).all(steady) {
                continue;
            }
            let display = stream.display;
            let Some(target) = shared.get(&display).copied() else {
                shared.insert(display, id);
                continue;
            };
            if let Some(handover) = self.handover(id, target) {
                for viewer in self.subscribers(id) {
                    self.move_to(viewer, target, Some(handover));
                }
            }
        }
    }

    /// A stream that goes on where this one is. Where this one begins anew,
    /// so does that: what came before is of no use to anybody.
    fn branch(&mut self, id: StreamId) -> Option<(StreamId, Option<Handover>)> {
        let before = self.streams.get(&id)?;
        let branched = Stream {
            display: before.display,
            epoch: 1,
            next_frame: 0,
            pending: before.pending.clone(),
            keyframe: before.keyframe,
            cursor: before.cursor,
            tile_bytes: before.tile_bytes,
        };
        let anew = branched.keyframe;
        let own = self.add(branched);
        Some((own, if anew { None } else { self.handover(id, own) }))
    }

    fn handover(&self, from: StreamId, to: StreamId) -> Option<Handover> {
        let (before, after) = (self.streams.get(&from)?, self.streams.get(&to)?);
        Some(Handover {
            from_stream: from,
            from_epoch: before.epoch,
            from_frame: before.next_frame,
            stream: to,
            epoch: after.epoch,
            frame: after.next_frame,
        })
    }

    fn move_to(&mut self, viewer: ViewerId, stream: StreamId, handover: Option<Handover>) {
        if let Some(subscriber) = self.subscribers.get_mut(&viewer) {
            let before = std::mem::replace(&mut subscriber.stream, stream);
            self.drop_if_unused(before);
            self.moved.push(Moved { viewer, stream, handover });
        }
    }

    /// A stream that begins with a whole picture.
    fn open_stream(&mut self, display: u32, size: Size) -> StreamId {
        self.add(Stream {
            display,
            epoch: 1,
            next_frame: 0,
            pending: Damage::all(size),
            keyframe: true,
            cursor: 0,
            tile_bytes: TILE_BYTES,
        })
    }

    fn add(&mut self, stream: Stream) -> StreamId {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        self.streams.insert(id, stream);
        id
    }

    fn open_epoch(&mut self, id: StreamId, size: Size) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.epoch += 1;
            stream.next_frame = 0;
            stream.pending = Damage::all(size);
            stream.keyframe = true;
            stream.cursor = 0;
        }
    }

    fn drop_if_unused(&mut self, id: StreamId) {
        if !self.subscribers.values().any(|other| other.stream == id) {
            self.streams.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests;
