//! Input in bounds: a token bucket per viewer. Beyond it pointer moves melt
//! into one; presses, releases and text wait and are never dropped.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use gc_protocol::limits::{INPUT_PER_SECOND, INPUT_QUEUE};

/// Field number of `PointerMove`, the only input that may be replaced by a
/// later one.
const POINTER_MOVE: u32 = 3;

/// More transitions wait than allowed: the viewer has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many input events")]
pub struct Flooding;

/// One viewer's input.
#[derive(Debug)]
pub struct InputThrottle {
    tokens: f64,
    refilled: Duration,
    waiting: VecDeque<(bool, Bytes)>,
}

impl InputThrottle {
    /// A full bucket.
    #[must_use]
    pub fn new(now: Duration) -> Self {
        Self { tokens: f64::from(INPUT_PER_SECOND), refilled: now, waiting: VecDeque::new() }
    }

    /// Take one message in.
    ///
    /// # Errors
    /// [`Flooding`] when too much waits.
    pub fn offer(&mut self, field: u32, message: Bytes) -> Result<(), Flooding> {
        let is_move = field == POINTER_MOVE;
        if is_move && let Some((true, last)) = self.waiting.back_mut() {
            *last = message;
            return Ok(());
        }
        if self.waiting.len() >= INPUT_QUEUE {
            return Err(Flooding);
        }
        self.waiting.push_back((is_move, message));
        Ok(())
    }

    /// The next message that may go on now.
    pub fn next(&mut self, now: Duration) -> Option<Bytes> {
        if self.waiting.is_empty() {
            return None;
        }
        let rate = f64::from(INPUT_PER_SECOND);
        let passed = now.saturating_sub(self.refilled).as_secs_f64();
        self.tokens = (self.tokens + passed * rate).min(rate);
        self.refilled = self.refilled.max(now);
        if self.tokens < 1.0 {
            return None;
        }
        self.tokens -= 1.0;
        self.waiting.pop_front().map(|(_, message)| message)
    }

    /// How long until [`Self::next`] has something, where something waits.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        let lacking = (1.0 - self.tokens).max(0.0) / f64::from(INPUT_PER_SECOND);
        (!self.waiting.is_empty()).then(|| Duration::from_secs_f64(lacking) + Duration::from_micros(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(events: impl Iterator<Item = u32>) -> Result<Vec<u8>, Flooding> {
        let mut throttle = InputThrottle::new(Duration::ZERO);
        let mut out = Vec::new();
        for (index, field) in events.enumerate() {
            throttle.offer(field, Bytes::from(vec![field as u8, (index % 251) as u8]))?;
            while let Some(message) = throttle.next(Duration::ZERO) {
                out.push(message[0]);
            }
        }
        let mut now = Duration::ZERO;
        while let Some(wait) = throttle.wait() {
            now += wait;
            while let Some(message) = throttle.next(now) {
                out.push(message[0]);
            }
        }
        Ok(out)
    }

    #[test]
    fn moves_melt_and_transitions_stay() {
        // 2,000 events: a press or release after every nine moves.
        let events = (0..2000).map(|i| if i % 10 == 9 { 4 } else { 3 });
        let out = run(events).unwrap();
        assert_eq!(out.iter().filter(|field| **field == 4).count(), 200);
        assert!(out.len() < 600, "{}", out.len());
    }

    #[test]
    fn too_many_transitions_end_it() {
        assert!(run((0..700).map(|_| 6)).is_ok());
        assert_eq!(run((0..2000).map(|_| 6)), Err(Flooding));
    }
}
