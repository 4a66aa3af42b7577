//! Who may do what: planes, roles and permissions, secrets, viewer claims, and
//! the decisions that follow from them.
//!
//! Architectural invariant: no I/O and no clock here. Randomness is handed in;
//! a secret cannot be printed.

pub mod decision;
pub mod role;
pub mod secret;

pub use decision::{Access, MintRefusal, SessionView, may_see, mint_access};
pub use role::{Permission, Permissions, Role};
pub use secret::{ResumeSecret, Secret, SecretHash, SupportCode};
