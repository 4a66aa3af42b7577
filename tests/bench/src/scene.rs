//! What the display shows while it is measured: a window over all of it, with
//! a square that changes its colour at a key press, the time of day written in
//! black and white cells, and, where wanted, text that scrolls.

pub mod film;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use gc_screen::Canvas;
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    ChangeGCAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, EventMask, Gcontext, ImageFormat, InputFocus,
    Pixmap, Rectangle, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::{COPY_DEPTH_FROM_PARENT, CURRENT_TIME};

/// Edge of the square at the top left.
const SQUARE: u16 = 200;
/// A place in the middle of it.
pub const PROBE: (u32, u32) = (100, 100);
/// A cell's edge. Eight by eight of them are a tile of the codec, so that the
/// time is never half an old one.
const CELL: u16 = 8;
/// Milliseconds are told in so many bits.
const BITS: u16 = 32;
/// Left edge of the tile where the time is written.
const STAMP_X: u16 = 256;
/// Pictures in a second where text scrolls.
pub const PER_SECOND: u32 = 30;
/// Width and height of what scrolls, and its place.
const TEXT: (u16, u16) = (640, 480);
const TEXT_AT: (i16, i16) = (240, 120);
/// Rows that it moves at once.
const STEP: u32 = 4;

/// How much moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    /// Nothing but the square.
    Still,
    /// Text scrolls and the time goes on. After four seconds it comes again.
    Scrolling,
    /// The same with text that never comes again.
    Page,
    /// A film plays, and the time goes on in it and beside it.
    Film,
}

impl Motion {
    /// All of them, by name.
    const NAMES: [(&'static str, Self); 4] =
        [("still", Self::Still), ("scrolling", Self::Scrolling), ("page", Self::Page), ("film", Self::Film)];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, motion)| *motion == self).map_or("", |(name, _)| name)
    }

    /// That of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(own, _)| *own == name).map(|(_, motion)| *motion)
    }
}

/// A window that is seen.
#[derive(Debug)]
pub struct Scene {
    connection: RustConnection,
    window: Window,
    text: Pixmap,
    gc: Gcontext,
    colours: (u32, u32),
    height: u16,
}

/// Draw on a display, or on that which the environment names, until this is
/// set, or for ever. What was drawn last stays as long as the scene is held.
///
/// # Errors
/// When the display does not take it.
pub fn run(display: Option<&str>, motion: Motion, ready: impl FnOnce(), ended: &AtomicBool) -> Result<Scene> {
    let mut chance = fastrand::Rng::with_seed(7);
    let scene = Scene::open(display, &mut chance)?;
    ready();
    let mut lit = false;
    let period = Duration::from_secs(1) / PER_SECOND;
    let begun = Instant::now();
    let (mut step, mut noise) = (0u32, 1);
    while !ended.load(Ordering::Acquire) {
        while let Some(event) = scene.next_event(motion, begun + period * step)? {
            if let Event::KeyPress(_) = event {
                lit = !lit;
                scene.square(lit)?;
            }
        }
        step += 1;
        if motion == Motion::Page && (step * STEP).is_multiple_of(u32::from(TEXT.1)) {
            scene.turn_page(&mut chance)?;
        }
        let now = now_millis();
        if motion == Motion::Film {
            scene.play(step, now, &mut noise)?;
        } else {
            scene.scroll(step)?;
        }
        scene.tell_time(now)?;
        scene.connection.flush()?;
    }
    scene.connection.get_input_focus()?.reply()?;
    Ok(scene)
}

