//! Photographs, from Debian's package `mate-backgrounds`, and a film of them.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::studio::Studio;

const FOLDER: &str = "/usr/share/backgrounds/mate/nature";

/// All of them, in the order of their names.
pub(super) fn photographs() -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(FOLDER).context("Debian's package mate-backgrounds has the photographs")?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jpg"));
    paths.sort();
    ensure!(paths.len() >= 6, "too few photographs");
    Ok(paths)
}

/// Eight seconds of 640 by 360: two photographs over which the camera moves
/// and between which it fades, with the grain that a camera has.
pub(super) fn film(studio: &Studio) -> Result<PathBuf> {
    let photographs = photographs()?;
    let (Some(first), Some(second)) = (photographs.first(), photographs.get(4)) else { anyhow::bail!("too few") };
    let path = studio.path("film.mp4");
    let moving =
        |zoom: &str, x: &str, y: &str| format!("scale=1600:-1,zoompan=z='{zoom}':x='{x}':y='{y}':d=1:s=640x360:fps=30");
    let graph = format!(
        "[0]{}[a];[1]{}[b];[a][b]xfade=duration=2:offset=3,noise=alls=6:allf=t,format=yuv420p",
        moving("1.25+0.1*sin(on/23)", "iw*0.1*(1+sin(on/27))", "ih*0.09*(1+cos(on/21))"),
        moving("1.3+0.12*cos(on/19)", "iw*0.11*(1+cos(on/25))", "ih*0.1*(1+sin(on/31))"),
    );
    let still = |command: &mut Command, photograph: &PathBuf| {
        command.args(["-loop", "1", "-t", "8", "-i"]).arg(photograph);
    };
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y"]);
    still(&mut command, first);
    still(&mut command, second);
    command.args(["-filter_complex", &graph, "-t", "8", "-c:v", "libx264", "-crf", "21"]).arg(&path);
    studio.make(&mut command)?;
    Ok(path)
}
