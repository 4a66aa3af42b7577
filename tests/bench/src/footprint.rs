//! What everything costs while nothing happens.

use std::time::Duration;

use anyhow::Result;
use gc_desktop_tests::{Browser, Server};
use serde_json::{Value, json};

use crate::figures::Rows;
use crate::process::{Usage, family_usage, usage};
use crate::scene::Motion;
use crate::stage::Stage;
use crate::watcher::{Doing, Watcher, command};

/// How long each state is watched.
const DURING: Duration = Duration::from_secs(30);

/// All rows.
///
/// # Errors
/// When something does not start.
pub fn run(rows: &mut Rows) -> Result<()> {
    let mut alone = Server::start_with("127.0.0.1:0", &["--tls-self-made"])?;
    let id = alone.child().id();
    rows.add(over("server, nobody connected", || Ok(family_usage(id)))?)?;
    drop(alone);

    let mut stage = Stage::open("127.0.0.1:0")?;
    let _scene = stage.play(Motion::Still)?;
    let (server, agent) = (stage.server.child().id(), stage.agent.child().id());
    rows.add(over("agent, nobody watches", || usage(agent))?)?;
    let watcher = Watcher::start(command(&stage.ticket()?, Doing::Watching)?)?;
    rows.add(over("agent, one watches a still screen", || usage(agent))?)?;
    rows.add(over("server, one watches a still screen", || Ok(family_usage(server)))?)?;
    drop(watcher);

    let mut browser = Browser::start_as(&json!({ "ignoreHTTPSErrors": true }))?;
    browser.login(&stage.server.url, &stage.server.admin)?;
    let driver = browser.child().id();
    rows.add(over("browser, list of sessions", || Ok(tab_usage(driver)))?)?;
    browser.open_session()?;
    rows.add(over("browser, viewer, still screen", || Ok(tab_usage(driver)))?)?;
    Ok(())
}

/// What the pages' own processes have used: the browser's others are not ours.
fn tab_usage(driver: u32) -> Usage {
    let mut sum = Usage { cpu: Duration::ZERO, resident: 0, own: 0 };
    for id in crate::process::family(driver) {
        let line = std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let Some(used) = line.contains("--type=renderer").then(|| usage(id).ok()).flatten() else { continue };
        sum.cpu += used.cpu;
        sum.resident += used.resident;
        sum.own += used.own;
    }
    sum
}

fn over(name: &str, look: impl Fn() -> Result<Usage>) -> Result<Value> {
    // What has just begun is not idle yet; the wait is what is measured.
    std::thread::sleep(Duration::from_secs(5));
    let before = look()?;
    std::thread::sleep(DURING);
    let after = look()?;
    let percent = after.cpu.saturating_sub(before.cpu).as_secs_f64() / DURING.as_secs_f64() * 100.0;
    Ok(json!({
        "row": name, "cpu_percent": (percent * 100.0).round() / 100.0,
        "resident_mib": after.resident / 1024, "own_mib": after.own / 1024,
    }))
}
