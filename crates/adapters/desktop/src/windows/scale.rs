//! Dots per inch: of each monitor, and of the windows that this program shows.

use windows::Win32::Foundation::E_NOTIMPL;
use windows::Win32::Graphics::Gdi::{
    CLEARTYPE_QUALITY, CLIP_DEFAULT_PRECIS, CreateFontW, DEFAULT_CHARSET, FW_NORMAL, GetDC, GetDeviceCaps, HFONT,
    HMONITOR, LOGPIXELSX, OUT_DEFAULT_PRECIS, ReleaseDC,
};
use windows::Win32::System::LibraryLoader::{GetProcAddress, LoadLibraryW};
use windows::core::{HRESULT, s, w};

/// What 100 % is.
const NORMAL: i32 = 96;
/// `MDT_EFFECTIVE_DPI`: what applications on the monitor are scaled by.
const EFFECTIVE: i32 = 0;

type GetDpiForMonitor = unsafe extern "system" fn(HMONITOR, i32, *mut u32, *mut u32) -> HRESULT;

/// A monitor's scale in percent. Before Windows 8.1 all have the system's.
pub(super) fn percent(monitor: HMONITOR) -> u32 {
    let dots = of_monitor(monitor).unwrap_or_else(|| system_dots().unsigned_abs());
    dots.max(1) * 100 / NORMAL.unsigned_abs()
}

fn of_monitor(monitor: HMONITOR) -> Option<u32> {
    let (mut x, mut y) = (0, 0);
    // SAFETY: the signature is the documented one of this function, and both
    // pointers live through the call.
    let answered = unsafe {
        let library = LoadLibraryW(w!("shcore.dll")).ok()?;
        let found = GetProcAddress(library, s!("GetDpiForMonitor"))?;
        let ask = std::mem::transmute::<unsafe extern "system" fn() -> isize, GetDpiForMonitor>(found);
        ask(monitor, EFFECTIVE, &raw mut x, &raw mut y)
    };
    (answered.is_ok() && answered != E_NOTIMPL && x > 0).then_some(x)
}

/// Dots per inch of the main monitor.
pub(super) fn system_dots() -> i32 {
    // SAFETY: the context is released at once.
    unsafe {
        let screen = GetDC(None);
        let dots = GetDeviceCaps(Some(screen), LOGPIXELSX);
        ReleaseDC(None, screen);
        if dots > 0 { dots } else { NORMAL }
    }
}

/// A length that was meant for 96 dots, at so many.
pub(super) fn at(length: i32, dots: i32) -> i32 {
    length * dots / NORMAL
}

/// The system's plain font at 9 points. It lives as long as the program.
pub(super) fn font(dots: i32) -> HFONT {
    // SAFETY: the name is a constant.
    unsafe {
        CreateFontW(
            -(9 * dots / 72),
            0,
            0,
            0,
            FW_NORMAL.0 as i32,
            0,
            0,
            0,
            DEFAULT_CHARSET,
            OUT_DEFAULT_PRECIS,
            CLIP_DEFAULT_PRECIS,
            CLEARTYPE_QUALITY,
            0,
            w!("Segoe UI"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::at;

    #[test]
    fn lengths_grow_with_the_dots() {
        for (dots, expected) in [(96, 100), (120, 125), (192, 200)] {
            assert_eq!(at(100, dots), expected);
        }
    }
}
