//! Turned displays: a system may hand out the surface as the display scans it
//! out, while the desktop is turned. Here pixels and rectangles are turned the
//! same way.

use gc_screen::{Rect, Size};

/// Bytes of a pixel.
const PIXEL: usize = 4;
/// Columns that are turned together: a line of the cache of 64 bytes.
const COLUMNS: usize = 16;

/// How far a surface is turned, clockwise, to become the desktop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// It is the desktop.
    None,
    /// By 90 degrees.
    Quarter,
    /// By 180 degrees.
    Half,
    /// By 270 degrees.
    ThreeQuarters,
}

impl Rotation {
    /// The size of the surface of a display of this size.
    pub(crate) fn surface(self, desktop: Size) -> Size {
        match self {
            Self::None | Self::Half => desktop,
            Self::Quarter | Self::ThreeQuarters => Size::new(desktop.height, desktop.width),
        }
    }

    /// Where a part of the surface is on the display. It has to lie within.
    pub(crate) fn rect(self, part: Rect, surface: Size) -> Rect {
        let right = surface.width - (part.x + part.width);
        let below = surface.height - (part.y + part.height);
        match self {
            Self::None => part,
            Self::Quarter => Rect::new(below, part.x, part.height, part.width),
            Self::Half => Rect::new(right, below, part.width, part.height),
            Self::ThreeQuarters => Rect::new(part.y, right, part.height, part.width),
        }
    }

    /// Copy a part of the surface, whose rows are so many bytes apart, to where
    /// it is on the display. What does not fit is left out.
    pub(crate) fn copy(self, bytes: &[u8], stride: usize, part: Rect, surface: Size, desktop: &mut Pixels) {
        if !part.fits(surface) || self.surface(desktop.size) != surface {
            return;
        }
        let to = self.rect(part, surface);
        let (left, width) = (part.x as usize * PIXEL, part.width as usize * PIXEL);
        let rows = (part.y as usize..).take(part.height as usize);
        let rows = rows.map(|y| bytes.get(y * stride + left..y * stride + left + width).unwrap_or_default());
        match self {
            Self::None => {
                for (y, row) in (to.y..).zip(rows) {
                    copy_row(desktop.row_mut(to.x, y, to.width), row);
                }
            }
            Self::Half => {
                for (y, row) in (to.y..to.y + to.height).rev().zip(rows) {
                    let pixels = desktop.row_mut(to.x, y, to.width).as_chunks_mut::<PIXEL>().0;
                    for (to, from) in pixels.iter_mut().rev().zip(row.as_chunks::<PIXEL>().0) {
                        *to = *from;
                    }
                }
            }
            Self::Quarter | Self::ThreeQuarters => {
                let rows: Vec<&[[u8; PIXEL]]> = rows.map(|row| row.as_chunks::<PIXEL>().0).collect();
                for left in (0..part.width as usize).step_by(COLUMNS) {
                    for (down, row) in rows.iter().enumerate() {
                        let block = row.iter().enumerate().skip(left).take(COLUMNS);
                        for (along, pixel) in block {
                            let (x, y) = if self == Self::Quarter {
                                (to.width as usize - 1 - down, along)
                            } else {
                                (down, to.height as usize - 1 - along)
                            };
                            desktop.set(to.x as usize + x, to.y as usize + y, *pixel);
                        }
                    }
                }
            }
        }
    }
}

fn copy_row(to: &mut [u8], from: &[u8]) {
    if to.len() == from.len() {
        to.copy_from_slice(from);
    }
}

/// A display's pixels in memory, rows from the top without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pixels {
    size: Size,
    bytes: Vec<u8>,
}

impl Pixels {
    /// Black.
    pub(crate) fn new(size: Size) -> Self {
        Self { size, bytes: vec![0; size.area() * PIXEL] }
    }

    /// The bytes of a part from its first pixel on, and from row to row; `None`
    /// where the part leaves the picture.
    pub(crate) fn part(&self, part: Rect) -> Option<(&[u8], usize)> {
        let stride = self.size.width as usize * PIXEL;
        let start = part.y as usize * stride + part.x as usize * PIXEL;
        part.fits(self.size).then(|| self.bytes.get(start..))?.map(|bytes| (bytes, stride))
    }

    fn row_mut(&mut self, x: u32, y: u32, width: u32) -> &mut [u8] {
        let start = (y as usize * self.size.width as usize + x as usize) * PIXEL;
        self.bytes.get_mut(start..start + width as usize * PIXEL).unwrap_or_default()
    }

