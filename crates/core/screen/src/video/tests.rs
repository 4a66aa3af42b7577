//! A region of video from its beginning to its end, without a clock and without
//! H.264: what stands for it throws away the lower half of every byte.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::codec::{Decoder, Encoder, TileKey};
use crate::coded::Kind;
use crate::damage::Damage;
use crate::geometry::Size;
use crate::quality::{Quality, VideoUse};
use crate::streams::{Answers, Coder, Room};

const SIZE: Size = Size::new(640, 480);
const SLOTS: usize = 1_000;
const MS: Duration = Duration::from_millis(1);
const ROOM: usize = 1 << 20;
const REGIONS: Quality = Quality { video: VideoUse::Regions, ..Quality::EXACT };
const ROUGH: u32 = 0x00f0_f0f0;

struct Rough;

impl VideoEncoder for Rough {
    fn takes(_: Rect) -> bool {
        true
    }

    fn encode(&mut self, picture: &Canvas, region: Rect, _: usize, _: bool) -> Option<Vec<u8>> {
        let rows = (region.y..region.y + region.height).flat_map(|y| picture.row(region.x, y, region.width));
        Some(rows.flat_map(|pixel| (pixel & ROUGH).to_le_bytes()).collect())
    }
}

fn rough() -> Option<Rough> {
    Some(Rough)
}

/// Fails at its third picture.
struct Broken(usize);

impl VideoEncoder for Broken {
    fn takes(_: Rect) -> bool {
        true
    }

    fn encode(&mut self, picture: &Canvas, region: Rect, room: usize, fresh: bool) -> Option<Vec<u8>> {
        self.0 += 1;
        if self.0 < 3 { Rough.encode(picture, region, room, fresh) } else { None }
    }
}

/// Another encoder takes over at the fifth picture, and begins anew.
struct Replaced(usize);

impl VideoEncoder for Replaced {
    fn takes(_: Rect) -> bool {
        true
    }

    fn encode(&mut self, picture: &Canvas, region: Rect, room: usize, fresh: bool) -> Option<Vec<u8>> {
        self.0 += 1;
        let mut bytes = Rough.encode(picture, region, room, fresh)?;
        if self.0 == 5 {
            // Behind the pixels that stand for a picture: what begins with parameters.
            bytes.extend([0, 0, 1, 0x67, 77, 0, 0, 1, 0x65, 0x88]);
        }
        Some(bytes)
    }
}

