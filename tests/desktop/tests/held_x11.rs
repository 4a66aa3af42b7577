//! Keys and a button are down when something breaks: on the person's desktop
//! nothing stays down, everybody is told, and it goes on by itself.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::{Agent, Browser, Child, Display, Hand, Picture, Server, Wire, in_time, until};
use serde_json::json;
use x11rb::connection::Connection;
use x11rb::protocol::xinput::{ConnectionExt as _, Device, DeviceType};
use x11rb::protocol::xkb::{BoolCtrl, ConnectionExt as _};
use x11rb::protocol::xproto::{ConnectionExt, KeyButMask};

/// Left Shift, left Ctrl, the letter K.
const KEYS: [usize; 3] = [37, 45, 50];
/// Three seconds of silence let everything go; the rest is a busy machine.
const SOON: Duration = Duration::from_secs(9);

struct Stage {
    server: Server,
    display: Display,
    browser: Browser,
    agent: Agent,
    wire: Wire,
    login: String,
    session: String,
    _terminal: Child,
}

impl Stage {
    /// A session in control; the browser comes by a line that can be cut, the
    /// agent does not.
    fn open() -> Result<Self> {
        let wire = Wire::new()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let listen = format!("127.0.0.1:{port}");
        wire.lead_to(listen.parse()?);
        let mut server = Server::start_with(&listen, &["--public-url", &wire.url()])?;
        // Everybody but the browser goes straight there.
        server.url = format!("http://{listen}");
        let display = Display::start(1280, 800)?;
        let terminal = display.terminal(&server.folder().join("typed.txt"))?;
        let browser = Browser::start()?;
        browser.login(&wire.url(), &server.admin)?;
        let code = browser.new_code(false)?;
        let agent = Agent::start_at(&server, &server.url, &display, &code)?;
        Hand(&display).allow()?;
        browser.open_session()?;
        let login = server.login(&server.admin)?;
        let open = server.get("/api/sessions?state=open", &login)?;
        let session = open["items"][0]["id"].as_str().context("no session")?.to_owned();
        Ok(Self { server, display, browser, agent, wire, login, session, _terminal: terminal })
    }

    /// What is down at the display: keys by their codes, buttons and modifiers.
    fn down(&self) -> Result<(Vec<usize>, KeyButMask)> {
        let (connection, screen) = x11rb::connect(Some(self.display.name()))?;
        let root = connection.setup().roots.get(screen).context("no screen")?.root;
        let keys = connection.query_keymap()?.reply()?.keys;
        let keys = (0..256).filter(|key| keys[key / 8] & (1 << (key % 8)) != 0).collect();
        Ok((keys, connection.query_pointer(root)?.reply()?.mask))
    }

    /// Whether a key that stays down repeats by itself: of each keyboard, the person's
    /// among them.
    fn repeats(&self) -> Result<Vec<bool>> {
        let (connection, _) = x11rb::connect(Some(self.display.name()))?;
        connection.xinput_xi_query_version(2, 2)?.reply()?;
        connection.xkb_use_extension(1, 0)?.reply()?;
        let devices = connection.xinput_xi_query_device(Device::ALL)?.reply()?.infos;
        let is_keyboard = |kind| matches!(kind, DeviceType::MASTER_KEYBOARD | DeviceType::SLAVE_KEYBOARD);
        let keyboards = devices.iter().filter(|device| is_keyboard(device.type_));
        keyboards
            .map(|keyboard| {
                let controls = connection.xkb_get_controls(keyboard.deviceid)?.reply()?;
                Ok(u32::from(controls.enabled_controls) & u32::from(BoolCtrl::REPEAT_KEYS) != 0)
            })
            .collect()
    }

    /// Hold keys and the left button in the browser.
    fn hold(&self) -> Result<()> {
        self.browser.run("canvas_move", json!({ "x": 900, "y": 300 }))?;
        self.browser.run("canvas_down", json!({}))?;
        for key in ["ControlLeft", "ShiftLeft", "KeyK"] {
            self.browser.run("down", json!({ "key": key }))?;
        }
        until("everything being down", Duration::from_secs(10), || {
            let (keys, mask) = self.down()?;
            ensure!(keys == KEYS && mask.contains(KeyButMask::BUTTON1), "down are {keys:?} and {mask:?}");
            Ok(Some(()))
        })?;
        ensure!(!self.repeats()?.contains(&true), "what is held repeats by itself");
        Ok(())
    }

