//! One row a key: the browser's code, the Windows virtual key, the set 1 scan
//! code with its E0 prefix, and the evdev code (an X11 key code less 8).
//!
//! Sources: W3C UI Events KeyboardEvent code values; Microsoft's scan code
//! specification; the kernel's input-event-codes.

/// One key of the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// `KeyboardEvent.code`.
    pub code: &'static str,
    /// Windows virtual key.
    pub virtual_key: u16,
    /// Set 1 scan code without prefix.
    pub scan_code: u16,
    /// The E0 prefix belongs to it.
    pub extended: bool,
    /// Linux input event code.
    pub evdev: u16,
}

impl Key {
    /// The X11 key code on an evdev keyboard.
    #[must_use]
    pub const fn x11_keycode(&self) -> u8 {
        (self.evdev + 8) as u8
    }

    /// Shift, Ctrl, Alt or a system key.
    #[must_use]
    pub fn is_modifier(&self) -> bool {
        ["Shift", "Control", "Alt", "Meta"].iter().any(|name| self.code.starts_with(name))
    }

    /// Whether a key that stays down is pressed again and again.
    #[must_use]
    pub fn repeats(&self) -> bool {
        !self.is_modifier() && !self.code.ends_with("Lock")
    }
}

const fn key(code: &'static str, virtual_key: u16, scan_code: u16, extended: bool, evdev: u16) -> Key {
    Key { code, virtual_key, scan_code, extended, evdev }
}

