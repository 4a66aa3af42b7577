//! Rate limits and lock-outs by client address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::address::ClientAddress;
use crate::clock::Clock;
use crate::error::ApiError;

const FAILURES: u32 = 10;
const LOCK_OUT: Duration = Duration::from_secs(15 * 60);
/// Addresses remembered for lock-outs; beyond it the oldest are forgotten.
const REMEMBERED: usize = 100_000;

#[derive(Clone)]
struct Ticking(Clock);

impl GovernorClock for Ticking {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.now()
    }
}

type Limiter = RateLimiter<IpAddr, DefaultKeyedStateStore<IpAddr>, Ticking, NoOpMiddleware<Duration>>;

/// All limits.
pub(crate) struct Limits {
    clock: Clock,
    login: Limiter,
    change_password: Limiter,
    codes: Limiter,
    code_failures: Mutex<HashMap<IpAddr, Failures>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Failures {
    count: u32,
    last: Duration,
    locked_until: Option<Duration>,
}

impl Limits {
    pub(crate) fn new(clock: &Clock) -> Self {
        let per_minute = |count: u32| {
            let quota = Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN));
            RateLimiter::new(quota, DefaultKeyedStateStore::default(), Ticking(clock.clone()))
        };
        Self {
            clock: clock.clone(),
            login: per_minute(8),
            change_password: per_minute(5),
            codes: per_minute(15),
            code_failures: Mutex::default(),
        }
    }

    pub(crate) fn login(&self, client: ClientAddress) -> Result<(), ApiError> {
        self.check(&self.login, client)
    }

    pub(crate) fn change_password(&self, client: ClientAddress) -> Result<(), ApiError> {
        self.check(&self.change_password, client)
    }

    /// A code is about to be looked at, at either door.
    pub(crate) fn code(&self, client: ClientAddress) -> Result<(), ApiError> {
        let failures = self.code_failures.lock().unwrap_or_else(PoisonError::into_inner);
        let locked = failures.get(&client.limit_key()).and_then(|failures| failures.locked_until);
        drop(failures);
        if let Some(until) = locked
            && self.clock.now() < until
        {
            return Err(ApiError::too_many((until - self.clock.now()).as_secs() + 1));
        }
        self.check(&self.codes, client)
    }

    /// How it went with the code.
    pub(crate) fn code_result(&self, client: ClientAddress, good: bool) {
        let now = self.clock.now();
        let key = client.limit_key();
        let mut failures = self.code_failures.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// Forget what no longer matters; called now and then.
    pub(crate) fn sweep(&self) {
        for limiter in [&self.login, &self.change_password, &self.codes] {
            limiter.retain_recent();
        }
        let now = self.clock.now();
        let mut failures = self.code_failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, other| now.saturating_sub(other.last) < LOCK_OUT);
    }

    fn check(&self, limiter: &Limiter, client: ClientAddress) -> Result<(), ApiError> {
        limiter
            .check_key(&client.limit_key())
            .map_err(|not_until| ApiError::too_many(not_until.wait_time_from(self.clock.now()).as_secs() + 1))
    }
}
