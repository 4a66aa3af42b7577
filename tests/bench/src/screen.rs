//! The codec on recordings of real programs, beside peers: bytes, and time of
//! one core, in one run.

mod film;
mod ours;
mod tigervnc;
mod zstd_rows;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use gc_profile::recording::{Frame, Recording, recordings};

use crate::process::timed;

/// What codes one recording after the other.
trait Codec {
    /// Code a picture of which `damage` may differ from the one before it.
    ///
    /// # Errors
    /// When it fails.
    fn frame(&mut self, frame: &Frame) -> Result<Outcome>;
}

/// What became of a picture.
#[derive(Debug, Clone, Copy, Default)]
struct Outcome {
    bytes: usize,
    encode: Duration,
    decode: Duration,
    /// Something that should be exact was not decoded to what it was.
    is_bad: bool,
    /// Where video lies, and the mean square of what its luma is wrong by.
    video: Option<(gc_screen::Rect, f64)>,
}

/// Every row on every recording of this folder, and as a list into `file`.
///
/// # Errors
/// When there are no recordings, or a row fails.
pub fn run(folder: &Path, file: Option<&Path>) -> Result<()> {
    let recordings = recordings(folder)?;
    ensure!(!recordings.is_empty(), "{} holds no recordings CLASS.bgra", folder.display());
    use_memory();
    let (mut rows, mut verdicts) = (Vec::new(), Vec::new());
    println!(
        "{:<26} {:<16} {:>12} {:>10} {:>8} {:>8} {:>8} {:>8} {:>4} {:>7}",
        "row", "class", "bytes/frame", "first", "enc p50", "enc p99", "enc mean", "dec p50", "bad", "luma dB"
    );
    for path in &recordings {
        let mut spent = Vec::new();
        for name in ["ours", "zstd -1 of rectangles", "zstd -1, long distance"] {
            let (row, frames) = in_process(name, path)?;
            rows.push(row);
            show(rows.last());
            spent.push(frames);
        }
        if let [ours, zstd, ..] = spent.as_slice() {
            verdicts.push(beside(path, ours, zstd));
        }
        // What the same costs without video, where there was some.
        let is_video = |row: &Value| row["row"] == "ours" && row["cls"] == class(path) && !row["psnr_y"].is_null();
        if rows.iter().any(is_video) {
            rows.push(in_process("ours, exact", path)?.0);
            show(rows.last());
        }
        for row in tigervnc::rows(path)?.into_iter().chain(film::rows(path)?) {
            rows.push(row);
            show(rows.last());
        }
    }
    println!(
        "\nours beside zstd -1 of rectangles: times its bytes, its processor time, and frames with more than allowed"
    );
    for row in &verdicts {
        println!(
            "{:<16} {:>8} {:>8} {:>6} {:>6}",
            shown(row, "cls"),
            shown(row, "bytes"),
            shown(row, "cpu"),
            shown(row, "more_bytes"),
            shown(row, "more_cpu")
        );
    }
    if let Some(path) = file {
        let mut file = std::fs::File::create(path).with_context(|| path.display().to_string())?;
        writeln!(file, "{}", Value::Array(rows))?;
    }
    Ok(())
}

/// Have as much memory as any row takes, once: on a virtual machine, what was never
/// used before is given at the first use, which took 11 µs a page where that was
/// measured, and the row that comes first would pay for it.
fn use_memory() {
    let mut memory = vec![0_u8; 1 << 30];
    memory.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    std::hint::black_box(&memory);
}

