//! Who is in the session and what they hold, shared by the agent's threads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gc_session::agent::AgentSession;

/// The session's machine. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub(super) struct Roll(Arc<Mutex<AgentSession>>);

impl Roll {
    pub(super) fn lock(&self) -> MutexGuard<'_, AgentSession> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