impl Scene {
    fn open(display: Option<&str>, chance: &mut fastrand::Rng) -> Result<Self> {
        let (connection, number) = x11rb::connect(display)?;
        let screen = connection.setup().roots.get(number).context("no screen")?;
        let (root, size) = (screen.root, (screen.width_in_pixels, screen.height_in_pixels));
        let colours = (screen.black_pixel, screen.white_pixel);
        let (window, gc, text) = (connection.generate_id()?, connection.generate_id()?, connection.generate_id()?);
        let look = CreateWindowAux::new()
            .override_redirect(1)
            .background_pixel(colours.0)
            .event_mask(EventMask::KEY_PRESS | EventMask::EXPOSURE | EventMask::STRUCTURE_NOTIFY);
        let (depth, visual) = (COPY_DEPTH_FROM_PARENT, 0);
        connection
            .create_window(depth, window, root, 0, 0, size.0, size.1, 0, WindowClass::INPUT_OUTPUT, visual, &look)?
            .check()?;
        connection.create_gc(gc, window, &CreateGCAux::new().graphics_exposures(0))?;
        connection.create_pixmap(screen.root_depth, text, window, TEXT.0, TEXT.1 * 2)?;
        connection.map_window(window)?;
        connection.flush()?;
        while !matches!(connection.wait_for_event()?, Event::MapNotify(_)) {}
        connection.set_input_focus(InputFocus::POINTER_ROOT, window, CURRENT_TIME)?;
        let scene = Self { connection, window, text, gc, colours, height: size.1 };
        scene.write_text(chance, 0)?;
        scene.copy_text(0, TEXT.1)?;
        scene.square(false)?;
        scene.tell_time(now_millis())?;
        scene.connection.get_input_focus()?.reply()?;
        Ok(scene)
    }

    /// The next event; `None` when it is time to draw.
    fn next_event(&self, motion: Motion, draw_at: Instant) -> Result<Option<Event>> {
        if motion == Motion::Still {
            return Ok(Some(self.connection.wait_for_event()?));
        }
        loop {
            if let Some(event) = self.connection.poll_for_event()? {
                return Ok(Some(event));
            }
            let left = draw_at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            // A key waits no longer than this; the wait is the scene's pace.
            std::thread::sleep(left.min(Duration::from_micros(500)));
        }
    }

    fn fill(&self, on: u32, colour: u32, rects: &[Rectangle]) -> Result<()> {
        self.connection.change_gc(self.gc, &ChangeGCAux::new().foreground(colour))?;
        self.connection.poly_fill_rectangle(on, self.gc, rects)?;
        Ok(())
    }

    fn square(&self, lit: bool) -> Result<()> {
        let colour = if lit { self.colours.1 } else { self.colours.0 };
        self.fill(self.window, colour, &[Rectangle { x: 0, y: 0, width: SQUARE, height: SQUARE }])?;
        self.connection.flush()?;
        Ok(())
    }

    /// Lines of words of all lengths, dark on light, as many as are shown, from
    /// this row on.
    fn write_text(&self, chance: &mut fastrand::Rng, top: u16) -> Result<()> {
        let top = i16::try_from(top)?;
        let paper = Rectangle { x: 0, y: top, width: TEXT.0, height: TEXT.1 };
        self.fill(self.text, 0x00ff_fff8, &[paper])?;
        for line in 0..i16::try_from(TEXT.1 / 16)? {
            let mut strokes = Vec::new();
            let mut x = 8;
            while x < i16::try_from(TEXT.0)? - 60 {
                for _ in 0..chance.i16(2..9) {
                    for _ in 0..3 {
                        let (dx, dy) = (chance.i16(0..4), chance.i16(0..8));
                        let (width, height) = (chance.u16(1..4), chance.u16(1..6));
                        strokes.push(Rectangle { x: x + dx, y: top + line * 16 + 3 + dy, width, height });
                    }
                    x += 7;
                }
                x += 6;
            }
            let colour = [0x0022_2222, 0x0000_4488, 0x0088_2200][chance.usize(0..3)];
            self.fill(self.text, colour, &strokes)?;
        }
        Ok(())
    }

    /// Copy what is shown at once from one row to another.
    fn copy_text(&self, from: u16, to: u16) -> Result<()> {
        let (from, to) = (i16::try_from(from)?, i16::try_from(to)?);
        self.connection.copy_area(self.text, self.text, self.gc, 0, from, 0, to, TEXT.0, TEXT.1)?;
        Ok(())
    }

    /// What is shown stays, what comes below it is new.
    fn turn_page(&self, chance: &mut fastrand::Rng) -> Result<()> {
        self.copy_text(TEXT.1, 0)?;
        self.write_text(chance, TEXT.1)
    }

