#![expect(clippy::missing_const_for_thread_local, reason = "the initializer is const; the lint looks past that here")]
//! A small window of text, a field and two buttons, by the system's own
//! controls: the notice, and the question for a code.

use std::cell::RefCell;

use windows::Win32::Foundation::{HWND, LPARAM, LRESULT, WPARAM};
use windows::Win32::Graphics::Gdi::{GetSysColorBrush, SYS_COLOR_INDEX};
use windows::Win32::System::LibraryLoader::GetModuleHandleW;
use windows::Win32::UI::Controls::{EM_SCROLLCARET, EM_SETSEL};
use windows::Win32::UI::Input::KeyboardAndMouse::SetFocus;
use windows::Win32::UI::WindowsAndMessaging::{
    BS_DEFPUSHBUTTON, CreateWindowExW, DefWindowProcW, DestroyWindow, DispatchMessageW, ES_AUTOHSCROLL, ES_AUTOVSCROLL,
    ES_MULTILINE, ES_READONLY, GetMessageW, GetSystemMetrics, GetWindowTextW, HMENU, HWND_TOPMOST, IsDialogMessageW,
    MSG, PostMessageW, PostQuitMessage, RegisterClassW, SM_CXSCREEN, SM_CYSCREEN, SW_SHOW, SW_SHOWNOACTIVATE,
    SWP_NOACTIVATE, SWP_NOMOVE, SWP_NOSIZE, SendMessageW, SetForegroundWindow, SetWindowPos, SetWindowTextW,
    ShowWindow, TranslateMessage, WINDOW_EX_STYLE, WINDOW_STYLE, WM_APP, WM_CLOSE, WM_COMMAND, WM_DESTROY, WM_SETFONT,
    WNDCLASSW, WS_BORDER, WS_CAPTION, WS_CHILD, WS_EX_TOPMOST, WS_SYSMENU, WS_TABSTOP, WS_VISIBLE,
};
use windows::core::{PCWSTR, w};

use super::{refused, wide};
use crate::DesktopError;

/// Identifiers of the controls. 1 is what Enter means, 2 what Escape means and
/// no control has: Escape never presses a button.
const FIRST: usize = 1;
const ESCAPE: usize = 2;
const FIELD: usize = 3;
const SECOND: usize = 4;
const TEXT: usize = 10;

/// What a panel shows.
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) text: String,
    /// The buttons below a field; without them there is only text.
    pub(super) buttons: Option<(&'static str, &'static str)>,
    /// In the corner, without taking the focus.
    pub(super) corner: bool,
}

/// What a person did.
pub(super) enum Act {
    /// The first button, or Enter, with what is in the field.
    First(String),
    /// The second button.
    Second,
    /// Escape, or the window's cross.
    Close,
    /// Somebody called [`Handle::wake`].
    Woken,
}

/// What a handler wants next.
pub(super) enum Flow {
    /// Go on.
    Wait,
    /// Show this text, and empty the field or not.
    Show(String, bool),
    /// The window goes.
    Done,
}

/// Reaches a panel from another thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handle(isize);

impl Handle {
    /// Let the handler be called with [`Act::Woken`].
    pub(super) fn wake(self) {
        // SAFETY: posting to a window that is gone fails and does nothing.
        let _gone: windows::core::Result<()> =
            unsafe { PostMessageW(Some(HWND(self.0 as *mut _)), WM_APP, WPARAM(0), LPARAM(0)) };
    }
}

type Handler = Box<dyn FnMut(Act) -> Flow>;

struct Open {
    handler: Handler,
    label: HWND,
    field: Option<HWND>,
}

thread_local! {
    /// The panel of this thread; its window's messages come on this thread only.
    static OPEN: RefCell<Option<Open>> = const { RefCell::new(None) };
}

/// Show a panel until its handler is done. `ready` gets a handle first.
pub(super) fn run(panel: &Panel, ready: impl FnOnce(Handle), handler: Handler) -> Result<(), DesktopError> {
    let window = create(panel, handler)?;
    ready(Handle(window.0 as isize));
    // SAFETY: an ordinary message loop of the thread that made the window.
    unsafe {
        let _shown = ShowWindow(window, if panel.corner { SW_SHOWNOACTIVATE } else { SW_SHOW });
        let above = SWP_NOMOVE | SWP_NOSIZE | SWP_NOACTIVATE;
        let _raised: windows::core::Result<()> = SetWindowPos(window, Some(HWND_TOPMOST), 0, 0, 0, 0, above);
        if !panel.corner {
            let _front = SetForegroundWindow(window);
            let field = OPEN.with_borrow(|open| open.as_ref().and_then(|open| open.field));
            let _before: windows::core::Result<HWND> = SetFocus(field);
        }
        let mut message = MSG::default();
        while GetMessageW(&raw mut message, None, 0, 0).0 > 0 {
            if !IsDialogMessageW(window, &raw const message).as_bool() {
                let _translated = TranslateMessage(&raw const message);
                DispatchMessageW(&raw const message);
            }
        }
    }
    OPEN.set(None);
    Ok(())
}

