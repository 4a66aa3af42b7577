//! The agent's side of a session. It trusts the relay no more than needed:
//! what the person answered is remembered here, and input is refused here too.

use std::collections::BTreeMap;

use gc_access::Access;
use gc_keys::{Button, HeldInput, Key, Release, by_scan_code, special::Special};
use gc_protocol::messages::{Body, MouseButton, SpecialKeyKind};
use gc_protocol::{Sender, limits, routing};

use crate::from_mode;

/// What the desktop has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Injection {
    /// Put the pointer there, in the display's pixels.
    Move {
        /// The display.
        display: u32,
        /// From its left edge.
        x: i32,
        /// From its top edge.
        y: i32,
    },
    /// Press or release a button.
    Button(Button, bool),
    /// Turn the wheel; 120 is a notch.
    Wheel {
        /// To the right.
        x: i32,
        /// Upwards.
        y: i32,
    },
    /// Press or release a key.
    Key(&'static Key, bool),
    /// Let the next key mean what it means with Caps Lock on, or off.
    CapsLock(bool),
    /// Type characters.
    Text(String),
    /// The secure attention sequence.
    SecureAttention,
    /// Let go of what is held.
    Release(Release),
}

/// The bit of `KeyEvent.modifiers` that says that Caps Lock is on.
const CAPS_LOCK: u32 = 16;

/// Why input is not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputRefusal {
    /// This viewer may only look.
    NotAllowed,
    /// Not something that can be injected.
    Malformed,
}

/// Somebody who is in the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Shown to the person.
    pub name: String,
    /// What they may do.
    pub access: Access,
}

/// One session, as the agent sees it.
#[derive(Debug, Default)]
pub struct AgentSession {
    accepted: Option<Access>,
    viewers: BTreeMap<u32, Present>,
    held: HeldInput,
}

impl AgentSession {
    /// What the person accepted.
    #[must_use]
    pub fn accepted(&self) -> Option<Access> {
        self.accepted
    }

    /// The person answered yes to this much. What holds by now.
    pub fn accept(&mut self, access: Access) -> Access {
        *self.accepted.insert(self.accepted.map_or(access, |before| before.max(access)))
    }

    /// Back on a new line: the lesser of what both sides remember holds, and
    /// nothing where one remembers nothing.
    pub fn lower(&mut self, remembered: Option<Access>) -> Option<Access> {
        self.accepted = self.accepted.zip(remembered).map(|(ours, theirs)| ours.min(theirs));
        self.accepted
    }

    /// Who is there.
    #[must_use]
    pub fn viewers(&self) -> &BTreeMap<u32, Present> {
        &self.viewers
    }

    /// Somebody joined; `false` when there was no consent for anybody.
    pub fn viewer_joined(&mut self, viewer: u32, name: &str, mode: i32) -> bool {
        let (Some(ceiling), Some(mode)) = (self.accepted, from_mode(mode)) else { return false };
        if self.viewers.len() >= crate::relay::MOST_VIEWERS * 2 {
            return false;
        }
        let name = limits::displayable(name, limits::NAME);
        self.viewers.insert(viewer, Present { name, access: mode.min(ceiling) });
        true
    }

    /// Somebody left: what they held comes up.
    pub fn viewer_left(&mut self, viewer: u32) -> Vec<Injection> {
        self.viewers.remove(&viewer);
        releases(self.held.release_viewer(viewer))
    }

    /// The line is silent or lost: everything comes up, and on loss nobody is
    /// there any more.
    pub fn release_all(&mut self) -> Vec<Injection> {
        releases(self.held.release_all())
    }

    /// The line to the relay is lost.
    pub fn disconnected(&mut self) -> Vec<Injection> {
        self.viewers.clear();
        self.release_all()
    }

    /// Whether a message of this kind from this viewer may be carried out.
    #[must_use]
    pub fn may(&self, viewer: u32, field: u32) -> bool {
        let Some(present) = self.viewers.get(&viewer) else { return false };
        let sender = match present.access {
            Access::ViewOnly => Sender::ViewOnlyViewer,
            Access::Control => Sender::ControlViewer,
        };
        routing::route(field, sender).is_ok()
    }

