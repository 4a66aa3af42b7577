//! Two technicians in one session: invited, seen, in turn, out again.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::{Agent, Browser, Display, Hand, NOTICE, Picture, Server, until};
use serde_json::{Value, json};

/// What the notice shows when it has changed and no longer changes.
fn changed_notice(display: &Display, before: Option<&Picture>) -> Result<Picture> {
    let mut last = None;
    until("the notice changing", Duration::from_secs(15), || {
        let now = Picture::of_window(display, &Hand(display).await_window(NOTICE)?)?;
        let settled = before != Some(&now) && last.as_ref() == Some(&now);
        last = Some(now.clone());
        Ok(settled.then_some(now))
    })
}

/// What the menu of people says.
fn people(browser: &Browser) -> Result<String> {
    if browser.run("count", json!({ "selector": "details[open] > summary[title='Who is here']" }))? == json!(0) {
        browser.run("click_selector", json!({ "selector": "summary[title='Who is here']" }))?;
    }
    let text = browser.run("text", json!({ "selector": "summary[title='Who is here'] + .panel" }))?;
    text.as_str().map(str::to_owned).context("no people")
}

/// Wait until the menu of people says all of this.
fn await_people(browser: &Browser, words: &[&str]) -> Result<()> {
    until("the people who are here", Duration::from_secs(10), || {
        let text = people(browser)?;
        ensure!(words.iter().all(|word| text.contains(word)), "it says {text:?}");
        Ok(Some(()))
    })
}

fn await_viewers(server: &Server, login: &str, id: &str, names: &[&str]) -> Result<()> {
    until("the viewers of the session", Duration::from_secs(10), || {
        let session = server.session(login, id)?;
        let viewers = session["viewers"].as_array().context("no viewers")?;
        let mut found: Vec<_> = viewers.iter().filter_map(|viewer| viewer["name"].as_str()).collect();
        found.sort_unstable();
        ensure!(found == names, "they are {found:?}");
        Ok(Some(()))
    })
}

fn await_lines(file: &Path, lines: &str) -> Result<()> {
    until("the lines in the file", Duration::from_secs(10), || {
        let text = std::fs::read_to_string(file)?;
        ensure!(text == lines, "so far: {text:?}");
        Ok(Some(()))
    })
}

/// Asking for a viewer token has to be answered with 403.
fn refused_token(server: &Server, login: &str, id: &str) -> Result<()> {
    let answer = server.post(&format!("/api/sessions/{id}/viewer-token"), Some(login), &Value::Null);
    let refusal = answer.err().context("a token was minted")?.to_string();
    ensure!(refusal.contains("403"), "{refusal}");
    Ok(())
}

#[test]
fn a_colleague_is_invited_takes_over_and_has_to_go() -> Result<()> {
    let server = Server::start()?;
    let (ada, bob) = (server.colleague("Ada King", "operator")?, server.colleague("Bob Frost", "operator")?);
    let (ada_login, bob_login) = (server.login(&ada)?, server.login(&bob)?);
    let display = Display::start(1280, 800)?;
    let typed = server.folder().join("typed.txt");
    let _terminal = display.terminal(&typed)?;
    let (at_ada, at_bob) = (Browser::start()?, Browser::start()?);
    at_ada.login(&server.url, &ada)?;
    at_bob.login(&server.url, &bob)?;

    let code = at_ada.new_code(false)?;
    let _agent = Agent::start(&server, &display, &code)?;
    Hand(&display).allow()?;
    let nobody = changed_notice(&display, None)?;
    at_ada.open_session()?;
    let alone = changed_notice(&display, Some(&nobody))?;
    // The person's keyboard is in the terminal.
    Hand(&display).click(300, 500)?;
    display.await_focus(300, 500)?;
    let open = server.get("/api/sessions?state=open", &ada_login)?;
    let id = open["items"][0]["id"].as_str().context("no session")?.to_owned();

    // Whoever is not invited knows nothing of it.
    refused_token(&server, &bob_login, &id)?;
    assert_eq!(server.get("/api/sessions?state=open", &bob_login)?["items"], json!([]));

    // Invited from the menu of people, Bob sees it without a reload.
    people(&at_ada)?;
    at_ada.run("click_button", json!({ "name": "Invite Bob Frost" }))?;
    at_bob.run("click_selector", json!({ "selector": "td.actions a.button" }))?;
    at_bob.await_picture()?;
    at_bob.await_canvas(|| Picture::of_display(&display))?;
    await_viewers(&server, &ada_login, &id, &["Ada King", "Bob Frost"])?;
    await_people(&at_ada, &["Ada King (you) in control", "Bob Frost watching"])?;
    await_people(&at_bob, &["Ada King in control", "Bob Frost (you) watching"])?;

    // The person is shown another sentence: it names both.
    let both = changed_notice(&display, Some(&alone))?;
    assert_ne!(both, nobody);

    // One controls at a time. The other is told, and types in vain.
    at_bob.run("click_button", json!({ "name": "Take over from Ada King" }))?;
    at_ada.run("wait_text", json!({ "text": "Bob Frost has taken control." }))?;
    at_ada.run("wait_text", json!({ "text": "View only" }))?;
    at_bob.run("wait_text", json!({ "text": "You control" }))?;
    at_ada.type_at(&display, 300, 500, "Ada in vain")?;
    at_bob.type_at(&display, 300, 500, "Bob was here")?;
    await_lines(&typed, "Bob was here\n")?;

    at_ada.run("click_button", json!({ "name": "Take over from Bob Frost" }))?;
    at_bob.run("wait_text", json!({ "text": "Ada King has taken control." }))?;
    at_ada.run("wait_text", json!({ "text": "You control" }))?;
    at_bob.type_at(&display, 300, 500, "Bob in vain")?;
    at_ada.type_at(&display, 300, 500, "Ada is back")?;
    await_lines(&typed, "Bob was here\nAda is back\n")?;

    // Withdrawn: Bob is out at once, reads why, and does not come back.
    people(&at_ada)?;
    at_ada.run("click_button", json!({ "name": "Withdraw invitation: Bob Frost" }))?;
    at_bob.run("wait_text", json!({ "text": "Your invitation was withdrawn.", "timeout": 2000 }))?;
    await_viewers(&server, &ada_login, &id, &["Ada King"])?;
    refused_token(&server, &bob_login, &id)?;
    assert_eq!(changed_notice(&display, Some(&both))?, alone);
    at_ada.type_at(&display, 300, 500, "and goes on")?;
    await_lines(&typed, "Bob was here\nAda is back\nand goes on\n")?;
    // It is not Bob's login that has ended.
    let words = at_bob.run("text", json!({ "selector": ".curtain" }))?;
    let words = words.as_str().unwrap_or_default();
    ensure!(!words.contains("logged out"), "Bob, who is logged in, reads {words:?}");
    Ok(())
}
