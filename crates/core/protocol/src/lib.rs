//! The wire contract: message types, the strict envelope, the agent leg's
//! routing header, who may send what, limits, versions and endings.
//!
//! Architectural invariant: no I/O here, and no other crate names the protobuf
//! library. What this crate lets through is what every endpoint decodes.

#[expect(clippy::all, reason = "generated")]
mod generated {
    include!("generated/guruconnect.v2.rs");
}

pub mod endings;
pub mod envelope;
pub mod header;
pub mod identity;
pub mod limits;
pub mod parts;
pub mod routing;
mod varint;

/// Every message of the schema, as generated.
pub mod messages {
    pub use crate::generated::envelope::Body;
    pub use crate::generated::*;
}

pub use endings::Ending;
pub use envelope::{EnvelopeError, RawEnvelope, decode, encode};
pub use header::{AgentHeader, encode_framed};
pub use routing::{Destination, Refusal, Sender, route};
