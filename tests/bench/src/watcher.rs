//! A viewer in a process of its own, told by its environment what to watch,
//! that writes a line of JSON twice a second: what it sees, how old it is, and
//! how long a key takes to be seen.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gc_desktop_tests::Child;
use serde_json::{Value, json};

use crate::figures::Samples;
use crate::latency::pause;
use crate::scene::{PROBE, age, now_millis};
use crate::stage::{from_hex, own, to_hex};
use crate::viewer::{Ticket, Viewer};

/// How often the age of what is shown is looked at.
pub const LOOK: Duration = Duration::from_millis(50);

/// What a watcher does beside watching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Nothing.
    Watching,
    /// It takes control, and presses a key again and again.
    Typing,
}

/// What a watcher has seen in its time.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Pictures in a second.
    pub pictures: f64,
    /// Bits in a second.
    pub bits: f64,
    /// Pictures that began anew.
    pub keyframes: u64,
    /// Fresh starts that it asked for.
    pub refreshes: u64,
    /// How long its keys took to be seen.
    pub keys: Samples,
    /// How old what it showed was.
    pub ages: Samples,
}

/// A command that watches.
///
/// # Errors
/// When our own program is not there.
pub fn command(ticket: &Ticket, doing: Doing) -> Result<Command> {
    let mut command = Command::new(own()?);
    command
        .arg("watch")
        .arg(if doing == Doing::Typing { "typing" } else { "watching" })
        .env("BENCH_SERVER", &ticket.server)
        .env("BENCH_SESSION", &ticket.session)
        .env("BENCH_TOKEN", &ticket.token)
        .env("BENCH_IDENTITY", ticket.identity.as_ref().map(to_hex).unwrap_or_default())
        .stdout(Stdio::piped());
    Ok(command)
}

/// A running watcher, and a thread that reads what it writes.
#[derive(Debug)]
pub struct Watcher {
    child: Child,
    lines: std::sync::mpsc::Receiver<Value>,
}

impl Watcher {
    /// Start one and wait for its first picture.
    ///
    /// # Errors
    /// When it sees nothing.
    pub fn start(mut command: Command) -> Result<Self> {
        let mut child = Child::spawn(&mut command)?;
        let output = child.inner().stdout.take().context("the watcher has no output")?;
        // Lines are small and few; whoever asks takes all.
        let (sender, lines) = std::sync::mpsc::sync_channel(4096);
        std::thread::Builder::new().name("watcher".into()).spawn(move || {
            for line in std::io::BufRead::lines(std::io::BufReader::new(output)).map_while(Result::ok) {
                let Ok(value) = serde_json::from_str(&line) else { continue };
                if sender.try_send(value).is_err() {
                    return;
                }
            }
        })?;
        let watcher = Self { child, lines };
        watcher.lines.recv_timeout(Duration::from_secs(60)).context("a watcher sees nothing")?;
        Ok(watcher)
    }

    /// Its process.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// What it has seen since it was last asked.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let mut seen = Seen::default();
        let (mut pictures, mut bytes, mut time) = (0, 0, 0.0);
        for line in self.lines.try_iter() {
            let number = |key: &str| line[key].as_u64().unwrap_or(0);
            pictures += number("pictures");
            bytes += number("bytes");
            seen.keyframes += number("keyframes");
            seen.refreshes += number("refreshes");
            time += line["seconds"].as_f64().unwrap_or(0.0);
            let times = |key: &str| line[key].as_array().cloned().unwrap_or_default();
            times("keys").iter().filter_map(Value::as_u64).for_each(|us| seen.keys.add(Duration::from_micros(us)));
            times("ages").iter().filter_map(Value::as_u64).for_each(|ms| seen.ages.add(Duration::from_millis(ms)));
        }
        if time > 0.0 {
            seen.pictures = (pictures as f64 / time * 10.0).round() / 10.0;
            seen.bits = (bytes as f64 * 8.0 / time).round();
        }
        seen
    }
}

/// The watcher's own program.
///
/// # Errors
/// When it cannot watch, or no longer.
pub fn run(doing: Doing) -> Result<()> {
    let of = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
    let ticket = Ticket {
        server: of("BENCH_SERVER")?,
        session: of("BENCH_SESSION")?,
        token: of("BENCH_TOKEN")?,
        identity: from_hex(&of("BENCH_IDENTITY")?),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(watch(&ticket, doing))
}

async fn watch(ticket: &Ticket, doing: Doing) -> Result<()> {
    let mut viewer = Viewer::open(ticket).await?;
    if doing == Doing::Typing {
        viewer.take_control().await?;
    }
    println!("{{}}");
    let mut pressed: Option<(Instant, [u8; 3])> = None;
    let mut press_at = Instant::now() + pause();
    let mut look_at = Instant::now() + LOOK;
    loop {
        let (begun, before) = (Instant::now(), viewer.tally());
        let (mut keys, mut ages) = (Vec::new(), Vec::new());
        while begun.elapsed() < Duration::from_millis(500) {
            let wake = if doing == Doing::Typing && pressed.is_none() { look_at.min(press_at) } else { look_at };
            viewer.next_before(wake).await?;
            let now = Instant::now();
            if let Some((at, shown)) = pressed
                && viewer.pixel(PROBE.0, PROBE.1) != shown
            {
                keys.push(at.elapsed().as_micros() as u64);
                pressed = None;
                press_at = now + pause();
            }
            if now >= look_at {
                look_at = now + LOOK;
                ages.extend(age(viewer.picture(), now_millis()).map(|age| age.as_millis() as u64));
            }
            if doing == Doing::Typing && pressed.is_none() && now >= press_at {
                pressed = Some((now, viewer.pixel(PROBE.0, PROBE.1)));
                viewer.key("KeyA", true).await?;
                viewer.key("KeyA", false).await?;
            }
        }
        let after = viewer.tally();
        println!(
            "{}",
            json!({
                "seconds": begun.elapsed().as_secs_f64(), "pictures": after.pictures - before.pictures,
                "bytes": after.bytes - before.bytes, "keyframes": after.keyframes - before.keyframes,
                "refreshes": after.refreshes - before.refreshes, "keys": keys, "ages": ages,
            })
        );
    }
}
