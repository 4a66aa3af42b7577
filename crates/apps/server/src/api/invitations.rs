//! A second technician in a session.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gc_access::{Permission, SessionView};
use gc_protocol::Ending;
use gc_store::NewAudit;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::session_list::visible;
use super::shapes::{Limit, List};
use crate::address::ClientAddress;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::request::{Body, Path, Query};

/// Somebody who is invited.
#[derive(Serialize, ToSchema)]
pub(crate) struct Invited {
    user_id: Uuid,
    display_name: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// The `next` of the page before.
    after: Option<Uuid>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

/// Whether the caller decides who else comes: the creator, and administrators,
/// as far as their credential carries it.
fn check_host(caller: &Caller, view: &SessionView) -> Result<(), ApiError> {
    let own = view.is_creator && caller.permissions.has(Permission::CreateCodes);
    let any = caller.is_admin() && caller.permissions.has(Permission::ManageSessions);
    if own || any { Ok(()) } else { Err(ApiError::forbidden()) }
}

/// Who is invited to a session.
#[utoipa::path(get, path = "/api/sessions/{id}/invitations", operation_id = "list_invitations", tag = "sessions",
    params(("id" = Uuid, Path, description = "The session's id"), Filter),
    responses((status = 200, body = List<Invited>, description = "A page.")))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Query(filter): Query<Filter>,
) -> Result<Json<List<Invited>>, ApiError> {
    caller.require(Permission::View)?;
    visible(&app, &caller, id).await?;
    let page = app.store.invited(id, filter.after, filter.limit.0).await?;
    Ok(Json(List::of(page, |user| Invited { user_id: user.id, display_name: user.display_name })))
}

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invite {
    user_id: Uuid,
}

/// Invite a colleague: they may look in with their own rights, and the person
/// sees that they joined.
#[utoipa::path(post, path = "/api/sessions/{id}/invitations", operation_id = "invite", tag = "sessions",
    params(("id" = Uuid, Path, description = "The session's id")), request_body = Invite,
    responses(
        (status = 204, description = "Invited, now or before."),
        (status = 409, body = ErrorBody, description = "`SESSION_ENDED`: it is over. `CANNOT_BE_INVITED`: there is no such user, or they may not look on."),
    ))]
pub(crate) async fn invite(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Path(id): Path<Uuid>,
    Body(wanted): Body<Invite>,
) -> Result<StatusCode, ApiError> {
    let (row, view) = visible(&app, &caller, id).await?;
    check_host(&caller, &view)?;
    if view.ended {
        return Err(ApiError::conflict("SESSION_ENDED", "The session has ended."));
    }
    let guest = app.store.user(wanted.user_id).await?.filter(|user| user.enabled && user.role != "end_user");
    let guest = guest.ok_or_else(|| ApiError::conflict("CANNOT_BE_INVITED", "There is nobody like that to invite."))?;
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
    params(("id" = Uuid, Path, description = "The session's id"), ("user_id" = Uuid, Path, description = "Who was invited")),
    responses((status = 204, description = "Withdrawn.")))]
pub(crate) async fn withdraw(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Path((id, user_id)): Path<(Uuid, Uuid)>,
) -> Result<StatusCode, ApiError> {
    let (row, view) = visible(&app, &caller, id).await?;
    check_host(&caller, &view)?;
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