    /// Nothing is down, and nothing comes down again.
    fn await_up(&self) -> Result<()> {
        let begun = Instant::now();
        in_time("nothing being down", SOON, || {
            let now = self.down()?;
            ensure!(now == (Vec::new(), KeyButMask::default()), "down are {now:?}");
            let repeats = self.repeats()?;
            ensure!(repeats.len() > 2 && !repeats.contains(&false), "the person's keys do not repeat: {repeats:?}");
            Ok(Some(()))
        })?;
        println!("up after {:?}", begun.elapsed());
        Ok(())
    }

    /// The page says so, over the picture.
    fn is_told(&self, words: &str) -> Result<()> {
        let selector = format!(".curtain:has-text('{words}')");
        self.browser.run("wait_selector", json!({ "selector": selector })).map(drop)
    }

    /// What is typed arrives, the picture is the display's, and it was said
    /// that this session is the same.
    fn is_live(&self, line: &str) -> Result<()> {
        self.browser.await_picture()?;
        for key in ["KeyK", "ShiftLeft", "ControlLeft"] {
            self.browser.run("up", json!({ "key": key }))?;
        }
        self.browser.run("canvas_up", json!({}))?;
        self.browser.type_at(&self.display, 300, 500, line)?;
        until("the typed line", Duration::from_secs(10), || {
            let text = std::fs::read_to_string(self.server.folder().join("typed.txt"))?;
            ensure!(text.ends_with(&format!("{line}\n")), "so far: {text:?}");
            Ok(Some(()))
        })?;
        self.browser.await_canvas(|| Picture::of_display(&self.display))?;
        ensure!(self.server.session(&self.login, &self.session)?["state"] == "live", "another session");
        Ok(())
    }

    /// Somebody is watching, as the server sees it, or nobody is.
    fn await_watched(&self, watched: bool) -> Result<()> {
        until("the server's list of viewers", Duration::from_secs(20), || {
            let viewers = self.server.session(&self.login, &self.session)?["viewers"].clone();
            Ok(viewers.as_array().is_some_and(|viewers| viewers.is_empty() != watched).then_some(()))
        })
    }

    fn is_audited(&self, event: &str) -> Result<()> {
        until(event, Duration::from_secs(10), || Ok((!self.server.audited(event)?.is_empty()).then_some(())))
    }
}

#[test]
fn the_browser_is_killed() -> Result<()> {
    let mut stage = Stage::open()?;
    stage.hold()?;
    stage.browser.child().kill_family()?;
    stage.await_up()?;
    stage.await_watched(false)?;
    stage.is_audited("viewer_left")?;
    // And whoever comes back finds it as it was.
    stage.browser = Browser::start()?;
    let (browser, admin) = (&stage.browser, &stage.server.admin);
    browser.run("goto", json!({ "url": format!("{}/login", stage.wire.url()) }))?;
    browser.run("fill", json!({ "label": "User name", "text": admin.username }))?;
    browser.run("fill", json!({ "label": "Password", "text": admin.password }))?;
    browser.run("click_button", json!({ "name": "Log in" }))?;
    browser.open_session()?;
    stage.is_live("from another browser")
}

#[test]
fn the_browser_is_frozen() -> Result<()> {
    let mut stage = Stage::open()?;
    stage.hold()?;
    stage.browser.child().pause_family(true)?;
    stage.await_up()?;
    stage.await_watched(false)?;
    stage.browser.child().pause_family(false)?;
    // What is clicked before the page knows that its line is gone goes nowhere.
    stage.await_watched(true)?;
    stage.is_live("thawed")
}