    #[inline(always)]
    fn set(&mut self, x: usize, y: usize, pixel: [u8; PIXEL]) {
        let start = (y * self.size.width as usize + x) * PIXEL;
        if let Some(place) = self.bytes.get_mut(start..start + PIXEL) {
            place.copy_from_slice(&pixel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SURFACE: Size = Size::new(37, 21);
    const STRIDE: usize = 37 * 4 + 12;
    const ALL: [Rotation; 4] = [Rotation::None, Rotation::Quarter, Rotation::Half, Rotation::ThreeQuarters];

    /// Every pixel says where it is.
    fn surface() -> Vec<u8> {
        let mut bytes = vec![0xee; STRIDE * SURFACE.height as usize];
        for (y, row) in (0_u8..).zip(bytes.chunks_mut(STRIDE)) {
            for (x, pixel) in (0_u8..37).zip(row.as_chunks_mut::<4>().0) {
                *pixel = [x, y, 7, 255];
            }
        }
        bytes
    }

    fn turned(rotation: Rotation, parts: &[Rect]) -> Pixels {
        let mut pixels = Pixels::new(rotation.surface(SURFACE));
        for part in parts {
            rotation.copy(&surface(), STRIDE, *part, SURFACE, &mut pixels);
        }
        pixels
    }

    fn at(pixels: &Pixels, x: u32, y: u32) -> [u8; 4] {
        pixels.part(Rect::new(x, y, 1, 1)).and_then(|(bytes, _)| bytes.first_chunk().copied()).unwrap()
    }

    #[test]
    fn corners_go_where_the_display_is_turned_to() {
        // Where the surface's upper left and upper right corners are shown.
        for (rotation, left, right) in [
            (Rotation::None, (0, 0), (36, 0)),
            (Rotation::Quarter, (20, 0), (20, 36)),
            (Rotation::Half, (36, 20), (0, 20)),
            (Rotation::ThreeQuarters, (0, 36), (0, 0)),
        ] {
            let pixels = turned(rotation, &[SURFACE.rect()]);
            assert_eq!(at(&pixels, left.0, left.1), [0, 0, 7, 255], "{rotation:?}");
            assert_eq!(at(&pixels, right.0, right.1), [36, 0, 7, 255], "{rotation:?}");
        }
    }

    /// What is told to have changed is what was copied, and nothing else.
    #[test]
    fn rectangles_are_turned_as_pixels_are() {
        for rotation in ALL {
            let whole = turned(rotation, &[SURFACE.rect()]);
            for part in [Rect::new(0, 0, 1, 1), Rect::new(3, 2, 30, 5), Rect::new(36, 20, 1, 1), Rect::new(5, 0, 2, 21)]
            {
                let pixels = turned(rotation, &[part]);
                let told = rotation.rect(part, SURFACE);
                let desktop = rotation.surface(SURFACE);
                assert!(told.fits(desktop));
                for (x, y) in (0..desktop.height).flat_map(|y| (0..desktop.width).map(move |x| (x, y))) {
                    let within = told.holds(Rect::new(x, y, 1, 1));
                    let expected = if within { at(&whole, x, y) } else { [0; 4] };
                    assert_eq!(at(&pixels, x, y), expected, "{rotation:?} {part:?} at {x}, {y}");
                }
            }
        }
    }

    #[test]
    fn parts_make_the_whole() {
        let parts = [Rect::new(0, 0, 20, 21), Rect::new(20, 0, 17, 9), Rect::new(20, 9, 17, 12)];
        for rotation in ALL {
            assert_eq!(turned(rotation, &parts), turned(rotation, &[SURFACE.rect()]));
        }
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        for rotation in ALL {
            let nothing = Pixels::new(rotation.surface(SURFACE));
            assert_eq!(turned(rotation, &[Rect::new(30, 0, 8, 1), Rect::new(0, 21, 1, 1)]), nothing);
            let mut small = Pixels::new(Size::new(5, 5));
            rotation.copy(&surface(), STRIDE, SURFACE.rect(), SURFACE, &mut small);
            assert_eq!(small, Pixels::new(Size::new(5, 5)));
            // Fewer bytes than there should be.
            let mut pixels = nothing.clone();
            rotation.copy(&[1, 2, 3], STRIDE, SURFACE.rect(), SURFACE, &mut pixels);
            assert_eq!(pixels, nothing);
            assert_eq!(pixels.part(Rect::new(0, 0, 40, 1)), None);
        }
    }
}
