//! The browser's socket.

use bytes::Bytes;
use gc_protocol::limits;
use js_sys::{Array, ArrayBuffer, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, CloseEvent, MessageEvent, WebSocket};

/// An open or opening socket; closed when dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    socket: WebSocket,
    _opened: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _closed: Closure<dyn FnMut(CloseEvent)>,
}

impl Socket {
    /// Open a socket. The token travels as a subprotocol, never in the URL.
    pub(crate) fn open(
        url: &str,
        token: &str,
        opened: impl FnMut() + 'static,
        mut heard: impl FnMut(Bytes) + 'static,
        mut closed: impl FnMut(u16) + 'static,
    ) -> Result<Self, JsValue> {
        let token = format!("{}{token}", limits::TOKEN_SUBPROTOCOL);
        let protocols = Array::of2(&JsValue::from_str(limits::SUBPROTOCOL), &JsValue::from_str(&token));
        let socket = WebSocket::new_with_str_sequence(url, &protocols)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let opened = Closure::<dyn FnMut()>::new(opened);
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Ok(buffer) = event.data().dyn_into::<ArrayBuffer>() {
                heard(Uint8Array::new(&buffer).to_vec().into());
            }
        });
        let closed = Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| closed(event.code()));
        socket.set_onopen(Some(opened.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(closed.as_ref().unchecked_ref()));
        Ok(Self { socket, _opened: opened, _message: message, _closed: closed })
    }

    pub(crate) fn send(&self, message: &Bytes) {
        if self.socket.ready_state() == WebSocket::OPEN {
            // A socket that cannot send closes, and says so by itself.
            let _: Result<(), JsValue> = self.socket.send_with_u8_array(message);
        }
    }

    pub(crate) fn close(self) {
        drop(self);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        // It may be closed already.
        let _: Result<(), JsValue> = self.socket.close_with_code(1000);
    }
}
