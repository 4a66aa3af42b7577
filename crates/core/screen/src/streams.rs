//! Streams: an encoder's state with its subscribers.
//!
//! Whoever begins, or begins anew, does so on a stream of its own; whoever
//! cannot keep up with others is moved to one at once. A move hands over
//! what a viewer has, so it costs nobody a picture; the agent encodes for each
//! stream.
//! Where there are many streams of a display, those whose viewers keep up go on
//! as one: what they remember of earlier pictures is not the same, so they
//! forget it, and keep the picture.

mod pace;
mod room;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::coded::{Coded, Kind};
use crate::damage::Damage;
use crate::geometry::Size;
use crate::pacing::{Pacer, SMALLEST_FRAME};
use crate::quality::Quality;

pub use pace::Pace;
use room::Waiting;
pub use room::{Answers, Room};

/// A viewer's number in its session.
pub type ViewerId = u32;
/// A stream's number, unique within the agent's connection.
pub type StreamId = u32;

/// How long a viewer has to keep up before it shares a stream with others.
const STEADY: Duration = Duration::from_secs(3);
/// Streams of a display that are left apart however well their viewers keep up.
const APART: usize = 2;
/// Most bytes of a frame, as far as they can be foretold, so that none outgrows
/// the queues on its way.
pub const MOST_BYTES: usize = 1 << 20;
/// A viewer is given a fresh start at most this often.
const REFRESH_PAUSE: Duration = Duration::from_millis(500);
/// Most viewers over all streams.
pub const MOST_VIEWERS: usize = 32;

/// What a stream encodes with.
pub trait Coder: Sized {
    /// What it encodes.
    type Picture;

    /// What makes of what the viewers show this picture, of which only
    /// `damage` may differ; `None` where nothing does, or, of an answer alone, where
    /// nothing may go: then the damage stays what it is. What
    /// does not fit into the `room` is deferred: either the coder is due again at
    /// once, or it says what is still damaged.
    fn encode(
        &mut self,
        picture: &Self::Picture,
        damage: &Damage,
        room: Room,
        now: Duration,
    ) -> Option<(Coded, Damage)>;

    /// The frame is on its way: what it changed counts as shown. `picture` is
    /// what was encoded.
    fn settle(&mut self, picture: &Self::Picture);

    /// One that goes on where this one is.
    fn branch(&self) -> Self;

    /// With the next frame everybody forgets all but the picture.
    fn forget(&mut self);

    /// When it has something to send although nothing changes.
    fn due(&self) -> Option<Duration>;

    /// Whether what viewers show is the picture itself, and nothing over it.
    fn is_exact(&self) -> bool;

    /// How pictures are wanted from now on.
    fn prefer(&mut self, quality: Quality);
}

/// How a stream's coder begins: for a picture of this size, black.
pub type Begin<C> = Box<dyn Fn(Size, Quality) -> C + Send>;

struct Stream<C> {
    display: u32,
    epoch: u32,
    next_frame: u32,
    pending: Damage,
    keyframe: bool,
    quality: Quality,
    pace: Pace,
    answers: Waiting,
    coder: C,
}

impl<C: Coder> Stream<C> {
    /// Whether there is something to send.
    fn waits(&self, now: Duration) -> bool {
        self.keyframe || !self.pending.is_empty() || self.coder.due().is_some_and(|due| due <= now)
    }

    /// When something is to be sent although nothing changes.
    fn due(&self) -> Option<Duration> {
        let ready = self.pace.ready_at();
        // Without bounds what has changed waits for acknowledgements only.
        let held = (ready > Duration::ZERO && !self.pending.is_empty()).then_some(ready);
        held.or_else(|| self.coder.due().map(|due| due.max(ready)))
    }
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

/// A frame that is to be sent now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The stream.
    pub stream: StreamId,
    /// The display that it shows.
    pub display: u32,
    /// The stream's epoch.
    pub epoch: u32,
    /// The frame's number in it.
    pub frame_number: u32,
    /// Whether the decoder begins anew.
    pub keyframe: bool,
    /// What the decoder reads, and where video lies.
    pub coded: Coded,
}

