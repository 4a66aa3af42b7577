//! The strict envelope: one length-delimited field that spans the message.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message as _;

use crate::generated::{self, envelope::Body};
use crate::varint;

/// Why a message is not an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The message holds nothing.
    #[error("the message is empty")]
    Empty,
    /// A tag or length is cut short, overlong, or out of range.
    #[error("a tag or length is malformed")]
    Varint,
    /// The body is not a length-delimited field.
    #[error("the body has another wire type than length-delimited")]
    WireType,
    /// The body's length is not the rest of the message.
    #[error("the body does not span the message")]
    Span,
    /// The body's own bytes are not what its type says.
    #[error("the body does not decode")]
    Body,
}

/// An envelope whose outside was checked and whose body was not opened.
#[derive(Debug, Clone)]
pub struct RawEnvelope {
    field: u32,
    bytes: Bytes,
}

impl RawEnvelope {
    /// Check the outside of `bytes`.
    ///
    /// # Errors
    /// Anything but exactly one length-delimited field that spans the message.
    pub fn parse(bytes: Bytes) -> Result<Self, EnvelopeError> {
        let field = check(&bytes)?;
        Ok(Self { field, bytes })
    }

    /// The body's field number.
    #[must_use]
    pub fn field(&self) -> u32 {
        self.field
    }

    /// The message as it came, to be forwarded untouched.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Decode the body; `None` where this version does not know it.
    ///
    /// # Errors
    /// [`EnvelopeError::Body`] when the body's bytes are malformed.
    pub fn decode(&self) -> Result<Option<Body>, EnvelopeError> {
        generated::Envelope::decode(self.bytes.clone()).map(|envelope| envelope.body).map_err(|_| EnvelopeError::Body)
    }
}

fn check(bytes: &[u8]) -> Result<u32, EnvelopeError> {
    if bytes.is_empty() {
        return Err(EnvelopeError::Empty);
    }
    let (tag, tag_length) = varint::read(bytes).ok_or(EnvelopeError::Varint)?;
    let field = u32::try_from(tag >> 3).map_err(|_| EnvelopeError::Varint)?;
    if field == 0 || field > 536_870_911 {
        return Err(EnvelopeError::Varint);
    }
    if tag & 7 != 2 {
        return Err(EnvelopeError::WireType);
    }
    let rest = bytes.get(tag_length..).unwrap_or_default();
    let (length, length_length) = varint::read(rest).ok_or(EnvelopeError::Varint)?;
    let body = rest.len() - length_length;
    if usize::try_from(length) != Ok(body) {
        return Err(EnvelopeError::Span);
    }
    Ok(field)
}

/// Check and decode one message. `None` where the body is unknown here.
///
/// # Errors
/// See [`EnvelopeError`].
pub fn decode(bytes: Bytes) -> Result<Option<Body>, EnvelopeError> {
    RawEnvelope::parse(bytes)?.decode()
}

/// The message for one body.
#[must_use]
pub fn encode(body: impl Into<Body>) -> Bytes {
    encode_after(&[], body)
}

/// The message for one body, behind bytes that are no part of it.
#[must_use]
pub(crate) fn encode_after(prefix: &[u8], body: impl Into<Body>) -> Bytes {
    let envelope = generated::Envelope { body: Some(body.into()) };
    let mut bytes = BytesMut::with_capacity(prefix.len() + envelope.encoded_len());
    bytes.put_slice(prefix);
    // A buffer that grows takes everything in.
    let _: Result<(), prost::EncodeError> = envelope.encode(&mut bytes);
    bytes.freeze()
}

macro_rules! bodies {
    ($($variant:ident),* $(,)?) => {$(
        impl From<generated::$variant> for Body {
            fn from(message: generated::$variant) -> Self {
                Self::$variant(message)
            }
        }
    )*};
}

