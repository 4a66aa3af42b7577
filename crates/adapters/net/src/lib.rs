//! The client's end of a WebSocket: TLS that is always verified, the system's
//! proxy, and the pauses between attempts.
//!
//! Architectural invariant: plain `ws://` goes to loopback addresses only, and
//! no option changes that.

mod backoff;
mod connect;
mod proxy;
mod verify;

pub use backoff::Backoff;
pub use connect::{ConnectError, Socket, connect};

pub use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
