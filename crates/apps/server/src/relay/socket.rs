//! What both planes' sockets share: limits at the upgrade, and the writer.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use gc_protocol::{Ending, limits};
use tokio::task::JoinHandle;

use super::outbox::{Next, Outbox};

/// How long a peer has for its first message.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// How long a peer may take to accept what is written.
const WRITE_WITHIN: Duration = Duration::from_secs(20);
/// Bytes of small messages that are written at once.
const BATCH: usize = 32 << 10;
/// Messages after which what was written is seen to be on its way.
const BATCH_MESSAGES: usize = 64;
/// Bytes that are read and thrown away while a peer closes.
const DRAINED: usize = 8 << 20;
/// How long a peer may take to answer a close.
const CLOSE_WITHIN: Duration = Duration::from_secs(3);

/// Bound an upgrade before anything is read.
pub(super) fn bounded(upgrade: WebSocketUpgrade, most: usize) -> WebSocketUpgrade {
    upgrade
        .protocols([limits::SUBPROTOCOL])
        .max_message_size(most)
        .max_frame_size(most)
        // Large pieces are read ahead of it.
        .read_buffer_size(1 << 10)
        .write_buffer_size(BATCH)
        .max_write_buffer_size(8 << 20)
}

/// Write what comes into the outbox until it closes or the line breaks.
pub(super) async fn write(mut sink: SplitSink<WebSocket, Message>, outbox: Arc<Outbox>) {
    loop {
        let first = outbox.next().await;
        if !matches!(write_batch(&mut sink, first, &outbox).await, Some(Wrote::Messages)) {
            // Whoever pushes here must not believe that it is read.
            outbox.abandon();
            return;
        }
    }
}

/// What was written.
enum Wrote {
    Messages,
    Close,
}

/// Write this, and what waits behind it, as one. `None` when the line broke, or
/// took nothing in for too long.
async fn write_batch(sink: &mut SplitSink<WebSocket, Message>, first: Next, outbox: &Outbox) -> Option<Wrote> {
    let behind = std::iter::from_fn(|| outbox.try_next());
    for next in std::iter::once(first).chain(behind).take(BATCH_MESSAGES) {
        match next {
            Next::Message(bytes) => in_time(sink.feed(Message::Binary(bytes))).await?,
            Next::Close(ending, text) => {
                in_time(sink.send(Message::Close(Some(close_frame(ending, text))))).await?;
                return Some(Wrote::Close);
            }
        }
    }
    in_time(sink.flush()).await?;
    Some(Wrote::Messages)
}

async fn in_time(written: impl Future<Output = Result<(), axum::Error>>) -> Option<()> {
    tokio::time::timeout(WRITE_WITHIN, written).await.ok()?.ok()
}

fn close_frame(ending: Ending, mut reason: String) -> CloseFrame {
    // A close frame holds 125 bytes, two of them the code.
    while reason.len() > 120 {
        reason.pop();
    }
    CloseFrame { code: ending.close_code(), reason: reason.into() }
}

/// Why a connection ends before anything else was said.
pub(super) type Goodbye = (Ending, String);

/// What came instead of a first message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nothing in time.
    Late,
    /// More than a message may be.
    TooLarge,
    /// Something else.
    Wrong,
}

impl Silence {
    pub(super) fn ending(self, who: &str) -> Goodbye {
        match self {
            Self::Late => (Ending::HeartbeatMissed, format!("The {who} did not introduce itself in time.")),
            Self::TooLarge => (Ending::TooLarge, format!("The {who}'s first message is too large.")),
            Self::Wrong => (Ending::Protocol, format!("The {who} did not introduce itself.")),
        }
    }
}

/// The peer's first binary message.
pub(super) async fn first_message(stream: &mut SplitStream<WebSocket>) -> Result<Bytes, Silence> {
    let first = async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Err(error)) if too_large(&error) => return Err(Silence::TooLarge),
                _ => return Err(Silence::Wrong),
            }
        }
    };
    tokio::time::timeout(HELLO_WITHIN, first).await.unwrap_or(Err(Silence::Late))
}

/// Wait for a writer whose outbox was closed, then for the peer to close; not
/// for long. What the peer still sends is thrown away: closing over unread
/// bytes would reset the line, and the goodbye would be lost with it.
pub(super) async fn finish(mut writer: JoinHandle<()>, mut stream: SplitStream<WebSocket>) {
    if tokio::time::timeout(CLOSE_WITHIN, &mut writer).await.is_err() {
        writer.abort();
        return;
    }
    let drained = async {
        let mut left = DRAINED;
        while let Some(Ok(message)) = stream.next().await {
            let length = message.into_data().len();
            if length > left {
                return;
            }
            left -= length;
        }
    };
    // A peer that does not close in time is closed upon.
    let _: Result<(), _> = tokio::time::timeout(CLOSE_WITHIN, drained).await;
}

pub(super) fn too_large(error: &axum::Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        // The socket library's own error is behind axum's and only known here
        // by its words.
        if error.to_string().contains("too long") || error.to_string().contains("too large") {
            return true;
        }
        source = error.source();
    }
    false
}
