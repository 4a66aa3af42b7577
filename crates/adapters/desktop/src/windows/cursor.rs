//! The pointer's picture: read here, understood in `cursor_shape`.

use windows::Win32::Graphics::Gdi::{
    BI_RGB, BITMAP, BITMAPINFO, BITMAPINFOHEADER, DIB_RGB_COLORS, DeleteObject, GetDIBits, GetObjectW, HBITMAP, HDC,
};
use windows::Win32::UI::WindowsAndMessaging::{
    CURSOR_SHOWING, CURSORINFO, GetCursorInfo, GetIconInfo, HICON, ICONINFO,
};
use windows::core::BOOL;

use super::refused;
use crate::cursor_shape::{Bitmap, coloured, monochrome};
use crate::{CursorImage, DesktopError};

/// Largest edge that is read.
const EDGE: u32 = 256;

/// Reads the pointer and tells changes of its picture. Handles are used again
/// for other pictures, so pictures are compared.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    last: Option<CursorImage>,
}

impl Cursor {
    /// The picture if it changed, and where the pointer is.
    pub(super) fn look(&mut self, screen: HDC) -> Result<(Option<CursorImage>, (i32, i32)), DesktopError> {
        let mut info = CURSORINFO { cbSize: size_of::<CURSORINFO>() as u32, ..Default::default() };
        // SAFETY: the structure says its own size.
        unsafe { GetCursorInfo(&raw mut info) }.map_err(refused("the pointer cannot be read"))?;
        let at = (info.ptScreenPos.x, info.ptScreenPos.y);
        let visible = info.flags.0 & CURSOR_SHOWING.0 != 0;
        let hidden = || CursorImage { hidden: true, ..Default::default() };
        let image = if visible { picture(screen, HICON(info.hCursor.0)).unwrap_or_else(hidden) } else { hidden() };
        if self.last.as_ref() == Some(&image) {
            return Ok((None, at));
        }
        self.last = Some(image.clone());
        Ok((Some(image), at))
    }
}

fn picture(screen: HDC, icon: HICON) -> Option<CursorImage> {
    let mut info = ICONINFO::default();
    // SAFETY: the bitmaps that come back are ours to delete.
    unsafe { GetIconInfo(icon, &raw mut info) }.ok()?;
    let image = decode(screen, &info);
    for bitmap in [info.hbmMask, info.hbmColor] {
        if !bitmap.is_invalid() {
            // SAFETY: made for us by `GetIconInfo`.
            let _: BOOL = unsafe { DeleteObject(bitmap.into()) };
        }
    }
    image
}

fn decode(screen: HDC, info: &ICONINFO) -> Option<CursorImage> {
    let hotspot = (info.xHotspot, info.yHotspot);
    let mask = read(screen, info.hbmMask)?;
    if info.hbmColor.is_invalid() {
        return monochrome(&mask, hotspot);
    }
    coloured(&read(screen, info.hbmColor)?, &mask, hotspot)
}

fn read(screen: HDC, bitmap: HBITMAP) -> Option<Bitmap> {
    let mut shape = BITMAP::default();
    // SAFETY: the buffer is as long as it says.
    let known = unsafe { GetObjectW(bitmap.into(), size_of::<BITMAP>() as i32, Some((&raw mut shape).cast())) };
    let (width, height) = (u32::try_from(shape.bmWidth).ok()?, u32::try_from(shape.bmHeight).ok()?);
    if known == 0 || width == 0 || height == 0 || width > EDGE || height > EDGE * 2 {
        return None;
    }
    let mut bytes = vec![0; width as usize * height as usize * 4];
    let mut info = BITMAPINFO {
        bmiHeader: BITMAPINFOHEADER {
            biSize: size_of::<BITMAPINFOHEADER>() as u32,
            biWidth: shape.bmWidth,
            biHeight: -shape.bmHeight,
            biPlanes: 1,
            biBitCount: 32,
            biCompression: BI_RGB.0,
            ..Default::default()
        },
        ..Default::default()
    };
    // SAFETY: the buffer holds all rows at 32 bits a pixel.
    let rows =
        unsafe { GetDIBits(screen, bitmap, 0, height, Some(bytes.as_mut_ptr().cast()), &raw mut info, DIB_RGB_COLORS) };
    (rows != 0).then_some(Bitmap { width, height, bytes })
}
