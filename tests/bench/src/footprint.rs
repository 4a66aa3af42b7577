//! What everything costs while nothing happens.

use std::time::Duration;

use anyhow::Result;
use gc_desktop_tests::{Browser, Server};
use serde_json::json;

use crate::chromium::{OPEN, log_in};
use crate::figures::Rows;
use crate::process::{Usage, family_usage, usage};
use crate::scene::Motion;
use crate::stage::Stage;
use crate::watcher::{Doing, Watcher, command};

/// How long each state is watched.
pub const PART: Duration = Duration::from_secs(30);

/// All rows.
///
/// # Errors
/// When something does not start.
pub fn run(part: Duration, rows: &mut Rows) -> Result<()> {
    let mut alone = Server::start_with("127.0.0.1:0", &["--tls-self-made"])?;
    let id = alone.child().id();
    over(part, rows, &[("server, nobody connected", &|| Ok(family_usage(id)))])?;
    drop(alone);

    let mut stage = Stage::open("127.0.0.1:0")?;
    let _scene = stage.play(Motion::Still)?;
    let (server, agent) = (stage.server.child().id(), stage.agent.child().id());
    let (of_server, of_agent) = (|| Ok(family_usage(server)), || usage(agent));
    over(part, rows, &[("agent, nobody watches", &of_agent), ("server, nobody watches", &of_server)])?;
    let watcher = Watcher::start(command(&stage.ticket()?, Doing::Watching)?)?;
    let watched: [Look<'_>; 2] =
        [("agent, one watches a still screen", &of_agent), ("server, one watches a still screen", &of_server)];
    over(part, rows, &watched)?;
    drop(watcher);

    let mut browser = Browser::start_as(&json!({ "ignoreHTTPSErrors": true }))?;
    log_in(&browser, &stage.server)?;
    let driver = browser.child().id();
    over(part, rows, &[("browser, list of sessions", &|| Ok(tab_usage(driver)))])?;
    browser.run("click_selector", json!({ "selector": OPEN }))?;
    browser.await_picture()?;
    over(part, rows, &[("browser, viewer, still screen", &|| Ok(tab_usage(driver)))])
}

/// What is looked at, and its name.
type Look<'a> = (&'a str, &'a dyn Fn() -> Result<Usage>);

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

/// A row for each of these, over the same time.
fn over(part: Duration, rows: &mut Rows, looks: &[Look<'_>]) -> Result<()> {
    let look = || looks.iter().map(|(_, look)| look()).collect::<Result<Vec<Usage>>>();
    // What has just begun is not idle yet; the wait is what is measured.
    std::thread::sleep(Duration::from_secs(5));
    let before = look()?;
    std::thread::sleep(part);
    for (((name, _), before), after) in looks.iter().zip(before).zip(look()?) {
        let percent = after.cpu.saturating_sub(before.cpu).as_secs_f64() / part.as_secs_f64() * 100.0;
        rows.add(json!({
            "row": name, "cpu_percent": (percent * 100.0).round() / 100.0,
            "resident_mib": after.resident / 1024, "own_mib": after.own / 1024,
        }))?;
    }
    Ok(())
}