/// All streams of one session on one agent.
pub struct Streams<C> {
    begin: Begin<C>,
    next_id: StreamId,
    streams: BTreeMap<StreamId, Stream<C>>,
    subscribers: BTreeMap<ViewerId, Subscriber>,
    moved: Vec<Moved>,
    /// The stream of the last frame, as long as that is on its way.
    unsettled: Option<StreamId>,
}

impl<C> std::fmt::Debug for Streams<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").field("subscribers", &self.subscribers).finish_non_exhaustive()
    }
}

impl<C: Coder> Streams<C> {
    /// No streams; ids count up from `first_id`.
    #[must_use]
    pub fn new(first_id: StreamId, begin: Begin<C>) -> Self {
        Self {
            begin,
            next_id: first_id,
            streams: BTreeMap::new(),
            subscribers: BTreeMap::new(),
            moved: Vec::new(),
            unsettled: None,
        }
    }

    /// The line is gone, and everybody with it; ids begin anew.
    pub fn clear(&mut self, first_id: StreamId) {
        self.next_id = first_id;
        self.streams.clear();
        self.subscribers.clear();
        self.moved.clear();
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
    pub fn subscribe(&mut self, viewer: ViewerId, display: u32, size: Size, quality: Quality, now: Duration) -> bool {
        if !self.subscribers.contains_key(&viewer) && self.subscribers.len() >= MOST_VIEWERS {
            return false;
        }
        let switched = self.subscribers.get(&viewer).and_then(|before| before.switched);
        self.unsubscribe(viewer);
        let stream = self.open_stream(display, size, quality);
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
        } else if let Some((display, quality)) = self.streams.get(&id).map(|stream| (stream.display, stream.quality)) {
            let own = self.open_stream(display, size, quality);
            self.move_to(viewer, own, None);
        }
    }

    /// How a viewer wants its pictures from now on. Others go on as before.
    pub fn prefer(&mut self, viewer: ViewerId, quality: Quality, now: Duration) {
        let Some(subscriber) = self.subscribers.get_mut(&viewer) else { return };
        let id = subscriber.stream;
        if self.streams.get(&id).is_none_or(|stream| stream.quality == quality) {
            return;
        }
        // Whoever changes its mind again and again makes nobody forget.
        subscriber.behind = now;
        let alone = self.subscribers.values().filter(|other| other.stream == id).count() == 1;
        let own = if alone {
            Some(id)
        } else {
            self.branch(id).map(|(own, handover)| {
                self.move_to(viewer, own, handover);
                own
            })
        };
        if let Some(stream) = own.and_then(|own| self.streams.get_mut(&own)) {
            stream.quality = quality;
            stream.pace.begin();
            stream.coder.prefer(quality);
        }
    }

