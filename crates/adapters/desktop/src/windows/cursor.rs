//! The pointer's picture: monochrome, colour, or with alpha.

use windows::Win32::Graphics::Gdi::{
    BI_RGB, BITMAP, BITMAPINFO, BITMAPINFOHEADER, DIB_RGB_COLORS, DeleteObject, GetDIBits, GetObjectW, HBITMAP, HDC,
};
use windows::Win32::UI::WindowsAndMessaging::{
    CURSOR_SHOWING, CURSORINFO, GetCursorInfo, GetIconInfo, HICON, ICONINFO,
};
use windows::core::BOOL;

use super::refused;
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
    let (width, mask_height, mask) = bits(screen, info.hbmMask)?;
    let monochrome = info.hbmColor.is_invalid();
    // A monochrome pointer's mask holds AND above XOR.
    let height = if monochrome { mask_height / 2 } else { mask_height };
    let pixels = (width * height) as usize;
    let mut rgba = Vec::with_capacity(pixels * 4);
    if monochrome {
        let (and, xor) = mask.split_at((pixels * 4).min(mask.len()));
        for (and, xor) in and.chunks_exact(4).zip(xor.chunks_exact(4)) {
            rgba.extend_from_slice(match (and.first() != Some(&0), xor.first() != Some(&0)) {
                (false, false) => &[0, 0, 0, 255],
                (false, true) => &[255, 255, 255, 255],
                (true, false) => &[0, 0, 0, 0],
                // What is below, inverted, has no picture: grey shows on both.
                (true, true) => &[128, 128, 128, 255],
            });
        }
    } else {
        let (_, _, colour) = bits(screen, info.hbmColor)?;
        let has_alpha = colour.chunks_exact(4).any(|pixel| pixel.last() != Some(&0));
        for (pixel, and) in colour.chunks_exact(4).zip(mask.chunks_exact(4)) {
            let [blue, green, red, alpha] = *pixel else { return None };
            let alpha = match (has_alpha, and.first()) {
                (true, _) => alpha,
                (false, Some(0)) => 255,
                (false, _) => 0,
            };
            let shade = |value: u8| (u16::from(value) * u16::from(alpha) / 255) as u8;
            rgba.extend_from_slice(&[shade(red), shade(green), shade(blue), alpha]);
        }
    }
    (rgba.len() == pixels * 4).then_some(CursorImage {
        width,
        height,
        hotspot: (info.xHotspot, info.yHotspot),
        rgba,
        hidden: false,
    })
}

/// A bitmap's size and its pixels, four bytes each, rows from the top.
fn bits(screen: HDC, bitmap: HBITMAP) -> Option<(u32, u32, Vec<u8>)> {
    let mut shape = BITMAP::default();
    // SAFETY: the buffer is as long as it says.
    let known = unsafe { GetObjectW(bitmap.into(), size_of::<BITMAP>() as i32, Some((&raw mut shape).cast())) };
    let (width, height) = (u32::try_from(shape.bmWidth).ok()?, u32::try_from(shape.bmHeight).ok()?);
    if known == 0 || width == 0 || height == 0 || width > EDGE || height > EDGE * 2 {
        return None;
    }
    let mut pixels = vec![0; width as usize * height as usize * 4];
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
    let rows = unsafe {
        GetDIBits(screen, bitmap, 0, height, Some(pixels.as_mut_ptr().cast()), &raw mut info, DIB_RGB_COLORS)
    };
    (rows != 0).then_some((width, height, pixels))
}
