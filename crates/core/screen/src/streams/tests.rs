//! What becomes of viewers and their streams, without a clock.

use super::room::ANSWERS;
use super::*;
use crate::TILE;
use crate::geometry::Rect;
use crate::quality::Bounds;

const SIZE: Size = Size::new(640, 480);
const MS: Duration = Duration::from_millis(1);

/// Stands for an encoder: each tile takes so many bytes, believed and real.
struct Fake {
    tile_bytes: usize,
    /// How often it was told to forget.
    forgot: usize,
    /// All that changes are photographs, which are no answer.
    photographs: bool,
}

impl Coder for Fake {
    type Picture = ();

    fn encode(&mut self, (): &(), damage: &Damage, room: Room, _: Duration) -> Option<(Coded, Damage)> {
        if self.photographs && room.answers == Answers::Only {
            return None;
        }
        let mut deferred = damage.clone();
        let (mut taken, most) = (0, (room.bytes / self.tile_bytes).max(1));
        let size = damage.size();
        deferred.clear();
        for rect in damage.rects() {
            for (x, y) in (rect.y / TILE..(rect.y + rect.height).div_ceil(TILE))
                .flat_map(|row| (rect.x / TILE..(rect.x + rect.width).div_ceil(TILE)).map(move |column| (column, row)))
            {
                taken += 1;
                if taken > most {
                    deferred.extend(Rect::clipped((x * TILE).into(), (y * TILE).into(), 1, 1, size));
                }
            }
        }
        let bytes = vec![0; taken.min(most) * self.tile_bytes];
        (taken > 0).then_some((Coded { bytes, kind: Kind::Tiles { rests: false }, region: None }, deferred))
    }

    fn settle(&mut self, (): &()) {}

    fn branch(&self) -> Self {
        Self { tile_bytes: self.tile_bytes, forgot: 0, photographs: self.photographs }
    }

    fn forget(&mut self) {
        self.forgot += 1;
    }

