//! The person and the technician: what they say, and how it can end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::{Agent, Browser, CONSENT, Display, Found, Hand, NOTICE, Picture, Server, until};
use serde_json::json;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ClientMessageEvent, ConnectionExt, EventMask};

/// Ask a window to close, as the window manager's button does.
fn close(display: &Display, window: &Found) -> Result<()> {
    let (connection, _) = x11rb::connect(Some(display.name()))?;
    let atom = |name: &str| anyhow::Ok(connection.intern_atom(false, name.as_bytes())?.reply()?.atom);
    let id = window.id.parse()?;
    let delete = [atom("WM_DELETE_WINDOW")?, x11rb::CURRENT_TIME, 0, 0, 0];
    let message = ClientMessageEvent::new(32, id, atom("WM_PROTOCOLS")?, delete);
    connection.send_event(false, id, EventMask::NO_EVENT, message)?.check()?;
    connection.flush()?;
    Ok(())
}

/// Type a line into the notice's field, which is above its buttons.
fn say(display: &Display, line: &str) -> Result<()> {
    let (hand, notice) = (Hand(display), Hand(display).await_window(NOTICE)?);
    hand.click_in(&notice, 60, notice.height - 93)?;
    hand.text(line)?;
    hand.key("Return")
}

#[test]
fn they_talk_and_the_person_ends_it() -> Result<()> {
    let server = Server::start()?;
    let display = Display::start(1280, 800)?;
    let browser = Browser::start()?;
    browser.login(&server.url, &server.admin)?;
    let mut agent = Agent::in_session(&server, &display, &browser)?;

    // Said by the technician: there is a line more in the notice.
    let before = Hand(&display).await_window(NOTICE)?;
    browser.run("click_button", json!({ "name": "Chat" }))?;
    browser.run("fill", json!({ "label": "Message", "text": "Is it this printer?" }))?;
    browser.run("click_button", json!({ "name": "Send" }))?;
    browser.run("wait_text", json!({ "text": "Is it this printer?" }))?;
    until("the line in the notice", Duration::from_secs(10), || {
        let now = Hand(&display).await_window(NOTICE)?;
        Ok((now.height >= before.height + 20).then_some(()))
    })?;
    // The notice, words and all, is what the technician sees too.
    browser.await_canvas(|| Picture::of_display(&display))?;

    say(&display, "Yes, the old one!")?;
    browser.run("wait_text", json!({ "text": "Yes, the old one!" }))?;
    let chat = browser.run("text", json!({ "selector": ".chat ol" }))?;
    let lines: Vec<_> = chat.as_str().unwrap_or_default().lines().collect();
    assert_eq!(lines, ["You: Is it this printer?", "The person: Yes, the old one!"]);

    // Said while the chat is closed, it is not missed.
    browser.run("click_button", json!({ "name": "Close chat" }))?;
    say(&display, "Hello?")?;
    browser.run("wait_selector", json!({ "selector": ".toast:visible :text('Hello?')" }))?;

    // The talk itself is nowhere on the server.
    ensure!(!server.log().contains("printer") && !server.log().contains("Hello?"), "the log holds what was said");

    Hand(&display).dialog_button(NOTICE, 0)?;
    browser.run("wait_text", json!({ "text": "The person ended the session." }))?;
    let ended = server.get("/api/sessions?state=ended", &server.login(&server.admin)?)?;
    assert_eq!(ended["items"][0]["end_reason"], "closed_by_person");
    Hand(&display).await_gone(NOTICE)?;
    agent.await_end()
}

