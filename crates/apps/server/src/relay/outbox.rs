//! What waits to be written to one socket: bounded in bytes. What is too much
//! is refused, and whoever pushed decides what that means.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use gc_protocol::Ending;
use tokio::sync::Notify;

/// The next thing to write.
#[derive(Debug)]
pub(crate) enum Next {
    /// A message.
    Message(Bytes),
    /// The last message has been taken: close with this.
    Close(Ending, String),
}

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Bytes>,
    bytes: usize,
    close: Option<(Ending, String)>,
    closed: bool,
}

/// A socket's outgoing queue.
#[derive(Debug)]
pub(crate) struct Outbox {
    most: usize,
    waiting: Mutex<Waiting>,
    changed: Notify,
}

impl Outbox {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, waiting: Mutex::default(), changed: Notify::new() }
    }

    /// Add a message. Messages after a close are thrown away.
    pub(crate) fn push(&self, message: Bytes) -> Result<(), Full> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.closed {
            return Ok(());
        }
        if waiting.bytes + message.len() > self.most {
            return Err(Full);
        }
        // Whoever writes looks again before it waits: it is woken for the first only.
        let is_first = waiting.messages.is_empty();
        waiting.bytes += message.len();
        waiting.messages.push_back(message);
        drop(waiting);
        if is_first {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Write what waits, then close. The first close counts; `last` goes out
    /// before it even when the queue is full, in place of what waited.
    pub(crate) fn close(&self, ending: Ending, text: &str, last: Bytes) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.closed {
            return;
        }
        waiting.closed = true;
        if waiting.bytes > self.most / 4 {
            waiting.messages.clear();
        }
        waiting.messages.push_back(last);
        waiting.close = Some((ending, text.to_owned()));
        drop(waiting);
        self.changed.notify_one();
    }

    /// The line is gone: nothing more is kept or taken.
    pub(crate) fn abandon(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.closed = true;
        waiting.messages.clear();
        waiting.bytes = 0;
    }

    /// Bytes that wait.
    pub(crate) fn depth(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }

    /// Whether it was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed
    }

    /// The next thing, if it is there.
    pub(crate) fn try_next(&self) -> Option<Next> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(message) = waiting.messages.pop_front() {
            waiting.bytes = waiting.bytes.saturating_sub(message.len());
            return Some(Next::Message(message));
        }
        waiting.close.take().map(|(ending, text)| Next::Close(ending, text))
    }

    /// The next thing to write. One task at a time.
    pub(crate) async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.changed.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bounded_and_ended() {
        let outbox = Outbox::new(10);
        assert_eq!(outbox.push(Bytes::from_static(b"123456")), Ok(()));
        assert_eq!(outbox.push(Bytes::from_static(b"123456")), Err(Full));
        outbox.close(Ending::Flooding, "too slow", Bytes::from_static(b"bye"));
        outbox.close(Ending::Normal, "", Bytes::new());
        assert_eq!(outbox.push(Bytes::from_static(b"late")), Ok(()));
        assert!(matches!(outbox.next().await, Next::Message(m) if &m[..] == b"bye"));
        assert!(matches!(outbox.next().await, Next::Close(Ending::Flooding, _)));
    }
}
