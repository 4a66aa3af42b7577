//! A person's hand on a display: finds windows by their titles, clicks, types.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::{Display, until};

/// A hand.
#[derive(Debug, Clone, Copy)]
pub struct Hand<'a>(pub &'a Display);

/// A window that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its id.
    pub id: String,
    /// Its width.
    pub width: i32,
    /// Its height.
    pub height: i32,
}

impl Hand<'_> {
    fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.0.command("xdotool").args(arguments).output().context("cannot start xdotool")?;
        ensure!(output.status.success(), "xdotool {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The window whose title contains this, if it is on the screen.
    #[must_use]
    pub fn window(&self, title: &str) -> Option<String> {
        let found = self.run(&["search", "--onlyvisible", "--name", title]).ok()?;
        found.lines().last().map(str::to_owned)
    }

    /// Wait for a window and say how large it is.
    ///
    /// # Errors
    /// When it does not come.
    pub fn await_window(&self, title: &str) -> Result<Found> {
        until(&format!("a window called {title:?}"), Duration::from_secs(25), || {
            let Some(id) = self.window(title) else { return Ok(None) };
            let text = self.run(&["getwindowgeometry", "--shell", &id])?;
            let number = |key: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(key)).context("no geometry")?;
                line.trim_start_matches('=').parse::<i32>().context("no number")
            };
            let (width, height) = (number("WIDTH")?, number("HEIGHT")?);
            Ok(Some(Found { id, width, height }))
        })
    }

    /// Wait until no such window is there.
    ///
    /// # Errors
    /// When it stays.
    pub fn await_gone(&self, title: &str) -> Result<()> {
        until(&format!("the window {title:?} going"), Duration::from_secs(15), || {
            Ok(self.window(title).is_none().then_some(()))
        })
    }

    /// Click somewhere.
    ///
    /// # Errors
    /// When the display refuses.
    pub fn click(&self, x: i32, y: i32) -> Result<()> {
        self.run(&["mousemove", &x.to_string(), &y.to_string(), "click", "1"]).map(drop)
    }

    /// Click somewhere in a window.
    ///
    /// # Errors
    /// When the display refuses.
    pub fn click_in(&self, window: &Found, x: i32, y: i32) -> Result<()> {
        // A window that the window manager still moves is clicked beside: the
        // hand waits until the pointer is where it aimed, twice in a row.
        let mut before = String::new();
        until("the pointer resting in the window", Duration::from_secs(10), || {
            self.run(&["mousemove", "--window", &window.id, &x.to_string(), &y.to_string()])?;
            let place = self.run(&["getwindowgeometry", "--shell", &window.id])?;
            let now = format!("{place}{}", self.run(&["getmouselocation", "--shell"])?);
            let rests = now == before;
            before = now;
            Ok(rests.then_some(()))
        })?;
        self.run(&["click", "1"]).map(drop)
    }

    /// Press a key by its name.
    ///
    /// # Errors
    /// When the display refuses.
    pub fn key(&self, key: &str) -> Result<()> {
        self.run(&["key", key]).map(drop)
    }

    /// Keep a key down for a while.
    ///
    /// # Errors
    /// When the display refuses.
    pub fn hold(&self, key: &str, long: Duration) -> Result<()> {
        self.run(&["keydown", key, "sleep", &long.as_secs_f32().to_string(), "keyup", key]).map(drop)
    }

    /// Type a text.
    ///
    /// # Errors
    /// When the display refuses.
    pub fn text(&self, text: &str) -> Result<()> {
        self.run(&["type", "--delay", "20", text]).map(drop)
    }

    /// Click a button of one of the agent's X11 dialogs: the `from_right`th
    /// counted from the right, beginning with 0.
    ///
    /// # Errors
    /// When the dialog does not come.
    pub fn dialog_button(&self, title: &str, from_right: i32) -> Result<()> {
        let window = self.await_window(title)?;
        self.click_in(&window, window.width - 20 - 65 - from_right * 140, window.height - 20 - 19)
    }

    /// Say yes to the question of the agent.
    ///
    /// # Errors
    /// When it is not asked.
    pub fn allow(&self) -> Result<()> {
        self.dialog_button(CONSENT, 1)?;
        self.await_gone(CONSENT)
    }

    /// Say yes to the question of the Windows agent, by its keyboard: Deny has
    /// the focus, Allow is one step back.
    ///
    /// # Errors
    /// When it is not asked.
    pub fn allow_windows(&self) -> Result<()> {
        let window = self.await_window(CONSENT)?;
        self.focus(&window)?;
        self.key("shift+Tab")?;
        self.key("space")?;
        self.await_gone(CONSENT)
    }

    /// Press a key in the window with this title.
    ///
    /// # Errors
    /// When the window does not come.
    pub fn press_in(&self, title: &str, key: &str) -> Result<()> {
        let window = self.await_window(title)?;
        self.focus(&window)?;
        self.key(key)?;
        self.await_gone(title)
    }

    /// Bring a window to the front.
    ///
    /// # Errors
    /// When the display refuses.
    pub fn focus(&self, window: &Found) -> Result<()> {
        self.run(&["windowactivate", "--sync", &window.id]).map(drop)
    }

    /// Say no to the question of the agent.
    ///
    /// # Errors
    /// When it is not asked.
    pub fn deny(&self) -> Result<()> {
        self.dialog_button(CONSENT, 0)?;
        self.await_gone(CONSENT)
    }
}

/// Title of the question.
pub const CONSENT: &str = "allow remote support";
/// Title of the notice.
pub const NOTICE: &str = "GuruConnect: remote support";
