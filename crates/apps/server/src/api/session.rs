//! One session: looking at it, asking for more, ending it.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gc_access::Permission;
use gc_session::EndReason;
use gc_session::relay::AskRefusal;
use gc_store::{NewAudit, SessionChange, SessionRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::session_list::{Session, visible};
use crate::address::ClientAddress;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::relay::Asker;
use crate::request::{Body, Path};

/// Most sessions that are removed by one call.
const AT_ONCE: usize = 500;

/// One session.
#[utoipa::path(get, path = "/api/sessions/{id}", operation_id = "get_session", tag = "sessions",
    params(("id" = Uuid, Path, description = "The session's id")),
    responses((status = 200, body = Session, description = "The session.")))]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<Session>, ApiError> {
    caller.require(Permission::View)?;
    let (row, _) = visible(&app, &caller, id).await?;
    Ok(Json(Session::new(&app, row)))
}

/// End a session for everybody. Its creator may; administrators end the
/// sessions of others and take them, and what has ended, out of the lists.
#[utoipa::path(delete, path = "/api/sessions/{id}", operation_id = "remove_session", tag = "sessions",
    params(("id" = Uuid, Path, description = "The session's id")),
    responses((status = 204, description = "Ended, and out of the lists where an administrator did it.")))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    remove_one(&app, client, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which sessions to remove.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveSessions {
    #[schema(min_items = 1, max_items = 500)]
    ids: Vec<Uuid>,
}

/// What became of one of them.
#[derive(Serialize, ToSchema)]
pub(crate) struct Removal {
    id: Uuid,
    removed: bool,
    /// Why it was not, as the single call would say it: `NOT_FOUND`, `FORBIDDEN`, `DATABASE_UNAVAILABLE`.
    error_code: Option<&'static str>,
}

/// What became of each, in the order of the call; of one that was named twice, once.
#[derive(Serialize, ToSchema)]
pub(crate) struct Removals {
    items: Vec<Removal>,
}

/// End or remove up to 500 sessions, each as the single call would. One that
/// cannot be removed keeps no other from it.
#[utoipa::path(post, path = "/api/sessions/remove", operation_id = "remove_sessions", tag = "sessions",
    request_body = RemoveSessions,
    responses((status = 200, body = Removals, description = "What became of each.")))]
pub(crate) async fn remove_several(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Body(wanted): Body<RemoveSessions>,
) -> Result<Json<Removals>, ApiError> {
    if wanted.ids.is_empty() || wanted.ids.len() > AT_ONCE {
        return Err(ApiError::invalid("Name 1 to 500 sessions."));
    }
    let mut items = Vec::new();
    let mut seen = HashSet::new();
    // One that is named twice is removed once; when the database is gone, no
    // more is tried.
    let mut gone: Option<&'static str> = None;
    for id in wanted.ids.into_iter().filter(|id| seen.insert(*id)) {
        let error_code = match gone {
            Some(code) => Some(code),
            None => remove_one(&app, client, &caller, id).await.err().map(|error| error.code),
        };
        gone = error_code.filter(|code| *code == "DATABASE_UNAVAILABLE");
        items.push(Removal { id, removed: error_code.is_none(), error_code });
    }
    Ok(Json(Removals { items }))
}

async fn remove_one(app: &Arc<App>, client: ClientAddress, caller: &Caller, id: Uuid) -> Result<(), ApiError> {
    let (row, view) = visible(app, caller, id).await?;
    let mine = view.is_creator && caller.permissions.has(Permission::CreateCodes);
    if !mine && !caller.permissions.has(Permission::ManageSessions) {
        return Err(ApiError::forbidden());
    }
    let listed = view.is_creator && !view.ended;
    if listed {
        end(app, &row, EndReason::ClosedByTechnician).await?;
    } else if caller.permissions.has(Permission::ManageSessions) {
        end(app, &row, EndReason::Removed).await?;
        let change = SessionChange { deleted_at: Some(app.clock.wall()), ..Default::default() };
        app.store.change_session(id, change).await?;
        app.changed(id, row.created_by).await;
    } else {
        // Its creator ends what has ended: nothing is left to do.
        return Ok(());
    }
    app.audit(NewAudit {
        event: "session_removed",
        details: Some(serde_json::json!({ "stays_listed": listed })),
        session_id: Some(id),
        actor_id: Some(caller.user.id),
        ip_address: Some(client.0.to_string()),
        ..Default::default()
    })
    .await;
    Ok(())
}

/// End it, for `reason` or as a code that was taken back.
async fn end(app: &Arc<App>, row: &SessionRow, reason: EndReason) -> Result<(), ApiError> {
    if app.store.cancel_code_of(row.id, EndReason::Cancelled.as_str(), app.clock.wall()).await? {
        app.ended(row.id, row.created_by, EndReason::Cancelled).await;
    } else {
        app.hub.end(app, row.id, reason).await?;
    }
    Ok(())
}

/// Ask the person to allow control where they allowed view.
#[utoipa::path(post, path = "/api/sessions/{id}/request-control", operation_id = "request_control", tag = "sessions",
    params(("id" = Uuid, Path, description = "The session's id")),
    responses(
        (status = 202, description = "The person is being asked."),
        (status = 409, body = ErrorBody, description = "`SESSION_NOT_LIVE`, `ALREADY_ASKING`, or `ALREADY_ACCEPTED`."),
        (status = 429, body = ErrorBody, description = "`JUST_REFUSED`: the person has said no within the last half minute."),
    ))]
pub(crate) async fn request_control(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    visible(&app, &caller, id).await?;
    caller.require(Permission::Control)?;
    let not_live = || ApiError::conflict("SESSION_NOT_LIVE", "The session is not live.");
    let session = app.hub.get(id).ok_or_else(not_live)?;
    let asker = Asker { user_id: Some(caller.user.id), name: caller.user.display_name.clone() };
    match session.ask_for_control(&app, asker).await {
        Ok(()) => Ok(StatusCode::ACCEPTED),
        Err(AskRefusal::NotLive) => Err(not_live()),
        Err(AskRefusal::Asking) => Err(ApiError::conflict("ALREADY_ASKING", "The person is being asked already.")),
        Err(AskRefusal::JustRefused(wait)) => {
            let mut error = ApiError::too_many(wait.as_secs() + 1);
            error.code = "JUST_REFUSED";
            error.detail = "The person has just said no.".into();
            Err(error)
        }
        Err(AskRefusal::AlreadyAccepted) => {
            Err(ApiError::conflict("ALREADY_ACCEPTED", "The person allowed control before."))
        }
    }
}
