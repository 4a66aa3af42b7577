//! What was encoded is what is decoded, whatever happens on the screen; and no
//! bytes bring a decoder down.

use proptest::prelude::*;

use super::{Canvas, Decoder, Encoder, TileKey};
use crate::{Damage, Rect, Size};

/// Something that happens on a screen.
#[derive(Debug, Clone)]
enum Event {
    Fill(Rect, u32),
    /// Letters: few colours, repeated shapes.
    Text(Rect, u32),
    Photo(Rect, u32),
    Dither(Rect, u32),
    /// Nothing is like anything.
    Noise(Rect, u32),
    /// From a rectangle to (x, y).
    Copy(Rect, u32, u32),
    Back,
}

fn rect() -> impl Strategy<Value = Rect> {
    (0..230_u32, 0..150_u32, 1..200_u32, 1..150_u32).prop_map(|(x, y, width, height)| Rect::new(x, y, width, height))
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (rect(), any::<u32>()).prop_map(|(rect, colour)| Event::Fill(rect, colour)),
        (rect(), any::<u32>()).prop_map(|(rect, seed)| Event::Text(rect, seed)),
        (rect(), any::<u32>()).prop_map(|(rect, seed)| Event::Photo(rect, seed)),
        (rect(), any::<u32>()).prop_map(|(rect, seed)| Event::Dither(rect, seed)),
        (rect(), any::<u32>()).prop_map(|(rect, seed)| Event::Noise(rect, seed)),
        (rect(), 0..230_u32, 0..150_u32).prop_map(|(rect, x, y)| Event::Copy(rect, x, y)),
        Just(Event::Back),
    ]
}

struct Screen {
    size: Size,
    pixels: Vec<u32>,
    before: Vec<u32>,
}

impl Screen {
    fn new(size: Size) -> Self {
        Self { size, pixels: vec![0; size.area()], before: vec![0; size.area()] }
    }

    fn happen(&mut self, event: &Event) {
        let now = self.pixels.clone();
        if let Event::Back = event {
            std::mem::swap(&mut self.pixels, &mut self.before);
            return;
        }
        let (Event::Fill(rect, _)
        | Event::Text(rect, _)
        | Event::Photo(rect, _)
        | Event::Dither(rect, _)
        | Event::Noise(rect, _)
        | Event::Copy(rect, ..)) = event
        else {
            return;
        };
        let width = self.size.width;
        for y in 0..rect.height {
            for x in 0..rect.width {
                let (at_x, at_y, pixel) = match event {
                    Event::Fill(_, colour) => (rect.x + x, rect.y + y, *colour),
                    Event::Text(_, seed) => {
                        let letter = (x / 7).wrapping_mul(31).wrapping_add(y / 11).wrapping_mul(*seed | 1) >> 29;
                        let is_ink = (x % 7).wrapping_mul(letter + 3).wrapping_add(y % 11 * letter) % 5 == 1;
                        (rect.x + x, rect.y + y, if is_ink { *seed } else { 0xff_ffff })
                    }
                    Event::Photo(_, seed) => {
                        let noise = (x * 7919 + y * 104_729).wrapping_mul(*seed | 1);
                        (rect.x + x, rect.y + y, noise >> 9 & 0x0f_0f0f | (x << 16 | y << 8 | (x + y)) & 0xf0_f0f0)
                    }
                    Event::Dither(_, seed) => {
                        let step = (x + y * 3) % 8 * 16 + x / 16 * 3 + y / 16;
                        (rect.x + x, rect.y + y, step.wrapping_mul(0x01_0203).wrapping_add(*seed))
                    }
                    Event::Noise(_, seed) => {
                        let mixed = (x * 7919 + y * 104_729 + 1).wrapping_mul(seed | 1);
                        (rect.x + x, rect.y + y, (mixed ^ mixed >> 15).wrapping_mul(0x2c1b_3c6d) >> 8)
                    }
                    Event::Copy(_, to_x, to_y) => {
                        let (from_x, from_y) = (rect.x + x, rect.y + y);
                        if from_x >= width || from_y >= self.size.height {
                            continue;
                        }
                        (to_x + x, to_y + y, now[(from_y * width + from_x) as usize])
                    }
                    Event::Back => return,
                };
                if at_x < width && at_y < self.size.height {
                    // What lies above the colours is nobody's.
                    self.pixels[(at_y * width + at_x) as usize] = pixel;
                }
            }
        }
        self.before = now;
    }
}