    /// What one input message does.
    ///
    /// # Errors
    /// [`InputRefusal`] when it may or can not be carried out.
    pub fn input(&mut self, viewer: u32, body: &Body) -> Result<Vec<Injection>, InputRefusal> {
        let controls = self.viewers.get(&viewer).is_some_and(|present| present.access == Access::Control);
        if !controls {
            return Err(InputRefusal::NotAllowed);
        }
        match body {
            Body::PointerMove(to) => Ok(vec![Injection::Move { display: to.display_id, x: to.x, y: to.y }]),
            Body::PointerButton(event) => {
                let button = button(event.button()).ok_or(InputRefusal::Malformed)?;
                let mut out = vec![Injection::Move { display: event.display_id, x: event.x, y: event.y }];
                if self.hold(viewer, Release::Button(button), event.down) {
                    out.push(Injection::Button(button, event.down));
                }
                Ok(out)
            }
            Body::PointerWheel(event) => {
                let most = 120 * 20;
                Ok(vec![
                    Injection::Move { display: event.display_id, x: event.x, y: event.y },
                    Injection::Wheel { x: event.delta_x.clamp(-most, most), y: event.delta_y.clamp(-most, most) },
                ])
            }
            Body::KeyEvent(event) => {
                let key = by_scan_code(event.scan_code, event.is_extended).ok_or(InputRefusal::Malformed)?;
                let what = Release::Key { scan_code: event.scan_code, extended: event.is_extended };
                let pass = self.hold(viewer, what, event.down);
                // What the viewer's Caps Lock says is what its letters mean.
                let locks = event.down && key.code != "CapsLock";
                let lock = locks.then_some(Injection::CapsLock(event.modifiers & CAPS_LOCK != 0));
                let press = Injection::Key(key, event.down);
                Ok(if pass { lock.into_iter().chain([press]).collect() } else { Vec::new() })
            }
            Body::TextInput(event) => {
                let fits = !event.text.is_empty() && event.text.len() <= limits::TEXT_INPUT;
                let plain = !event.text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t'));
                if !fits || !plain {
                    return Err(InputRefusal::Malformed);
                }
                // What is held would turn characters into shortcuts: it is
                // lifted while they are typed.
                let held = self.held.modifiers(viewer);
                let up = held.iter().map(|key| Injection::Key(key, false));
                let down = held.iter().map(|key| Injection::Key(key, true));
                Ok(up.chain([Injection::Text(event.text.clone())]).chain(down).collect())
            }
            Body::SpecialKey(event) => special(event.kind()).ok_or(InputRefusal::Malformed),
            Body::InputReset(_) => Ok(releases(self.held.release_viewer(viewer))),
            _ => Err(InputRefusal::Malformed),
        }
    }

    fn hold(&mut self, viewer: u32, what: Release, down: bool) -> bool {
        if down { self.held.press(viewer, what) } else { self.held.release(viewer, what) }
    }
}

/// The sequence number of an input message; 0 for anything else.
#[must_use]
pub fn sequence(body: &Body) -> u32 {
    match body {
        Body::PointerMove(event) => event.seq,
        Body::PointerButton(event) => event.seq,
        Body::PointerWheel(event) => event.seq,
        Body::KeyEvent(event) => event.seq,
        Body::TextInput(event) => event.seq,
        Body::SpecialKey(event) => event.seq,
        Body::InputReset(event) => event.seq,
        _ => 0,
    }
}

fn releases(held: Vec<Release>) -> Vec<Injection> {
    held.into_iter().map(Injection::Release).collect()
}

fn button(button: MouseButton) -> Option<Button> {
    match button {
        MouseButton::Unspecified => None,
        MouseButton::Left => Some(Button::Left),
        MouseButton::Right => Some(Button::Right),
        MouseButton::Middle => Some(Button::Middle),
        MouseButton::Back => Some(Button::Back),
        MouseButton::Forward => Some(Button::Forward),
    }
}

fn special(kind: SpecialKeyKind) -> Option<Vec<Injection>> {
    let special = match kind {
        SpecialKeyKind::SpecialKeyUnspecified => return None,
        SpecialKeyKind::SpecialKeyCtrlAltDel => return Some(vec![Injection::SecureAttention]),
        SpecialKeyKind::SpecialKeyLock => Special::Lock,
        SpecialKeyKind::SpecialKeyWin => Special::Win,
        SpecialKeyKind::SpecialKeyWinR => Special::WinR,
        SpecialKeyKind::SpecialKeyAltTab => Special::AltTab,
        SpecialKeyKind::SpecialKeyPrintScreen => Special::PrintScreen,
        SpecialKeyKind::SpecialKeyCtrlEsc => Special::CtrlEsc,
        SpecialKeyKind::SpecialKeyAltF4 => Special::AltF4,
    };
    let keys = special.keys();
    let down = keys.iter().map(|key| Injection::Key(key, true));
    let up = keys.iter().rev().map(|key| Injection::Key(key, false));
    Some(down.chain(up).collect())
}

