//! How much work drawn pixels are worth: what is new once becomes as few bytes as
//! can be; what keeps coming, frame after frame, takes less of somebody else's
//! processor.

use super::frame::{Grid, Mode, PART};

/// Drawn pixels that every frame may hold, and more of them for each tile that
/// differs, before it counts as dear.
const ALWAYS: usize = 10_000;
const EACH: usize = 80;
/// A dear frame counts so much, one that is not counts one back.
const DEAR: u8 = 2;
/// From here on dear ones are coded quickly.
const OFTEN: u8 = 4;
/// No more is counted: small frames between large ones do not change that.
const MOST: u8 = 6;
/// Where there is less room than that, the line takes longer for bytes than the
/// processor to save them: thirteen megabits in a second.
const ROOM: usize = 32 << 10;

/// After so many searches in a row that found no motion, dear frames that keep coming
/// are searched each so-manieth time only.
const FRUITLESS: u8 = 6;
const EVERY: u8 = 3;

/// What the last frames took.
#[derive(Debug, Clone)]
pub(super) struct Effort {
    dear: u8,
    /// Nothing is known of the picture: all of it is new, and counts for nothing.
    fresh: bool,
    /// Bytes come first, whatever the line takes.
    saves: bool,
    /// Searches for motion that found none, in a row.
    fruitless: u8,
    /// Frames since that were not searched.
    skipped: u8,
}

impl Effort {
    pub(super) fn new() -> Self {
        Self { dear: 0, fresh: true, saves: false, fruitless: 0, skipped: 0 }
    }

    /// Everything is forgotten.
    pub(super) fn forget(&mut self) {
        self.fresh = true;
    }

    /// Whether bytes come first, however much room there is.
    pub(super) fn save_bytes(&mut self, save: bool) {
        self.saves = save;
    }

    /// Whether to look for motion in a frame for which there is so much room.
    pub(super) fn searches(&mut self, room: usize) -> bool {
        if self.fruitless < FRUITLESS || !self.hurries(room) {
            return true;
        }
        self.skipped = (self.skipped + 1) % EVERY;
        self.skipped == 0
    }

    /// It was looked for, and perhaps found.
    pub(super) fn searched(&mut self, found: bool) {
        self.fruitless = if found { 0 } else { self.fruitless.saturating_add(1) };
    }

    /// Whether dear frames keep coming, and there is so much room that they are coded
    /// quickly.
    fn hurries(&self, room: usize) -> bool {
        self.dear >= OFTEN && room >= ROOM && !self.saves
    }

    /// Whether what is drawn of a frame is coded quickly. So many tiles of it
    /// differ from what was shown, and there is so much room for it.
    pub(super) fn is_quick(&mut self, grid: &Grid, differ: usize, room: usize) -> bool {
        let drawn = grid.tiles().filter(|(_, tile)| tile.mode == Mode::Drawn);
        let pixels = drawn.map(|(_, tile)| tile.drawn() as usize * PART * PART).sum();
        self.is_often_dear(pixels, differ, room)
    }

    fn is_often_dear(&mut self, pixels: usize, differ: usize, room: usize) -> bool {
        if std::mem::take(&mut self.fresh) {
            return false;
        }
        let is_dear = pixels > ALWAYS + EACH * differ;
        let hurries = self.hurries(room);
        self.dear = if is_dear { (self.dear + DEAR).min(MOST) } else { self.dear.saturating_sub(1) };
        is_dear && hurries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 500_000;

    /// Frames of which 100 tiles differ and so many pixels are drawn, with so much
    /// room: which of them are quick.
    fn frames<const N: usize>(effort: &mut Effort, pixels: [usize; N], room: usize) -> [bool; N] {
        pixels.map(|pixels| effort.is_often_dear(pixels, 100, room))
    }

    #[test]
    fn what_keeps_coming_is_quick() {
        let mut effort = Effort::new();
        // The first picture is all new, however often there is one.
        assert_eq!(frames(&mut effort, [LARGE; 4], usize::MAX), [false, false, false, true]);
        // Small frames between large ones are not quick and change nothing.
        for _ in 0..9 {
            assert_eq!(frames(&mut effort, [LARGE, 10], usize::MAX), [true, false]);
        }
        // Nor does beginning anew.
        effort.forget();
        assert_eq!(frames(&mut effort, [LARGE; 2], usize::MAX), [false, true]);
        // Rest does.
        assert_eq!(frames(&mut effort, [10; 3], usize::MAX), [false; 3]);
        assert_eq!(frames(&mut effort, [LARGE], usize::MAX), [false]);
    }

    #[test]
    fn motion_is_looked_for_more_rarely_where_there_was_none() {
        let mut effort = Effort::new();
        let look = |effort: &mut Effort, found: bool| {
            let looks = effort.searches(usize::MAX);
            if looks {
                effort.searched(found);
            }
            looks
        };
        // Always, while it is not known that much keeps coming.
        assert!((0..9).all(|_| look(&mut effort, false)));
        frames(&mut effort, [LARGE; 4], usize::MAX);
        assert_eq!([(); 6].map(|()| look(&mut effort, false)), [false, false, true, false, false, true]);
        // What is searched finds it, and from then on all are.
        assert_eq!([(); 3].map(|()| look(&mut effort, true)), [false, false, true]);
        assert!((0..9).all(|_| look(&mut effort, true)));
        // On a slow line bytes come first.
        (0..FRUITLESS).for_each(|_| effort.searched(false));
        assert!((0..9).all(|_| effort.searches(ROOM - 1)));
        assert!(!effort.searches(ROOM));
    }

    #[test]
    fn bytes_come_first_on_a_slow_line() {
        let mut effort = Effort::new();
        assert_eq!(frames(&mut effort, [LARGE; 9], ROOM - 1), [false; 9]);
        assert_eq!(frames(&mut effort, [LARGE], ROOM), [true]);
        effort.save_bytes(true);
        assert_eq!(frames(&mut effort, [LARGE], ROOM), [false]);
    }

    #[test]
    fn much_may_be_drawn_where_much_differs() {
        let mut effort = Effort::new();
        assert_eq!(frames(&mut effort, [ALWAYS + 100 * EACH; 9], usize::MAX), [false; 9]);
        assert_eq!(frames(&mut effort, [ALWAYS + 100 * EACH + 1; 4], usize::MAX), [false, false, true, true]);
    }
}
