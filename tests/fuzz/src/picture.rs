//! The screen engine: hostile batches, and hostile geometry.

use arbitrary::{Result, Unstructured};
use gc_screen::damage::Damage;
use gc_screen::encode::Encoder;
use gc_screen::{Decoder, Framebuffer, Rect, Size};

/// A batch that is refused leaves the picture as it was.
pub(crate) fn decoder(data: &[u8]) {
    let mut decoder = Decoder::new(Size::new(96, 80));
    for batch in data.split(|byte| *byte == 0xff) {
        let before = decoder.framebuffer().clone();
        match decoder.decode(batch) {
            Ok(rects) => assert!(rects.iter().all(|rect| rect.fits(before.size()))),
            Err(_) => assert_eq!(decoder.framebuffer(), &before, "a refused batch changed the picture"),
        }
    }
    drop(decoder.decode(data));
}

/// What is encoded is decoded, whatever the damage is said to be.
pub(crate) fn codec(data: &[u8]) {
    let _: Result<()> = run_codec(&mut Unstructured::new(data));
}

fn run_codec(input: &mut Unstructured<'_>) -> Result<()> {
    let size = Size::new(input.int_in_range(1..=200)?, input.int_in_range(1..=150)?);
    let mut source = Framebuffer::new(size);
    let mut decoder = Decoder::new(size);
    let Ok(mut encoder) = Encoder::new() else { return Ok(()) };
    while !input.is_empty() {
        let mut number = || input.arbitrary::<i16>().map(i64::from);
        let (x, y, width, height) = (number()?, number()?, number()?, number()?);
        let seed: [u8; 3] = input.arbitrary()?;
        let mut damage = Damage::new(size);
        if let Some(rect) = Rect::clipped(x, y, width, height, size) {
            let pixel = |at: usize| [seed[0], seed[1].wrapping_mul(at as u8), (at as u8) & seed[2], 0];
            let pixels: Vec<u8> = (0..rect.area()).flat_map(pixel).collect();
            source.absorb(rect, &pixels, &mut damage);
        }
        let mut rects = damage.rects();
        // The encoder is also asked for what does not fit.
        rects.push(Rect::new(size.width, 0, 5, 5));
        let batch = encoder.encode(&source, &rects).expect("memory for a small picture");
        decoder.decode(&batch).expect("our own batch is accepted");
        assert!(decoder.framebuffer() == &source, "what was decoded is not what was encoded");
    }
    Ok(())
}
