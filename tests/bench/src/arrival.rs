//! How soon a viewer that comes over a line sees the screen, roughly and
//! exactly, and how soon a film is exact that has come to rest.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::Picture;
use gc_line::{Conditions, Direction, Line};
use gc_screen::{Canvas, Damage, Rect, Size};
use serde_json::{Value, json};

use crate::figures::{Rows, Samples};
use crate::scene::{Motion, film};
use crate::stage::Stage;
use crate::still::Still;
use crate::viewer::{Ticket, Viewer};

/// Megabits in a second, and milliseconds there and back.
const LINES: [(u64, u64); 4] = [(4, 80), (10, 40), (10, 80), (100, 10)];
/// How often each is measured.
const RUNS: usize = 5;
/// What a recording shows, its file and which of its frames.
const SCREENS: [(&str, &str, u64); 3] =
    [("text", "typing.bgra", 0), ("mixed page", "scroll.bgra", 0), ("photographs", "switch.bgra", 0)];
const SIZE: Size = Size::new(1920, 1080);
/// Nearer than this, in decibels, what is shown can be made out.
const ROUGH: f64 = 28.0;
/// Of a thousand pixels so many have to be exact, that the screen is sharp.
const SHARP: usize = 995;
/// What is shown is looked at as often at most, or when nothing has come for a
/// while.
const LOOK: Duration = Duration::from_millis(100);
const QUIET: Duration = Duration::from_millis(15);
/// No picture takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Until whoever has gone is missed, and the line is empty.
const GONE: Duration = Duration::from_millis(700);
/// A film plays so long before it rests.
const PLAYS: Duration = Duration::from_secs(4);

/// All rows. `recordings` has what is shown; server and agent are at one end of
/// a line, the viewer at the other.
///
/// # Errors
/// When something does not start, or no picture comes.
pub fn run(recordings: &Path, rows: &mut Rows) -> Result<()> {
    let line = Line::even(Conditions::default())?;
    let near = line.b().address();
    line.b().run(|| {
        let stage = Stage::open(&format!("{near}:0"))?;
        for (name, file, frame) in SCREENS {
            let _shown = Still::show(&stage.display, SIZE, &frame_of(&recordings.join(file), frame)?)?;
            let expected = canvas_of(&Picture::of_display(&stage.display)?);
            for (megabits, trip) in LINES {
                set(&line, megabits, trip);
                let mut seen = Seen::default();
                for _ in 0..RUNS {
                    let ticket = stage.ticket()?;
                    line.a().run(|| alone(arrives(&ticket, &expected, &mut seen)))??;
                    std::thread::sleep(GONE);
                }
                rows.add(seen.row(&format!("{name}: {megabits} Mbit/s, {trip} ms")))?;
            }
        }
        for (megabits, trip) in LINES {
            set(&line, megabits, trip);
            let mut rests = Samples::default();
            for _ in 0..RUNS {
                rests.add(film_rests(&line, &stage)?);
            }
            rows.add(rests.row(&format!("film at rest: {megabits} Mbit/s, {trip} ms")))?;
        }
        Ok(())
    })?
}

fn set(line: &Line, megabits: u64, trip: u64) {
    for direction in [Direction::AToB, Direction::BToA] {
        line.set(direction, Conditions::new(megabits * 1000, Duration::from_millis(trip) / 2));
    }
}

fn alone<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// One frame of a recording: blue, green, red and nothing for each pixel.
fn frame_of(recording: &Path, frame: u64) -> Result<Vec<u8>> {
    let mut file = File::open(recording).with_context(|| format!("no recording {}", recording.display()))?;
    let mut pixels = vec![0; SIZE.area() * 4];
    file.seek(SeekFrom::Start(frame * pixels.len() as u64))?;
    file.read_exact(&mut pixels)?;
    Ok(pixels)
}

fn canvas_of(picture: &Picture) -> Canvas {
    let size = Size::new(picture.width as u32, picture.height as u32);
    let pixels: Vec<u8> = picture.rgb.as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [*b, *g, *r, 0]).collect();
    let mut canvas = Canvas::new(size);
    canvas.absorb(size.rect(), &pixels, &mut Damage::new(size));
    canvas
}

/// From the viewer's hello on.
#[derive(Debug, Default)]
struct Seen {
    first: Samples,
    rough: Samples,
    sharp: Samples,
    exact: Samples,
    bytes_until_sharp: u64,
}

