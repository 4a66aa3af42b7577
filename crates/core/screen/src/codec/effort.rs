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

/// What the last frames took.
#[derive(Debug, Clone)]
pub(super) struct Effort {
    dear: u8,
    /// Nothing is known of the picture: all of it is new, and counts for nothing.
    fresh: bool,
    /// Bytes come first, whatever the line takes.
    saves: bool,
}

impl Effort {
    pub(super) fn new() -> Self {
        Self { dear: 0, fresh: true, saves: false }
    }

    /// Everything is forgotten.
    pub(super) fn forget(&mut self) {
        self.fresh = true;
    }

    /// Whether bytes come first, however much room there is.
    pub(super) fn save_bytes(&mut self, save: bool) {
        self.saves = save;
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
        let often = self.dear >= OFTEN;
        self.dear = if is_dear { (self.dear + DEAR).min(MOST) } else { self.dear.saturating_sub(1) };
        is_dear && often && room >= ROOM && !self.saves
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
