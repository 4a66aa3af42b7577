//! The demo: a working product with a real desktop to control in the browser.
//!
//! It starts the server on its embedded database, a virtual desktop with real
//! programs, and an attended agent on it, and says yes on that desktop by a
//! real click. With `--once --shots DIR` a browser walks through the whole
//! journey and a picture of each step is saved.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use gc_desktop_tests::{Agent, Browser, Display, Hand, Picture, Server, until};
use serde_json::json;

/// Set by a signal: the demo cleans up and ends.
static ENDING: AtomicBool = AtomicBool::new(false);

extern "C" fn end(_signal: i32) {
    ENDING.store(true, Ordering::Release);
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let once = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => None,
        ["--once", "--shots", folder] => Some(PathBuf::from(folder)),
        _ => bail!("usage: ./run demo [--once --shots DIR]"),
    };
    catch_signals();
    let port = if once.is_some() { "127.0.0.1:0" } else { "127.0.0.1:8480" };
    let server = Server::start_on(port).or_else(|_| Server::start())?;
    let display = Display::start(1280, 800)?;
    let typed = server.folder().join("typed.txt");
    let _terminal = display.terminal(&typed)?;
    let _editor = gc_desktop_tests::Child::spawn(
        display
            .command("xclock")
            .args(["-geometry", "160x160+1080+40"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null()),
    );
    match once {
        Some(shots) => journey(&server, &display, &typed, &shots),
        None => stay(&server, &display),
    }
}

#[expect(unsafe_code, reason = "the standard library catches no signals")]
fn catch_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only stores to an atomic.
        unsafe { libc::signal(signal, end as extern "C" fn(i32) as libc::sighandler_t) };
    }
}

/// Keep a session going for whoever opens the address, until Ctrl-C.
fn stay(server: &Server, display: &Display) -> Result<()> {
    let login = server.login(&server.admin)?;
    println!();
    println!("  Open      {}", server.url);
    println!("  Log in    {}   Password  {}", server.admin.username, server.admin.password);
    println!("  A desktop with a terminal is connected: press Open in the list of sessions.");
    println!("  Ctrl-C ends the demo and cleans up.");
    println!();
    while !ENDING.load(Ordering::Acquire) {
        let (code, session) = server.code(&login, "control")?;
        let mut agent = Agent::start(server, display, &code)?;
        Hand(display).allow().context("the demo's own yes")?;
        server.await_state(&login, &session, "live")?;
        println!("  A session is live.");
        // When somebody ends it, the next one begins.
        while !ENDING.load(Ordering::Acquire) && agent.child().ended()?.is_none() {
            // "The support session is over": read, and closed.
            if Hand(display).window("^GuruConnect$").is_some() {
                Hand(display).dialog_button("^GuruConnect$", 0)?;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }
    println!("  Cleaning up.");
    Ok(())
}

/// The journey of a technician and a person, with pictures.
fn journey(server: &Server, display: &Display, typed: &Path, shots: &Path) -> Result<()> {
    std::fs::create_dir_all(shots)?;
    let browser = Browser::start()?;
    let mut number = 0;
    let mut shot = |name: &str| {
        number += 1;
        println!("  {number}. {name}");
        browser.shot(&shots.join(format!("{number}-{}.png", name.replace(' ', "-"))))
    };
    browser.run("goto", json!({ "url": format!("{}/login", server.url) }))?;
    browser.run("wait_text", json!({ "text": "Got a support code" }))?;
    shot("log in")?;
    browser.login(&server.url, &server.admin)?;
    let code = browser.new_code(false)?;
    shot("the code to read out")?;
    let mut agent = Agent::start(server, display, &code)?;
    browser.run("wait_text", json!({ "text": "Connected, asking the person" }))?;
    Hand(display).await_window(gc_desktop_tests::CONSENT)?;
    shot("the person is asked")?;
    desktop_shot(display, &shots.join("desktop-question.png"))?;
    Hand(display).allow()?;
    browser.run("wait_text", json!({ "text": "Open session" }))?;
    shot("the person said yes")?;
    browser.open_session()?;
    browser.run("canvas_click", json!({ "x": 300, "y": 500 }))?;
    display.await_focus(300, 500)?;
    browser.run("type", json!({ "text": "Hello from GuruConnect" }))?;
    browser.run("press", json!({ "key": "Enter" }))?;
    browser.run("insert", json!({ "text": "Grüße 😀" }))?;
    browser.run("press", json!({ "key": "Enter" }))?;
    until("the typed text in the program on the remote desktop", Duration::from_secs(10), || {
        Ok((std::fs::read_to_string(typed)? == "Hello from GuruConnect\nGrüße 😀\n").then_some(()))
    })?;
    until("the browser showing exactly what the desktop shows", Duration::from_secs(10), || {
        let difference = browser.canvas()?.difference(&Picture::of_display(display)?);
        anyhow::ensure!(difference == 0, "{difference} pixels differ");
        Ok(Some(()))
    })?;
    shot("the remote desktop with the typed text")?;
    Hand(display).dialog_button(gc_desktop_tests::NOTICE, 0)?;
    browser.run("wait_text", json!({ "text": "The person ended the session." }))?;
    shot("the person ended it")?;
    agent.await_end()?;
    println!("  Pictures are in {}.", shots.display());
    Ok(())
}

fn desktop_shot(display: &Display, path: &Path) -> Result<()> {
    Picture::of_display(display)?.write_png(path)
}
