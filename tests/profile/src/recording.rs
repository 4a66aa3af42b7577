//! Recordings: `CLASS.bgra`, pictures of 1920 by 1080 one after the other, four
//! bytes a pixel; of another size where the name says so:
//! `CLASS.3840x2160.bgra`.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use gc_screen::{Canvas, Damage, Size};

/// Where a recording's name says nothing else.
const SIZE: Size = Size::new(1920, 1080);
/// The longest edge that is believed.
const LONGEST: u32 = 16_384;

/// A picture, and what changed since the one before it.
#[derive(Debug)]
pub struct Frame<'a> {
    pub canvas: &'a Canvas,
    pub damage: Damage,
}

/// A recording, picture by picture.
#[derive(Debug)]
pub struct Recording {
    file: File,
    bytes: Vec<u8>,
    canvas: Canvas,
}

/// The size of a recording's pictures, by its name.
#[must_use]
pub fn size(path: &Path) -> Size {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let told = stem.rsplit_once('.').and_then(|(_, size)| size.split_once('x'));
    let edge = |text: &str| text.parse().ok().filter(|edge| (1..=LONGEST).contains(edge));
    told.and_then(|(width, height)| Some(Size::new(edge(width)?, edge(height)?))).unwrap_or(SIZE)
}

/// All of a folder, in the order of their names.
///
/// # Errors
/// When it cannot be looked into.
pub fn recordings(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "bgra") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

impl Recording {
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let size = size(path);
        Ok(Self { file, bytes: vec![0; size.area() * 4], canvas: Canvas::new(size) })
    }

    /// The size of its pictures.
    #[must_use]
    pub fn size(&self) -> Size {
        self.canvas.size()
    }

    /// The next picture: [`Self::absorb`] takes it over. There is none behind the
    /// last one.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&mut self) -> Result<bool> {
        match self.file.read_exact(&mut self.bytes) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The picture that was read, and what it changed.
    pub fn absorb(&mut self) -> Frame<'_> {
        let size = self.size();
        let mut damage = Damage::new(size);
        self.canvas.absorb(size.rect(), &self.bytes, &mut damage);
        Frame { canvas: &self.canvas, damage }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_size() {
        for (name, expected) in [
            ("scroll.bgra", SIZE),
            ("scroll.3840x2160.bgra", Size::new(3840, 2160)),
            ("a.b.bgra", SIZE),
            ("scroll.0x10.bgra", SIZE),
            ("scroll.99999x10.bgra", SIZE),
        ] {
            assert_eq!(size(Path::new(name)), expected, "{name}");
        }
    }
}
