//! Input by XTEST.

use gc_keys::{Button, Key, KeyCap, Release, by_code, by_scan_code};
use gc_session::agent::Injection;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, MOTION_NOTIFY_EVENT, Window,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;
use x11rb::{CURRENT_TIME, NONE};

use super::keyboard::Keyboard;
use super::repeat::Repeat;
use super::{answered, connect, failed};
use crate::{DesktopError, DisplayInfo, Input};

/// One notch of the wheel.
const NOTCH: i32 = 120;

pub(super) struct X11Input {
    connection: RustConnection,
    root: Window,
    keyboard: Keyboard,
    repeat: Repeat,
    /// What the keys type has not been told yet.
    untold: bool,
    /// What the next key's letters mean.
    caps_lock: Option<bool>,
    /// Parts of notches that were not turned yet: right, up.
    wheel: (i32, i32),
}

impl X11Input {
    pub(super) fn new() -> Result<Self, DesktopError> {
        let (connection, number) = connect()?;
        let what = "the display takes no input";
        let root = connection.setup().roots.get(number).map(|screen| screen.root);
        let root = root.ok_or_else(|| DesktopError::None("The display has no screen.".into()))?;
        connection.xtest_get_version(2, 2).map_err(failed(what))?.reply().map_err(answered(what))?;
        let keyboard = Keyboard::open(&connection)?;
        let repeat = Repeat::open(&connection)?;
        Ok(Self { connection, root, keyboard, repeat, untold: true, caps_lock: None, wheel: (0, 0) })
    }

    fn fake(&self, kind: u8, detail: u8) -> Result<(), DesktopError> {
        let fake = self.connection.xtest_fake_input(kind, detail, CURRENT_TIME, NONE, 0, 0, 0);
        fake.map_err(failed("input was refused")).map(drop)
    }

    fn key(&self, keycode: u8, down: bool) -> Result<(), DesktopError> {
        self.fake(if down { KEY_PRESS_EVENT } else { KEY_RELEASE_EVENT }, keycode)
    }

    /// A key goes down, or is said to repeat where it is down already.
    fn press(&mut self, key: &Key) -> Result<(), DesktopError> {
        let keycode = key.x11_keycode();
        if self.repeat.press(&self.connection, keycode)? && key.repeats() {
            self.key(keycode, false)?;
        }
        // Of what is down the display takes no second press; of what somebody else let go
        // meanwhile it does.
        self.key(keycode, true)
    }

    fn release(&mut self, key: &Key) -> Result<(), DesktopError> {
        self.key(key.x11_keycode(), false)?;
        self.repeat.release(&self.connection, key.x11_keycode())
    }

    fn button(&self, number: u8, down: bool) -> Result<(), DesktopError> {
        self.fake(if down { BUTTON_PRESS_EVENT } else { BUTTON_RELEASE_EVENT }, number)
    }

    fn move_to(&self, display: u32, x: i32, y: i32, displays: &[DisplayInfo]) -> Result<(), DesktopError> {
        let Some(display) = displays.iter().find(|other| other.id == display) else {
            return Err(DesktopError::Stale);
        };
        let inside = |value: i32, length: u32| value.clamp(0, i32::try_from(length).unwrap_or(1).max(1) - 1);
        let x = display.x.saturating_add(inside(x, display.size.width));
        let y = display.y.saturating_add(inside(y, display.size.height));
        let (Ok(x), Ok(y)) = (i16::try_from(x), i16::try_from(y)) else { return Err(DesktopError::Stale) };
        let fake = self.connection.xtest_fake_input(MOTION_NOTIFY_EVENT, 0, CURRENT_TIME, self.root, x, y, 0);
        fake.map_err(failed("input was refused")).map(drop)
    }

    /// Type characters, with Caps Lock off for as long as that takes.
    fn text(&mut self, text: &str) -> Result<(), DesktopError> {
        self.untold |= self.keyboard.refresh(&self.connection)?;
        let locked = self.keyboard.is_locked(&self.connection)?;
        self.turn_caps_lock(locked)?;
        let typed = self.characters(text);
        self.turn_caps_lock(locked)?;
        typed
    }

