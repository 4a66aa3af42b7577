//! Video codecs, by Debian's `ffmpeg`: sizes packet by packet, and the
//! processor time of the whole run without that of converting colours.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use gc_profile::recording;
use serde_json::{Value, json};

use super::class;

/// Frame by frame, whatever times a file gives them: else each is compared with
/// the one before it.
const PACE: &str = "settb=AVTB,setpts=N/(30*TB),format=yuv420p";
/// A row and its encoder's options.
const ROWS: [(&str, &[&str]); 2] = [
    ("x264 ultrafast, crf 23", &["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-crf", "23"]),
    (
        "VP9 realtime",
        &[
            "-c:v",
            "libvpx-vp9",
            "-deadline",
            "realtime",
            "-cpu-used",
            "8",
            "-b:v",
            "0",
            "-crf",
            "30",
            "-lag-in-frames",
            "0",
        ],
    ),
];

pub(super) fn rows(path: &Path) -> Result<Vec<Value>> {
    let convert = seconds(path, &["-f", "null", "-"])?;
    let mut rows = Vec::new();
    for (name, options) in ROWS {
        let folder = tempfile::tempdir()?;
        let film = folder.path().join("film.mkv");
        let output: Vec<&str> = options.iter().copied().chain([film.to_str().context("a strange folder")?]).collect();
        let took = (seconds(path, &output)? - convert).max(0.0);
        let packets = packets(&film)?;
        let (first, rest) = packets.split_first().context("no packets")?;
        let count = rest.len().max(1) as f64;
        let mean = (took / packets.len() as f64 * 1e6).round() / 1000.0;
        rows.push(json!({
            "row": name, "cls": class(path), "frames": packets.len(), "changed": null,
            "bytes_per_frame": rest.iter().sum::<u64>() as f64 / count, "key_bytes": first,
            // Of a whole run only the mean is known.
            "enc_mean_ms": mean, "enc_p50_ms": null, "enc_p99_ms": null, "diff_ms": null, "dec_p50_ms": null,
            "bad": null, "psnr_y": luma(path, &film)?,
        }));
    }
    Ok(rows)
}

fn ffmpeg(path: &Path) -> Command {
    let size = recording::size(path);
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-hide_banner", "-y", "-threads", "1", "-f", "rawvideo", "-pix_fmt", "bgra"])
        .args(["-s", &format!("{}x{}", size.width, size.height), "-r", "30", "-i"])
        .arg(path)
        .stdin(Stdio::null());
    command
}

/// Processor seconds of a run.
fn seconds(path: &Path, output: &[&str]) -> Result<f64> {
    let run = ffmpeg(path)
        .args(["-benchmark", "-threads", "1", "-pix_fmt", "yuv420p"])
        .args(output)
        .output()
        .context("ffmpeg")?;
    let said = String::from_utf8_lossy(&run.stderr);
    ensure!(run.status.success(), "ffmpeg: {said}");
    let line = said.lines().rfind(|line| line.contains("utime=")).context("ffmpeg tells no times")?;
    let part = |name: &str| -> Option<f64> { line.split(name).nth(1)?.split('s').next()?.parse().ok() };
    Ok(part("utime=").context("no utime")? + part("stime=").unwrap_or(0.0))
}

fn packets(film: &Path) -> Result<Vec<u64>> {
    let run = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "packet=size", "-of", "csv=p=0"])
        .arg(film)
        .output()
        .context("ffprobe")?;
    ensure!(run.status.success(), "ffprobe: {}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8_lossy(&run.stdout)
        .split_whitespace()
        .map(|size| Ok(size.trim_end_matches(',').parse()?))
        .collect()
}

/// How near the luma is to the recording's, in decibels.
fn luma(path: &Path, film: &Path) -> Result<Option<f64>> {
    let run = ffmpeg(path)
        .arg("-i")
        .arg(film)
        .args(["-lavfi", &format!("[0:v]{PACE}[a];[1:v]{PACE}[b];[a][b]psnr"), "-f", "null", "-"])
        .output()
        .context("ffmpeg")?;
    let said = String::from_utf8_lossy(&run.stderr);
    ensure!(run.status.success(), "ffmpeg: {said}");
    Ok(said.rsplit("PSNR y:").next().and_then(|rest| rest.split_whitespace().next()?.parse().ok()))
}