#[test]
fn a_person_with_a_german_keyboard_is_understood() -> Result<()> {
    let server = Server::start()?;
    let display = Display::start(1280, 800)?;
    let layout = display.command("setxkbmap").arg("de").status()?;
    ensure!(layout.success(), "the display takes no German layout");
    let browser = Browser::start()?;
    browser.login(&server.url, &server.admin)?;
    let _agent = Agent::in_session(&server, &display, &browser)?;
    // What is said while the chat is closed is shown as it comes. The last two words need AltGr.
    for line in ["Zu spät, schöne Grüße!", "Schreiben Sie an max@acme.de, es kostet 5 €"] {
        say(&display, line)?;
        browser.run("wait_text", json!({ "text": line, "timeout": 5000 }))?;
    }
    Ok(())
}

#[test]
fn a_closed_question_is_a_no() -> Result<()> {
    let server = Server::start()?;
    let display = Display::start(1024, 768)?;
    let login = server.login(&server.admin)?;
    let (code, id) = server.code(&login, "control")?;
    let mut agent = Agent::start(&server, &display, &code)?;
    close(&display, &Hand(&display).await_window(CONSENT)?)?;
    let ended = server.await_state(&login, &id, "ended")?;
    assert_eq!(ended["end_reason"], "denied");
    assert!(ended["machine"].is_null(), "{ended}");
    let audited = server.audited("consent_denied")?;
    assert_eq!(audited.len(), 1);
    assert_eq!(audited[0]["reason"], "closed", "{audited:?}");
    assert!(server.audited("consent_granted")?.is_empty());
    Hand(&display).press_in("GuruConnect$", "Return")?;
    agent.await_end()
}

#[test]
fn a_closed_notice_stays() -> Result<()> {
    let server = Server::start()?;
    let display = Display::start(1024, 768)?;
    let login = server.login(&server.admin)?;
    let (code, id) = server.code(&login, "control")?;
    let _agent = Agent::start(&server, &display, &code)?;
    Hand(&display).allow()?;
    let notice = Hand(&display).await_window(NOTICE)?;
    close(&display, &notice)?;
    // It has read the message when it has read what came after it.
    say(&display, "x")?;
    until("the notice growing by a line", Duration::from_secs(10), || {
        Ok((Hand(&display).await_window(NOTICE)?.height > notice.height).then_some(()))
    })?;
    assert_eq!(server.session(&login, &id)?["state"], "live");
    Ok(())
}

#[test]
fn nobody_answers_for_a_minute() -> Result<()> {
    let server = Server::start()?;
    let display = Display::start(1024, 768)?;
    let login = server.login(&server.admin)?;
    let browser = Browser::start()?;
    browser.login(&server.url, &server.admin)?;
    let code = browser.new_code(false)?;
    let mut agent = Agent::start(&server, &display, &code)?;
    let question = Hand(&display).await_window(CONSENT)?;
    let (asked, mut first) = (Instant::now(), None);
    until("the countdown", Duration::from_secs(5), || {
        let now = Picture::of_window(&display, &question)?;
        Ok((*first.get_or_insert_with(|| now.clone()) != now).then_some(()))
    })?;

    browser.run("wait_text", json!({ "text": "No answer in time", "timeout": 75_000 }))?;
    let waited = asked.elapsed();
    ensure!((Duration::from_secs(55)..Duration::from_secs(65)).contains(&waited), "it took {waited:?}");
    Hand(&display).await_gone(CONSENT)?;
    let ended = server.get("/api/sessions?state=ended", &login)?;
    let ended = ended["items"].as_array().and_then(|items| items.first()).context("no session has ended")?;
    assert_eq!(ended["end_reason"], "timed_out");
    assert!(ended["machine"].is_null(), "{ended}");
    assert_eq!(
        server.audited("consent_denied")?.iter().map(|row| row["reason"].as_str()).collect::<Vec<_>>(),
        [Some("timed_out")]
    );
    // The code is used up, and the program goes with its message.
    Hand(&display).press_in("GuruConnect$", "Return")?;
    agent.await_end()?;
    let _late = Agent::start(&server, &display, &code)?;
    Hand(&display).await_window("GuruConnect$")?;
    assert_eq!(Hand(&display).window(CONSENT), None);
    Ok(())
}
