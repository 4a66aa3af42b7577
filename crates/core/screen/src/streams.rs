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
use crate::geometry::Size;
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
        let tiles = (room? / stream.tile_bytes.max(1)).clamp(1, MOST_TILES);
        let (damage, cursor) = stream.pending.take(tiles, stream.cursor);
        stream.cursor = cursor;
        let plan = FramePlan {
            stream: id,
            display: stream.display,
            epoch: stream.epoch,
            frame_number: stream.next_frame,
            keyframe: stream.keyframe,
            damage,
        };
        stream.keyframe = false;
        stream.next_frame += 1;
        Some(plan)
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
                    self.move_to(viewer, own, Some(handover));
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

    /// A stream that goes on where this one is.
    fn branch(&mut self, id: StreamId) -> Option<(StreamId, Handover)> {
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
        let own = self.add(branched);
        Some((own, self.handover(id, own)?))
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
mod tests {
    use super::*;
    use crate::geometry::Rect;

    const SIZE: Size = Size::new(640, 480);
    const MS: Duration = Duration::from_millis(1);

    fn send(streams: &mut Streams, now: Duration) -> Option<FramePlan> {
        let plan = streams.next_frame(|_| Some(SIZE), now)?;
        streams.sent(&plan, 100_000, now);
        Some(plan)
    }

    fn touch(streams: &mut Streams) {
        // What nobody wants to see is not even looked at.
        if streams.wants_capture(0) {
            let mut damage = Damage::new(SIZE);
            damage.mark(Rect::new(10, 10, 5, 5));
            streams.changed(0, &damage);
        }
    }

    /// Send what may be sent, and let these viewers acknowledge it at once;
    /// how many frames each of them got.
    fn pass(streams: &mut Streams, quick: &[ViewerId], now: Duration) -> BTreeMap<ViewerId, usize> {
        let mut got = BTreeMap::new();
        while let Some(plan) = send(streams, now) {
            for viewer in streams.subscribers(plan.stream) {
                *got.entry(viewer).or_default() += 1;
                if quick.contains(&viewer) {
                    streams.acknowledged(viewer, (plan.stream, plan.epoch, plan.frame_number), now + MS);
                }
            }
        }
        got
    }

    #[test]
    fn a_newcomer_costs_the_others_nothing_and_joins_them() {
        let mut streams = Streams::new(1);
        assert!(streams.subscribe(1, 0, SIZE, MS));
        pass(&mut streams, &[1], MS);
        let before = streams.of_viewer(1).unwrap();
        assert!(streams.subscribe(2, 0, SIZE, MS * 5000));
        let plan = send(&mut streams, MS * 5000).unwrap();
        assert!(plan.keyframe && plan.stream == 2, "{plan:?}");
        streams.acknowledged(2, (plan.stream, plan.epoch, plan.frame_number), MS * 5001);
        pass(&mut streams, &[1, 2], MS * 5001);
        assert_eq!(streams.of_viewer(1), Some(before), "the first one begins nothing anew");
        streams.take_moved();
        assert_eq!(streams.next_frame(|_| Some(SIZE), MS * 5100), None);
        assert_ne!(streams.of_viewer(2), streams.of_viewer(1));
        // After a while of keeping up it goes on with the others.
        assert_eq!(streams.next_frame(|_| Some(SIZE), MS * 9000), None);
        assert_eq!(streams.of_viewer(2), streams.of_viewer(1));
        let moved = streams.take_moved();
        let handover = moved.first().and_then(|moved| moved.handover).unwrap();
        assert_eq!((moved.len(), handover.from_stream, handover.stream), (1, 2, 1));
        touch(&mut streams);
        let plan = send(&mut streams, MS * 9001).unwrap();
        assert_eq!((plan.stream, plan.keyframe, plan.frame_number), (1, false, handover.frame));
    }

    #[test]
    fn a_slow_viewer_is_given_its_own_pace() {
        let mut streams = Streams::new(1);
        assert!(streams.subscribe(1, 0, SIZE, MS) && streams.subscribe(2, 0, SIZE, MS));
        pass(&mut streams, &[1, 2], MS);
        pass(&mut streams, &[1, 2], MS * 4000);
        assert_eq!(streams.of_viewer(1), streams.of_viewer(2));
        streams.take_moved();
        let (mut now, mut got) = (MS * 5000, BTreeMap::new());
        for _ in 0..100 {
            now += MS * 20;
            touch(&mut streams);
            for (viewer, count) in pass(&mut streams, &[1], now) {
                *got.entry(viewer).or_default() += count;
            }
        }
        assert_eq!(got.get(&1), Some(&100), "the quick one misses nothing");
        assert!(got.get(&2).is_some_and(|got: &usize| (1..10).contains(got)), "{got:?}");
        let moved = streams.take_moved();
        assert!(matches!(moved.as_slice(), [Moved { viewer: 2, handover: Some(_), .. }]), "{moved:?}");
        // What it has missed is still to come, and no more.
        let own = streams.of_viewer(2).unwrap().0;
        assert_eq!(streams.streams[&own].pending.count(), 1);
    }

    #[test]
    fn refreshes_cannot_be_used_against_others() {
        let mut streams = Streams::new(1);
        assert!(streams.subscribe(1, 0, SIZE, MS) && streams.subscribe(2, 0, SIZE, MS));
        pass(&mut streams, &[1, 2], MS);
        pass(&mut streams, &[1, 2], MS * 4000);
        let before = streams.of_viewer(1);
        assert_eq!(before, streams.of_viewer(2));
        for late in 0..50 {
            streams.refresh(2, SIZE, MS * (5000 + late));
        }
        assert_eq!(streams.of_viewer(1), before);
        assert_ne!(streams.of_viewer(2), before);
        assert_eq!(streams.streams.len(), 2);
    }

    #[test]
    fn frames_are_as_large_as_there_is_room() {
        let size = Size::new(1920, 1080);
        let mut streams = Streams::new(1);
        assert!(streams.subscribe(1, 0, size, MS));
        let mut all = Damage::new(size);
        for number in 0..1000 {
            let now = MS * number * 100;
            let Some(plan) = streams.next_frame(|_| Some(size), now) else { break };
            // A photograph: ten kilobytes a tile.
            let bytes = plan.damage.count() * 10_000;
            let window = streams.subscribers[&1].pacer.window();
            assert!(number == 0 || bytes <= (window / 2).max(10_000), "frame {number} has {bytes} of {window} bytes");
            all.merge(&plan.damage);
            streams.sent(&plan, bytes, now);
            // The line takes it in, slower and slower.
            streams.acknowledged(1, (plan.stream, plan.epoch, plan.frame_number), now + MS * number);
        }
        assert_eq!(all, Damage::all(size));
    }

    #[test]
    fn displays_are_switched_with_pauses() {
        let mut streams = Streams::new(1);
        assert!(streams.subscribe(1, 0, SIZE, MS));
        let switched = (0..1000).filter(|at| {
            let may = streams.may_switch(1, MS * *at);
            may && streams.subscribe(1, at % 2, SIZE, MS * *at)
        });
        assert_eq!(switched.count(), 2);
        assert!(!streams.may_switch(2, MS), "somebody who does not watch");
    }

    #[test]
    fn huge_displays_come_in_several_frames() {
        let size = Size::new(7680, 4320);
        let mut streams = Streams::new(1);
        assert!(streams.subscribe(1, 0, size, MS));
        let mut whole = Damage::new(size);
        let mut frames = 0;
        while let Some(plan) = streams.next_frame(|_| Some(size), MS) {
            assert!(plan.damage.rects().iter().map(|rect| rect.area()).sum::<usize>() <= MOST_TILES * 64 * 64);
            assert_eq!(plan.keyframe, frames == 0);
            whole.merge(&plan.damage);
            streams.sent(&plan, 1000, MS);
            streams.acknowledged(1, (plan.stream, plan.epoch, plan.frame_number), MS);
            frames += 1;
        }
        assert_eq!(whole, Damage::all(size));
        assert!(frames >= 11, "{frames}");
    }

    #[test]
    fn nothing_is_left_when_all_are_gone() {
        let mut streams = Streams::new(1);
        for viewer in 0..100 {
            streams.subscribe(viewer, viewer % 3, SIZE, MS * viewer);
        }
        assert_eq!(streams.subscribers.len(), MOST_VIEWERS);
        for viewer in 0..100 {
            streams.unsubscribe(viewer);
        }
        assert!(streams.is_empty() && streams.streams.is_empty());
    }
}
