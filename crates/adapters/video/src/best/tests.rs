//! Hardware that comes, fails and refuses, without any.

use std::cell::Cell;

use gc_screen::video::VideoEncoder;
use gc_screen::{Canvas, Damage, Rect, Size};
use openh264::OpenH264API;
use openh264::encoder::{Encoder, EncoderConfig};
use openh264::formats::YUVSource;

use super::*;
use crate::Decoder;

const SIZE: Size = Size::new(320, 200);
const REGION: Rect = Rect::new(8, 8, 160, 120);

/// What the pretended hardware does, told by each test in its own thread.
#[derive(Clone, Copy)]
struct Behaviour {
    /// Asked so many times it is still not ready.
    slow: u32,
    refuses: bool,
    /// Fails at this picture.
    fails_at: u32,
    /// Gives pictures of another size.
    wrong_size: bool,
}

const WORKS: Behaviour = Behaviour { slow: 2, refuses: false, fails_at: u32::MAX, wrong_size: false };

thread_local! {
    static BEHAVIOUR: Cell<Behaviour> = const { Cell::new(WORKS) };
    static BEGUN: Cell<u32> = const { Cell::new(0) };
}

/// An encoder that does not say what it should: its parameters have no word of
/// order or colours.
struct Pretended {
    encoder: Encoder,
    size: (usize, usize),
    asked: u32,
    pictures: u32,
}

/// NV12 as planes.
struct Split((usize, usize), [Vec<u8>; 3]);

impl YUVSource for Split {
    fn dimensions(&self) -> (usize, usize) {
        self.0
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.0.0, self.0.0 / 2, self.0.0 / 2)
    }

    fn y(&self) -> &[u8] {
        &self.1[0]
    }

    fn u(&self) -> &[u8] {
        &self.1[1]
    }

    fn v(&self) -> &[u8] {
        &self.1[2]
    }
}

impl Hardware for Pretended {
    fn begin(size: (usize, usize), _: usize) -> Option<Self> {
        BEGUN.set(BEGUN.get() + 1);
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), EncoderConfig::new().skip_frames(false));
        Some(Self { encoder: encoder.unwrap(), size, asked: 0, pictures: 0 })
    }

    fn readiness(&mut self) -> Readiness {
        self.asked += 1;
        match BEHAVIOUR.get() {
            behaviour if self.asked <= behaviour.slow => Readiness::Begins,
            behaviour if behaviour.refuses => Readiness::Refused,
            _ => Readiness::Ready,
        }
    }

    fn encode(&mut self, picture: Vec<u8>, _: usize, fresh: bool) -> Option<Vec<u8>> {
        let behaviour = BEHAVIOUR.get();
        self.pictures += 1;
        if self.pictures >= behaviour.fails_at {
            return None;
        }
        let (luma, chroma) = picture.split_at(self.size.0 * self.size.1);
        let plane = |from: usize| chroma.iter().skip(from).step_by(2).copied().collect();
        let mut split = Split(self.size, [luma.to_vec(), plane(0), plane(1)]);
        if behaviour.wrong_size {
            split.0.1 -= 16;
        }
        if fresh {
            self.encoder.force_intra_frame();
        }
        Some(self.encoder.encode(&split).unwrap().to_vec())
    }
}

fn film(frame: u32) -> Canvas {
    let mut canvas = Canvas::new(SIZE);
    let bytes: Vec<u8> = (0..SIZE.height)
        .flat_map(|y| (0..SIZE.width).map(move |x| (x, y)))
        .flat_map(|(x, y)| [(x + frame * 5) as u8, (y * 2) as u8, (x / 2 + y + frame) as u8, 255])
        .collect();
    canvas.absorb(SIZE.rect(), &bytes, &mut Damage::new(SIZE));
    canvas
}

