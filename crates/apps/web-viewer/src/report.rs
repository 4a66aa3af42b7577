//! What the page is told: plain objects, each with a `type`.

use std::time::Duration;

use gc_keys::by_scan_code;
use gc_protocol::limits;
use gc_protocol::messages::{Body, Disconnect, KeyboardLayout, SessionPhase, ViewerJoined};
use gc_screen::Rect;
use gc_session::from_mode;
use js_sys::{Array, Object, Reflect, Uint8Array, Uint8ClampedArray};
use wasm_bindgen::JsValue;

fn object<const N: usize>(fields: [(&str, JsValue); N]) -> JsValue {
    let object = Object::new();
    for (key, value) in fields {
        // Setting a field of a fresh object cannot fail.
        let _: Result<bool, JsValue> = Reflect::set(&object, &key.into(), &value);
    }
    object.into()
}

fn text(text: &str, most: usize) -> JsValue {
    JsValue::from_str(&limits::displayable(text, most))
}

fn access(mode: i32) -> JsValue {
    from_mode(mode).map_or(JsValue::NULL, |access| access.as_str().into())
}

fn person(viewer: &ViewerJoined) -> JsValue {
    object([
        ("viewer", viewer.viewer.into()),
        ("name", text(&viewer.name, limits::NAME)),
        ("access", access(viewer.mode)),
    ])
}

/// What the relay or the agent says of the session.
pub(crate) fn body(body: &Body) -> Option<JsValue> {
    Some(match body {
        Body::ViewerWelcome(welcome) => object([
            ("type", "welcome".into()),
            ("viewer", welcome.viewer.into()),
            ("access", access(welcome.access)),
            ("controller", welcome.controller.into()),
            ("suspended", (welcome.phase() == SessionPhase::Suspended).into()),
            ("machine", text(&welcome.machine_name, limits::NAME)),
            ("system", text(&welcome.operating_system, limits::NAME)),
            ("present", welcome.present.iter().take(64).map(person).collect::<Array>().into()),
        ]),
        Body::ViewerJoined(joined) => object([("type", "joined".into()), ("person", person(joined))]),
        Body::ViewerLeft(left) => object([("type", "left".into()), ("viewer", left.viewer.into())]),
        Body::ControlState(state) => object([
            ("type", "control".into()),
            ("controller", state.controller.into()),
            ("name", text(&state.name, limits::NAME)),
        ]),
        Body::SessionNotice(notice) => {
            let phase = match notice.phase() {
                SessionPhase::Unspecified => return None,
                SessionPhase::Live => "live",
                SessionPhase::Suspended => "suspended",
                SessionPhase::Asking => "asking",
                SessionPhase::Raised => "raised",
                SessionPhase::Refused => "refused",
            };
            object([("type", "notice".into()), ("phase", phase.into()), ("text", text(&notice.text, 300))])
        }
        Body::SessionResponse(response) => object([
            ("type", "stream".into()),
            ("display", response.display_id.into()),
            ("obstacle", text(&response.obstacle, 500)),
            (
                "displays",
                response
                    .displays
                    .iter()
                    .map(|display| {
                        object([
                            ("id", display.id.into()),
                            ("name", text(&display.name, limits::NAME)),
                            ("width", display.width.into()),
                            ("height", display.height.into()),
                            ("primary", display.primary.into()),
                        ])
                    })
                    .collect::<Array>()
                    .into(),
            ),
        ]),
        Body::Chat(chat) => object([
            ("type", "chat".into()),
            ("from", text(&chat.from, limits::NAME)),
            ("text", text(&chat.text, limits::CHAT_LINE)),
            ("from_person", chat.from_person.into()),
        ]),
        Body::CursorShape(shape) => {
            let edges = 1..=limits::CURSOR_EDGE;
            let whole = shape.rgba.len() == shape.width as usize * shape.height as usize * 4;
            let visible = !shape.hidden && edges.contains(&shape.width) && edges.contains(&shape.height) && whole;
            let pixels: &[u8] = if visible { &shape.rgba } else { &[] };
            object([
                ("type", "cursor".into()),
                ("visible", visible.into()),
                ("width", shape.width.into()),
                ("height", shape.height.into()),
                ("x", shape.hotspot_x.into()),
                ("y", shape.hotspot_y.into()),
                ("rgba", Uint8ClampedArray::from(pixels).into()),
            ])
        }
        Body::KeyboardLayout(layout) => object([("type", "layout".into()), ("keys", keys(layout).into())]),
        Body::CursorPosition(position) => object([
            ("type", "pointer".into()),
            ("display", position.display_id.into()),
            ("x", position.x.into()),
            ("y", position.y.into()),
        ]),
        _ => return None,
    })
}

