//! Messages for what the hand does.

use bytes::Bytes;
use gc_protocol::messages::{
    InputReset, MouseButton, PointerButton, PointerMove, PointerWheel, SpecialKey, SpecialKeyKind, TextInput,
};
use gc_protocol::{encode, limits};

/// A text in parts that each fit one message.
pub(crate) fn in_parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = rest.len().min(limits::TEXT_INPUT);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(part)
    })
}

pub(crate) fn text(text: &str, seq: u32) -> Bytes {
    encode(TextInput { text: text.into(), seq })
}

pub(crate) fn pointer_move(display_id: u32, x: i32, y: i32, seq: u32) -> Bytes {
    encode(PointerMove { display_id, x, y, seq })
}

/// `button` as in `PointerEvent.button`.
pub(crate) fn pointer_button(display_id: u32, x: i32, y: i32, button: u16, down: bool, seq: u32) -> Option<Bytes> {
    let button = match button {
        0 => MouseButton::Left,
        1 => MouseButton::Middle,
        2 => MouseButton::Right,
        3 => MouseButton::Back,
        4 => MouseButton::Forward,
        _ => return None,
    };
    Some(encode(PointerButton { display_id, x, y, button: button.into(), down, seq }))
}

pub(crate) fn wheel(display_id: u32, (x, y): (i32, i32), (delta_x, delta_y): (i32, i32), seq: u32) -> Bytes {
    encode(PointerWheel { display_id, x, y, delta_x, delta_y, seq })
}

pub(crate) fn special(name: &str, seq: u32) -> Option<Bytes> {
    let kind = match name {
        "ctrl_alt_del" => SpecialKeyKind::SpecialKeyCtrlAltDel,
        "lock" => SpecialKeyKind::SpecialKeyLock,
        "win" => SpecialKeyKind::SpecialKeyWin,
        "win_r" => SpecialKeyKind::SpecialKeyWinR,
        "alt_tab" => SpecialKeyKind::SpecialKeyAltTab,
        "print_screen" => SpecialKeyKind::SpecialKeyPrintScreen,
        "ctrl_esc" => SpecialKeyKind::SpecialKeyCtrlEsc,
        "alt_f4" => SpecialKeyKind::SpecialKeyAltF4,
        _ => return None,
    };
    Some(encode(SpecialKey { kind: kind.into(), seq }))
}

pub(crate) fn reset(seq: u32) -> Bytes {
    encode(InputReset { seq })
}

#[cfg(test)]
mod tests {
    use super::in_parts;

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = "ä😀".repeat(1000);
        let parts: Vec<&str> = in_parts(&text).collect();
        assert!(parts.len() > 1 && parts.iter().all(|part| part.len() <= 1024));
        assert_eq!(parts.concat(), text);
    }
}
