//! Which key gives which character on this display, and spare keys for
//! characters that no key gives.

use std::collections::{HashMap, VecDeque};

use x11rb::connection::Connection;
use x11rb::protocol::xproto::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

use super::{answered, failed};
use crate::DesktopError;

/// How to type one character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stroke {
    pub(super) keycode: u8,
    pub(super) shift: bool,
}

/// The keyboard map of the display.
#[derive(Debug)]
pub(super) struct Keyboard {
    strokes: HashMap<u32, Stroke>,
    spare: VecDeque<u8>,
    borrowed: HashMap<u32, u8>,
    pub(super) shift: u8,
}

/// The keysym for a character: Latin-1 is itself, the rest is Unicode with the
/// 24th bit set (X protocol, appendix A).
pub(super) fn keysym(character: char) -> u32 {
    match character {
        '\n' => 0xff0d,
        '\t' => 0xff09,
        ' '..='~' | '\u{a0}'..='\u{ff}' => character as u32,
        other => 0x0100_0000 | other as u32,
    }
}

impl Keyboard {
    pub(super) fn read(connection: &RustConnection) -> Result<Self, DesktopError> {
        let what = "the keyboard map cannot be read";
        let (lowest, highest) = (connection.setup().min_keycode, connection.setup().max_keycode);
        let count = highest.saturating_sub(lowest).saturating_add(1);
        let map = connection.get_keyboard_mapping(lowest, count).map_err(failed(what))?;
        let map = map.reply().map_err(answered(what))?;
        let columns = usize::from(map.keysyms_per_keycode).max(1);
        let mut keyboard =
            Self { strokes: HashMap::new(), spare: VecDeque::new(), borrowed: HashMap::new(), shift: 50 };
        for (keycode, syms) in (lowest..=highest).zip(map.keysyms.chunks(columns)) {
            if syms.iter().all(|sym| *sym == 0) {
                keyboard.spare.push_back(keycode);
            }
            for (sym, shift) in syms.iter().take(2).zip([false, true]) {
                if *sym != 0 {
                    keyboard.strokes.entry(*sym).or_insert(Stroke { keycode, shift });
                }
            }
            // XK_Shift_L
            if syms.first() == Some(&0xffe1) {
                keyboard.shift = keycode;
            }
        }
        Ok(keyboard)
    }

    /// How to type `character`; a spare key is given to it where none has it.
    pub(super) fn stroke(&mut self, connection: &RustConnection, character: char) -> Result<Stroke, DesktopError> {
        let sym = keysym(character);
        if let Some(stroke) = self.strokes.get(&sym) {
            return Ok(*stroke);
        }
        if let Some(keycode) = self.borrowed.get(&sym) {
            return Ok(Stroke { keycode: *keycode, shift: false });
        }
        let none = || DesktopError::Refused("The keyboard has no room for this character.".into());
        let keycode = self.spare.pop_front().ok_or_else(none)?;
        self.spare.push_back(keycode);
        self.borrowed.retain(|_, other| *other != keycode);
        let what = "the keyboard map cannot be changed";
        // The same on both levels, so that Shift and Caps Lock change nothing.
        connection
            .change_keyboard_mapping(1, keycode, 2, &[sym, sym])
            .map_err(failed(what))?
            .check()
            .map_err(answered(what))?;
        self.borrowed.insert(sym, keycode);
        Ok(Stroke { keycode, shift: false })
    }

    /// Give every borrowed key back.
    pub(super) fn restore(&mut self, connection: &RustConnection) {
        for (_, keycode) in self.borrowed.drain() {
            if let Ok(cookie) = connection.change_keyboard_mapping(1, keycode, 2, &[0, 0]) {
                cookie.ignore_error();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::keysym;

    #[test]
    fn keysyms() {
        for (character, expected) in [('a', 0x61), ('ü', 0xfc), ('€', 0x0100_20ac), ('😀', 0x0101_f600), ('\n', 0xff0d)]
        {
            assert_eq!(keysym(character), expected, "{character}");
        }
    }
}
