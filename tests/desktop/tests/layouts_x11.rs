//! A US keyboard here, another there: the text is the text, keys are keys, and
//! nothing stays down.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::{Agent, Browser, Child, Display, Hand, Server, until};
use serde_json::json;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ConnectionExt, KeyButMask};

/// Everything that a US keyboard types, and what it does not.
const TEXTS: [&str; 4] = [
    "Zyz /?{}[]@ äöüß €",
    "the quick brown fox jumps over the lazy dog 0123456789",
    "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG",
    "`~!@#$%^&*()-_=+[{]}\\|;:'\",<.>/?",
];

fn set_layout(display: &Display, layout: &str) -> Result<()> {
    ensure!(display.command("setxkbmap").arg(layout).status()?.success(), "the display takes no layout {layout}");
    Ok(())
}

/// Wait until this is the last line of the file.
fn await_last(file: &Path, line: &str) -> Result<()> {
    until("the typed line", Duration::from_secs(10), || {
        let text = std::fs::read_to_string(file)?;
        ensure!(text.lines().last() == Some(line) && text.ends_with('\n'), "typed {line:?}, arrived {text:?}");
        Ok(Some(()))
    })
}

fn caps_lock(display: &Display) -> Result<bool> {
    let (connection, screen) = x11rb::connect(Some(display.name()))?;
    let root = connection.setup().roots.get(screen).context("no screen")?.root;
    Ok(connection.query_pointer(root)?.reply()?.mask.contains(KeyButMask::LOCK))
}

/// Which keys are down at the display, by their codes, and which buttons.
fn down(display: &Display) -> Result<(Vec<usize>, KeyButMask)> {
    let (connection, screen) = x11rb::connect(Some(display.name()))?;
    let root = connection.setup().roots.get(screen).context("no screen")?.root;
    let keys = connection.query_keymap()?.reply()?.keys;
    let keys = (0..256).filter(|key| keys[key / 8] & (1 << (key % 8)) != 0).collect();
    Ok((keys, connection.query_pointer(root)?.reply()?.mask))
}

fn await_down(display: &Display, keys: &[usize], buttons: KeyButMask) -> Result<()> {
    until(&format!("{keys:?} being down"), Duration::from_secs(10), || {
        let now = down(display)?;
        ensure!(now == (keys.to_vec(), buttons), "down are {now:?}");
        Ok(Some(()))
    })
}

struct Stage {
    server: Server,
    display: Display,
    terminal: Child,
    browser: Browser,
    _agent: Agent,
}

impl Stage {
    /// A session in control of a display with this layout.
    fn open(layout: &str) -> Result<Self> {
        let server = Server::start()?;
        let display = Display::start(1280, 800)?;
        set_layout(&display, layout)?;
        let terminal = display.terminal(&server.folder().join("typed.txt"))?;
        let browser = Browser::start()?;
        browser.login(&server.url, &server.admin)?;
        let agent = Agent::in_session(&server, &display, &browser)?;
        browser.run("canvas_click", json!({ "x": 300, "y": 500 }))?;
        Ok(Self { server, display, terminal, browser, _agent: agent })
    }

    /// Type all texts; each has to arrive as it is.
    fn type_all(&self) -> Result<()> {
        for text in TEXTS {
            self.browser.type_at(&self.display, 300, 500, text)?;
            await_last(&self.server.folder().join("typed.txt"), text)?;
        }
        Ok(())
    }
}

fn every_text_arrives(layout: &str) -> Result<()> {
    let mut stage = Stage::open(layout)?;
    stage.type_all()?;

    // The person's Caps Lock is theirs, and changes nothing.
    Hand(&stage.display).key("Caps_Lock")?;
    assert!(caps_lock(&stage.display)?);
    stage.type_all()?;
    assert!(caps_lock(&stage.display)?);
    Hand(&stage.display).key("Caps_Lock")?;
    assert!(!caps_lock(&stage.display)?);
    stage.type_all()?;

    // A shortcut is a key: it interrupts the program in the terminal.
    assert!(stage.terminal.ended()?.is_none());
    stage.browser.run("press", json!({ "key": "Control+KeyC" }))?;
    let terminal = &mut stage.terminal;
    until("the interrupted program's end", Duration::from_secs(10), || terminal.ended())?;
    await_down(&stage.display, &[], KeyButMask::default())
}

