//! A desktop with two displays: one is shown at a time, and the chosen one is
//! kept over a server's death.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::{Agent, Browser, Display, Hand, Picture, Server, until};
use serde_json::json;
use x11rb::connection::Connection;
use x11rb::protocol::randr::{ConnectionExt as _, MonitorInfo};
use x11rb::protocol::xproto::ConnectionExt as _;

/// Where the displays are: left edge and width.
const LEFT: (i16, u16) = (0, 1000);
const RIGHT: (i16, u16) = (1000, 600);
const HEIGHT: u16 = 800;

const SELECT: &str = "label:has-text('Display') select";

/// Make a part of the screen a monitor. The screen's one output goes to the
/// main one: an output without a monitor of ours would make one of its own.
fn set_monitor(display: &Display, name: &str, (x, width): (i16, u16), primary: bool) -> Result<()> {
    let (connection, screen) = x11rb::connect(Some(display.name()))?;
    let root = connection.setup().roots.get(screen).context("no screen")?.root;
    let outputs = connection.randr_get_screen_resources(root)?.reply()?.outputs;
    let info = MonitorInfo {
        name: connection.intern_atom(false, name.as_bytes())?.reply()?.atom,
        primary,
        automatic: false,
        x,
        y: 0,
        width,
        height: HEIGHT,
        width_in_millimeters: u32::from(width) / 4,
        height_in_millimeters: u32::from(HEIGHT) / 4,
        outputs: if primary { outputs } else { Vec::new() },
    };
    Ok(connection.randr_set_monitor(root, info)?.check()?)
}

fn remove_monitor(display: &Display, name: &str) -> Result<()> {
    let (connection, screen) = x11rb::connect(Some(display.name()))?;
    let root = connection.setup().roots.get(screen).context("no screen")?.root;
    let name = connection.intern_atom(false, name.as_bytes())?.reply()?.atom;
    Ok(connection.randr_delete_monitor(root, name)?.check()?)
}

/// Take the screen's output away and give it back: of cables X tells, of
/// monitors that are only defined it does not.
fn replug(display: &Display) -> Result<()> {
    let (connection, screen) = x11rb::connect(Some(display.name()))?;
    let root = connection.setup().roots.get(screen).context("no screen")?.root;
    let resources = connection.randr_get_screen_resources(root)?.reply()?;
    let crtc = *resources.crtcs.first().context("no output is driven")?;
    let now = connection.randr_get_crtc_info(crtc, 0)?.reply()?;
    let (none, time) = (x11rb::NONE, x11rb::CURRENT_TIME);
    connection.randr_set_crtc_config(crtc, time, 0, 0, 0, none, now.rotation, &[])?.reply()?;
    connection.randr_set_crtc_config(crtc, time, 0, 0, 0, now.mode, now.rotation, &now.outputs)?.reply()?;
    Ok(())
}

/// What is on this part of the screen.
fn part(display: &Display, (x, width): (i16, u16)) -> Result<Picture> {
    Picture::of_display(display)?.part(x.try_into()?, 0, width.into(), HEIGHT.into())
}

/// Wait until the pointer is there.
fn await_pointer(display: &Display, place: (i16, i16)) -> Result<()> {
    let (connection, screen) = x11rb::connect(Some(display.name()))?;
    let root = connection.setup().roots.get(screen).context("no screen")?.root;
    until("the pointer's arrival", Duration::from_secs(10), || {
        let at = connection.query_pointer(root)?.reply()?;
        ensure!((at.root_x, at.root_y) == place, "it is at {}, {}", at.root_x, at.root_y);
        Ok(Some(()))
    })
}

#[test]
fn displays_are_switched_kept_and_lost() -> Result<()> {
    let mut server = Server::start()?;
    let display = Display::start(1600, 800)?;
    set_monitor(&display, "left", LEFT, true)?;
    set_monitor(&display, "right", RIGHT, false)?;
    // A terminal on each: the one on the right first, so that the other has
    // the keyboard.
    let (on_right, on_left) = (server.folder().join("right.txt"), server.folder().join("left.txt"));
    let _right = display.terminal(&on_right)?;
    let window = Hand(&display).await_window("typing")?;
    let moved = display.command("xdotool").args(["windowmove", "--sync", &window.id, "1010", "30"]).status()?;
    ensure!(moved.success(), "the terminal stays where it is");
    let _left = display.terminal(&on_left)?;

    let browser = Browser::start()?;
    browser.login(&server.url, &server.admin)?;
    let _agent = Agent::in_session(&server, &display, &browser)?;

    // The main one first, and nothing beside it.
    browser.await_canvas(|| part(&display, LEFT))?;
    let options = browser.run("text", json!({ "selector": SELECT }))?;
    let options: Vec<_> = options.as_str().unwrap_or_default().lines().map(str::trim).collect();
    assert_eq!(options, ["Display 1 (main): 1000×800", "Display 2: 600×800"]);
    browser.type_at(&display, 300, 500, "to the left")?;
    await_lines(&on_left, "to the left\n")?;

    // The other one: what is clicked and typed there lands there.
    browser.run("choose", json!({ "selector": SELECT, "option": "Display 2: 600×800" }))?;
    let picture = browser.await_canvas(|| part(&display, RIGHT))?;
    assert!(picture.colours() >= 1000, "{} colours", picture.colours());
    browser.type_at_part(&display, (RIGHT.0, 0), 200, 500, "to the right")?;
    await_lines(&on_right, "to the right\n")?;
    await_pointer(&display, (1200, 500))?;
    for (x, y) in [(0, 0), (599, 799)] {
        browser.run("canvas_move", json!({ "x": f64::from(x) + 0.5, "y": f64::from(y) + 0.5 }))?;
        await_pointer(&display, (1000 + x, y))?;
    }

    // After a power cut of the server it is still the second one.
    server.kill()?;
    browser.run("wait_text", json!({ "text": "The line to the server is lost" }))?;
    server.restart()?;
    browser.await_picture()?;
    browser.type_at_part(&display, (RIGHT.0, 0), 200, 500, "still to the right")?;
    await_lines(&on_right, "to the right\nstill to the right\n")?;
    browser.await_canvas(|| part(&display, RIGHT))?;

    // The display that is shown is unplugged: the other is shown, whole and live.
    remove_monitor(&display, "right")?;
    replug(&display)?;
    browser.await_canvas(|| part(&display, LEFT))?;
    browser.run("wait_gone", json!({ "selector": SELECT }))?;
    browser.type_at(&display, 300, 500, "back to the left")?;
    await_lines(&on_left, "to the left\nback to the left\n")?;
    await_pointer(&display, (300, 500))?;
    browser.await_canvas(|| part(&display, LEFT))?;

    // Plugged in again, it can be chosen again.
    set_monitor(&display, "right", RIGHT, false)?;
    replug(&display)?;
    browser.run("wait_selector", json!({ "selector": SELECT }))?;
    browser.run("choose", json!({ "selector": SELECT, "option": "Display 2: 600×800" }))?;
    browser.await_canvas(|| part(&display, RIGHT))?;
    Ok(())
}

fn await_lines(file: &std::path::Path, lines: &str) -> Result<()> {
    until("the lines in the file", Duration::from_secs(10), || {
        let text = std::fs::read_to_string(file)?;
        ensure!(text == lines, "so far: {text:?}");
        Ok(Some(()))
    })
}
