//! Key combinations that a keyboard often cannot send itself.

use crate::table::{Key, by_code};

/// A combination by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Special {
    /// Ctrl+Alt+Del.
    CtrlAltDel,
    /// Lock the screen.
    Lock,
    /// The Windows key alone.
    Win,
    /// The run box.
    WinR,
    /// Switch window.
    AltTab,
    /// Print Screen.
    PrintScreen,
    /// Ctrl+Esc.
    CtrlEsc,
    /// Alt+F4.
    AltF4,
}

impl Special {
    /// The keys, in the order in which they go down; they come up in reverse.
    #[must_use]
    pub fn keys(self) -> Vec<&'static Key> {
        let codes: &[&str] = match self {
            Self::CtrlAltDel => &["ControlLeft", "AltLeft", "Delete"],
            Self::Lock => &["MetaLeft", "KeyL"],
            Self::Win => &["MetaLeft"],
            Self::WinR => &["MetaLeft", "KeyR"],
            Self::AltTab => &["AltLeft", "Tab"],
            Self::PrintScreen => &["PrintScreen"],
            Self::CtrlEsc => &["ControlLeft", "Escape"],
            Self::AltF4 => &["AltLeft", "F4"],
        };
        codes.iter().filter_map(|code| by_code(code)).collect()
    }
}
