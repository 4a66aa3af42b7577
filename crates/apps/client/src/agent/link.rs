//! The worker's way out: the line of the moment, or nowhere.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use gc_protocol::messages::Body;
use gc_protocol::{AgentHeader, encode_framed};
use tokio::sync::mpsc;

/// Messages that may wait for the line. Frames are paced by acknowledgements,
/// so more than this waits only where the line is dead.
pub(super) const WAITING: usize = 1024;

/// Where messages go. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub(super) struct Link(Arc<Mutex<Option<Open>>>);

#[derive(Debug)]
struct Open {
    messages: mpsc::Sender<Bytes>,
    slot: u32,
}

impl Link {
    /// A new line, on which this session has this slot.
    pub(super) fn open(&self, slot: u32, messages: mpsc::Sender<Bytes>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Open { messages, slot });
    }

    /// The line is gone.
    pub(super) fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Send to the relay, a viewer or a stream. Without a line it goes
    /// nowhere; where too much waits, the line is given up: whoever writes to
    /// it sees the queue's end.
    pub(super) fn send(&self, peer: u32, body: impl Into<Body>) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(link) = open.as_ref() else { return };
        let message = encode_framed(AgentHeader::new(link.slot, peer), body);
        if link.messages.try_send(message).is_err() {
            tracing::warn!("the line takes nothing in; giving it up");
            *open = None;
        }
    }
}