fn shown(row: &Value, key: &str) -> String {
    match &row[key] {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn show(row: Option<&Value>) {
    let Some(row) = row else { return };
    let text = |key| shown(row, key);
    println!(
        "{:<26} {:<16} {:>12} {:>10} {:>8} {:>8} {:>8} {:>8} {:>4} {:>7}",
        text("row"),
        text("cls"),
        text("bytes_per_frame"),
        text("key_bytes"),
        text("enc_p50_ms"),
        text("enc_p99_ms"),
        text("enc_mean_ms"),
        text("dec_p50_ms"),
        text("bad"),
        text("psnr_y")
    );
}

/// What a codec may cost more than the plain way, and a few bytes for an
/// update that hardly holds anything.
const MOST_BYTES: f64 = 1.02;
const MOST_CPU: f64 = 3.0;
const HEAD: usize = 32;

/// Bytes and time of a frame that changed.
type Cost = (usize, Duration);

/// Ours beside the plain way, frame by frame and all together.
fn beside(path: &Path, ours: &[Cost], plain: &[Cost]) -> Value {
    let sum = |costs: &[Cost]| {
        costs.iter().fold((0.0, 0.0), |sum, cost| (sum.0 + cost.0 as f64, sum.1 + cost.1.as_secs_f64()))
    };
    let hundredth = |value: f64| (value * 100.0).round() / 100.0;
    let count = |is_more: &dyn Fn(&Cost, &Cost) -> bool| {
        ours.iter().zip(plain).filter(|(ours, plain)| is_more(ours, plain)).count()
    };
    let (own, other) = (sum(ours), sum(plain));
    json!({
        "cls": class(path), "changed": ours.len(),
        "bytes": hundredth(own.0 / other.0), "cpu": hundredth(own.1 / other.1),
        "more_bytes": count(&|ours, plain| ours.0 as f64 > plain.0 as f64 * MOST_BYTES + HEAD as f64),
        "more_cpu": count(&|ours, plain| ours.1.as_secs_f64() > plain.1.as_secs_f64() * MOST_CPU),
    })
}

/// What a picture that changed took.
struct Took {
    /// Its number, from 1.
    frame: usize,
    outcome: Outcome,
    /// Finding what has changed.
    compare: Duration,
}

/// Every picture of a recording that changed, and how many there are.
fn code(name: &str, path: &Path) -> Result<(Vec<Took>, usize)> {
    let mut recording = Recording::open(path)?;
    let size = recording.size();
    let mut codec: Box<dyn Codec> = match name {
        "ours" => Box::new(ours::Ours::new(size, true)?),
        "ours, exact" => Box::new(ours::Ours::new(size, false)?),
        "zstd -1, long distance" => Box::new(zstd_rows::LongDistance::new()?),
        _ => Box::new(zstd_rows::Rectangles::new()?),
    };
    let (mut took, mut frames) = (Vec::new(), 0);
    while recording.read()? {
        let (frame, compare) = timed(|| recording.absorb());
        frames += 1;
        if frame.damage.is_empty() {
            continue;
        }
        let outcome = codec.frame(&frame).with_context(|| format!("{name}, frame {frames} of {}", path.display()))?;
        took.push(Took { frame: frames, outcome, compare });
    }
    Ok((took, frames))
}

/// All of it twice: what a machine does beside a picture is not done at the same one
/// again, so of each the lesser time counts.
fn in_process(name: &str, path: &Path) -> Result<(Value, Vec<Cost>)> {
    let ((mut took, frames), (again, _)) = (code(name, path)?, code(name, path)?);
    ensure!(took.len() == again.len(), "{name}: another run of {} is another one", path.display());
    for (took, again) in took.iter_mut().zip(&again) {
        took.outcome.encode = took.outcome.encode.min(again.outcome.encode);
        took.outcome.decode = took.outcome.decode.min(again.outcome.decode);
        took.outcome.is_bad |= again.outcome.is_bad;
        took.compare = took.compare.min(again.compare);
    }
    let bad = took.iter().filter(|took| took.outcome.is_bad).count();
    let errors: Vec<f64> = took.iter().filter_map(|took| took.outcome.video.map(|(_, error)| error)).collect();
    let later: Vec<&Took> = took.iter().filter(|took| took.frame > 1).collect();
    let first: usize = took.iter().filter(|took| took.frame == 1).map(|took| took.outcome.bytes).sum();
    let costs: Vec<Cost> = later.iter().map(|took| (took.outcome.bytes, took.outcome.encode)).collect();
    let total: usize = costs.iter().map(|cost| cost.0).sum();
    let mut encode: Vec<Duration> = costs.iter().map(|cost| cost.1).collect();
    let mut decode: Vec<Duration> = later.iter().map(|took| took.outcome.decode).collect();
    let mut compare: Vec<Duration> = later.iter().map(|took| took.compare).collect();
    // Of what is video, not of the whole picture, which is exact elsewhere.
    let error = errors.iter().sum::<f64>() / errors.len().max(1) as f64;
    let luma = (error > 0.0).then(|| (10.0 * (255.0 * 255.0 / error).log10() * 100.0).round() / 100.0);
    let mut sizes: Vec<usize> = costs.iter().map(|cost| cost.0).collect();
    sizes.sort_unstable();
    let mean = encode.iter().sum::<Duration>().as_secs_f64() / encode.len().max(1) as f64;
    let row = json!({
        "row": name, "cls": class(path), "frames": frames, "changed": encode.len(),
        "enc_mean_ms": (mean * 1e6).round() / 1000.0,
        "bytes_per_frame": total as f64 / frames.saturating_sub(1).max(1) as f64, "key_bytes": first,
        // Of those that changed.
        "bytes_p50": sizes.get(sizes.len() / 2), "bytes_max": sizes.last(),
        "enc_p50_ms": quantile(&mut encode, 0.5), "enc_p99_ms": quantile(&mut encode, 0.99),
        "diff_ms": quantile(&mut compare, 0.5), "dec_p50_ms": quantile(&mut decode, 0.5),
        "bad": bad, "psnr_y": luma,
    });
    Ok((row, costs))
}

fn class(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// In milliseconds, to the microsecond.
fn quantile(samples: &mut [Duration], part: f64) -> f64 {
    samples.sort_unstable();
    let at = ((samples.len() as f64 * part) as usize).min(samples.len().saturating_sub(1));
    samples.get(at).map_or(0.0, |took| (took.as_secs_f64() * 1e6).round() / 1000.0)
}
