//! The eight bytes before every message on the agent's leg.

use bytes::Bytes;

use crate::envelope::{EnvelopeError, RawEnvelope, encode_after};
use crate::generated::envelope::Body;

/// Length of the header in bytes.
pub const LENGTH: usize = 8;

/// The peer number of the relay itself.
pub const RELAY: u32 = 0;

/// Set in peer numbers that name a stream rather than a viewer.
pub const STREAM_BIT: u32 = 0x8000_0000;

/// The slot of the connection itself, before and beside its sessions.
pub const CONNECTION_SLOT: u32 = 0;

/// Which session and which peer a message belongs to, both big-endian.
///
/// Towards the agent `peer` is the viewer that sent it (or [`RELAY`]); from the
/// agent it is the stream or viewer that the message is for (or [`RELAY`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AgentHeader {
    /// The session's slot on this connection.
    pub slot: u32,
    /// The relay, a viewer, or a stream.
    pub peer: u32,
}

impl AgentHeader {
    /// A header for `peer` in `slot`.
    #[must_use]
    pub const fn new(slot: u32, peer: u32) -> Self {
        Self { slot, peer }
    }

    /// The header for messages of the connection itself.
    #[must_use]
    pub const fn connection() -> Self {
        Self::new(CONNECTION_SLOT, RELAY)
    }

    /// The header on the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; LENGTH] {
        let [a, b, c, d] = self.slot.to_be_bytes();
        let [e, f, g, h] = self.peer.to_be_bytes();
        [a, b, c, d, e, f, g, h]
    }

    /// Whether the peer is a stream.
    #[must_use]
    pub const fn is_stream(self) -> bool {
        self.peer & STREAM_BIT != 0
    }
}

/// The message for one body, behind the header.
#[must_use]
pub fn encode_framed(header: AgentHeader, body: impl Into<Body>) -> Bytes {
    encode_after(&header.to_bytes(), body)
}

/// Split one message of the agent's leg into its header and envelope.
///
/// # Errors
/// [`EnvelopeError::Empty`] when it is shorter than a header, else what the
/// envelope's check says.
pub fn split(mut message: Bytes) -> Result<(AgentHeader, RawEnvelope), EnvelopeError> {
    let Some((header, _)) = message.split_first_chunk::<LENGTH>() else {
        return Err(EnvelopeError::Empty);
    };
    let [a, b, c, d, e, f, g, h] = *header;
    let header = AgentHeader::new(u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
    let envelope = RawEnvelope::parse(message.split_off(LENGTH))?;
    Ok((header, envelope))
}