#[test]
fn a_question_is_asked() -> Result<()> {
    let stage = Stage::open()?;
    let browser = &stage.browser;
    let typed_beside = || -> Result<()> {
        browser.run("hand_type", json!({ "text": "unsent" }))?;
        browser.run("press", json!({ "key": "Tab" })).map(drop)
    };
    let focused = |selector: &str| -> Result<()> {
        browser.run("wait_gone", json!({ "selector": "dialog" }))?;
        browser.run("wait_selector", json!({ "selector": format!("{selector}:focus") })).map(drop)
    };
    stage.hold()?;
    // What had the focus before a click, had it until now.
    browser.run("evaluate", json!({ "script": "document.querySelector('.viewer-bar .danger').click(), true" }))?;
    browser.run("wait_selector", json!({ "selector": "dialog[open] button:focus" }))?;
    stage.await_up()?;
    typed_beside()?;
    browser.run("press", json!({ "key": "Escape" }))?;
    focused(".keys")?;
    stage.is_live("after Escape")?;

    browser.run("click_button", json!({ "name": "End" }))?;
    typed_beside()?;
    browser.run("answer", json!({ "button": "Cancel" }))?;
    focused(".viewer-bar .danger")?;
    stage.is_live("after Cancel")?;
    let text = std::fs::read_to_string(stage.server.folder().join("typed.txt"))?;
    ensure!(!text.contains("unsent"), "what was typed at the question came through: {text:?}");

    browser.run("click_button", json!({ "name": "End" }))?;
    browser.run("answer", json!({ "button": "End session" }))?;
    stage.server.await_state(&stage.login, &stage.session, "ended").map(drop)
}

#[test]
fn the_viewers_line_is_cut() -> Result<()> {
    let stage = Stage::open()?;
    stage.hold()?;
    stage.wire.cut();
    stage.await_up()?;
    stage.is_told("The line to the server is lost")?;
    stage.wire.mend();
    stage.is_live("mended")
}

#[test]
fn the_tab_crashes_and_is_opened_again() -> Result<()> {
    let stage = Stage::open()?;
    stage.hold()?;
    let url = stage.browser.run("url", json!({}))?;
    // It answers with an error, as it is dead then.
    let _dead: Result<_> = stage.browser.run("goto", json!({ "url": "chrome://crash" }));
    stage.await_up()?;
    stage.browser.run("new_tab", json!({ "url": url }))?;
    stage.is_live("opened again")
}

#[test]
fn the_server_is_killed() -> Result<()> {
    let mut stage = Stage::open()?;
    stage.hold()?;
    stage.server.kill()?;
    stage.await_up()?;
    stage.is_told("The line to the server is lost")?;
    stage.server.restart()?;
    stage.is_live("restarted")
}

#[test]
fn the_server_is_frozen() -> Result<()> {
    let mut stage = Stage::open()?;
    stage.hold()?;
    stage.server.child().pause()?;
    stage.await_up()?;
    stage.is_told("The line to the server is lost")?;
    stage.server.child().resume()?;
    stage.is_live("thawed")
}

#[test]
fn the_agent_is_frozen() -> Result<()> {
    let mut stage = Stage::open()?;
    stage.hold()?;
    stage.agent.child().pause()?;
    stage.await_up()?;
    stage.is_told("The computer’s line is lost")?;
    stage.agent.child().resume()?;
    stage.is_live("thawed")?;
    ensure!(Hand(&stage.display).window(gc_desktop_tests::CONSENT).is_none(), "the person was asked again");
    Ok(())
}

#[test]
fn the_agent_is_killed() -> Result<()> {
    let mut stage = Stage::open()?;
    stage.hold()?;
    stage.agent.child().kill()?;
    stage.await_up()?;
    stage.is_told("The computer’s line is lost")?;
    // Its secret is gone with it: the session waits for nobody, and is over
    // when somebody says so.
    stage.server.await_state(&stage.login, &stage.session, "suspended")?;
    stage.server.delete(&format!("/api/sessions/{}", stage.session), &stage.login)?;
    stage.browser.run("wait_text", json!({ "text": "The technician ended the session." }))?;
    stage.is_audited("session_ended")
}