    fn due(&self) -> Option<Duration> {
        None
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn prefer(&mut self, _: Quality) {}
}

fn streams_of(tile_bytes: usize) -> Streams<Fake> {
    Streams::new(1, Box::new(move |_, _| Fake { tile_bytes, forgot: 0, photographs: false }))
}

/// Large frames: a viewer that is silent has soon all that it may have.
fn streams() -> Streams<Fake> {
    streams_of(1_250)
}

fn send(streams: &mut Streams<Fake>, now: Duration) -> Option<Frame> {
    streams.next_frame(|_| Some(&()), || now)
}

fn touch(streams: &mut Streams<Fake>, now: Duration) {
    // What nobody wants to see is not even looked at.
    if streams.wants_capture(0, now) {
        let mut damage = Damage::new(SIZE);
        damage.mark(Rect::new(10, 10, 5, 5));
        streams.changed(0, &damage);
    }
}

/// Send what may be sent, and let these viewers acknowledge it at once;
/// how many frames each of them got.
fn pass(streams: &mut Streams<Fake>, quick: &[ViewerId], now: Duration) -> BTreeMap<ViewerId, usize> {
    let mut got = BTreeMap::new();
    while let Some(plan) = send(streams, now) {
        for viewer in streams.subscribers(plan.stream) {
            *got.entry(viewer).or_default() += 1;
            if quick.contains(&viewer) {
                streams.acknowledged(viewer, (plan.stream, plan.epoch, plan.frame_number), Duration::ZERO, now + MS);
            }
        }
    }
    got
}

#[test]
fn a_newcomer_costs_the_others_nothing() {
    let mut streams = streams();
    assert!(streams.subscribe(1, 0, SIZE, Quality::EXACT, MS));
    pass(&mut streams, &[1], MS);
    let before = streams.of_viewer(1).unwrap();
    assert!(streams.subscribe(2, 0, SIZE, Quality::EXACT, MS * 5000));
    let frame = send(&mut streams, MS * 5000).unwrap();
    assert!(frame.keyframe && frame.stream == 2, "{frame:?}");
    streams.acknowledged(2, (frame.stream, frame.epoch, frame.frame_number), Duration::ZERO, MS * 5001);
    pass(&mut streams, &[1, 2], MS * 5001);
    assert_eq!(streams.of_viewer(1), Some(before), "the first one begins nothing anew");
    // Two are left apart: both remember all that they saw.
    pass(&mut streams, &[1, 2], MS * 9000);
    assert_ne!(streams.of_viewer(2), streams.of_viewer(1));
    assert!(streams.streams.values().all(|stream| stream.coder.forgot == 0));
}

#[test]
fn many_who_keep_up_go_on_as_one() {
    let mut streams = streams();
    for viewer in 1..=3 {
        assert!(streams.subscribe(viewer, 0, SIZE, Quality::EXACT, MS));
    }
    pass(&mut streams, &[1, 2, 3], MS);
    streams.take_moved();
    assert_eq!(send(&mut streams, MS * 2900), None);
    assert_eq!(streams.streams.len(), 3);
    // After a while of keeping up they share; what differs they forget.
    assert_eq!(send(&mut streams, MS * 4000), None);
    let moved = streams.take_moved();
    let handovers: Vec<Handover> = moved.iter().filter_map(|moved| moved.handover).collect();
    assert!(!handovers.is_empty() && handovers.iter().all(|handover| handover.stream == 1), "{moved:?}");
    assert_eq!(streams.of_viewer(2), streams.of_viewer(1));
    assert_eq!(streams.streams[&1].coder.forgot, handovers.len());
    touch(&mut streams, MS * 4001);
    let frame = send(&mut streams, MS * 4001).unwrap();
    assert_eq!((frame.stream, frame.keyframe, frame.frame_number), (1, false, handovers[0].frame));
}

/// Three viewers, of whom the first two share a stream.
fn sharing() -> Streams<Fake> {
    let mut streams = streams();
    for viewer in 1..=3 {
        assert!(streams.subscribe(viewer, 0, SIZE, Quality::EXACT, MS));
    }
    pass(&mut streams, &[1, 2, 3], MS);
    pass(&mut streams, &[1, 2, 3], MS * 4000);
    assert_eq!(streams.of_viewer(1), streams.of_viewer(2));
    streams.unsubscribe(3);
    streams.take_moved();
    streams
}

#[test]
fn a_slow_viewer_is_given_its_own_pace() {
    let mut streams = sharing();
    let (mut now, mut got) = (MS * 5000, BTreeMap::new());
    for _ in 0..100 {
        now += MS * 20;
        touch(&mut streams, now);
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
    let mut streams = sharing();
    let before = streams.of_viewer(1);
    for late in 0..50 {
        streams.refresh(2, SIZE, MS * (5000 + late));
    }
    assert_eq!(streams.of_viewer(1), before);
    assert_ne!(streams.of_viewer(2), before);
    assert_eq!(streams.streams.len(), 2);
}

#[test]
fn an_answer_goes_beyond_a_full_window() {
    let mut streams = streams_of(700);
    assert!(streams.subscribe(1, 0, SIZE, Quality::EXACT, MS));
    assert!(streams.subscribe(2, 0, SIZE, Quality::EXACT, MS));
    let mut now = MS;
    while streams.wants_capture(0, now) {
        streams.changed(0, &Damage::all(SIZE));
        assert!(send(&mut streams, now).is_some());
        now += MS;
    }
    streams.changed(0, &Damage::all(SIZE));
    assert_eq!(send(&mut streams, now), None, "nobody has room");
    streams.hurry(1, now);
    assert!(streams.wants_capture(0, now));
    let stream = streams.of_viewer(1).unwrap().0;
    let answer = send(&mut streams, now).unwrap();
    // Two tiles: no more than is always worth a frame.
    assert_eq!((answer.stream, answer.coded.bytes.len()), (stream, 1_400));
    // However much somebody points, that is all until there is room again.
    let mut beyond = 1;
    for _ in 0..100 {
        now += MS;
        streams.hurry(1, now);
        while let Some(frame) = send(&mut streams, now) {
            assert_eq!(frame.stream, stream);
            beyond += 1;
        }
    }
    assert_eq!(beyond, u32::from(ANSWERS));
    assert!(!streams.wants_capture(0, now), "what may not go is not even looked at");
    // What waits goes as soon as it may, and then there are answers once more.
    let last = (answer.stream, answer.epoch, answer.frame_number);
    streams.acknowledged(1, last, Duration::ZERO, now);
    assert!(send(&mut streams, now).is_some_and(|frame| frame.coded.bytes.len() > 1_400));
}

/// What may not go as an answer is not lost.
#[test]
fn what_is_no_answer_goes_later() {
    let begin = |_, _| Fake { tile_bytes: 700, forgot: 0, photographs: true };
    let mut streams = Streams::new(1, Box::new(begin));
    assert!(streams.subscribe(1, 0, SIZE, Quality::EXACT, MS));
    let mut last = None;
    streams.changed(0, &Damage::all(SIZE));
    while let Some(frame) = send(&mut streams, MS) {
        last = Some((frame.stream, frame.epoch, frame.frame_number));
        streams.changed(0, &Damage::all(SIZE));
    }
    streams.hurry(1, MS);
    assert_eq!(send(&mut streams, MS), None);
    // Nor is a new picture that is all of it photographs told to be black.
    streams.resized(0, SIZE);
    assert_eq!(send(&mut streams, MS), None);
    streams.acknowledged(1, last.unwrap(), Duration::ZERO, MS * 20);
    assert!(send(&mut streams, MS * 20).is_some_and(|frame| frame.keyframe && !frame.coded.bytes.is_empty()));
}

/// An input of which nothing comes does not count for ever.
#[test]
fn nobody_waits_for_an_answer_for_long() {
    let mut streams = streams_of(700);
    assert!(streams.subscribe(1, 0, SIZE, Quality::EXACT, MS));
    streams.changed(0, &Damage::all(SIZE));
    while send(&mut streams, MS).is_some() {
        streams.changed(0, &Damage::all(SIZE));
    }
    streams.hurry(1, MS);
    assert!(streams.wants_capture(0, MS * 400));
    assert!(!streams.wants_capture(0, MS * 600));
    assert_eq!(send(&mut streams, MS * 600), None);
}

#[test]
fn frames_are_as_large_as_there_is_room() {
    let size = Size::new(1920, 1080);
    for tile_bytes in [60, 1_000, 12_300] {
        let mut streams = streams_of(tile_bytes);
        assert!(streams.subscribe(1, 0, size, Quality::EXACT, MS));
        let (mut now, mut frames) = (MS, 0);
        loop {
            let room = streams.subscribers[&1].pacer.room();
            let Some(frame) = send(&mut streams, now) else { break };
            assert!(
                frame.coded.bytes.len() <= room.max(tile_bytes),
                "{} bytes, room for {room}",
                frame.coded.bytes.len()
            );
            assert_eq!(frame.keyframe, frames == 0);
            frames += 1;
            now += MS * 100;
            // The line takes it in, slower and slower.
            streams.acknowledged(1, (frame.stream, frame.epoch, frame.frame_number), Duration::ZERO, now + MS * frames);
        }
        assert!(streams.streams[&1].pending.is_empty(), "{tile_bytes}");
    }
}

#[test]
fn a_viewers_own_bounds_hold_and_what_it_types_is_seen_at_once() {
    let mut streams = streams_of(500);
    let bounded = |frames_per_second, bytes_per_second| Quality {
        bounds: Bounds { frames_per_second, bytes_per_second },
        ..Quality::EXACT
    };
    assert!(streams.subscribe(1, 0, SIZE, bounded(5, 0), MS));
    assert!(streams.subscribe(2, 0, SIZE, bounded(0, 5_000), MS));
    assert!(streams.subscribe(3, 0, SIZE, Quality::EXACT, MS));
    let (mut came, mut now) = (BTreeMap::<ViewerId, (usize, usize)>::new(), MS * 100_000);
    let step = |streams: &mut Streams<Fake>, now: Duration, came: &mut BTreeMap<ViewerId, (usize, usize)>| {
        let mut went = Vec::new();
        touch(streams, now);
        while let Some(frame) = send(streams, now) {
            let viewer = streams.subscribers(frame.stream)[0];
            streams.acknowledged(viewer, (frame.stream, frame.epoch, frame.frame_number), Duration::ZERO, now);
            let (frames, bytes) = came.entry(viewer).or_default();
            *frames += 1;
            *bytes += frame.coded.bytes.len();
            went.push(viewer);
        }
        went
    };
    for _ in 0..1000 {
        now += MS * 10;
        step(&mut streams, now, &mut came);
    }
    // It was seen to be due, neither before its time nor never.
    let due = streams.due().unwrap();
    assert!(due > now && due <= now + MS * 200, "{due:?} at {now:?}");
    now = due.max(now) + MS * 10;
    step(&mut streams, now, &mut came);
    now += MS * 10;
    assert_eq!(step(&mut streams, now, &mut came), [3], "the others had theirs just now");
    streams.hurry(1, now);
    streams.hurry(4, now);
    now += MS * 10;
    assert_eq!(step(&mut streams, now, &mut came), [1, 3]);
    assert!((49..=54).contains(&came[&1].0) && came[&3].0 > 1000, "{came:?}");
    // A picture and what changed: no more than was allowed in ten seconds.
    assert!((45_000..=55_500).contains(&came[&2].1), "{came:?}");
    // Other bounds hold at once.
    streams.prefer(1, Quality::EXACT, now);
    now += MS * 10;
    assert!(step(&mut streams, now, &mut came).contains(&1));
    assert_eq!(streams.due().filter(|due| *due < now), None, "nothing is due for whoever has no bounds");
}

#[test]
fn huge_displays_come_in_several_frames() {
    let size = Size::new(7680, 4320);
    let mut streams = streams_of(4_000);
    assert!(streams.subscribe(1, 0, size, Quality::EXACT, MS));
    let mut frames = 0;
    while let Some(frame) = send(&mut streams, MS) {
        assert!(frame.coded.bytes.len() <= MOST_BYTES);
        streams.acknowledged(1, (frame.stream, frame.epoch, frame.frame_number), Duration::ZERO, MS);
        frames += 1;
    }
    assert!(frames >= 30, "{frames}");
}

#[test]
fn a_new_size_is_one_whole_picture_for_the_slow_too() {
    let mut streams = sharing();
    // The second one has all that it may before it when the size changes.
    while streams.subscribers[&2].pacer.may_send() {
        touch(&mut streams, MS * 5000);
        pass(&mut streams, &[1], MS * 5000);
    }
    streams.take_moved();
    streams.resized(0, SIZE);
    pass(&mut streams, &[1], MS * 5010);
    // It has missed a frame of what was before, and says so.
    streams.refresh(2, SIZE, MS * 5020);
    let moved = streams.take_moved();
    assert!(matches!(moved.as_slice(), [Moved { viewer: 2, handover: None, .. }]), "{moved:?}");
    let plan = send(&mut streams, MS * 5030).unwrap();
    assert_eq!((plan.epoch, plan.keyframe, streams.subscribers(plan.stream)), (1, true, vec![2]));
}

#[test]
fn displays_are_switched_with_pauses() {
    let mut streams = streams();
    assert!(streams.subscribe(1, 0, SIZE, Quality::EXACT, MS));
    let switched = (0..1000).filter(|at| {
        let may = streams.may_switch(1, MS * *at);
        may && streams.subscribe(1, at % 2, SIZE, Quality::EXACT, MS * *at)
    });
    assert_eq!(switched.count(), 2);
    assert!(!streams.may_switch(2, MS), "somebody who does not watch");
}

#[test]
fn nothing_is_left_when_all_are_gone() {
    let mut streams = streams();
    for viewer in 0..100 {
        streams.subscribe(viewer, viewer % 3, SIZE, Quality::EXACT, MS * viewer);
    }
    assert_eq!(streams.subscribers.len(), MOST_VIEWERS);
    for viewer in 0..100 {
        streams.unsubscribe(viewer);
    }
    assert!(streams.is_empty() && streams.streams.is_empty());
}
