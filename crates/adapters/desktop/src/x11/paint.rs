//! Painting a small window: rectangles and text into a picture in memory.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont};

use crate::DesktopError;

const FONT: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");

/// Red, green, blue.
pub(super) type Colour = [u8; 3];

/// A picture in memory, as the X server takes it.
pub(super) struct Canvas {
    font: FontRef<'static>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bytes: Vec<u8>,
}

impl Canvas {
    pub(super) fn new(width: u32, height: u32) -> Result<Self, DesktopError> {
        let font = FontRef::try_from_slice(FONT).map_err(|error| DesktopError::Refused(error.to_string()))?;
        Ok(Self { font, width, height, bytes: vec![0; width as usize * height as usize * 4] })
    }

    /// Fill a rectangle; what lies outside is cut off.
    pub(super) fn fill(&mut self, x: i32, y: i32, width: i32, height: i32, colour: Colour) {
        for row in y..y + height {
            for column in x..x + width {
                self.blend(column, row, colour, 1.0);
            }
        }
    }

    /// A frame of `thickness` pixels inside a rectangle.
    pub(super) fn frame(&mut self, x: i32, y: i32, width: i32, height: i32, thickness: i32, colour: Colour) {
        self.fill(x, y, width, thickness, colour);
        self.fill(x, y + height - thickness, width, thickness, colour);
        self.fill(x, y, thickness, height, colour);
        self.fill(x + width - thickness, y, thickness, height, colour);
    }

    /// How wide a text is at this size.
    pub(super) fn width_of(&self, text: &str, size: f32) -> f32 {
        let font = self.font.as_scaled(PxScale::from(size));
        text.chars().map(|c| font.h_advance(font.glyph_id(c))).sum()
    }

    /// Write one line with its top left corner at (`x`, `y`).
    pub(super) fn text(&mut self, text: &str, x: i32, y: i32, size: f32, colour: Colour) {
        let font = self.font.clone();
        let scaled = font.as_scaled(PxScale::from(size));
        let baseline = y as f32 + scaled.ascent();
        let mut pen = x as f32;
        for character in text.chars() {
            let id = scaled.glyph_id(character);
            let glyph = id.with_scale_and_position(size, ab_glyph::point(pen, baseline));
            pen += scaled.h_advance(id);
            if let Some(outline) = font.outline_glyph(glyph) {
                let bounds = outline.px_bounds();
                outline.draw(|column, row, coverage| {
                    let (left, top) = (bounds.min.x as i32, bounds.min.y as i32);
                    self.blend(left + column as i32, top + row as i32, colour, coverage);
                });
            }
        }
    }

    /// Cut a text into lines that fit `width` pixels.
    pub(super) fn wrap(&self, text: &str, size: f32, width: f32) -> Vec<String> {
        let mut lines: Vec<String> = vec![String::new()];
        for word in text.split_whitespace() {
            // A word that is too long for any line is broken.
            let mut pieces = vec![String::new()];
            for character in word.chars() {
                let fits =
                    pieces.last().is_some_and(|piece| self.width_of(&format!("{piece}{character}"), size) <= width);
                if !fits {
                    pieces.push(String::new());
                }
                if let Some(piece) = pieces.last_mut() {
                    piece.push(character);
                }
            }
            for piece in pieces {
                let Some(line) = lines.last_mut() else { break };
                let longer = if line.is_empty() { piece.clone() } else { format!("{line} {piece}") };
                if self.width_of(&longer, size) <= width {
                    *line = longer;
                } else {
                    lines.push(piece);
                }
            }
        }
        lines
    }

    fn blend(&mut self, x: i32, y: i32, colour: Colour, coverage: f32) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
        if x >= self.width || y >= self.height {
            return;
        }
        let start = (y as usize * self.width as usize + x as usize) * 4;
        let [red, green, blue] = colour;
        if let Some([b, g, r, _]) = self.bytes.get_mut(start..start + 4) {
            for (old, new) in [(b, blue), (g, green), (r, red)] {
                let mixed = f32::from(*old) + (f32::from(new) - f32::from(*old)) * coverage.clamp(0.0, 1.0);
                *old = mixed.round() as u8;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_hostile_names_fit() {
        let canvas = Canvas::new(200, 100).unwrap();
        for text in ["", "short", &"x".repeat(5000), "a b c d", "多言語の名前 😀"] {
            for line in canvas.wrap(text, 14.0, 150.0) {
                assert!(canvas.width_of(&line, 14.0) <= 150.0 || line.chars().count() == 1, "{line}");
            }
        }
    }
}
