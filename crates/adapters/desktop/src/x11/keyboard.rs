//! What the keys type on this display, and spare keys for characters that no
//! key types.

use std::collections::{HashMap, VecDeque};

use gc_keys::KeyCap;
use gc_keys::table::KEYS;
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xkb::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{ConnectionExt as _, ModMask};
use x11rb::rust_connection::RustConnection;
use xkeysym::Keysym;

use super::{answered, failed};
use crate::DesktopError;

/// `XkbUseCoreKbd`: whichever keyboard is in use.
pub(super) const CORE: xkb::DeviceSpec = 0x100;

/// How to type one character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stroke {
    pub(super) keycode: u8,
    pub(super) shift: bool,
}

/// The keyboard map of the display, in the group that is in force.
#[derive(Debug)]
pub(super) struct Keyboard {
    caps: Vec<KeyCap>,
    strokes: HashMap<char, Stroke>,
    spare: VecDeque<u8>,
    borrowed: HashMap<char, u8>,
    pub(super) shift: u8,
    /// Whether Caps Lock would change what is typed, where nothing was heard
    /// since it was asked.
    locked: Option<bool>,
}

/// The keysym for a character that gets a key of its own.
fn keysym(character: char) -> u32 {
    match character {
        '\n' => Keysym::Return.raw(),
        '\t' => Keysym::Tab.raw(),
        other => Keysym::from_char(other).raw(),
    }
}

/// The character that a keysym types; none for function keys and dead keys.
pub(super) fn character(keysym: u32) -> Option<char> {
    match Keysym::from(keysym) {
        Keysym::Return => Some('\n'),
        Keysym::Tab => Some('\t'),
        other => other.key_char().filter(|character| !character.is_control()),
    }
}

/// Columns of a core keyboard map for one XKB group: alone, with Shift, and
/// both again on the third level (XKB protocol, 12.1.2).
fn columns(group: usize) -> [usize; 4] {
    let (first, third) = if group == 0 { (0, 4) } else { (2, 6) };
    [first, first + 1, third, third + 1]
}

impl Keyboard {
    /// Read the map, and hear of changes on this connection from now on.
    pub(super) fn open(connection: &RustConnection) -> Result<Self, DesktopError> {
        let what = "the keyboard map cannot be read";
        connection.xkb_use_extension(1, 0).map_err(failed(what))?.reply().map_err(answered(what))?;
        let events = xkb::EventType::NEW_KEYBOARD_NOTIFY | xkb::EventType::MAP_NOTIFY | xkb::EventType::STATE_NOTIFY;
        let (none, symbols) = (xkb::EventType::from(0u8), xkb::MapPart::KEY_SYMS);
        connection
            .xkb_select_events(CORE, none, events, symbols, symbols, &xkb::SelectEventsAux::new())
            .map_err(failed(what))?
            .check()
            .map_err(answered(what))?;
        Self::read(connection)
    }

    fn read(connection: &RustConnection) -> Result<Self, DesktopError> {
        let what = "the keyboard map cannot be read";
        let (lowest, highest) = (connection.setup().min_keycode, connection.setup().max_keycode);
        let count = highest.saturating_sub(lowest).saturating_add(1);
        let map = connection.get_keyboard_mapping(lowest, count).map_err(failed(what))?;
        let state = connection.xkb_get_state(CORE).map_err(failed(what))?;
        let map = map.reply().map_err(answered(what))?;
        let group = state.reply().map_err(answered(what))?.group;
        let columns = columns(u8::from(group).into());
        let width = usize::from(map.keysyms_per_keycode).max(1);
        let mut keyboard = Self {
            caps: Vec::new(),
            strokes: HashMap::new(),
            spare: VecDeque::new(),
            borrowed: HashMap::new(),
            shift: 50,
            locked: None,
        };
        for (keycode, syms) in (lowest..=highest).zip(map.keysyms.chunks(width)) {
            if syms.iter().all(|sym| *sym == 0) {
                keyboard.spare.push_back(keycode);
                continue;
            }
            if syms.first() == Some(&Keysym::Shift_L.raw()) {
                keyboard.shift = keycode;
            }
            let types = columns.map(|column| syms.get(column).copied().and_then(character));
            for (typed, shift) in types.iter().take(2).zip([false, true]) {
                if let Some(typed) = typed {
                    keyboard.strokes.entry(*typed).or_insert(Stroke { keycode, shift });
                }
            }
            let key = KEYS.iter().find(|key| !key.extended && key.x11_keycode() == keycode);
            let cap = key.map(|key| KeyCap { scan_code: key.scan_code, types });
            keyboard.caps.extend(cap.filter(|cap| !cap.is_blank()));
        }
        Ok(keyboard)
    }