#[test]
fn on_a_german_layout() -> Result<()> {
    every_text_arrives("de")
}

#[test]
fn on_a_french_layout() -> Result<()> {
    every_text_arrives("fr")
}

#[test]
fn on_the_same_layout() -> Result<()> {
    every_text_arrives("us")
}

#[test]
fn the_layout_changes_in_mid_session() -> Result<()> {
    let stage = Stage::open("us")?;
    stage.type_all()?;
    for layout in ["de", "us"] {
        set_layout(&stage.display, layout)?;
        // Nothing on the page says that it has heard of it: one line may
        // still go by the old layout.
        until("the new layout being heard of", Duration::from_secs(20), || {
            stage.browser.type_at(&stage.display, 300, 500, "zebra [y]")?;
            await_last(&stage.server.folder().join("typed.txt"), "zebra [y]").map(Some)
        })?;
        stage.type_all()?;
    }
    Ok(())
}

/// A line that is slow for a moment makes a held key no longer: how often it is
/// typed is what the viewer says. The person's own keys repeat afterwards.
#[test]
fn a_key_that_stays_down_is_typed_as_often_as_the_viewer_says() -> Result<()> {
    let stage = Stage::open("us")?;
    let typed = stage.server.folder().join("typed.txt");
    let key = |what: &str, key: &str| stage.browser.run(what, json!({ "key": key })).map(drop);
    stage.display.await_focus(300, 500)?;
    // Twice as long as the display waits before it repeats.
    for (repeats, line) in [(0, "K"), (3, "KKKK")] {
        key("down", "ShiftLeft")?;
        (0..=repeats).try_for_each(|_| key("down", "KeyK"))?;
        std::thread::sleep(Duration::from_millis(1300));
        key("up", "KeyK")?;
        key("up", "ShiftLeft")?;
        key("press", "Enter")?;
        await_last(&typed, line)?;
    }
    await_down(&stage.display, &[], KeyButMask::default())?;
    let own = Hand(&stage.display);
    own.hold("k", Duration::from_millis(1300))?;
    own.key("Return")?;
    until("what the person's own key typed", Duration::from_secs(10), || {
        let text = std::fs::read_to_string(&typed)?;
        let last = text.lines().last().unwrap_or_default();
        ensure!(last.len() > 1 && last.chars().all(|typed| typed == 'k'), "typed {last:?}");
        Ok(Some(()))
    })
}

#[test]
fn nothing_stays_down() -> Result<()> {
    // Left Shift, left Ctrl, the letter K, the left button.
    let (held, button) = ([37, 45, 50], KeyButMask::BUTTON1 | KeyButMask::SHIFT | KeyButMask::CONTROL);
    type Way = fn(&mut Stage) -> Result<()>;
    let ways: [(&str, Way); 4] = [
        ("let go", |stage| {
            stage.browser.run("canvas_up", json!({}))?;
            for key in ["KeyK", "ShiftLeft", "ControlLeft"] {
                stage.browser.run("up", json!({ "key": key }))?;
            }
            Ok(())
        }),
        ("another took over", |stage| {
            stage.browser.run("show_tab", json!({ "index": 1 }))?;
            stage.browser.run("click_button", json!({ "name": "Take over from Ada Lovelace" })).map(drop)
        }),
        ("closed the tab", |stage| stage.browser.run("close_tab", json!({})).map(drop)),
        ("the browser died", |stage| stage.browser.child().kill()),
    ];
    for (name, way) in ways {
        let mut stage = Stage::open("us")?;
        // A second viewer stays when the first is gone.
        let url = stage.browser.run("url", json!({}))?;
        stage.browser.run("new_tab", json!({ "url": url }))?;
        stage.browser.await_picture()?;
        stage.browser.run("show_tab", json!({ "index": 0 }))?;
        stage.browser.run("canvas_move", json!({ "x": 900, "y": 300 }))?;
        stage.browser.run("canvas_down", json!({}))?;
        for key in ["ControlLeft", "ShiftLeft", "KeyK"] {
            stage.browser.run("down", json!({ "key": key }))?;
        }
        await_down(&stage.display, &held, button).with_context(|| format!("{name}: before"))?;
        way(&mut stage)?;
        await_down(&stage.display, &[], KeyButMask::default()).with_context(|| name)?;
    }
    Ok(())
}
