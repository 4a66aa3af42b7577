//! A virtual display with a window manager.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use x11rb::connection::Connection;
use x11rb::protocol::xproto::ConnectionExt as _;

use crate::{Child, until};

/// A display of one's own.
#[derive(Debug)]
pub struct Display {
    name: String,
    _manager: Child,
    server: Child,
    _number: Number,
    folder: TempDir,
}

/// A display's number, which is nobody else's while this lives.
#[derive(Debug)]
struct Number(u32, #[expect(dead_code, reason = "held")] File);

/// No key bindings: the window manager must not take keys away.
const MANAGER: &str = r#"<?xml version="1.0"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
  <focus><focusNew>yes</focusNew><followMouse>no</followMouse></focus>
  <keyboard><chainQuitKey>none</chainQuitKey></keyboard>
  <mouse>
    <context name="Client"><mousebind button="Left" action="Press"><action name="Focus"/><action name="Raise"/></mousebind></context>
    <context name="Titlebar"><mousebind button="Left" action="Drag"><action name="Move"/></mousebind></context>
    <context name="Close"><mousebind button="Left" action="Click"><action name="Close"/></mousebind></context>
  </mouse>
</openbox_config>
"#;

/// An X server on a number that is free. The server itself does not see others
/// in another network namespace, and would take their socket's place.
fn x_server(width: u32, height: u32) -> Result<(Child, Number)> {
    let folder = std::env::temp_dir().join("guruconnect-displays");
    std::fs::create_dir_all(&folder)?;
    for number in 100..1000 {
        let held = File::create(folder.join(number.to_string()))?;
        if held.try_lock().is_err() {
            continue;
        }
        let mut server = Child::spawn(
            Command::new("Xvfb")
                .arg(format!(":{number}"))
                .args(["-displayfd", "1", "-nolisten", "tcp", "-noreset", "-screen", "0"])
                .arg(format!("{width}x{height}x24"))
                .stdout(Stdio::piped())
                .stderr(Stdio::null()),
        )?;
        let output = server.inner().stdout.take().context("the X server has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        // Somebody else's display may have the number.
        if line.trim() == number.to_string() {
            return Ok((server, Number(number, held)));
        }
    }
    bail!("no X server starts")
}

impl Display {
    /// Start one of this size, on a number that is free.
    ///
    /// # Errors
    /// When the X server or the window manager does not start.
    pub fn start(width: u32, height: u32) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (server, number) = x_server(width, height)?;
        let name = format!(":{}", number.0);
        std::fs::write(folder.path().join("rc.xml"), MANAGER)?;
        let manager = Child::spawn(
            Command::new("openbox")
                .arg("--config-file")
                .arg(folder.path().join("rc.xml"))
                .env("DISPLAY", &name)
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )?;
        let display = Self { name, _manager: manager, server, _number: number, folder };
        until("the window manager's start", Duration::from_secs(15), || {
            let output = display.command("xprop").args(["-root", "_NET_SUPPORTING_WM_CHECK"]).output()?;
            Ok(String::from_utf8_lossy(&output.stdout).contains("window id").then_some(()))
        })?;
        Ok(display)
    }

    /// Its name, such as `:5`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A program that will run on this display.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("DISPLAY", &self.name)
            .env_remove("WAYLAND_DISPLAY")
            .env("LANG", "C.UTF-8")
            .env("LC_ALL", "C.UTF-8");
        command
    }

    /// A terminal that writes every line that is typed there to a file, and
    /// shows more than 1,000 colours.
    ///
    /// # Errors
    /// When it does not start.
    pub fn terminal(&self, file: &std::path::Path) -> Result<Child> {
        let colours = self.folder.path().join("colours.sh");
        let script = format!(
            "for g in $(seq 0 6 255); do for r in $(seq 0 6 255); do printf '\\033[48;2;%d;%d;%dm ' $r $g $(((r+g)/2)); done; \
             printf '\\033[0m\\n'; done\nprintf 'ready\\n'\ncat > '{}'\n",
            file.display()
        );
        std::fs::write(&colours, script)?;
        let child = Child::spawn(
            self.command("xterm")
                .args([
                    "-u8",
                    "-fa",
                    "DejaVu Sans Mono",
                    "-fs",
                    "9",
                    "-geometry",
                    "80x50+20+20",
                    "-title",
                    "typing",
                    "-e",
                    "bash",
                ])
                .arg(&colours)
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )?;
        until("the terminal", Duration::from_secs(15), || Ok(file.exists().then_some(())))?;
        Ok(child)
    }

    /// Wait until the window at this point has the keyboard.
    ///
    /// # Errors
    /// When another one keeps it.
    pub fn await_focus(&self, x: i16, y: i16) -> Result<()> {
        let (connection, screen) = x11rb::connect(Some(&self.name))?;
        let root = connection.setup().roots.get(screen).context("no screen")?.root;
        until(&format!("the focus at {x}, {y}"), Duration::from_secs(10), || {
            let focus = connection.get_input_focus()?.reply()?.focus;
            let at = connection.translate_coordinates(root, focus, x, y)?.reply()?;
            let size = connection.get_geometry(focus)?.reply()?;
            let within = |at: i16, length: u16| u16::try_from(at).is_ok_and(|at| at < length);
            let inside = focus != root && within(at.dst_x, size.width) && within(at.dst_y, size.height);
            Ok(inside.then_some(()))
        })
    }

    /// The X server's process.
    #[must_use]
    pub fn server_id(&self) -> u32 {
        self.server.id()
    }
}
