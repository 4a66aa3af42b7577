//! Pictures: a display's own, and the viewer's canvas.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ConnectionExt, ImageFormat};

use crate::{Display, Found};

/// Red, green, blue, rows from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Three bytes each.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// What a display shows.
    ///
    /// # Errors
    /// When the display does not answer.
    pub fn of_display(display: &Display) -> Result<Self> {
        let (connection, screen) = x11rb::connect(Some(display.name()))?;
        let screen = connection.setup().roots.get(screen).context("no screen")?;
        let (width, height) = (screen.width_in_pixels, screen.height_in_pixels);
        let image = connection.get_image(ImageFormat::Z_PIXMAP, screen.root, 0, 0, width, height, !0)?.reply()?;
        let rgb = image.data.chunks_exact(4).flat_map(|p| [p[2], p[1], p[0]]).collect();
        Ok(Self { width: width.into(), height: height.into(), rgb })
    }

    /// What one window shows, as far as it is on the screen. Something above
    /// it would be in it.
    ///
    /// # Errors
    /// When the window is not there.
    pub fn of_window(display: &Display, window: &Found) -> Result<Self> {
        let (connection, screen) = x11rb::connect(Some(display.name()))?;
        let root = connection.setup().roots.get(screen).context("no screen")?.root;
        let id = window.id.parse::<u32>()?;
        let size = connection.get_geometry(id)?.reply()?;
        let at = connection.translate_coordinates(id, root, 0, 0)?.reply()?;
        let whole = Self::of_display(display)?;
        let (x, y) = (usize::try_from(at.dst_x)?, usize::try_from(at.dst_y)?);
        let left = |edge: usize, at: usize, length: u16| edge.saturating_sub(at).min(length.into());
        whole.part(x, y, left(whole.width, x, size.width), left(whole.height, y, size.height))
    }

    /// A part of it.
    ///
    /// # Errors
    /// When it is not all inside.
    pub fn part(&self, x: usize, y: usize, width: usize, height: usize) -> Result<Self> {
        anyhow::ensure!(x + width <= self.width && y + height <= self.height, "the part is not inside");
        let rows = self.rgb.chunks_exact(self.width * 3).skip(y).take(height);
        let rgb = rows.flat_map(|row| &row[x * 3..(x + width) * 3]).copied().collect();
        Ok(Self { width, height, rgb })
    }

    /// What the browser wrote of its canvas: red, green, blue, alpha.
    ///
    /// # Errors
    /// When the file is not there or not of this size.
    pub fn of_canvas(path: &Path, width: usize, height: usize) -> Result<Self> {
        let bytes = std::fs::read(path)?;
        anyhow::ensure!(bytes.len() == width * height * 4, "the canvas has {} bytes", bytes.len());
        let rgb = bytes.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        Ok(Self { width, height, rgb })
    }

    /// How many different colours are in it.
    #[must_use]
    pub fn colours(&self) -> usize {
        self.rgb.chunks_exact(3).collect::<HashSet<_>>().len()
    }

    /// How many pixels differ; all where the sizes do.
    #[must_use]
    pub fn difference(&self, other: &Self) -> usize {
        if (self.width, self.height) != (other.width, other.height) {
            return self.width * self.height;
        }
        self.rgb.chunks_exact(3).zip(other.rgb.chunks_exact(3)).filter(|(a, b)| a != b).count()
    }
}

impl Picture {
    /// Write it to a PNG file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_png(&self, path: &Path) -> Result<()> {
        let file = std::io::BufWriter::new(std::fs::File::create(path)?);
        let mut encoder = png::Encoder::new(file, u32::try_from(self.width)?, u32::try_from(self.height)?);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header()?.write_image_data(&self.rgb)?;
        Ok(())
    }
}
