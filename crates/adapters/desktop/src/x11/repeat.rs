//! Keys that stay down and do not repeat by themselves: their viewer says when they
//! do. The display would repeat one whose release is late on its line, and a letter
//! would be typed over and over.
//!
//! A repeated press is a release and a press, since the display takes no second press:
//! programs that are told of repeats as such are not told of these.

use std::collections::BTreeSet;

use x11rb::connection::RequestConnection;
use x11rb::protocol::xkb::{self, ConnectionExt as _};
use x11rb::rust_connection::RustConnection;

use super::keyboard::CORE;
use super::{answered, failed};
use crate::DesktopError;

const REPEAT: xkb::BoolCtrl = xkb::BoolCtrl::REPEAT_KEYS;

/// What is down, and whether the display repeats while nothing is. It knows that of
/// all keyboards together: the person's own keys do not repeat either meanwhile.
/// Where two agents hold keys at one display, it may repeat for one of them.
#[derive(Debug)]
pub(super) struct Repeat {
    down: BTreeSet<u8>,
    /// Whether it did at the beginning; else there is nothing to turn off.
    repeats: bool,
}

impl Repeat {
    pub(super) fn open(connection: &RustConnection) -> Result<Self, DesktopError> {
        let what = "the keyboard's settings cannot be read";
        let controls = connection.xkb_get_controls(CORE).map_err(failed(what))?.reply().map_err(answered(what))?;
        let repeats = u32::from(controls.enabled_controls) & u32::from(REPEAT) != 0;
        if repeats {
            // However this connection ends. It holds for the keyboard that all others
            // are part of; for each of them the guard sees to it.
            let flag = xkb::PerClientFlag::AUTO_RESET_CONTROLS;
            connection
                .xkb_per_client_flags(CORE, flag, flag, REPEAT, REPEAT, REPEAT)
                .map_err(failed(what))?
                .reply()
                .map_err(answered(what))?;
        }
        Ok(Self { down: BTreeSet::new(), repeats })
    }

    /// Before a key goes down. `true` where it is down already.
    pub(super) fn press(&mut self, connection: &RustConnection, keycode: u8) -> Result<bool, DesktopError> {
        if self.down.is_empty() {
            self.turn(connection, false)?;
        }
        Ok(!self.down.insert(keycode))
    }

    /// After a key has come up of which whoever pressed it does not know any more, and
    /// that may be another process: the guard lets go of what an agent held.
    pub(super) fn let_go(&mut self, connection: &RustConnection, keycode: u8) -> Result<(), DesktopError> {
        if self.down.contains(&keycode) {
            return self.release(connection, keycode);
        }
        turn(connection, true)
    }

    /// Nothing more is pressed or let go.
    pub(super) fn end(&mut self, connection: &RustConnection) -> Result<(), DesktopError> {
        let held = !std::mem::take(&mut self.down).is_empty();
        if held { self.turn(connection, true) } else { Ok(()) }
    }

    /// After a key has come up.
    pub(super) fn release(&mut self, connection: &RustConnection, keycode: u8) -> Result<(), DesktopError> {
        if self.down.remove(&keycode) && self.down.is_empty() {
            self.turn(connection, true)?;
        }
        Ok(())
    }

    fn turn(&self, connection: &RustConnection, on: bool) -> Result<(), DesktopError> {
        if self.repeats { turn(connection, on) } else { Ok(()) }
    }
}

/// Of all keyboards. Nothing waits for an answer: this is in every key's way.
fn turn(connection: &RustConnection, on: bool) -> Result<(), DesktopError> {
    let turned = connection.send_trait_request_without_reply(xkb::SetControlsRequest {
        device_spec: CORE,
        // Which controls are enabled, and of those this one only.
        change_controls: xkb::Control::CONTROLS_ENABLED,
        affect_enabled_controls: REPEAT,
        enabled_controls: if on { REPEAT } else { xkb::BoolCtrl::default() },
        ..Default::default()
    });
    turned.map_err(failed("the keyboard's settings cannot be changed"))?.ignore_error();
    Ok(())
}