thread_local! {
    /// What pictures of [`Told`] might take.
    static ROOMS: std::cell::RefCell<Vec<usize>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// Says what room it was given.
#[derive(Debug)]
struct Told;

impl VideoEncoder for Told {
    fn takes(_: Rect) -> bool {
        true
    }

    fn encode(&mut self, picture: &Canvas, region: Rect, room: usize, fresh: bool) -> Option<Vec<u8>> {
        ROOMS.with_borrow_mut(|rooms| rooms.push(room));
        Rough.encode(picture, region, room, fresh)
    }
}

/// A screen with its programs, and a viewer of it.
struct Session<V: VideoEncoder> {
    coder: ScreenCoder<V>,
    picture: Canvas,
    pending: Damage,
    decoder: Decoder,
    overlay: Overlay,
    video: Option<Rect>,
    /// What the viewer shows, row by row.
    shows: Vec<u32>,
    now: Duration,
    noise: u32,
    kinds: Vec<Kind>,
    /// Bytes so far.
    sent: usize,
}

impl<V: VideoEncoder> Session<V> {
    fn new(make: MakeVideo<V>, quality: Quality) -> Self {
        let encoder = Encoder::new(SIZE, SLOTS, TileKey::new(&[5; 32]));
        let mut session = Self {
            coder: ScreenCoder::new(encoder, make, quality),
            picture: Canvas::new(SIZE),
            pending: Damage::new(SIZE),
            decoder: Decoder::new(SIZE, SLOTS).unwrap(),
            overlay: Overlay::default(),
            video: None,
            // What was never drawn is to be seen.
            shows: vec![0x00ff_00ff; SIZE.area()],
            now: MS,
            noise: 1,
            kinds: Vec::new(),
            sent: 0,
        };
        session.paint(SIZE.rect(), |x, y| (x / 8 * 0x0001_0203) ^ (y / 24 * 0x0003_0101));
        session.send(ROOM);
        session
    }

    fn paint(&mut self, part: Rect, mut pixel: impl FnMut(u32, u32) -> u32) {
        let bytes: Vec<u8> = (part.y..part.y + part.height)
            .flat_map(|y| (part.x..part.x + part.width).map(move |x| (x, y)))
            .flat_map(|(x, y)| pixel(x, y).to_le_bytes())
            .collect();
        self.picture.absorb(part, &bytes, &mut self.pending);
    }

    /// A picture of a film.
    fn play(&mut self, part: Rect) {
        let mut noise = self.noise;
        self.paint(part, |_, _| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise >> 8
        });
        self.noise = noise;
    }

    /// Send one frame, if there is one.
    fn send(&mut self, room: usize) -> bool {
        self.send_within(Room::new(room))
    }

    fn send_within(&mut self, room: Room) -> bool {
        let Some((coded, deferred)) = self.coder.encode(&self.picture, &self.pending, room, self.now) else {
            if room.answers != Answers::Only {
                self.pending.clear();
            }
            return false;
        };
        self.coder.settle(&self.picture);
        self.pending = deferred;
        self.kinds.push(coded.kind);
        self.sent += coded.bytes.len();
        let drawn = match coded.kind {
            Kind::Tiles { rests } => {
                self.decoder.decode(&coded.bytes).unwrap();
                self.overlay.tiles(coded.region, rests, self.decoder.changed(), SIZE).unwrap()
            }
            Kind::Video { fresh } => {
                let region = coded.region.unwrap();
                assert!(fresh || self.video == coded.region, "a decoder that never began");
                self.video = coded.region;
                let drawn = self.overlay.tiles(coded.region, false, Vec::new(), SIZE).unwrap();
                let (pixels, _) = coded.bytes.as_chunks::<4>();
                for (y, row) in (region.y..).zip(pixels.chunks(region.width as usize)) {
                    for (x, pixel) in (region.x..).zip(row) {
                        self.shows[(y * SIZE.width + x) as usize] = u32::from_le_bytes(*pixel);
                    }
                }
                drawn
            }
        };
        for rect in drawn {
            for y in rect.y..rect.y + rect.height {
                let start = (y * SIZE.width + rect.x) as usize;
                self.shows[start..start + rect.width as usize]
                    .copy_from_slice(self.decoder.picture().row(rect.x, y, rect.width));
            }
        }
        true
    }

    fn drain(&mut self) {
        for _ in 0..1_000 {
            let due = self.coder.due().is_some_and(|due| due <= self.now);
            if (self.pending.is_empty() && !due) || !self.send(ROOM) {
                return;
            }
        }
        panic!("it never ends");
    }

    /// Let time pass, and send what is due.
    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.coder.due().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.drain();
            assert!(self.coder.due().is_none_or(|next| next > self.now), "it spins");
        }
        self.now = until;
        self.drain();
    }

    /// Pixels that differ from the picture, within and outside of a region.
    fn differs(&self, region: Rect) -> (usize, usize) {
        let (mut within, mut outside) = (0, 0);
        for y in 0..SIZE.height {
            let row = self.picture.row(0, y, SIZE.width);
            for (x, pixel) in (0..).zip(row) {
                if self.shows[(y * SIZE.width + x) as usize] != *pixel {
                    let inside = region.holds(Rect::new(x, y, 1, 1));
                    *if inside { &mut within } else { &mut outside } += 1;
                }
            }
        }
        (within, outside)
    }
}

#[test]
fn a_film_becomes_video_to_the_pixel_and_rests_exact() {
    for region in [Rect::new(101, 67, 320, 180), Rect::new(96, 64, 320, 192), Rect::new(0, 0, 300, 200)] {
        let mut session = Session::new(rough, REGIONS);
        for _ in 0..20 {
            session.now += MS * 33;
            session.play(region);
            session.drain();
            assert_eq!(session.differs(region).1, 0, "what is beside it is exact");
        }
        assert_eq!(session.overlay.region(), Some(region));
        assert!(session.differs(region).0 > 0, "it is video by now");
        session.wait(MS * 300);
        assert_eq!((session.overlay.region(), session.differs(region)), (None, (0, 0)));
        assert_eq!(session.coder.due(), None);
    }
}

