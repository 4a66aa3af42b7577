//! Input by `SendInput`: keys by scan code, with the virtual key filled in as
//! well (harmless on Windows, and Wine types nothing without it).

use gc_keys::{Button, Key, KeyCap, Release, by_scan_code};
use gc_session::agent::Injection;
use windows::Win32::UI::Input::KeyboardAndMouse::{
    INPUT, INPUT_0, INPUT_KEYBOARD, INPUT_MOUSE, KEYBD_EVENT_FLAGS, KEYBDINPUT, KEYEVENTF_EXTENDEDKEY, KEYEVENTF_KEYUP,
    KEYEVENTF_SCANCODE, KEYEVENTF_UNICODE, MOUSE_EVENT_FLAGS, MOUSEEVENTF_ABSOLUTE, MOUSEEVENTF_HWHEEL,
    MOUSEEVENTF_LEFTDOWN, MOUSEEVENTF_LEFTUP, MOUSEEVENTF_MIDDLEDOWN, MOUSEEVENTF_MIDDLEUP, MOUSEEVENTF_MOVE,
    MOUSEEVENTF_RIGHTDOWN, MOUSEEVENTF_RIGHTUP, MOUSEEVENTF_VIRTUALDESK, MOUSEEVENTF_WHEEL, MOUSEEVENTF_XDOWN,
    MOUSEEVENTF_XUP, MOUSEINPUT, VIRTUAL_KEY,
};
use windows::Win32::UI::WindowsAndMessaging::{
    GetSystemMetrics, SM_CXVIRTUALSCREEN, SM_CYVIRTUALSCREEN, SM_XVIRTUALSCREEN, SM_YVIRTUALSCREEN,
};

use super::keyboard;
use crate::{DesktopError, DisplayInfo, Input};

/// Injects; `told` is the layout that was told last.
#[derive(Default)]
pub(super) struct SendInput {
    told: Option<isize>,
}

