//! The line emulator: two network namespaces, a TUN device in each, and a
//! queue of our own between them with delay, jitter, rate, a bounded buffer
//! and loss. Each direction has its own; all can change while packets fly.
//!
//! The namespaces have no names: file descriptors hold them, so nothing is
//! left when the process goes, however it goes.

mod conditions;
mod line;
mod pump;
mod queue;
mod side;
mod tun;

pub use conditions::Conditions;
pub use line::{Direction, Line};
pub use queue::{Counters, Queue};
pub use side::Side;

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The system does not let us.
    #[error(
        "this system does not allow the line emulator ({what}: {why}); it needs root with the capabilities \
         CAP_SYS_ADMIN and CAP_NET_ADMIN, and /dev/net/tun"
    )]
    NotAllowed {
        /// What was refused.
        what: &'static str,
        /// In the system's words.
        why: std::io::Error,
    },
    /// A program that sets addresses failed.
    #[error("`ip {command}` failed: {output}")]
    Ip {
        /// Its arguments.
        command: String,
        /// What it wrote.
        output: String,
    },
    /// The system has no room.
    #[error("no thread or file to be had")]
    System(#[from] std::io::Error),
}
