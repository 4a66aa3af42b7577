//! Every page in every state, in both themes and at two sizes: nothing that axe
//! finds, nothing cut off or covered, no word in the console, every control
//! within reach of the Tab key. Where `GC_SHOTS` names a folder, a picture of
//! each is kept there.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::{Agent, Browser, Child, Display, Hand, Seed, Server, Technician, programs};
use serde_json::{Value, json};

/// A walk through pages, which goes on where something is wrong and tells all
/// of it at its end.
struct Walk {
    browser: Browser,
    found: RefCell<Vec<String>>,
    missed: Cell<usize>,
}

/// So many steps may not work before the walk gives up.
const MOST_MISSED: usize = 3;

impl Walk {
    fn begin() -> Result<Self> {
        Self::begin_as(&json!({}))
    }

    fn begin_as(device: &Value) -> Result<Self> {
        Ok(Self { browser: Browser::start_as(device)?, found: RefCell::default(), missed: Cell::new(0) })
    }

    fn run(&self, command: &str, rest: Value) -> Result<Value> {
        let error = match self.browser.run(command, rest) {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        self.found.borrow_mut().push(format!("{error:#}"));
        self.missed.set(self.missed.get() + 1);
        ensure!(self.missed.get() < MOST_MISSED, "too much is wrong:\n{}", self.found.borrow().join("\n"));
        Ok(Value::Null)
    }

    fn goto(&self, url: &str) -> Result<()> {
        self.run("goto", json!({ "url": url })).map(drop)
    }

    fn text(&self, text: &str) -> Result<()> {
        self.run("wait_text", json!({ "text": text })).map(drop)
    }

    fn wait(&self, selector: &str) -> Result<()> {
        self.run("wait_selector", json!({ "selector": selector })).map(drop)
    }

    fn fill(&self, label: &str, text: &str) -> Result<()> {
        self.run("fill", json!({ "label": label, "text": text })).map(drop)
    }

    fn press(&self, name: &str) -> Result<()> {
        self.run("click_button", json!({ "name": name })).map(drop)
    }

    fn link(&self, name: &str) -> Result<()> {
        self.run("click_link", json!({ "name": name })).map(drop)
    }

    fn note(&self, found: &Value) -> Result<()> {
        let found = found.as_array().into_iter().flatten().filter_map(Value::as_str);
        self.found.borrow_mut().extend(found.map(str::to_owned));
        Ok(())
    }

    /// Look at the page as it is.
    fn look(&self, name: &str) -> Result<()> {
        self.note(&self.run("look", json!({ "name": name, "lost": false }))?)
    }

    /// The same where the server is away.
    fn look_lost(&self, name: &str) -> Result<()> {
        self.note(&self.run("look", json!({ "name": name, "lost": true }))?)
    }

    /// Go around by the Tab key.
    fn tab(&self, name: &str) -> Result<()> {
        let found = self.run("by_keyboard", json!({}))?;
        let found = found.as_array().into_iter().flatten().filter_map(Value::as_str);
        self.found.borrow_mut().extend(found.map(|words| format!("{name}: {words}")));
        Ok(())
    }

    /// What a button asks first: looked at, gone around, and given up by Escape;
    /// the button has the focus again.
    fn asks(&self, button: &str, name: &str) -> Result<()> {
        self.press(button)?;
        self.wait("dialog.ask[open] button:focus:has-text('Cancel')")?;
        self.look(name)?;
        self.tab(name)?;
        self.run("press", json!({ "key": "Control+k" }))?;
        let open = self.run("count", json!({ "selector": "dialog[open]" }))?;
        ensure!(open == json!(1), "{name}: another dialog lies over it");
        self.run("press", json!({ "key": "Escape" }))?;
        self.run("wait_gone", json!({ "selector": "dialog" }))?;
        let script = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText.trim()";
        let now = self.run("evaluate", json!({ "script": script }))?;
        ensure!(now == json!(button), "{name}: then the focus is at {now}");
        Ok(())
    }

    fn log_in(&self, url: &str, who: &Technician) -> Result<()> {
        self.goto(&format!("{url}/login"))?;
        self.fill("User name", &who.username)?;
        self.fill("Password", &who.password)?;
        self.press("Log in")
    }

    fn end(self) -> Result<()> {
        let found = self.found.take();
        ensure!(found.is_empty(), "{} things are wrong:\n{}", found.len(), found.join("\n"));
        Ok(())
    }
}

impl Drop for Walk {
    /// Where something else ends the walk, what was found so far is told too.
    fn drop(&mut self) {
        for line in self.found.take() {
            eprintln!("{line}");
        }
    }
}

/// A server that nobody has set up yet: its process, its address, its link.
fn fresh_server(folder: &std::path::Path) -> Result<(Child, String, String)> {
    let mut child = Child::spawn(
        Command::new(programs("guruconnect-server", "GC_SERVER")?)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null()),
    )?;
    let output = child.inner().stdout.take().context("no output")?;
    let mut setup = String::new();
    for line in BufReader::new(output).lines() {
        let line = line?;
        if let Some(link) = line.strip_prefix("setup: ") {
            setup = link.to_owned();
        }
        if let Some(url) = line.strip_prefix("ready: ") {
            return Ok((child, url.to_owned(), setup));
        }
    }
    anyhow::bail!("the server did not start")
}

