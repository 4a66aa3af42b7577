//! What waits to be written to one socket: bounded in bytes. What is too much
//! is refused, and whoever pushed decides what that means.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    /// Whoever writes has not been woken for the last message yet.
    unannounced: bool,
}

/// A socket's outgoing queue.
#[derive(Debug)]
pub(crate) struct Outbox {
    most: usize,
    waiting: Mutex<Waiting>,
    changed: Notify,
    /// For whoever reads: nothing more will be written.
    ended: Notify,
}

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn new(most: usize) -> Self {
        Self { most, waiting: Mutex::default(), changed: Notify::new(), ended: Notify::new() }
    }

    /// Add a message. Messages after a close are thrown away.
    pub(crate) fn push(&self, message: Bytes) -> Result<(), Full> {
        self.push_quietly(message)?;
        self.announce();
        Ok(())
    }

    /// Add a message and wake nobody yet: more may come in the same breath, and
    /// goes out with it. [`Self::announce`] has to follow.
    pub(crate) fn push_quietly(&self, message: Bytes) -> Result<(), Full> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return Ok(());
        }
        if waiting.bytes + message.len() > self.most {
            return Err(Full);
        }
        waiting.bytes += message.len();
        waiting.messages.push_back(message);
        waiting.unannounced = true;
        Ok(())
    }

    /// Wake whoever writes, if there is something that they were not told of.
    pub(crate) fn announce(&self) {
        if std::mem::take(&mut self.waiting().unannounced) {
            self.changed.notify_one();
        }
    }

    /// Write what waits, then close. The first close counts; `last` goes out
    /// before it even when the queue is full, in place of what waited.
    pub(crate) fn close(&self, ending: Ending, text: &str, last: Bytes) {
        let mut waiting = self.waiting();
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
        self.ended.notify_one();
    }

    /// Wait until it is closed or abandoned. One task at a time.
    pub(crate) async fn closed(&self) {
        self.ended.notified().await;
    }

    /// The line is gone: nothing more is kept or taken.
    pub(crate) fn abandon(&self) {
        let mut waiting = self.waiting();
        waiting.closed = true;
        waiting.messages.clear();
        waiting.bytes = 0;
        drop(waiting);
        self.ended.notify_one();
    }

    /// Bytes that wait.
    pub(crate) fn depth(&self) -> usize {
        self.waiting().bytes
    }

    /// Whether it was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.waiting().closed
    }

    /// The next thing, if it is there.
    pub(crate) fn try_next(&self) -> Option<Next> {
        let mut waiting = self.waiting();
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Context;

    use super::*;

    #[tokio::test]
    async fn what_was_added_quietly_goes_out_with_what_follows() {
        struct Wakes(AtomicUsize);
        impl std::task::Wake for Wakes {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let (outbox, wakes) = (Outbox::new(10), Arc::new(Wakes(AtomicUsize::new(0))));
        let waker = wakes.clone().into();
        let mut next = std::pin::pin!(outbox.next());
        assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        outbox.push_quietly(Bytes::from_static(b"1")).unwrap();
        outbox.push_quietly(Bytes::from_static(b"2")).unwrap();
        assert_eq!(wakes.0.load(Ordering::Relaxed), 0, "woken too early");
        outbox.announce();
        outbox.announce();
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert!(matches!(next.await, Next::Message(m) if &m[..] == b"1"));
        assert!(matches!(outbox.try_next(), Some(Next::Message(m)) if &m[..] == b"2"));
    }

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
