//! From a key to a pixel, and how old what is shown is, over emulated lines:
//! the product, and beside it TigerVNC's server with a client of ours.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use gc_desktop_tests::Child;
use gc_line::{Conditions, Direction, Line};
use serde_json::{Value, json};

use crate::figures::Rows;
use crate::rfb;
use crate::scene::{Motion, PER_SECOND};
use crate::stage::{Stage, own, play};
use crate::watcher::{Doing, Seen, Watcher, command};
use crate::xvnc::Xvnc;

/// How long each cell is measured.
pub const PART: Duration = Duration::from_secs(6);
/// What begins costs a whole picture; that is not what is measured.
const SETTLE: Duration = Duration::from_secs(2);
/// Until whoever has gone is missed.
const GONE: Duration = Duration::from_millis(500);

/// A line: the same both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Megabits in a second.
    megabits: u64,
    /// There and back.
    trip: Duration,
    /// Of a thousand packets.
    loss: u32,
}

/// How much of the grid is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Some that differ most, in about ten minutes.
    Few,
    /// Every one.
    All,
    /// This one.
    One(Kind),
}

impl Kind {
    const fn new(megabits: u64, trip: u64, loss: u32) -> Self {
        Self { megabits, trip: Duration::from_millis(trip), loss }
    }

    fn of(extent: Extent) -> Vec<Self> {
        if let Extent::One(kind) = extent {
            return vec![kind];
        }
        if extent == Extent::Few {
            return vec![
                Self::new(1, 40, 0),
                Self::new(1, 200, 10),
                Self::new(4, 5, 0),
                Self::new(4, 80, 0),
                Self::new(4, 80, 10),
                Self::new(20, 40, 0),
                Self::new(20, 200, 0),
                Self::new(100, 80, 10),
            ];
        }
        let mut kinds = Vec::new();
        for megabits in [1, 4, 20, 100] {
            for trip in [5, 40, 80, 200] {
                kinds.extend([0, 10].map(|loss| Self::new(megabits, trip, loss)));
            }
        }
        kinds
    }

    /// From "4,80,1": megabits in a second, milliseconds there and back, packets of
    /// a hundred that get lost each way.
    pub fn named(name: &str) -> Option<Self> {
        let numbers: Vec<u64> = name.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [megabits, trip, loss] = *numbers.first_chunk().filter(|_| numbers.len() == 3)?;
        let loss = u32::try_from(loss).ok().filter(|loss| *loss < 100)?;
        (1..100_000).contains(&megabits).then(|| Self::new(megabits, trip, loss * 10))
    }

    fn conditions(self) -> Conditions {
        Conditions::new(self.megabits * 1000, self.trip / 2).losing(self.loss)
    }

    fn name(self, peer: &str) -> String {
        format!("{} Mbit/s, {} ms, {} %: {peer}", self.megabits, self.trip.as_millis(), self.loss / 10)
    }
}

/// All rows. Whoever is watched is at one end of a line, whoever watches at
/// the other.
///
/// # Errors
/// When something does not start.
pub fn run(extent: Extent, part: Duration, rows: &mut Rows) -> Result<()> {
    let kinds = Kind::of(extent);
    let line = Line::even(Conditions::default())?;
    let near = line.b().address();
    let bench = Bench { line: &line, kinds: &kinds, part };
    line.b().run(|| {
        let stage = Stage::open(&format!("{near}:0"))?;
        let scene = |motion| stage.play(motion);
        let watch = || command(&stage.ticket()?, Doing::Typing);
        bench.peer("GuruConnect", scene, watch, rows)?;
        drop(stage);
        let server = Xvnc::start(near, &[])?;
        let scene = |motion| play(server.command(own()?), motion);
        bench.peer("Xvnc", scene, || rfb::watcher::command(server.address), rows)
    })?
}

struct Bench<'a> {
    line: &'a Line,
    kinds: &'a [Kind],
    part: Duration,
}

impl Bench<'_> {
    /// Each line with a still screen, then each with a page that scrolls beside a
    /// film.
    fn peer(
        &self,
        name: &str,
        scene: impl Fn(Motion) -> Result<Child>,
        watch: impl Fn() -> Result<Command>,
        rows: &mut Rows,
    ) -> Result<()> {
        let mut still = Vec::new();
        let playing = scene(Motion::Still)?;
        for kind in self.kinds {
            still.push(self.seen(*kind, &watch));
        }
        drop(playing);
        let _playing = scene(Motion::Both)?;
        for (kind, still) in self.kinds.iter().zip(still) {
            let scrolling = self.seen(*kind, &watch);
            rows.add(row(*kind, name, &still, &scrolling))?;
        }
        Ok(())
    }

    /// What a watcher at the far end sees.
    fn seen(&self, kind: Kind, watch: &impl Fn() -> Result<Command>) -> Result<Seen> {
        for direction in [Direction::AToB, Direction::BToA] {
            self.line.set(direction, kind.conditions());
        }
        let mut command = watch()?;
        self.line.a().put(&mut command);
        let watcher = Watcher::start(command)?;
        std::thread::sleep(SETTLE);
        let _: Seen = watcher.seen();
        std::thread::sleep(self.part);
        let seen = watcher.seen();
        drop(watcher);
        std::thread::sleep(GONE);
        Ok(seen)
    }
}

fn row(kind: Kind, peer: &str, still: &Result<Seen>, scrolling: &Result<Seen>) -> Value {
    let mut row = json!({ "row": kind.name(peer) });
    let trip = kind.trip.as_secs_f64() * 1000.0;
    let tenth = |value: f64| (value * 10.0).round() / 10.0;
    match still {
        Ok(seen) => {
            row["still_n"] = json!(seen.keys.len());
            row["still_p50"] = json!(tenth(seen.keys.quantile(0.5)));
            row["still_p95"] = json!(tenth(seen.keys.quantile(0.95)));
        }
        Err(error) => row["still_failed"] = json!(format!("{error:#}")),
    }
    match scrolling {
        Ok(seen) => {
            row["key_n"] = json!(seen.keys.len());
            row["key_p50"] = json!(tenth(seen.keys.quantile(0.5)));
            row["key_p95"] = json!(tenth(seen.keys.quantile(0.95)));
            row["key_aim"] = json!(trip + 50.0);
            row["age_p50"] = json!(seen.ages.quantile(0.5));
            row["age_p95"] = json!(seen.ages.quantile(0.95));
            // What two updates take on the line, at the size that they have, and
            // what the scene itself lets pass before it tells the time anew.
            let update = seen.bits / seen.pictures / (kind.megabits as f64 * 1000.0);
            let period = 1000.0 / f64::from(PER_SECOND);
            row["age_aim"] = json!(tenth(trip / 2.0 + 2.0 * update + period));
            row["pictures"] = json!(seen.pictures);
            row["begun_anew"] = json!(seen.keyframes);
            row["kbit"] = json!((seen.bits / 1000.0).round());
        }
        Err(error) => row["scrolling_failed"] = json!(format!("{error:#}")),
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_holds_every_line_once() {
        let all = Kind::of(Extent::All);
        assert_eq!(all.len(), 32);
        for (at, kind) in all.iter().enumerate() {
            assert_eq!(all.iter().position(|other| other == kind), Some(at), "{kind:?} is there twice");
        }
        for kind in Kind::of(Extent::Few) {
            assert!(all.contains(&kind), "{kind:?} is not of the grid");
        }
    }
}