    fn turn_caps_lock(&mut self, wanted: bool) -> Result<(), DesktopError> {
        let Some(key) = by_code("CapsLock").filter(|_| wanted) else { return Ok(()) };
        self.keyboard.turned();
        self.key(key.x11_keycode(), true)?;
        self.key(key.x11_keycode(), false)
    }

    fn characters(&mut self, text: &str) -> Result<(), DesktopError> {
        for character in text.chars() {
            let stroke = self.keyboard.stroke(&self.connection, character)?;
            if stroke.shift {
                self.key(self.keyboard.shift, true)?;
            }
            self.key(stroke.keycode, true)?;
            self.key(stroke.keycode, false)?;
            if stroke.shift {
                self.key(self.keyboard.shift, false)?;
            }
        }
        Ok(())
    }

    fn turn(&mut self, x: i32, y: i32) -> Result<(), DesktopError> {
        let (right, up) = (self.wheel.0 + x, self.wheel.1 + y);
        self.wheel = (right % NOTCH, up % NOTCH);
        for (notches, positive, negative) in [(up / NOTCH, 4, 5), (right / NOTCH, 7, 6)] {
            let number = if notches > 0 { positive } else { negative };
            for _ in 0..notches.unsigned_abs() {
                self.button(number, true)?;
                self.button(number, false)?;
            }
        }
        Ok(())
    }
}

fn number(button: Button) -> u8 {
    match button {
        Button::Left => 1,
        Button::Middle => 2,
        Button::Right => 3,
        Button::Back => 8,
        Button::Forward => 9,
    }
}

impl Input for X11Input {
    fn inject(&mut self, what: &Injection, displays: &[DisplayInfo]) -> Result<(), DesktopError> {
        match what {
            Injection::Move { display, x, y } => self.move_to(*display, *x, *y, displays)?,
            Injection::Button(button, down) => self.button(number(*button), *down)?,
            Injection::Wheel { x, y } => self.turn(*x, *y)?,
            Injection::Key(key, false) => self.release(key)?,
            Injection::CapsLock(on) => self.caps_lock = Some(*on),
            Injection::Key(key, true) => {
                // As the viewer's Caps Lock says, and then the person's again.
                let wanted = self.caps_lock.take();
                let turn = match wanted {
                    Some(wanted) => self.keyboard.is_locked(&self.connection)? != wanted,
                    None => false,
                };
                self.turn_caps_lock(turn)?;
                self.press(key)?;
                self.turn_caps_lock(turn)?;
                if key.code == "CapsLock" {
                    self.keyboard.turned();
                }
            }
            Injection::Text(text) => self.text(text)?,
            Injection::SecureAttention => {
                for (code, down) in [(29, true), (56, true), (111, true), (111, false), (56, false), (29, false)] {
                    self.key(code + 8, down)?;
                }
            }
            Injection::Release(Release::Button(button)) => self.button(number(*button), false)?,
            Injection::Release(Release::Key { scan_code, extended }) => {
                if let Some(key) = by_scan_code(*scan_code, *extended) {
                    self.key(key.x11_keycode(), false)?;
                    self.repeat.let_go(&self.connection, key.x11_keycode())?;
                }
            }
        }
        self.connection.flush().map_err(failed("input was refused"))
    }

    fn layout(&mut self) -> Option<Vec<KeyCap>> {
        match self.keyboard.refresh(&self.connection) {
            Ok(changed) => self.untold |= changed,
            Err(error) => tracing::warn!(%error, "the keyboard map could not be read anew"),
        }
        std::mem::take(&mut self.untold).then(|| self.keyboard.caps().to_vec())
    }
}

impl Drop for X11Input {
    fn drop(&mut self) {
        self.keyboard.restore(&self.connection);
        let _: Result<(), _> = self.repeat.end(&self.connection);
        // The connection closes next, and what the display did not take until
        // then may be lost with it. Errors: the display is gone.
        let _: Result<(), _> = self.connection.sync();
    }
}
