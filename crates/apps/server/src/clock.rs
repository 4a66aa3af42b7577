//! Time, handed in: the system's in the program, a hand-turned one in tests.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gc_store::Millis;
use tokio::sync::watch;

/// Where time comes from. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    System { start: Instant },
    Manual { start: SystemTime, passed: watch::Sender<Duration>, set: Mutex<()> },
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(Kind::System { start: Instant::now() }))
    }

    /// A clock that stands still until [`Self::advance`] turns it. Only code
    /// can make one; no option of the program does.
    #[must_use]
    pub fn manual() -> Self {
        let kind =
            Kind::Manual { start: SystemTime::now(), passed: watch::Sender::new(Duration::ZERO), set: Mutex::new(()) };
        Self(Arc::new(kind))
    }

    /// Turn a manual clock forward; the system's does not mind.
    pub fn advance(&self, by: Duration) {
        if let Kind::Manual { passed, set, .. } = &*self.0 {
            let _one_at_a_time = set.lock().unwrap_or_else(PoisonError::into_inner);
            passed.send_modify(|passed| *passed += by);
        }
    }

    /// Time since this clock was made; never goes back.
    #[must_use]
    pub fn now(&self) -> Duration {
        match &*self.0 {
            Kind::System { start } => start.elapsed(),
            Kind::Manual { passed, .. } => *passed.borrow(),
        }
    }

    /// Milliseconds since 1970, UTC.
    #[must_use]
    pub fn wall(&self) -> Millis {
        let time = match &*self.0 {
            Kind::System { .. } => SystemTime::now(),
            Kind::Manual { start, passed, .. } => *start + *passed.borrow(),
        };
        time.duration_since(UNIX_EPOCH).map_or(0, |since| Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX))
    }

    /// Wait until [`Self::now`] has reached `deadline`.
    pub async fn sleep_until(&self, deadline: Duration) {
        match &*self.0 {
            Kind::System { start } => tokio::time::sleep_until((*start + deadline).into()).await,
            Kind::Manual { passed, .. } => {
                let mut changes = passed.subscribe();
                // The sender lives as long as this clock does.
                let _: Result<_, _> = changes.wait_for(|passed| *passed >= deadline).await;
            }
        }
    }

    /// Wait for a while.
    pub async fn sleep(&self, time: Duration) {
        self.sleep_until(self.now() + time).await;
    }
}
