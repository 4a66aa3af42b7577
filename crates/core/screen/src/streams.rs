//! Streams: an encoder's state with its subscribers.
//!
//! Viewers of a display share a stream. One that cannot keep up, or that has
//! to begin anew too soon after the others did, gets a stream of its own, so
//! that nobody else pays for it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::damage::Damage;
use crate::geometry::Size;
use crate::pacing::Pacer;

/// A viewer's number in its session.
pub type ViewerId = u32;
/// A stream's number, unique within the agent's connection.
pub type StreamId = u32;

/// A shared stream opens a new epoch for a newcomer at most this often.
const EPOCH_PAUSE: Duration = Duration::from_secs(2);
/// A subscriber that holds the others up for longer gets its own stream.
const PATIENCE: Duration = Duration::from_millis(400);
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
    epoch_opened: Duration,
    next_frame: u32,
    pending: Damage,
    keyframe: bool,
    blocked_since: Option<Duration>,
}

#[derive(Debug)]
struct Subscriber {
    stream: StreamId,
    pacer: Pacer,
    refreshed: Option<Duration>,
    switched: Option<Duration>,
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
    moved: Vec<(ViewerId, StreamId)>,
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
        let shared = self.streams.iter().find_map(|(id, stream)| {
            (stream.display == display && now.saturating_sub(stream.epoch_opened) >= EPOCH_PAUSE).then_some(*id)
        });
        let stream = match shared {
            Some(id) => {
                self.open_epoch(id, size, now);
                id
            }
            None => self.open_stream(display, size, now),
        };
        self.subscribers.insert(viewer, Subscriber { stream, pacer: Pacer::default(), refreshed: None, switched });
        self.moved.push((viewer, stream));
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
        subscriber.pacer = Pacer::default();
        let id = subscriber.stream;
        let alone = self.subscribers.values().filter(|other| other.stream == id).count() == 1;
        let Some(stream) = self.streams.get(&id) else { return };
        if alone || now.saturating_sub(stream.epoch_opened) >= EPOCH_PAUSE {
            self.open_epoch(id, size, now);
        } else {
            self.move_to_own(viewer, size, now);
        }
    }

    /// A display has another size now: everybody who sees it begins anew.
    pub fn resized(&mut self, display: u32, size: Size, now: Duration) {
        let ids: Vec<StreamId> =
            self.streams.iter().filter(|(_, stream)| stream.display == display).map(|(id, _)| *id).collect();
        for id in ids {
            self.open_epoch(id, size, now);
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
    pub fn take_moved(&mut self) -> Vec<(ViewerId, StreamId)> {
        std::mem::take(&mut self.moved)
    }

    /// The next frame that may be sent; each plan has to be sent, with
    /// [`Self::sent`] told of it.
    pub fn next_frame(&mut self, sizes: impl Fn(u32) -> Option<Size>, now: Duration) -> Option<FramePlan> {
        self.part_from_the_slow(&sizes, now);
        let ids: Vec<StreamId> = self.streams.keys().copied().collect();
        let id = ids.into_iter().find(|id| {
            let waits = self.streams.get(id).is_some_and(|stream| stream.keyframe || !stream.pending.is_empty());
            waits && self.has_credit(*id)
        })?;
        let stream = self.streams.get_mut(&id)?;
        let size = sizes(stream.display)?;
        if stream.pending.size() != size {
            stream.pending = Damage::all(size);
        }
        let damage = stream.pending.take(MOST_TILES);
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
        for subscriber in self.subscribers.values_mut().filter(|other| other.stream == plan.stream) {
            subscriber.pacer.sent((plan.stream, plan.epoch, plan.frame_number), bytes, now);
        }
    }

    /// When to look again although nothing happens: somebody may have held
    /// the others up for too long by then.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        self.streams.values().filter_map(|stream| stream.blocked_since).min().map(|since| since + PATIENCE)
    }

    fn has_credit(&self, id: StreamId) -> bool {
        self.subscribers.values().filter(|other| other.stream == id).all(|other| other.pacer.may_send())
    }

    fn part_from_the_slow(&mut self, sizes: &impl Fn(u32) -> Option<Size>, now: Duration) {
        let mut slow = Vec::new();
        for (id, stream) in &mut self.streams {
            let (ready, blocked): (Vec<_>, Vec<_>) = self
                .subscribers
                .iter()
                .filter(|(_, other)| other.stream == *id)
                .partition(|(_, other)| other.pacer.may_send());
            let held_up = !ready.is_empty() && !blocked.is_empty() && !stream.pending.is_empty();
            if !held_up {
                stream.blocked_since = None;
                continue;
            }
            let since = *stream.blocked_since.get_or_insert(now);
            if now.saturating_sub(since) >= PATIENCE {
                stream.blocked_since = None;
                slow.extend(blocked.into_iter().map(|(viewer, _)| (*viewer, stream.display)));
            }
        }
        for (viewer, display) in slow {
            if let Some(size) = sizes(display) {
                self.move_to_own(viewer, size, now);
            }
        }
    }

    fn move_to_own(&mut self, viewer: ViewerId, size: Size, now: Duration) {
        let Some((_, _, display)) = self.of_viewer(viewer) else { return };
        let own = self.open_stream(display, size, now);
        if let Some(subscriber) = self.subscribers.get_mut(&viewer) {
            let before = std::mem::replace(&mut subscriber.stream, own);
            self.drop_if_unused(before);
        }
        self.moved.push((viewer, own));
    }

    fn open_stream(&mut self, display: u32, size: Size, now: Duration) -> StreamId {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let stream = Stream {
            display,
            epoch: 0,
            epoch_opened: now,
            next_frame: 0,
            pending: Damage::all(size),
            keyframe: true,
            blocked_since: None,
        };
        self.streams.insert(id, stream);
        self.open_epoch(id, size, now);
        id
    }

    fn open_epoch(&mut self, id: StreamId, size: Size, now: Duration) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.epoch += 1;
            stream.epoch_opened = now;
            stream.next_frame = 0;
            stream.pending = Damage::all(size);
            stream.keyframe = true;
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

    #[test]
    fn two_share_a_stream_and_begin_together() {
        let mut streams = Streams::new(1);
        assert!(streams.subscribe(1, 0, SIZE, MS));
        assert_eq!(send(&mut streams, MS).map(|plan| (plan.keyframe, plan.frame_number)), Some((true, 0)));
        assert!(streams.subscribe(2, 0, SIZE, MS * 5000));
        let plan = send(&mut streams, MS * 5000).unwrap();
        assert!(plan.keyframe && plan.epoch == 2 && plan.damage == Damage::all(SIZE));
        assert_eq!(streams.of_viewer(1), streams.of_viewer(2));
        assert_eq!(streams.take_moved(), [(1, 1), (2, 1)]);
        assert_eq!(send(&mut streams, MS * 5001), None);
    }

    #[test]
    fn a_slow_viewer_is_given_its_own_pace() {
        let mut streams = Streams::new(1);
        assert!(streams.subscribe(1, 0, SIZE, MS) && streams.subscribe(2, 0, SIZE, MS * 5000));
        streams.take_moved();
        let mut now = MS * 5000;
        let mut sent_to_fast = 0;
        for _ in 0..100 {
            now += MS * 20;
            touch(&mut streams);
            while let Some(plan) = send(&mut streams, now) {
                let frame = (plan.stream, plan.epoch, plan.frame_number);
                if streams.of_viewer(1).map(|(stream, _, _)| stream) == Some(plan.stream) {
                    streams.acknowledged(1, frame, now + MS);
                    sent_to_fast += 1;
                }
            }
        }
        assert_ne!(streams.of_viewer(1), streams.of_viewer(2));
        assert_eq!(streams.take_moved().len(), 1);
        assert!(sent_to_fast > 70, "{sent_to_fast}");
    }

    #[test]
    fn refreshes_cannot_be_used_against_others() {
        let mut streams = Streams::new(1);
        assert!(streams.subscribe(1, 0, SIZE, MS) && streams.subscribe(2, 0, SIZE, MS * 5000));
        while send(&mut streams, MS * 5000).is_some() {}
        for _ in 0..50 {
            streams.refresh(2, SIZE, MS * 5100);
        }
        let (stream, epoch, _) = streams.of_viewer(1).unwrap();
        assert_eq!((stream, epoch), (1, 2));
        assert_ne!(streams.of_viewer(2).unwrap().0, 1);
        assert_eq!(streams.streams.len(), 2);
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
        assert_eq!((whole, frames), (Damage::all(size), 11));
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
