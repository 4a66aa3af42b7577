//! A second technician in a session.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gc_protocol::Ending;
use gc_store::NewAudit;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::session_list::visible;
use super::shapes::List;
use crate::address::ClientAddress;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::request::{Body, Path};

/// Somebody who is invited.
#[derive(Serialize, ToSchema)]
pub(crate) struct Invited {
    user_id: Uuid,
    display_name: String,
}

/// Who is invited to a session.
#[utoipa::path(get, path = "/api/sessions/{id}/invitations", operation_id = "list_invitations", tag = "sessions", params(("id" = Uuid, Path)),
    security(("login" = []), ("cookie" = [])),
    responses((status = 200, body = List<Invited>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<List<Invited>>, ApiError> {
    visible(&app, &caller, id).await?;
    let mut items = Vec::new();
    for user_id in app.store.invited(id).await? {
        if let Some(user) = app.store.user(user_id).await? {
            items.push(Invited { user_id, display_name: user.display_name });
        }
    }
    Ok(Json(List { items, next: None }))
}

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invite {
    user_id: Uuid,
}

/// Invite a colleague: they may look in with their own rights, and the person
/// sees that they joined.
#[utoipa::path(post, path = "/api/sessions/{id}/invitations", operation_id = "invite", tag = "sessions", params(("id" = Uuid, Path)),
    request_body = Invite, security(("login" = []), ("cookie" = [])),
    responses((status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn invite(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Path(id): Path<Uuid>,
    Body(wanted): Body<Invite>,
) -> Result<StatusCode, ApiError> {
    let (row, view) = visible(&app, &caller, id).await?;
    if !view.is_creator && !caller.is_admin() {
        return Err(ApiError::forbidden());
    }
    if view.ended {
        return Err(ApiError::conflict("SESSION_ENDED", "The session has ended."));
    }
    let guest = app.store.user(wanted.user_id).await?.filter(|user| user.enabled && user.role != "end_user");
    let guest = guest.ok_or_else(|| ApiError::invalid("There is nobody like that to invite."))?;
    app.store.invite(id, guest.id, caller.user.id, app.clock.wall()).await?;
    app.audit(NewAudit {
        event: "invited",
        session_id: Some(id),
        actor_id: Some(caller.user.id),
        target: Some(guest.username),
        ip_address: Some(client.0.to_string()),
        ..Default::default()
    })
    .await;
    app.changed(id, row.created_by).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Withdraw an invitation; the guest's viewers close.
#[utoipa::path(delete, path = "/api/sessions/{id}/invitations/{user_id}", operation_id = "withdraw_invitation", tag = "sessions",
    params(("id" = Uuid, Path), ("user_id" = Uuid, Path)), security(("login" = []), ("cookie" = [])),
    responses((status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(crate) async fn withdraw(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Path((id, user_id)): Path<(Uuid, Uuid)>,
) -> Result<StatusCode, ApiError> {
    let (row, view) = visible(&app, &caller, id).await?;
    if !view.is_creator && !caller.is_admin() {
        return Err(ApiError::forbidden());
    }
    if !app.store.withdraw_invitation(id, user_id).await? {
        return Err(ApiError::not_found("invitation"));
    }
    if let Some(session) = app.hub.get(id) {
        let text = "Your invitation was withdrawn.";
        session.close_viewers(&app, |link| link.user_id == user_id, Ending::CredentialEnded, text).await;
    }
    app.audit(NewAudit {
        event: "invitation_withdrawn",
        session_id: Some(id),
        actor_id: Some(caller.user.id),
        target: Some(user_id.to_string()),
        ip_address: Some(client.0.to_string()),
        ..Default::default()
    })
    .await;
    app.changed(id, row.created_by).await;
    Ok(StatusCode::NO_CONTENT)
}
