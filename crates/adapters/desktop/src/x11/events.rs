//! What the display has said by itself.

use x11rb::connection::Connection;
use x11rb::errors::ConnectionError;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::Rectangle;
use x11rb::rust_connection::RustConnection;

/// What has been heard and not been looked into yet.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) layout: bool,
    pub(super) cursor: bool,
    pub(super) motion: bool,
    /// All that was damaged is in here.
    pub(super) damage: Option<Area>,
    /// The request that asked for the damage: what was said of it before that is
    /// answered.
    pub(super) asked: u64,
}

impl Heard {
    /// Take in what the display has said meanwhile; whether anything is new.
    pub(super) fn listen(&mut self, connection: &RustConnection) -> Result<bool, ConnectionError> {
        let mut anything = false;
        loop {
            let (event, sequence) = match connection.poll_for_event_with_sequence() {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(anything),
                // One that nobody understands is not the connection's end.
                Err(ConnectionError::ParseError(_)) => continue,
                Err(error) => return Err(error),
            };
            anything |= match event {
                Event::RandrScreenChangeNotify(_) | Event::RandrNotify(_) => {
                    self.layout = true;
                    true
                }
                Event::XfixesCursorNotify(_) => {
                    self.cursor = true;
                    true
                }
                Event::XinputRawMotion(_) => {
                    self.motion = true;
                    true
                }
                Event::DamageNotify(damage) if sequence >= self.asked => {
                    let area = Area::from(damage.area);
                    self.damage = Some(self.damage.map_or(area, |other| other.with(area)));
                    true
                }
                // Damage that is answered by now, and what every client is told, asked for
                // or not: another keyboard.
                _ => false,
            };
        }
    }
}

/// A part of the desktop: from here to there, which is not in it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) right: i32,
    pub(super) bottom: i32,
}

impl Area {
    fn with(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }
}

impl From<Rectangle> for Area {
    fn from(Rectangle { x, y, width, height }: Rectangle) -> Self {
        let (left, top) = (i32::from(x), i32::from(y));
        Self { left, top, right: left + i32::from(width), bottom: top + i32::from(height) }
    }
}
