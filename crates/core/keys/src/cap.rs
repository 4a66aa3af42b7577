//! What a key types in the layout that is in force.

/// One key's characters; none where it types nothing, or a dead key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyCap {
    /// Set 1 scan code; keys that type characters have no prefix.
    pub scan_code: u16,
    /// Alone, with Shift, with AltGr, with AltGr and Shift.
    pub types: [Option<char>; 4],
}

impl KeyCap {
    /// Whether it types anything.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.types.iter().all(Option::is_none)
    }
}
