//! What every handler has at hand.

use std::sync::Arc;

use gc_bus::{Bus, Notice};
use gc_session::EndReason;
use gc_store::{NewAudit, Store};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::auth::limits::Limits;
use crate::auth::sealed::Sealer;
use crate::auth::viewer_token::ViewerTokens;
use crate::client_file::Clients;
use crate::clock::Clock;
use crate::config::Config;
use crate::connections::Counted;
use crate::meters::Meters;
use crate::relay::Hub;
use crate::settings::Holder;

/// The server.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) limits: Limits,
    pub(crate) viewer_tokens: ViewerTokens,
    pub(crate) sealer: Sealer,
    pub(crate) hub: Hub,
    pub(crate) clients: Clients,
    /// Whoever sets the server up takes turns.
    pub(crate) setup: Mutex<()>,
    pub(crate) bus: Box<dyn Bus>,
    pub(crate) meters: Meters,
    /// Connections that speak HTTP.
    pub(crate) connections: Counted,
    pub(crate) shutdown: CancellationToken,
    /// Every open socket's task, waited for at the end.
    pub(crate) sockets: TaskTracker,
    pub(crate) settings: Holder,
}

impl App {
    /// Write an event down. A failure never undoes what happened: it is
    /// counted and shouted.
    pub(crate) async fn audit(&self, event: NewAudit) {
        let name = event.event;
        if let Err(error) = self.store.audit(event, self.clock.wall()).await {
            self.meters.audit_failures.increment(1);
            tracing::error!(event = name, %error, "an audit row could not be written");
        }
    }

    /// A session that no agent ever reached is over: write it down, tell it.
    pub(crate) async fn ended(&self, id: Uuid, created_by: Option<Uuid>, reason: EndReason) {
        self.audit(NewAudit {
            event: "session_ended",
            session_id: Some(id),
            details: Some(serde_json::json!({ "reason": reason.as_str() })),
            ..Default::default()
        })
        .await;
        self.changed(id, created_by).await;
    }

    /// Tell dashboards that a session changed.
    pub(crate) async fn changed(&self, session_id: Uuid, created_by: Option<Uuid>) {
        self.bus.publish(Notice::SessionChanged { session_id, created_by }).await;
    }

    /// Close the sockets of viewers that lost their right to be there, here at
    /// once and elsewhere by notice.
    pub(crate) async fn revoke_viewers(self: &Arc<Self>, credential: Option<Uuid>, user_id: Option<Uuid>) {
        self.hub.revoke(self, credential, user_id).await;
        self.bus.publish(Notice::Revoked { credential, user_id }).await;
    }
}
