//! `bench`: figures of the product beside its peers'. `./run bench` builds and
//! starts it.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use gc_bench::figures::Rows;
use gc_bench::latency::Plan;
use gc_bench::network::{Extent, Kind};
use gc_bench::scene::Motion;
use gc_bench::watcher::Doing;
use gc_bench::{arrival, chromium, floor, footprint, latency, network, record, rfb, scene, screen, slow, watcher};

const USAGE: &str =
    "usage: bench screen | latency [--samples N] | chromium [--samples N] | network [--all | --line MBIT/S,MS,LOSS%] [--seconds N] \
                     | slow [film] [--seconds N] | arrival | footprint [--seconds N]   [--json FILE]
       bench record [FOLDER [CLASS...]]";
/// Names a folder of recordings that were given.
const CORPUS: &str = "GC_BENCH_CORPUS";
/// Names the folder of our own recordings.
const RECORDINGS: &str = "GC_BENCH_RECORDINGS";

/// As the bench material says.
const PLAN: Plan = Plan { warm_up: 10, samples: 500 };

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        let value = arguments.get(at + 1).cloned();
        arguments.drain(at..arguments.len().min(at + 2));
        value
    };
    let file = option("--json").map(PathBuf::from);
    let samples = option("--samples").map(|samples| samples.parse()).transpose().context(USAGE)?;
    let plan = Plan { samples: samples.unwrap_or(PLAN.samples), ..PLAN };
    let seconds = option("--seconds").map(|seconds| seconds.parse()).transpose().context(USAGE)?;
    let part = |usual: Duration| seconds.map_or(usual, Duration::from_secs);
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["screen"] => return screen::run(&recordings()?, file.as_deref()),
        ["record"] => return record::run(&own_recordings()?, &[]),
        ["record", folder, classes @ ..] => return record::run(Path::new(folder), classes),
        _ => {}
    }
    let mut rows = Rows::into(file.as_deref())?;
    let measured = match words.as_slice() {
        ["latency"] => latency::run(plan, &mut rows),
        ["chromium"] => chromium::run(samples.unwrap_or(chromium::KEYS), &mut rows),
        ["footprint"] => footprint::run(part(footprint::PART), &mut rows),
        ["network"] => network::run(Extent::Few, part(network::PART), &mut rows),
        ["network", "--line", line] => {
            let line = Kind::named(line).context(USAGE)?;
            network::run(Extent::One(line), part(network::PART), &mut rows)
        }
        ["network", "--all"] => network::run(Extent::All, part(network::PART), &mut rows),
        ["arrival"] => arrival::run(&recordings()?, &mut rows),
        ["slow"] => slow::run(Motion::Scrolling, part(slow::PART), &mut rows),
        ["slow", "film"] => slow::run(Motion::Film, part(slow::PART), &mut rows),
        // Parts that run as processes of their own.
        ["scene", name] => return play(Motion::named(name).context(USAGE)?),
        ["watch", "watching"] => return watcher::run(Doing::Watching),
        ["watch", "typing"] => return watcher::run(Doing::Typing),
        ["watch", "rfb", address] => return rfb::watcher::run(address.parse()?),
        ["capture", path, frames, pace] => return record::capture(Path::new(path), frames.parse()?, pace.parse()?),
        ["floor", warm_up, samples] => {
            let plan = Plan { warm_up: warm_up.parse()?, samples: samples.parse()? };
            println!("{}", floor::measure(plan)?.row("X server alone"));
            return Ok(());
        }
        _ => bail!(USAGE),
    };
    // What was measured before something failed is shown as well.
    println!("{}", rows.table());
    measured
}

/// The folder of recordings that was given, or our own, made where they are
/// missing.
fn recordings() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os(CORPUS) {
        return Ok(given.into());
    }
    let own = own_recordings()?;
    record::complete(&own)?;
    Ok(own)
}

fn own_recordings() -> Result<PathBuf> {
    let folder = std::env::var_os(RECORDINGS);
    Ok(folder.with_context(|| format!("{RECORDINGS} names no folder for recordings"))?.into())
}

/// Until the display goes, or this process does.
fn play(motion: Motion) -> Result<()> {
    scene::run(None, motion, || println!("ready"), &AtomicBool::new(false)).map(drop)
}
