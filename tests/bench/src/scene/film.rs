//! A film that tells the time as well: what moves and has grain is coded as
//! video, and cells of it are large enough to be read whatever that loses.

use std::time::Duration;

use gc_screen::{Canvas, Rect};

/// Where it plays, beside text that scrolls: odd places and edges, as windows
/// have them.
pub const PLACE: Rect = Rect::new(1001, 167, 401, 241);
/// Where its cells begin, from its own corner, and how large each is.
const STAMP: u32 = 24;
const CELL: u32 = 24;
const BITS: u32 = 26;
/// Milliseconds that are told apart, as a power of two: about a picture.
const STEP: u32 = 5;
/// What is older was never told: not all of the film is seen yet.
const OLDEST: Duration = Duration::from_secs(3600);
/// Pixels in the middle of a cell that are looked at, along each edge.
const MIDDLE: u32 = 8;

/// Blue, green, red and nothing for each pixel.
pub(super) fn picture(step: u32, now: u32, noise: &mut u32) -> Vec<u8> {
    let (width, height) = (u16::try_from(PLACE.width).unwrap_or(0), u16::try_from(PLACE.height).unwrap_or(0));
    let mut bytes = gc_desktop_tests::film_picture(width, height, step, noise);
    // As much grain as makes a megabit too little for it.
    for byte in &mut bytes {
        *noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = byte.saturating_add((*noise >> 27) as u8);
    }
    let told = steps(now) ^ steps(now) >> 1;
    for bit in 0..BITS {
        let lift = if told >> bit & 1 == 1 { 170 } else { 0 };
        let cell = cell(bit);
        for y in cell.y..cell.y + cell.height {
            let start = (y * PLACE.width + cell.x) as usize * 4;
            let row = bytes.get_mut(start..start + cell.width as usize * 4).unwrap_or_default();
            row.iter_mut().for_each(|byte| *byte = lift + *byte / 3);
        }
    }
    bytes
}

/// The time as it is told. One more changes one cell alone: a picture that was
/// taken while the next one was drawn tells either's time.
fn steps(now: u32) -> u32 {
    now >> STEP & ((1 << BITS) - 1)
}

/// A cell of the stamp, within the film.
fn cell(bit: u32) -> Rect {
    Rect::new(STAMP + bit % 8 * CELL, STAMP + bit / 8 * CELL, CELL, CELL)
}

/// How old what the film shows is; `None` where no film is seen yet.
#[must_use]
pub fn age(picture: &Canvas, now: u32) -> Option<Duration> {
    let lit = |bit: u32| {
        let cell = cell(bit);
        let margin = (CELL - MIDDLE) / 2;
        let (x, y) = (PLACE.x + cell.x + margin, PLACE.y + cell.y + margin);
        let green = (y..y + MIDDLE).flat_map(|y| picture.row(x, y, MIDDLE)).map(|pixel| pixel >> 8 & 255);
        green.sum::<u32>() > 125 * MIDDLE * MIDDLE
    };
    let mut told = 0;
    for bit in (0..BITS).rev() {
        told |= (u32::from(lit(bit)) ^ (told >> (bit + 1) & 1)) << bit;
    }
    let steps = steps(now).wrapping_sub(told) & ((1 << BITS) - 1);
    // What was drawn just now is of the step to come at most.
    let steps = if steps == (1 << BITS) - 1 { 0 } else { steps };
    Some(Duration::from_millis(u64::from(steps) << STEP)).filter(|age| told != 0 && *age < OLDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_tells_its_time() {
        let size = gc_screen::Size::new(1920, 1080);
        let (mut canvas, mut noise) = (Canvas::new(size), 1);
        assert_eq!(age(&canvas, 70_000), None);
        for (step, told) in [(0, 70_000), (1, 64), (99, 4_000_000_000), (100, 4_096 << 5)] {
            let bytes = picture(step, told, &mut noise);
            canvas.absorb(PLACE, &bytes, &mut gc_screen::Damage::new(size));
            let seen = age(&canvas, told.wrapping_add(400)).unwrap();
            assert!((380..=420).contains(&seen.as_millis()), "{seen:?} at {told}");
            // Half of the next one is here: the time of either.
            let next = picture(step + 1, told.wrapping_add(32), &mut noise);
            for height in [40, 60, 80, 100, 121] {
                let length = (height * PLACE.width * 4) as usize;
                let part = gc_screen::Rect::new(PLACE.x, PLACE.y, PLACE.width, height);
                let mut torn = canvas.clone();
                torn.absorb(part, &next[..length], &mut gc_screen::Damage::new(size));
                let seen = age(&torn, told.wrapping_add(400)).unwrap();
                assert!((340..=420).contains(&seen.as_millis()), "{seen:?} at {told}, {height} rows");
            }
        }
        // One that began and is not all there yet tells no time.
        let empty = Canvas::new(size);
        assert_eq!(age(&empty, 70_000_000), None);
    }
}
