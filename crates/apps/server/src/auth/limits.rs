//! Rate limits and lock-outs by client address.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use uuid::Uuid;

use super::lock_out::LockOut;
use crate::address::ClientAddress;
use crate::clock::Clock;
use crate::error::ApiError;

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
    codes_locked: LockOut<IpAddr>,
    /// By user: whoever gets so far knows the password already.
    second_factor_locked: LockOut<Uuid>,
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
            codes_locked: LockOut::default(),
            second_factor_locked: LockOut::default(),
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
        self.codes_locked.check(client.limit_key(), self.clock.now())?;
        self.check(&self.codes, client)
    }

    /// How it went with the code.
    pub(crate) fn code_result(&self, client: ClientAddress, good: bool) {
        self.codes_locked.note(client.limit_key(), good, self.clock.now());
    }

    /// A user's second factor is about to be looked at.
    pub(crate) fn second_factor(&self, user: Uuid) -> Result<(), ApiError> {
        self.second_factor_locked.check(user, self.clock.now())
    }

    /// How it went with the second factor.
    pub(crate) fn second_factor_result(&self, user: Uuid, good: bool) {
        self.second_factor_locked.note(user, good, self.clock.now());
    }

    /// Forget what no longer matters; called now and then.
    pub(crate) fn sweep(&self) {
        for limiter in [&self.login, &self.change_password, &self.codes] {
            limiter.retain_recent();
        }
        self.codes_locked.sweep(self.clock.now());
        self.second_factor_locked.sweep(self.clock.now());
    }

    fn check(&self, limiter: &Limiter, client: ClientAddress) -> Result<(), ApiError> {
        limiter
            .check_key(&client.limit_key())
            .map_err(|not_until| ApiError::too_many(not_until.wait_time_from(self.clock.now()).as_secs() + 1))
    }
}