/// What each key types, by its `KeyboardEvent.code`: four characters or empty
/// strings, as in [`gc_keys::KeyCap`].
fn keys(layout: &KeyboardLayout) -> Object {
    let keys = Object::new();
    for cap in layout.caps.iter().take(limits::KEY_CAPS) {
        let key = u16::try_from(cap.scan_code).ok().and_then(|scan| by_scan_code(scan.into(), false));
        let Some(key) = key else { continue };
        let types = [cap.plain, cap.shift, cap.alt_gr, cap.alt_gr_shift].map(|typed| {
            let typed = char::from_u32(typed).filter(|typed| !typed.is_control());
            JsValue::from(typed.map_or_else(String::new, String::from))
        });
        // Setting a field of a fresh object cannot fail.
        let _: Result<bool, JsValue> = Reflect::set(&keys, &key.code.into(), &types.into_iter().collect::<Array>());
    }
    keys
}

pub(crate) fn goodbye(goodbye: &Disconnect) -> JsValue {
    object([
        ("type", "goodbye".into()),
        ("code", goodbye.code.into()),
        ("text", text(&goodbye.text, 300)),
        ("reason", text(&goodbye.reason, 40)),
        ("may_retry", goodbye.may_retry.into()),
        ("retry_after", goodbye.retry_after_seconds.min(300).into()),
    ])
}

pub(crate) fn closed(code: u16, said_goodbye: bool) -> JsValue {
    object([("type", "closed".into()), ("code", code.into()), ("said_goodbye", said_goodbye.into())])
}

pub(crate) fn broken(words: &str) -> JsValue {
    object([("type", "broken".into()), ("text", words.into())])
}

pub(crate) fn size(display: u32, width: u32, height: u32) -> JsValue {
    object([("type", "size".into()), ("display", display.into()), ("width", width.into()), ("height", height.into())])
}

/// A picture of a video to decode and to draw there.
pub(crate) fn film(id: u32, region: Rect, fresh: bool, codec: &str, unit: &[u8]) -> JsValue {
    object([
        ("type", "film".into()),
        ("id", id.into()),
        ("x", region.x.into()),
        ("y", region.y.into()),
        ("width", region.width.into()),
        ("height", region.height.into()),
        ("fresh", fresh.into()),
        ("codec", codec.into()),
        ("unit", Uint8Array::from(unit).into()),
    ])
}

/// What the last second was like: input to picture, encoding and decoding of a
/// picture, and how long nothing was heard.
pub(crate) fn statistics(
    frames: u32,
    bytes: f64,
    [latency, encoded, decoded, silence]: [Option<Duration>; 4],
    video: Option<Rect>,
) -> JsValue {
    let milliseconds = |time: Option<Duration>| time.map_or(JsValue::NULL, |time| (time.as_secs_f64() * 1000.0).into());
    let codec = match video {
        Some(region) => format!("lossless tiles, H.264 for {}×{}", region.width, region.height),
        None => "lossless tiles".into(),
    };
    object([
        ("type", "statistics".into()),
        ("frames", frames.into()),
        ("bytes", bytes.into()),
        ("latency", milliseconds(latency)),
        ("encoded", milliseconds(encoded)),
        ("decoded", milliseconds(decoded)),
        ("silence", milliseconds(silence)),
        ("codec", codec.as_str().into()),
    ])
}
