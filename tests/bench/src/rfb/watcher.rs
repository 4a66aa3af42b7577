//! An RFB client in a process of its own that types and watches, and writes
//! the same lines as the product's own watcher.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::{Client, Encoding, Flow};
use crate::latency::pause;
use crate::scene::{now_millis, told};
use crate::stage::own;
use crate::watcher::LOOK;

/// A command that types and watches.
///
/// # Errors
/// When our own program is not there.
pub fn command(address: SocketAddr) -> Result<Command> {
    let mut command = Command::new(own()?);
    command.args(["watch", "rfb", &address.to_string()]).stdout(Stdio::piped());
    Ok(command)
}

/// What an update has brought.
struct Came {
    probe: u32,
    told: Option<u32>,
    /// Bytes so far.
    bytes: u64,
}

/// The watcher's own program.
///
/// # Errors
/// When it cannot watch, or no longer.
pub fn run(address: SocketAddr) -> Result<()> {
    let mut client = Client::connect(address, Encoding::Tight, Flow::Continuous)?;
    let pen = client.pen();
    let mut shown = came(&client);
    println!("{{}}");
    client.ask(true)?;
    // Whoever looks takes all; the reader waits where it does not.
    let (sender, updates) = sync_channel(64);
    let reader = std::thread::Builder::new().name("rfb".into()).spawn(move || -> Result<()> {
        loop {
            client.update()?;
            client.ask(true)?;
            if sender.send(came(&client)).is_err() {
                return Ok(());
            }
        }
    })?;
    let mut press_at = Instant::now() + pause();
    let mut look_at = Instant::now() + LOOK;
    let mut pressed: Option<(Instant, u32)> = None;
    loop {
        let (begun, bytes) = (Instant::now(), shown.bytes);
        let (mut keys, mut ages, mut pictures) = (Vec::new(), Vec::new(), 0);
        while begun.elapsed() < Duration::from_millis(500) {
            let wake = if pressed.is_none() { look_at.min(press_at) } else { look_at };
            match next_before(&updates, wake) {
                Ok(came) => {
                    shown = came;
                    pictures += 1;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    reader.join().ok().context("the reader is gone")??;
                    bail!("the server is gone");
                }
            }
            let now = Instant::now();
            if let Some((at, before)) = pressed
                && shown.probe != before
            {
                keys.push(at.elapsed().as_micros() as u64);
                pressed = None;
                press_at = now + pause();
            }
            if now >= look_at {
                look_at = now + LOOK;
                ages.extend(shown.told.map(|told| now_millis().wrapping_sub(told)));
            }
            if pressed.is_none() && now >= press_at {
                pressed = Some((now, shown.probe));
                pen.key()?;
            }
        }
        println!(
            "{}",
            json!({
                "seconds": begun.elapsed().as_secs_f64(), "pictures": pictures, "bytes": shown.bytes - bytes,
                "keyframes": 0, "refreshes": 0, "keys": keys, "ages": ages,
            })
        );
    }
}

fn next_before(updates: &Receiver<Came>, wake: Instant) -> Result<Came, RecvTimeoutError> {
    updates.recv_timeout(wake.saturating_duration_since(Instant::now()))
}

fn came(client: &Client) -> Came {
    let told = client.picture().and_then(told);
    Came { probe: client.probe(), told, bytes: client.taken() }
}
