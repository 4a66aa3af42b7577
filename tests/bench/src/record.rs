//! Recordings of real programs, made anew: each class on a display of its own,
//! driven by `xdotool`, seen through the product's own capture.

mod capture;
mod pages;
mod pictures;
mod scripts;
mod studio;
mod text;

use std::path::Path;

use anyhow::{Context, Result, ensure};

pub use capture::run as capture;
use studio::Studio;

/// A class of content.
struct Class {
    name: &'static str,
    size: (u32, u32),
    frames: u32,
    /// Frames in a second.
    pace: u32,
    script: fn(&mut Studio) -> Result<()>,
}

const fn class(name: &'static str, frames: u32, pace: u32, script: fn(&mut Studio) -> Result<()>) -> Class {
    Class { name, size: (1920, 1080), frames, pace, script }
}

/// The five that aims are set for, and others.
const CLASSES: [Class; 13] = [
    class("typing", 90, 15, scripts::typing),
    class("scroll", 90, 30, scripts::scroll),
    class("drag", 90, 30, scripts::drag),
    class("video", 60, 30, scripts::video),
    class("switch", 72, 12, scripts::switch),
    class("table", 60, 30, scripts::table),
    class("photos", 60, 30, scripts::photos),
    class("map", 60, 30, scripts::map),
    class("terminal", 60, 15, scripts::colours),
    class("resize", 60, 30, scripts::resize),
    class("game", 60, 30, scripts::game),
    class("page", 120, 30, scripts::page),
    Class { size: (3840, 2160), ..class("scroll.3840x2160", 20, 15, scripts::scroll) },
];

/// Record these classes, or all, into this folder.
///
/// # Errors
/// When a program is not installed, or shows nothing.
pub fn run(folder: &Path, wanted: &[&str]) -> Result<()> {
    for name in wanted {
        let names: Vec<&str> = CLASSES.iter().map(|class| class.name).collect();
        ensure!(names.contains(name), "there is no class {name}; there are {}", names.join(", "));
    }
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    for class in CLASSES.iter().filter(|class| wanted.is_empty() || wanted.contains(&class.name)) {
        record(folder, class).with_context(|| format!("recording {}", class.name))?;
    }
    Ok(())
}

/// The same, those only that are not there yet.
///
/// # Errors
/// When a program is not installed, or shows nothing.
pub fn complete(folder: &Path) -> Result<()> {
    let missing = |class: &&Class| !folder.join(format!("{}.bgra", class.name)).is_file();
    let missing: Vec<&str> = CLASSES.iter().filter(missing).map(|class| class.name).collect();
    if missing.is_empty() { Ok(()) } else { run(folder, &missing) }
}

fn record(folder: &Path, class: &Class) -> Result<()> {
    let path = folder.join(format!("{}.bgra", class.name));
    // What is half done must not be taken for a recording.
    let begun = path.with_extension("part");
    let mut studio = Studio::open(class.size, &begun, class.frames, class.pace)?;
    (class.script)(&mut studio)?;
    let changed = studio.finish()?;
    eprintln!("{}: {} frames, {changed} of them changed", class.name, class.frames);
    ensure!(changed * 5 > class.frames, "hardly anything moved");
    std::fs::rename(&begun, &path)?;
    Ok(())
}