fn create(panel: &Panel, handler: Handler) -> Result<HWND, DesktopError> {
    let what = "no window can be shown";
    let class = w!("GuruConnectPanel");
    let dots = super::scale::system_dots();
    let of = |length: i32| super::scale::at(length, dots);
    let (width, height) = if panel.corner { (of(320), of(250)) } else { (of(400), of(200)) };
    // SAFETY: every string outlives the call it is passed to; handles are checked.
    unsafe {
        let module = GetModuleHandleW(None).map_err(refused(what))?;
        let description = WNDCLASSW {
            lpfnWndProc: Some(procedure),
            hInstance: module.into(),
            lpszClassName: class,
            // COLOR_BTNFACE
            hbrBackground: GetSysColorBrush(SYS_COLOR_INDEX(15)),
            ..Default::default()
        };
        // Zero also says that the class is there already.
        RegisterClassW(&raw const description);
        let (screen_width, screen_height) = (GetSystemMetrics(SM_CXSCREEN), GetSystemMetrics(SM_CYSCREEN));
        let (x, y) = if panel.corner {
            (screen_width - width - of(16), screen_height - height - of(56))
        } else {
            ((screen_width - width) / 2, (screen_height - height) / 2)
        };
        let title = wide(&panel.title);
        let style = WS_CAPTION | WS_SYSMENU;
        let owner = Some(module.into());
        let window = CreateWindowExW(
            WS_EX_TOPMOST,
            class,
            PCWSTR(title.as_ptr()),
            style,
            x.max(0),
            y.max(0),
            width,
            height,
            None,
            None,
            owner,
            None,
        )
        .map_err(refused(what))?;
        let font = super::scale::font(dots);
        let control = |kind: PCWSTR, text: &str, style: WINDOW_STYLE, id: usize, place: (i32, i32, i32, i32)| {
            let text = wide(text);
            let made = CreateWindowExW(
                WINDOW_EX_STYLE(0),
                kind,
                PCWSTR(text.as_ptr()),
                WS_CHILD | WS_VISIBLE | style,
                place.0,
                place.1,
                place.2,
                place.3,
                Some(window),
                Some(HMENU(id as *mut _)),
                owner,
                None,
            )
            .map_err(refused(what))?;
            SendMessageW(made, WM_SETFONT, Some(WPARAM(font.0 as usize)), Some(LPARAM(1)));
            Ok::<HWND, DesktopError>(made)
        };
        let (inner, bottom) = (width - of(28), height - of(76));
        let text_bottom = if panel.buttons.is_some() { bottom - of(50) } else { bottom };
        // Read-only and scrolled: what is said last is always in sight.
        let text = WINDOW_STYLE((ES_MULTILINE | ES_READONLY | ES_AUTOVSCROLL) as u32);
        let label = control(w!("EDIT"), &panel.text, text, TEXT, (of(12), of(10), inner, text_bottom))?;
        let field = if let Some((first, second)) = panel.buttons {
            let style = WS_TABSTOP | WS_BORDER | WINDOW_STYLE(ES_AUTOHSCROLL as u32);
            let field = control(w!("EDIT"), "", style, FIELD, (of(12), bottom - of(32), inner, of(24)))?;
            let style = WS_TABSTOP | WINDOW_STYLE(BS_DEFPUSHBUTTON as u32);
            control(w!("BUTTON"), first, style, FIRST, (width - of(226), bottom, of(100), of(28)))?;
            control(w!("BUTTON"), second, WS_TABSTOP, SECOND, (width - of(120), bottom, of(100), of(28)))?;
            Some(field)
        } else {
            None
        };
        OPEN.set(Some(Open { handler, label, field }));
        Ok(window)
    }
}

unsafe extern "system" fn procedure(window: HWND, message: u32, first: WPARAM, second: LPARAM) -> LRESULT {
    let act = match message {
        WM_COMMAND if second.0 != 0 && first.0 & 0xffff == FIRST => Some(Act::First(field_text())),
        WM_COMMAND if second.0 != 0 && first.0 & 0xffff == SECOND => Some(Act::Second),
        // Without a control behind it: the keyboard's Enter and Escape.
        WM_COMMAND if second.0 == 0 && first.0 & 0xffff == FIRST => Some(Act::First(field_text())),
        WM_COMMAND if first.0 & 0xffff == ESCAPE => Some(Act::Close),
        WM_CLOSE => Some(Act::Close),
        WM_APP => Some(Act::Woken),
        WM_DESTROY => {
            // SAFETY: ends this thread's own loop.
            unsafe { PostQuitMessage(0) };
            return LRESULT(0);
        }
        _ => None,
    };
    let Some(act) = act else {
        // SAFETY: the message is passed on as it came.
        return unsafe { DefWindowProcW(window, message, first, second) };
    };
    // The handler is taken out while it runs: what it does may bring messages.
    let taken = OPEN.take();
    let Some(mut open) = taken else { return LRESULT(0) };
    let flow = (open.handler)(act);
    let (label, field) = (open.label, open.field);
    OPEN.set(Some(open));
    match flow {
        Flow::Wait => {}
        Flow::Show(text, empty) => {
            let text = wide(&text);
            // SAFETY: our own controls; the strings outlive the calls.
            unsafe {
                let _shown: windows::core::Result<()> = SetWindowTextW(label, PCWSTR(text.as_ptr()));
                let end = WPARAM(usize::MAX >> 1);
                SendMessageW(label, EM_SETSEL, Some(end), Some(LPARAM(isize::MAX)));
                SendMessageW(label, EM_SCROLLCARET, None, None);
                if let Some(field) = field.filter(|_| empty) {
                    let _emptied: windows::core::Result<()> = SetWindowTextW(field, w!(""));
                }
            }
        }
        Flow::Done => {
            // SAFETY: our own window, on its own thread.
            let _gone: windows::core::Result<()> = unsafe { DestroyWindow(window) };
        }
    }
    LRESULT(0)
}

fn field_text() -> String {
    let field = OPEN.with_borrow(|open| open.as_ref().and_then(|open| open.field));
    let Some(field) = field else { return String::new() };
    let mut text = [0u16; 512];
    // SAFETY: the buffer's length goes with it.
    let length = unsafe { GetWindowTextW(field, &mut text) };
    String::from_utf16_lossy(text.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default())
}