impl Seen {
    fn row(&self, name: &str) -> Value {
        let middle = |samples: &Samples| samples.quantile(0.5);
        json!({
            "row": name, "n": self.exact.len(), "first_p50": middle(&self.first), "rough_p50": middle(&self.rough),
            "sharp_p50": middle(&self.sharp), "sharp_max": self.sharp.quantile(1.0),
            "exact_p50": middle(&self.exact), "exact_max": self.exact.quantile(1.0),
            "sharp_bytes": self.bytes_until_sharp / self.exact.len().max(1) as u64,
        })
    }
}

async fn arrives(ticket: &Ticket, expected: &Canvas, seen: &mut Seen) -> Result<()> {
    let mut viewer = Viewer::connect(ticket).await?;
    let hello = Instant::now();
    let deadline = hello + PATIENCE;
    let (mut first, mut rough, mut sharp) = (None, None, None);
    // When what was not looked at yet was painted.
    let mut painted_at = None;
    let mut looked = hello;
    loop {
        let wait = if painted_at.is_some() { Instant::now() + QUIET } else { deadline };
        let painted = viewer.next_before(wait.min(deadline)).await?;
        ensure!(Instant::now() < deadline, "the screen is never shown");
        let came = painted.is_some_and(|painted| !painted.is_empty()) && viewer.picture().size() == expected.size();
        if came {
            painted_at = Some(hello.elapsed());
            first.get_or_insert(hello.elapsed());
        }
        // Looking takes time that is not the line's, and would slow it down.
        let Some(now) = painted_at.filter(|_| !came || looked.elapsed() >= LOOK) else { continue };
        (painted_at, looked) = (None, Instant::now());
        let (alike, near) = compare(viewer.picture(), expected, expected.size().rect());
        if near >= ROUGH {
            rough.get_or_insert(now);
        }
        if alike * 1000 >= SIZE.area() * SHARP && sharp.is_none() {
            sharp = Some(now);
            seen.bytes_until_sharp += viewer.tally().bytes;
        }
        if alike == SIZE.area() {
            let or_now = |at: Option<Duration>| at.unwrap_or(now);
            seen.first.add(or_now(first));
            seen.rough.add(or_now(rough));
            seen.sharp.add(or_now(sharp));
            seen.exact.add(now);
            return Ok(());
        }
    }
}

/// How many pixels of a part are the same, and how near it is, in decibels.
fn compare(shown: &Canvas, expected: &Canvas, part: Rect) -> (usize, f64) {
    let (mut alike, mut error) = (0, 0_u64);
    for y in part.y..part.y + part.height {
        let (shown, expected) = (shown.row(part.x, y, part.width), expected.row(part.x, y, part.width));
        if shown == expected {
            alike += shown.len();
            continue;
        }
        for (shown, expected) in shown.iter().zip(expected) {
            if shown == expected {
                alike += 1;
                continue;
            }
            for (a, b) in shown.to_le_bytes().iter().zip(expected.to_le_bytes()) {
                error += u64::from(a.abs_diff(b)).pow(2);
            }
        }
    }
    let mean = error as f64 / (part.area() * 3) as f64;
    (alike, 10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10())
}

/// A film plays, stops, and is exact at last: how long after its last picture
/// was drawn.
fn film_rests(line: &Line, stage: &Stage) -> Result<Duration> {
    let playing = stage.play(Motion::Film)?;
    let ticket = stage.ticket()?;
    line.a().run(|| {
        alone(async {
            let mut viewer = Viewer::open(&ticket).await?;
            let until = Instant::now() + PLAYS;
            while viewer.next_before(until).await?.is_some() {}
            ensure!(viewer.tally().films > 0, "no video came: {:?}", viewer.tally());
            playing.pause()?;
            let rested = Instant::now();
            let expected = canvas_of(&Picture::of_display(&stage.display)?);
            loop {
                viewer.next_before(rested + PATIENCE).await?.context("the film is never exact")?;
                let now = rested.elapsed();
                if compare(viewer.picture(), &expected, film::PLACE).0 == film::PLACE.area() {
                    return Ok(now);
                }
            }
        })
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_and_how_near() {
        let size = Size::new(64, 32);
        let (a, mut b) = (Canvas::new(size), Canvas::new(size));
        assert_eq!(compare(&a, &b, size.rect()).0, size.area());
        b.absorb(Rect::new(3, 4, 2, 5), &[16; 40], &mut Damage::new(size));
        let (alike, near) = compare(&a, &b, size.rect());
        assert_eq!(alike, size.area() - 10);
        // Ten of 2048 pixels are off by sixteen in each colour.
        let expected = 10.0 * (255.0_f64 * 255.0 * 2048.0 / (10.0 * 256.0)).log10();
        assert!((near - expected).abs() < 0.01, "{near} dB, not {expected}");
    }
}