    /// Take in what the display said of its keyboard meanwhile; whether the
    /// map is another one now.
    pub(super) fn refresh(&mut self, connection: &RustConnection) -> Result<bool, DesktopError> {
        let mut stale = false;
        while let Ok(Some(event)) = connection.poll_for_event() {
            stale |= match event {
                Event::MappingNotify(event) => !self.is_own(event.first_keycode, event.count),
                Event::XkbMapNotify(event) => !self.is_own(event.first_key_sym, event.n_key_syms),
                Event::XkbStateNotify(event) => {
                    self.locked = None;
                    event.changed.contains(xkb::StatePart::GROUP_STATE)
                }
                Event::XkbNewKeyboardNotify(_) => true,
                _ => false,
            };
        }
        if stale {
            let fresh = Self::read(connection)?;
            let changed = fresh.caps != self.caps;
            *self = fresh;
            return Ok(changed);
        }
        Ok(false)
    }

    /// A change of one key that was borrowed here.
    fn is_own(&self, keycode: u8, count: u8) -> bool {
        count == 1 && self.spare.contains(&keycode)
    }

    /// What the keys type.
    pub(super) fn caps(&self) -> &[KeyCap] {
        &self.caps
    }

    /// Whether Caps Lock would change what is typed.
    pub(super) fn is_locked(&mut self, connection: &RustConnection) -> Result<bool, DesktopError> {
        if let Some(locked) = self.locked {
            return Ok(locked);
        }
        let what = "the keyboard's state cannot be read";
        let state = connection.xkb_get_state(CORE).map_err(failed(what))?.reply().map_err(answered(what))?;
        let locked = state.mods.contains(ModMask::LOCK);
        self.locked = Some(locked);
        Ok(locked)
    }

    /// Caps Lock is pressed here: what was known of it is no longer.
    pub(super) fn turned(&mut self) {
        self.locked = None;
    }

    /// How to type `character`; a spare key is given to it where none has it.
    pub(super) fn stroke(&mut self, connection: &RustConnection, character: char) -> Result<Stroke, DesktopError> {
        if let Some(stroke) = self.strokes.get(&character) {
            return Ok(*stroke);
        }
        if let Some(keycode) = self.borrowed.get(&character) {
            return Ok(Stroke { keycode: *keycode, shift: false });
        }
        let none = || DesktopError::Refused("The keyboard has no room for this character.".into());
        let keycode = self.spare.pop_front().ok_or_else(none)?;
        self.spare.push_back(keycode);
        self.borrowed.retain(|_, other| *other != keycode);
        let (sym, what) = (keysym(character), "the keyboard map cannot be changed");
        // The same on both levels, so that Shift changes nothing.
        connection
            .change_keyboard_mapping(1, keycode, 2, &[sym, sym])
            .map_err(failed(what))?
            .check()
            .map_err(answered(what))?;
        self.borrowed.insert(character, keycode);
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
    use super::{character, keysym};

    #[test]
    fn keysyms_and_characters() {
        for (typed, sym) in [('a', 0x61), ('ü', 0xfc), ('😀', 0x0101_f600), ('\n', 0xff0d), ('\t', 0xff09)] {
            assert_eq!(keysym(typed), sym, "{typed}");
            assert_eq!(character(sym), Some(typed), "{sym:x}");
        }
        for (sym, typed) in [
            // Names older than Unicode, and dead keys.
            (0x20ac, Some('€')),
            (0x06c1, Some('а')),
            (0xfe51, None),
            (0xffe1, None),
            (0xff08, None),
            (0, None),
        ] {
            assert_eq!(character(sym), typed, "{sym:x}");
        }
    }
}