#[test]
fn set_up_and_an_empty_house() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (server, url, setup) = fresh_server(folder.path())?;
    let walk = Walk::begin()?;
    walk.goto(&format!("{url}/setup"))?;
    walk.text("lacks its one-time token")?;
    walk.look("setup-no-token")?;
    walk.goto(&format!("{url}/setup#{}", "0".repeat(40)))?;
    walk.run("reload", json!({}))?;
    walk.fill("Your name", "Ada Lovelace")?;
    walk.fill("User name", "ada")?;
    walk.fill("Password", "analytical engine 1843")?;
    walk.press("Create administrator")?;
    walk.wait("[role=alert]")?;
    walk.look("setup-wrong-token")?;
    walk.goto(&setup)?;
    walk.run("reload", json!({}))?;
    walk.look("setup")?;
    walk.fill("Your name", "Ada Lovelace")?;
    walk.fill("User name", "ada")?;
    walk.fill("Password", "analytical")?;
    walk.look("setup-weak")?;
    walk.tab("setup")?;
    walk.fill("Password", "analytical engine 1843")?;
    walk.press("Create administrator")?;
    walk.text("Nobody is connected")?;
    walk.look("sessions-none")?;
    walk.tab("sessions-none")?;
    walk.link("Past")?;
    walk.text("No past sessions yet")?;
    walk.look("sessions-past-none")?;
    walk.goto(&format!("{url}/setup"))?;
    walk.text("This server is set up")?;
    walk.look("setup-done")?;
    walk.goto(&format!("{url}/nothing/here"))?;
    walk.text("There is nothing at this address")?;
    walk.look("not-found")?;
    walk.goto(&format!("{url}/audit?event=user_removed"))?;
    walk.text("Nothing that happened fits")?;
    walk.look("audit-none")?;
    drop(server);
    walk.end()
}

