//! The session machines: the relay's, the agent's and the viewer's.
//!
//! Architectural invariant: machines take events and give actions. They know
//! no socket, no clock and no database; time is handed in as the duration
//! since some fixed start.

pub mod agent;
pub mod relay;
pub mod throttle;
pub mod viewer;

pub use relay::{Action, EndReason, Phase, RelaySession};

use gc_access::Access;
use gc_protocol::messages::AccessMode;

/// The wire's word for an access.
#[must_use]
pub const fn to_mode(access: Access) -> AccessMode {
    match access {
        Access::ViewOnly => AccessMode::AccessViewOnly,
        Access::Control => AccessMode::AccessControl,
    }
}

/// The access for the wire's word; anything else is none.
#[must_use]
pub fn from_mode(mode: i32) -> Option<Access> {
    match AccessMode::try_from(mode) {
        Ok(AccessMode::AccessViewOnly) => Some(Access::ViewOnly),
        Ok(AccessMode::AccessControl) => Some(Access::Control),
        _ => None,
    }
}
