//! Viewers that are slow, freeze or come late, beside a fast one on a screen
//! that moves: what it costs the fast one, how old what they see is, and what
//! memory grows.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gc_line::{Conditions, Line};
use serde_json::{Value, json};

use crate::figures::Rows;
use crate::process::{family_usage, usage};
use crate::scene::Motion;
use crate::stage::Stage;
use crate::watcher::{Doing, Seen, Watcher, command};

/// How long each part is measured.
pub const PART: Duration = Duration::from_secs(15);
/// How long a viewer is frozen.
const FROZEN: Duration = Duration::from_secs(30);

/// The slow line: one megabit in a second, a round trip of 200 ms.
#[must_use]
pub fn slow_line() -> Conditions {
    Conditions::new(1000, Duration::from_millis(100))
}

/// All rows. Server, agent and the fast viewer are at one end of a line, the
/// slow viewer at the other.
///
/// # Errors
/// When something does not start, or a viewer is lost.
pub fn run(motion: Motion, part: Duration, rows: &mut Rows) -> Result<()> {
    let line = Line::even(slow_line())?;
    let listen = format!("{}:0", line.b().address());
    line.b().run(|| {
        let mut stage = Stage::open(&listen)?;
        let _scene = stage.play(motion)?;
        let mut bench =
            Bench { fast: Watcher::start(command(&stage.ticket()?, Doing::Typing)?)?, rows, alone: None, part };
        // What begins costs a whole picture; that is not what is measured.
        bench.rest(&mut stage, Duration::from_secs(5))?;
        bench.part("fast viewer alone", &mut stage, None)?;
        let mut command_slow = command(&stage.ticket()?, Doing::Watching)?;
        let slow = start_at(&line, &mut command_slow)?;
        bench.part("beside a slow one: its first seconds", &mut stage, Some(&slow))?;
        bench.part("beside a slow one: later", &mut stage, Some(&slow))?;
        drop(slow);
        bench.rest(&mut stage, Duration::from_secs(3))?;
        let mut frozen = Watcher::start(command(&stage.ticket()?, Doing::Watching)?)?;
        bench.part("beside another fast one", &mut stage, Some(&frozen))?;
        frozen.child().pause()?;
        bench.part_of("beside a frozen one", &mut stage, None, FROZEN)?;
        // The relay has given it up meanwhile; it would come again.
        drop(frozen);
        bench.rest(&mut stage, Duration::from_secs(3))?;
        let _: Seen = bench.fast.seen();
        let late = Watcher::start(command(&stage.ticket()?, Doing::Watching)?)?;
        bench.part("beside one that comes late", &mut stage, Some(&late))?;
        drop(late);
        bench.part("alone again", &mut stage, None)
    })?
}

fn start_at(line: &Line, command: &mut Command) -> Result<Watcher> {
    line.a().put(command);
    Watcher::start(std::mem::replace(command, Command::new("true")))
}

struct Bench<'a> {
    fast: Watcher,
    rows: &'a mut Rows,
    alone: Option<Seen>,
    part: Duration,
}

impl Bench<'_> {
    fn part(&mut self, name: &str, stage: &mut Stage, other: Option<&Watcher>) -> Result<()> {
        self.part_of(name, stage, other, self.part)
    }

    /// Watch for a while and add a row.
    fn part_of(&mut self, name: &str, stage: &mut Stage, other: Option<&Watcher>, during: Duration) -> Result<()> {
        // What came before belongs to the part before.
        let _: (Seen, Option<Seen>) = (self.fast.seen(), other.map(Watcher::seen));
        let (server, agent) = (stage.server.child().id(), stage.agent.child().id());
        let before = (family_usage(server).cpu, usage(agent)?.cpu);
        let most = self.rest(stage, during)?;
        let spent = |before: Duration, after: Duration| {
            ((after - before).as_secs_f64() / during.as_secs_f64() * 1000.0).round() / 10.0
        };
        let cpu = (spent(before.0, family_usage(server).cpu), spent(before.1, usage(agent)?.cpu));
        let fast = self.fast.seen();
        let alone = self.alone.get_or_insert_with(|| fast.clone());
        let mut row = json!({
            "row": name, "fast_fps": fast.pictures, "fps_ratio": ratio(fast.pictures, alone.pictures),
            "key_p50": fast.keys.quantile(0.5), "key_p95": fast.keys.quantile(0.95),
            "key_ratio": ratio(fast.keys.quantile(0.5), alone.keys.quantile(0.5)),
            "fast_keyframes": fast.keyframes, "fast_age_p95": fast.ages.quantile(0.95),
            "server_mib": most.0 / 1024, "agent_mib": most.1 / 1024, "server_cpu": cpu.0, "agent_cpu": cpu.1,
        });
        if let Some(other) = other.map(Watcher::seen) {
            row["other_fps"] = json!(other.pictures);
            row["other_kbit"] = json!((other.bits / 1000.0).round());
            row["other_age_p50"] = json!(other.ages.quantile(0.5));
            row["other_age_p95"] = json!(other.ages.quantile(0.95));
            row["other_age_max"] = json!(other.ages.quantile(1.0));
        }
        self.rows.add(row)
    }

    /// Let time pass; the most memory that server and agent had, in KiB.
    fn rest(&self, stage: &mut Stage, during: Duration) -> Result<(u64, u64)> {
        let (server, agent) = (stage.server.child().id(), stage.agent.child().id());
        let end = Instant::now() + during;
        let mut most = (0, 0);
        while Instant::now() < end {
            // How often memory is looked at.
            std::thread::sleep(Duration::from_millis(200));
            let now = (family_usage(server).resident, usage(agent).context("the agent is gone")?.resident);
            most = (most.0.max(now.0), most.1.max(now.1));
        }
        Ok(most)
    }
}

fn ratio(value: f64, of: f64) -> Value {
    if of > 0.0 { json!((value / of * 100.0).round() / 100.0) } else { Value::Null }
}
