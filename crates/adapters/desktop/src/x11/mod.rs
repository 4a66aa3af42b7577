//! X11: capture by damage and shared memory, input by XTEST, dialogs of ours.

mod bell;
mod dialog;
mod events;
mod form;
mod input;
mod keyboard;
mod paint;
mod repeat;
mod screen;
mod shm;
mod silent;

use std::sync::Arc;

use x11rb::connection::{Connection as _, RequestConnection as _};
use x11rb::protocol::randr::ConnectionExt as _;
use x11rb::protocol::xproto::Window;
use x11rb::rust_connection::RustConnection;

use crate::{Desktop, DesktopError, Prompt};
pub(crate) use bell::Bell;

fn connect() -> Result<(RustConnection, usize), DesktopError> {
    if std::env::var_os("DISPLAY").is_none() {
        let wayland = std::env::var_os("WAYLAND_DISPLAY").is_some();
        return Err(DesktopError::None(if wayland {
            "This computer runs a Wayland desktop without X11: its screen cannot be captured yet.".into()
        } else {
            "There is no display on this computer.".into()
        }));
    }
    RustConnection::connect(None).map_err(|error| DesktopError::None(format!("The display cannot be opened: {error}.")))
}

/// An X server that only stands in for a Wayland desktop shows nothing of it.
fn refuse_wayland(connection: &RustConnection, root: Window) -> Result<(), DesktopError> {
    let what = "the display does not say what it is";
    let named = connection.extension_information("XWAYLAND").map_err(failed(what))?.is_some();
    let resources = connection.randr_get_screen_resources_current(root).map_err(failed(what))?;
    let resources = resources.reply().map_err(answered(what))?;
    let mut outputs = resources.outputs.iter().filter_map(|output| {
        let info = connection.randr_get_output_info(*output, resources.config_timestamp).ok()?.reply().ok()?;
        Some(String::from_utf8_lossy(&info.name).into_owned())
    });
    if named || outputs.any(|name| name.starts_with("XWAYLAND")) {
        return Err(DesktopError::None(
            "This computer runs a Wayland desktop: its screen cannot be captured yet. Ask the person to log in to an \
             X11 (“Xorg”) session."
                .into(),
        ));
    }
    Ok(())
}

fn failed(what: &str) -> impl Fn(x11rb::errors::ConnectionError) -> DesktopError + '_ {
    move |error| DesktopError::Refused(format!("{what}: {error}"))
}

fn answered(what: &str) -> impl Fn(x11rb::errors::ReplyError) -> DesktopError + '_ {
    move |error| match error {
        // A rectangle that has just left the screen, a window that went away.
        x11rb::errors::ReplyError::X11Error(_) => DesktopError::Stale,
        other => DesktopError::Refused(format!("{what}: {other}")),
    }
}

/// Open screen and input, each with a connection of its own so that neither waits
/// for the other.
pub(crate) fn open() -> Result<Desktop, DesktopError> {
    let (connection, number) = connect()?;
    let root = connection.setup().roots.get(number).map(|screen| screen.root);
    refuse_wayland(&connection, root.ok_or_else(|| DesktopError::None("The display has no screen.".into()))?)?;
    let bell = Arc::new(Bell::new()?);
    let screen = screen::X11Screen::new(connection, bell.clone(), number)?;
    let input = input::X11Input::new()?;
    Ok(Desktop { screen: Box::new(screen), input: Box::new(input), bell: crate::Bell(bell) })
}

pub(crate) fn prompt() -> Box<dyn Prompt> {
    match connect() {
        Ok(_) => Box::new(dialog::X11Prompt),
        Err(error) => Box::new(silent::Silent(error.to_string())),
    }
}

pub(crate) fn machine() -> (String, String) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let name = read("/proc/sys/kernel/hostname").trim().to_owned();
    let release = read("/etc/os-release");
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    (name, pretty.map_or_else(|| "Linux".to_owned(), |name| name.trim_matches('"').to_owned()))
}