fn stroke(virtual_key: u16, scan: u16, flags: KEYBD_EVENT_FLAGS) -> INPUT {
    let ki = KEYBDINPUT { wVk: VIRTUAL_KEY(virtual_key), wScan: scan, dwFlags: flags, time: 0, dwExtraInfo: 0 };
    INPUT { r#type: INPUT_KEYBOARD, Anonymous: INPUT_0 { ki } }
}

fn mouse(dx: i32, dy: i32, data: u32, flags: MOUSE_EVENT_FLAGS) -> INPUT {
    let mi = MOUSEINPUT { dx, dy, mouseData: data, dwFlags: flags, time: 0, dwExtraInfo: 0 };
    INPUT { r#type: INPUT_MOUSE, Anonymous: INPUT_0 { mi } }
}

fn key(key: &Key, down: bool) -> INPUT {
    // In the system's tables these two have scan codes of their own (Num Lock
    // the plain 45, Pause a sequence): they go by their virtual key.
    if matches!(key.code, "NumLock" | "Pause") {
        let up = if down { KEYBD_EVENT_FLAGS(0) } else { KEYEVENTF_KEYUP };
        let extended = if key.code == "NumLock" { KEYEVENTF_EXTENDEDKEY } else { KEYBD_EVENT_FLAGS(0) };
        return stroke(key.virtual_key, key.scan_code, up | extended);
    }
    let mut flags = KEYEVENTF_SCANCODE;
    if key.extended {
        flags |= KEYEVENTF_EXTENDEDKEY;
    }
    if !down {
        flags |= KEYEVENTF_KEYUP;
    }
    stroke(key.virtual_key, key.scan_code, flags)
}

fn button(button: Button, down: bool) -> INPUT {
    let (press, release, data) = match button {
        Button::Left => (MOUSEEVENTF_LEFTDOWN, MOUSEEVENTF_LEFTUP, 0),
        Button::Right => (MOUSEEVENTF_RIGHTDOWN, MOUSEEVENTF_RIGHTUP, 0),
        Button::Middle => (MOUSEEVENTF_MIDDLEDOWN, MOUSEEVENTF_MIDDLEUP, 0),
        Button::Back => (MOUSEEVENTF_XDOWN, MOUSEEVENTF_XUP, 1),
        Button::Forward => (MOUSEEVENTF_XDOWN, MOUSEEVENTF_XUP, 2),
    };
    mouse(0, 0, data, if down { press } else { release })
}

/// Where a point is on the virtual desktop, in 65,536ths of it, rounded up:
/// the system takes the whole pixels of it, `(at * span) >> 16`.
fn position(display: &DisplayInfo, x: i32, y: i32) -> (i32, i32) {
    // SAFETY: plain queries.
    let metric = |index| i64::from(unsafe { GetSystemMetrics(index) });
    let place = |at: i32, start: i32, length: u32, from: i64, span: i64| {
        let inside = i64::from(at).clamp(0, i64::from(length).max(1) - 1);
        let along = i64::from(start) + inside - from;
        let span = span.max(1);
        i32::try_from((along * 65_536 + span - 1) / span).unwrap_or(0).clamp(0, 65_535)
    };
    (
        place(x, display.x, display.size.width, metric(SM_XVIRTUALSCREEN), metric(SM_CXVIRTUALSCREEN)),
        place(y, display.y, display.size.height, metric(SM_YVIRTUALSCREEN), metric(SM_CYVIRTUALSCREEN)),
    )
}

fn send(inputs: &[INPUT]) -> Result<(), DesktopError> {
    // SAFETY: the slice and the size of its elements are right.
    let sent = unsafe { windows::Win32::UI::Input::KeyboardAndMouse::SendInput(inputs, size_of::<INPUT>() as i32) };
    if sent as usize == inputs.len() {
        return Ok(());
    }
    Err(DesktopError::Refused(
        "Windows refuses input here: the window in front belongs to an administrator, or a security prompt is open."
            .into(),
    ))
}

fn text(text: &str) -> Vec<INPUT> {
    let mut inputs = Vec::new();
    for character in text.chars() {
        let named = match character {
            '\n' => by_scan_code(0x1c, false),
            '\t' => by_scan_code(0x0f, false),
            _ => None,
        };
        if let Some(named) = named {
            inputs.extend([key(named, true), key(named, false)]);
            continue;
        }
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            inputs.push(stroke(0, *unit, KEYEVENTF_UNICODE));
            inputs.push(stroke(0, *unit, KEYEVENTF_UNICODE | KEYEVENTF_KEYUP));
        }
    }
    inputs
}

impl Input for SendInput {
    fn inject(&mut self, what: &Injection, displays: &[DisplayInfo]) -> Result<(), DesktopError> {
        match what {
            Injection::Move { display, x, y } => {
                let display = displays.iter().find(|other| other.id == *display).ok_or(DesktopError::Stale)?;
                let (x, y) = position(display, *x, *y);
                send(&[mouse(x, y, 0, MOUSEEVENTF_MOVE | MOUSEEVENTF_ABSOLUTE | MOUSEEVENTF_VIRTUALDESK)])
            }
            Injection::Button(which, down) => send(&[button(*which, *down)]),
            Injection::Wheel { x, y } => {
                let up = (*y != 0).then(|| mouse(0, 0, y.cast_unsigned(), MOUSEEVENTF_WHEEL));
                let right = (*x != 0).then(|| mouse(0, 0, x.cast_unsigned(), MOUSEEVENTF_HWHEEL));
                let inputs: Vec<INPUT> = up.into_iter().chain(right).collect();
                if inputs.is_empty() { Ok(()) } else { send(&inputs) }
            }
            Injection::Key(which, down) => send(&[key(which, *down)]),
            // Which threads see the toggle's true state differs by window; a wrong
            // guess would turn it with every key.
            Injection::CapsLock(_) => Ok(()),
            Injection::Text(characters) => send(&text(characters)),
            Injection::SecureAttention => Err(DesktopError::Refused(
                "Windows takes Ctrl+Alt+Del from an installed service only; this one-time program cannot send it."
                    .into(),
            )),
            Injection::Release(Release::Button(which)) => send(&[button(*which, false)]),
            Injection::Release(Release::Key { scan_code, extended }) => {
                by_scan_code(*scan_code, *extended).map_or(Ok(()), |which| send(&[key(which, false)]))
            }
        }
    }

    fn layout(&mut self) -> Option<Vec<KeyCap>> {
        let (id, caps) = keyboard::in_force(self.told)?;
        self.told = Some(id);
        Some(caps)
    }
}
