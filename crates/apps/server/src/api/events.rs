//! Changes, as they happen.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use gc_access::Permission;
use gc_bus::{Heard, Notice};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::auth::caller::Caller;
use crate::error::ApiError;

/// How often the credential behind an open stream is looked at again.
const RECHECK: Duration = Duration::from_secs(15);

/// One event of the stream, as the description has it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "events are written field by field, as their format wants")]
pub(crate) struct Change {
    event: ChangeKind,
    /// JSON: `{"id": …}` of a session, or `{}`.
    data: String,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "as above")]
enum ChangeKind {
    /// A session changed.
    Session,
    /// Something was missed: read everything again.
    Resync,
}

/// What changed, as server-sent events: `session` with the session's `id`, and
/// `resync` when something was missed and everything should be read again.
#[utoipa::path(get, path = "/api/events", operation_id = "events", tag = "operation",
    responses((status = 200, content_type = "text/event-stream", body = Change, description = "The stream; it ends with the login.")))]
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    caller: Caller,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    caller.require(Permission::View)?;
    let mut changes = app.bus.subscribe();
    let stream = async_stream::stream! {
        yield Ok(Event::default().event("resync").data("{}"));
        loop {
            let heard = tokio::select! {
                heard = changes.next() => heard,
                () = tokio::time::sleep(RECHECK) => {
                    if listener(&app, caller.credential).await.is_some() { continue } else { return }
                }
                () = app.shutdown.cancelled() => return,
            };
            match heard {
                Some(Heard::Notice(Notice::SessionChanged { session_id, created_by })) => {
                    let Some(listener) = listener(&app, caller.credential).await else { return };
                    if listener.may_hear(&app, session_id, created_by).await {
                        let data = serde_json::json!({ "id": session_id }).to_string();
                        yield Ok(Event::default().event("session").data(data));
                    }
                }
                Some(Heard::Notice(Notice::Revoked { .. })) => {
                    if listener(&app, caller.credential).await.is_none() {
                        return;
                    }
                }
                Some(Heard::Missed) => yield Ok(Event::default().event("resync").data("{}")),
                None => return,
            }
        }
    };
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

/// Who listens, with the rights of this moment.
struct Listener {
    user: Uuid,
    is_admin: bool,
}

/// The listener of this credential, as long as it may see sessions at all.
async fn listener(app: &App, credential: Uuid) -> Option<Listener> {
    let caller = Caller::again(app, credential).await.ok()?;
    caller.require(Permission::View).ok()?;
    Some(Listener { user: caller.user.id, is_admin: caller.is_admin() })
}

impl Listener {
    async fn may_hear(&self, app: &App, session_id: Uuid, created_by: Option<Uuid>) -> bool {
        self.is_admin
            || created_by == Some(self.user)
            || app.store.is_guest(session_id, self.user).await.unwrap_or(false)
    }
}
