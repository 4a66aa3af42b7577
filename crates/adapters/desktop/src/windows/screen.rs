//! The screen by GDI: every display copied into memory and compared there.

use std::time::Duration;

use gc_screen::{Rect, Size};
use windows::Win32::Foundation::{LPARAM, RECT};
use windows::Win32::Graphics::Gdi::{
    BI_RGB, BITMAPINFO, BITMAPINFOHEADER, BitBlt, CAPTUREBLT, CreateCompatibleDC, CreateDIBSection, DIB_RGB_COLORS,
    DeleteDC, DeleteObject, EnumDisplayMonitors, GdiFlush, GetDC, GetMonitorInfoW, HBITMAP, HDC, HMONITOR, MONITORINFO,
    MONITORINFOEXW, ReleaseDC, SRCCOPY, SelectObject,
};
use windows::Win32::System::StationsAndDesktops::{
    CloseDesktop, DESKTOP_CONTROL_FLAGS, DESKTOP_READOBJECTS, OpenInputDesktop,
};
use windows::core::BOOL;

use super::cursor::Cursor;
use super::{refused, scale};
use crate::{Changed, CursorImage, DesktopError, DisplayInfo, Screen};

/// How often to look while something moves.
const PERIOD: Duration = Duration::from_millis(33);
/// The primary monitor's flag in `MONITORINFO` (`MONITORINFOF_PRIMARY`).
const PRIMARY: u32 = 1;

/// Memory that the screen is copied into.
struct Copy {
    context: HDC,
    bitmap: HBITMAP,
    bits: *const u8,
    size: Size,
}

pub(super) struct GdiScreen {
    screen: HDC,
    copy: Option<Copy>,
    cursor: Cursor,
}

// SAFETY: the handles are used by the one thread that owns the value; GDI
// handles may be used by another thread than made them, one at a time.
unsafe impl Send for GdiScreen {}

impl GdiScreen {
    pub(super) fn new() -> Result<Self, DesktopError> {
        // SAFETY: no window means the whole screen; the result is checked.
        let screen = unsafe { GetDC(None) };
        if screen.is_invalid() {
            return Err(DesktopError::None("This computer shows no desktop.".into()));
        }
        Ok(Self { screen, copy: None, cursor: Cursor::default() })
    }

    fn copy(&mut self, size: Size) -> Result<&Copy, DesktopError> {
        let large_enough = |copy: &Copy| copy.size.width >= size.width && copy.size.height >= size.height;
        if !self.copy.as_ref().is_some_and(large_enough) {
            let before = self.copy.take().map_or(size, |copy| copy.size);
            let both = Size::new(before.width.max(size.width), before.height.max(size.height));
            self.copy = Some(Copy::new(self.screen, both)?);
        }
        self.copy.as_ref().ok_or(DesktopError::Stale)
    }
}

impl Copy {
    fn new(screen: HDC, size: Size) -> Result<Self, DesktopError> {
        let what = "the screen cannot be copied";
        let info = BITMAPINFO {
            bmiHeader: BITMAPINFOHEADER {
                biSize: size_of::<BITMAPINFOHEADER>() as u32,
                biWidth: i32::try_from(size.width).unwrap_or(0),
                // Negative: rows from the top.
                biHeight: -i32::try_from(size.height).unwrap_or(0),
                biPlanes: 1,
                biBitCount: 32,
                biCompression: BI_RGB.0,
                ..Default::default()
            },
            ..Default::default()
        };
        let mut bits = std::ptr::null_mut();
        // SAFETY: handles are checked; `bits` stays valid as long as the bitmap.
        unsafe {
            let context = CreateCompatibleDC(Some(screen));
            let made = CreateDIBSection(Some(context), &raw const info, DIB_RGB_COLORS, &raw mut bits, None, 0);
            let bitmap = match made {
                Ok(bitmap) if !bits.is_null() => bitmap,
                other => {
                    let _: BOOL = DeleteDC(context);
                    return Err(other.map_or_else(refused(what), |_| DesktopError::Refused(what.into())));
                }
            };
            SelectObject(context, bitmap.into());
            Ok(Self { context, bitmap, bits: bits.cast(), size })
        }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the section has this many pixels of four bytes.
        unsafe { std::slice::from_raw_parts(self.bits, self.size.area() * 4) }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // SAFETY: both are ours and used no more; the bitmap goes after the
        // context that it is selected into.
        unsafe {
            let _: BOOL = DeleteDC(self.context);
            let _: BOOL = DeleteObject(self.bitmap.into());
        }
    }
}

