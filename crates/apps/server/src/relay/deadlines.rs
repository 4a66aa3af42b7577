//! Who keeps a session's deadlines: a task that is there only while there are
//! any. Most of the time a session has none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::Notify;

use super::session::Session;
use crate::app::App;

/// The task's state, in its session.
#[derive(Debug)]
pub(crate) struct Deadlines {
    session: Weak<Session>,
    kept: AtomicBool,
    changed: Notify,
}

impl Deadlines {
    pub(super) fn new(session: Weak<Session>) -> Self {
        Self { session, kept: AtomicBool::new(false), changed: Notify::new() }
    }
}

impl Session {
    /// Deadlines may have changed: see that somebody keeps them. Called while
    /// the machine is held, or with nothing to be missed.
    pub(super) fn look_at_deadlines(&self, app: &Arc<App>) {
        let deadlines = self.deadlines();
        if deadlines.kept.swap(true, Ordering::AcqRel) {
            deadlines.changed.notify_one();
        } else if let Some(session) = deadlines.session.upgrade() {
            // Ends by itself when there is nothing to keep, or with the shutdown.
            tokio::spawn(keep(session, app.clone()));
        }
    }
}

/// Says that nobody keeps them, however the task ends.
struct Keeping<'a>(&'a AtomicBool);

impl Drop for Keeping<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

async fn keep(session: Arc<Session>, app: Arc<App>) {
    let deadlines = session.deadlines();
    // Whoever changes something after it is dropped sees that nobody keeps it.
    let mut keeping = Some(Keeping(&deadlines.kept));
    let mut idle = || drop(keeping.take());
    while let Some(deadline) = session.next_deadline(app.clock.now(), &mut idle).await {
        tokio::select! {
            () = app.clock.sleep_until(deadline) => Box::pin(session.tick(&app)).await,
            () = deadlines.changed.notified() => {}
            () = app.shutdown.cancelled() => return,
        }
    }
}
