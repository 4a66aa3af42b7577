//! The person's answer, by their own hand on the real question.

use std::time::Duration;

use anyhow::Result;
use gc_desktop_tests::{Agent, Browser, CONSENT, Display, Hand, Picture, Server, until};
use serde_json::json;

#[test]
fn every_no_ends_it() -> Result<()> {
    let server = Server::start()?;
    let display = Display::start(1024, 768)?;
    let login = server.login(&server.admin)?;
    let hand = Hand(&display);
    type Way = fn(Hand, &mut Agent) -> Result<()>;
    let ways: [(&str, &str, Way); 4] = [
        ("Deny", "denied", |hand, _| hand.deny()),
        // The question opens with Deny focused: a key pressed by chance says no.
        ("Enter", "denied", |hand, _| hand.press_in(CONSENT, "Return")),
        ("Escape", "denied", |hand, _| hand.press_in(CONSENT, "Escape")),
        ("killed", "agent_lost", |hand, agent| {
            hand.await_window(CONSENT)?;
            agent.child().kill()
        }),
    ];
    for (name, reason, way) in ways {
        let (code, id) = server.code(&login, "control")?;
        let mut agent = Agent::start(&server, &display, &code)?;
        let asked = server.await_state(&login, &id, "pending")?;
        assert!(asked["machine"].is_null(), "{name}: {asked}");
        way(hand, &mut agent)?;
        let ended = server.await_state(&login, &id, "ended")?;
        assert_eq!(ended["end_reason"], reason, "{name}");
        assert!(ended["machine"].is_null(), "{name}: {ended}");
        if reason == "denied" {
            hand.press_in("GuruConnect$", "Return")?;
            agent.await_end()?;
        }
    }
    Ok(())
}

#[test]
fn who_accepted_view_is_not_controlled_until_they_allow_it() -> Result<()> {
    let server = Server::start()?;
    let display = Display::start(1280, 800)?;
    let typed = server.folder().join("typed.txt");
    let _terminal = display.terminal(&typed)?;
    let browser = Browser::start()?;
    browser.login(&server.url, &server.admin)?;
    let code = browser.new_code(true)?;
    let _agent = Agent::start(&server, &display, &code)?;
    Hand(&display).allow()?;
    browser.open_session()?;
    browser.run("wait_text", json!({ "text": "View only" }))?;
    browser.run("canvas_click", json!({ "x": 300, "y": 500 }))?;
    browser.run("type", json!({ "text": "nobody may type this" }))?;
    browser.run("press", json!({ "key": "Enter" }))?;

    browser.run("click_button", json!({ "name": "Ask for control" }))?;
    Hand(&display).deny()?;
    browser.run("wait_text", json!({ "text": "The person did not allow control." }))?;
    browser.run("wait_text", json!({ "text": "View only" }))?;

    // Who has just said no is left in peace for half a minute.
    browser.run("click_button", json!({ "name": "Ask for control" }))?;
    browser.run("wait_text", json!({ "text": "Try again in" }))?;
    assert_eq!(Hand(&display).window(CONSENT), None);
    std::thread::sleep(gc_session::relay::PEACE);

    browser.run("click_button", json!({ "name": "Ask for control" }))?;
    Hand(&display).allow()?;
    browser.run("wait_text", json!({ "text": "You control" }))?;
    browser.await_picture()?;
    browser.run("canvas_click", json!({ "x": 300, "y": 500 }))?;
    display.await_focus(300, 500)?;
    browser.run("type", json!({ "text": "allowed now" }))?;
    browser.run("press", json!({ "key": "Enter" }))?;
    let text = until("the allowed text", Duration::from_secs(10), || {
        let text = std::fs::read_to_string(&typed)?;
        Ok((!text.is_empty()).then_some(text))
    })?;
    assert_eq!(text, "allowed now\n");
    Ok(())
}

#[test]
fn a_killed_server_and_a_cut_line_need_no_new_yes() -> Result<()> {
    let mut server = Server::start()?;
    let display = Display::start(1280, 800)?;
    let typed = server.folder().join("typed.txt");
    let _terminal = display.terminal(&typed)?;
    let browser = Browser::start()?;
    browser.login(&server.url, &server.admin)?;
    let code = browser.new_code(false)?;
    let mut agent = Agent::start(&server, &display, &code)?;
    Hand(&display).allow()?;
    browser.open_session()?;

    server.kill_and_restart()?;
    let login = server.login(&server.admin)?;
    let open = server.get("/api/sessions?state=open", &login)?;
    let id = open["items"][0]["id"].as_str().unwrap_or_default().to_owned();
    server.await_state(&login, &id, "live")?;
    assert_eq!(Hand(&display).window(CONSENT), None);
    until("the picture being back", Duration::from_secs(30), || {
        let difference = browser.canvas()?.difference(&Picture::of_display(&display)?);
        anyhow::ensure!(difference == 0, "{difference} pixels differ");
        Ok(Some(()))
    })?;
    browser.await_picture()?;
    browser.run("canvas_click", json!({ "x": 300, "y": 500 }))?;
    display.await_focus(300, 500)?;
    browser.run("type", json!({ "text": "still here" }))?;
    browser.run("press", json!({ "key": "Enter" }))?;
    until("the text after the restart", Duration::from_secs(10), || {
        Ok((std::fs::read_to_string(&typed)? == "still here\n").then_some(()))
    })?;

    // Whoever has the used code gets nothing.
    let mut thief = Agent::start(&server, &display, &code)?;
    Hand(&display).await_window("GuruConnect$")?;
    assert_eq!(Hand(&display).window(CONSENT), None);
    thief.child().kill()?;
    assert_eq!(server.session(&login, &id)?["state"], "live");
    assert!(agent.child().ended()?.is_none());
    Ok(())
}