#[test]
fn text_beside_a_film_is_exact_and_neither_waits_for_the_other() {
    let region = Rect::new(101, 67, 320, 180);
    let mut session = Session::new(rough, REGIONS);
    for frame in 0..60 {
        session.now += MS * 33;
        session.play(region);
        // One pixel beside it, in the same tiles.
        session.paint(Rect::new(421, 70, 60, 150), |x, y| {
            u32::from((x / 8 * 7 + y / 8 * 13 + frame) % 5 == 0) * 0x00ff_ffff
        });
        session.drain();
        assert_eq!(session.differs(region).1, 0, "frame {frame}, video at {:?}", session.overlay.region());
    }
    let (mut video, mut tiles) = (0, 0);
    for kind in session.kinds.iter().rev().take(80) {
        *if matches!(kind, Kind::Video { .. }) { &mut video } else { &mut tiles } += 1;
    }
    assert!(video >= 35 && tiles >= 35, "{video} of video, {tiles} of text");
}

#[test]
fn an_answer_goes_before_a_film() {
    let region = Rect::new(101, 67, 320, 180);
    let is_video = |session: &Session<Rough>| matches!(session.kinds.last(), Some(Kind::Video { .. }));
    let mut session = Session::new(rough, REGIONS);
    for answers in [Answers::No, Answers::First, Answers::Only] {
        let room = Room { bytes: ROOM, answers };
        let step = |session: &mut Session<Rough>, typed: u32| {
            session.now += MS * 33;
            session.play(region);
            session.paint(Rect::new(10, 10, 20, 20), |x, y| (x ^ y) * typed);
        };
        for frame in 0..12 {
            step(&mut session, frame);
            session.drain();
        }
        assert_eq!(session.overlay.region(), Some(region));
        // It is the film's turn.
        step(&mut session, 100);
        assert!(session.send(ROOM));
        while is_video(&session) {
            assert!(session.send(ROOM));
        }
        step(&mut session, 200);
        assert!(session.send_within(room));
        assert_eq!(is_video(&session), answers == Answers::No);
        // But not always: who types without end sees the film go on.
        step(&mut session, 300);
        let sent = session.send_within(room);
        assert_eq!((sent, is_video(&session)), (true, answers == Answers::First));
        // Where nothing beside it has changed, it goes if it may.
        session.drain();
        session.now += MS * 33;
        session.play(region);
        let sent = session.send_within(room);
        assert_eq!(sent, answers != Answers::Only);
        assert!(!sent || is_video(&session));
        session.drain();
        assert_eq!(session.differs(region).1, 0);
    }
}

/// On a line that takes a second for the first picture the next one is a small one
/// already; small changes of the room are evened out.
#[test]
fn pictures_follow_the_room_within_a_moment() {
    let region = Rect::new(101, 67, 320, 180);
    let mut session = Session::new(|| Some(Told), REGIONS);
    let mut step = |apart: u32, room: usize| {
        session.now += MS * apart;
        session.play(region);
        while session.send(room) {}
        ROOMS.with_borrow_mut(|rooms| rooms.pop())
    };
    for _ in 0..20 {
        step(33, 50_000);
    }
    assert!(step(33, 50_000).is_some_and(|room| room > 45_000));
    let evened = step(33, 5_000);
    assert!(evened.is_some_and(|room| (40_000..48_000).contains(&room)), "{evened:?}");
    let after_a_while = step(300, 5_000);
    assert_eq!(after_a_while, Some(5_000));
}

#[test]
fn a_film_on_a_slow_line_is_found_to_the_pixel_too() {
    // Half of the rows at its right edge have text in the same tiles, and what
    // the viewer has of them is old.
    let region = Rect::new(45, 39, 401, 241);
    let text = Rect::new(446, 72, 160, 120);
    let mut session = Session::new(rough, REGIONS);
    session.paint(text, |_, _| 0x0040_4040);
    for frame in 0..60 {
        session.now += MS * 33;
        session.play(region);
        session.paint(text, |x, y| u32::from((x / 8 * 7 + y / 8 * 13 + frame) % 5 == 0) * 0x00ff_ffff);
        for _ in 0..3 {
            session.send(20_000);
        }
    }
    assert_eq!(session.overlay.region(), Some(region));
    session.drain();
    assert_eq!(session.differs(region).1, 0);
}

#[test]
fn what_moves_and_costs_little_is_no_video() {
    let mut session = Session::new(rough, REGIONS);
    for frame in 0..60 {
        session.now += MS * 33;
        session.paint(Rect::new(100, 50, 300, 300), |x, y| (x / 9 + (y + frame) / 7) % 2 * 0x00ff_ffff);
        session.drain();
        assert_eq!(session.differs(SIZE.rect()), (0, 0));
    }
    assert!(session.kinds.iter().all(|kind| matches!(kind, Kind::Tiles { .. })));
}

