//! Where the codec's instructions go: callgrind counts them, the compiler's notes
//! say which line of which file each one comes from, however much of it stands
//! in one function by now.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use gc_screen::codec::{Decoder, Encoded, Encoder, TILE_BYTES, TileKey};
use gc_screen::{Canvas, Damage};

use crate::recording::{Recording, recordings};

/// Bytes of remembered tiles, as they are by default.
const MEMORY: usize = 48 << 20;
/// Pictures of each recording: counting takes fifty times as long.
const FRAMES: usize = 60;
/// What is counted.
const SIDES: [(&str, &str); 2] = [("encoding", "*counted_encode*"), ("decoding", "*counted_decode*")];
/// Everything that is ours lies below it.
const OURS: &str = "core/screen/src/";
const ELSEWHERE: &str = "elsewhere";

/// Instructions by file.
type Counts = BTreeMap<String, u64>;

/// A table for each side: which share of the instructions comes from which
/// file, for each recording of the folder, or those named.
///
/// # Errors
/// When there is no such recording, or it cannot be counted.
pub fn run(folder: &Path, classes: &[&str]) -> Result<()> {
    let mut recordings = recordings(folder)?;
    let class = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    recordings.retain(|path| classes.is_empty() || classes.contains(&class(path).as_str()));
    ensure!(!recordings.is_empty(), "{} holds no such recordings CLASS.bgra", folder.display());
    for (side, function) in SIDES {
        let mut columns = Vec::new();
        for path in &recordings {
            columns.push((class(path), count(path, function)?));
        }
        show(side, &columns);
    }
    Ok(())
}

fn show(side: &str, columns: &[(String, Counts)]) {
    let sums: Vec<u64> = columns.iter().map(|(_, counts)| counts.values().sum()).collect();
    let mut files: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (index, (_, counts)) in columns.iter().enumerate() {
        for (file, count) in counts {
            files.entry(file).or_insert_with(|| vec![0.0; columns.len()])[index] =
                *count as f64 * 100.0 / sums[index] as f64;
        }
    }
    let mut rows: Vec<_> = files.into_iter().collect();
    rows.sort_by(|one, other| other.1.iter().sum::<f64>().total_cmp(&one.1.iter().sum()));
    println!(
        "\n| % of instructions, {side} | {} |",
        columns.iter().map(|(class, _)| class.as_str()).collect::<Vec<_>>().join(" | ")
    );
    println!("| --- |{}", " --- |".repeat(columns.len()));
    for (file, shares) in rows.iter().filter(|(_, shares)| shares.iter().any(|share| *share >= 1.0)) {
        println!("| `{file}` | {} |", shares.iter().map(|share| format!("{share:.1}")).collect::<Vec<_>>().join(" | "));
    }
    println!(
        "| millions of them | {} |",
        sums.iter().map(|sum| (sum / 1_000_000).to_string()).collect::<Vec<_>>().join(" | ")
    );
}

/// The part that runs under callgrind: a recording, there and back, of which all
/// but the first picture is counted.
///
/// # Errors
/// When a frame is refused.
pub fn coded(path: &Path) -> Result<()> {
    let mut recording = Recording::open(path)?;
    let slots = MEMORY / TILE_BYTES;
    let mut encoder = Encoder::new(recording.size(), slots, TileKey::new(&[7; 32]));
    let mut decoder = Decoder::new(recording.size(), slots).context("too large")?;
    let mut is_first = true;
    for _ in 0..FRAMES {
        if !recording.read()? {
            break;
        }
        let frame = recording.absorb();
        if std::mem::take(&mut is_first) {
            let first = encoder.encode(frame.canvas, &frame.damage, usize::MAX).context("a black picture")?;
            encoder.settle(frame.canvas);
            decoder.decode(&first.bytes)?;
            continue;
        }
        let encoded = counted_encode(&mut encoder, frame.canvas, &frame.damage);
        if let Some(encoded) = encoded {
            counted_decode(&mut decoder, &encoded.bytes)?;
        }
    }
    Ok(())
}

#[inline(never)]
fn counted_encode(encoder: &mut Encoder, canvas: &Canvas, damage: &Damage) -> Option<Encoded> {
    let encoded = encoder.encode(canvas, damage, usize::MAX);
    encoder.settle(canvas);
    encoded
}

#[inline(never)]
fn counted_decode(decoder: &mut Decoder, bytes: &[u8]) -> Result<()> {
    Ok(decoder.decode(bytes)?)
}