    fn scroll(&self, step: u32) -> Result<()> {
        let from = i16::try_from(step * STEP % u32::from(TEXT.1))?;
        let (x, y) = TEXT_AT;
        self.connection.copy_area(self.text, self.window, self.gc, 0, from, x, y, TEXT.0, TEXT.1)?;
        Ok(())
    }

    fn play(&self, step: u32, now: u32, noise: &mut u32) -> Result<()> {
        let (place, pixels) = (film::PLACE, film::picture(step, now, noise));
        let (x, y) = (i16::try_from(place.x)?, i16::try_from(place.y)?);
        let (width, height) = (u16::try_from(place.width)?, u16::try_from(place.height)?);
        let format = ImageFormat::Z_PIXMAP;
        self.connection.put_image(format, self.window, self.gc, width, height, x, y, 0, 24, &pixels)?;
        Ok(())
    }

    fn tell_time(&self, now: u32) -> Result<()> {
        for row in stamp_rows(self.height.into()) {
            let (mut dark, mut light) = (Vec::new(), Vec::new());
            for bit in 0..BITS {
                let (x, y) =
                    (i16::try_from(STAMP_X + bit % 8 * CELL)?, i16::try_from(row)? + i16::try_from(bit / 8 * CELL)?);
                let cell = Rectangle { x, y, width: CELL, height: CELL };
                if now >> bit & 1 == 1 { light.push(cell) } else { dark.push(cell) }
            }
            self.fill(self.window, self.colours.0, &dark)?;
            self.fill(self.window, self.colours.1, &light)?;
        }
        self.connection.flush()?;
        Ok(())
    }
}

/// Tops of the tiles that tell the time: above and below what scrolls.
fn stamp_rows(height: u32) -> [u32; 2] {
    [0, (height / 64).saturating_sub(1) * 64]
}

/// Milliseconds of the day and some days, as the cells tell them.
#[must_use]
pub fn now_millis() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_millis() & u128::from(u32::MAX)).unwrap_or(0)
}

/// What time the oldest part of a picture tells. `None` where no time is told
/// yet.
#[must_use]
pub fn told(picture: &Canvas) -> Option<u32> {
    let told = stamp_rows(picture.size().height).map(|row| {
        (0..BITS).fold(0u32, |told, bit| {
            let at = |cells: u16| u32::from(cells * CELL + CELL / 2);
            let place = picture.row(u32::from(STAMP_X) + at(bit % 8), row + at(bit / 8), 1);
            let lit = place.first().is_some_and(|pixel| pixel & 255 > 127);
            told | u32::from(lit) << bit
        })
    });
    let [above, below] = told;
    // The clock of these numbers goes round.
    let oldest = if above.wrapping_sub(below) < 1 << 31 { below } else { above };
    (!told.contains(&0)).then_some(oldest)
}

/// How old a picture is: that of its oldest part. `None` where no time is told
/// yet.
#[must_use]
pub fn age(picture: &Canvas, now: u32) -> Option<Duration> {
    told(picture).map(|told| Duration::from_millis(now.wrapping_sub(told).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_part_of_a_picture_tells_its_age() {
        let size = gc_screen::Size::new(1920, 1080);
        let mut canvas = Canvas::new(size);
        let mut write = |row: u32, told: u32| {
            for bit in 0..u32::from(BITS) {
                let (x, y) = (u32::from(STAMP_X) + bit % 8 * 8, row + bit / 8 * 8);
                let shade = if told >> bit & 1 == 1 { 255 } else { 0 };
                let rect = gc_screen::Rect::new(x, y, 8, 8);
                canvas.absorb(rect, &[shade; 8 * 8 * 4], &mut gc_screen::Damage::new(size));
            }
            canvas.clone()
        };
        let [above, below] = stamp_rows(1080);
        assert_eq!(told(&write(above, 70_000)), None, "one part tells nothing yet");
        for (above_tells, below_tells, oldest) in
            [(70_000, 70_033, 70_000), (70_066, 70_033, 70_033), (5, u32::MAX - 5, u32::MAX - 5)]
        {
            write(above, above_tells);
            let picture = write(below, below_tells);
            assert_eq!(told(&picture), Some(oldest), "{above_tells} and {below_tells}");
            assert_eq!(age(&picture, oldest.wrapping_add(40)), Some(Duration::from_millis(40)));
        }
    }
}
