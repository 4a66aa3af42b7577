//! J1 on a real desktop: browser, server, downloaded agent on X11.

use std::time::Duration;

use anyhow::Result;
use gc_desktop_tests::{Agent, Browser, Display, Hand, Picture, Server, until};
use serde_json::json;

#[test]
fn a_support_session_from_code_to_end() -> Result<()> {
    let server = Server::start()?;
    let display = Display::start(1280, 800)?;
    let typed = server.folder().join("typed.txt");
    let _terminal = display.terminal(&typed)?;
    let browser = Browser::start()?;
    browser.login(&server.url, &server.admin)?;
    let code = browser.new_code(false)?;

    let mut agent = Agent::start(&server, &display, &code)?;
    browser.run("wait_text", json!({ "text": "Connected, asking the person" }))?;
    Hand(&display).allow()?;
    browser.open_session()?;

    // The picture is the display's own, every pixel of it.
    let picture = until("the canvas being the display's picture", Duration::from_secs(15), || {
        let (canvas, screen) = (browser.canvas()?, Picture::of_display(&display)?);
        let difference = canvas.difference(&screen);
        anyhow::ensure!(difference == 0, "{difference} pixels differ");
        Ok(Some(canvas))
    })?;
    assert_eq!((picture.width, picture.height), (1280, 800));
    assert!(picture.colours() >= 1000, "{} colours", picture.colours());

    // What is typed in the browser arrives in the terminal's file.
    browser.run("canvas_click", json!({ "x": 300, "y": 500 }))?;
    display.await_focus(300, 500)?;
    browser.run("type", json!({ "text": "Hello from the browser! {[~|\\]} <>" }))?;
    browser.run("press", json!({ "key": "Enter" }))?;
    browser.run("insert", json!({ "text": "Grüße, Öl & Maß 😀" }))?;
    browser.run("press", json!({ "key": "Enter" }))?;
    let text = until("the typed text in the file", Duration::from_secs(10), || {
        let text = std::fs::read_to_string(&typed)?;
        anyhow::ensure!(text.lines().count() >= 2, "so far: {text:?}");
        Ok(Some(text))
    })?;
    assert_eq!(text, "Hello from the browser! {[~|\\]} <>\nGrüße, Öl & Maß 😀\n");

    // And the picture follows.
    until("the canvas following", Duration::from_secs(10), || {
        let difference = browser.canvas()?.difference(&Picture::of_display(&display)?);
        anyhow::ensure!(difference == 0, "{difference} pixels differ");
        Ok(Some(()))
    })?;

    // The person ends it; the technician reads so, and the program is gone.
    Hand(&display).dialog_button(gc_desktop_tests::NOTICE, 0)?;
    browser.run("wait_text", json!({ "text": "The person ended the session." }))?;
    agent.await_end()?;
    assert!(!agent.path.exists(), "the program did not remove itself");
    Ok(())
}
