//! What records: a process of its own on the display that is seen.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gc_desktop::Desktop;

/// Write so many pictures of the display that the environment names, as fast
/// as `pace` in a second: four bytes a pixel, the last of them 255. Says when
/// the first is taken, and at the end how many differed from the one before.
///
/// # Errors
/// When the display cannot be seen, or the file not be written.
pub fn run(path: &Path, frames: u32, pace: u32) -> Result<()> {
    let Desktop { mut screen, .. } = gc_desktop::open()?;
    let display = screen.displays()?.first().cloned().context("no display")?;
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let (mut pixels, mut before) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    let mut changed = 0;
    for number in 0..frames {
        let due = begun + Duration::from_secs(1) * number / pace.max(1);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let row = display.size.width as usize * 4;
        pixels.clear();
        screen.grab(&display, display.size.rect(), &mut |bytes, stride| {
            bytes.chunks(stride).for_each(|line| pixels.extend_from_slice(line.get(..row).unwrap_or_default()));
        })?;
        for pixel in pixels.as_chunks_mut::<4>().0 {
            pixel[3] = 255;
        }
        file.write_all(&pixels)?;
        if number == 0 {
            println!("ready");
        } else {
            changed += u32::from(pixels != before);
        }
        std::mem::swap(&mut pixels, &mut before);
    }
    file.flush()?;
    println!("{changed}");
    Ok(())
}