/// Every key.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("Escape", 0x1b, 0x01, false, 1),
    key("Digit1", 0x31, 0x02, false, 2), key("Digit2", 0x32, 0x03, false, 3),
    key("Digit3", 0x33, 0x04, false, 4), key("Digit4", 0x34, 0x05, false, 5),
    key("Digit5", 0x35, 0x06, false, 6), key("Digit6", 0x36, 0x07, false, 7),
    key("Digit7", 0x37, 0x08, false, 8), key("Digit8", 0x38, 0x09, false, 9),
    key("Digit9", 0x39, 0x0a, false, 10), key("Digit0", 0x30, 0x0b, false, 11),
    key("Minus", 0xbd, 0x0c, false, 12), key("Equal", 0xbb, 0x0d, false, 13),
    key("Backspace", 0x08, 0x0e, false, 14), key("Tab", 0x09, 0x0f, false, 15),
    key("KeyQ", 0x51, 0x10, false, 16), key("KeyW", 0x57, 0x11, false, 17),
    key("KeyE", 0x45, 0x12, false, 18), key("KeyR", 0x52, 0x13, false, 19),
    key("KeyT", 0x54, 0x14, false, 20), key("KeyY", 0x59, 0x15, false, 21),
    key("KeyU", 0x55, 0x16, false, 22), key("KeyI", 0x49, 0x17, false, 23),
    key("KeyO", 0x4f, 0x18, false, 24), key("KeyP", 0x50, 0x19, false, 25),
    key("BracketLeft", 0xdb, 0x1a, false, 26), key("BracketRight", 0xdd, 0x1b, false, 27),
    key("Enter", 0x0d, 0x1c, false, 28), key("ControlLeft", 0xa2, 0x1d, false, 29),
    key("KeyA", 0x41, 0x1e, false, 30), key("KeyS", 0x53, 0x1f, false, 31),
    key("KeyD", 0x44, 0x20, false, 32), key("KeyF", 0x46, 0x21, false, 33),
    key("KeyG", 0x47, 0x22, false, 34), key("KeyH", 0x48, 0x23, false, 35),
    key("KeyJ", 0x4a, 0x24, false, 36), key("KeyK", 0x4b, 0x25, false, 37),
    key("KeyL", 0x4c, 0x26, false, 38), key("Semicolon", 0xba, 0x27, false, 39),
    key("Quote", 0xde, 0x28, false, 40), key("Backquote", 0xc0, 0x29, false, 41),
    key("ShiftLeft", 0xa0, 0x2a, false, 42), key("Backslash", 0xdc, 0x2b, false, 43),
    key("KeyZ", 0x5a, 0x2c, false, 44), key("KeyX", 0x58, 0x2d, false, 45),
    key("KeyC", 0x43, 0x2e, false, 46), key("KeyV", 0x56, 0x2f, false, 47),
    key("KeyB", 0x42, 0x30, false, 48), key("KeyN", 0x4e, 0x31, false, 49),
    key("KeyM", 0x4d, 0x32, false, 50), key("Comma", 0xbc, 0x33, false, 51),
    key("Period", 0xbe, 0x34, false, 52), key("Slash", 0xbf, 0x35, false, 53),
    key("ShiftRight", 0xa1, 0x36, false, 54), key("NumpadMultiply", 0x6a, 0x37, false, 55),
    key("AltLeft", 0xa4, 0x38, false, 56), key("Space", 0x20, 0x39, false, 57),
    key("CapsLock", 0x14, 0x3a, false, 58),
    key("F1", 0x70, 0x3b, false, 59), key("F2", 0x71, 0x3c, false, 60),
    key("F3", 0x72, 0x3d, false, 61), key("F4", 0x73, 0x3e, false, 62),
    key("F5", 0x74, 0x3f, false, 63), key("F6", 0x75, 0x40, false, 64),
    key("F7", 0x76, 0x41, false, 65), key("F8", 0x77, 0x42, false, 66),
    key("F9", 0x78, 0x43, false, 67), key("F10", 0x79, 0x44, false, 68),
    key("NumLock", 0x90, 0x45, true, 69), key("Pause", 0x13, 0x45, false, 119),
    key("ScrollLock", 0x91, 0x46, false, 70),
    key("Numpad7", 0x67, 0x47, false, 71), key("Numpad8", 0x68, 0x48, false, 72),
    key("Numpad9", 0x69, 0x49, false, 73), key("NumpadSubtract", 0x6d, 0x4a, false, 74),
    key("Numpad4", 0x64, 0x4b, false, 75), key("Numpad5", 0x65, 0x4c, false, 76),
    key("Numpad6", 0x66, 0x4d, false, 77), key("NumpadAdd", 0x6b, 0x4e, false, 78),
    key("Numpad1", 0x61, 0x4f, false, 79), key("Numpad2", 0x62, 0x50, false, 80),
    key("Numpad3", 0x63, 0x51, false, 81), key("Numpad0", 0x60, 0x52, false, 82),
    key("NumpadDecimal", 0x6e, 0x53, false, 83),
    key("IntlBackslash", 0xe2, 0x56, false, 86),
    key("F11", 0x7a, 0x57, false, 87), key("F12", 0x7b, 0x58, false, 88),
    key("NumpadEqual", 0x92, 0x59, false, 117),
    key("F13", 0x7c, 0x64, false, 183), key("F14", 0x7d, 0x65, false, 184),
    key("F15", 0x7e, 0x66, false, 185), key("F16", 0x7f, 0x67, false, 186),
    key("F17", 0x80, 0x68, false, 187), key("F18", 0x81, 0x69, false, 188),
    key("F19", 0x82, 0x6a, false, 189), key("F20", 0x83, 0x6b, false, 190),
    key("F21", 0x84, 0x6c, false, 191), key("F22", 0x85, 0x6d, false, 192),
    key("F23", 0x86, 0x6e, false, 193), key("F24", 0x87, 0x76, false, 194),
    key("KanaMode", 0x15, 0x70, false, 93), key("IntlRo", 0xc1, 0x73, false, 89),
    key("Convert", 0x1c, 0x79, false, 92), key("NonConvert", 0x1d, 0x7b, false, 94),
    key("IntlYen", 0xff, 0x7d, false, 124), key("NumpadComma", 0xc2, 0x7e, false, 121),
    key("NumpadEnter", 0x0d, 0x1c, true, 96), key("ControlRight", 0xa3, 0x1d, true, 97),
    key("NumpadDivide", 0x6f, 0x35, true, 98), key("PrintScreen", 0x2c, 0x37, true, 99),
    key("AltRight", 0xa5, 0x38, true, 100),
    key("Home", 0x24, 0x47, true, 102), key("ArrowUp", 0x26, 0x48, true, 103),
    key("PageUp", 0x21, 0x49, true, 104), key("ArrowLeft", 0x25, 0x4b, true, 105),
    key("ArrowRight", 0x27, 0x4d, true, 106), key("End", 0x23, 0x4f, true, 107),
    key("ArrowDown", 0x28, 0x50, true, 108), key("PageDown", 0x22, 0x51, true, 109),
    key("Insert", 0x2d, 0x52, true, 110), key("Delete", 0x2e, 0x53, true, 111),
    key("MetaLeft", 0x5b, 0x5b, true, 125), key("MetaRight", 0x5c, 0x5c, true, 126),
    key("ContextMenu", 0x5d, 0x5d, true, 127),
    key("MediaTrackPrevious", 0xb1, 0x10, true, 165), key("MediaTrackNext", 0xb0, 0x19, true, 163),
    key("AudioVolumeMute", 0xad, 0x20, true, 113), key("LaunchApp2", 0xb7, 0x21, true, 140),
    key("MediaPlayPause", 0xb3, 0x22, true, 164), key("MediaStop", 0xb2, 0x24, true, 166),
    key("AudioVolumeDown", 0xae, 0x2e, true, 114), key("AudioVolumeUp", 0xaf, 0x30, true, 115),
    key("BrowserHome", 0xac, 0x32, true, 172), key("BrowserSearch", 0xaa, 0x65, true, 217),
    key("BrowserFavorites", 0xab, 0x66, true, 156), key("BrowserRefresh", 0xa8, 0x67, true, 173),
    key("BrowserStop", 0xa9, 0x68, true, 128), key("BrowserForward", 0xa7, 0x69, true, 159),
    key("BrowserBack", 0xa6, 0x6a, true, 158), key("LaunchApp1", 0xb6, 0x6b, true, 144),
    key("LaunchMail", 0xb4, 0x6c, true, 155), key("MediaSelect", 0xb5, 0x6d, true, 226),
];

