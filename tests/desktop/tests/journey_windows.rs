//! J1 with the Windows agent, under Wine: picture, letters, umlauts, emoji.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Result;
use gc_desktop_tests::{Agent, Browser, CONSENT, Child, Display, Hand, Picture, Server, Wine, until};
use serde_json::json;

#[test]
fn a_support_session_on_windows() -> Result<()> {
    let server = Server::start()?;
    let display = Display::start(1280, 800)?;
    let wine = Wine::create(&display)?;
    // A picture with more than 1,000 colours, beside Notepad.
    let _terminal = display.terminal(&server.folder().join("typed.txt"))?;
    let note = wine.drive().join("note.txt");
    // The mark of UTF-16: Notepad keeps a file in the encoding that it had.
    std::fs::write(&note, [0xff, 0xfe])?;
    let _notepad = Child::spawn(
        wine.command(&display).args(["notepad", "C:\\note.txt"]).stdout(Stdio::null()).stderr(Stdio::null()),
    )?;
    let notepad = Hand(&display).await_window("note.txt")?;

    let browser = Browser::start()?;
    browser.login(&server.url, &server.admin)?;
    let code = browser.new_code(false)?;
    let mut agent = Agent::start_windows(&server, &display, &wine, &code)?;
    browser.run("wait_text", json!({ "text": "Connected, asking the person" }))?;
    if let Some(folder) = std::env::var_os("GC_SHOTS") {
        Hand(&display).await_window(CONSENT)?;
        Picture::of_display(&display)?.write_png(&std::path::Path::new(&folder).join("wine-question.png"))?;
    }
    Hand(&display).allow_windows()?;
    browser.open_session()?;
    Hand(&display).focus(&notepad)?;
    Hand(&display).click_in(&notepad, 100, 100)?;

    browser.run("type", json!({ "text": "Hello from the browser" }))?;
    browser.run("press", json!({ "key": "Enter" }))?;
    browser.run("insert", json!({ "text": "Grüße, Öl & Maß 😀" }))?;
    let picture = until("the canvas being the display's picture", Duration::from_secs(20), || {
        let (canvas, screen) = (browser.canvas()?, Picture::of_display(&display)?);
        let difference = canvas.difference(&screen);
        anyhow::ensure!(difference == 0, "{difference} pixels differ");
        Ok(Some(canvas))
    })?;
    assert!(picture.colours() >= 1000, "{} colours", picture.colours());
    if let Some(folder) = std::env::var_os("GC_SHOTS") {
        browser.shot(&std::path::Path::new(&folder).join("wine-viewer.png"))?;
    }
    // Saved by the keyboard of the browser too.
    browser.run("press", json!({ "key": "Control+s" }))?;
    until("the text in Notepad's file", Duration::from_secs(15), || {
        let text = text_of(&std::fs::read(&note)?);
        anyhow::ensure!(text == "Hello from the browser\r\nGrüße, Öl & Maß 😀", "so far {text:?}");
        Ok(Some(()))
    })?;

    let login = server.login(&server.admin)?;
    let session =
        server.get("/api/sessions?state=open", &login)?["items"][0]["id"].as_str().unwrap_or_default().to_owned();
    server.delete(&format!("/api/sessions/{session}"), &login)?;
    browser.run("wait_text", json!({ "text": "The technician ended the session." }))?;
    Hand(&display).await_window("^GuruConnect$")?;
    Hand(&display).key("Return")?;
    agent.await_end()?;
    Ok(())
}

/// Notepad writes its own choice of encoding.
fn text_of(bytes: &[u8]) -> String {
    match bytes {
        [0xff, 0xfe, rest @ ..] => {
            let units: Vec<u16> = rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        other => String::from_utf8_lossy(other).into_owned(),
    }
}