    /// When something is to be sent although nothing changes; `None` where
    /// nothing is, or nobody could be sent it.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        // One who could is enough: the others are parted from it then.
        let may_send =
            |id: &StreamId| self.subscribers.values().any(|other| other.stream == *id && other.pacer.may_send());
        self.streams.iter().filter(|(id, _)| may_send(id)).filter_map(|(_, stream)| stream.due()).min()
    }

    /// A viewer has typed or pointed, and that was carried out: what it is sent
    /// next goes at once.
    pub fn hurry(&mut self, viewer: ViewerId, now: Duration) {
        let Some(subscriber) = self.subscribers.get_mut(&viewer) else { return };
        subscriber.pacer.typed(now);
        if let Some(stream) = self.streams.get_mut(&subscriber.stream) {
            stream.pace.hurry();
            stream.answers.begin(now);
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

    /// A viewer has shown a frame, which it took so long to decode.
    pub fn acknowledged(&mut self, viewer: ViewerId, frame: (StreamId, u32, u32), decode: Duration, now: Duration) {
        if let Some(subscriber) = self.subscribers.get_mut(&viewer) {
            subscriber.pacer.acknowledged(frame, decode, now);
        }
    }

    /// Whether anybody could be shown this display right now if it changed:
    /// whether capturing is of use. One who is ready is enough: what waits for
    /// the others then tells that they hold somebody up.
    #[must_use]
    pub fn wants_capture(&self, display: u32, now: Duration) -> bool {
        let shows = |id| self.streams.get(id).is_some_and(|stream| stream.display == display);
        let ready = self.subscribers.values().any(|other| shows(&other.stream) && other.pacer.may_send());
        ready || self.streams.keys().any(|id| shows(id) && self.answers(*id, now) == Some(Answers::Only))
    }

    /// Viewers that now follow another stream than before.
    pub fn take_moved(&mut self) -> Vec<Moved> {
        std::mem::take(&mut self.moved)
    }

    /// The next frame that may be sent; it counts as sent. `picture` gives a
    /// display's, where it is known. To be called until there is none before any
    /// picture changes: what the last frame leaves to be done is done then.
    pub fn next_frame<'a>(
        &mut self,
        picture: impl Fn(u32) -> Option<&'a C::Picture>,
        clock: impl Fn() -> Duration,
    ) -> Option<Frame>
    where
        C::Picture: 'a,
    {
        let now = clock();
        if let Some(stream) = self.unsettled.take().and_then(|id| self.streams.get_mut(&id))
            && let Some(picture) = picture(stream.display)
        {
            stream.coder.settle(picture);
        }
        self.part_from_the_slow(now);
        self.join_those_who_keep_up(now);
        let ids: Vec<StreamId> = self.streams.keys().copied().collect();
        ids.into_iter().find_map(|id| self.frame_of(id, &picture, &clock))
    }

    fn frame_of<'a>(
        &mut self,
        id: StreamId,
        picture: &impl Fn(u32) -> Option<&'a C::Picture>,
        clock: &impl Fn() -> Duration,
    ) -> Option<Frame>
    where
        C::Picture: 'a,
    {
        let now = clock();
        let answers = self.answers(id, now)?;
        let pacers = self.subscribers.values().filter(|other| other.stream == id).map(|other| &other.pacer);
        let rooms = match answers {
            Answers::Only => SMALLEST_FRAME,
            Answers::No | Answers::First => pacers.map(Pacer::room).min()?.min(MOST_BYTES),
        };
        let stream = self.streams.get_mut(&id).filter(|stream| stream.waits(now) && stream.pace.ready_at() <= now)?;
        let room = Room { bytes: rooms.min(stream.quality.bounds.room()), answers };
        let picture = picture(stream.display)?;
        let encoded = stream.coder.encode(picture, &stream.pending, room, now);
        if encoded.is_none() && answers == Answers::Only {
            // Perhaps there is something that may not go beyond the window.
            return None;
        }
        if encoded.is_none() && !stream.keyframe {
            stream.pending.clear();
            return None;
        }
        // A picture that is black yet is one all the same.
        let nothing = || {
            let coded = Coded { bytes: Vec::new(), kind: Kind::Tiles { rests: false }, region: None };
            (coded, Damage::new(stream.pending.size()))
        };
        let (coded, deferred) = encoded.unwrap_or_else(nothing);
        stream.pending = deferred;
        self.unsettled = Some(id);
        let frame = Frame {
            stream: id,
            display: stream.display,
            epoch: stream.epoch,
            frame_number: stream.next_frame,
            keyframe: std::mem::take(&mut stream.keyframe),
            coded,
        };
        stream.next_frame += 1;
        stream.answers.sent(answers, frame.coded.kind);
        stream.pace.sent(frame.coded.bytes.len(), stream.quality.bounds, now);
        // What encoding takes is no part of the way.
        let now = clock();
        for subscriber in self.subscribers.values_mut().filter(|other| other.stream == id) {
            subscriber.pacer.sent((id, frame.epoch, frame.frame_number), frame.coded.bytes.len(), now);
        }
        Some(frame)
    }

    /// Whether a stream's next frame answers an input; `None` where none may go.
    fn answers(&self, id: StreamId, now: Duration) -> Option<Answers> {
        let all = |may: fn(&Pacer) -> bool| {
            self.subscribers.values().filter(|other| other.stream == id).all(|other| may(&other.pacer))
        };
        let waiting = self.streams.get(&id)?.answers;
        if all(Pacer::may_send) {
            Some(if waiting.is_so(now) { Answers::First } else { Answers::No })
        } else {
            (waiting.may_go_beyond(now) && all(Pacer::may_answer)).then_some(Answers::Only)
        }
    }

    /// Whoever could not be sent what others of its stream can gets a stream of
    /// its own, which goes on where it is.
    fn part_from_the_slow(&mut self, now: Duration) {
        let mut slow: BTreeMap<StreamId, Vec<ViewerId>> = BTreeMap::new();
        for (viewer, subscriber) in &mut self.subscribers {
            let waits = self.streams.get(&subscriber.stream).is_some_and(|stream| stream.waits(now));
            if waits && !subscriber.pacer.may_send() {
                subscriber.behind = now;
                slow.entry(subscriber.stream).or_default().push(*viewer);
            }
        }
        for (id, viewers) in slow {
            if viewers.len() == self.subscribers.values().filter(|other| other.stream == id).count() {
                continue;
            }
            if let Some((own, handover)) = self.branch(id) {
                for viewer in viewers {
                    self.move_to(viewer, own, handover);
                }
            }
        }
    }

    /// Where a display has many streams: whoever has kept up for a while, and
    /// has been sent everything, goes on with others like that.
    fn join_those_who_keep_up(&mut self, now: Duration) {
        let mut shared: Vec<(u32, Quality, StreamId)> = Vec::new();
        let ids: Vec<StreamId> = self.streams.keys().copied().collect();
        for id in ids {
            let Some(stream) = self.streams.get(&id) else { continue };
            let (display, quality) = (stream.display, stream.quality);
            let apart = self.streams.values().filter(|other| other.display == display).count();
            let of = |other: &&Subscriber| other.stream == id;
            let steady = |other: &Subscriber| other.pacer.may_send() && now.saturating_sub(other.behind) >= STEADY;
            let rests = !stream.waits(now) && stream.coder.is_exact();
            if apart <= APART || !rests || !self.subscribers.values().filter(of).all(steady) {
                continue;
            }
            let alike = shared.iter().find(|(of, wanted, _)| (*of, *wanted) == (display, quality));
            let Some((_, _, target)) = alike.copied() else {
                shared.push((display, quality, id));
                continue;
            };
            let Some(handover) = self.handover(id, target) else { continue };
            if let Some(stream) = self.streams.get_mut(&target) {
                stream.coder.forget();
            }
            for viewer in self.subscribers(id) {
                self.move_to(viewer, target, Some(handover));
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
            quality: before.quality,
            pace: before.pace,
            answers: before.answers,
            coder: before.coder.branch(),
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
    fn open_stream(&mut self, display: u32, size: Size, quality: Quality) -> StreamId {
        let (coder, pace) = ((self.begin)(size, quality), Pace::default());
        let pending = Damage::all(size);
        self.add(Stream {
            display,
            epoch: 1,
            next_frame: 0,
            pending,
            keyframe: true,
            quality,
            pace,
            answers: Waiting::default(),
            coder,
        })
    }

    fn add(&mut self, stream: Stream<C>) -> StreamId {
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
            stream.coder = (self.begin)(size, stream.quality);
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
