//! All sessions that have, had or await an agent.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use gc_access::Access;
use gc_protocol::Ending;
use gc_session::{EndReason, Phase, RelaySession};
use gc_store::{SessionRow, Status};
use uuid::Uuid;

use super::links;
use super::session::Session;
use crate::app::App;
use crate::meters::Sample;
use crate::settings::Settings;

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
    /// says.
    pub(crate) fn open(&self, app: &App, row: &SessionRow, restored: bool) -> Arc<Session> {
        let mut sessions = self.sessions.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(session) = sessions.get(&row.id) {
            return session.clone();
        }
        // What is not understood is asked for as little as possible.
        let requested = Access::from_name(&row.requested_access).unwrap_or(Access::ViewOnly);
        let machine =
            RelaySession::new(row.id.to_string(), row.technician_name.clone(), row.organization.clone(), requested)
                .saying(app.settings.now().settings.consent_message.clone());
        let machine = if restored {
            let accepted = row.accepted_access.as_deref().and_then(Access::from_name);
            machine.restored(accepted, app.clock.now())
        } else {
            machine
        };
        let session = Session::new(row, machine, app.meters.relay.clone());
        sessions.insert(row.id, session.clone());
        session
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
            let session = self.open(app, &row, true);
            session.mark_suspended(app).await;
            session.look_at_deadlines(app);
        }
        Ok(())
    }

    /// Close viewers whose credential or user has ended.
    pub(crate) async fn revoke(&self, app: &Arc<App>, credential: Option<Uuid>, user: Option<Uuid>) {
        for session in self.all() {
            let gone = |other: &links::ViewerLink| credential == Some(other.credential) || user == Some(other.user_id);
            session.close_viewers(app, gone, Ending::CredentialEnded, "Your login has ended.").await;
        }
    }

    /// What was set holds for sessions that are on, too.
    pub(crate) fn settings_changed(&self, settings: &Settings) {
        for session in self.all() {
            session.allow_several(settings.several_controllers);
        }
    }

    /// End what has lasted longer, or been without viewers longer, than is set.
    pub(crate) async fn end_overdue(&self, app: &Arc<App>) {
        let settings = app.settings.now();
        for session in self.all() {
            if session.is_overdue(&settings.settings, app.clock.now()).await {
                session.end(app, EndReason::TimeUp).await;
            }
        }
    }

    /// What is measured by looking: sessions by state, and bytes that wait for
    /// agents and viewers.
    pub(crate) async fn sample(&self) -> Sample {
        let states = [Status::Waiting, Status::Pending, Status::Live, Status::Suspended];
        let mut sample = Sample { sessions: states.map(|state| (state.as_str(), 0)).to_vec(), ..Sample::default() };
        for session in self.all() {
            let state = match session.phase().await {
                Phase::Waiting => Status::Waiting,
                Phase::Pending => Status::Pending,
                Phase::Live => Status::Live,
                Phase::Suspended { .. } => Status::Suspended,
                Phase::Ended(_) => continue,
            };
            if let Some((_, count)) = sample.sessions.iter_mut().find(|(name, _)| *name == state.as_str()) {
                *count += 1;
            }
            let (agent, viewers) = session.with_links(|all| {
                let agent = all.agent().map_or(0, |agent| agent.outbox.depth());
                (agent, all.viewers().values().map(|viewer| viewer.outbox.depth()).sum::<usize>())
            });
            sample.agent_queue += agent;
            sample.viewer_queue += viewers;
        }
        sample
    }

    /// The server is going away: everybody is told to come back.
    pub(crate) fn go_away(&self) {
        for session in self.all() {
            session.with_links(|all| {
                if let Some(agent) = all.agent() {
                    links::end_agent(&agent.outbox, Ending::GoingAway, "The server is restarting.");
                }
                for viewer in all.viewers().values() {
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
