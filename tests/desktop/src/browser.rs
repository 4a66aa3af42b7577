//! A real browser, driven through a small program beside this crate.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Child, Display, Picture, Technician, repository};

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    lines: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
    child: Child,
    folder: TempDir,
}

impl Browser {
    /// Start one with a fresh profile.
    ///
    /// # Errors
    /// When Node, Playwright or Chromium are missing.
    pub fn start() -> Result<Self> {
        Self::start_as(&json!({}))
    }

    /// Start one on a device of another kind: its `viewport`, `userAgent`,
    /// `hasTouch` and the like.
    ///
    /// # Errors
    /// When Node, Playwright or Chromium are missing.
    pub fn start_as(device: &Value) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let node = std::env::var_os("GC_NODE").map_or_else(|| PathBuf::from("node"), PathBuf::from);
        let mut command = Command::new(node);
        if let Some(console) = gc_record::output(gc_record::Output::Browser) {
            command.env("GC_CONSOLE", console);
        }
        let mut child = Child::spawn(
            command
                .arg(repository().join("tests/desktop/browser/driver.mjs"))
                .env("GC_WEB", repository().join("web"))
                .env("GC_DEVICE", device.to_string())
                .env("GC_PROFILE", folder.path().join("profile"))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped()),
        )?;
        let input = child.inner().stdin.take().context("the driver has no input")?;
        let output = child.inner().stdout.take().context("the driver has no output")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line)?;
        anyhow::ensure!(line.contains("ready"), "the browser did not start");
        Ok(Self { lines: RefCell::new((input, output)), child, folder })
    }

    /// Carry out one command of the driver.
    ///
    /// # Errors
    /// When it fails, with what the page said.
    pub fn run(&self, command: &str, mut rest: Value) -> Result<Value> {
        rest["command"] = command.into();
        let mut lines = self.lines.borrow_mut();
        writeln!(lines.0, "{rest}")?;
        let mut line = String::new();
        lines.1.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line).context("the browser is gone")?;
        note(&answer["heard"]);
        match answer.get("ok") {
            Some(ok) => Ok(ok.clone()),
            None => bail!("{command} {rest}: {} {}", answer["error"], answer["console"]),
        }
    }

    /// Log in by the page.
    ///
    /// # Errors
    /// When the page does not let us in.
    pub fn login(&self, url: &str, who: &Technician) -> Result<()> {
        self.run("goto", json!({ "url": format!("{url}/login") }))?;
        self.run("fill", json!({ "label": "User name", "text": who.username }))?;
        self.run("fill", json!({ "label": "Password", "text": who.password }))?;
        self.run("click_button", json!({ "name": "Log in" }))?;
        self.run("wait_text", json!({ "text": "Nobody is connected" }))?;
        Ok(())
    }

    /// Create a code by the page and read it from its card.
    ///
    /// # Errors
    /// When there is none.
    pub fn new_code(&self, view_only: bool) -> Result<String> {
        let name = if view_only { "New code to view only" } else { "New support code" };
        self.run("click_button", json!({ "name": name }))?;
        self.run("wait_selector", json!({ "selector": "[data-testid=code]" }))?;
        let code = self.run("text", json!({ "selector": "[data-testid=code]" }))?;
        code.as_str().map(str::to_owned).context("no code on the page")
    }

    /// Open the session whose card says that it is live.
    ///
    /// # Errors
    /// When no picture comes.
    pub fn open_session(&self) -> Result<()> {
        self.run("click_link", json!({ "name": "Open session" }))?;
        self.await_picture()
    }

    /// Wait until nothing covers the remote screen.
    ///
    /// # Errors
    /// When no picture comes.
    pub fn await_picture(&self) -> Result<()> {
        self.run("wait_selector", json!({ "selector": "#screen" }))?;
        self.run("wait_gone", json!({ "selector": ".curtain" }))?;
        Ok(())
    }

    /// The canvas, pixel by pixel.
    ///
    /// # Errors
    /// When there is none.
    pub fn canvas(&self) -> Result<Picture> {
        let path = self.folder.path().join("canvas.rgba");
        let size = self.run("pixels", json!({ "path": path }))?;
        let edge = |key: &str| size[key].as_u64().and_then(|edge| usize::try_from(edge).ok()).context("no size");
        Picture::of_canvas(&path, edge("width")?, edge("height")?)
    }

    /// Wait until the canvas is exactly what this says, and say what it is.
    ///
    /// # Errors
    /// When it does not become so.
    pub fn await_canvas(&self, expected: impl Fn() -> Result<Picture>) -> Result<Picture> {
        crate::until("the canvas being the display's picture", std::time::Duration::from_secs(20), || {
            let (canvas, expected) = (self.canvas()?, expected()?);
            let difference = canvas.difference(&expected);
            if let (1.., Some(folder)) = (difference, std::env::var_os("GC_SHOTS")) {
                canvas.write_png(&Path::new(&folder).join("canvas.png"))?;
                expected.write_png(&Path::new(&folder).join("display.png"))?;
            }
            anyhow::ensure!(
                difference == 0,
                "{difference} pixels differ; canvas {}x{}, display {}x{}",
                canvas.width,
                canvas.height,
                expected.width,
                expected.height
            );
            Ok(Some(canvas))
        })
    }

    /// Click on the remote screen, where one canvas pixel is one of the display,
    /// and type there as a hand does, Enter at the end.
    ///
    /// # Errors
    /// When the page refuses, or the click does not bring the focus.
    pub fn type_at(&self, display: &Display, x: i16, y: i16, line: &str) -> Result<()> {
        self.type_at_part(display, (0, 0), x, y, line)
    }

    /// The same where the canvas shows a part of the display.
    ///
    /// # Errors
    /// When the page refuses, or the click does not bring the focus.
    pub fn type_at_part(&self, display: &Display, origin: (i16, i16), x: i16, y: i16, line: &str) -> Result<()> {
        self.run("canvas_click", json!({ "x": x, "y": y }))?;
        // The window manager gives the focus in its own time.
        display.await_focus(origin.0 + x, origin.1 + y)?;
        self.run("hand_type", json!({ "text": format!("{line}\n") }))?;
        Ok(())
    }

    /// What the viewer's statistics say.
    ///
    /// # Errors
    /// When the page shows none.
    pub fn statistics(&self) -> Result<String> {
        self.open_picture_menu()?;
        let said = self.run("text", json!({ "selector": ".panel dl" }))?;
        said.as_str().map(str::to_owned).context("no statistics")
    }

    /// Wait until they say this.
    ///
    /// # Errors
    /// When they do not.
    pub fn await_statistics(&self, words: &str) -> Result<()> {
        crate::until(words, std::time::Duration::from_secs(40), || {
            let said = self.statistics()?;
            anyhow::ensure!(said.contains(words), "the statistics say {said}");
            Ok(Some(()))
        })
    }

    /// Choose how pictures are wanted, by the words of the page.
    ///
    /// # Errors
    /// When there is no such choice.
    pub fn choose_quality(&self, option: &str) -> Result<()> {
        self.open_picture_menu()?;
        let selector = ".panel label:has-text('Quality') select";
        self.run("choose", json!({ "selector": selector, "option": option })).map(drop)
    }

    /// It closes by itself when the focus goes elsewhere.
    fn open_picture_menu(&self) -> Result<()> {
        let script =
            "document.querySelector(\"summary[title='Picture quality and statistics']\").parentElement.open = true";
        self.run("evaluate", json!({ "script": script })).map(drop)
    }

    /// The browser's process, for tests of its sudden end.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Save a picture of the page.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn shot(&self, path: &Path) -> Result<()> {
        self.run("shot", json!({ "path": path })).map(drop)
    }
}

/// For the search for secrets: what pages and server said to each other.
fn note(heard: &Value) {
    for call in heard.as_array().into_iter().flatten() {
        let (path, answer) = (call["path"].as_str().unwrap_or_default(), call["answer"].as_str().unwrap_or_default());
        let status = call["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(0);
        gc_record::exchange(path, call["request"].as_str(), status, answer);
        call["cookies"].as_array().into_iter().flatten().filter_map(Value::as_str).for_each(gc_record::cookie);
    }
}
