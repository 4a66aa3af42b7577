//! What both planes' sockets share: limits at the upgrade, and the writer.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use gc_protocol::limits;
use tokio::task::JoinHandle;

use super::outbox::{Next, Outbox};

/// How long a peer has for its first message.
pub(super) const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// How long a peer may take to accept what is written.
const WRITE_WITHIN: Duration = Duration::from_secs(20);
/// How long a peer may take to answer a close.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// Bound an upgrade before anything is read.
pub(super) fn bounded(upgrade: WebSocketUpgrade, most: usize) -> WebSocketUpgrade {
    upgrade
        .protocols([limits::SUBPROTOCOL])
        .max_message_size(most)
        .max_frame_size(most)
        .read_buffer_size(4 << 10)
        .write_buffer_size(0)
        .max_write_buffer_size(8 << 20)
}

/// Write what comes into the outbox until it closes or the line breaks.
pub(super) async fn write(mut sink: SplitSink<WebSocket, Message>, outbox: Arc<Outbox>) {
    loop {
        let message = match outbox.next().await {
            Next::Message(bytes) => Message::Binary(bytes),
            Next::Close(ending, text) => {
                // A close frame holds 125 bytes, two of them the code.
                let mut reason = text;
                while reason.len() > 120 {
                    reason.pop();
                }
                Message::Close(Some(CloseFrame { code: ending.close_code(), reason: reason.into() }))
            }
        };
        let last = matches!(message, Message::Close(_));
        let written = tokio::time::timeout(WRITE_WITHIN, sink.send(message)).await;
        if last || !matches!(written, Ok(Ok(()))) {
            // Whoever pushes here must not believe that it is read.
            outbox.abandon();
            return;
        }
    }
}

/// Wait for a writer whose outbox was closed; not for long.
pub(super) async fn finish(mut writer: JoinHandle<()>) {
    if tokio::time::timeout(CLOSE_WITHIN, &mut writer).await.is_err() {
        writer.abort();
    }
}
