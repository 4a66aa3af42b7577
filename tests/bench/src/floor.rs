//! The floor: what the X server alone takes from a key to a picture, by the
//! agent's own input and capture.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gc_desktop::{Changed, Desktop, Screen};
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
    let Desktop { mut screen, mut input, .. } = gc_desktop::open()?;
    let displays = screen.displays()?;
    let display = displays.first().cloned().context("no display")?;
    let key = by_code("KeyA").context("no such key")?;
    let probe = Rect::new(0, 0, 200, 200);
    let look = |screen: &mut dyn Screen| -> Result<Option<u8>> {
        let mut shown = None;
        screen.grab(&display, probe, &mut |bytes, stride| {
            shown = bytes.get(PROBE.1 as usize * stride + PROBE.0 as usize * 4).copied();
        })?;
        Ok(shown)
    };
    let mut shown = look(&mut *screen)?;
    let mut samples = Samples::default();
    for number in 0..plan.warm_up + plan.samples {
        std::thread::sleep(pause());
        let begun = Instant::now();
        input.inject(&Injection::Key(key, true), &displays)?;
        input.inject(&Injection::Key(key, false), &displays)?;
        loop {
            let left = Duration::from_secs(5).checked_sub(begun.elapsed()).context("nothing changes at a key press")?;
            screen.sleep(Some(left));
            let Changed::Boxes(boxes) = screen.changed(&displays)? else { continue };
            if boxes.is_empty() {
                continue;
            }
            let now = look(&mut *screen)?;
            if now != shown {
                shown = now;
                break;
            }
        }
        if number >= plan.warm_up {
            samples.add(begun.elapsed());
        }
    }
    Ok(samples)
}
