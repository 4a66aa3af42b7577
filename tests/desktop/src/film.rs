//! A film on a display: noise that changes thirty times in a second, as nothing
//! that is not filmed does, with text beside it that changes as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    ConfigureWindowAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, ImageFormat, Rectangle, StackMode,
    WindowClass,
};
use x11rb::wrapper::ConnectionExt as _;
use x11rb::{COPY_DEPTH_FROM_PARENT, COPY_FROM_PARENT};

use crate::Display;

/// Pictures in a second.
const PER_SECOND: u32 = 30;

/// A window without frame that plays a film until this goes.
#[derive(Debug)]
pub struct Film {
    paused: Arc<AtomicBool>,
    text_held: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    shown: Arc<AtomicU32>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// Where a film plays, and where text stands beside it.
#[derive(Debug, Clone, Copy)]
pub struct Stage {
    /// The film's left, top, width and height.
    pub film: (i16, i16, u16, u16),
    /// That of what changes beside it.
    pub text: (i16, i16, u16, u16),
}

impl Film {
    /// Play on a display.
    ///
    /// # Errors
    /// When the display does not take it.
    pub fn play(display: &Display, stage: Stage) -> Result<Self> {
        let mut film = Self {
            paused: Arc::default(),
            text_held: Arc::default(),
            ended: Arc::default(),
            shown: Arc::default(),
            thread: None,
        };
        let name = display.name().to_owned();
        let state = (film.paused.clone(), film.text_held.clone(), film.ended.clone(), film.shown.clone());
        film.thread = Some(std::thread::spawn(move || run(&name, stage, &state)));
        crate::until("the film", Duration::from_secs(10), || {
            anyhow::ensure!(film.thread.as_ref().is_some_and(|thread| !thread.is_finished()), "the film does not play");
            Ok((film.shown() > 2).then_some(()))
        })?;
        Ok(film)
    }

    /// Pictures that were drawn.
    #[must_use]
    pub fn shown(&self) -> u32 {
        self.shown.load(Ordering::Acquire)
    }

    /// Let the text beside it stay as it is, or not.
    pub fn hold_text(&self, hold: bool) {
        self.text_held.store(hold, Ordering::Release);
    }

    /// Stop where it is, or go on. When this returns the display shows it.
    pub fn pause(&self, pause: bool) {
        self.paused.store(pause, Ordering::Release);
        if pause {
            // The picture that was being drawn is the last one.
            let before = self.shown();
            let begun = Instant::now();
            while self.shown() == before && begun.elapsed() < Duration::from_millis(200) {
                std::thread::yield_now();
            }
        }
    }
}

impl Drop for Film {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A display that went first has ended it.
            let _: Result<Result<()>, _> = thread.join();
        }
    }
}

type State = (Arc<AtomicBool>, Arc<AtomicBool>, Arc<AtomicBool>, Arc<AtomicU32>);

fn run(name: &str, stage: Stage, (paused, text_held, ended, shown): &State) -> Result<()> {
    let (connection, screen) = x11rb::connect(Some(name))?;
    let screen = connection.setup().roots.get(screen).context("no screen")?;
    let (window, gc) = (connection.generate_id()?, connection.generate_id()?);
    let settings = CreateWindowAux::new().background_pixel(0x0040_4040).override_redirect(1);
    let (width, height) = (screen.width_in_pixels, screen.height_in_pixels);
    connection.create_window(
        COPY_DEPTH_FROM_PARENT,
        window,
        screen.root,
        0,
        0,
        width,
        height,
        0,
        WindowClass::INPUT_OUTPUT,
        COPY_FROM_PARENT,
        &settings,
    )?;
    connection.create_gc(gc, window, &CreateGCAux::new().foreground(0x00f0_f0f0))?;
    connection.map_window(window)?;
    connection.configure_window(window, &ConfigureWindowAux::new().stack_mode(StackMode::BELOW))?;
    connection.sync()?;
    let period = Duration::from_secs(1) / PER_SECOND;
    let (mut next, mut noise) = (Instant::now(), 1_u32);
    while !ended.load(Ordering::Acquire) {
        next += period;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        if paused.load(Ordering::Acquire) {
            next = Instant::now();
            continue;
        }
        let step = shown.load(Ordering::Acquire);
        let (x, y, width, height) = stage.film;
        let pixels = film_picture(width, height, step, &mut noise);
        connection.put_image(ImageFormat::Z_PIXMAP, window, gc, width, height, x, y, 0, 24, &pixels)?;
        if text_held.load(Ordering::Acquire) {
            connection.sync()?;
            shown.fetch_add(1, Ordering::AcqRel);
            continue;
        }
        let (x, y, width, height) = stage.text;
        connection.clear_area(false, window, x, y, width, height)?;
        let cells = (0..height / 8).flat_map(|row| (0..width / 8).map(move |column| (column, row)));
        let marks: Vec<Rectangle> = cells
            .filter(|(column, row)| (u32::from(*column) * 7 + u32::from(*row) * 13 + step) % 5 == 0)
            .map(|(column, row)| Rectangle {
                x: x + i16::try_from(column * 8).unwrap_or(0),
                y: y + i16::try_from(row * 8).unwrap_or(0),
                width: 6,
                height: 7,
            })
            .collect();
        connection.poly_fill_rectangle(window, gc, &marks)?;
        connection.sync()?;
        shown.fetch_add(1, Ordering::AcqRel);
    }
    Ok(())
}

/// Broad waves of colour that move, with grain: blue, green, red and nothing
/// for each pixel.
#[must_use]
pub fn film_picture(width: u16, height: u16, step: u32, noise: &mut u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(usize::from(width) * usize::from(height) * 4);
    for y in 0..u32::from(height) {
        for x in 0..u32::from(width) {
            *noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = *noise >> 29;
            let wave = |a: u32, b: u32| {
                let place = (x * a + y * b + step * 3) % 400;
                (place.min(400 - place) + 20 + grain) as u8
            };
            bytes.extend([wave(1, 2), wave(2, 1), wave(1, 1), 0]);
        }
    }
    bytes
}
