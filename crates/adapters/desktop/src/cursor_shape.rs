//! What Windows' pointers look like: bits that cover the screen, colours, and
//! bits that invert what is below (`ICONINFO`; the same rules as for
//! `DXGI_OUTDUPL_POINTER_SHAPE_TYPE`).
//!
//! A picture that is drawn elsewhere has nothing below it to invert. Such
//! pixels become black, and what is clear around them white: a beam between two
//! letters is seen on light and on dark.

use crate::CursorImage;

/// A bitmap of four bytes a pixel: blue, green, red, alpha; rows from the top.
#[derive(Debug)]
pub(crate) struct Bitmap {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) bytes: Vec<u8>,
}

impl Bitmap {
    fn pixels(&self) -> &[[u8; 4]] {
        self.bytes.as_chunks::<4>().0
    }
}

/// What one pixel of a pointer does to the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pixel {
    /// It shows this: red, green, blue, premultiplied, and alpha.
    Shows([u8; 4]),
    /// It lets through what is below.
    Clear,
    /// It inverts what is below, all of it or some colours.
    Inverts,
}

const BLACK: [u8; 4] = [0, 0, 0, 255];
const WHITE: [u8; 4] = [255, 255, 255, 255];

/// A pointer without colour: its mask holds the bits that are kept (AND) above
/// those that are inverted (XOR).
pub(crate) fn monochrome(mask: &Bitmap, hotspot: (u32, u32)) -> Option<CursorImage> {
    let height = mask.height / 2;
    let half = mask.width as usize * height as usize;
    let (kept, inverted) = mask.pixels().split_at_checked(half)?;
    let pixels = kept.iter().zip(inverted).map(|(kept, inverted)| match (is_set(kept), is_set(inverted)) {
        (false, false) => Pixel::Shows(BLACK),
        (false, true) => Pixel::Shows(WHITE),
        (true, false) => Pixel::Clear,
        (true, true) => Pixel::Inverts,
    });
    picture(&pixels.collect::<Vec<_>>(), mask.width, height, hotspot)
}

/// A pointer with colours. Where any pixel has alpha the mask does not count;
/// where none has, the mask says what is kept, and colours over that invert.
pub(crate) fn coloured(colour: &Bitmap, mask: &Bitmap, hotspot: (u32, u32)) -> Option<CursorImage> {
    let has_alpha = colour.pixels().iter().any(|[.., alpha]| *alpha != 0);
    let pixels = colour.pixels().iter().zip(mask.pixels()).map(|([blue, green, red, alpha], kept)| {
        let shade = |value: u8| (u16::from(value) * u16::from(*alpha) / 255) as u8;
        match (has_alpha, is_set(kept), (*red, *green, *blue)) {
            (true, ..) => Pixel::Shows([shade(*red), shade(*green), shade(*blue), *alpha]),
            (false, false, _) => Pixel::Shows([*red, *green, *blue, 255]),
            (false, true, (0, 0, 0)) => Pixel::Clear,
            (false, true, _) => Pixel::Inverts,
        }
    });
    picture(&pixels.collect::<Vec<_>>(), colour.width, colour.height, hotspot)
}

/// Masks come as black and white.
fn is_set(pixel: &[u8; 4]) -> bool {
    pixel[0] != 0
}

fn picture(pixels: &[Pixel], width: u32, height: u32, hotspot: (u32, u32)) -> Option<CursorImage> {
    let columns = width as usize;
    if columns == 0 || pixels.is_empty() || pixels.len() != columns * height as usize {
        return None;
    }
    let rgba = (0..pixels.len()).flat_map(|at| match pixels.get(at) {
        Some(Pixel::Shows(rgba)) => *rgba,
        Some(Pixel::Inverts) => BLACK,
        Some(Pixel::Clear) if is_beside_inverted(pixels, columns, at) => WHITE,
        Some(Pixel::Clear) | None => [0; 4],
    });
    Some(CursorImage { width, height, hotspot, rgba: rgba.collect(), hidden: false })
}

/// Whether one of the eight pixels around inverts.
fn is_beside_inverted(pixels: &[Pixel], columns: usize, at: usize) -> bool {
    let (x, y) = (at % columns, at / columns);
    let rows = y.saturating_sub(1)..=y + 1;
    rows.into_iter().any(|y| {
        let row = pixels.get(y * columns..(y + 1) * columns).unwrap_or_default();
        row.iter().skip(x.saturating_sub(1)).take(x.min(1) + 2).any(|pixel| *pixel == Pixel::Inverts)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bitmap of one pixel for each letter.
    fn bitmap(rows: &[&str]) -> Bitmap {
        let bytes = rows.iter().flat_map(|row| row.bytes()).flat_map(|letter| match letter {
            b'0' => [0, 0, 0, 0],
            b'1' => [255, 255, 255, 0],
            b'r' => [0, 0, 255, 0],
            // Half of a red that is seen through, and black that is not.
            b'h' => [0, 0, 200, 128],
            b'B' => [0, 0, 0, 255],
            other => panic!("{other}"),
        });
        Bitmap { width: rows[0].len() as u32, height: rows.len() as u32, bytes: bytes.collect() }
    }

    /// A picture as letters.
    fn letters(image: Option<CursorImage>) -> Vec<String> {
        let image = image.unwrap();
        let letter = |pixel: &[u8; 4]| match *pixel {
            [0, 0, 0, 0] => '.',
            BLACK => '#',
            WHITE => 'o',
            [255, 0, 0, 255] => 'r',
            [100, 0, 0, 128] => 'h',
            _ => '?',
        };
        let (pixels, _) = image.rgba.as_chunks::<4>();
        pixels.chunks(image.width as usize).map(|row| row.iter().map(letter).collect()).collect()
    }

    #[test]
    fn without_colour() {
        // Black, white and clear.
        assert_eq!(letters(monochrome(&bitmap(&["0011", "0100"]), (0, 0))), ["#o.."]);
    }

    #[test]
    fn a_beam_is_seen_on_light_and_on_dark() {
        let mask = bitmap(&["11111", "11111", "11111", "11111", "00000", "00100", "00100", "00000"]);
        assert_eq!(letters(monochrome(&mask, (2, 2))), [".ooo.", ".o#o.", ".o#o.", ".ooo."]);
        // Not around the edge of the picture to the other side.
        let mask = bitmap(&["111", "111", "000", "001"]);
        assert_eq!(letters(monochrome(&mask, (0, 0))), [".oo", ".o#"]);
    }

    #[test]
    fn colours_with_a_mask() {
        let colour = bitmap(&["r1000", "0000r"]);
        let mask = bitmap(&["00011", "11111"]);
        assert_eq!(letters(coloured(&colour, &mask, (0, 0))), ["ro#oo", "...o#"]);
    }

    #[test]
    fn colours_with_alpha() {
        // The mask says nothing then: no inversion, no holes.
        let colour = bitmap(&["hB0", "r0B"]);
        let mask = bitmap(&["111", "100"]);
        assert_eq!(letters(coloured(&colour, &mask, (1, 1))), ["h#.", "..#"]);
    }

    #[test]
    fn broken_ones_are_refused() {
        let empty = || Bitmap { width: 0, height: 0, bytes: Vec::new() };
        assert_eq!(monochrome(&empty(), (0, 0)), None);
        assert_eq!(coloured(&empty(), &empty(), (0, 0)), None);
        assert_eq!(coloured(&bitmap(&["00", "00"]), &bitmap(&["00"]), (0, 0)), None);
        assert_eq!(monochrome(&Bitmap { width: 4, height: 4, bytes: vec![0; 8] }, (0, 0)), None);
    }
}
