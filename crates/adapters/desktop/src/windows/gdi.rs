//! A display's pixels by GDI: copied into memory by the system, and lent from
//! there.

use gc_screen::{Rect, Size};
use windows::Win32::Graphics::Gdi::{
    BI_RGB, BITMAPINFO, BITMAPINFOHEADER, BitBlt, CAPTUREBLT, CreateCompatibleDC, CreateDIBSection, DIB_RGB_COLORS,
    DeleteDC, DeleteObject, GdiFlush, GetDC, HBITMAP, HDC, ReleaseDC, SRCCOPY, SelectObject,
};
use windows::core::BOOL;

use super::refused;
use crate::{DesktopError, DisplayInfo, Take};

/// Memory that the screen is copied into.
struct Copy {
    context: HDC,
    bitmap: HBITMAP,
    bits: *const u8,
    size: Size,
}

/// The screen as GDI sees it.
pub(super) struct Gdi {
    context: HDC,
    copy: Option<Copy>,
}

// SAFETY: the handles are used by the one thread that owns the value; GDI
// handles may be used by another thread than made them, one at a time.
unsafe impl Send for Gdi {}

impl Gdi {
    pub(super) fn new() -> Result<Self, DesktopError> {
        // SAFETY: no window means the whole screen; the result is checked.
        let context = unsafe { GetDC(None) };
        if context.is_invalid() {
            return Err(DesktopError::None("This computer shows no desktop.".into()));
        }
        Ok(Self { context, copy: None })
    }

    /// The context of the whole screen.
    pub(super) fn context(&self) -> HDC {
        self.context
    }

    fn copy(&mut self, size: Size) -> Result<&Copy, DesktopError> {
        let large_enough = |copy: &Copy| copy.size.width >= size.width && copy.size.height >= size.height;
        if !self.copy.as_ref().is_some_and(large_enough) {
            let before = self.copy.take().map_or(size, |copy| copy.size);
            let both = Size::new(before.width.max(size.width), before.height.max(size.height));
            self.copy = Some(Copy::new(self.context, both)?);
        }
        self.copy.as_ref().ok_or(DesktopError::Stale)
    }

    pub(super) fn grab(&mut self, display: &DisplayInfo, part: Rect, take: Take<'_>) -> Result<(), DesktopError> {
        let screen = self.context;
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
        take(copy.bytes(), copy.size.width as usize * 4);
        Ok(())
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

impl Drop for Gdi {
    fn drop(&mut self) {
        // SAFETY: it came from `GetDC` and is used no more.
        unsafe { ReleaseDC(None, self.context) };
    }
}