#[cfg(test)]
mod tests {
    use gc_protocol::messages::{AccessMode, InputReset, KeyEvent, PointerMove, TextInput};

    use super::*;

    fn session(accepted: Access, mode: AccessMode) -> AgentSession {
        let mut session = AgentSession::default();
        assert_eq!(session.accept(accepted), accepted);
        assert!(session.viewer_joined(1, "Ada", mode.into()));
        session
    }

    fn key(down: bool) -> Body {
        KeyEvent { scan_code: 30, down, ..Default::default() }.into()
    }

    #[test]
    fn a_watcher_is_refused_here_too() {
        let all: [Body; 4] = [
            key(true),
            PointerMove::default().into(),
            TextInput { text: "x".into(), seq: 0 }.into(),
            InputReset::default().into(),
        ];
        for (accepted, mode) in [
            (Access::Control, AccessMode::AccessViewOnly),
            // A relay that lies about the mode does not pass the person's answer.
            (Access::ViewOnly, AccessMode::AccessControl),
        ] {
            let mut session = session(accepted, mode);
            for body in &all {
                assert_eq!(session.input(1, body), Err(InputRefusal::NotAllowed), "{body:?}");
            }
        }
        // Somebody who never joined.
        let mut session = session(Access::Control, AccessMode::AccessControl);
        assert_eq!(session.input(2, &key(true)), Err(InputRefusal::NotAllowed));
    }

    #[test]
    fn nobody_joins_without_consent() {
        assert!(!AgentSession::default().viewer_joined(1, "Ada", AccessMode::AccessViewOnly.into()));
    }

    #[test]
    fn every_way_out_releases() {
        type WayOut = fn(&mut AgentSession) -> Vec<Injection>;
        let ways: [WayOut; 4] = [
            |session| session.viewer_left(1),
            AgentSession::disconnected,
            AgentSession::release_all,
            |session| session.input(1, &InputReset::default().into()).unwrap(),
        ];
        for way in ways {
            let mut session = session(Access::Control, AccessMode::AccessControl);
            assert_eq!(
                session.input(1, &key(true)).unwrap().last(),
                Some(&Injection::Key(by_scan_code(30, false).unwrap(), true))
            );
            let released = way(&mut session);
            assert_eq!(released, [Injection::Release(Release::Key { scan_code: 30, extended: false })]);
        }
    }

    #[test]
    fn the_lesser_memory_holds() {
        use Access::{Control, ViewOnly};
        for (ours, theirs, expected) in [
            (Some(Control), Some(ViewOnly), Some(ViewOnly)),
            (Some(ViewOnly), Some(Control), Some(ViewOnly)),
            (Some(Control), None, None),
            (None, Some(Control), None),
        ] {
            let mut session = AgentSession { accepted: ours, ..Default::default() };
            assert_eq!(session.lower(theirs), expected, "{ours:?} {theirs:?}");
            assert_eq!(session.accepted(), expected);
        }
    }

    #[test]
    fn characters_are_typed_without_what_is_held() {
        let mut session = session(Access::Control, AccessMode::AccessControl);
        let shift = KeyEvent { scan_code: 0x2a, down: true, ..Default::default() };
        session.input(1, &shift.into()).unwrap();
        session.input(1, &key(true)).unwrap();
        let typed = session.input(1, &TextInput { text: "/".into(), seq: 0 }.into()).unwrap();
        let shift = by_scan_code(0x2a, false).unwrap();
        let expected = [Injection::Key(shift, false), Injection::Text("/".into()), Injection::Key(shift, true)];
        assert_eq!(typed, expected);
    }

    #[test]
    fn hostile_input() {
        let mut session = session(Access::Control, AccessMode::AccessControl);
        let long = "x".repeat(limits::TEXT_INPUT + 1);
        for body in [
            KeyEvent { scan_code: 9999, down: true, ..Default::default() }.into(),
            Body::from(TextInput { text: long, seq: 0 }),
            TextInput { text: "\u{1b}[2J".into(), seq: 0 }.into(),
        ] {
            assert_eq!(session.input(1, &body), Err(InputRefusal::Malformed));
        }
    }

    #[test]
    fn a_repeat_means_what_caps_lock_says_too() {
        let mut session = session(Access::Control, AccessMode::AccessControl);
        for repeat in [false, true] {
            let press = KeyEvent { scan_code: 30, down: true, repeat, modifiers: CAPS_LOCK, ..Default::default() };
            let injected = session.input(1, &press.into()).unwrap();
            assert_eq!(injected.first(), Some(&Injection::CapsLock(true)), "{repeat}");
        }
    }
}
