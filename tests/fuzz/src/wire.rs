//! What comes from the wire, and texts that people give.

use bytes::Bytes;
use gc_access::{ResumeSecret, SupportCode};
use gc_protocol::messages::{Body, VideoFrame};
use gc_protocol::parts::Assembler;
use gc_protocol::{Destination, RawEnvelope, Sender, header, limits, routing};

/// What was routed is what is decoded; a watcher moves nothing.
pub(crate) fn envelope(data: &[u8]) {
    let Ok(raw) = RawEnvelope::parse(Bytes::copy_from_slice(data)) else { return };
    assert_eq!(raw.bytes(), data, "what is forwarded is not what came");
    for sender in Sender::ALL {
        if let Ok(Destination::AgentInput) = routing::route(raw.field(), sender) {
            assert_eq!(sender, Sender::ControlViewer, "{sender:?} may act by field {}", raw.field());
        }
    }
    let Ok(decoded) = raw.decode() else { return };
    let known = routing::known_fields().any(|field| field == raw.field());
    assert_eq!(decoded.is_some(), known, "field {}", raw.field());
    if let Some(body) = decoded {
        let again = RawEnvelope::parse(gc_protocol::encode(body.clone())).expect("what was written is an envelope");
        assert_eq!(again.field(), raw.field(), "routed as one message and decoded as another");
        // Not a number is never the same: such a body has none of those to compare.
        let once_more = again.decode().expect("what was written decodes");
        assert_eq!(format!("{once_more:?}"), format!("{:?}", Some(body)));
    }
}

/// The agent's leg: header and envelope part without loss.
pub(crate) fn agent_message(data: &[u8]) {
    let Ok((leg, raw)) = header::split(Bytes::copy_from_slice(data)) else { return };
    assert_eq!([&leg.to_bytes()[..], raw.bytes()].concat(), data);
    envelope(raw.bytes());
}

/// Parts in any order give no more than was sent, and never too much.
pub(crate) fn parts(data: &[u8]) {
    let mut assembler = Assembler::default();
    let mut sent = 0;
    for piece in data.chunks(6) {
        let [kind, part, stream, epoch, number, size] = *piece else { return };
        let payload = Bytes::from(vec![kind; usize::from(size)]);
        sent += payload.len();
        let frame = VideoFrame {
            stream: u32::from(stream & 1),
            epoch: u32::from(epoch & 1),
            frame_number: u32::from(number & 1),
            part: u32::from(part & 7),
            last_part: kind & 1 != 0,
            payload,
            ..VideoFrame::default()
        };
        if let Ok(Some(whole)) = assembler.push(frame) {
            assert!(whole.last_part && whole.payload.len() <= sent.min(limits::FRAME_TOTAL));
        }
    }
}

/// Codes and secrets have one form, whatever they were typed as.
pub(crate) fn secrets(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for code in [SupportCode::parse(text), SupportCode::find_in_file_name(text)].into_iter().flatten() {
        let plain = code.secret().expose();
        assert_eq!(plain.len(), 11);
        let symbols = plain.bytes().enumerate().filter(|(at, _)| *at != 3 && *at != 7);
        assert!(symbols.into_iter().all(|(_, symbol)| SupportCode::SYMBOLS.contains(&symbol)), "{plain}");
        let again = SupportCode::parse(plain).expect("its own form is accepted");
        assert_eq!(again.secret().expose(), plain);
        assert!(!format!("{code:?}").contains(plain));
    }
    if let Some(secret) = ResumeSecret::parse(text) {
        assert_eq!((secret.secret().expose(), text.len()), (text, 68));
    }
}

/// Names that are shown hide nothing and are not longer than allowed.
pub(crate) fn names(data: &[u8]) {
    let Some((most, text)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(text);
    let shown = limits::displayable(&text, usize::from(*most));
    assert!(shown.chars().count() <= usize::from(*most));
    assert!(!shown.chars().any(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')));
    assert_eq!(limits::displayable(&shown, usize::from(*most)), shown);
}

/// A body of any kind, or bytes that are none.
pub(crate) fn body(input: &mut arbitrary::Unstructured<'_>) -> arbitrary::Result<Option<Body>> {
    let fields: Vec<u32> = routing::known_fields().collect();
    let field = *input.choose(&fields)?;
    let length = input.int_in_range(0..=64usize)?;
    let inside = input.bytes(length.min(input.len()))?;
    let mut message = Vec::new();
    for mut number in [u64::from(field << 3 | 2), inside.len() as u64] {
        while number >= 0x80 {
            message.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        message.push(number as u8);
    }
    message.extend(inside);
    Ok(gc_protocol::decode(message.into()).ok().flatten())
}
