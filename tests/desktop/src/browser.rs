//! A real browser, driven through a small program beside this crate.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Child, Picture, Technician, repository};

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    lines: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
    _child: Child,
    folder: TempDir,
}

impl Browser {
    /// Start one with a fresh profile.
    ///
    /// # Errors
    /// When Node, Playwright or Chromium are missing.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let node = std::env::var_os("GC_NODE").map_or_else(|| PathBuf::from("node"), PathBuf::from);
        let mut child = Child::spawn(
            Command::new(node)
                .arg(repository().join("tests/desktop/browser/driver.mjs"))
                .env("GC_WEB", repository().join("web"))
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
        Ok(Self { lines: RefCell::new((input, output)), _child: child, folder })
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

    /// Save a picture of the page.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn shot(&self, path: &Path) -> Result<()> {
        self.run("shot", json!({ "path": path })).map(drop)
    }
}