#[test]
fn a_film_that_gets_smaller_is_found_again() {
    let (large, small) = (Rect::new(32, 32, 384, 256), Rect::new(64, 64, 150, 140));
    let mut session = Session::new(rough, REGIONS);
    for part in [large, small] {
        for _ in 0..60 {
            session.now += MS * 33;
            session.play(part);
            session.drain();
        }
        assert_eq!(session.overlay.region(), Some(part));
        assert_eq!(session.differs(part).1, 0);
    }
}

#[test]
fn an_encoder_that_fails_costs_nobody_the_picture() {
    for make in [(|| None) as MakeVideo<Broken>, || Some(Broken(0))] {
        let mut session = Session::new(make, REGIONS);
        let region = Rect::new(101, 67, 320, 180);
        for _ in 0..30 {
            session.now += MS * 33;
            session.play(region);
            session.drain();
        }
        assert_eq!(session.differs(region), (0, 0));
        assert_eq!(session.overlay.region(), None);
    }
}

#[test]
fn a_decoder_is_told_that_another_encoder_took_over() {
    let mut session = Session::new(|| Some(Replaced(0)), REGIONS);
    for _ in 0..12 {
        session.now += MS * 33;
        session.play(Rect::new(101, 67, 320, 180));
        session.drain();
    }
    let fresh = session.kinds.iter().filter_map(|kind| match kind {
        Kind::Video { fresh } => Some(*fresh),
        Kind::Tiles { .. } => None,
    });
    let fresh: Vec<bool> = fresh.collect();
    assert_eq!(fresh.get(..7), Some([true, false, false, false, true, false, false].as_slice()));
}

#[test]
fn the_whole_screen_as_video() {
    let mut session = Session::new(rough, Quality { video: VideoUse::Whole, ..Quality::EXACT });
    assert!(matches!(session.kinds.as_slice(), [Kind::Tiles { .. }]), "a picture to begin with");
    for frame in 0..10 {
        session.now += MS * 40;
        session.paint(Rect::new(10, 10, 100, 20), |x, y| (x * 77) ^ (y * frame));
        session.drain();
        assert!(matches!(session.kinds.last(), Some(Kind::Video { .. })), "{frame}");
    }
    session.wait(MS * 300);
    assert_eq!(session.differs(SIZE.rect()), (0, 0));
    session.coder.prefer(Quality::EXACT);
    session.wait(MS * 300);
    assert_eq!(session.overlay.region(), None);
}

#[test]
fn another_quality_is_had_soon_although_a_film_plays_on_a_slow_line() {
    let region = Rect::new(45, 39, 401, 241);
    let mut session = Session::new(rough, REGIONS);
    let play = |session: &mut Session<Rough>, frames: u32| {
        for _ in 0..frames {
            session.now += MS * 33;
            session.play(region);
            session.send(20_000);
            session.send(20_000);
        }
    };
    play(&mut session, 60);
    assert_eq!(session.overlay.region(), Some(region));
    session.coder.prefer(Quality { video: VideoUse::Whole, ..Quality::EXACT });
    session.kinds.clear();
    play(&mut session, 30);
    assert!(session.kinds.contains(&Kind::Video { fresh: true }), "{:?}", session.kinds);
    session.wait(MS * 500);
    assert_eq!(session.differs(SIZE.rect()), (0, 0));
}

#[test]
fn a_copy_begins_its_video_anew() {
    let region = Rect::new(101, 67, 320, 180);
    let mut session = Session::new(rough, REGIONS);
    for _ in 0..20 {
        session.now += MS * 33;
        session.play(region);
        session.drain();
    }
    session.coder = session.coder.branch();
    session.video = None;
    session.kinds.clear();
    session.now += MS * 33;
    session.play(region);
    session.drain();
    assert!(session.kinds.contains(&Kind::Video { fresh: true }));
    session.wait(MS * 300);
    assert_eq!(session.differs(region), (0, 0));
}

