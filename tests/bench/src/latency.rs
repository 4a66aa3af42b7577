//! From a key to a pixel, through the relay with TLS, and beside it in the
//! same run an RFB server and the X server alone.

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gc_desktop_tests::Display;
use serde_json::{Value, json};

use crate::figures::{Rows, Samples};
use crate::process::{Usage, family_usage, usage};
use crate::rfb::{Client, Encoding, Flow};
use crate::scene::{Motion, PROBE};
use crate::stage::{Stage, own, play};
use crate::viewer::Viewer;
use crate::xvnc::Xvnc;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Key presses that do not count.
    pub warm_up: usize,
    /// Those that do.
    pub samples: usize,
}

/// A hand's pause between two keys.
#[must_use]
pub fn pause() -> Duration {
    Duration::from_micros(fastrand::u64(20_000..70_000))
}

/// All rows of the table.
///
/// # Errors
/// When something does not start or does not answer.
pub fn run(plan: Plan, rows: &mut Rows) -> Result<()> {
    for row in ours(plan)? {
        rows.add(row)?;
    }
    rows.add(xvnc("TigerVNC Xvnc", &[], plan)?)?;
    rows.add(xvnc("TigerVNC Xvnc -FrameRate 1000", &["-FrameRate", "1000"], plan)?)?;
    rows.add(floor(plan)?)?;
    Ok(())
}

/// The product, and parts of its way.
fn ours(plan: Plan) -> Result<Vec<Value>> {
    let mut stage = Stage::open("127.0.0.1:0")?;
    let _scene = stage.play(Motion::Still)?;
    let ticket = stage.ticket()?;
    let (server, agent) = (stage.server.child().id(), stage.agent.child().id());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut viewer = Viewer::open(&ticket).await?;
        viewer.take_control().await?;
        viewer.watch(Duration::from_millis(500)).await?;
        let before = (family_usage(server), usage(agent)?, viewer.tally());
        let samples = measure(&mut viewer, plan).await?;
        let after = (family_usage(server), usage(agent)?, viewer.tally());
        let mut row = samples.row("GuruConnect, relay and TLS");
        let flips = (plan.warm_up + plan.samples) as u64;
        let per_flip = |before: Usage, after: Usage| (after.cpu - before.cpu).as_micros() as u64 / flips;
        row["bytes_per_flip"] = json!((after.2.bytes - before.2.bytes) / flips);
        row["server_us"] = json!(per_flip(before.0, after.0));
        row["agent_us"] = json!(per_flip(before.1, after.1));
        let pictures = (after.2.pictures - before.2.pictures).max(1);
        row["decode_us"] = json!((after.2.decoding - before.2.decoding).as_micros() as u64 / pictures);
        // The relay takes twenty heartbeats in a second.
        let mut knocks = Samples::default();
        for _ in 0..plan.samples.min(100) {
            viewer.watch(Duration::from_millis(60) + pause()).await?;
            knocks.add(viewer.knock().await?);
        }
        Ok(vec![row, knocks.row("  of it: viewer to relay and back")])
    })
}

/// Press a key again and again, and time the square.
///
/// # Errors
/// When nothing changes at a key press, or the line breaks.
pub async fn measure(viewer: &mut Viewer, plan: Plan) -> Result<Samples> {
    let mut samples = Samples::default();
    for number in 0..plan.warm_up + plan.samples {
        viewer.watch(pause()).await?;
        let took = one(viewer).await?;
        if number >= plan.warm_up {
            samples.add(took);
        }
    }
    Ok(samples)
}

/// One key, until its pixel is there.
///
/// # Errors
/// When nothing changes, or the line breaks.
pub async fn one(viewer: &mut Viewer) -> Result<Duration> {
    let before = viewer.pixel(PROBE.0, PROBE.1);
    let begun = Instant::now();
    viewer.key("KeyA", true).await?;
    viewer.key("KeyA", false).await?;
    while viewer.pixel(PROBE.0, PROBE.1) == before {
        let deadline = begun + Duration::from_secs(30);
        viewer.next_before(deadline).await?.context("nothing changes at a key press")?;
    }
    Ok(begun.elapsed())
}

fn xvnc(name: &str, options: &[&str], plan: Plan) -> Result<Value> {
    let server = Xvnc::start(Ipv4Addr::LOCALHOST.into(), options)?;
    let _scene = play(server.command(own()?), Motion::Still)?;
    let mut client = Client::connect(server.address, Encoding::Raw, Flow::Asked)?;
    let before = usage(server.id())?;
    let mut row = client.measure(plan)?.row(name);
    let spent = usage(server.id())?.cpu - before.cpu;
    row["server_us"] = json!(spent.as_micros() as u64 / (plan.warm_up + plan.samples) as u64);
    Ok(row)
}

fn floor(plan: Plan) -> Result<Value> {
    let display = Display::start(1920, 1080)?;
    let _scene = play(display.command(own()?), Motion::Still)?;
    let output = display
        .command(own()?)
        .args(["floor", &plan.warm_up.to_string(), &plan.samples.to_string()])
        .stderr(Stdio::inherit())
        .output()?;
    let row: Value = serde_json::from_slice(&output.stdout).context("the floor was not measured")?;
    Ok(row)
}
