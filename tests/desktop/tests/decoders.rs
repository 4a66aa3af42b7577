//! Two implementations of the decoder, native and WebAssembly, agree on every
//! bit: of what an encoder makes, and of what damage makes of that.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::repository;
use gc_screen::codec::{Encoder, TileKey};
use gc_screen::{Canvas, Damage, Decoder, Rect, Size};

const SLOTS: usize = 300;
const FRAMES: u32 = 60;

/// Numbers that look like chance and are the same each time.
struct Chance(u32);

impl Chance {
    fn next(&mut self, below: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % below.max(1)
    }
}

/// Something as it happens on screens: text, films, gradients, patterns, what
/// moves.
fn happen(canvas: &mut Canvas, damage: &mut Damage, chance: &mut Chance) {
    let size = canvas.size();
    let (width, height) = (1 + chance.next(size.width), 1 + chance.next(size.height));
    let rect = Rect::new(chance.next(size.width - width + 1), chance.next(size.height - height + 1), width, height);
    let (kind, seed) = (chance.next(5), chance.next(1 << 24));
    let (right, down) = (chance.next(40), chance.next(40));
    let before = canvas.clone();
    let bytes: Vec<u8> = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .flat_map(|(x, y)| {
            let pixel = match kind {
                0 => ((x / 3 * 7 + y / 5 * 3) % 4 / 3) * (seed | 1),
                1 => chance.next(1 << 24),
                2 => seed.wrapping_add(x * 0x0001_0100 + y),
                3 => ((x % 8) * 0x0010_2000 + (y % 8) * 0x30) ^ seed,
                _ => {
                    let (x, y) = ((rect.x + x + right) % size.width, (rect.y + y + down) % size.height);
                    before.row(x, y, 1).first().copied().unwrap_or(0)
                }
            };
            pixel.to_le_bytes()
        })
        .collect();
    canvas.absorb(rect, &bytes, damage);
}

/// Text all over the screen that was never there.
fn new_text(canvas: &mut Canvas, damage: &mut Damage, chance: &mut Chance) {
    let size = canvas.size();
    let mut pixel = 0_u32;
    let bytes: Vec<u8> = (0..size.width * size.height)
        .flat_map(|at| {
            if at % 3 == 0 {
                pixel = if chance.next(3) == 0 { 0x20_2020 } else { 0xf0_f0f0 };
            }
            pixel.to_le_bytes()
        })
        .collect();
    canvas.absorb(size.rect(), &bytes, damage);
}

/// What became of a frame, as both sides say it.
fn outcome(taken: bool, picture: &Canvas) -> String {
    let size = picture.size();
    let pixels = (0..size.height).flat_map(|y| picture.row(0, y, size.width));
    let sum = pixels.fold(0_u32, |sum, pixel| (sum ^ pixel).wrapping_mul(0x0100_0193).rotate_left(5));
    format!("{} {sum}", u8::from(taken))
}

#[test]
fn native_and_web_assembly_agree_on_every_bit() -> Result<()> {
    let folder = PathBuf::from(std::env::var_os("GC_WASM_FRAMES").context("GC_WASM_FRAMES names no folder")?);
    let node = std::env::var_os("GC_NODE").map_or_else(|| PathBuf::from("node"), PathBuf::from);
    let mut chance = Chance(7);
    // Sizes, and then each frame with its length.
    let (mut told, mut expected, mut refused, mut quick) = (Vec::new(), Vec::new(), 0, false);
    for size in [Size::new(640, 480), Size::new(333, 215), Size::new(31, 1), Size::new(1, 97)] {
        let mut canvas = Canvas::new(size);
        let mut encoder = Encoder::new(size, SLOTS, TileKey::new(&[3; 32]));
        // One that never codes drawn pixels quickly.
        let mut saving = encoder.clone();
        saving.save_bytes(true);
        let mut decoder = Decoder::new(size, SLOTS).context("too large")?;
        told.extend([size.width, size.height, u32::try_from(SLOTS)?].map(u32::to_le_bytes).concat());
        told.extend(FRAMES.to_le_bytes());
        for frame in 0..FRAMES {
            let mut damage = Damage::new(size);
            // In the middle third it keeps coming.
            let keeps_coming = frame / (FRAMES / 3) == 1;
            if keeps_coming {
                new_text(&mut canvas, &mut damage, &mut chance);
            }
            for _ in 0..=chance.next(3) {
                happen(&mut canvas, &mut damage, &mut chance);
            }
            if chance.next(20) == 0 {
                encoder.forget();
                saving.forget();
            }
            let room = if !keeps_coming && chance.next(3) == 0 { 1_000 } else { usize::MAX };
            let mut bytes = Vec::new();
            if let Some(encoded) = encoder.encode(&canvas, &damage, room) {
                encoder.settle(&canvas);
                bytes = encoded.bytes;
            }
            if let Some(encoded) = saving.encode(&canvas, &damage, room) {
                saving.settle(&canvas);
                quick |= keeps_coming && encoded.bytes != bytes;
            }
            // In the last third each is damaged, or comes twice.
            if frame > FRAMES * 2 / 3 && !bytes.is_empty() {
                let at = chance.next(u32::try_from(bytes.len())?) as usize;
                bytes[at] ^= 1 << chance.next(8);
            }
            let taken = decoder.decode(&bytes).is_ok();
            refused += u32::from(!taken);
            told.extend(u32::try_from(bytes.len())?.to_le_bytes());
            told.extend(&bytes);
            expected.push(outcome(taken, decoder.picture()));
        }
    }
    ensure!(refused > 0, "no frame was refused: damage is not tried");
    ensure!(quick, "no frame is coded quickly");
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(&told)?;
    let run = Command::new(node)
        .arg(repository().join("tests/desktop/browser/frames.mjs"))
        .arg(&folder)
        .arg(file.path())
        .output()
        .context("node")?;
    let said = String::from_utf8_lossy(&run.stdout);
    ensure!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    let said: Vec<&str> = said.lines().collect();
    ensure!(said.len() == expected.len(), "{} outcomes for {} frames", said.len(), expected.len());
    for (frame, (said, expected)) in said.iter().zip(&expected).enumerate() {
        ensure!(said == expected, "frame {frame}: {said} in WebAssembly, {expected} natively");
    }
    Ok(())
}
