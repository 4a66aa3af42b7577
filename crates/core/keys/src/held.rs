//! What each viewer holds down on the remote machine.

use std::collections::BTreeMap;

/// Most keys and buttons that one viewer may hold; further presses are refused.
pub const MOST_HELD: usize = 32;

/// A mouse button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Button {
    /// Left.
    Left,
    /// Right.
    Right,
    /// Middle.
    Middle,
    /// Back, the first side button.
    Back,
    /// Forward, the second side button.
    Forward,
}

/// Something that is held and has to come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Release {
    /// A key by scan code and prefix.
    Key {
        /// Set 1 scan code.
        scan_code: u32,
        /// With the E0 prefix.
        extended: bool,
    },
    /// A button.
    Button(Button),
}

/// Held keys and buttons per viewer. What two viewers hold is released when
/// the last of them lets go.
#[derive(Debug, Default)]
pub struct HeldInput {
    by_viewer: BTreeMap<u32, Vec<Release>>,
}

impl HeldInput {
    /// A viewer presses something. Whether it may be passed on.
    pub fn press(&mut self, viewer: u32, what: Release) -> bool {
        let held = self.by_viewer.entry(viewer).or_default();
        if held.contains(&what) {
            return true;
        }
        if held.len() >= MOST_HELD {
            return false;
        }
        held.push(what);
        true
    }

    /// A viewer lets something go. Whether the machine should see it: not when
    /// another viewer still holds it. What nobody holds is passed on, so that
    /// a release can never be lost.
    pub fn release(&mut self, viewer: u32, what: Release) -> bool {
        if let Some(held) = self.by_viewer.get_mut(&viewer) {
            held.retain(|other| *other != what);
        }
        !self.is_held(what)
    }

    /// A viewer is gone, or asks for a reset: what has to come up, last pressed
    /// first.
    #[must_use = "what is returned is still down on the machine"]
    pub fn release_viewer(&mut self, viewer: u32) -> Vec<Release> {
        let mut held = self.by_viewer.remove(&viewer).unwrap_or_default();
        held.reverse();
        held.retain(|what| !self.is_held(*what));
        held
    }

    /// Shift, Ctrl, Alt and the system keys that a viewer holds.
    #[must_use]
    pub fn modifiers(&self, viewer: u32) -> Vec<&'static crate::Key> {
        let held = self.by_viewer.get(&viewer).map(Vec::as_slice).unwrap_or_default();
        let keys = held.iter().filter_map(|what| match what {
            Release::Key { scan_code, extended } => crate::by_scan_code(*scan_code, *extended),
            Release::Button(_) => None,
        });
        keys.filter(|key| key.is_modifier()).collect()
    }

    /// Everybody is gone.
    #[must_use = "what is returned is still down on the machine"]
    pub fn release_all(&mut self) -> Vec<Release> {
        let viewers: Vec<u32> = self.by_viewer.keys().copied().collect();
        viewers.into_iter().flat_map(|viewer| self.release_viewer(viewer)).collect()
    }

    /// Whether anybody holds this.
    #[must_use]
    pub fn is_held(&self, what: Release) -> bool {
        self.by_viewer.values().any(|held| held.contains(&what))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: Release = Release::Key { scan_code: 30, extended: false };
    const SHIFT: Release = Release::Key { scan_code: 42, extended: false };

    #[test]
    fn last_pressed_comes_up_first() {
        let mut held = HeldInput::default();
        assert!(held.press(1, SHIFT));
        assert!(held.press(1, A));
        assert_eq!(held.release_viewer(1), [A, SHIFT]);
        assert_eq!(held.release_viewer(1), []);
    }

    #[test]
    fn held_by_two() {
        let mut held = HeldInput::default();
        assert!(held.press(1, SHIFT) && held.press(2, SHIFT));
        assert!(!held.release(1, SHIFT));
        assert_eq!(held.release_viewer(2), [SHIFT]);
    }

    #[test]
    fn bounded() {
        let mut held = HeldInput::default();
        for scan_code in 0..100 {
            held.press(1, Release::Key { scan_code, extended: false });
        }
        assert_eq!(held.release_all().len(), MOST_HELD);
    }

    proptest! {
        /// Whatever is pressed and let go by whomever, after the end nothing
        /// is down on the machine.
        #[test]
        fn nothing_stays_down(events in proptest::collection::vec((1u32..4, 0u32..6, any::<bool>()), 0..200)) {
            let mut held = HeldInput::default();
            let mut down = std::collections::BTreeSet::new();
            for (viewer, scan_code, press) in events {
                let what = Release::Key { scan_code, extended: false };
                if press {
                    if held.press(viewer, what) { down.insert(what); }
                } else if held.release(viewer, what) {
                    down.remove(&what);
                }
            }
            for what in held.release_all() { down.remove(&what); }
            prop_assert!(down.is_empty());
        }
    }
}
