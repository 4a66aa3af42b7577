//! Load: many agents and viewers that speak the real protocol to the real
//! server program, and what it costs that program.
//!
//! Everything stays on loopback; every client has an address of its own, since
//! no limit is switched off for it.

mod agent;
mod crowd;
mod figures;
mod nginx;
mod pump;
mod socket;
mod usage;
mod viewer;

pub use crowd::{Crowd, Scale};
pub use figures::{Figures, Spread};
pub use nginx::Nginx;
pub use pump::{Pumped, through_nginx, through_server};
pub use usage::Usage;
