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
const BITS: u32 = 32;
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
    for bit in 0..BITS {
        let lift = if now >> bit & 1 == 1 { 170 } else { 0 };
        let cell = cell(bit);
        for y in cell.y..cell.y + cell.height {
            let start = (y * PLACE.width + cell.x) as usize * 4;
            let row = bytes.get_mut(start..start + cell.width as usize * 4).unwrap_or_default();
            row.iter_mut().for_each(|byte| *byte = lift + *byte / 3);
        }
    }
    bytes
}

/// A cell of the stamp, within the film.
fn cell(bit: u32) -> Rect {
    Rect::new(STAMP + bit % 8 * CELL, STAMP + bit / 8 * CELL, CELL, CELL)
}

/// How old what the film shows is; `None` where no film is seen yet.
#[must_use]
pub fn age(picture: &Canvas, now: u32) -> Option<Duration> {
    let told = (0..BITS).fold(0, |told, bit| {
        let cell = cell(bit);
        let margin = (CELL - MIDDLE) / 2;
        let (x, y) = (PLACE.x + cell.x + margin, PLACE.y + cell.y + margin);
        let green = (y..y + MIDDLE).flat_map(|y| picture.row(x, y, MIDDLE)).map(|pixel| pixel >> 8 & 255);
        told | u32::from(green.sum::<u32>() > 125 * MIDDLE * MIDDLE) << bit
    });
    (told != 0).then(|| Duration::from_millis(now.wrapping_sub(told).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_tells_its_time() {
        let size = gc_screen::Size::new(1920, 1080);
        let (mut canvas, mut noise) = (Canvas::new(size), 1);
        assert_eq!(age(&canvas, 70_000), None);
        for (step, told) in [(0, 70_000), (1, 1), (99, u32::MAX - 5)] {
            canvas.absorb(PLACE, &picture(step, told, &mut noise), &mut gc_screen::Damage::new(size));
            assert_eq!(age(&canvas, told.wrapping_add(40)), Some(Duration::from_millis(40)));
        }
    }
}
