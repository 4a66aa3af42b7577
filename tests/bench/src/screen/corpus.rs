//! Recordings: `CLASS.bgra`, pictures of 1920 by 1080 one after the other, four
//! bytes a pixel.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use gc_screen::{Canvas, Damage, Size};

use super::timed;

/// Of every recording.
const SIZE: Size = Size::new(1920, 1080);

/// A picture, and what changed since the one before it.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) canvas: &'a Canvas,
    pub(super) damage: Damage,
    /// How long it took to see what changed.
    pub(super) compare: Duration,
}

/// A recording, picture by picture.
#[derive(Debug)]
pub(super) struct Recording {
    file: File,
    bytes: Vec<u8>,
    canvas: Canvas,
}

/// All of a folder, in the order of their names.
pub(super) fn recordings(folder: &Path) -> Result<Vec<PathBuf>> {
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
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let bytes = vec![0; SIZE.area() * 4];
        Ok(Self { file, bytes, canvas: Canvas::new(SIZE) })
    }

    pub(super) fn size(&self) -> Size {
        SIZE
    }

    pub(super) fn next(&mut self) -> Result<Option<Frame<'_>>> {
        match self.file.read_exact(&mut self.bytes) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let mut damage = Damage::new(SIZE);
        let ((), compare) = timed(|| self.canvas.absorb(SIZE.rect(), &self.bytes, &mut damage));
        Ok(Some(Frame { canvas: &self.canvas, damage, compare }))
    }
}
