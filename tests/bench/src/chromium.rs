//! From a key to its picture in Chromium, as the viewer itself measures it: from where
//! the key is handed to the line until the picture that answers it is presented. What it
//! tells each second is the middle of the last five, so there is one key in six.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::{Browser, Server};
use serde_json::{Value, json};

use crate::figures::{Rows, Samples};
use crate::latency::pause;
use crate::scene::{Motion, PROBE};
use crate::stage::Stage;

/// Keys that are pressed.
pub const KEYS: usize = 60;
/// From one key to the next: what is told of the first is over by then.
const BETWEEN: Duration = Duration::from_secs(6);
/// What opens a session in the list of them.
pub(crate) const OPEN: &str = "td.actions a.button";
/// Comes before the viewer's worker: what it tells its page every second is told to
/// whoever listens.
const OVERHEAR: &str = r#"
{
  const post = self.postMessage.bind(self), channel = new BroadcastChannel("bench");
  self.postMessage = (message, ...rest) => {
    if (message?.type === "statistics") channel.postMessage(message.latency);
    return post(message, ...rest);
  };
}
"#;
/// A script that did not come from the server as it is counts as one from far away,
/// which may not open sockets to this machine.
const LETS: &str = "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets";
/// Listens; the page keeps what it heard.
const LISTEN: &str = r#"(() => {
  globalThis.heard = [];
  new BroadcastChannel("bench").onmessage = ({ data }) => { if (data !== null) globalThis.heard.push(data); };
  return true;
})()"#;

/// One key after another, each by itself.
///
/// # Errors
/// When something does not start, or the viewer measures nothing.
pub fn run(keys: usize, rows: &mut Rows) -> Result<()> {
    let stage = Stage::open("127.0.0.1:0")?;
    let _scene = stage.play(Motion::Still)?;
    let browser = Browser::start_as(&json!({ "ignoreHTTPSErrors": true, "args": [LETS] }))?;
    browser.run("prefix", json!({ "pattern": "**/worker-*.js", "script": OVERHEAR }))?;
    log_in(&browser, &stage.server)?;
    browser.run("click_selector", json!({ "selector": OPEN }))?;
    browser.await_picture()?;
    browser.run("canvas_click", json!({ "x": PROBE.0, "y": PROBE.1 }))?;
    // What is told of the seconds before is no key's.
    std::thread::sleep(BETWEEN);
    browser.run("evaluate", json!({ "script": LISTEN }))?;
    let mut samples = Samples::default();
    for _ in 0..keys {
        browser.run("press", json!({ "key": "KeyA" }))?;
        std::thread::sleep(BETWEEN + pause());
        let heard = browser.run("evaluate", json!({ "script": "globalThis.heard.splice(0)" }))?;
        let heard = heard.as_array().context("nothing was heard")?;
        // Told several times, the same each time.
        if let Some(milliseconds) = heard.last().and_then(Value::as_f64) {
            samples.add(Duration::from_secs_f64(milliseconds / 1000.0));
        }
    }
    ensure!(samples.len() * 10 > keys * 9, "{} of {keys} keys were measured", samples.len());
    rows.add(samples.row("Chromium, a key to its picture"))
}

/// Log in by the page, where a session is live.
pub(crate) fn log_in(browser: &Browser, server: &Server) -> Result<()> {
    browser.run("goto", json!({ "url": format!("{}/login", server.url) }))?;
    browser.run("fill", json!({ "label": "User name", "text": server.admin.username }))?;
    browser.run("fill", json!({ "label": "Password", "text": server.admin.password }))?;
    browser.run("click_button", json!({ "name": "Log in" }))?;
    browser.run("wait_selector", json!({ "selector": OPEN })).map(drop)
}
