//! Video beside the lossless picture: hostile units, and films that come and go
//! anywhere.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use gc_screen::codec::{Decoder, Encoder, TileKey};
use gc_screen::streams::{Answers, Coder, Room};
use gc_screen::video::{Overlay, ScreenCoder, Sequence, VideoEncoder, sequence, starts_anew, told_in_order};
use gc_screen::{Canvas, Damage, Kind, Quality, Rect, Size, VideoUse};

use crate::picture::{SLOTS, noise};

/// Whatever comes as video is read or refused, and so is where it is to lie; what
/// is written anew can be read.
pub(crate) fn units(data: &[u8]) {
    let begins = starts_anew(data);
    if let Ok(sequence) = sequence(data) {
        assert!(sequence.width % 2 == 0 && sequence.height % 2 == 0, "cut to half a pixel of colour");
    } else {
        let _: bool = begins;
    }
    if let Ok(told) = told_in_order(data.to_vec()) {
        match sequence(data) {
            Ok(before) => {
                let after = sequence(&told).expect("what was written can be read");
                assert_eq!((after.reordered, after.colours), (Some(0), Some(([1, 1, 1], false))));
                let same = |one: Sequence| (one.profile, one.width, one.height);
                assert_eq!(same(before), same(after), "another sequence");
                assert_eq!(starts_anew(&told), begins);
                assert_eq!(told_in_order(told.clone()), Ok(told), "something is left to be said");
            }
            Err(_) => assert_eq!(told, data, "changed without parameters"),
        }
    }
    let size = Size::new(100, 80);
    let mut overlay = Overlay::default();
    for step in data.chunks_exact(16) {
        let number = |at: usize| {
            let bytes = step.get(at * 4..).and_then(|rest| rest.first_chunk::<4>().copied());
            let number = u32::from_le_bytes(bytes.unwrap_or_default());
            // Small ones hit, large ones try to overflow.
            if number & 1 == 0 { number >> 1 & 127 } else { number }
        };
        let region = Rect::new(number(0), number(1), number(2), number(3));
        let region = (region.area() > 0).then_some(region);
        if let Ok(drawn) = overlay.tiles(region, step[0] & 2 == 0, vec![size.rect()], size) {
            assert!(drawn.iter().all(|rect| rect.fits(size)), "drawn outside of the picture");
        }
    }
}

/// Stands for H.264: the upper half of every byte.
struct Rough;

impl VideoEncoder for Rough {
    fn takes(_: Rect) -> bool {
        true
    }

    fn encode(&mut self, picture: &Canvas, region: Rect, _: usize, _: bool) -> Option<Vec<u8>> {
        let rows = (region.y..region.y + region.height).flat_map(|y| picture.row(region.x, y, region.width));
        Some(rows.flat_map(|pixel| (pixel & 0x00f0_f0f0).to_le_bytes()).collect())
    }
}

/// What happens to a screen at most.
const STEPS: usize = 24;

/// Whatever plays where and for how long: what lies beside video is exact when
/// all is sent, and in the end all is.
pub(crate) fn screen_coder(data: &[u8]) {
    let _: Result<()> = run(&mut Unstructured::new(data));
}

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    // Room for a film of the fewest tiles and something beside it, not for more:
    // how many of them are looked at in a second counts.
    let size = Size::new(input.int_in_range(1..=170)?, input.int_in_range(1..=130)?);
    let mut screen = Screen::new(size);
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        let mut number = || input.arbitrary::<i16>().map(|number| i64::from(number >> 5));
        let (x, y, width, height) = (number()?, number()?, number()?, number()?);
        let (seed, kind, frames): ([u8; 3], u8, u8) = (input.arbitrary()?, input.arbitrary()?, input.arbitrary()?);
        let bytes = if kind & 0x80 == 0 { usize::MAX } else { usize::from(seed[0]) * 64 };
        // Sometimes somebody types.
        let answers = match seed[2] >> 5 {
            0 => Answers::First,
            1 => Answers::Only,
            _ => Answers::No,
        };
        let room = Room { bytes, answers };
        screen.prefer(kind);
        for frame in 0..frames % 24 {
            screen.now += Duration::from_millis(u64::from(kind & 63) * 4);
            if let Some(rect) = Rect::clipped(x, y, width, height, size) {
                screen.paint(rect, [seed[0], seed[1], frame]);
            }
            screen.send(room);
        }
        if kind & 0x40 != 0 {
            screen.coder = screen.coder.branch();
        }
    }
    screen.drain();
    screen.now += Duration::from_secs(2);
    screen.drain();
    screen.now += Duration::from_secs(2);
    screen.drain();
    assert!(screen.is_exact(), "what is shown at rest is not what there is");
    Ok(())
}

