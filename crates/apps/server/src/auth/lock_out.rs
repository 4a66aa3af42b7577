//! Whoever fails ten times in a row waits for a quarter of an hour.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::ApiError;

const FAILURES: u32 = 10;
const LOCK_OUT: Duration = Duration::from_secs(15 * 60);
/// Keys remembered; beyond it the oldest are forgotten.
const REMEMBERED: usize = 100_000;

#[derive(Debug, Clone, Copy, Default)]
struct Failures {
    count: u32,
    last: Duration,
    locked_until: Option<Duration>,
}

/// Failures in a row, by key.
#[derive(Debug)]
pub(crate) struct LockOut<K>(Mutex<HashMap<K, Failures>>);

impl<K> Default for LockOut<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Eq + Hash> LockOut<K> {
    fn failures(&self) -> MutexGuard<'_, HashMap<K, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this key may try.
    pub(crate) fn check(&self, key: K, now: Duration) -> Result<(), ApiError> {
        let locked = self.failures().get(&key).and_then(|failures| failures.locked_until);
        match locked {
            Some(until) if now < until => Err(ApiError::too_many((until - now).as_secs() + 1)),
            _ => Ok(()),
        }
    }

    /// How it went.
    pub(crate) fn note(&self, key: K, good: bool, now: Duration) {
        let mut failures = self.failures();
        if good {
            failures.remove(&key);
            return;
        }
        if failures.len() >= REMEMBERED {
            failures.retain(|_, other| now.saturating_sub(other.last) < LOCK_OUT);
            let oldest = failures.iter().min_by_key(|(_, other)| other.last).map(|(key, _)| *key);
            if let Some(oldest) = oldest.filter(|_| failures.len() >= REMEMBERED) {
                failures.remove(&oldest);
            }
        }
        let entry = failures.entry(key).or_default();
        if entry.locked_until.is_some_and(|until| now >= until) {
            *entry = Failures::default();
        }
        entry.count += 1;
        entry.last = now;
        if entry.count >= FAILURES {
            entry.locked_until = Some(now + LOCK_OUT);
        }
    }

    /// Forget what no longer matters.
    pub(crate) fn sweep(&self, now: Duration) {
        self.failures().retain(|_, other| now.saturating_sub(other.last) < LOCK_OUT);
    }
}