fn count(path: &Path, function: &str) -> Result<Counts> {
    let folder = tempfile::tempdir()?;
    let written = folder.path().join("counts");
    let program = std::env::current_exe()?;
    let status = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--dump-instr=yes", "--compress-pos=no", "--compress-strings=no"])
        .args(["--collect-atstart=no", &format!("--toggle-collect={function}")])
        .arg(format!("--callgrind-out-file={}", written.display()))
        .arg(&program)
        .arg("coded")
        .arg(path)
        .status()
        .context("valgrind does not start")?;
    ensure!(status.success(), "counting {} ended with {status}", path.display());
    let by_address = by_address(&std::fs::read_to_string(&written)?, &program.to_string_lossy());
    ensure!(!by_address.is_empty(), "nothing was counted for {}", path.display());
    by_file(&program, &by_address)
}

/// Instructions by address within the program. What it has done by others, such
/// as copying memory, counts where it asks for that.
fn by_address(text: &str, program: &str) -> HashMap<u64, u64> {
    let mut counts = HashMap::new();
    let (mut is_ours, mut is_start, mut is_called_ours, mut is_call) = (false, false, true, false);
    for line in text.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            is_ours = object == program;
        } else if let Some(function) = line.strip_prefix("fn=") {
            // It asks the library to call everything.
            is_start = function == "(below main)";
        } else if let Some(object) = line.strip_prefix("cob=") {
            is_called_ours = object == program;
        } else if line.starts_with("calls=") {
            is_call = true;
        } else if let Some(rest) = line.strip_prefix("0x") {
            let mut fields = rest.split_ascii_whitespace();
            let address = fields.next().and_then(|field| u64::from_str_radix(field, 16).ok());
            let count = fields.nth(1).and_then(|field| field.parse::<u64>().ok());
            let counts_here = !std::mem::take(&mut is_call) || !std::mem::replace(&mut is_called_ours, true);
            if let (true, true, Some(address), Some(count)) = (is_ours && !is_start, counts_here, address, count) {
                *counts.entry(address).or_default() += count;
            }
        }
    }
    counts
}

/// By the innermost file of ours that an address comes from.
fn by_file(program: &Path, by_address: &HashMap<u64, u64>) -> Result<Counts> {
    let mut child = Command::new("addr2line")
        .args(["--addresses", "--inlines", "--exe"])
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("addr2line does not start")?;
    let mut input = child.stdin.take().context("no input")?;
    let asked: Vec<String> = by_address.keys().map(|address| format!("{address:#x}\n")).collect();
    let writer = std::thread::spawn(move || asked.iter().try_for_each(|line| input.write_all(line.as_bytes())));
    let output = child.wait_with_output()?;
    writer.join().ok().context("nothing was asked")??;
    ensure!(output.status.success(), "addr2line ended with {}", output.status);
    let mut counts = Counts::new();
    let mut pending = None;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some(address) = line.strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok()) {
            if let Some(count) = pending.replace(by_address.get(&address).copied().unwrap_or(0)) {
                *counts.entry(ELSEWHERE.into()).or_default() += count;
            }
        } else if let Some((_, file)) = line.split_once(OURS)
            && let Some(count) = pending.take()
        {
            let file = file.split(':').next().unwrap_or_default();
            *counts.entry(file.into()).or_default() += count;
        }
    }
    *counts.entry(ELSEWHERE.into()).or_default() += pending.unwrap_or(0);
    let (told, counted) = (counts.values().sum::<u64>(), by_address.values().sum::<u64>());
    ensure!(told == counted, "addr2line answered for {told} of {counted} instructions");
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_do_counts_where_it_is_asked_for_and_nothing_twice() {
        let text = "ob=/p\nfn=(below main)\ncob=/libc\ncfn=start\ncalls=1 0x1 2\n0x10 0 900\n\n\
                    fn=a\n0x20 7 5\ncfn=b\ncalls=2 0x30 1\n0x20 7 80\n0x24 8 1\n\
                    cob=/libc\ncfn=memcpy\ncalls=1 0x99 1\n0x24 8 40\n\n\
                    fn=b\n0x30 1 30\n\nob=/libc\nfn=memcpy\n0x99 1 40\ncob=/p\ncfn=main\ncalls=1 0x20 2\n0x99 1 500\n";
        assert_eq!(by_address(text, "/p"), HashMap::from([(0x20, 5), (0x24, 41), (0x30, 30)]));
    }
}
