//! A display on which programs are recorded, and a hand that drives them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::{Child, Display, until};
use tempfile::TempDir;
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _};

use crate::stage::own;

/// Colour of the empty desktop.
const BACKGROUND: u32 = 0x0033_5566;
/// How long a program may take to show a window.
const START: Duration = Duration::from_secs(40);

/// A display, and what is to be recorded of it.
pub(super) struct Studio {
    recorder: Option<(Child, BufReader<ChildStdout>)>,
    programs: Vec<Child>,
    display: Display,
    home: TempDir,
    size: (u32, u32),
    target: (PathBuf, u32, u32),
}

impl Studio {
    pub(super) fn open(size: (u32, u32), path: &Path, frames: u32, pace: u32) -> Result<Self> {
        let display = Display::start(size.0, size.1)?;
        let target = (path.to_path_buf(), frames, pace);
        let (connection, number) = x11rb::connect(Some(display.name()))?;
        let root = connection.setup().roots.get(number).context("no screen")?.root;
        let colour = ChangeWindowAttributesAux::new().background_pixel(BACKGROUND);
        connection.change_window_attributes(root, &colour)?;
        connection.clear_area(false, root, 0, 0, 0, 0)?;
        connection.get_input_focus()?.reply()?;
        Ok(Self { recorder: None, programs: Vec::new(), display, home: tempfile::tempdir()?, size, target })
    }

    /// Width and height of the display.
    pub(super) fn size(&self) -> (u32, u32) {
        self.size
    }

    /// Write a file that programs open.
    pub(super) fn file(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.home.path().join(name);
        std::fs::write(&path, content)?;
        Ok(path)
    }

    /// A place for a file that another program writes.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Start a program; it ends with the studio.
    pub(super) fn start(&mut self, command: &str, arguments: &[&str]) -> Result<()> {
        let mut program = self.display.command(command);
        program
            .args(arguments)
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env("XDG_CONFIG_HOME", self.home.path())
            .env("GSETTINGS_BACKEND", "memory")
            .env("NO_AT_BRIDGE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.programs.push(Child::spawn(&mut program)?);
        Ok(())
    }

    /// Start a program and wait for a window of this class.
    pub(super) fn open_window(&mut self, class: &str, command: &str, arguments: &[&str]) -> Result<String> {
        let before = self.windows(class)?;
        self.start(command, arguments)?;
        until(&format!("a window of {command}"), START, || {
            Ok(self.windows(class)?.into_iter().find(|window| !before.contains(window)))
        })
    }

    /// A browser that shows these pages in all of the display, drawn.
    pub(super) fn browse(&mut self, pages: &[PathBuf]) -> Result<String> {
        let size = format!("--window-size={},{}", self.size.0, self.size.1);
        let pages: Vec<String> = pages.iter().map(|page| format!("file://{}", page.display())).collect();
        let mut arguments = vec!["--kiosk", &size];
        arguments.extend(pages.iter().map(String::as_str));
        self.browser(&arguments)
    }

    /// A browser with this page in a plain window.
    pub(super) fn browse_window(&mut self, page: &Path) -> Result<String> {
        self.browser(&["--window-size=1100,800", &format!("--app=file://{}", page.display())])
    }

    fn browser(&mut self, more: &[&str]) -> Result<String> {
        let profile = format!("--user-data-dir={}", self.path("profile").display());
        let mut arguments = vec![
            // Nothing is shown but pages of our own.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--test-type",
            "--password-store=basic",
            "--window-position=0,0",
            &profile,
        ];
        arguments.extend(more);
        let window = self.open_window("chromium", "chromium", &arguments)?;
        // Pages say by their title that everything of them is there.
        until("the pages", START, || {
            let title = self.hand(&["getwindowname", &window])?;
            Ok(title.contains("drawn").then_some(()))
        })?;
        self.rest(1500);
        Ok(window)
    }

    fn windows(&self, class: &str) -> Result<Vec<String>> {
        let found = self.hand(&["search", "--onlyvisible", "--class", class])?;
        Ok(found.split_whitespace().map(str::to_owned).collect())
    }

    /// Let `xdotool` do something; what it says.
    pub(super) fn hand(&self, arguments: &[&str]) -> Result<String> {
        let output = self.display.command("xdotool").args(arguments).stderr(Stdio::null()).output();
        Ok(String::from_utf8_lossy(&output.context("xdotool")?.stdout).trim().to_owned())
    }

    /// Put a window here and give it the keyboard.
    pub(super) fn place(&self, window: &str, [x, y, width, height]: [u32; 4]) -> Result<()> {
        let [x, y, width, height] = [x, y, width, height].map(|number| number.to_string());
        self.hand(&["windowsize", window, &width, &height])?;
        self.hand(&["windowmove", window, &x, &y])?;
        self.hand(&["windowactivate", window])?;
        self.rest(700);
        Ok(())
    }

    /// Move the pointer.
    pub(super) fn point(&self, x: i32, y: i32) -> Result<()> {
        self.hand(&["mousemove", &x.to_string(), &y.to_string()])?;
        Ok(())
    }

    /// Run a program to its end.
    pub(super) fn make(&self, command: &mut Command) -> Result<()> {
        let output = command.stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "{:?}: {}", command.get_program(), String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Programs draw when they like; nobody says when they have.
    pub(super) fn rest(&self, milliseconds: u64) {
        std::thread::sleep(Duration::from_millis(milliseconds));
    }

    /// Record, and do something again and again meanwhile: it is told how
    /// often it was done before.
    pub(super) fn record(&mut self, mut act: impl FnMut(&Self, u32) -> Result<()>) -> Result<()> {
        let (path, frames, pace) = &self.target;
        let mut command = self.display.command(own()?);
        command.arg("capture").arg(path).args([frames.to_string(), pace.to_string()]).stdout(Stdio::piped());
        let mut recorder = Child::spawn(&mut command)?;
        let mut output = BufReader::new(recorder.inner().stdout.take().context("the recorder has no output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        ensure!(line.trim() == "ready", "nothing is recorded");
        let mut step = 0;
        while recorder.ended()?.is_none() {
            act(self, step)?;
            step += 1;
        }
        self.recorder = Some((recorder, output));
        Ok(())
    }

    /// How many of the frames differed from the one before.
    pub(super) fn finish(mut self) -> Result<u32> {
        let (_, output) = self.recorder.take().context("nothing was recorded")?;
        let line = output.lines().next().context("the recorder failed")??;
        for program in &mut self.programs {
            program.kill_family()?;
        }
        Ok(line.trim().parse()?)
    }
}
