//! The floor: what the X server alone takes from a key to a picture, by the
//! agent's own input and capture.

use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gc_desktop::{Changed, Desktop};
use gc_keys::by_code;
use gc_screen::Rect;
use gc_session::agent::Injection;

use crate::figures::Samples;
use crate::latency::{Plan, pause};
use crate::scene::PROBE;

/// Measure on the display that the environment names, where the scene runs.
///
/// # Errors
/// When the display does not answer.
pub fn measure(plan: Plan) -> Result<Samples> {
    let (woken, wakes) = sync_channel(1);
    // One wake that waits is enough.
    let wake = Box::new(move || {
        let _: Result<(), _> = woken.try_send(());
    });
    let Desktop { mut screen, mut input } = gc_desktop::open(wake)?;
    let displays = screen.displays()?;
    let display = displays.first().cloned().context("no display")?;
    let key = by_code("KeyA").context("no such key")?;
    let mut pixels = Vec::new();
    let probe = Rect::new(0, 0, 200, 200);
    let at = (PROBE.1 as usize * 200 + PROBE.0 as usize) * 4;
    screen.grab(&display, probe, &mut pixels)?;
    let mut shown = pixels.get(at).copied();
    let mut samples = Samples::default();
    for number in 0..plan.warm_up + plan.samples {
        std::thread::sleep(pause());
        let begun = Instant::now();
        input.inject(&Injection::Key(key, true), &displays)?;
        input.inject(&Injection::Key(key, false), &displays)?;
        loop {
            wakes.recv_timeout(Duration::from_secs(5)).context("nothing changes at a key press")?;
            let Changed::Boxes(boxes) = screen.changed()? else { continue };
            if boxes.is_empty() {
                continue;
            }
            screen.grab(&display, probe, &mut pixels)?;
            if pixels.get(at).copied() != shown {
                break;
            }
        }
        shown = pixels.get(at).copied();
        if number >= plan.warm_up {
            samples.add(begun.elapsed());
        }
    }
    Ok(samples)
}
