//! Lines that break, one by one: the page says which, and what it shows then
//! does not look live.

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::{Agent, Browser, Child, Display, Hand, Picture, Server};
use serde_json::json;

const COMPUTER_LOST: &str = "The computer’s line is lost";
const SERVER_LOST: &str = "The line to the server is lost";

struct Stage {
    server: Server,
    display: Display,
    browser: Browser,
    agent: Agent,
    _terminal: Child,
}

impl Stage {
    /// A session, seen exactly.
    fn open() -> Result<Self> {
        let server = Server::start()?;
        let display = Display::start(1280, 800)?;
        let terminal = display.terminal(&server.folder().join("typed.txt"))?;
        let browser = Browser::start()?;
        browser.login(&server.url, &server.admin)?;
        let agent = Agent::in_session(&server, &display, &browser)?;
        let stage = Self { server, display, browser, agent, _terminal: terminal };
        stage.is_live("at first")?;
        Ok(stage)
    }

    /// What is typed arrives, and the picture is the display's.
    fn is_live(&self, line: &str) -> Result<()> {
        self.browser.await_picture()?;
        self.browser.type_at(&self.display, 300, 500, line)?;
        gc_desktop_tests::until("the typed line", std::time::Duration::from_secs(10), || {
            let text = std::fs::read_to_string(self.server.folder().join("typed.txt"))?;
            ensure!(text.ends_with(&format!("{line}\n")), "so far: {text:?}");
            Ok(Some(()))
        })?;
        self.browser.await_canvas(|| Picture::of_display(&self.display)).map(drop)
    }

    /// The page says this, over a picture that nobody takes for live.
    fn is_lost(&self, words: &str) -> Result<()> {
        self.browser.run("wait_selector", json!({ "selector": format!(".curtain:has-text('{words}')") }))?;
        let covered = "(() => { const box = document.querySelector('#screen').getBoundingClientRect(); \
            const top = document.elementFromPoint(box.x + box.width / 3, box.y + box.height / 3); \
            return top !== null && top.closest('.curtain') !== null; })()";
        let covered = self.browser.run("evaluate", json!({ "script": covered }))?;
        ensure!(covered == json!(true), "the picture is not covered");
        // How long it has been so, and that something is being done.
        let text = self.browser.run("text", json!({ "selector": ".curtain" }))?;
        let text = text.as_str().context("no words")?;
        ensure!(text.contains(", for ") && text.contains(" s"), "it says {text:?}");
        Ok(())
    }
}

#[test]
fn an_agent_that_stops_and_goes_on() -> Result<()> {
    let mut stage = Stage::open()?;
    stage.agent.child().pause()?;
    stage.is_lost(COMPUTER_LOST)?;
    stage.agent.child().resume()?;
    // Without a new question.
    stage.is_live("and again")?;
    assert_eq!(Hand(&stage.display).window(gc_desktop_tests::CONSENT), None);
    Ok(())
}

#[test]
fn an_agent_that_dies() -> Result<()> {
    let mut stage = Stage::open()?;
    stage.agent.child().kill()?;
    stage.is_lost(COMPUTER_LOST)?;

    // Whoever opens the viewer now reads the same, and sees nothing old.
    stage.browser.run("reload", json!({}))?;
    stage.is_lost(COMPUTER_LOST)?;
    let canvas = stage.browser.canvas()?;
    assert!(canvas.colours() <= 1, "there is a picture of {} colours", canvas.colours());
    Ok(())
}

#[test]
fn a_server_that_dies_and_comes_back() -> Result<()> {
    let mut stage = Stage::open()?;
    for line in ["once", "twice"] {
        stage.server.kill()?;
        stage.is_lost(SERVER_LOST)?;
        stage.server.restart()?;
        stage.is_live(line)?;
    }
    Ok(())
}

#[test]
fn a_logout_in_another_tab() -> Result<()> {
    let stage = Stage::open()?;
    stage.browser.run("new_tab", json!({ "url": stage.server.url }))?;
    stage.browser.run("click_button", json!({ "name": "Log out" }))?;
    stage.browser.run("wait_text", json!({ "text": "Got a support code" }))?;
    stage.browser.run("show_tab", json!({ "index": 0 }))?;
    stage.browser.run("wait_text", json!({ "text": "You are logged out" }))?;
    stage.browser.run("wait_selector", json!({ "selector": "a:has-text('Log in')" }))?;
    // The session is the person's still, and open to whoever logs in again.
    let login = stage.server.login(&stage.server.admin)?;
    let open = stage.server.get("/api/sessions?state=open", &login)?;
    assert_eq!(open["items"][0]["state"], "live");
    assert_eq!(open["items"][0]["viewers"], json!([]));
    stage.browser.run("click_link", json!({ "name": "Log in" }))?;
    stage.browser.run("fill", json!({ "label": "User name", "text": stage.server.admin.username }))?;
    stage.browser.run("fill", json!({ "label": "Password", "text": stage.server.admin.password }))?;
    stage.browser.run("click_button", json!({ "name": "Log in" }))?;
    stage.is_live("logged in again")
}

#[test]
fn a_phone_is_told_where_to_go() -> Result<()> {
    let server = Server::start()?;
    let (code, _) = server.code(&server.login(&server.admin)?, "control")?;
    let agents = [
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 \
         Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile \
         Safari/537.36",
    ];
    for agent in agents {
        let phone = Browser::start_as(&json!({
            "userAgent": agent, "viewport": { "width": 390, "height": 844 }, "isMobile": true, "hasTouch": true,
        }))?;
        phone.run("goto", json!({ "url": format!("{}/join", server.url) }))?;
        // As heard on the phone: small letters, no dashes.
        let heard = code.replace('-', "").to_lowercase();
        phone.run("fill", json!({ "label": "Support code", "text": heard }))?;
        phone.run("click_button", json!({ "name": "Continue" }))?;
        phone.run("wait_text", json!({ "text": "would like to help you" }))?;
        let text = phone.run("text", json!({ "selector": "main" }))?;
        let text = text.as_str().context("no text")?;
        let address = format!("{}/join", server.url.trim_start_matches("http://"));
        for words in ["Ada Lovelace from Acme IT", &code, &address] {
            ensure!(text.contains(words), "{words:?} is not in {text:?}");
        }
        for offer in ["a[href*='/api/downloads/']:visible", "button:has-text('instead'):visible"] {
            assert_eq!(phone.run("count", json!({ "selector": offer }))?, json!(0), "{offer}: {text}");
        }
        // Nothing has to be pushed sideways.
        let overflow = phone.run("evaluate", json!({ "script": "document.documentElement.scrollWidth" }))?;
        ensure!(overflow.as_u64().is_some_and(|width| width <= 390), "the page is {overflow} wide");
    }
    Ok(())
}
