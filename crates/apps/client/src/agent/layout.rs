//! The displays of this computer, as capture, input and the status know them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gc_desktop::DisplayInfo;
use gc_protocol::limits;
use gc_protocol::messages::Display;
use gc_screen::Size;

/// Where the displays are. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub(super) struct Layout(Arc<Mutex<Vec<DisplayInfo>>>);

impl Layout {
    fn lock(&self) -> MutexGuard<'_, Vec<DisplayInfo>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of them.
    pub(super) fn displays(&self) -> Vec<DisplayInfo> {
        self.lock().clone()
    }

    /// Take over what the system says; what was before, if that is different.
    pub(super) fn replace(&self, fresh: &[DisplayInfo]) -> Option<Vec<DisplayInfo>> {
        let mut displays = self.lock();
        (*displays != fresh).then(|| std::mem::replace(&mut *displays, fresh.to_vec()))
    }

    /// One of them.
    pub(super) fn display(&self, id: u32) -> Option<DisplayInfo> {
        self.lock().iter().find(|display| display.id == id).cloned()
    }

    /// Its size.
    pub(super) fn size(&self, id: u32) -> Option<Size> {
        self.display(id).map(|display| display.size)
    }

    /// The wanted one, else the main one, else any.
    pub(super) fn choose(&self, wanted: u32) -> Option<DisplayInfo> {
        self.display(wanted).or_else(|| {
            let displays = self.lock();
            displays.iter().find(|display| display.primary).or(displays.first()).cloned()
        })
    }

    /// The display below a point of the desktop, and the point in its pixels.
    pub(super) fn locate(&self, (x, y): (i32, i32)) -> Option<(u32, i32, i32)> {
        let inside = |value: i32, start: i32, length: u32| {
            (i64::from(start)..i64::from(start) + i64::from(length)).contains(&i64::from(value))
        };
        let displays = self.lock();
        let on = displays
            .iter()
            .find(|display| inside(x, display.x, display.size.width) && inside(y, display.y, display.size.height))?;
        Some((on.id, x - on.x, y - on.y))
    }

    /// As the wire tells them.
    pub(super) fn to_wire(&self) -> Vec<Display> {
        self.lock().iter().map(to_wire).collect()
    }
}

fn to_wire(display: &DisplayInfo) -> Display {
    Display {
        id: display.id,
        name: limits::displayable(&display.name, limits::NAME),
        x: display.x,
        y: display.y,
        width: display.size.width,
        height: display.size.height,
        primary: display.primary,
        scale_percent: display.scale_percent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn display(id: u32, x: i32, primary: bool) -> DisplayInfo {
        DisplayInfo {
            id,
            name: format!("display {id}"),
            x,
            y: -100,
            size: Size::new(800, 600),
            primary,
            scale_percent: 100,
        }
    }

    #[test]
    fn points_are_found_on_the_display_that_shows_them() {
        let layout = Layout::default();
        layout.replace(&[display(0, -800, false), display(1, 0, true)]);
        for (point, expected) in [
            ((-1, 0), Some((0, 799, 100))),
            ((0, -100), Some((1, 0, 0))),
            ((799, 499), Some((1, 799, 599))),
            ((800, 0), None),
            ((0, 500), None),
            ((i32::MIN, i32::MAX), None),
        ] {
            assert_eq!(layout.locate(point), expected, "{point:?}");
        }
    }

    #[test]
    fn what_is_gone_is_replaced_by_the_main_one() {
        let layout = Layout::default();
        assert_eq!(layout.choose(7), None);
        layout.replace(&[display(0, -800, false), display(1, 0, true)]);
        for (wanted, expected) in [(0, 0), (1, 1), (7, 1)] {
            assert_eq!(layout.choose(wanted).map(|display| display.id), Some(expected));
        }
    }
}