/// A screen and its viewer.
struct Screen {
    coder: ScreenCoder<Rough>,
    picture: Canvas,
    pending: Damage,
    decoder: Decoder,
    overlay: Overlay,
    shows: Vec<u32>,
    now: Duration,
}

impl Screen {
    fn new(size: Size) -> Self {
        let encoder = Encoder::new(size, SLOTS, TileKey::new(&[5; 32]));
        Self {
            coder: ScreenCoder::new(encoder, || Some(Rough), Quality { video: VideoUse::Regions, ..Quality::EXACT }),
            picture: Canvas::new(size),
            pending: Damage::all(size),
            decoder: Decoder::new(size, SLOTS).expect("a small picture"),
            overlay: Overlay::default(),
            shows: vec![0; size.area()],
            now: Duration::ZERO,
        }
    }

    fn prefer(&mut self, kind: u8) {
        let video = match kind % 8 {
            0 => VideoUse::Whole,
            1 => VideoUse::Never,
            _ => VideoUse::Regions,
        };
        self.coder.prefer(Quality { video, ..Quality::EXACT });
    }

    fn paint(&mut self, rect: Rect, seed: [u8; 3]) {
        let pixels: Vec<u8> = (0..rect.area()).flat_map(|at| noise(at as u32, seed)).collect();
        self.picture.absorb(rect, &pixels, &mut self.pending);
    }

    fn send(&mut self, room: Room) -> bool {
        let size = self.picture.size();
        let Some((coded, deferred)) = self.coder.encode(&self.picture, &self.pending, room, self.now) else {
            // What may not go as an answer has still to go.
            if room.answers != Answers::Only {
                self.pending.clear();
            }
            return false;
        };
        self.coder.settle(&self.picture);
        self.pending = deferred;
        let drawn = match coded.kind {
            Kind::Tiles { rests } => {
                self.decoder.decode(&coded.bytes).expect("our own frame is accepted");
                self.overlay.tiles(coded.region, rests, self.decoder.changed(), size)
            }
            Kind::Video { .. } => {
                let region = coded.region.expect("video lies somewhere");
                let drawn = self.overlay.tiles(coded.region, false, Vec::new(), size);
                let rows = coded.bytes.as_chunks::<4>().0.chunks(region.width as usize);
                for (y, row) in (region.y..).zip(rows) {
                    let start = (y * size.width + region.x) as usize;
                    for (to, pixel) in self.shows[start..].iter_mut().zip(row) {
                        *to = u32::from_le_bytes(*pixel);
                    }
                }
                drawn
            }
        };
        for rect in drawn.expect("a region within the picture") {
            for y in rect.y..rect.y + rect.height {
                let start = (y * size.width + rect.x) as usize;
                let row = self.decoder.picture().row(rect.x, y, rect.width);
                self.shows[start..start + row.len()].copy_from_slice(row);
            }
        }
        true
    }

    fn drain(&mut self) {
        for _ in 0..1_000 {
            let due = self.coder.due().is_some_and(|due| due <= self.now);
            if (self.pending.is_empty() && !due) || !self.send(Room::new(usize::MAX)) {
                return;
            }
        }
        panic!("it never ends");
    }

    fn is_exact(&self) -> bool {
        let size = self.picture.size();
        (0..size.height).all(|y| {
            let start = (y * size.width) as usize;
            self.shows.get(start..start + size.width as usize) == Some(self.picture.row(0, y, size.width))
        })
    }
}