/// Encodes screens one after the other, and says what came of it.
struct Line {
    now: Canvas,
    encoder: Encoder,
}

const SLOTS: usize = 40;

impl Line {
    fn new(size: Size) -> Self {
        Self { now: Canvas::new(size), encoder: Encoder::new(size, SLOTS, TileKey::new(&[9; 32])) }
    }

    /// The frames that bring a decoder up to this screen, each within `room` as
    /// far as that is known.
    fn send(&mut self, screen: &Screen, room: usize) -> Vec<Vec<u8>> {
        let mut damage = Damage::new(screen.size);
        let bytes: Vec<u8> = screen.pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
        self.now.absorb(screen.size.rect(), &bytes, &mut damage);
        let mut frames = Vec::new();
        while let Some(encoded) = self.encoder.encode(&self.now, &damage, room) {
            self.encoder.settle(&self.now);
            damage = encoded.deferred;
            frames.push(encoded.bytes);
        }
        assert_eq!(self.encoder.shown(), &self.now);
        frames
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_is_decoded(
        (width, height) in (1..260_u32, 1..180_u32),
        events in proptest::collection::vec((event(), prop_oneof![Just(usize::MAX), 1..20_000_usize], 0..8_u8), 1..14),
    ) {
        let size = Size::new(width, height);
        let (mut screen, mut line) = (Screen::new(size), Line::new(size));
        let mut decoder = Decoder::new(size, SLOTS).unwrap();
        for (event, room, chance) in &events {
            screen.happen(event);
            if *chance == 0 {
                line.encoder.forget();
            }
            for frame in line.send(&screen, *room) {
                decoder.decode(&frame).unwrap();
            }
            prop_assert!(decoder.picture() == &line.now, "after {event:?}");
        }
    }

    /// New text all over the screen, again and again, and whatever else comes with
    /// it: quick frames among others.
    #[test]
    fn what_keeps_coming_is_decoded(
        (width, height) in (200..300_u32, 150..200_u32),
        frames in proptest::collection::vec((any::<u32>(), event(), 0..12_u8), 5..12),
    ) {
        let size = Size::new(width, height);
        let (mut screen, mut line) = (Screen::new(size), Line::new(size));
        let mut decoder = Decoder::new(size, SLOTS).unwrap();
        for (seed, event, chance) in &frames {
            screen.happen(&Event::Text(size.rect(), *seed));
            screen.happen(event);
            if *chance == 0 {
                line.encoder.forget();
            }
            for frame in line.send(&screen, usize::MAX) {
                decoder.decode(&frame).unwrap();
            }
            prop_assert!(decoder.picture() == &line.now, "after {event:?}");
        }
    }

    /// Whatever becomes of the bytes: a picture or an error, and the next
    /// frames of the same stream do no harm either.
    #[test]
    fn damaged_frames_do_no_harm(
        (quick, events) in (0..8_u32, proptest::collection::vec(event(), 2..8)),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let size = Size::new(200, 130);
        let (mut screen, mut line) = (Screen::new(size), Line::new(size));
        let mut decoder = Decoder::new(size, SLOTS).unwrap();
        // So much of that text, and frames of it are quick.
        for seed in 0..quick {
            screen.happen(&Event::Text(size.rect(), seed * 77 + 1));
            for frame in line.send(&screen, usize::MAX) {
                decoder.decode(&frame).unwrap();
            }
        }
        for (number, event) in events.iter().enumerate() {
            screen.happen(event);
            let Some(mut frame) = line.send(&screen, usize::MAX).pop() else { continue };
            if number == 1 && !frame.is_empty() {
                for (place, value) in &damage {
                    *place.get_mut(&mut frame) ^= value;
                }
                frame.truncate(cut.index(frame.len()) + 1);
            }
            let _: Result<(), _> = decoder.decode(&frame);
        }
    }

    #[test]
    fn no_bytes_do_harm(frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 1..6)) {
        let mut decoder = Decoder::new(Size::new(100, 70), SLOTS).unwrap();
        for frame in &frames {
            let _: Result<(), _> = decoder.decode(frame);
        }
    }
}