impl Drop for GdiScreen {
    fn drop(&mut self) {
        // SAFETY: it came from `GetDC` and is used no more.
        unsafe { ReleaseDC(None, self.screen) };
    }
}

unsafe extern "system" fn collect(monitor: HMONITOR, _: HDC, _: *mut RECT, found: LPARAM) -> BOOL {
    // SAFETY: `found` is the vector that `displays` passed, alive through the call.
    let found = unsafe { &mut *(found.0 as *mut Vec<HMONITOR>) };
    found.push(monitor);
    true.into()
}

impl Screen for GdiScreen {
    fn displays(&mut self) -> Result<Vec<DisplayInfo>, DesktopError> {
        let mut monitors: Vec<HMONITOR> = Vec::new();
        let found = LPARAM(&raw mut monitors as isize);
        // SAFETY: the callback gets a pointer to a vector that outlives the call.
        let listed = unsafe { EnumDisplayMonitors(None, None, Some(collect), found) };
        if !listed.as_bool() || monitors.is_empty() {
            return Err(DesktopError::None("This computer shows no desktop.".into()));
        }
        let mut displays = Vec::new();
        for (id, monitor) in (0u32..).zip(monitors) {
            let mut info = MONITORINFOEXW::default();
            info.monitorInfo.cbSize = size_of::<MONITORINFOEXW>() as u32;
            // SAFETY: the size says which of the two structures this is.
            let known = unsafe { GetMonitorInfoW(monitor, (&raw mut info).cast::<MONITORINFO>()) };
            if !known.as_bool() {
                continue;
            }
            let area = info.monitorInfo.rcMonitor;
            let edge = |from: i32, to: i32| u32::try_from(to.saturating_sub(from)).unwrap_or(0);
            let length = info.szDevice.iter().position(|unit| *unit == 0).unwrap_or(info.szDevice.len());
            displays.push(DisplayInfo {
                id,
                name: String::from_utf16_lossy(info.szDevice.get(..length).unwrap_or_default()),
                x: area.left,
                y: area.top,
                size: Size::new(edge(area.left, area.right), edge(area.top, area.bottom)),
                primary: info.monitorInfo.dwFlags & PRIMARY != 0,
                scale_percent: scale::percent(monitor),
            });
        }
        Ok(displays)
    }

    fn changed(&mut self) -> Result<Changed, DesktopError> {
        Ok(Changed::Unknown)
    }

    fn grab(&mut self, display: &DisplayInfo, part: Rect, pixels: &mut Vec<u8>) -> Result<(), DesktopError> {
        let screen = self.screen;
        let copy = self.copy(Size::new(part.width, part.height))?;
        let signed = |value: u32| i32::try_from(value).unwrap_or(0);
        let (x, y) = (display.x + signed(part.x), display.y + signed(part.y));
        // SAFETY: both contexts are valid; what lies outside is cut off.
        unsafe {
            let (width, height) = (signed(part.width), signed(part.height));
            BitBlt(copy.context, 0, 0, width, height, Some(screen), x, y, SRCCOPY | CAPTUREBLT)
                .map_err(|_| DesktopError::Refused("Windows does not allow the screen to be read just now.".into()))?;
            let _: BOOL = GdiFlush();
        }
        pixels.clear();
        let (stride, row) = (copy.size.width as usize * 4, part.width as usize * 4);
        for line in copy.bytes().chunks_exact(stride).take(part.height as usize) {
            pixels.extend_from_slice(line.get(..row).unwrap_or_default());
        }
        Ok(())
    }

    fn cursor(&mut self) -> Result<(Option<CursorImage>, (i32, i32)), DesktopError> {
        self.cursor.look(self.screen)
    }

    fn poll_period(&self) -> Option<Duration> {
        Some(PERIOD)
    }

    fn obstacle(&mut self) -> Option<String> {
        // SAFETY: the handle is closed at once.
        match unsafe { OpenInputDesktop(DESKTOP_CONTROL_FLAGS(0), false, DESKTOP_READOBJECTS) } {
            Ok(desktop) => {
                // SAFETY: opened just now.
                let _closed: windows::core::Result<()> = unsafe { CloseDesktop(desktop) };
                None
            }
            Err(_) => Some(
                "Windows shows a security prompt (UAC) or the lock screen, which this program may not see. \
                 Ask the person to answer it."
                    .into(),
            ),
        }
    }
}
