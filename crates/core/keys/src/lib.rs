//! Keyboard tables and the held-key machine.
//!
//! Architectural invariant: one table maps keys in every direction. The remote
//! side owns all held-key state; whatever way a viewer goes, what it holds is
//! released.

pub mod cap;
pub mod held;
pub mod special;
pub mod table;

pub use cap::KeyCap;
pub use held::{Button, HeldInput, Release};
pub use table::{Key, by_code, by_scan_code};