/// The key with this `KeyboardEvent.code`.
#[must_use]
pub fn by_code(code: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.code == code)
}

/// The key with this scan code and prefix.
#[must_use]
pub fn by_scan_code(scan_code: u32, extended: bool) -> Option<&'static Key> {
    KEYS.iter().find(|key| u32::from(key.scan_code) == scan_code && key.extended == extended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        for key in KEYS {
            assert_eq!(by_code(key.code), Some(key));
            assert_eq!(by_scan_code(u32::from(key.scan_code), key.extended), Some(key), "{}", key.code);
            assert_eq!(KEYS.iter().filter(|other| other.evdev == key.evdev).count(), 1, "{}", key.code);
            assert!(key.evdev < 248, "{}", key.code);
        }
    }

    #[test]
    fn spot_checks() {
        for (code, virtual_key, scan_code, extended, x11) in [
            ("KeyA", 0x41, 0x1e, false, 38),
            ("Enter", 0x0d, 0x1c, false, 36),
            ("NumpadEnter", 0x0d, 0x1c, true, 104),
            ("AltRight", 0xa5, 0x38, true, 108),
            ("MetaLeft", 0x5b, 0x5b, true, 133),
            ("Delete", 0x2e, 0x53, true, 119),
        ] {
            let key = by_code(code).unwrap();
            let got = (key.virtual_key, key.scan_code, key.extended, key.x11_keycode());
            assert_eq!(got, (virtual_key, scan_code, extended, x11), "{code}");
        }
    }

    #[test]
    fn what_is_held_with_others_does_not_repeat() {
        let not: Vec<&str> = KEYS.iter().filter(|key| !key.repeats()).map(|key| key.code).collect();
        assert_eq!(not.len(), 11, "{not:?}");
        for code in ["KeyA", "Space", "Enter", "ArrowLeft", "Backspace", "Delete", "F5", "Numpad0"] {
            assert!(!not.contains(&code), "{code}");
        }
    }
}
