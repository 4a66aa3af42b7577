//! What becomes of viewers and their streams, without a clock.

use super::*;

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

/// Bytes of a frame whose tiles need as many each.
fn written(streams: &mut Streams, plan: &mut FramePlan, tile_bytes: usize) -> usize {
    let written = streams.write(plan, |rects| {
        let mut damage = Damage::new(Size::new(1920, 1080));
        rects.iter().for_each(|rect| damage.mark(*rect));
        Ok::<_, std::convert::Infallible>(vec![0; damage.count() * tile_bytes])
    });
    written.unwrap().len()
}

#[test]
fn frames_are_as_large_as_there_is_room() {
    let size = Size::new(1920, 1080);
    // Typing needs little of a tile, a page some, noise all.
    for (what, few, tile_bytes) in [("at once", 0, 10_000), ("after typing", 20, 12_300), ("a page", 20, 1_000)] {
        let mut streams = Streams::new(1);
        assert!(streams.subscribe(1, 0, size, MS));
        let mut now = MS;
        for number in 0..few {
            if number > 0 {
                let mut damage = Damage::new(size);
                damage.mark(Rect::new(10, 10, 5, 5));
                streams.changed(0, &damage);
            }
            while let Some(mut plan) = streams.next_frame(|_| Some(size), now) {
                let bytes = written(&mut streams, &mut plan, 60);
                streams.sent(&plan, bytes, now);
                now += MS * 50;
                streams.acknowledged(1, (plan.stream, plan.epoch, plan.frame_number), now);
            }
        }
        streams.changed(0, &Damage::all(size));
        let mut all = Damage::new(size);
        for number in 0..1000 {
            now += MS * 100;
            let Some(mut plan) = streams.next_frame(|_| Some(size), now) else { break };
            let room = streams.subscribers[&1].pacer.room();
            let bytes = written(&mut streams, &mut plan, tile_bytes);
            assert!(bytes <= (room * FAR_TOO_LARGE).max(tile_bytes), "{what}: {bytes} bytes, room for {room}");
            all.merge(&plan.damage);
            streams.sent(&plan, bytes, now);
            // The line takes it in, slower and slower.
            streams.acknowledged(1, (plan.stream, plan.epoch, plan.frame_number), now + MS * number);
        }
        assert_eq!(all, Damage::all(size), "{what}");
    }
}

#[test]
fn what_does_not_fit_has_its_turn() {
    let size = Size::new(1920, 1080);
    let mut streams = Streams::new(1);
    assert!(streams.subscribe(1, 0, size, MS));
    let mut all = Damage::new(size);
    for number in 0..400 {
        // The top changes all the time, and every frame is believed to be small.
        let mut damage = Damage::new(size);
        damage.mark(Rect::new(0, 0, 1920, 128));
        streams.changed(0, &damage);
        streams.streams.values_mut().for_each(|stream| stream.tile_bytes = 1);
        let now = MS * number * 100;
        let mut plan = streams.next_frame(|_| Some(size), now).unwrap();
        let bytes = written(&mut streams, &mut plan, 12_300);
        all.merge(&plan.damage);
        streams.sent(&plan, bytes, now);
        streams.acknowledged(1, (plan.stream, plan.epoch, plan.frame_number), now + MS * 20);
    }
    assert_eq!(all, Damage::all(size));
}

#[test]
fn a_new_size_is_one_whole_picture_for_the_slow_too() {
    let mut streams = Streams::new(1);
    assert!(streams.subscribe(1, 0, SIZE, MS) && streams.subscribe(2, 0, SIZE, MS));
    pass(&mut streams, &[1, 2], MS);
    pass(&mut streams, &[1, 2], MS * 4000);
    assert_eq!(streams.of_viewer(1), streams.of_viewer(2));
    // The second one has all that it may before it when the size changes.
    while streams.subscribers[&2].pacer.may_send() {
        touch(&mut streams);
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