/// The tests above have quick frames among theirs: the same text costs other
/// bytes on a line that has no room for those.
#[test]
fn text_that_keeps_coming_is_quick() {
    let size = Size::new(200, 150);
    let frames = |room| {
        let (mut screen, mut line) = (Screen::new(size), Line::new(size));
        let mut of_frame = |seed| {
            screen.happen(&Event::Text(size.rect(), seed));
            let frames = line.send(&screen, room);
            assert_eq!(frames.len(), 1);
            frames[0].len()
        };
        [1, 78, 155, 232, 309, 386].map(&mut of_frame)
    };
    let ([.., quick], [.., small]) = (frames(usize::MAX), frames(32_000));
    assert_eq!(frames(usize::MAX)[..3], frames(32_000)[..3]);
    assert!(quick > small, "{quick} and {small} bytes");
}

/// What somebody waits for goes without the photograph beside it, however little
/// room there is, and the photograph follows.
#[test]
fn an_answer_is_no_photograph() {
    let size = Size::new(256, 192);
    let (mut screen, mut line) = (Screen::new(size), Line::new(size));
    let mut decoder = Decoder::new(size, SLOTS).unwrap();
    screen.happen(&Event::Photo(Rect::new(0, 0, 256, 128), 7));
    screen.happen(&Event::Text(Rect::new(0, 160, 64, 32), 9));
    let bytes: Vec<u8> = screen.pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
    let mut damage = Damage::new(size);
    line.now.absorb(size.rect(), &bytes, &mut damage);
    let answer = line.encoder.encode_but_photographs(&line.now, &damage, 1_400).unwrap();
    line.encoder.settle(&line.now);
    decoder.decode(&answer.bytes).unwrap();
    assert!(answer.bytes.len() <= 1_400, "{} bytes", answer.bytes.len());
    assert_eq!(decoder.picture().row(0, 170, 64), line.now.row(0, 170, 64));
    assert_eq!(decoder.picture().row(0, 70, 256), [0; 256]);
    while let Some(rest) = line.encoder.encode(&line.now, &answer.deferred, 1 << 20) {
        line.encoder.settle(&line.now);
        decoder.decode(&rest.bytes).unwrap();
    }
    assert!(decoder.picture() == &line.now);
}

#[test]
fn nothing_new_is_no_frame() {
    let size = Size::new(90, 60);
    let (screen, mut line) = (Screen::new(size), Line::new(size));
    assert!(line.send(&screen, usize::MAX).is_empty());
}

#[test]
fn too_large_is_refused() {
    assert!(Decoder::new(Size::new(16_385, 1), SLOTS).is_none());
    assert!(Decoder::new(Size::new(16_384, 16_384), SLOTS).is_none());
    assert!(Decoder::new(Size::new(16, 16), 16_385).is_none());
    assert!(Decoder::new(Size::new(16, 16), 0).is_none());
}

/// Things move into the lowest lines and out of them again: what lies below the
/// picture is black on both sides all the while.
#[test]
fn what_moves_over_the_lower_edge() {
    for height in [1, 40, 41, 56, 168] {
        let size = Size::new(800, height);
        let (mut screen, mut line) = (Screen::new(size), Line::new(size));
        let mut decoder = Decoder::new(size, SLOTS).unwrap();
        let mut seed = 1_u32;
        for pixel in &mut screen.pixels {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *pixel = if seed >> 24 < 40 { seed & 0xff_ffff } else { 0 };
        }
        let moves = [0, 17, 9, 3].map(|by| (by, true)).into_iter().chain([16, 9, 12, 5].map(|by| (by, false)));
        for (by, down) in moves.cycle().take(24) {
            let whole = Rect::new(0, if down { 0 } else { by }, 800, height);
            screen.happen(&Event::Copy(whole, 0, if down { by } else { 0 }));
            for frame in line.send(&screen, usize::MAX) {
                decoder.decode(&frame).unwrap();
            }
            assert!(decoder.picture() == &line.now, "{by} of {height}, {}", if down { "down" } else { "up" });
        }
    }
}
