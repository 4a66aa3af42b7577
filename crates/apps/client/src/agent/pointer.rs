//! The pointer, apart from the pixels: its picture once, its place when it
//! moves.

use std::time::Duration;

use gc_desktop::{CursorImage, DesktopError, Screen};
use gc_protocol::limits;
use gc_protocol::messages::{CursorPosition, CursorShape};

use super::layout::Layout;
use super::link::Link;

/// Places are told no more often than this. A look that nothing asked for waits
/// so long as well: what a key changes on the screen goes before it.
const BETWEEN: Duration = Duration::from_millis(8);

pub(super) struct Pointer {
    shape: CursorShape,
    /// Whether everybody who watches knows the picture.
    told: bool,
    at: Option<(u32, i32, i32)>,
    looked: Duration,
    /// When to look although nothing said that it moved.
    anyway: Option<Duration>,
    due: Duration,
}

impl Default for Pointer {
    fn default() -> Self {
        let shape = CursorShape { hidden: true, ..Default::default() };
        Self { shape, told: false, at: None, looked: Duration::ZERO, anyway: None, due: Duration::ZERO }
    }
}

impl Pointer {
    /// Somebody new watches.
    pub(super) fn tell_again(&mut self) {
        self.told = false;
    }

    /// Until when a look has to wait.
    pub(super) fn due(&self) -> Duration {
        self.due
    }

    /// Tell the streams what is new; `false` when it is too early to look.
    pub(super) fn send(
        &mut self,
        screen: &mut dyn Screen,
        layout: &Layout,
        streams: &[u32],
        link: &Link,
        now: Duration,
    ) -> Result<bool, DesktopError> {
        let anyway = *self.anyway.get_or_insert(now + BETWEEN);
        self.due = if screen.pointer_stirred() { self.looked + BETWEEN } else { anyway };
        if self.told && now < self.due {
            return Ok(false);
        }
        // Where that fails it is tried again, and nothing said to be well before.
        (self.looked, self.anyway) = (now, Some(now));
        let (shape, at) = screen.cursor()?;
        self.anyway = None;
        if let Some(shape) = shape {
            self.shape = to_wire(shape);
            self.told = false;
        }
        if !self.told {
            self.told = true;
            self.at = None;
            for stream in streams {
                link.send(*stream, self.shape.clone());
            }
        }
        let Some(at) = layout.locate(at) else { return Ok(true) };
        if self.at != Some(at) {
            self.at = Some(at);
            for stream in streams {
                link.send(*stream, CursorPosition { display_id: at.0, x: at.1, y: at.2 });
            }
        }
        Ok(true)
    }
}

fn to_wire(shape: CursorImage) -> CursorShape {
    if shape.hidden || shape.width > limits::CURSOR_EDGE || shape.height > limits::CURSOR_EDGE {
        return CursorShape { hidden: true, ..Default::default() };
    }
    CursorShape {
        width: shape.width,
        height: shape.height,
        hotspot_x: shape.hotspot.0,
        hotspot_y: shape.hotspot.1,
        rgba: shape.rgba.into(),
        hidden: false,
    }
}