#[test]
fn strangers_at_the_door() -> Result<()> {
    let server = Server::start()?;
    let login = server.login(&server.admin)?;
    let (code, _) = server.code(&login, "control")?;
    let (view, _) = server.code(&login, "view")?;
    let walk = Walk::begin()?;
    walk.goto(&format!("{}/login", server.url))?;
    walk.look("login")?;
    // What is large comes packed.
    let packed = "performance.getEntriesByType('resource').filter(({ decodedBodySize }) => decodedBodySize > 4096)\
        .map(({ encodedBodySize, decodedBodySize }) => encodedBodySize / decodedBodySize)";
    let shares = walk.run("evaluate", json!({ "script": packed }))?;
    let shares: Vec<f64> = shares.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    ensure!(shares.len() > 1 && shares.iter().all(|share| *share < 0.5), "it comes as it is: {shares:?}");
    walk.tab("login")?;
    walk.fill("User name", "ada")?;
    walk.fill("Password", "not the one")?;
    walk.press("Log in")?;
    walk.wait("[role=alert]")?;
    walk.look("login-refused")?;

    walk.goto(&format!("{}/join", server.url))?;
    walk.look("join")?;
    walk.fill("Support code", "k7")?;
    walk.tab("join")?;
    walk.look("join-half")?;
    walk.fill("Support code", "AAAAAAAAA")?;
    walk.press("Continue")?;
    walk.text("This code is not valid")?;
    walk.look("join-wrong")?;
    for (name, code) in [("join-found", &code), ("join-found-view", &view)] {
        walk.fill("Support code", code)?;
        walk.press("Continue")?;
        walk.text("would like to help you")?;
        walk.look(name)?;
        walk.tab(name)?;
        walk.goto(&format!("{}/join", server.url))?;
    }
    let phone = Walk::begin_as(&json!({
        "userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    }))?;
    phone.goto(&format!("{}/join#{code}", server.url))?;
    phone.press("Continue")?;
    phone.text("You are on a phone")?;
    phone.look("join-phone")?;
    phone.end()?;

    // Nobody guesses on.
    for _ in 0..12 {
        let _ = server.get("/api/codes/BBB-BBB-BBB/validate", &login);
    }
    walk.fill("Support code", "AAAAAAAAA")?;
    walk.press("Continue")?;
    walk.text("Try again in")?;
    walk.look("join-locked-out")?;
    for _ in 0..10 {
        let _ = server.login(&Technician { username: "nobody".into(), password: "nothing at all".into() });
    }
    walk.log_in(&server.url, &server.admin)?;
    walk.text("Try again in")?;
    walk.look("login-too-often")?;
    walk.end()
}

#[test]
fn a_technician_and_a_person() -> Result<()> {
    let mut server = Server::start()?;
    let display = Display::start(1280, 800)?;
    let _terminal = display.terminal(&server.folder().join("typed.txt"))?;
    let login = server.login(&server.admin)?;
    let walk = Walk::begin()?;
    walk.log_in(&server.url, &server.admin)?;
    walk.text("Nobody is connected")?;

    // The card of a code, in each of its states.
    let code = walk.browser.new_code(true)?;
    walk.look("card-waiting")?;
    walk.press("Copy code")?;
    walk.wait("text=/Code copied|copy by hand/")?;
    walk.look("card-copied")?;
    walk.tab("card-waiting")?;
    let mut agent = Agent::start(&server, &display, &code)?;
    walk.text("Connected, asking the person")?;
    Hand(&display).await_window(gc_desktop_tests::CONSENT)?;
    walk.look("card-asking")?;
    let open = server.get("/api/sessions?state=open", &login)?;
    let id = open["items"][0]["id"].as_str().context("no session")?.to_owned();
    walk.goto(&format!("{}/sessions/{id}/view", server.url))?;
    walk.text("The person is being asked")?;
    walk.look("viewer-asking")?;
    walk.goto(&server.url)?;
    Hand(&display).deny()?;
    walk.text("Declined")?;
    walk.look("card-declined")?;
    Hand(&display).press_in("GuruConnect$", "Return")?;
    agent.await_end()?;

    let code = walk.browser.new_code(true)?;
    let mut agent = Agent::start(&server, &display, &code)?;
    Hand(&display).allow()?;
    walk.wait("a:has-text('Open session')")?;
    walk.look("card-live")?;

    // The viewer.
    let open = server.get("/api/sessions?state=open", &login)?;
    let id = open["items"][0]["id"].as_str().context("no session")?.to_owned();
    agent.child().pause()?;
    walk.goto(&format!("{}/sessions/{id}/view", server.url))?;
    walk.wait(".connecting")?;
    walk.look("viewer-connecting")?;
    agent.child().resume()?;
    walk.browser.await_picture()?;
    walk.text("View only")?;
    walk.look("viewer-view-only")?;
    walk.tab("viewer-view-only")?;
    walk.press("Ask for control")?;
    walk.text("Asking the person")?;
    walk.look("viewer-asking-control")?;
    Hand(&display).allow()?;
    walk.text("You control")?;
    walk.look("viewer-control")?;
    for (name, menu) in [("keys", "Keys"), ("people", "Who is here"), ("numbers", "Picture quality and statistics")] {
        walk.run("click_selector", json!({ "selector": format!("summary[title='{menu}']") }))?;
        walk.look(&format!("viewer-{name}"))?;
        walk.run("click_selector", json!({ "selector": format!("summary[title='{menu}']") }))?;
    }
    walk.asks("End", "viewer-end")?;
    walk.run("click_selector", json!({ "selector": "button[title='Chat with the person']" }))?;
    walk.look("viewer-chat-empty")?;
    walk.run("type", json!({ "text": "Good morning. I look at the printer now.\n" }))?;
    walk.wait(".chat li:has-text('the printer')")?;
    walk.look("viewer-chat")?;
    walk.run("press", json!({ "key": "Escape" }))?;

    agent.child().pause()?;
    walk.text("The computer’s line is lost")?;
    walk.look("viewer-suspended")?;
    let at_list = Walk::begin()?;
    at_list.log_in(&server.url, &server.admin)?;
    at_list.text("Line lost, waiting for the computer")?;
    at_list.look("sessions-suspended")?;
    agent.child().resume()?;
    walk.browser.await_picture()?;
    at_list.wait(".state.live")?;
    at_list.look("sessions-live")?;
    at_list.tab("sessions-live")?;
    at_list.asks("End", "sessions-end")?;

    // The server is away: the viewer, and the pages.
    server.kill()?;
    walk.text("The line to the server is lost")?;
    let old = walk.run("count", json!({ "selector": ".curtain:has-text('The computer is back')" }))?;
    ensure!(old == json!(0), "old news stand in the way of the new");
    walk.look_lost("viewer-lost")?;
    at_list.text("The connection to the server is lost")?;
    at_list.look_lost("sessions-lost")?;
    at_list.press("New support code")?;
    at_list.text("The server cannot be reached")?;
    at_list.look_lost("sessions-lost-pressed")?;
    server.restart()?;
    walk.browser.await_picture()?;
    // What was asked while the server was away is said in the console late.
    walk.run("complaints", json!({ "lost": true }))?;
    at_list.run("complaints", json!({ "lost": true }))?;
    Hand(&display).dialog_button(gc_desktop_tests::NOTICE, 0)?;
    walk.text("The person ended the session.")?;
    walk.look("viewer-ended")?;
    walk.tab("viewer-ended")?;
    walk.goto(&format!("{}/sessions/00000000-0000-7000-8000-000000000000/view", server.url))?;
    walk.text("There is no such session")?;
    walk.look("viewer-no-session")?;
    at_list.end()?;
    walk.end()
}

#[test]
fn an_administrator() -> Result<()> {
    let server = Server::start()?;
    let walk = Walk::begin()?;
    walk.log_in(&server.url, &server.admin)?;
    walk.text("Nobody is connected")?;

    walk.run("press", json!({ "key": "Control+k" }))?;
    walk.wait("dialog[open] [aria-selected=true]")?;
    walk.look("palette")?;
    walk.run("type", json!({ "text": "nothing like it" }))?;
    walk.look("palette-none")?;
    walk.run("press", json!({ "key": "Escape" }))?;
    walk.run("wait_gone", json!({ "selector": "dialog" }))?;
    walk.run("press", json!({ "key": "Control+k" }))?;
    walk.run("type", json!({ "text": "page aud" }))?;
    walk.run("press", json!({ "key": "Enter" }))?;
    walk.wait("td:has-text('Logged in')")?;
    walk.look("audit-few")?;
    walk.tab("audit-few")?;

    // A part of the pages does not come.
    walk.run("block", json!({ "pattern": "**/assets/settings-*" }))?;
    walk.goto(&format!("{}/settings", server.url))?;
    walk.text("This page could not be shown")?;
    walk.look_lost("broken")?;
    walk.run("unblock", json!({ "pattern": "**/assets/settings-*" }))?;
    walk.press("Load again")?;
    walk.text("What people read")?;

    walk.link("Users")?;
    walk.wait("tbody tr")?;
    walk.look("users-one")?;
    walk.tab("users-one")?;
    walk.press("New user")?;
    walk.look("users-new")?;
    walk.tab("users-new")?;
    walk.fill("User name", "ADA")?;
    walk.fill("Name, as people being helped read it", "Another Ada")?;
    walk.fill("First password", "nanosecond of wire 11.8")?;
    walk.press("Save")?;
    walk.text("Somebody has this user name already")?;
    walk.look("users-refused")?;
    walk.fill("User name", "grace")?;
    walk.press("Save")?;
    walk.press("Change Another Ada")?;
    walk.look("users-change")?;
    walk.asks("Disable Another Ada", "users-disable")?;
    walk.asks("Remove Another Ada", "users-remove")?;

    walk.link("Settings")?;
    walk.text("What people read")?;
    walk.look("settings")?;
    walk.tab("settings")?;
    walk.fill("Trusted proxies", "0.0.0.0/0")?;
    walk.press("Save")?;
    walk.text("To believe everybody is to believe nobody")?;
    walk.look("settings-refused")?;
    walk.press("Discard")?;
    walk.fill("Longest session, in hours", "8")?;
    walk.press("Save")?;
    walk.text("It holds from now on")?;
    walk.look("settings-saved")?;
    walk.fill("Public address", "https://help.example.com")?;
    walk.asks("Save", "settings-address")?;
    walk.press("Discard")?;

    walk.link("Ada Lovelace")?;
    walk.text("You have none")?;
    walk.look("account")?;
    walk.tab("account")?;
    walk.fill("Current password", "not the one")?;
    walk.fill("New password", "store and mill, well oiled")?;
    walk.press("Change password")?;
    walk.text("The current password is wrong")?;
    walk.look("account-refused")?;
    walk.press("New token")?;
    walk.look("token-new")?;
    walk.fill("What it is for", "Nightly report")?;
    walk.run("click_selector", json!({ "selector": "form label:has-text('Read the audit trail')" }))?;
    walk.press("Make token")?;
    walk.text("it is not shown again")?;
    walk.look("token-made")?;
    walk.press("I have kept it")?;
    walk.asks("Revoke Nightly report", "token-revoke")?;
    walk.press("Set up an authenticator")?;
    walk.wait("svg.picture")?;
    walk.look("factor")?;
    let key = walk.run("text", json!({ "selector": ".key" }))?;
    let key = key.as_str().context("no key")?.replace(' ', "");
    walk.fill("Code that the app shows", "000000")?;
    walk.fill("Your password", &server.admin.password)?;
    walk.press("Turn on")?;
    walk.text("The code is not the one that is due")?;
    walk.look("factor-refused")?;
    walk.fill("Code that the app shows", &due(&key)?)?;
    walk.press("Turn on")?;
    walk.text("The second factor is on")?;
    walk.look("factor-recovery")?;
    walk.press("I have kept them")?;
    walk.look("factor-on")?;
    walk.fill("Your password", &server.admin.password)?;
    walk.asks("Remove second factor", "factor-remove")?;
    walk.press("Log out")?;
    walk.text("Got a support code")?;
    walk.log_in(&server.url, &server.admin)?;
    walk.wait("#otp:focus")?;
    walk.look("login-factor")?;
    walk.run("type", json!({ "text": "000000\n" }))?;
    walk.wait("[role=alert]")?;
    walk.look("login-factor-refused")?;

    // Whoever was given a password chooses another first; and is told what
    // they may not do.
    let grace = Technician { username: "grace".into(), password: "nanosecond of wire 11.8".into() };
    walk.log_in(&server.url, &grace)?;
    walk.text("Choose your own password")?;
    walk.look("new-password")?;
    walk.fill("New password", "compiler of the first hour")?;
    walk.press("Save and go on")?;
    walk.text("Nobody is connected")?;
    walk.goto(&format!("{}/users", server.url))?;
    walk.text("You may not do this")?;
    walk.look("users-forbidden")?;
    walk.end()
}

/// What an authenticator with this key shows now.
fn due(key: &str) -> Result<String> {
    let secret = totp_rs::Secret::try_from_base32(key).map_err(|_| anyhow::anyhow!("{key:?} is no key"))?;
    let codes = totp_rs::Builder::new().with_secret(secret).build().map_err(|_| anyhow::anyhow!("no secret"))?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    Ok(codes.generate(now).to_string())
}

#[test]
fn ten_thousand_rows_and_names_of_all_kinds() -> Result<()> {
    let mut server = Server::start()?;
    server.seed(Seed { sessions: 10_000, open: 300, audit: 10_000, users: 400, tokens: 60 })?;
    let walk = Walk::begin()?;
    walk.log_in(&server.url, &server.admin)?;
    walk.wait("tbody tr")?;
    walk.look("sessions-many")?;
    walk.tab("sessions-many")?;
    walk.run("click_selector", json!({ "selector": "thead input" }))?;
    walk.text("50 chosen")?;
    walk.look("sessions-many-chosen")?;
    walk.asks("Remove them", "sessions-remove")?;
    walk.link("Past")?;
    walk.wait("tr:has-text('Ended by the person')")?;
    walk.look("sessions-past-many")?;
    let newest = walk.run("text", json!({ "selector": "tbody" }))?;
    walk.link("Older")?;
    walk.wait("a:has-text('Newest')")?;
    walk.run("wait_gone", json!({ "selector": "[aria-busy=true]" }))?;
    ensure!(walk.run("text", json!({ "selector": "tbody" }))? != newest, "the older page is the newest");
    walk.look("sessions-past-older")?;
    // The page has its address, and the back button leads back.
    walk.run("reload", json!({}))?;
    walk.wait("a:has-text('Newest')")?;
    walk.run("back", json!({}))?;
    walk.run("wait_gone", json!({ "selector": "a:has-text('Newest')" }))?;

    walk.run("press", json!({ "key": "Control+k" }))?;
    walk.wait("dialog[open] [role=option]")?;
    walk.run("type", json!({ "text": "server" }))?;
    walk.look("palette-many")?;
    walk.run("press", json!({ "key": "Escape" }))?;
    walk.link("Audit")?;
    walk.wait("td:has-text('Viewer joined')")?;
    walk.look("audit-many")?;
    walk.link("Older")?;
    walk.wait("a:has-text('Newest')")?;
    walk.run("wait_gone", json!({ "selector": "[aria-busy=true]" }))?;
    walk.look("audit-many-older")?;
    walk.link("Users")?;
    walk.text("More than 50 users")?;
    walk.look("users-many")?;
    walk.tab("users-many")?;
    let first = walk.run("text", json!({ "selector": "tbody" }))?;
    walk.link("More")?;
    walk.wait("a:has-text('First')")?;
    walk.run("wait_gone", json!({ "selector": "[aria-busy=true]" }))?;
    ensure!(walk.run("text", json!({ "selector": "tbody" }))? != first, "the next page is the first");
    walk.look("users-more")?;
    // A search begins at the first page, and has its address.
    walk.fill("Find", "zoë")?;
    walk.text("33 found")?;
    walk.run("choose", json!({ "selector": "#role", "option": "Watcher" }))?;
    walk.run("reload", json!({}))?;
    walk.text("33 found")?;
    walk.look("users-found")?;
    walk.run("choose", json!({ "selector": "#role", "option": "Technician" }))?;
    walk.text("Nobody fits this search")?;
    walk.look("users-found-none")?;
    walk.link("Ada Lovelace")?;
    walk.wait(".tokens li")?;
    walk.look("account-many")?;
    walk.press("Show older tokens")?;
    walk.wait(".tokens li:nth-child(60):last-child")?;

    // No name has become a part of a page, and no list is longer than the eye.
    for path in ["/", "/?show=ended", "/users", "/audit", "/account"] {
        walk.goto(&format!("{}{path}", server.url))?;
        walk.wait("tbody tr, .tokens li")?;
        let foreign = "document.querySelectorAll('main b:not(strong), main i, main img, main script').length";
        ensure!(
            walk.run("evaluate", json!({ "script": foreign }))? == json!(0),
            "{path}: a name is a part of the page"
        );
        let parts = walk.run("evaluate", json!({ "script": "document.querySelectorAll('*').length" }))?;
        ensure!(parts.as_u64().is_some_and(|parts| parts < 4000), "{path}: {parts} parts");
    }
    walk.end()
}