#[test]
fn a_photograph_that_takes_long_is_shown_roughly_first() {
    let mut session = Session::new(rough, REGIONS);
    let (photo, text) = (Rect::new(128, 64, 384, 320), Rect::new(0, 400, 200, 40));
    let step = |session: &mut Session<Rough>| {
        session.now += MS * 20;
        session.send(10_000);
    };
    // What is left of every byte where it is rough.
    let is_rough = |session: &Session<Rough>| {
        (0..SIZE.height).all(|y| {
            let row = session.picture.row(0, y, SIZE.width);
            let shown = &session.shows[(y * SIZE.width) as usize..];
            row.iter().zip(shown).all(|(pixel, shown)| (pixel ^ shown) & ROUGH == 0)
        })
    };
    for again in [false, true] {
        session.play(photo);
        session.paint(text, |x, y| if (x / 3 + y / 5) % 2 == u32::from(again) { 0 } else { 0x00ff_ffff });
        session.kinds.clear();
        step(&mut session);
        step(&mut session);
        assert_eq!(session.kinds, [Kind::Tiles { rests: false }, Kind::Video { fresh: true }]);
        let differs = session.differs(photo);
        assert!(
            differs.0 > 0 && differs.1 == 0,
            "what is read is exact: {differs:?}, video at {:?}",
            session.overlay.region()
        );
        let mut frames = 0;
        while session.overlay.region().is_some() {
            assert!(is_rough(&session), "what was shown is shown no more");
            step(&mut session);
            frames += 1;
        }
        assert!((5..200).contains(&frames), "{frames} frames");
        session.drain();
        assert_eq!(session.differs(photo), (0, 0));
    }
    // One that is changed while it becomes exact gives way, and the next is shown
    // as soon.
    let step = |session: &mut Session<Rough>| {
        session.now += MS * 20;
        session.send(6_000);
    };
    session.play(photo);
    (0..3).for_each(|_| step(&mut session));
    session.play(photo);
    session.kinds.clear();
    (0..12).for_each(|_| step(&mut session));
    assert!(session.kinds.iter().any(|kind| matches!(kind, Kind::Video { .. })), "{:?}", session.kinds);
    (0..200).for_each(|_| step(&mut session));
    assert_eq!(session.differs(photo), (0, 0));
}

/// A film that plays from the first picture on, on lines that take long for one of
/// its pictures: what looks like a photograph at first is not taken for one again
/// and again.
#[test]
fn a_film_is_found_where_its_first_picture_takes_long() {
    let region = Rect::new(45, 39, 401, 241);
    for (bytes_in_a_millisecond, room) in [(125, 2_500), (125, 9_000), (500, 10_000)] {
        let mut session = Session::new(rough, REGIONS);
        let mut free = session.now;
        for at in 0..4_000 {
            session.now += MS;
            if at % 33 == 0 {
                session.play(region);
                session.paint(Rect::new(460, 40, 100, 200), |x, y| (x * 31 + at) ^ (y / 9 * 7 + at));
            }
            if session.now < free {
                continue;
            }
            let before = session.sent;
            if session.send(room) {
                // A real encoder keeps to the room.
                let bytes = u32::try_from((session.sent - before).min(room)).unwrap();
                free = session.now + MS * bytes / bytes_in_a_millisecond;
            }
        }
        assert_eq!(session.overlay.region(), Some(region), "{bytes_in_a_millisecond} in a millisecond, {room}");
        let last = session.kinds.iter().rev().take(40);
        let video = last.filter(|kind| matches!(kind, Kind::Video { .. })).count();
        assert!(video >= 15, "{video} of video with {bytes_in_a_millisecond} in a millisecond, {room}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever plays where, with whatever room: beside the region everything
    /// is exact when all is sent, and when nothing moves any more all is.
    #[test]
    fn in_the_end_everything_is_exact(
        films in proptest::collection::vec((0u32..400, 0u32..300, 40u32..240, 40u32..180, 1usize..25, 1u64..300), 1..6),
        room in prop_oneof![Just(ROOM), 2_000usize..60_000],
        whole in any::<bool>(),
        leaves in any::<bool>(),
    ) {
        let video = if whole { VideoUse::Whole } else { VideoUse::Regions };
        let mut session = Session::new(rough, Quality { video, ..Quality::EXACT });
        for (x, y, width, height, frames, apart) in films {
            for frame in 0..frames {
                session.now += MS * u32::try_from(apart).unwrap();
                session.play(Rect::new(x, y, width, height));
                session.paint(Rect::new(x + 3, 300, 200, 40), |a, b| (a * 31) ^ (b * (frame as u32 + 7)));
                session.send(room);
                if leaves && frame == 7 {
                    session.coder = session.coder.branch();
                }
            }
            session.drain();
            let region = session.overlay.region().unwrap_or_default();
            prop_assert_eq!(session.differs(region).1, 0);
        }
        session.wait(MS * 1_000);
        prop_assert_eq!(session.differs(SIZE.rect()), (0, 0));
    }
}
