//! All sessions that have, had or await an agent.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use gc_access::Access;
use gc_protocol::Ending;
use gc_session::{EndReason, RelaySession};
use gc_store::{SessionRow, Status};
use uuid::Uuid;

use super::links;
use super::session::Session;
use crate::app::App;

/// The sessions by id.
#[derive(Default)]
pub(crate) struct Hub {
    sessions: RwLock<HashMap<Uuid, Arc<Session>>>,
}

impl Hub {
    /// A session that is not over, if its agent has ever been here.
    pub(crate) fn get(&self, id: Uuid) -> Option<Arc<Session>> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    /// Every session.
    pub(crate) fn all(&self) -> Vec<Arc<Session>> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    pub(super) fn remove(&self, id: Uuid) {
        self.sessions.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// The session of a row: the one that is here, or a fresh one as the row
    /// says. The second value tells whether it is fresh.
    pub(crate) fn open(&self, app: &App, row: &SessionRow, restored: bool) -> (Arc<Session>, bool) {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get(&row.id) {
            return (session.clone(), false);
        }
        // What is not understood is asked for as little as possible.
        let requested = Access::from_name(&row.requested_access).unwrap_or(Access::ViewOnly);
        let machine =
            RelaySession::new(row.id.to_string(), row.technician_name.clone(), row.organization.clone(), requested);
        let machine = if restored {
            let accepted = row.accepted_access.as_deref().and_then(Access::from_name);
            machine.restored(accepted, app.clock.now())
        } else {
            machine
        };
        let session = Arc::new(Session::new(row, machine));
        sessions.insert(row.id, session.clone());
        (session, true)
    }

    /// After a start: sessions whose agents may come back.
    pub(crate) async fn restore(&self, app: &Arc<App>) -> Result<(), gc_store::StoreError> {
        for row in app.store.open_sessions().await? {
            if row.status == Status::Waiting.as_str() {
                // Its code was used and its agent never arrived: nobody will.
                if !app.store.has_waiting_code(row.id).await? {
                    self.end(app, row.id, EndReason::AgentLost).await?;
                }
                continue;
            }
            let (session, _) = self.open(app, &row, true);
            session.mark_suspended(app).await;
            session.spawn_timer(app);
        }
        Ok(())
    }

    /// Close viewers whose login or user has ended.
    pub(crate) async fn revoke(&self, app: &Arc<App>, login: Option<Uuid>, user: Option<Uuid>) {
        for session in self.all() {
            let gone = |other: &links::ViewerLink| login == Some(other.login_id) || user == Some(other.user_id);
            session.close_viewers(app, gone, Ending::CredentialEnded, "Your login has ended.").await;
        }
    }

    /// The server is going away: everybody is told to come back.
    pub(crate) fn go_away(&self) {
        for session in self.all() {
            session.with_links(|all| {
                if let Some(agent) = &all.agent {
                    links::end_agent(&agent.outbox, Ending::GoingAway, "The server is restarting.");
                }
                for viewer in all.viewers.values() {
                    links::end(&viewer.outbox, Ending::GoingAway, "The server is restarting.");
                }
            });
        }
    }

    /// End a session wherever it stands, also one whose agent never came.
    pub(crate) async fn end(&self, app: &Arc<App>, id: Uuid, reason: EndReason) -> Result<(), gc_store::StoreError> {
        if let Some(session) = self.get(id) {
            session.end(app, reason).await;
            return Ok(());
        }
        let change = gc_store::SessionChange { ended: Some((app.clock.wall(), reason.as_str())), ..Default::default() };
        if app.store.change_session(id, change).await? {
            let row = app.store.session(id).await?;
            app.ended(id, row.and_then(|row| row.created_by), reason).await;
        }
        Ok(())
    }
}
