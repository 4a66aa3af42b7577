//! What the keys type in the window in front.
//!
//! Asked from the character's side (`VkKeyScanEx`): asking from the key's side
//! (`ToUnicodeEx`) would swallow a dead key that the person has just typed.

use std::collections::BTreeMap;

use gc_keys::KeyCap;
use windows::Win32::UI::Input::KeyboardAndMouse::{
    GetKeyboardLayout, HKL, MAPVK_VK_TO_CHAR, MAPVK_VK_TO_VSC, MapVirtualKeyExW, VkKeyScanExW,
};
use windows::Win32::UI::WindowsAndMessaging::{GetForegroundWindow, GetWindowThreadProcessId};

/// Scripts with keyboards of their own: Latin to Cyrillic, Armenian, Hebrew,
/// Arabic, Thai, Georgian, and punctuation with the currency signs.
const CHARACTERS: [std::ops::RangeInclusive<u16>; 5] =
    [0x20..=0x24f, 0x370..=0x6ff, 0xe00..=0xe7f, 0x10a0..=0x10ff, 0x2010..=0x20bf];

/// Bits of `VkKeyScanEx`'s upper byte.
const SHIFT: u8 = 1;
const CONTROL_ALT: u8 = 6;

/// The layout in force with a number for it, unless it is the `known` one.
pub(super) fn in_force(known: Option<isize>) -> Option<(isize, Vec<KeyCap>)> {
    // SAFETY: no window in front means thread 0, which is this one.
    let layout = unsafe { GetKeyboardLayout(GetWindowThreadProcessId(GetForegroundWindow(), None)) };
    let id = layout.0 as isize;
    (known != Some(id)).then(|| (id, read(layout)))
}

fn read(layout: HKL) -> Vec<KeyCap> {
    let mut keys: BTreeMap<u16, KeyCap> = BTreeMap::new();
    for unit in CHARACTERS.into_iter().flatten() {
        // SAFETY: plain queries.
        let found = unsafe { VkKeyScanExW(unit, layout) };
        let [virtual_key, state] = found.to_le_bytes();
        let level = match state {
            0 => 0,
            SHIFT => 1,
            CONTROL_ALT => 2,
            both if both == CONTROL_ALT | SHIFT => 3,
            // Typed by no key, or with keys that are no part of any level.
            _ => continue,
        };
        // SAFETY: as above. The highest bit marks a dead key.
        let dead =
            level == 0 && unsafe { MapVirtualKeyExW(virtual_key.into(), MAPVK_VK_TO_CHAR, Some(layout)) } >> 31 == 1;
        if dead {
            continue;
        }
        // SAFETY: as above.
        let scan = unsafe { MapVirtualKeyExW(virtual_key.into(), MAPVK_VK_TO_VSC, Some(layout)) };
        let Some(scan_code) = u16::try_from(scan).ok().filter(|scan| (1..0x80).contains(scan)) else { continue };
        let cap = keys.entry(scan_code).or_insert(KeyCap { scan_code, types: [None; 4] });
        if let Some(place) = cap.types.get_mut(level) {
            *place = char::from_u32(unit.into());
        }
    }
    keys.into_values().collect()
}