/// A film through the encoder and a decoder that begins anew when units do:
/// which pictures were encoded in hardware, and which began anew.
fn play(best: &mut Best<Pretended>, region: Rect, frames: u32) -> (String, String) {
    let mut decoder = Decoder::default();
    let (mut hardware, mut fresh) = (String::new(), String::new());
    for frame in 0..frames {
        let picture = film(frame);
        let unit = best.encode(&picture, region, 50_000, frame == 0).unwrap();
        let anew = starts_anew(&unit);
        let decoded = decoder.decode(&unit, anew).unwrap();
        assert_eq!((decoded.width, decoded.height), (region.width as usize, region.height as usize));
        // The colours are those of the picture, whoever encoded it.
        let middle = (region.height as usize / 2 * decoded.width + decoded.width / 2) * 4;
        let pixel = picture.row(region.x + region.width / 2, region.y + region.height / 2, 1)[0].to_le_bytes();
        for (got, wanted) in decoded.bgra[middle..].iter().zip(&pixel[..3]) {
            assert!(got.abs_diff(*wanted) < 24, "{frame}: {got} for {wanted}");
        }
        if anew {
            let sequence = sequence(&unit).unwrap();
            assert_eq!((sequence.reordered, sequence.colours), (Some(0), Some(([1, 1, 1], false))));
        }
        hardware.push(if best.by_hardware { 'h' } else { '.' });
        fresh.push(if anew { '!' } else { '.' });
    }
    (hardware, fresh)
}

fn trust() -> &'static Trust {
    Box::leak(Box::default())
}

fn told(hardware: &str, fresh: &str) -> (String, String) {
    (hardware.into(), fresh.into())
}

#[test]
fn hardware_takes_over_when_it_is_ready() {
    BEHAVIOUR.set(WORKS);
    let mut best = Best::new(trust());
    assert_eq!(play(&mut best, REGION, 6), told("..hhhh", "!.!..."));
    // Another size needs another one; the same size does not.
    assert_eq!(play(&mut best, Rect::new(0, 0, 100, 64), 5), told("..hhh", "!.!.."));
    assert_eq!(play(&mut best, Rect::new(8, 0, 100, 64), 3), told("hhh", "!.."));
    assert_eq!(BEGUN.get(), 2);
}

#[test]
fn what_fails_is_replaced_at_once_and_remembered() {
    for behaviour in [Behaviour { fails_at: 3, ..WORKS }, Behaviour { fails_at: 1, ..WORKS }] {
        BEHAVIOUR.set(behaviour);
        BEGUN.set(0);
        let trust = trust();
        let expected = if behaviour.fails_at == 3 { told("..hh..", "!.!.!.") } else { told("......", "!.....") };
        assert_eq!(play(&mut Best::new(trust), REGION, 6), expected);
        assert_eq!(play(&mut Best::new(trust), REGION, 4), told("....", "!..."));
        assert_eq!(BEGUN.get(), 1);
    }
}

#[test]
fn pictures_of_another_size_are_not_sent() {
    BEHAVIOUR.set(Behaviour { wrong_size: true, ..WORKS });
    assert_eq!(play(&mut Best::new(trust()), REGION, 4), told("....", "!..."));
}

#[test]
fn a_size_that_is_refused_is_not_asked_for_again() {
    BEHAVIOUR.set(Behaviour { refuses: true, ..WORKS });
    let trust = trust();
    for _ in 0..5 {
        assert_eq!(play(&mut Best::new(trust), REGION, 5), told(".....", "!...."));
    }
    // Three refusals are enough.
    assert_eq!(BEGUN.get(), 3);
    // One that works forgives those before it.
    let forgiving = Trust::new();
    forgiving.refused();
    forgiving.refused();
    forgiving.worked();
    forgiving.refused();
    assert!(!forgiving.is_lost());
    forgiving.failed();
    forgiving.worked();
    assert!(forgiving.is_lost());
}

#[test]
fn units_that_nobody_could_decode_are_not_sound() {
    for (unit, fresh) in
        [(vec![], false), (vec![0, 0, 1, 0x41, 0x9a], true), (vec![0, 0, 1, 0x67, 77, 0, 0, 1, 0x65], false)]
    {
        assert_eq!(sound(unit, (160, 120), fresh), None);
    }
    let unit = vec![0, 0, 1, 0x41, 0x9a];
    assert_eq!(sound(unit.clone(), (160, 120), false), Some(unit));
}