bodies!(
    VideoFrame,
    FrameAck,
    PointerMove,
    PointerButton,
    PointerWheel,
    KeyEvent,
    TextInput,
    CursorPosition,
    Heartbeat,
    HeartbeatAck,
    FileChunk,
    FileTransferAck,
    ClipboardData,
    TerminalData,
    InputReset,
    CursorShape,
    KeyboardLayout,
    RefreshRequest,
    SpecialKey,
    AgentHello,
    AgentWelcome,
    ViewerHello,
    ViewerWelcome,
    AgentStatus,
    StartStream,
    StopStream,
    SessionResponse,
    ViewerJoined,
    ViewerLeft,
    SwitchDisplay,
    QualitySettings,
    Disconnect,
    AdminCommand,
    UpdateStatus,
    Chat,
    StreamAssign,
    ControlRequest,
    ControlState,
    SessionNotice,
    ClipboardOffer,
    ClipboardRequest,
    ViewerStatistics,
    FileOfferStart,
    FileOfferComplete,
    FileTransferCancel,
    DragEnter,
    DragDrop,
    TerminalOpen,
    TerminalResize,
    TerminalClosed,
    ConsentRequest,
    ConsentResponse,
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::messages::{Chat, InputReset, KeyEvent};

    fn check(bytes: &[u8], expected: Result<u32, EnvelopeError>) {
        let got = RawEnvelope::parse(Bytes::copy_from_slice(bytes)).map(|raw| raw.field());
        assert_eq!(got, expected, "{bytes:02x?}");
    }

    #[test]
    fn tricks_are_refused() {
        let key = encode(KeyEvent { scan_code: 30, down: true, ..Default::default() });
        let chat = encode(Chat { text: "hello".into(), ..Default::default() });
        check(&key, Ok(6));
        check(&chat, Ok(35));
        check(&[], Err(EnvelopeError::Empty));
        // A second field behind an allowed one.
        check(&[&chat[..], &key[..]].concat(), Err(EnvelopeError::Span));
        // Trailing bytes, and a body that is cut short.
        check(&[&chat[..], &[0]].concat(), Err(EnvelopeError::Span));
        check(&chat[..chat.len() - 1], Err(EnvelopeError::Span));
        // Other wire types: varint, fixed, group.
        check(&[0x30, 0x01], Err(EnvelopeError::WireType));
        check(&[0x35, 0, 0, 0, 0], Err(EnvelopeError::WireType));
        check(&[0x33, 0x34], Err(EnvelopeError::WireType));
        // The same tag written longer than needed, likewise a length.
        check(&[0xb2, 0x00, 0x00], Err(EnvelopeError::Varint));
        check(&[0x32, 0x80, 0x00], Err(EnvelopeError::Varint));
        // Field zero, and one beyond what protobuf knows.
        check(&[0x02, 0x00], Err(EnvelopeError::Varint));
        check(&[0x82, 0x80, 0x80, 0x80, 0x10, 0x00], Err(EnvelopeError::Varint));
    }

    #[test]
    fn unknown_bodies_are_ignored() {
        assert_eq!(decode(Bytes::from_static(&[0x82, 0x7d, 0x00])).map(|body| body.is_none()), Ok(true));
    }

    #[test]
    fn kept_numbers() {
        let field = |bytes: Bytes| RawEnvelope::parse(bytes).map(|raw| raw.field());
        assert_eq!(field(encode(generated::ConsentRequest::default())), Ok(80));
        assert_eq!(field(encode(generated::ConsentResponse::default())), Ok(81));
        assert_eq!(&encode(KeyEvent { is_extended: true, ..Default::default() })[..], &[0x32, 2, 7 << 3, 1]);
        assert_eq!(&encode(generated::StartStream { video_codec: 1, ..Default::default() })[3..], &[3 << 3, 1]);
        assert_eq!(&encode(generated::SessionResponse { video_codec: 2, ..Default::default() })[3..], &[5 << 3, 2]);
        assert_eq!(&encode(generated::AgentStatus { supports_h264: true, ..Default::default() })[3..], &[11 << 3, 1]);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _: Result<Option<Body>, EnvelopeError> = decode(Bytes::from(bytes));
        }

        #[test]
        fn what_was_routed_is_what_is_decoded(scan in any::<u32>(), down in any::<bool>()) {
            let message = KeyEvent { scan_code: scan, down, ..Default::default() };
            let raw = RawEnvelope::parse(encode(message)).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert_eq!(raw.field(), 6);
            prop_assert_eq!(raw.decode(), Ok(Some(Body::KeyEvent(message))));
        }
    }

    #[test]
    fn reset_is_two_bytes() {
        assert_eq!(&encode(InputReset::default())[..], &[0x7a, 0]);
    }
}
