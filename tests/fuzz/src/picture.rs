//! The screen engine: hostile frames, and whatever may happen on a screen.

use arbitrary::{Result, Unstructured};
use gc_screen::codec::{Decoder, Encoder, TileKey};
use gc_screen::{Canvas, Damage, Rect, Size};

/// Tiles that are remembered here.
pub(crate) const SLOTS: usize = 9;

/// A frame that is refused leaves the picture as it was.
pub(crate) fn decoder(data: &[u8]) {
    let size = Size::new(96, 80);
    let mut decoder = Decoder::new(size, SLOTS).expect("a small picture");
    for frame in data.split(|byte| *byte == 0xff) {
        let before = decoder.picture().clone();
        match decoder.decode(frame) {
            Ok(()) => assert!(decoder.changed().iter().all(|rect| rect.fits(size))),
            Err(_) => assert!(decoder.picture() == &before, "a refused frame changed the picture"),
        }
    }
    let _: std::result::Result<(), _> = decoder.decode(data);
}

/// What is encoded is decoded, whatever is on the screen, however little room
/// there is, and whoever forgets.
pub(crate) fn codec(data: &[u8]) {
    let _: Result<()> = run_codec(&mut Unstructured::new(data));
}

fn run_codec(input: &mut Unstructured<'_>) -> Result<()> {
    let size = Size::new(input.int_in_range(1..=200)?, input.int_in_range(1..=150)?);
    let mut now = Canvas::new(size);
    let mut decoder = Decoder::new(size, SLOTS).expect("a small picture");
    let mut encoder = Encoder::new(size, SLOTS, TileKey::new(&[5; 32]));
    while !input.is_empty() {
        let mut number = || input.arbitrary::<i16>().map(i64::from);
        let (x, y, width, height) = (number()?, number()?, number()?, number()?);
        let (seed, kind): ([u8; 3], u8) = (input.arbitrary()?, input.arbitrary()?);
        let mut damage = Damage::new(size);
        if let Some(rect) = Rect::clipped(x, y, width, height, size) {
            let pixels: Vec<u8> = match kind % 4 {
                0 => (0..rect.area())
                    .flat_map(|at| [seed[0], seed[1].wrapping_mul(at as u8), (at as u8) & seed[2], 0])
                    .collect(),
                1 => (0..rect.area()).flat_map(|at| noise(at as u32, seed)).collect(),
                // Some colours, and never the same: much of it, again and again, is coded quickly.
                2 => (0..rect.area()).flat_map(|at| noise(at as u32 / 3, seed).map(|byte| byte & 0x41)).collect(),
                _ => moved(&now, rect, seed),
            };
            now.absorb(rect, &pixels, &mut damage);
        }
        if kind & 0x40 != 0 {
            encoder.forget();
        }
        let room = if kind & 0x80 == 0 { usize::MAX } else { usize::from(seed[0]) * 16 };
        while let Some(encoded) = encoder.encode(&now, &damage, room) {
            encoder.settle(&now);
            decoder.decode(&encoded.bytes).expect("our own frame is accepted");
            damage = encoded.deferred;
        }
        assert!(decoder.picture() == &now, "what was decoded is not what was encoded");
    }
    Ok(())
}

pub(crate) fn noise(at: u32, seed: [u8; 3]) -> [u8; 4] {
    let seed = u32::from_le_bytes([seed[0], seed[1], seed[2], 1]);
    (at.wrapping_mul(0x9e37_79b1) ^ seed).wrapping_mul(0x85eb_ca77).to_be_bytes()
}

/// What stands a little beside a rectangle.
fn moved(canvas: &Canvas, rect: Rect, by: [u8; 3]) -> Vec<u8> {
    let size = canvas.size();
    let places = (0..rect.height).flat_map(|y| (0..rect.width).map(move |x| (x, y)));
    let pixel = |(x, y): (u32, u32)| {
        let (x, y) = ((rect.x + x + u32::from(by[0])) % size.width, (rect.y + y + u32::from(by[1])) % size.height);
        canvas.row(x, y, 1).first().copied().unwrap_or(0).to_le_bytes()
    };
    places.flat_map(pixel).collect()
}
