//! Time, handed in: the system's in the program, a hand-turned one in tests.
//!
//! Three times: [`Clock::now`] for pauses and silences, [`Clock::steady`] for
//! deadlines that are stored, [`Clock::wall`] for records and for what others
//! measure by their own clocks.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gc_store::Millis;
use tokio::sync::watch;

/// Where time comes from. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: Kind,
    steady: Mutex<Steady>,
}

#[derive(Debug)]
enum Kind {
    System { start: Instant },
    Manual { start: Millis, passed: watch::Sender<Duration>, set: Mutex<()>, turned: AtomicI64 },
}

/// When it was last looked at, and what it said.
#[derive(Debug, Default)]
struct Steady {
    at: Duration,
    time: Duration,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Kind::System { start: Instant::now() })
    }

    /// A clock that stands still until [`Self::advance`] turns it. Only code
    /// can make one; no option of the program does.
    #[must_use]
    pub fn manual() -> Self {
        let (passed, set) = (watch::Sender::new(Duration::ZERO), Mutex::new(()));
        Self::new(Kind::Manual { start: system_wall(), passed, set, turned: AtomicI64::new(0) })
    }

    fn new(kind: Kind) -> Self {
        Self(Arc::new(Inner { kind, steady: Mutex::default() }))
    }

    /// Turn a manual clock forward; the system's does not mind.
    pub fn advance(&self, by: Duration) {
        if let Kind::Manual { passed, set, .. } = &self.0.kind {
            let _one_at_a_time = set.lock().unwrap_or_else(PoisonError::into_inner);
            passed.send_modify(|passed| *passed += by);
        }
    }

    /// Set a manual clock's wall time ahead or back, as an operator does with
    /// the system's; no time passes.
    pub fn set_wall(&self, by: Millis) {
        if let Kind::Manual { turned, .. } = &self.0.kind {
            turned.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// Time since this clock was made; never goes back.
    #[must_use]
    pub fn now(&self) -> Duration {
        match &self.0.kind {
            Kind::System { start } => start.elapsed(),
            Kind::Manual { passed, .. } => *passed.borrow(),
        }
    }

    /// Milliseconds since 1970, UTC. Jumps where somebody sets the system's
    /// clock.
    #[must_use]
    pub fn wall(&self) -> Millis {
        match &self.0.kind {
            Kind::System { .. } => system_wall(),
            Kind::Manual { start, passed, turned, .. } => {
                let passed = Millis::try_from(passed.borrow().as_millis()).unwrap_or(Millis::MAX);
                start.saturating_add(passed).saturating_add(turned.load(Ordering::Relaxed))
            }
        }
    }

    /// Milliseconds since 1970 for deadlines: it follows the wall clock ahead
    /// and never back, and never stands still. So nothing lives longer than
    /// it was given, nor again, when the wall clock is set.
    #[must_use]
    pub fn steady(&self) -> Millis {
        let mut steady = self.0.steady.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, wall) = (self.now(), Duration::from_millis(u64::try_from(self.wall()).unwrap_or(0)));
        let paced = steady.time + now.saturating_sub(steady.at);
        *steady = Steady { at: now, time: paced.max(wall) };
        Millis::try_from(steady.time.as_millis()).unwrap_or(Millis::MAX)
    }

    /// A deadline as wall clocks show it at this moment.
    #[must_use]
    pub fn shown(&self, deadline: Millis) -> Millis {
        deadline.saturating_sub(self.steady()).saturating_add(self.wall())
    }

    /// Wait until [`Self::now`] has reached `deadline`.
    pub async fn sleep_until(&self, deadline: Duration) {
        match &self.0.kind {
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

fn system_wall() -> Millis {
    let time = SystemTime::now().duration_since(UNIX_EPOCH);
    time.map_or(0, |since| Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Millis = 60_000;
    const DAY: Millis = 24 * 60 * MINUTE;

    #[test]
    fn deadlines_and_a_clock_that_is_set() {
        for (name, set, pass, steady_passed) in [
            ("nothing", 0, 1, MINUTE),
            ("ahead", DAY, 1, DAY + MINUTE),
            ("back", -DAY, 1, MINUTE),
            ("back and far on", -DAY, 24 * 60 + 1, DAY + MINUTE),
            ("a little back", -MINUTE, 2, 2 * MINUTE),
        ] {
            let clock = Clock::manual();
            let (begun, wall) = (clock.steady(), clock.wall());
            assert_eq!(begun, wall, "{name}");
            clock.set_wall(set);
            // Looked at or not in between.
            if set == -DAY {
                assert_eq!(clock.steady(), begun, "{name}: it went back");
            }
            clock.advance(Duration::from_secs(60 * pass));
            assert_eq!(clock.steady() - begun, steady_passed, "{name}");
            // Something that is due in ten minutes is shown so.
            assert_eq!(clock.shown(clock.steady() + 10 * MINUTE), clock.wall() + 10 * MINUTE, "{name}");
        }
    }

    #[test]
    fn ahead_and_back_again_gives_nobody_time() {
        let clock = Clock::manual();
        let due = clock.steady() + 15 * MINUTE;
        clock.set_wall(DAY);
        assert!(clock.steady() > due);
        clock.set_wall(-DAY);
        assert!(clock.steady() > due, "it is good again");
    }
}
